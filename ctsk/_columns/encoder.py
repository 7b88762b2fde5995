"""Between X in the user's units and the rows that the module sees."""

from functools import cached_property

import numpy as np
from sklearn.preprocessing import StandardScaler

from ctsk._columns.constraints import Box, Constraints
from ctsk._columns.one_hot import OneHotGroups


class Encoder:
    """The map between X and module rows: standardise, one-hot, and back.

    Rows have three forms. *Values* are what `Schema.read` makes of X: one column
    per feature, a category as a position. *Columns* are in X's units, too, but
    have one column for each category, behind all numeric ones. *Module rows* are
    columns whose numeric part is standardised.

    Parameters
    ----------
    schema : Schema
        Names and kinds of X's columns.
    center, scale : ndarray of shape (n_columns,)
        ``module units = (columns - center) / scale``; 0 and 1 for one-hot columns.
    domain : tuple of two ndarrays of shape (n_columns,)
        Lower and upper bounds of the inferred domain, in X's units; for a one-hot
        column 0, and whether the category may be reached.
    observed : tuple of two ndarrays of shape (n_numeric,)
        Least and greatest number in training rows, in X's units.
    """

    def __init__(self, schema, *, center, scale, domain, observed):
        self.schema = schema
        self.center = center
        self.scale = scale
        self.domain = domain
        self.observed = observed
        is_category = np.isin(np.arange(len(schema.names)), list(schema.categories))
        self.numeric, self.categorical = np.flatnonzero(~is_category), np.flatnonzero(is_category)
        known = [schema.categories[feature] for feature in self.categorical]
        self.groups = OneHotGroups(
            n_numeric=len(self.numeric),
            sizes=tuple(len(categories) for categories in known),
            missing=tuple(categories.has_missing for categories in known),
        )

    @classmethod
    def fit(cls, values, schema, *, standardize):
        r"""Learn centre, scale and domain from training rows.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_features)
        schema : Schema
        standardize : bool
            False keeps X's own units. A constant column has scale 1. Categories
            are never standardised.

        Returns
        -------
        encoder : Encoder

        Notes
        -----
        The inferred domain of a numeric feature is
        :math:`[\min(\mu - 3\sigma, \min x), \max(\mu + 3\sigma, \max x)]`, but ends at
        zero where no training row lies beyond: there are no negative ages and debts.
        That of a category is all that training rows hold, without the missing one.
        """
        is_numeric = ~np.isin(np.arange(values.shape[1]), list(schema.categories))
        center, scale, low, high, observed = _statistics(values[:, is_numeric])
        if not standardize:
            center, scale = np.zeros_like(center), np.ones_like(scale)
        reachable = [schema.categories[f].reachable for f in np.flatnonzero(~is_numeric)]
        reachable = np.concatenate([np.empty(0), *reachable])
        zeros, ones = np.zeros_like(reachable), np.ones_like(reachable)
        return cls(
            schema,
            center=np.append(center, zeros),
            scale=np.append(scale, ones),
            domain=(np.append(low, zeros), np.append(high, reachable)),
            observed=observed,
        )

    @property
    def names(self):
        """Names of the features."""
        return self.schema.names

    @property
    def column_weights(self):
        """Weights that let a change of any feature by one module unit, or category, count 1.

        1 for numbers and 1/2 for one-hot columns, of which a change moves two;
        ndarray of shape (n_columns,).
        """
        weights = np.ones(self.groups.n_columns)
        weights[self.groups.n_numeric :] = 0.5
        return weights

    @cached_property
    def feature_slices(self):
        """Columns that code each feature, as slices in the order of X's features."""
        slices = dict(zip(self.categorical.tolist(), self.groups.slices, strict=True))
        for column, feature in enumerate(self.numeric.tolist()):
            slices[feature] = slice(column, column + 1)
        return [slices[feature] for feature in range(len(self.names))]

    def expand(self, values):
        """Map values to columns: categories become one-hot."""
        if not len(self.groups):
            return values
        columns = np.zeros((len(values), self.groups.n_columns))
        columns[:, : len(self.numeric)] = values[:, self.numeric]
        codes = values[:, self.categorical].astype(np.intp)
        starts = np.array([group.start for group in self.groups.slices])
        np.put_along_axis(columns, codes + starts, 1.0, axis=1)
        return columns

    def collapse(self, columns):
        """Map columns to values: of each one-hot group the largest is the category."""
        if not len(self.groups):
            return columns
        values = np.empty((len(columns), len(self.names)))
        values[:, self.numeric] = columns[:, : len(self.numeric)]
        for feature, group in zip(self.categorical, self.groups.slices, strict=True):
            values[:, feature] = columns[:, group].argmax(axis=1)
        return values

    def encode(self, X):
        """Map X, in the user's units, to module rows."""
        return self.encode_values(self.schema.read(X))

    def encode_values(self, values):
        """Map values to module rows."""
        return self.to_module_units(self.expand(values))

    def to_module_units(self, columns):
        """Map columns, or bounds of columns, to module units."""
        return (columns - self.center) / self.scale

    def to_x_units(self, rows):
        """Map module rows to columns."""
        return np.asarray(rows, dtype=np.float64) * self.scale + self.center

    def encode_constraints(self, constraints):
        """Map constraints in X's units to module units."""
        return Constraints(
            low=self.to_module_units(constraints.low),
            high=self.to_module_units(constraints.high),
            may_rise=constraints.may_rise,
            may_fall=constraints.may_fall,
            groups=self.groups,
        )

    def encode_box(self, box):
        """Map bounds in X's units to module units."""
        ends = self.to_module_units(box.lower), self.to_module_units(box.upper)
        return Box(np.minimum(*ends), np.maximum(*ends), box.groups)

    def encode_costs(self, feature_costs):
        """Map costs of features, per unit of X or per change, to costs of module columns.

        A change of category moves two one-hot columns by one, so each costs half.
        """
        return self.per_column(feature_costs) * np.abs(self.scale) * self.column_weights

    def per_column(self, by_feature):
        """Repeat what holds for features, along the last axis, for each of their columns."""
        words = np.repeat(by_feature[..., self.categorical], self.groups.sizes, axis=-1)
        return np.concatenate([by_feature[..., self.numeric], words], axis=-1)

    def relative_costs(self, feature_costs, constraints):
        """Map costs of features to costs of module columns, whose mean over features is 1.

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
            They have one row for each row of the constraints, if these differ between rows.
        """
        costs = self.encode_costs(feature_costs)
        by_feature = np.array(feature_costs, dtype=np.float64)
        by_feature[self.numeric] = costs[: len(self.numeric)]
        may_move = constraints.may_rise | constraints.may_fall
        movable = np.stack([may_move[..., part].any(axis=-1) for part in self.feature_slices], -1)
        total = (by_feature * movable).sum(axis=-1, keepdims=True)
        n_movable = movable.sum(axis=-1, keepdims=True)
        # Costs that are all 0 have no ratios and are left as they are.
        return costs * np.divide(n_movable, total, out=np.ones_like(total), where=total > 0)

    def decode(self, rows, factual_rows, values, box, dtypes):
        """Map found rows to the values that the user is handed.

        A value that did not move is the factual's own; one that did is clamped
        to the box in X's units and brought to its column's dtype without
        leaving the box: integers are rounded, inwards at a bound.

        Parameters
        ----------
        rows, factual_rows : ndarray of shape (n_rows, n_columns)
            What was found and what it was found for, in module units.
        values : ndarray of shape (n_rows, n_features)
            The factuals.
        box : Box
            In X's units; see `Constraints.box`.
        dtypes : list of numpy.dtype or None
            Of X's columns; see `Schema.dtypes`. None rounds nothing.

        Returns
        -------
        handed : ndarray of shape (n_rows, n_features)
            Values, each representable in its column's dtype.
        """
        columns = self.expand(values)
        found = self.to_x_units(rows)
        moved = (rows != factual_rows) & np.isfinite(found)
        found = np.where(moved, found, columns)
        handed = self.collapse(np.clip(found, box.lower, box.upper))
        if dtypes is None:
            return handed
        for column, feature in enumerate(self.numeric):
            dtype, integral = dtypes[feature], self.schema.integral[feature]
            if dtype != np.float64 or integral:
                bounds = box.lower[:, column], box.upper[:, column]
                rounded = _representable(handed[:, feature], *bounds, dtype, integral)
                handed[:, feature] = np.where(moved[:, column], rounded, values[:, feature])
        return handed


