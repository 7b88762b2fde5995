"""The linear map from encoded rows of a pipeline to its classifier, learned on made-up rows."""

from dataclasses import dataclass

import numpy as np
import torch

from ctsk._columns.curves import Curve
from ctsk._columns.user_warnings import ignored_warnings
from ctsk._explaining.pipeline_steps import transformed
from ctsk._explaining.transformers import REJECTIONS
from ctsk._torch.utils import device_of

# Places of each number at which made-up rows are transformed, in units of half its range about
# the middle. The first two give the effect of the number.
_PLACES = np.array([0.0, 0.5, -0.5, 1.0])
# Rows in which all features change at once, to see whether their effects add up, and the error
# up to which they do: several curves in a row are accurate to a few thousandths.
_N_COMBINATIONS = 20
_ADDITIVITY = 1e-2
# Difference up to which a gap has the effect of a number.
_SAME = 1e-6
_NOT_ADDITIVE = (
    "The pipeline treats a feature by the values of others (a FunctionTransformer that multiplies "
    "columns, say), so that no counterfactual can be mapped back through it. Derive such features "
    "before the pipeline, or leave the step to CounterfactualTrainedClassifier."
)


class AffineMap(torch.nn.Module):
    """An affine map that is not trained."""

    def __init__(self, weight, bias):
        super().__init__()
        self.register_buffer("weight", torch.as_tensor(weight))
        self.register_buffer("bias", torch.as_tensor(bias))

    def is_identity(self, groups):
        """Whether rows, of which `groups` are categories, are mapped to themselves."""
        n_in, n_out = self.weight.shape
        if n_in != n_out:
            return False
        rows = np.tile(np.zeros(n_in), (n_in + 1, 1))
        rows[1:] += np.eye(n_in)
        for columns in groups.slices:
            rows[rows[:, columns].sum(axis=1) == 0, columns.start] = 1
        return np.allclose(
            rows @ self.weight.cpu().numpy() + self.bias.cpu().numpy(), rows, atol=1e-6
        )

    def forward(self, rows):
        return torch.addmm(self.bias, rows, self.weight)


@dataclass(frozen=True, eq=False)
class MeasuredMap:
    """The affine map of a pipeline, and what the pipeline makes of gaps and unknown categories.

    Parameters
    ----------
    to_module : AffineMap
        From encoded rows to the classifier's module rows.
    states : dict of int to tuple of float
        By numeric feature, the special values, and NaN, whose effect is that of no number.
    fill : ndarray of shape (n_numeric,)
        The number, in X's units, that a gap or a special value is to the pipeline.
    imputed : set of int
        Features whose gaps do not reach the classifier, because a step replaces them.
    refused : set of int
        Features without which the pipeline rejects a row.
    coded_unknown, refused_unknown : set of int
        Categorical features whose unknown categories have a code of their own, or are
        rejected.
    """

    to_module: AffineMap
    states: dict
    fill: np.ndarray
    imputed: set
    refused: set
    coded_unknown: set
    refused_unknown: set


class _Probe:
    """A pipeline that is given made-up rows of values."""

    def __init__(self, pipeline, inner, paths, encoder, made_up):
        self.pipeline, self.inner, self.paths = pipeline, inner, paths
        self.encoder, self.made_up = encoder, made_up
        gaps = [np.isnan(states[-1:]).any() for states in self._inner_states()]
        self._has_gaps = np.array(gaps, dtype=bool)

    def _inner_states(self):
        schema = self.inner.encoder.schema
        return [schema.states.get(feature, ()) for feature in range(len(schema.names))]

    def rows(self, values):
        """Return module rows, and which rows hold a gap that the classifier has never seen."""
        X = self.made_up.write(values, self.paths.codings, self.encoder.schema)
        with np.errstate(all="ignore"), ignored_warnings():
            read = self.inner.read(transformed(self.pipeline, X), warn=False).values
        is_new = (np.isnan(read) & ~self._has_gaps).any(axis=1)
        return self.inner.encoder.encode_values(read), is_new

    def required_rows(self, values):
        """Return module rows; a ValueError if the pipeline rejects any."""
        try:
            return self.rows(values)[0]
        except REJECTIONS as error:
            raise ValueError(
                f"The pipeline rejects rows that were made up to learn what it does ({error}). "
                f"{_NOT_ADDITIVE}"
            ) from error

    def accepted_rows(self, values):
        """Return what `rows` does; module rows are NaN where the pipeline rejects a row."""
        try:
            return self.rows(values)
        except REJECTIONS:
            if len(values) == 1:
                size = self.inner.encoder.groups.n_columns
                return np.full((1, size), np.nan), np.zeros(1, dtype=bool)
        halves = [self.accepted_rows(half) for half in np.array_split(values, 2)]
        return tuple(np.concatenate(parts) for parts in zip(*halves, strict=True))


