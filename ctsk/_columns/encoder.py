"""The map between X in the user's units and the rows that the module sees."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from ctsk._columns.containers import as_table, densified
from ctsk._columns.curves import Line
from ctsk._columns.one_hot import OneHotGroups
from ctsk._columns.quantiles import quantile_curves
from ctsk._columns.rounding import grid_of
from ctsk._columns.training_statistics import (
    category_shares,
    grids_of_numbers,
    number_statistics,
    on_grid,
    reachable_columns,
)

# Step of a grid that is as good as none, in module units.
_FINE = 1e-3


class Encoder:
    """The map between X and module rows: standardization, one-hot coding, and back.

    Rows take three forms. *Values* are what `Schema.read` returns: one column per
    feature, with a category as a position. *Columns* are in X's units, too, but have one
    column per category, after all numeric columns. *Encoded* rows, which the module
    sees, are columns whose numeric part is standardized.

    One-hot columns code, in this order, the categorical features; the states of numeric
    features, which are "a number", each special value, and a missing number; and the
    features that are one-hot columns themselves. The numeric column of a number that is
    missing or special holds the mean, `fill`.

    Parameters
    ----------
    schema : Schema
        Names and kinds of X's columns.
    center, scale : ndarray of shape (n_columns,)
        Offset and scale of ``encoded = (columns - center) / scale``; 0 and 1 for one-hot
        columns.
    domain : tuple of two ndarrays of shape (n_columns,)
        Lower and upper bounds of the inferred domain, in X's units. For a one-hot column
        they are 0, and 1 if the category may be reached.
    observed : tuple of two ndarrays of shape (n_numeric,)
        Minimum and maximum of each numeric feature in the training rows, in X's units; NaN
        for a feature without any number.
    fill : ndarray of shape (n_columns,)
        The number that stands for a missing or special one, in X's units; 0 for one-hot
        columns.
    shares : ndarray of shape (n_columns,)
        The share of training rows of each category, which together stand for an unknown
        one; 0 for numeric columns.
    grids : dict of int to Grid
        The numbers that a numeric feature can hold. Features without a grid are not listed.
    inner_ends : tuple of two ndarrays of shape (n_numeric,), or None, default=None
        The range of each numeric feature without its minimum and its maximum: one of these
        may be the constant that a step of a pipeline puts in the place of gaps.
    curves : dict of int to tuple, default=None
        Stages, each a `Line` or a `Curve`, that numbers pass before they are scaled, by numeric
        column.
    """

    def __init__(
        self,
        schema,
        *,
        center,
        scale,
        domain,
        observed,
        fill,
        shares,
        grids,
        inner_ends=None,
        curves=None,
    ):
        self.schema = schema
        self.center = center
        self.scale = scale
        self.domain = domain
        self.observed = observed
        self.fill = fill
        self.shares = shares
        self.grids = grids
        self.inner_ends = inner_ends
        self.curves = curves or {}
        self.numeric = np.array(schema.numeric, dtype=np.intp)
        self.categorical = np.array(sorted(schema.categories), dtype=np.intp)
        self.groups = OneHotGroups.of(schema)

    @classmethod
    def fit(cls, rows, *, standardize, steps=None, weights=None):
        """Learn center, scale, domain and grids from training rows.

        Parameters
        ----------
        rows : Rows
        standardize : bool or "quantile"
            Whether to standardize numeric features; False keeps X's units. A constant
            column has scale 1. Categories are never standardized. "quantile" maps numbers to
            normal quantiles; see `quantile_curves`.
        steps : dict of int to float or None, default=None
            Steps of the grids of numeric features by position; None for features without a
            grid, unless their dtype is one of integers. The grids of features that are not
            listed are inferred.
        weights : ndarray of shape (n_rows,) or None, default=None
            Weights of the rows in means, scales and shares.

        Returns
        -------
        encoder : Encoder

        Notes
        -----
        The inferred domain of a numeric feature is the range of the training rows. That of a
        categorical feature is the set of observed categories, without the missing one.
        Missing and special numbers influence neither these nor center and scale.
        """
        values, schema = rows.values, rows.schema
        numbers = np.where(schema.is_state(values), np.nan, values)[:, schema.numeric]
        mean, scale, low, high, *inner_ends = number_statistics(numbers, weights)
        shares = category_shares(schema, values, weights)
        # Center 0 and scale 1 leave one-hot columns as they are in the common formula.
        zeros, ones = np.zeros_like(shares), np.ones_like(shares)
        center = mean if standardize else np.zeros_like(mean)
        scale = scale if standardize else np.ones_like(scale)
        curves = {}
        if standardize == "quantile":
            curves = quantile_curves(numbers, weights, center, scale)
        grids = grids_of_numbers(schema, numbers, rows.dtypes, steps or {})
        # A feature without any number has an empty domain, into which no number can move.
        is_empty = np.isnan(low)
        bounds = (
            np.where(is_empty, np.inf, on_grid(low, schema.numeric, grids)),
            np.where(is_empty, -np.inf, on_grid(high, schema.numeric, grids)),
        )
        # What no training row holds cannot be reached: a dummy or a number that never occurs.
        reachable = reachable_columns(schema) * (shares > 0)
        domain = [
            np.append(end, part) for end, part in zip(bounds, (zeros, reachable), strict=True)
        ]
        return cls(
            schema,
            center=np.append(center, zeros),
            scale=np.append(scale, ones),
            domain=tuple(domain),
            observed=(low, high),
            inner_ends=tuple(inner_ends),
            fill=np.append(mean, zeros),
            shares=np.append(np.zeros_like(mean), shares),
            grids=grids,
            curves=curves,
        )

    @property
    def names(self):
        """Names of the features."""
        return self.schema.names

    @property
    def column_weights(self):
        """Weights for which a change by one module unit, or of a category, counts 1.

        They are 1 for numbers and 1/2 for one-hot columns, because a change of category
        moves two of these; ndarray of shape (n_columns,).
        """
        return self.groups.column_weights

    @cached_property
    def feature_of_column(self):
        """The feature that each column belongs to; int ndarray of shape (n_columns,)."""
        coded = [*self.categorical.tolist(), *sorted(self.schema.states)]
        sizes = self.groups.sizes[: len(coded)]
        dummies = [feature for group in self.schema.dummies for feature in group]
        features = [self.numeric, np.repeat(np.array(coded, dtype=np.intp), sizes), dummies]
        return np.concatenate(features).astype(np.intp)

    @cached_property
    def feature_columns(self):
        """Columns of each feature, as a list of int ndarrays in the order of X's features.

        The numeric column of a number comes before those of its states.
        """
        return np.split(*self._columns_by_feature)

    @cached_property
    def _columns_by_feature(self):
        """Columns in the order of their features, and where all features but the first begin."""
        order = np.argsort(self.feature_of_column, kind="stable")
        counts = np.bincount(self.feature_of_column, minlength=len(self.names))
        return order, np.cumsum(counts)[:-1]

    def largest_by_feature(self, per_column):
        """Return the largest entry of the columns of each feature, along the last axis."""
        order, starts = self._columns_by_feature
        return np.maximum.reduceat(per_column[..., order], [0, *starts], axis=-1)

    @cached_property
    def _groups_by_kind(self):
        """Slices of categories, of states and of dummies, each paired with its features."""
        schema, slices = self.schema, iter(self.groups.slices)
        kinds = self.categorical.tolist(), sorted(schema.states), schema.dummies
        return [[(features, next(slices)) for features in kind] for kind in kinds]

    @cached_property
    def _first_columns(self):
        """The first one-hot column of each category."""
        return np.array([group.start for _, group in self._groups_by_kind[0]], dtype=np.intp)

    def expand(self, values):
        """Map values to columns: categories become one-hot, missing numbers their fill."""
        numbers = values if not len(self.groups) else values[:, self.numeric]
        is_state = self.schema.is_state(values)[:, self.numeric]
        if is_state.any():
            numbers = np.where(is_state, self.fill[: len(self.numeric)], numbers)
        if not len(self.groups):
            return numbers
        columns = np.zeros((len(values), self.groups.n_columns))
        columns[:, : len(self.numeric)] = numbers
        rows = np.arange(len(values))
        _, states, dummies = self._groups_by_kind
        if len(self.categorical):
            # All features at once: their number, rather than that of the rows, would take the time.
            codes = values[:, self.categorical].astype(np.intp)
            columns[rows[:, None], self._first_columns + np.maximum(codes, 0)] = 1.0
            if codes.min(initial=0) < 0:
                self._enter_shares(columns, codes)
        for feature, group in states:
            columns[rows, group.start + self._state_codes(values, feature)] = 1.0
        for features, group in dummies:
            columns[:, group] = values[:, features]
        return columns

    def _enter_shares(self, columns, codes):
        """Enter, in place, the shares of the categories for those that are unknown."""
        for column, (_, group) in enumerate(self._groups_by_kind[0]):
            columns[codes[:, column] < 0, group] = self.shares[group]

    def _state_codes(self, values, feature):
        """Return 0 for each number of a feature, and the position of its state plus 1."""
        numbers, codes = values[:, feature], np.zeros(len(values), dtype=np.intp)
        # A special value or gap that the training rows did not have counts as a number.
        for code, state in enumerate(self.schema.states[feature], start=1):
            codes[np.isnan(numbers) if np.isnan(state) else numbers == state] = code
        return codes

    def collapse(self, columns):
        """Map columns to values: the largest column of each one-hot group is the category."""
        if not len(self.groups):
            return columns
        values = np.empty((len(columns), len(self.names)))
        values[:, self.numeric] = columns[:, : len(self.numeric)]
        categories, states, dummies = self._groups_by_kind
        for feature, group in categories:
            values[:, feature] = columns[:, group].argmax(axis=1)
        for feature, group in states:
            codes = columns[:, group].argmax(axis=1)
            # The first entry, for a number, is never used.
            by_code = np.array([np.nan, *self.schema.states[feature]])
            values[:, feature] = np.where(codes > 0, by_code[codes], values[:, feature])
        for features, group in dummies:
            codes = columns[:, group].argmax(axis=1)
            values[:, features] = codes[:, None] == np.arange(len(features))
        return values

    def encode(self, X):
        """Map X, in the user's units, to module rows; ndarray of shape (n_rows, n_columns)."""
        return self.encode_values(self.schema.read(densified(as_table(X, self.schema.names))))

    def encode_values(self, values):
        """Map values to module rows."""
        return self.to_module_units(self.expand(values))

    def stages(self, column):
        """Return the stages through which a numeric column passes to module units."""
        return *self.curves.get(column, ()), Line(self.center[column], self.scale[column])

    def column_to_module_units(self, numbers, column):
        """Map numbers of one numeric column from X's units to module units."""
        for stage in self.stages(column):
            numbers = stage.forward(numbers)
        return numbers

    def to_module_units(self, columns):
        """Map columns, or bounds of columns, from X's units to module units."""
        if self.curves:
            columns = np.array(columns, dtype=np.float64)
        # A bound outside the table of a curve maps to its end, beyond which no search goes.
        for column, stages in self.curves.items():
            for stage in stages:
                columns[..., column] = stage.forward(columns[..., column])
        return (columns - self.center) / self.scale

    def to_x_units(self, encoded):
        """Map module rows to columns in X's units."""
        # In float32, the precision of a search, the digits of large centers would be lost.
        columns = np.asarray(encoded, dtype=np.float64) * self.scale + self.center
        for column, stages in self.curves.items():
            for stage in reversed(stages):
                columns[..., column] = stage.inverse(columns[..., column])
        return columns

    def encode_constraints(self, constraints):
        """Map constraints in X's units to module units."""
        return replace(
            constraints,
            low=self.to_module_units(constraints.low),
            high=self.to_module_units(constraints.high),
            fill=self.to_module_units(self.fill),
        )

    def encode_box(self, box):
        """Map bounds in X's units to module units."""
        # A step of a pipeline may have a negative scale, which swaps the bounds.
        bounds = {}
        for pair in (("lower", "upper"), ("low", "high")):
            if getattr(box, pair[0]) is not None:
                ends = [self.to_module_units(getattr(box, name)) for name in pair]
                bounds[pair[0]], bounds[pair[1]] = np.minimum(*ends), np.maximum(*ends)
        return replace(box, **bounds, fill=self.to_module_units(self.fill))

    def encode_grids(self, dtypes, *, finest=_FINE):
        """Return a number of the grid of each column, and its spacing, in module units.

        Parameters
        ----------
        dtypes : sequence of dtype
            The dtype of each feature, of which integers are a grid.
        finest : float, default=1e-3
            The spacing, in module units, up to which a grid is as good as none.

        Returns
        -------
        origin, spacing : ndarray of shape (n_columns,)
            The spacing is 0 for columns without a grid, for a grid that is as good as none, and
            for columns behind a curve, on which a grid is uneven.
        """
        origin, spacing = np.zeros(self.groups.n_columns), np.zeros(self.groups.n_columns)
        for column, feature in enumerate(self.numeric.tolist()):
            grid = grid_of(dtypes[feature], self.grids.get(feature))
            is_uneven = column in self.curves
            if grid and not is_uneven and grid.spacing > finest * abs(self.scale[column]):
                origin[column] = grid.values[0] if grid.values else 0.0
                spacing[column] = grid.spacing
        # Columns without a grid have no origin either, whatever number this makes of zero.
        return self.to_module_units(origin), spacing / np.abs(self.scale)

    def encode_costs(self, feature_costs):
        """Map costs of features, per unit of X or per change, to costs of module columns."""
        # To leave a state, or to reach one, costs as much as one module unit of the number.
        costs = np.array(feature_costs, dtype=np.float64)
        costs[self.numeric] *= np.abs(self.scale[: len(self.numeric)])
        return self.per_column(costs) * self.column_weights

    def per_column(self, per_feature):
        """Repeat the entry of each feature, along the last axis, for each of its columns."""
        return per_feature[..., self.feature_of_column]

    def relative_costs(self, feature_costs, constraints):
        """Map costs of features to costs of module columns with a mean of 1 over features.

        Only the ratios of costs matter to a search, not their currency. The mean is taken
        over the features that may move, because the cost of an immutable feature must not
        influence the search.

        Parameters
        ----------
        feature_costs : ndarray of shape (n_features,)
        constraints : Constraints

        Returns
        -------
        costs : ndarray of shape (n_columns,) or (n_rows, n_columns)
            Two dimensions if the constraints differ between rows.
        """
        costs = self.encode_costs(feature_costs)
        # A feature counts once in the mean, however many columns code it. A change of category
        # costs what the user says: its two columns count 1/2 each.
        by_feature = np.array(feature_costs, dtype=np.float64)
        by_feature[self.numeric] = costs[: len(self.numeric)]
        may_move = constraints.may_rise | constraints.may_fall
        # The first column of a feature is enough: its mutability is that of all of them.
        first = np.array([columns[0] for columns in self.feature_columns])
        movable = may_move[..., first]
        total = (by_feature * movable).sum(axis=-1, keepdims=True)
        n_movable = movable.sum(axis=-1, keepdims=True)
        # Costs that are all 0 have no ratios and are left as they are.
        return costs * np.divide(n_movable, total, out=np.ones_like(total), where=total > 0)

    def in_state(self, columns):
        """Return which features are in a state other than a number, by their one-hot columns."""
        in_state = np.zeros((len(columns), len(self.names)), dtype=bool)
        for feature, group in self._groups_by_kind[1]:
            in_state[:, feature] = columns[:, group].argmax(axis=1) > 0
        return in_state
