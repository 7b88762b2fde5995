"""The map between the rows that enter a pipeline and the rows that its search moves."""

from functools import cached_property

import numpy as np

from ctsk._columns.curves import Curve, solve_together
from ctsk._columns.encoder import Encoder
from ctsk._columns.grid import Grid
from ctsk._columns.training_statistics import reachable_columns
from ctsk._explaining.pipeline_steps import split

# Relative error of numbers that were mapped to the classifier and back; lines are measured.
_LINE_PRECISION, _CURVE_PRECISION = 1e-12, 1e-8
# Share of a range up to which a number counts as its end, because of rounding.
_NEAR = 1e-6
# Decimals that lie closer together than this many times the error of a number may be near it by
# chance.
_CHANCE = 1000
# Share of every category in a row of an unknown one, where the pipeline has a code of its
# own for it. The affine map is then that code, up to the weight of a share.
_TINY_SHARE = 1e-6


def shortened(numbers, error):
    """Return decimals in place of numbers that differ from one by no more than an error.

    Parameters
    ----------
    numbers, error : ndarray of shape (n_numbers,)
        The error is that of rounding, and positive.
    """
    short = rounded(numbers, error)
    # The sum turns -0.0 into 0.0.
    return np.where(np.abs(short - numbers) <= error, short, numbers) + 0.0


def rounded(numbers, error):
    """Return numbers rounded to as many decimals as their error permits."""
    decimals = -np.ceil(np.log10(_CHANCE * error)).astype(int)
    pairs = zip(numbers.tolist(), decimals.tolist(), strict=True)
    return np.array([round(number, n_decimals) for number, n_decimals in pairs])


class PipelineEncoder(Encoder):
    """An encoder whose scales may be negative, and whose curves may have been measured."""

    @cached_property
    def falls(self):
        """Columns that fall in module units while they rise in X's; bool ndarray."""
        # Each falling stage turns the direction around.
        directions = np.sign(self.scale)
        for column, stages in self.curves.items():
            directions[column] *= np.prod([stage.direction for stage in stages])
        return directions < 0

    def solve(self, encoded):
        """Map numbers of module columns to X's units, through the functions of their curves.

        The tables of curves, which serve the search, are accurate to a few thousandths of a
        unit only.

        Parameters
        ----------
        encoded : dict of int to ndarray
            Numbers of each column.

        Returns
        -------
        numbers : dict of int to ndarray
        """
        tasks = {
            column: (self.curves.get(column, ()), part * self.scale[column] + self.center[column])
            for column, part in encoded.items()
        }
        # The way through the units of the module and back leaves an error of rounding, by
        # which whole numbers and decimals would no longer be on their grid.
        return {
            column: shortened(numbers, self.error(numbers, column))
            for column, numbers in solve_together(tasks).items()
        }

    def error(self, numbers, column):
        """Return the error of rounding of numbers that `solve` returns for a column."""
        precision = _CURVE_PRECISION if column in self.curves else _LINE_PRECISION
        size = np.abs(self.center[column]) + np.abs(self.scale[column])
        return precision * (np.abs(numbers) + size)


def plain_encoder(paths, schema, inner):
    """Return the encoder of a pipeline's numbers and categories, as if none were missing.

    Parameters
    ----------
    paths : FeaturePaths
    schema : Schema
        Names and kinds of the columns that enter the pipeline, without states.
    inner : Encoder
        Encoder of the last step.

    Returns
    -------
    encoder : PipelineEncoder
    """
    numeric = schema.numeric
    n_one_hot = len(reachable_columns(schema))
    center, scale, curves = np.zeros(len(numeric)), np.ones(len(numeric)), {}
    for column, feature in enumerate(numeric):
        stages = paths.stages.get(feature, ())
        # The unit of a number is that of the last column that holds it alone: the classifier's
        # own, if it arrives there, or that of the last line before it is mixed with others.
        if feature not in paths.alone:
            curved, line = split(stages)
        else:
            inner_column = inner.feature_columns[paths.alone[feature]][0]
            observed = [bounds[inner_column] for bounds in inner.observed]
            stages = _reaching(stages, observed)
            curved, line = split((*stages, *inner.stages(inner_column)))
        center[column], scale[column] = line.origin, line.unit
        if curved:
            curves[column] = curved
    encoder = PipelineEncoder(
        schema,
        curves=curves,
        center=np.append(center, np.zeros(n_one_hot)),
        scale=np.append(scale, np.ones(n_one_hot)),
        fill=np.zeros(len(numeric) + n_one_hot),
        shares=np.zeros(len(numeric) + n_one_hot),
        grids={},
        domain=None,
        observed=None,
    )
    # Ranges are mapped by the encoder itself, which therefore exists before.
    encoder.observed = bounds_in_x_units(paths, encoder, inner, *inner.observed)
    encoder.inner_ends = bounds_in_x_units(paths, encoder, inner, *inner.inner_ends)
    return encoder


