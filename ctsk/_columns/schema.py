"""What the columns of X hold: read as numbers, written back as the user's own values."""

import contextlib
from collections import Counter
from dataclasses import dataclass
from numbers import Real

import numpy as np

# More are no categories, but names or numbers; and one-hot columns take memory.
_MOST_CATEGORIES = 1_000
_DECLARE = (
    "Declare all categories before the data is split: by a pandas category dtype or, in a "
    "pipeline, by the encoder's parameter categories."
)
_FILL = "Put a word in place of missing values before the data is split: .fillna('missing')."


def is_frame(X):
    """Whether X is a pandas DataFrame (without importing pandas)."""
    return hasattr(X, "iloc") and hasattr(X, "columns")


def repeated(X, n_times):
    """Return rows like X's, each several times.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_rows, n_features)
    n_times : int

    Returns
    -------
    X : DataFrame or array-like of shape (n_rows * n_times, n_features)
        X itself if `n_times` is 1. The index of a DataFrame has gained a last level,
        "alternative", that counts.
    """
    if n_times == 1:
        return X
    if not is_frame(X):
        return np.repeat(X, n_times, axis=0)
    import pandas as pd

    copies = X.iloc[np.repeat(np.arange(len(X)), n_times)]
    index = copies.index
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    unnamed = ["row"] if len(levels) == 1 else [f"level_{i}" for i in range(len(levels))]
    names = [u if name is None else name for name, u in zip(index.names, unnamed, strict=True)]
    names.append("alternative" if "alternative" not in names else "alternative_again")
    alternative = np.tile(np.arange(n_times), len(X))
    copies.index = pd.MultiIndex.from_arrays([*levels, alternative], names=names)
    return copies


def is_missing(cell):
    """Whether a cell is None, NaN or pandas' NA."""
    not_a_number = isinstance(cell, Real) and cell != cell
    return cell is None or not_a_number or type(cell).__name__ == "NAType"


@dataclass(frozen=True, eq=False)
class Categories:
    """The known categories of one column.

    Parameters
    ----------
    values : tuple
        In their order. A missing value is a category of its own: None, at the end.
    observed : bool ndarray of shape (n_categories,)
        Whether training rows hold it; a pandas category dtype may declare more.
    ordered : bool
        Whether the order means something, so that one may rise or fall.
    """

    values: tuple
    observed: np.ndarray
    ordered: bool

    @classmethod
    def fit(cls, column):
        """Learn the categories of a column: a Series, or an array of floats."""
        cells = _cells(column)
        present = set(cells)
        declared = getattr(column.dtype, "categories", None)
        if declared is not None:
            values, ordered = declared.tolist(), bool(column.dtype.ordered)
        elif column.dtype.kind == "b":
            values, ordered = [False, True], True
        else:
            values, ordered = _in_order(present - {None}), False
        if None in present or not values:
            values.append(None)
        observed = np.array([value in present for value in values])
        return cls(tuple(values), observed, ordered)

    def __len__(self):
        """Return the number of categories, the missing one included."""
        return len(self.values)

    @property
    def has_missing(self):
        """Whether a missing value is among the categories."""
        return self.values[-1] is None

    @property
    def reachable(self):
        """Categories that a counterfactual may move to unless told otherwise.

        Those that were observed. To have a value missing is no way out.
        """
        reachable = self.observed.copy()
        if self.has_missing:
            reachable[-1] = False
        return reachable

    def codes(self, cells):
        """Positions of cells among the categories; -1 for an unknown one."""
        positions = {value: code for code, value in enumerate(self.values)}
        return np.fromiter((positions.get(cell, -1) for cell in cells), np.intp, len(cells))


