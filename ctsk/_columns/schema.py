"""What the columns of X hold: read as numbers, written back as the user's own values."""

import contextlib
from dataclasses import dataclass

import numpy as np

from ctsk._columns.containers import check_columns, columns_of, dtypes_of, is_frame, listed

# A column with more categories holds names or numbers rather than categories, and each
# category takes a one-hot column.
_MAX_CATEGORIES = 1_000
_DECLARE = (
    "Declare all categories before the data are split: by a pandas category dtype or, in a "
    "pipeline, by the parameter categories of the encoder."
)
_FILL = "Replace missing values before the data are split, for example by .fillna('missing')."


@dataclass(frozen=True, eq=False)
class Categories:
    """The known categories of one column.

    Parameters
    ----------
    values : tuple
        The categories in their order. A missing value is a category of its own, None,
        which comes last.
    observed : bool ndarray of shape (n_categories,)
        Whether the training rows hold the category; a pandas category dtype may declare
        more.
    ordered : bool
        Whether the order is meaningful, so that a category can rise or fall.
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
        """Categories that a counterfactual may move to by default.

        These are the observed categories, without the missing one: a missing value is
        no recourse.
        """
        reachable = self.observed.copy()
        if self.has_missing:
            reachable[-1] = False
        return reachable

    def codes(self, cells):
        """Return the positions of cells among the categories; -1 for an unknown one."""
        positions = {value: code for code, value in enumerate(self.values)}
        return np.fromiter((positions.get(cell, -1) for cell in cells), np.intp, len(cells))


@dataclass(frozen=True, eq=False)
class Schema:
    """Names and kinds of X's columns.

    Rows are read as a matrix of float64 with one column per feature: a number in the
    user's units, or the position of a category among the known ones.

    Parameters
    ----------
    names : list
        Names of the features.
    categories : dict of int to Categories
        Categories by position of the feature; all other features are numeric.
    integral : bool ndarray of shape (n_features,)
        Whether the column had an integer dtype, so that its values are integers.
    unread : set of int, default=frozenset()
        Features that the model ignores, whatever they hold; they are read as 0.
    is_named : bool, default=True
        Whether X was a DataFrame, whose columns have names of the user's.
    """

    names: list
    categories: dict
    integral: np.ndarray
    unread: set = frozenset()
    is_named: bool = True

    @classmethod
    def fit(cls, X, names, categorical):
        """Learn the kinds of X's columns.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_rows, n_features)
            An ndarray is numeric.
        names : list
            Names of the features.
        categorical : bool ndarray of shape (n_features,)
            Which columns hold categories.

        Returns
        -------
        schema : Schema

        Raises
        ------
        ValueError
            If a column is neither numeric nor categorical, such as a date or text that is
            not among the categorical features, or if it has more than 1,000 categories.
        """
        check_columns(names)
        columns = columns_of(X)
        integral = np.array([column.dtype.kind in "iu" for column in columns])
        categories = {}
        for position, (name, column) in enumerate(zip(names, columns, strict=True)):
            _check_kind(name, column.dtype)
            if categorical[position]:
                categories[position] = _fit_categories(name, column)
            elif column.dtype.kind not in "biuf":
                raise ValueError(
                    f"Column {name!r} of X has dtype {column.dtype}, but is not among "
                    "categorical_features; name it there if it holds categories, or convert it by "
                    "pandas.to_numeric."
                )
        return cls(names, categories, integral & ~categorical, is_named=is_frame(X))

    def read(self, X):
        """Read rows as numbers.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Rows with the columns of the fit.

        Returns
        -------
        values : ndarray of shape (n_rows, n_features)
            float64; NaN where a number is missing.

        Raises
        ------
        ValueError
            If a category is unknown, or a cell of a numeric column is not a number.
        """
        if not (self.categories or self.unread or is_frame(X)):
            return np.ascontiguousarray(X, dtype=np.float64)
        columns = columns_of(X)
        values = np.empty((len(X), len(columns)))
        for position, (name, column) in enumerate(zip(self.names, columns, strict=True)):
            categories = self.categories.get(position)
            if position in self.unread:
                values[:, position] = 0.0
            elif categories is None:
                values[:, position] = _numbers(column, name)
            else:
                values[:, position] = _codes(column, name, categories)
        return values

    def dtypes(self, X):
        """Return the NumPy dtype of each of X's columns; float64 for non-numeric ones."""
        dtypes = [_numpy_dtype(dtype) for dtype in dtypes_of(X)]
        return [dtype if dtype.kind in "biuf" else np.dtype(np.float64) for dtype in dtypes]

    def write(self, X, before, after):
        """Return a copy of X with new values, in X's container, index and dtypes.

        Cells whose value is unchanged keep X's own bits.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
        before : ndarray of shape (n_rows, n_features)
            The values that `read` returns for X.
        after : ndarray of shape (n_rows, n_features)
            The values that `read` shall return for the copy.

        Returns
        -------
        copy : DataFrame or ndarray of shape (n_rows, n_features)
        """
        moved = before != after
        copy = X.copy() if is_frame(X) else np.array(X, dtype=self.dtypes(X)[0])
        for position in np.flatnonzero(moved.any(axis=0)):
            idx = np.flatnonzero(moved[:, position])
            cells = self.cells(position, after[idx, position])
            if is_frame(X):
                column = X.iloc[:, position].copy()
                copy.isetitem(position, self._written(column, position, idx, cells))
                continue
            exact = _smallest_dtype(cells, copy.dtype)
            if exact != copy.dtype:
                copy = copy.astype(np.result_type(copy, exact))
            copy[idx, position] = cells
        return copy

    def _written(self, column, position, idx, cells):
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
        # By position: labels of the index may repeat.
        column.iloc[idx] = cells
        return column

    def cells(self, position, values):
        """Return values of one feature as the user writes them."""
        if position not in self.categories:
            return values
        # An assignment keeps categories such as tuples as cells of their own.
        categories = np.empty(len(self.categories[position]), dtype=object)
        categories[:] = self.categories[position].values
        return categories[values.astype(np.intp)]