def complete_encoder(paths, plain, schema, inner, measured, reference, inferred):
    """Return the encoder of a pipeline with states, domain, fill, shares and grids.

    Parameters
    ----------
    paths : FeaturePaths
    plain : PipelineEncoder
        The encoder without them.
    schema : Schema
        The schema with states.
    inner : Encoder
        Encoder of the last step.
    measured : MeasuredMap
    reference : Rows or None
        Observed rows.
    inferred : set of int
        Features whose grid may be inferred from the reference rows.

    Returns
    -------
    encoder : PipelineEncoder
    """
    n_numeric = len(plain.numeric)
    reachable = _reachable(paths, schema, inner)
    zeros, ones = np.zeros_like(reachable), np.ones_like(reachable)
    special = [schema.special_values.get(feature, ()) for feature in schema.numeric]
    observed = _without_constants(plain.observed, plain.inner_ends, special)
    amounts = _amounts(schema, reference)
    if reference is not None:
        observed = _joined(observed, amounts)
    grids = _grids(paths, schema, inner, observed, amounts, reference, inferred)
    low, high = _domain(paths, plain, observed, grids)
    return PipelineEncoder(
        schema,
        curves=plain.curves,
        center=np.append(plain.center[:n_numeric], zeros),
        scale=np.append(plain.scale[:n_numeric], ones),
        domain=(np.append(low, zeros), np.append(high, reachable)),
        observed=tuple(observed),
        fill=np.append(measured.fill, zeros),
        shares=_shares(paths, schema, inner, measured),
        grids=grids,
    )


def _reaching(stages, observed):
    """Return stages whose curves have the branch that leads to what the classifier observed."""
    # From the classifier back, because what it observed is known at the end of the path only.
    reached, bounds = [], np.asarray(observed)
    for stage in reversed(stages):
        stage = stage.reaching(*np.sort(bounds)) if isinstance(stage, Curve) else stage
        reached.insert(0, stage)
        bounds = stage.inverse(bounds)
    return tuple(reached)


def bounds_in_x_units(paths, encoder, inner, low, high):
    """Map bounds of the classifier's numbers to X's units; NaN where it sees none alone.

    Parameters
    ----------
    paths : FeaturePaths
    encoder : PipelineEncoder
    inner : Encoder
        Encoder of the last step.
    low, high : ndarray
        Bounds of its columns in its units; NaN, or infinite, where they are open.

    Returns
    -------
    bounds : ndarray of shape (2, n_numeric)
    """
    bounds, mapped = np.full((2, len(encoder.numeric)), np.nan), {}
    for column, feature in enumerate(encoder.numeric.tolist()):
        if feature not in paths.alone:
            continue
        inner_column = inner.feature_columns[paths.alone[feature]][0]
        ends = np.array([low[inner_column], high[inner_column]])
        bounds[:, column] = ends
        # What arrives unchanged needs no way back, which would round it.
        if paths.stages[feature] and not np.isnan(ends).any():
            mapped[column] = inner.column_to_module_units(ends, inner_column)
    solved = encoder.solve({column: ends[np.isfinite(ends)] for column, ends in mapped.items()})
    for column, ends in mapped.items():
        # Where a column falls, the upper bound in module units is the lower one in X's. What is
        # open stays open.
        step = -1 if encoder.falls[column] else 1
        bounds[:, column] = [-np.inf, np.inf]
        bounds[np.isfinite(ends)[::step], column] = solved[column][::step]
    return bounds


def _amounts(schema, reference):
    """Return the amounts of each numeric feature in the reference rows; NaN for states."""
    if reference is None:
        return None
    amounts = np.where(schema.is_state(reference.values), np.nan, reference.values)
    amounts[:, sorted(schema.unread)] = np.nan
    return amounts[:, schema.numeric]


