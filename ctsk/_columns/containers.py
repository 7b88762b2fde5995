"""The containers that X comes in: DataFrames, arrays, sparse matrices, and single rows."""

from collections import Counter
from collections.abc import Mapping
from numbers import Real

import numpy as np
from scipy import sparse

from ctsk._columns.array_likes import as_array_like
from ctsk._columns.other_frames import is_other_frame, to_pandas

# Maximum number of names or categories in one error message.
MOST_LISTED = 10


def listed(values):
    """Return at most ten of the values as text for an error message."""
    text = ", ".join(map(repr, values[:MOST_LISTED]))
    return f"{text}, ..." if len(values) > MOST_LISTED else text


def is_frame(X):
    """Return whether X is a pandas DataFrame (without importing pandas)."""
    return hasattr(X, "iloc") and hasattr(X, "columns")


def is_pandas(X):
    """Return whether X is exactly a pandas DataFrame (without importing pandas)."""
    return type(X).__name__ == "DataFrame" and type(X).__module__.split(".")[0] == "pandas"


def is_series(X):
    """Return whether X is a pandas Series (without importing pandas)."""
    return hasattr(X, "iloc") and hasattr(X, "index") and not hasattr(X, "columns")


def is_missing(cell):
    """Return whether a cell is None, NaN, or pandas' NA or NaT."""
    # Only NaN differs from itself. The type is checked first, because the comparison of
    # pandas' NA is NA, which is not a bool.
    not_a_number = isinstance(cell, Real) and cell != cell
    return cell is None or not_a_number or type(cell).__name__ in ("NAType", "NaTType")


def as_table(X, names=None, name="X"):
    """Return X as a pandas DataFrame, or as whatever else scikit-learn validates.

    Parameters
    ----------
    X : DataFrame, array-like, sparse matrix, Mapping or Series
        A DataFrame of polars or pyarrow is converted to pandas. A mapping or a Series
        holds one row, keyed by the names of the columns. A list of them holds several
        rows.
    names : list, default=None
        Names of the columns of a fitted model. None if the names are unknown, in which
        case single rows are rejected.
    name : str, default="X"
        Name of X in error messages.

    Returns
    -------
    X : DataFrame or array-like of shape (n_rows, n_features)

    Raises
    ------
    TypeError
        If X is a DataFrame of a library that is not supported.
    ValueError
        If single rows are passed without `names`, lack a column or hold an unknown one, or if X
        is no container of rows; see `as_array_like`.
    """
    # This check comes first, because a sparse matrix of the DOK format is a mapping, and a
    # pandas DataFrame has `__dataframe__`, too.
    if isinstance(X, type):
        # A class has the attributes by which its instances are recognized, and is rejected.
        return as_array_like(X, name)
    if is_frame(X) or sparse.issparse(X):
        return X
    if is_other_frame(X):
        return to_pandas(X, name)
    records = [X] if isinstance(X, Mapping) or is_series(X) else X
    if not isinstance(records, list) or not records:
        return as_array_like(X, name)
    if not all(isinstance(record, Mapping) or is_series(record) for record in records):
        return as_array_like(X, name)
    return _frame_of_records(records, names, name)


def _frame_of_records(records, names, name):
    """Return rows that name their cells as a DataFrame with the columns of a fitted model."""
    import pandas as pd

    if names is None:
        raise ValueError(
            f"{name} is a {type(records[0]).__name__}, a single row that names its cells. Only a "
            "model that was fitted on a DataFrame knows the names; convert the rows to a table, "
            "for example by pandas.DataFrame(rows)."
        )
    # `record.keys()` is necessary: to iterate over a Series yields its cells.
    for row, record in enumerate(records):
        missing = [column for column in names if column not in record]
        unknown = [key for key in record.keys() if key not in names]  # noqa: SIM118
        if missing or unknown:
            parts = [f"lacks the columns {listed(missing)}"] if missing else []
            parts += [f"has the unknown columns {listed(unknown)}"] if unknown else []
            raise ValueError(
                f"Row {row} of {name} {' and '.join(parts)}. Provide one cell for each of the "
                f"columns that the model was fitted with ({listed(names)}), or a pandas.DataFrame."
            )
    # A Series that was taken from a DataFrame keeps its label; a dict is numbered.
    index = [record.name if is_series(record) else row for row, record in enumerate(records)]
    cells = [[record[column] for column in names] for record in records]
    # Names that are tuples must stay names: by default, they become levels of the columns.
    return pd.DataFrame(cells, index=index, columns=pd.Index(names, tupleize_cols=False))


def densified(X):
    """Return a sparse matrix as an ndarray, and anything else as it is."""
    return X.toarray() if sparse.issparse(X) else X