def _statistics(X):
    """Centre, scale, inferred domain and range of numeric columns."""
    if not X.shape[1]:
        return (*(np.empty(0),) * 4, (np.empty(0),) * 2)
    scaler = StandardScaler().fit(X)
    spread = 3 * np.sqrt(scaler.var_)
    observed = X.min(axis=0), X.max(axis=0)
    domain = inferred_domain(scaler.mean_ - spread, scaler.mean_ + spread, *observed)
    return scaler.mean_, scaler.scale_, *domain, observed


def inferred_domain(low, high, least, most):
    """Widen bounds to what was observed, and end them at zero where none lies beyond."""
    floor, ceiling = np.where(least >= 0, 0, -np.inf), np.where(most <= 0, 0, np.inf)
    return np.minimum(least, np.maximum(floor, low)), np.maximum(most, np.minimum(ceiling, high))


def _representable(values, lower, upper, dtype, integral):
    """Round `values` to numbers that `dtype` holds and that lie within the bounds."""
    if integral or dtype.kind in "biu":
        least, most = _range(dtype)
        first, last = np.ceil(np.maximum(lower, least)), np.floor(np.minimum(upper, most))
        # Between the bounds of a fractional factual there may be no integer at all.
        values = np.where(first <= last, np.clip(np.rint(values), first, last), values)
    if dtype.kind != "f":
        return values
    rounded = np.clip(values, *_range(dtype)).astype(dtype)
    inwards = np.where(rounded > upper, -np.inf, np.inf).astype(dtype)
    outside = (rounded > upper) | (rounded < lower)
    with np.errstate(over="ignore"):
        return np.where(outside, np.nextafter(rounded, inwards), rounded)


def _range(dtype):
    if dtype.kind == "b":
        return 0, 1
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return info.min, info.max