def _without_constants(observed, inner_ends, special):
    """Return ranges in which a constant in the place of gaps is not an end."""
    ends, tolerance = observed.copy(), _NEAR * (observed[1] - observed[0])
    for column, constants in enumerate(special):
        for constant in constants:
            is_end = np.abs(observed[:, column] - constant) <= tolerance[column]
            # Without any other number, the constant is all that is known.
            is_end &= ~np.isnan(inner_ends[:, column])
            ends[is_end, column] = inner_ends[is_end, column]
    return ends


def _joined(observed, amounts):
    """Return ranges that reference rows complete where the classifier's are unknown.

    What the classifier has observed comes first, because reference rows may be few. The
    exact end of a range is that of the reference.
    """
    ranges = np.stack([np.fmin.reduce(amounts), np.fmax.reduce(amounts)])
    tolerance = _NEAR * (observed[1] - observed[0])
    is_replaced = np.isnan(observed) | (np.abs(ranges - observed) <= tolerance)
    return np.where(is_replaced & ~np.isnan(ranges), ranges, observed)


def _domain(paths, encoder, observed, grids):
    """Return the inferred bounds of numbers: the observed range, without an error of rounding."""
    # Open where nothing was observed of the feature alone.
    domain = np.where(np.isnan(observed), [[-np.inf], [np.inf]], observed)
    for column, feature in enumerate(encoder.numeric.tolist()):
        low, high = domain[:, column]
        # The ends of a grid are numbers of it, as they were mapped.
        is_exact = feature in grids or not paths.stages.get(feature)
        if is_exact or not np.isfinite(low) or not low < high:
            continue
        # An end that is no decimal may lie beyond the range by its error.
        errors = encoder.error(domain[:, column], column)
        is_rounded = domain[:, column] == encoder.observed[:, column]
        is_rounded &= domain[:, column] != rounded(domain[:, column], errors)
        domain[:, column] += np.where(is_rounded, [1, -1] * errors, 0)
    return domain


def _reachable(paths, schema, inner):
    """Return 1 for each one-hot column that may be reached by default, else 0."""
    reachable = reachable_columns(schema)
    # A dummy that is 0 in all training rows cannot be reached, as the classifier knows.
    dummies = [feature for group in schema.dummies for feature in group]
    columns = [inner.feature_columns[paths.alone[feature]][0] for feature in dummies]
    if columns:
        reachable[-len(dummies) :] = inner.domain[1][columns]
    return reachable


def _shares(paths, schema, inner, measured):
    """Return the shares that stand for an unknown category, by column."""
    parts = [np.zeros(len(schema.numeric))]
    for feature in sorted(schema.categories):
        size = len(schema.categories[feature])
        shares = np.full(size, _TINY_SHARE if feature in measured.coded_unknown else 1 / size)
        if feature in paths.alone:
            columns = same_categories(schema, inner, feature, paths.alone[feature])
            known = np.where(columns >= 0, inner.shares[columns], 0.0)
            shares = known / known.sum() if known.any() else shares
        parts.append(shares)
    n_others = len(reachable_columns(schema)) - sum(map(len, parts[1:]))
    return np.concatenate([*parts, np.zeros(n_others)])


def same_categories(schema, inner, feature, inner_feature):
    """Return the classifier's columns of a pipeline's categories; -1 where it knows none."""
    columns = inner.feature_columns[inner_feature]
    known = list(inner.schema.categories[inner_feature].values)
    values = schema.categories[feature].values
    positions = [known.index(value) if value in known else None for value in values]
    return np.array([-1 if i is None else columns[i] for i in positions])


def _grids(paths, schema, inner, observed, amounts, reference, inferred):
    """Return the grids of numbers, as the classifier, the reference or the dtype shows them."""
    grids = {feature: Grid.of_step(1) for feature in np.flatnonzero(schema.integral).tolist()}
    for column, feature in enumerate(schema.numeric):
        grid = inner.grids.get(paths.alone.get(feature))
        if feature in schema.unread:
            continue
        if grid is not None and not paths.stages[feature]:
            # What arrives unchanged is on the classifier's grid.
            grids[feature] = grid
        elif grid is not None and grid.values is not None:
            # A line or a curve makes two values of two values, which are the observed range.
            grids[feature] = Grid(values=tuple(observed[:, column].tolist()))
        elif amounts is not None and feature in inferred:
            numbers = amounts[~np.isnan(amounts[:, column]), column]
            grid = Grid.infer(numbers, reference.dtypes[feature])
            if grid is not None:
                grids[feature] = grid
    return grids
