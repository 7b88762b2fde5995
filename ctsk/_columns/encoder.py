"""The map between X in the user's units and the rows that the module sees."""

from functools import cached_property

import numpy as np
from sklearn.preprocessing import StandardScaler

from ctsk._columns.constraints import Box, Constraints
from ctsk._columns.containers import as_table, densified
from ctsk._columns.one_hot import OneHotGroups

# Half the width of an inferred domain, in standard deviations: it covers 99.7% of a normal
# distribution, so that it rarely binds except against implausible values.
_N_DEVIATIONS = 3


class Encoder:
    """The map between X and module rows: standardization, one-hot coding, and back.

    Rows take three forms. *Values* are what `Schema.read` returns: one column per
    feature, with a category as a position. *Columns* are in X's units, too, but have one
    column per category, after all numeric columns. *Encoded* rows, which the module
    sees, are columns whose numeric part is standardized.

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
        Minimum and maximum of each numeric feature in the training rows, in X's units.
    """

    def __init__(self, schema, *, center, scale, domain, observed):
        self.schema = schema
        self.center = center
        self.scale = scale
        self.domain = domain
        self.observed = observed
        is_categorical = np.isin(np.arange(len(schema.names)), list(schema.categories))
        self.numeric = np.flatnonzero(~is_categorical)
        self.categorical = np.flatnonzero(is_categorical)
        categories = [schema.categories[feature] for feature in self.categorical]
        self.groups = OneHotGroups(
            n_numeric=len(self.numeric),
            sizes=tuple(len(group) for group in categories),
            missing=tuple(group.has_missing for group in categories),
        )

    @classmethod
    def fit(cls, rows, *, standardize):
        r"""Learn center, scale and domain from training rows.

        Parameters
        ----------
        rows : Rows
        standardize : bool
            Whether to standardize numeric features; False keeps X's units. A constant
            column has scale 1. Categories are never standardized.

        Returns
        -------
        encoder : Encoder

        Notes
        -----
        The inferred domain of a numeric feature is
        :math:`[\min(\mu - 3\sigma, \min x), \max(\mu + 3\sigma, \max x)]`, cut at zero
        unless a training row lies beyond, because many numbers, such as ages, cannot be
        negative. The inferred domain of a categorical feature is the set of observed
        categories, without the missing one.
        """
        values, schema = rows.values, rows.schema
        is_numeric = ~np.isin(np.arange(values.shape[1]), list(schema.categories))
        center, scale, low, high, observed = _statistics(values[:, is_numeric])
        if not standardize:
            center, scale = np.zeros_like(center), np.ones_like(scale)
        # Center 0 and scale 1 leave one-hot columns as they are in the common formula.
        reachable = reachable_columns(schema)
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
        """Weights for which a change by one module unit, or of a category, counts 1.

        They are 1 for numbers and 1/2 for one-hot columns, because a change of category
        moves two of these; ndarray of shape (n_columns,).
        """
        return self.groups.column_weights

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
        """Map columns to values: the largest column of each one-hot group is the category."""
        if not len(self.groups):
            return columns
        values = np.empty((len(columns), len(self.names)))
        values[:, self.numeric] = columns[:, : len(self.numeric)]
        for feature, group in zip(self.categorical, self.groups.slices, strict=True):
            values[:, feature] = columns[:, group].argmax(axis=1)
        return values

    def encode(self, X):
        """Map X, in the user's units, to module rows; ndarray of shape (n_rows, n_columns)."""
        return self.encode_values(self.schema.read(densified(as_table(X, self.schema.names))))

    def encode_values(self, values):
        """Map values to module rows."""
        return self.to_module_units(self.expand(values))

    def to_module_units(self, columns):
        """Map columns, or bounds of columns, from X's units to module units."""
        return (columns - self.center) / self.scale

    def to_x_units(self, encoded):
        """Map module rows to columns in X's units."""
        # In float32, the precision of a search, the digits of large centers would be lost.
        return np.asarray(encoded, dtype=np.float64) * self.scale + self.center

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
        # A step of a pipeline may have a negative scale, which swaps the bounds.
        bounds = self.to_module_units(box.lower), self.to_module_units(box.upper)
        return Box(np.minimum(*bounds), np.maximum(*bounds), box.groups)

    def encode_costs(self, feature_costs):
        """Map costs of features, per unit of X or per change, to costs of module columns."""
        return self.per_column(feature_costs) * np.abs(self.scale) * self.column_weights

    def per_column(self, per_feature):
        """Repeat the entry of each feature, along the last axis, for each of its columns."""
        one_hot = np.repeat(per_feature[..., self.categorical], self.groups.sizes, axis=-1)
        return np.concatenate([per_feature[..., self.numeric], one_hot], axis=-1)

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
        movable = np.stack([may_move[..., part].any(axis=-1) for part in self.feature_slices], -1)
        total = (by_feature * movable).sum(axis=-1, keepdims=True)
        n_movable = movable.sum(axis=-1, keepdims=True)
        # Costs that are all 0 have no ratios and are left as they are.
        return costs * np.divide(n_movable, total, out=np.ones_like(total), where=total > 0)

    def decode(self, encoded, factual_encoded, factuals, box, *, rounded=True):
        """Map the states of a search to rows that can be returned to the user.

        A value that did not move is the factual's own. A value that moved is clamped to
        the box in X's units and brought to the dtype of its column without leaving the
        box; integers are rounded, inward at a bound.

        Parameters
        ----------
        encoded, factual_encoded : ndarray of shape (n_rows, n_columns)
            The states, and the factuals in the same precision, in module units.
        factuals : Rows
            The rows from which the states started.
        box : Box
            Bounds of each row in X's units; see `Constraints.box`.
        rounded : bool, default=True
            Whether to round numbers to what the dtypes can hold.

        Returns
        -------
        rows : Rows
        """
        columns = self.to_x_units(encoded)
        # The factual replaces a value that did not move, whose rounding error would look like a
        # change, and one that overflowed.
        moved = (encoded != factual_encoded) & np.isfinite(columns)
        columns = np.where(moved, columns, self.expand(factuals.values))
        # The conversion to module units and back may violate a bound by a rounding error.
        values = self.collapse(np.clip(columns, box.lower, box.upper))
        if not rounded:
            return factuals.with_values(values)
        for column, feature in enumerate(self.numeric):
            dtype, integral = factuals.dtypes[feature], self.schema.integral[feature]
            # A float64 column holds every number of the box as it is.
            if dtype != np.float64 or integral:
                bounds = box.lower[:, column], box.upper[:, column]
                numbers = _representable(values[:, feature], *bounds, dtype, integral)
                values[:, feature] = np.where(
                    moved[:, column], numbers, factuals.values[:, feature]
                )
        return factuals.with_values(values)