def _fit_categories(name, column):
    """Return the categories of a column; a ValueError if there are too many."""
    with _hashing(name):
        categories = Categories.fit(column)
    if len(categories) > _MAX_CATEGORIES:
        raise ValueError(
            f"Column {name!r} of X has {len(categories)} categories; at most {_MAX_CATEGORIES} are "
            "supported. If it names or numbers the rows, drop it; if it holds numbers, convert "
            "it, for example by pandas.to_numeric; otherwise group its rare categories."
        )
    return categories


def _numpy_dtype(dtype):
    """Return NumPy's dtype of a column of a DataFrame; object where it has none."""
    dtype = getattr(dtype, "numpy_dtype", dtype)
    return dtype if isinstance(dtype, np.dtype) else np.dtype(object)


def _is_text(cell):
    return isinstance(cell, (str, bytes))


def _smallest_dtype(cells, dtype):
    """Return `dtype` if it holds all cells, and otherwise the dtype of the cells.

    Categories of another dtype than the column's may not fit into it.
    """
    try:
        fits = (cells.astype(dtype) == cells).all()
    except (OverflowError, TypeError, ValueError):
        fits = False
    return dtype if fits else np.array(cells.tolist()).dtype


def _check_kind(name, dtype):
    """Reject dtypes that hold neither numbers nor categories."""
    if hasattr(dtype, "fill_value"):
        problem, remedy = "which is sparse", "convert it by .sparse.to_dense()"
    elif dtype.kind not in "biufOUST" or type(dtype).__name__ in ("PeriodDtype", "IntervalDtype"):
        problem = "which is neither a number nor a category"
        remedy = "derive numbers from it, such as days or years since a date"
    else:
        return
    raise ValueError(f"Column {name!r} of X has dtype {dtype}, {problem}; {remedy}.")


def _cells(column):
    """Return the cells of a Series, or of an array of floats, as objects; None if missing."""
    if hasattr(column, "isna"):
        cells, is_missing = column.to_numpy(dtype=object), column.isna().to_numpy()
    else:
        cells, is_missing = column.astype(object), np.isnan(column)
    return np.where(is_missing, None, cells)


def _in_order(values):
    """Return values in ascending order; by type and text where they cannot be compared."""
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda value: (type(value).__name__, str(value)))


@contextlib.contextmanager
def _hashing(name):
    """Say which column holds values that cannot be categories."""
    try:
        yield
    except TypeError as error:
        raise ValueError(
            f"Column {name!r} of X holds values that cannot be categories ({error}). Categories "
            "are strings, numbers or booleans."
        ) from error


def _codes(column, name, categories):
    """Return the positions of a column's cells among its categories."""
    cells = _cells(column)
    with _hashing(name):
        codes = categories.codes(cells)
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        cell = cells[unknown[0]]
        problem = "a missing value" if cell is None else f"the unknown category {cell!r}"
        known = [value for value in categories.values if value is not None]
        raise ValueError(
            f"Column {name!r} of X holds {problem} (row {unknown[0]}), which was absent when the "
            f"estimator was fitted; the known categories are {listed(known)}. "
            f"{_FILL if cell is None else _DECLARE}"
        )
    return codes


def _numbers(column, name):
    """Return the cells of a numeric column as float64."""
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
