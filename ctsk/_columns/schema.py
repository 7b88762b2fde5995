"""Kinds of the columns of X, which is read as numbers and written in the user's values."""

from dataclasses import dataclass, field, replace

import numpy as np

from ctsk._columns.categories import (
    codes_of,
    fit_categories,
    refuse_unknown,
    with_categories,
)
from ctsk._columns.containers import (
    check_columns,
    columns_of,
    dtypes_of,
    is_frame,
    listed,
)
from ctsk._columns.dtypes import (
    check_kind,
    is_text,
    like_dtype,
    numbers_of,
    numpy_dtype,
    smallest_dtype,
)
from ctsk._columns.user_warnings import warn_user
from ctsk.exceptions import UnknownValueWarning

# Maximum number of features in one warning.
_MAX_LISTED = 10


@dataclass(frozen=True, eq=False)
class Schema:
    """Names and kinds of X's columns.

    Rows are read as a matrix of float64 with one column per feature: a number in the
    user's units, NaN where it is missing, or the position of a category among the known
    ones, -1 where it is unknown.

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
        Whether X was a DataFrame, so that the user knows the columns by `names`.
    special_values : dict of int to tuple of float, default={}
        Codes among the numbers of a feature, such as -9, which are not amounts.
    states : dict of int to tuple of float, default={}
        What the training rows held in place of amounts, by numeric feature: special
        values, and NaN, which comes last, for missing numbers. Features without any are
        not listed.
    dummies : tuple of tuple of int, default=()
        Features that are the one-hot columns of a category, group by group.
    handle_unknown : {"missing", "error"}, default="missing"
        Whether to accept unknown categories.
    imputed : set of int, default=frozenset()
        Features whose gaps and special values a step of a pipeline replaces by a number, so
        that they are no reason to warn.
    """

    names: list
    categories: dict
    integral: np.ndarray
    unread: set = frozenset()
    is_named: bool = True
    special_values: dict = field(default_factory=dict)
    states: dict = field(default_factory=dict)
    dummies: tuple = ()
    handle_unknown: str = "missing"
    imputed: set = frozenset()

    @classmethod
    def fit(cls, X, names, categorical, **settings):
        """Learn the kinds of X's columns.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_rows, n_features)
            An ndarray is numeric.
        names : list
            Names of the features.
        categorical : bool ndarray of shape (n_features,)
            Which columns hold categories.
        **settings : dict
            The fields `special_values`, `dummies` and `handle_unknown`.

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
        grouped = {feature for group in settings.get("dummies", ()) for feature in group}
        # A sparse column or a date is an error even among the categorical features; text is
        # one only elsewhere.
        for position, (name, column) in enumerate(zip(names, columns, strict=True)):
            check_kind(name, column)
            if categorical[position]:
                categories[position] = fit_categories(name, column)
            elif column.dtype.kind not in "biuf" and position in grouped:
                raise ValueError(
                    f"column {name!r} of one_hot_groups has dtype {column.dtype}; convert it by "
                    ".astype(int)."
                )
            elif column.dtype.kind not in "biuf":
                raise ValueError(
                    f"Column {name!r} of X has dtype {column.dtype}, but is not among "
                    "categorical_features; list it there if it holds categories, or convert it by "
                    "pandas.to_numeric."
                )
        # Categories may be integers, but their values are positions, which are never rounded.
        return cls(names, categories, integral & ~categorical, is_named=is_frame(X), **settings)

    def with_states(self, values):
        """Return the schema with the states that training rows hold in place of amounts."""
        states = {}
        for feature in self.numeric:
            numbers = values[:, feature]
            special = [v for v in self.special_values.get(feature, ()) if (numbers == v).any()]
            missing = [np.nan] * bool(np.isnan(numbers).any())
            if special or missing:
                states[feature] = (*special, *missing)
        return replace(self, states=states)

    @property
    def numeric(self):
        """Features that are neither categories nor one-hot columns of one, as a list."""
        dummies = {feature for group in self.dummies for feature in group}
        others = dummies | set(self.categories)
        return [feature for feature in range(len(self.names)) if feature not in others]

    @property
    def units(self):
        """The unit in which each feature changes; int ndarray of shape (n_features,).

        The dummies of a group are one unit, named by the first of them, because a change of
        one of them alone would leave the group with two ones or none.
        """
        units = np.arange(len(self.names))
        for group in self.dummies:
            units[list(group)] = group[0]
        return units

    def is_state(self, values):
        """Return which values are missing or special; bool ndarray of the shape of `values`."""
        is_state = np.isnan(values)
        for feature, special in self.special_values.items():
            is_state[:, feature] |= np.isin(values[:, feature], special)
        return is_state

    def read(self, X, *, warn=True):
        """Read rows as numbers.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Rows with the columns of the fit.
        warn : bool, default=True
            Whether to warn of categories and gaps that the training rows did not have.

        Returns
        -------
        values : ndarray of shape (n_rows, n_features)
            float64.

        Raises
        ------
        ValueError
            If a cell of a numeric column is not a number, or a category is unknown and
            `handle_unknown` is "error".
        """
        if not (self.categories or self.unread or is_frame(X)):
            values, unknown = np.ascontiguousarray(X, dtype=np.float64), {}
        else:
            values, unknown = self._read_columns(X)
        values = self._with_exact_special_values(values, X)
        self._check_dummies(values)
        if warn:
            self._warn_of_unknown(values, unknown)
        return values

    def _with_exact_special_values(self, values, X):
        """Return values in which special ones of few digits, such as float32(999.9), are exact."""
        if not self.special_values:
            return values
        dtypes = self.dtypes(X)
        short = [f for f in self.special_values if dtypes[f] in (np.float16, np.float32)]
        # A copy, because the values may be the user's own array.
        values = values.copy() if short else values
        for feature in short:
            for value in self.special_values[feature]:
                is_value = values[:, feature] == float(dtypes[feature].type(value))
                values[is_value, feature] = value
        return values

    def _check_dummies(self, values):
        """Raise a ValueError unless each declared one-hot group holds one 1 and zeros."""
        for group in self.dummies:
            part = values[:, group]
            is_invalid = (part.sum(axis=1) != 1) | ((part != 0) & (part != 1)).any(axis=1)
            if is_invalid.any():
                row = np.flatnonzero(is_invalid)[0]
                raise ValueError(
                    f"Row {row} of X ({is_invalid.sum()} in all) does not hold exactly one 1 and "
                    f"zeros in the one-hot group {listed([self.names[f] for f in group])}. A "
                    "group must have a column for every category, also for a missing one and for "
                    "one that was dropped by drop_first."
                )

    def _read_columns(self, X):
        """Return X as numbers, and a dict of unknown categories by name of the feature."""
        columns = columns_of(X)
        values, unknown = np.empty((len(X), len(columns))), {}
        for position, (name, column) in enumerate(zip(self.names, columns, strict=True)):
            categories = self.categories.get(position)
            if position in self.unread:
                values[:, position] = 0.0
            elif categories is None:
                values[:, position] = numbers_of(column, name)
            else:
                values[:, position], cells = codes_of(column, name, categories)
                if cells and self.handle_unknown == "error":
                    refuse_unknown(name, cells, categories)
                if cells:
                    unknown[name] = cells
        return values, unknown

    def _warn_of_unknown(self, values, unknown):
        """Warn, once for all features, of categories and gaps that training did not have."""
        problems = [f"{name!r} holds {listed(list(cells))}" for name, cells in unknown.items()]
        for feature in np.flatnonzero(self.is_state(values).any(axis=0)):
            if feature in self.imputed:
                continue
            numbers, known = values[:, feature], self.states.get(feature, ())
            cells = [
                cell
                for cell in self.special_values.get(feature, ())
                if cell not in known and (numbers == cell).any()
            ]
            # NaN is not equal to itself, but it is the last of the known states.
            if np.isnan(numbers).any() and not np.isnan(known[-1:]).any():
                cells.append(np.nan)
            if cells:
                problems.append(f"{self.names[feature]!r} holds {listed(cells)}")
        rules = []
        if unknown:
            rules.append(
                "An unknown category is treated as a missing one if training had any, and "
                "otherwise as the average category; handle_unknown='error' rejects it."
            )
        if len(problems) > len(unknown):
            rules.append("A missing or special number is treated as the average number.")
        if problems:
            warn_user(
                "X holds values that were absent when the estimator was fitted: "
                f"{'; '.join(problems[:_MAX_LISTED])}. {' '.join(rules)}",
                UnknownValueWarning,
            )

    def dtypes(self, X):
        """Return the NumPy dtype of each of X's columns; float64 for non-numeric ones."""
        dtypes = [numpy_dtype(dtype) for dtype in dtypes_of(X)]
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
            The values that `read` is to return for the copy.

        Returns
        -------
        copy : DataFrame or ndarray of shape (n_rows, n_features)
        """
        # Values are compared as `read` returned them. Float64 may hold a cell inexactly, as
        # an integer beyond 2**53; cells that did not move are therefore never written.
        moved = differ(before, after)
        copy = X.copy() if is_frame(X) else np.array(X, dtype=self.dtypes(X)[0])
        for position in np.flatnonzero(moved.any(axis=0)):
            idx = np.flatnonzero(moved[:, position])
            cells = self.cells(position, after[idx, position])
            if is_frame(X):
                # A whole column is replaced, because its dtype may have to change; by position,
                # because names of columns may be of any type.
                column = X.iloc[:, position].copy()
                copy.isetitem(position, self._written(column, position, idx, cells))
                continue
            # All columns of an array share one dtype, so that one new category may widen it.
            exact = self._holding(cells, copy.dtype, position)
            if exact != copy.dtype:
                copy = copy.astype(np.result_type(copy, exact))
            copy[idx, position] = cells
        return copy

    def _written(self, column, position, idx, cells):
        """Return a Series with new cells, in its dtype if that can hold them."""
        # Four kinds of columns: of numbers, of categories, of numbers that came as another
        # dtype than in training, and of Python numbers in a column of objects.
        dtype = numpy_dtype(column.dtype)
        if dtype.kind in "biuf":
            exact = self._holding(cells, dtype, position)
            column = column if exact == dtype else column.astype(like_dtype(column.dtype, exact))
            cells = cells.astype(exact)
        elif position in self.categories:
            if hasattr(column.dtype, "categories"):
                column = with_categories(column, self.categories[position], cells)
        elif column.dtype != object or column.map(is_text).any():
            # The numbers came as categories or text. New numbers beside the text of unchanged
            # rows would mix types, so that the whole column becomes numeric.
            column = column.astype(np.float64)
        elif self.integral[position]:
            cells = cells.astype(np.int64).astype(object)
        # Assigned by position, because labels of the index may be duplicated.
        try:
            column.iloc[idx] = cells
            holds_cells = position not in self.categories or column.iloc[idx].tolist() == [*cells]
        except (TypeError, ValueError):
            holds_cells = False
        if not holds_cells:
            # A dtype of text holds no flags, and one of bytes silently encodes text.
            column = column.astype(object)
            column.iloc[idx] = cells
        return column

    def _holding(self, cells, dtype, position):
        """Return `dtype` if it can hold the cells of a feature, and otherwise one that can."""
        # Numbers in a column of floats are rounded to its precision by the column itself.
        is_number = position not in self.categories
        return dtype if is_number and dtype.kind == "f" else smallest_dtype(cells, dtype)

    def cells(self, position, values):
        """Return values of one feature as the user writes them."""
        if position not in self.categories:
            return values
        # Filled by assignment: np.array would turn categories that are tuples into an array of
        # two dimensions.
        categories = np.empty(len(self.categories[position]), dtype=object)
        categories[:] = self.categories[position].values
        return categories[values.astype(np.intp)]


def differ(values, others):
    """Return where values differ, elementwise; missing numbers are equal."""
    return (values != others) & ~(np.isnan(values) & np.isnan(others))