@dataclass(frozen=True, eq=False)
class Schema:
    """Names and kinds of X's columns.

    Rows are read as a matrix of float64 with one column per feature: numbers in
    the user's units, and for a category its position among the known ones.

    Parameters
    ----------
    names : list
        One per feature.
    categories : dict of int to Categories
        By position of the feature; all other features are numeric.
    integral : bool ndarray of shape (n_features,)
        Whether a column was of integer dtype, so that its values are integers.
    unread : set of int, default=frozenset()
        Features that no model looks at, whatever they hold: read as 0.
    """

    names: list
    categories: dict
    integral: np.ndarray
    unread: set = frozenset()

    @classmethod
    def fit(cls, X, names, categorical):
        """Learn the kinds of X's columns.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_rows, n_features)
            An ndarray is numeric.
        names : list
        categorical : bool ndarray of shape (n_features,)
            Which columns hold categories.

        Returns
        -------
        schema : Schema

        Raises
        ------
        ValueError
            If a column can be neither: a date, say, or text that nobody called a
            category; or if it has more than 1,000 categories.
        """
        check_columns(names)
        columns = _columns(X)
        integral = np.array([column.dtype.kind in "iu" for column in columns])
        categories = {}
        for position, (name, column) in enumerate(zip(names, columns, strict=True)):
            _check_kind(name, column.dtype)
            if not categorical[position] and column.dtype.kind not in "biuf":
                raise ValueError(
                    f"Column {name!r} of X has dtype {column.dtype}, but is not among "
                    "categorical_features; name it there if it holds categories, or convert it by "
                    "pandas.to_numeric."
                )
            if categorical[position]:
                with _hashing(name):
                    categories[position] = known = Categories.fit(column)
                if len(known) > _MOST_CATEGORIES:
                    raise ValueError(
                        f"Column {name!r} of X has {len(known)} categories; at most "
                        f"{_MOST_CATEGORIES} are supported. If it names or numbers the rows, drop "
                        "it; if it holds numbers, convert it, for example by pandas.to_numeric; "
                        "otherwise group its rare categories."
                    )
        return cls(names, categories, integral & ~categorical)

    def read(self, X):
        """Read rows as numbers.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            With the columns that were fitted.

        Returns
        -------
        values : ndarray of shape (n_rows, n_features)
            float64; NaN where a number is missing.

        Raises
        ------
        ValueError
            If a category is unknown, or what should be a number is none.
        """
        if not (self.categories or self.unread or is_frame(X)):
            return np.ascontiguousarray(X, dtype=np.float64)
        columns = _columns(X)
        values = np.empty((len(X), len(columns)))
        for position, (name, column) in enumerate(zip(self.names, columns, strict=True)):
            if position in self.unread:
                values[:, position] = 0.0
                continue
            known = self.categories.get(position)
            values[:, position] = (
                _numbers(column, name) if known is None else _codes(column, name, known)
            )
        return values

    def dtypes(self, X):
        """NumPy dtype of each of X's columns; float64 where it has none."""
        dtypes = [_numpy_dtype(dtype) for dtype in dtypes_of(X)]
        return [dtype if dtype.kind in "biuf" else np.dtype(np.float64) for dtype in dtypes]

    def write(self, X, before, after):
        """Return a copy of X with new values, in X's container, index and dtypes.

        Cells whose value did not change keep X's own bits.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
        before : ndarray of shape (n_rows, n_features)
            What `read` makes of X.
        after : ndarray of shape (n_rows, n_features)
            What it is to make of the copy.

        Returns
        -------
        copy : DataFrame or ndarray of shape (n_rows, n_features)
        """
        moved = before != after
        copy = X.copy() if is_frame(X) else np.array(X, dtype=self.dtypes(X)[0])
        for position in np.flatnonzero(moved.any(axis=0)):
            rows = moved[:, position]
            cells = self.cells(position, after[rows, position])
            if not is_frame(X):
                exact = _smallest_dtype(cells, copy.dtype)
                if exact != copy.dtype:
                    copy = copy.astype(np.result_type(copy, exact))
                copy[rows, position] = cells
                continue
            copy.isetitem(
                position, self._written(X.iloc[:, position].copy(), position, rows, cells)
            )
        return copy

    def _written(self, column, position, rows, cells):
        """Return a Series with new cells, in its dtype if that can hold them."""
        dtype = _numpy_dtype(column.dtype)
        if dtype.kind in "biuf":
            exact = _smallest_dtype(cells, dtype)
            column = column if exact == dtype else column.astype(exact)
            cells = cells.astype(exact)
        elif position in self.categories:
            if hasattr(column.dtype, "categories"):
                column = _with_categories(column, self.categories[position], cells)
        elif column.dtype != object or column.map(_is_text).any():
            # The numbers came as categories or text. New numbers between old text would make a
            # mixed column, so the whole column becomes numeric.
            column = column.astype(np.float64)
        elif self.integral[position]:
            cells = cells.astype(np.int64).astype(object)
        column[rows] = cells
        return column

    def cells(self, position, values):
        """Values of one feature as the user writes them."""
        if position not in self.categories:
            return values
        known = np.empty(len(self.categories[position]), dtype=object)
        known[:] = self.categories[position].values
        return known[values.astype(np.intp)]