def measure(pipeline, inner, paths, encoder, made_up, special):
    """Measure what a pipeline makes of numbers, categories, gaps and special values.

    Parameters
    ----------
    pipeline : Pipeline
    inner : ExplainableModel
        The last step.
    paths : FeaturePaths
    encoder : PipelineEncoder
        An encoder without states.
    made_up : MadeUpRows
    special : dict of int to iterable of float
        Special values of numeric features, in X's units.

    Returns
    -------
    measured : MeasuredMap

    Raises
    ------
    ValueError
        If the effects of features do not add up, or the pipeline rejects made-up rows.
    """
    # One row for each effect shows the map; rows in which everything changes at once show
    # whether the effects add up.
    probe = _Probe(pipeline, inner, paths, encoder, made_up)
    places = _places(paths, encoder, inner.encoder, made_up)
    base, weight, bias = _learned(probe, places)
    values = _combinations(places, paths, encoder)
    encoded = encoder.encode_values(values)
    error = np.abs(encoded @ weight + bias - probe.required_rows(values))
    if not (error <= _ADDITIVITY * (1 + np.abs(encoded) @ np.abs(weight) + np.abs(bias))).all():
        raise ValueError(_NOT_ADDITIVE)
    unknown = _unknown_effects(probe, places[0], base)
    for feature, effect in unknown.items():
        # Relative to an unknown category, the effects of the known ones count in full.
        if np.isfinite(effect).all() and feature not in paths.alone:
            weight[encoder.feature_columns[feature]] -= effect
            bias = bias + effect
    effects, states, facts = _state_effects(probe, places[0], base, weight, special)
    # The rows of the states stand between those of categories and those of dummies.
    first = encoder.groups.n_columns - sum(map(len, encoder.schema.dummies))
    weight = np.concatenate([weight[:first], effects, weight[first:]])
    refused_unknown = {f for f, effect in unknown.items() if np.isnan(effect).any()}
    return MeasuredMap(
        AffineMap(weight, bias).to(device_of(inner.module)),
        states,
        coded_unknown=set(unknown) - refused_unknown - set(paths.alone),
        refused_unknown=refused_unknown,
        **facts,
    )


def _learned(probe, places):
    """Return the module row of the first places, and weight and bias of the linear map."""
    # In the first row all numbers are at their first place and all categories at their first
    # value; each other row differs from it in one encoded column.
    encoder, paths = probe.encoder, probe.paths
    values = np.tile(places[0], (encoder.groups.n_columns + 1, 1))
    for feature, columns in enumerate(encoder.feature_columns):
        codes = np.arange(len(columns))
        values[1 + columns, feature] = codes if feature in paths.codings else places[1, feature]
    for group in encoder.schema.dummies:
        columns = np.concatenate([encoder.feature_columns[feature] for feature in group])
        values[np.ix_(1 + columns, group)] = np.eye(len(group))
    # The difference to the first row is the effect of a category, or of a number over the
    # distance between its places.
    rows, encoded = probe.required_rows(values), encoder.encode_values(values)
    weight = rows[1:] - rows[0]
    n_numeric = len(encoder.numeric)
    lengths = np.diagonal(encoded[1:] - encoded[0])[:n_numeric]
    weight[:n_numeric] /= np.where(lengths == 0, 1, lengths)[:, None]
    for column, feature in enumerate(encoder.numeric.tolist()):
        if feature in paths.alone:
            # Known without a measurement, and free of its rounding.
            weight[column] = 0
            weight[column, probe.inner.encoder.feature_columns[paths.alone[feature]][0]] = 1
    return rows[0], weight, rows[0] - encoded[0, :n_numeric] @ weight[:n_numeric]


def _unknown_effects(probe, place, base):
    """Return the effect of an unknown category, by feature; NaN where it is rejected."""
    # A column of Booleans holds no unknown ones.
    features = [f for f in sorted(probe.paths.codings) if probe.made_up.dtypes[f].kind != "b"]
    if not features:
        return {}
    values = np.tile(place, (len(features), 1))
    values[np.arange(len(features)), features] = -1
    rows, _ = probe.accepted_rows(values)
    return dict(zip(features, rows - base, strict=True))


