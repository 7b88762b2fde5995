"""What an encoder learns from training rows: scales, ranges, grids and shares."""

import numpy as np
from sklearn.preprocessing import StandardScaler

from ctsk._columns.grid import Grid

# Rounding errors up to which an observed number counts as one of the grid, as 0.1 + 0.2 does.
_FEW_ULPS = 4
# The reciprocal of a smaller spread, a subnormal number, is infinite.
_SMALLEST_SPREAD = np.finfo(np.float64).tiny


def reachable_columns(schema):
    """Return 1 for each one-hot column whose category may be reached by default, else 0.

    These are the observed categories, a number in place of a state, and all dummies.
    """
    groups = [schema.categories[feature].reachable for feature in sorted(schema.categories)]
    groups += [[1, *(0 for _ in schema.states[feature])] for feature in sorted(schema.states)]
    groups += [[1] * len(group) for group in schema.dummies]
    return np.concatenate([np.empty(0), *groups])


def category_shares(schema, values, weights=None):
    """Return the share of the rows, or of their weights, in each one-hot column."""
    weights = np.ones(len(values)) if weights is None else weights
    parts = [np.empty(0)]
    for feature in sorted(schema.categories):
        codes = values[:, feature].astype(np.intp)
        parts.append(np.bincount(codes, weights, minlength=len(schema.categories[feature])))
    for feature in sorted(schema.states):
        is_state = [
            np.isnan(values[:, feature]) if np.isnan(s) else values[:, feature] == s
            for s in schema.states[feature]
        ]
        totals = [weights[mask].sum() for mask in is_state]
        is_number = ~np.logical_or.reduce(is_state)
        parts.append([weights[is_number].sum(), *totals])
    for features in schema.dummies:
        parts.append(weights @ values[:, features])
    return np.concatenate(parts) / weights.sum()


def grids_of_numbers(schema, numbers, dtypes, steps):
    """Return the grids of numeric features, of which those without a given step are inferred."""
    grids = {}
    for feature, column in zip(schema.numeric, numbers.T, strict=True):
        dtype, step, grid = dtypes[feature], steps.get(feature), None
        if feature not in steps:
            grid = Grid.infer(column[~np.isnan(column)], dtype)
        elif step is not None:
            grid = Grid.of_step(step, dtype if dtype.kind == "f" else np.float64)
        elif schema.integral[feature]:
            grid = Grid.of_step(1)
        if grid is not None:
            grids[feature] = grid
    return grids


def on_grid(ends, numeric, grids):
    """Return bounds of numeric features, on the grid where rounding errors have moved them off."""
    ends = ends.copy()
    for column, feature in enumerate(numeric):
        if feature in grids and np.isfinite(ends[column]):
            below, above = grids[feature].floor(ends[column]), grids[feature].ceil(ends[column])
            nearest = below if ends[column] - below < above - ends[column] else above
            if abs(nearest - ends[column]) <= _FEW_ULPS * np.spacing(abs(ends[column])):
                ends[column] = nearest
    return ends


def number_statistics(numbers, weights=None):
    """Return mean, scale, minimum and maximum of columns, in which NaN is ignored.

    Mean and scale are those of weighted rows. The last two results are the second smallest and
    the second largest distinct number.
    """
    mean, scale = np.zeros(numbers.shape[1]), np.ones(numbers.shape[1])
    low, high = np.full((2, numbers.shape[1]), np.nan)
    # StandardScaler rejects an array without columns, and warns of one without numbers.
    has_number = ~np.isnan(numbers).all(axis=0)
    numbers = numbers[:, has_number]
    if has_number.any():
        scaler = StandardScaler().fit(numbers, sample_weight=weights)
        mean[has_number], scale[has_number] = scaler.mean_, scaler.scale_
        low[has_number] = np.fmin.reduce(numbers, axis=0)
        high[has_number] = np.fmax.reduce(numbers, axis=0)
        # StandardScaler takes columns for constant whose deviation is tiny beside their mean, or
        # whose variance underflows.
        largest = np.maximum(np.abs(low), np.abs(high))
        smallest = np.maximum(_FEW_ULPS * np.spacing(largest), _SMALLEST_SPREAD)
        is_narrow = has_number & (scale == 1) & (high - low > smallest)
        narrow = numbers[:, is_narrow[has_number]]
        if is_narrow.any():
            # Differences from the minimum are exact enough; squares of the numbers are not.
            size = (high - low)[is_narrow]
            scaler = StandardScaler().fit((narrow - low[is_narrow]) / size, sample_weight=weights)
            mean[is_narrow] = low[is_narrow] + scaler.mean_ * size
            scale[is_narrow] = scaler.scale_ * size
    after, before = low.copy(), high.copy()
    after[has_number] = np.fmin.reduce(np.where(numbers > low[has_number], numbers, np.nan))
    before[has_number] = np.fmax.reduce(np.where(numbers < high[has_number], numbers, np.nan))
    return mean, scale, low, high, after, before