def chunks_of(X, n_rows):
    """Return a sparse matrix as chunks of a number of rows, and anything else as it is."""
    # An empty matrix is one empty chunk, so that its validation raises an error.
    if not sparse.issparse(X) or not X.shape[0]:
        return [X]
    # Not every sparse format can be sliced; CSR is sliced by rows at the least cost.
    X = X.tocsr()
    return [X[start : start + n_rows] for start in range(0, X.shape[0], n_rows)]


def check_columns(names):
    """Raise a ValueError unless there is at least one column and all names differ."""
    if not names:
        raise ValueError("X has no columns: 0 feature(s) while a minimum of 1 is required.")
    # NaN equals no name, not even itself, so that the column could never be found again.
    unnamed = [name for name in names if name is not None and is_missing(name)]
    if unnamed:
        raise ValueError(
            f"X has {len(unnamed)} columns named {unnamed[0]!r}, which is no name. Name all "
            "columns, for example by X.set_axis([...], axis=1)."
        )
    name, n_named = Counter(names).most_common(1)[0]
    if n_named > 1:
        raise ValueError(
            f"X has {n_named} columns named {name!r}. Constraints refer to columns by name: rename "
            "or drop them, for example by X.loc[:, ~X.columns.duplicated()]."
        )


def check_same_columns(X, names, fitted="the estimator"):
    """Raise a ValueError unless a DataFrame has the columns of the fit, in their order.

    scikit-learn compares only names that are strings; other names, such as the numbers of
    ``pandas.DataFrame(array)``, would silently be matched by position.
    """
    columns = list(X.columns)
    if columns == list(names):
        return
    missing = [name for name in names if name not in columns]
    unknown = [name for name in columns if name not in names]
    problems = [f"it lacks {listed(missing)}"] if missing else []
    problems += [f"{listed(unknown)} are unknown"] if unknown else []
    raise ValueError(
        f"The columns of X are not those that {fitted} was fitted with: "
        f"{' and '.join(problems) or 'their order differs'}. Pass these, in this order: "
        f"{listed(names)}."
    )


def dtypes_of(X):
    """Return the dtype of each column, as X's container has it."""
    if is_frame(X):
        return list(X.dtypes)
    if _is_numeric(X):
        return [X.dtype] * X.shape[1]
    return [column.dtype for column in columns_of(X)]


def columns_of(X):
    """Return the columns of X, each with a dtype."""
    if is_frame(X):
        # Several times faster than to index every column by its position.
        return [column for _, column in X.items()]
    # A numeric array keeps its dtype, which distinguishes integers from floats.
    return list((X if _is_numeric(X) else np.asarray(X, dtype=np.float64)).T)


def _is_numeric(X):
    """Return whether X is an array of numbers."""
    return isinstance(X, np.ndarray) and X.dtype.kind in "biuf"


def cells_of(X, position):
    """Return the cells of one column of X, as objects."""
    column = X.iloc[:, position] if is_frame(X) else np.asarray(X)[:, position]
    return np.asarray(column, dtype=object)


def rows_of(X, idx):
    """Return the rows of X at some positions."""
    return X.iloc[idx] if is_frame(X) else X[idx]


def repeat_rows(X, n_times):
    """Return the rows of X, each repeated several times.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_rows, n_features)
    n_times : int

    Returns
    -------
    X : DataFrame or ndarray of shape (n_rows * n_times, n_features)
        X itself if `n_times` is 1. The index of a DataFrame has gained a last level,
        "alternative", that counts from 0.
    """
    if n_times == 1:
        return X
    if not is_frame(X):
        return np.repeat(X, n_times, axis=0)
    import pandas as pd

    # A new level needs a name that is free, and names for those levels that have none.
    index = X.index
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    unnamed = ["row"] if len(levels) == 1 else [f"level_{i}" for i in range(len(levels))]
    names = [
        default if name is None else name
        for name, default in zip(index.names, unnamed, strict=True)
    ]
    names.append("alternative" if "alternative" not in names else "alternative_again")

    # The copies of one row follow one another: labels repeat, and the numbers run from 0.
    levels = [level.repeat(n_times) for level in levels]
    levels.append(np.tile(np.arange(n_times), len(X)))
    # Until the new level distinguishes the copies, labels are duplicated, which the flags of
    # a DataFrame may forbid. The flag is lifted for this moment, and restored.
    frame = X.set_flags(allows_duplicate_labels=True).iloc[np.repeat(np.arange(len(X)), n_times)]
    frame.index = pd.MultiIndex.from_arrays(levels, names=names)
    return frame.set_flags(allows_duplicate_labels=X.flags.allows_duplicate_labels)