def reachable_columns(schema):
    """Return 1 for each one-hot column whose category may be reached by default, else 0."""
    groups = [schema.categories[feature].reachable for feature in sorted(schema.categories)]
    return np.concatenate([np.empty(0), *groups])


def inferred_domain(low, high, least, most):
    """Widen bounds to the observed range, and cut them at zero unless a row lies beyond."""
    # Infinity does not cut. The observed range is applied last, so that it always holds.
    floor = np.where(least >= 0, 0, -np.inf)
    ceiling = np.where(most <= 0, 0, np.inf)
    return np.minimum(least, np.maximum(floor, low)), np.maximum(most, np.minimum(ceiling, high))


def _statistics(X):
    """Return center, scale, inferred domain and observed range of numeric columns."""
    # StandardScaler rejects an array without columns.
    if not X.shape[1]:
        empty = np.empty(0)
        return empty, empty, empty, empty, (empty, empty)
    scaler = StandardScaler().fit(X)
    # Not `scale_`, which is 1 for a constant column: its domain would be six units wide.
    spread = _N_DEVIATIONS * np.sqrt(scaler.var_)
    observed = X.min(axis=0), X.max(axis=0)
    domain = inferred_domain(scaler.mean_ - spread, scaler.mean_ + spread, *observed)
    return scaler.mean_, scaler.scale_, *domain, observed


def _representable(values, lower, upper, dtype, integral):
    """Round `values` to numbers that `dtype` can hold and that lie within the bounds."""
    if integral or dtype.kind in "biu":
        least, most = _range(dtype)
        first = np.ceil(np.maximum(lower, least))
        last = np.floor(np.minimum(upper, most))
        # The box of a fractional factual may hold no integer at all.
        values = np.where(first <= last, np.clip(np.rint(values), first, last), values)
    if dtype.kind != "f":
        return values
    rounded = np.clip(values, *_range(dtype)).astype(dtype)
    # Rounding to fewer digits may cross a bound: the next number inward lies inside.
    inward = np.where(rounded > upper, -np.inf, np.inf).astype(dtype)
    is_outside = (rounded > upper) | (rounded < lower)
    # `nextafter` runs on all values; those at the end of the range overflow, and are not used.
    with np.errstate(over="ignore"):
        return np.where(is_outside, np.nextafter(rounded, inward), rounded)


def _range(dtype):
    """Return the minimum and the maximum of a dtype."""
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind == "f":
        return np.finfo(dtype).min, np.finfo(dtype).max
    info = np.iinfo(dtype)
    # As a float, the maximum of 64 bits is rounded up to a number that wraps around.
    most = float(info.max)
    return info.min, np.nextafter(most, 0) if int(most) > info.max else most