def _state_effects(probe, place, base, weight, special):
    """Measure gaps and special values.

    Returns
    -------
    effects : ndarray of shape (n_states, n_module_columns)
        For each feature with states: 0 for a number, and for each state its effect
        relative to the number that fills it.
    states : dict of int to tuple of float
    facts : dict
        The fields `fill`, `imputed` and `refused` of `MeasuredMap`.
    """
    encoder, paths = probe.encoder, probe.paths
    read = [feature for feature in encoder.numeric.tolist() if feature in paths.stages]
    tried = [(feature, value) for feature in read for value in (*special.get(feature, ()), np.nan)]
    values = np.tile(place, (len(tried), 1))
    for row, (feature, value) in enumerate(tried):
        values[row, feature] = value
    rows, is_new = probe.accepted_rows(values) if tried else (np.empty((0, len(base))), [])
    encoded = encoder.encode_values(place[None])[0]
    fills, states, effects = {}, {}, [np.empty((0, len(base)))]
    imputed, refused = set(), set()
    for column, feature in enumerate(encoder.numeric.tolist()):
        idx = [row for row, (other, _) in enumerate(tried) if other == feature]
        accepted = [row for row in idx if np.isfinite(rows[row]).all()]
        if idx and idx[-1] not in accepted:
            refused.add(feature)
        elif idx and not is_new[idx[-1]]:
            imputed.add(feature)
        if not accepted:
            continue
        # A gap, which comes last, defines the fill. Along the weights of the number, it is as
        # far from the first place as some number; the rest is an effect of its own.
        moves, direction = rows[accepted] - base, weight[column]
        steps = moves @ direction / (direction @ direction or 1)
        fills[column] = encoded[column] + steps[-1:]
        rests = moves - steps[-1] * direction
        is_state = np.abs(rests).max(axis=1) > _SAME * (1 + np.abs(rows[accepted]).max(axis=1))
        if is_state.any():
            state_rows = [row for row, differs in zip(accepted, is_state, strict=True) if differs]
            states[feature] = tuple(tried[row][1] for row in state_rows)
            effects += [np.zeros((1, len(base))), rests[is_state]]
    fill = encoder.to_x_units(encoded)[: len(encoder.numeric)]
    for column, number in encoder.solve(fills).items():
        fill[column] = number[0]
    facts = {"fill": fill, "imputed": imputed, "refused": refused}
    return np.concatenate(effects), states, facts


def _combinations(places, paths, encoder):
    """Return values of rows in which all features are at random places or categories."""
    # A seed of its own: the same pipeline is accepted or refused each time.
    rng = np.random.default_rng(0)
    choices = rng.integers(len(places), size=(_N_COMBINATIONS, len(encoder.names)))
    values = np.take_along_axis(places, choices, axis=0)
    for feature, coding in paths.codings.items():
        values[:, feature] = rng.integers(len(coding.cells), size=_N_COMBINATIONS)
    for group in encoder.schema.dummies:
        values[:, group] = np.eye(len(group))[rng.integers(len(group), size=_N_COMBINATIONS)]
    return values


def _places(paths, encoder, inner, made_up):
    """Return places of each number at which made-up rows are transformed.

    They lie in the range that the classifier has observed, if it sees the number alone. On a
    curve they are points of its table, where interpolation is exact.

    Returns
    -------
    places : ndarray of shape (n_places, n_features)
        In X's units; 0 for categories, which is the first one. The first dummy of a group
        is 1.
    """
    places = np.zeros((len(_PLACES), len(encoder.names)))
    places[:, [group[0] for group in encoder.schema.dummies]] = 1
    for column, feature in enumerate(encoder.numeric):
        middle, half = 0.0, 1.0
        if feature in paths.alone:
            inner_column = inner.feature_columns[paths.alone[feature]][0]
            least, most = (
                inner.column_to_module_units(bounds[inner_column], inner_column)
                for bounds in inner.observed
            )
            # The classifier may have seen no number at all.
            if not np.isnan(least):
                middle, half = (least + most) / 2, (most - least) / 2 or 1.0
        numbers = (middle + half * _PLACES) * encoder.scale[column] + encoder.center[column]
        stages = encoder.curves.get(column, ())
        first = next((i for i, stage in enumerate(stages) if isinstance(stage, Curve)), 0)
        for stage in reversed(stages[first + 1 :]):
            numbers = stage.inverse(numbers)
        if stages:
            points, reached = stages[first].points, stages[first].heights
            nearest = np.abs(reached - numbers[:, None]).argmin(axis=1)
            if nearest[0] == nearest[1]:
                nearest = np.arange(1, len(_PLACES) + 1) * len(points) // (len(_PLACES) + 1)
            numbers = points[nearest]
        for stage in reversed(stages[:first]):
            numbers = stage.inverse(numbers)
        places[:, feature] = made_up.fitting(feature, numbers)
    return places