def check_columns(names):
    """Raise a ValueError unless there are columns, and names tell them apart."""
    if not names:
        raise ValueError("X has no columns: 0 feature(s) while a minimum of 1 is required.")
    name, n_named = Counter(names).most_common(1)[0]
    if n_named > 1:
        raise ValueError(
            f"X has {n_named} columns named {name!r}. Constraints go by name: rename or drop, for "
            "example by X.loc[:, ~X.columns.duplicated()]."
        )


def dtypes_of(X):
    """Return the dtype of each column, as X's container has it."""
    return [column.dtype for column in _columns(X)]


def cells_of(X, position):
    """Cells of one column of X, as objects."""
    column = X.iloc[:, position] if is_frame(X) else np.asarray(X)[:, position]
    return np.asarray(column, dtype=object)


def _columns(X):
    """Return the columns of X, each with a dtype."""
    if is_frame(X):
        return [X.iloc[:, position] for position in range(X.shape[1])]
    numeric = isinstance(X, np.ndarray) and X.dtype.kind in "biuf"
    return list((X if numeric else np.asarray(X, dtype=np.float64)).T)


def _numpy_dtype(dtype):
    """Return NumPy's dtype of a column of a DataFrame; object where it has none."""
    dtype = getattr(dtype, "numpy_dtype", dtype)
    return dtype if isinstance(dtype, np.dtype) else np.dtype(object)


def _is_text(cell):
    return isinstance(cell, (str, bytes))


def _smallest_dtype(cells, dtype):
    """Return `dtype` if it holds all cells (categories of another dtype may not fit)."""
    try:
        fits = (cells.astype(dtype) == cells).all()
    except (OverflowError, TypeError, ValueError):
        fits = False
    return dtype if fits else np.array(cells.tolist()).dtype


def _check_kind(name, dtype):
    """Refuse dtypes that hold neither numbers nor categories."""
    if hasattr(dtype, "fill_value"):
        problem = "which is sparse", "convert it by .sparse.to_dense()"
    elif dtype.kind not in "biufOUST" or type(dtype).__name__ in ("PeriodDtype", "IntervalDtype"):
        problem = (
            "which is neither a number nor a category",
            "derive numbers from it, such as days or years since",
        )
    else:
        return
    raise ValueError(f"Column {name!r} of X has dtype {dtype}, {problem[0]}; {problem[1]}.")


def _cells(column):
    """Cells of a Series, or of an array of floats, as objects; None where missing."""
    frame_like = hasattr(column, "isna")
    cells = column.to_numpy(dtype=object) if frame_like else column.astype(object)
    missing = column.isna().to_numpy() if frame_like else np.isnan(column)
    return np.where(missing, None, cells)


def _in_order(values):
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda value: (type(value).__name__, str(value)))


@contextlib.contextmanager
def _hashing(name):
    try:
        yield
    except TypeError as error:
        raise ValueError(
            f"Column {name!r} of X holds values that cannot be categories ({error}). Categories "
            "are strings, numbers or booleans."
        ) from error


def _codes(column, name, known):
    cells = _cells(column)
    with _hashing(name):
        codes = known.codes(cells)
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        cell, values = cells[unknown[0]], [value for value in known.values if value is not None]
        what, remedy = f"the unknown category {cell!r}", _DECLARE
        if cell is None:
            what, remedy = "a missing value", _FILL
        listed = f"{', '.join(map(repr, values[:10]))}{', ...' if len(values) > 10 else ''}"
        raise ValueError(
            f"Column {name!r} of X holds {what} (row {unknown[0]}), which was not there when the "
            f"estimator was fitted; known are {listed}. {remedy}"
        )
    return codes


def _numbers(column, name):
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return np.asarray(column, dtype=np.float64)
    _check_kind(name, column.dtype)
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {name!r} of X was numeric when the estimator was fitted, but now has dtype "
            f"{column.dtype} and cannot be converted ({error}). Convert it by pandas.to_numeric."
        ) from error


def _with_categories(column, known, cells):
    """Return a categorical Series whose dtype holds some cells; else all known categories."""
    declared = column.dtype.categories.tolist()
    if set(cells) <= set(declared):
        return column
    values = [value for value in known.values if value is not None]
    return column.cat.set_categories(values + [value for value in declared if value not in values])
