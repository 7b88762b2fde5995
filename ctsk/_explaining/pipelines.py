"""A fitted pipeline as the search sees it: one map from the rows that go in to the module."""

from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import torch

from ctsk._columns.constraints import Box, Constraints
from ctsk._columns.containers import check_columns, densified, dtypes_of, is_frame
from ctsk._columns.encoder import Encoder, inferred_domain, reachable_columns
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Categories, Schema
from ctsk._columns.validation import check_table, refuse_values
from ctsk._explaining.pipeline_steps import FeaturePaths, split
from ctsk._torch.utils import device_of

_NOT_WHAT_IT_SEEMS = (
    "The pipeline treats a feature by others, or by its value: it is not what its steps seem to be "
    "(a FunctionTransformer that looks at several columns, say), so that no counterfactual can be "
    "mapped back through it. Derive such features before the pipeline, or leave the step to "
    "CounterfactualTrainedClassifier."
)


def model_of(pipeline, inner, X):
    """Return a fitted pipeline as an explainable model.

    Parameters
    ----------
    pipeline : Pipeline
    inner : ExplainableModel
        Its last step.
    X : DataFrame or ndarray of shape (n_rows, n_features)
        Rows that go into the pipeline.

    Returns
    -------
    model : ExplainableModel
        With the constraints and costs of the last step. Its judge answers NaN for
        rows that the pipeline does not take.

    Raises
    ------
    ValueError
        If a step cannot be inverted, or X is not what the pipeline was fitted with.
    """
    names = check_names(pipeline, X)
    trace = FeaturePaths(pipeline, names, inner.encoder.schema)
    schema = _schema(trace, X, inner.encoder.schema)

    def read(X):
        table = check_table(X, schema.names)
        check_names(pipeline, table)
        return _read(table, schema, like=X)

    rows = read(X)
    encoder = _encoder(trace, schema, inner.encoder)
    to_module = _linear_map(trace, encoder, inner, pipeline, X, rows.values)
    return replace(
        inner,
        module=torch.nn.Sequential(to_module, inner.module),
        read=read,
        predict_proba=partial(_judged, pipeline, inner),
        encoder=encoder,
        constraints=_trained_constraints(trace, encoder, inner, to_module),
        feature_costs=_trained_costs(trace, encoder, inner),
        has_learned=inner.has_learned and to_module.is_identity(encoder.groups),
    )


def _read(X, schema, like):
    """Read rows that go into a pipeline."""
    rows = Rows.read(X, schema, like)
    gaps = np.argwhere(np.isnan(rows.values))
    if len(gaps):
        row, feature = gaps[0]
        raise ValueError(
            f"X has no number in feature {schema.names[feature]!r} (first in row {row}). Whatever "
            "the pipeline puts there, a change has to start somewhere: fill gaps among numbers "
            "before rows are explained."
        )
    refuse_values(rows.values, schema.names, "explain")
    return rows


def transformed(pipeline, X):
    """Return rows as they reach the last step of a fitted pipeline.

    Samplers, as those of imbalanced-learn, act in fit only.
    """
    for _, step in pipeline.steps[:-1]:
        if step is not None and not isinstance(step, str) and not hasattr(step, "fit_resample"):
            X = step.transform(X)
    return X


def _judged(pipeline, inner, rows):
    """Return probabilities of rows by the whole pipeline; NaN for rows that it rejects."""
    try:
        with np.errstate(all="ignore"):
            return inner.predict_proba(inner.read(transformed(pipeline, rows.container)))
    except ValueError:
        # A row that a step or the classifier rejects must not take the others along.
        if len(rows) == 1:
            return np.full((1, len(inner.classes)), np.nan)
        middle = len(rows) // 2
        halves = rows.select(slice(middle)), rows.select(slice(middle, None))
        return np.concatenate([_judged(pipeline, inner, half) for half in halves])


class PipelineEncoder(Encoder):
    """A feature space whose numbers may pass curves before they are scaled.

    Parameters
    ----------
    schema : Schema
    curves : dict of int to tuple
        Stages with `forward` and `inverse`, by numeric column.
    **kwargs : dict
        See `Encoder`. A scale may be negative.
    """

    def __init__(self, schema, *, curves, **kwargs):
        super().__init__(schema, **kwargs)
        self.curves = curves

    @cached_property
    def falls(self):
        """Columns that fall in module units while they rise in X's; bool ndarray."""
        n_columns = self.groups.n_columns
        at_0, at_1 = self.to_x_units(np.stack([np.zeros(n_columns), np.ones(n_columns)]))
        told = np.isfinite(at_0) & np.isfinite(at_1) & (at_0 != at_1)
        return np.where(told, at_1 < at_0, self.scale < 0)

    def to_module_units(self, columns):
        """Map columns to module units; NaN where a curve is not defined."""
        columns = np.array(columns, dtype=np.float64)
        for column, stages in self.curves.items():
            for stage in stages:
                columns[..., column] = stage.forward(columns[..., column])
        return super().to_module_units(columns)

    def to_x_units(self, rows):
        """Map module rows to columns; NaN where a curve cannot be undone."""
        columns = super().to_x_units(rows)
        for column, stages in self.curves.items():
            for stage in reversed(stages):
                columns[..., column] = stage.inverse(columns[..., column])
        return columns

    def encode_box(self, box):
        """Map bounds in X's units to module units; open where a curve is not defined."""
        return Box(*self.mapped_ends(self.to_module_units, box.lower, box.upper), box.groups)

    def mapped_ends(self, mapping, low, high):
        """Map lower and upper bounds, either way; open ones, and what is lost, are open."""
        starts, ends = np.where(self.falls, high, low), np.where(self.falls, low, high)
        mapped_starts, mapped_ends = mapping(starts), mapping(ends)
        is_start = np.isfinite(starts) & np.isfinite(mapped_starts)
        is_end = np.isfinite(ends) & np.isfinite(mapped_ends)
        return np.where(is_start, mapped_starts, -np.inf), np.where(is_end, mapped_ends, np.inf)


def check_names(pipeline, X):
    """Return names of the features that go into a pipeline; a ValueError if X has others."""
    fitted = getattr(pipeline, "feature_names_in_", None)
    if is_frame(X):
        names = list(X.columns)
        check_columns(names)
        if fitted is not None and names != list(fitted):
            raise ValueError(
                f"The columns of X are {names}; the pipeline was fitted with {list(fitted)}. Give "
                "these, in this order."
            )
        return names
    if fitted is not None:
        raise ValueError(
            "X has no column names, but the pipeline was fitted with a DataFrame; its columns "
            f"are {list(fitted)}."
        )
    if X.dtype.kind not in "biuf":
        raise ValueError(
            f"X is an array of {X.dtype}. Give a pipeline that takes words a DataFrame: columns "
            "have names and kinds of their own there."
        )
    n_fitted = getattr(pipeline, "n_features_in_", X.shape[1])
    if X.shape[1] != n_fitted:
        raise ValueError(
            f"X has {X.shape[1]} features, but the pipeline was fitted with {n_fitted}."
        )
    return [f"x{i}" for i in range(n_fitted)]


def _schema(trace, X, inner):
    """Names and kinds of the pipeline's columns."""
    dtypes, categories = dtypes_of(X), {}
    for feature, coding in trace.codings.items():
        values, ordered = coding.values, coding.ordered
        declared = getattr(dtypes[feature], "categories", None)
        # Where the classifier knows the category itself, its order is the one that counts.
        if feature not in trace.alone and getattr(dtypes[feature], "ordered", False):
            order = [*declared, None]
            if set(values) <= set(order):
                values, ordered = [value for value in order if value in values], True
        observed = np.array([value is not None and value not in coding.unseen for value in values])
        categories[feature] = Categories(tuple(values), observed, ordered)
    integral = np.array([dtype.kind in "iu" for dtype in dtypes])
    for feature, own in trace.alone.items():
        if feature in trace.stages and not trace.stages[feature]:
            integral[feature] |= inner.integral[own]
    unread = frozenset(range(len(dtypes))) - set(trace.codings) - set(trace.stages)
    return Schema(trace.names, categories, integral & ~_in(categories, len(dtypes)), unread)


def _in(positions, length):
    return np.isin(np.arange(length), list(positions))


def _encoder(trace, schema, inner):
    """Return the space between the pipeline's units and the classifier's module units."""
    numeric = np.flatnonzero(~_in(schema.categories, len(schema.names)))
    n_words = sum(len(known) for known in schema.categories.values())
    center, scale = np.zeros(len(numeric) + n_words), np.ones(len(numeric) + n_words)
    curves = {}
    for column, feature in enumerate(numeric):
        stages, line = split(trace.stages.get(feature, ()))
        if feature in trace.alone:
            own = inner.feature_slices[trace.alone[feature]].start
            line = line.then(type(line)(inner.center[own], inner.scale[own]))
        center[column], scale[column] = line.origin, line.unit
        if stages:
            curves[column] = stages
    make = partial(PipelineEncoder, schema, curves=curves, center=center, scale=scale)
    encoder = make(domain=None, observed=None)
    reachable = reachable_columns(schema)
    # There and back, a zero is no zero any more; whether numbers are negative hangs on it.
    tiny = 1e-9 * np.abs(scale[: len(numeric)])
    observed = _in_x_units(trace, encoder, inner, *inner.observed)
    observed = [np.where(np.abs(ends) <= tiny, 0.0, ends) for ends in observed]
    low, high = _in_x_units(trace, encoder, inner, *inner.domain)
    low, high = inferred_domain(low, high, *observed)
    return make(
        domain=(np.append(low, np.zeros_like(reachable)), np.append(high, reachable)),
        observed=observed,
    )


def _in_x_units(trace, encoder, inner, low, high):
    """Map bounds of the classifier's numbers to X's units; open where it sees none alone."""
    ends = np.repeat([[-np.inf], [np.inf]], encoder.groups.n_columns, axis=1)
    for feature in set(trace.alone) & set(trace.stages):
        own = inner.feature_slices[trace.alone[feature]].start
        bounds = np.array([low[own], high[own]])
        ends[:, encoder.feature_slices[feature].start] = (bounds - inner.center[own]) / inner.scale[
            own
        ]
    return [end[: len(encoder.numeric)] for end in encoder.mapped_ends(encoder.to_x_units, *ends)]


class _Affine(torch.nn.Module):
    """An affine map that is not trained."""

    def __init__(self, weight, bias):
        super().__init__()
        self.register_buffer("weight", torch.as_tensor(weight))
        self.register_buffer("bias", torch.as_tensor(bias))

    def is_identity(self, groups):
        """Whether rows, of which `groups` are categories, come out as they go in."""
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


def _linear_map(trace, encoder, inner, pipeline, X, values):
    """Return the map from the space to module rows, learnt by transforming made-up rows.

    The first row has all numbers at one place and all categories at their first;
    each other row differs from it in one column of the encoder.
    """
    n_numeric = len(encoder.numeric)
    first, other = _places(encoder, values)
    rows = _module_rows(pipeline, inner, _made_up(trace, encoder, X, first, other))
    weight = rows[1:] - rows[0]
    lengths = (encoder.to_module_units(other) - encoder.to_module_units(first))[:n_numeric]
    weight[:n_numeric] /= np.where(lengths == 0, 1, lengths)[:, None]
    for feature in set(trace.alone) & set(trace.stages):
        column = encoder.feature_slices[feature].start
        unit = np.eye(weight.shape[1])[inner.encoder.feature_slices[trace.alone[feature]].start]
        if lengths[column] != 0 and not np.allclose(weight[column], unit, atol=1e-4):
            raise ValueError(_NOT_WHAT_IT_SEEMS)
        weight[column] = unit
    bias = rows[0] - encoder.to_module_units(first)[:n_numeric] @ weight[:n_numeric]
    said = _module_rows(pipeline, inner, _in_double(X))
    if not np.allclose(encoder.encode_values(values) @ weight + bias, said, rtol=1e-4, atol=1e-4):
        raise ValueError(_NOT_WHAT_IT_SEEMS)
    return _Affine(weight, bias).to(device_of(inner.module))


def _places(encoder, values):
    """Two places of each number, as far apart as can be, at which the pipeline is defined."""
    n_columns = encoder.groups.n_columns
    seen = encoder.expand(values)
    places = np.stack(
        [
            *encoder.to_x_units(np.stack([np.zeros(n_columns), np.ones(n_columns)])),
            seen.min(axis=0),
            seen.max(axis=0),
        ]
    )
    scaled = encoder.to_module_units(places)
    defined = np.isfinite(places) & np.isfinite(scaled)
    columns, first = np.arange(n_columns), defined.argmax(axis=0)
    distances = np.where(defined, np.abs(scaled - scaled[first, columns]), -1)
    return places[first, columns], places[distances.argmax(axis=0), columns]


def _made_up(trace, encoder, X, first, other):
    """Return rows like X's that differ from the first in one column of the encoder."""
    n_rows, made_up = encoder.groups.n_columns + 1, {}
    for feature, name in enumerate(encoder.names):
        columns = encoder.feature_slices[feature]
        if feature in trace.codings:
            coding = trace.codings[feature]
            known = dict(zip(coding.values, coding.cells, strict=True))
            cells = [known[value] for value in encoder.schema.categories[feature].values]
            made_up[name] = np.full(n_rows, cells[0], dtype=coding.cells.dtype)
            made_up[name][1:][columns] = cells
        elif feature in encoder.schema.unread:
            made_up[name] = np.empty(n_rows, dtype=object)
            made_up[name].fill(X.iloc[0, feature] if is_frame(X) else X[0, feature])
        else:
            made_up[name] = np.full(n_rows, first[columns])
            made_up[name][1:][columns] = other[columns]
    if not is_frame(X):
        return np.column_stack(list(made_up.values())).astype(np.float64)
    import pandas as pd

    return pd.DataFrame(made_up)


def _in_double(X):
    """Return X with numbers in double precision, as the made-up rows are."""
    if not is_frame(X):
        return X.astype(np.float64)
    floats = [name for name, dtype in X.dtypes.items() if dtype.kind == "f"]
    return X.astype({name: np.float64 for name in floats if X[name].notna().all()})


def _module_rows(pipeline, inner, X):
    """Rows that the module of the last step sees."""
    with np.errstate(all="ignore"):
        return inner.encoder.encode(densified(transformed(pipeline, X)))


def _trained_constraints(trace, encoder, subject, to_module):
    """Return what the classifier was trained with, in the pipeline's units."""
    inner, trained = subject.encoder, subject.constraints
    n_columns = encoder.groups.n_columns
    may_rise, may_fall = np.ones(n_columns, dtype=bool), np.ones(n_columns, dtype=bool)
    low, high = (bound.copy() for bound in encoder.domain)
    told = _in_x_units(trace, encoder, inner, trained.low, trained.high)
    # What was inferred is inferred again, from the same rows, in X's units.
    inferred = trained.low == inner.domain[0], trained.high == inner.domain[1]
    for feature in set(range(len(encoder.names))) - encoder.schema.unread:
        here = encoder.feature_slices[feature]
        if feature not in trace.alone:
            fixed = _is_fixed(trained, inner, to_module.weight[here], trace.uses[feature])
            may_rise[here] = may_fall[here] = not fixed
            continue
        own = inner.feature_slices[trace.alone[feature]]
        if feature in trace.codings:
            own = _same_categories(own, inner, encoder, trace.alone[feature], feature)
            known = own >= 0
            low[here], high[here] = known * trained.low[own], known * trained.high[own]
            may_rise[here], may_fall[here] = trained.may_rise[own[0]], trained.may_fall[own[0]]
            continue
        column, step = here.start, -1 if encoder.falls[here.start] else 1
        may_rise[here], may_fall[here] = (trained.may_rise[own], trained.may_fall[own])[::step]
        is_low_inferred, is_high_inferred = [ends[own].item() for ends in inferred][::step]
        if not is_low_inferred:
            low[column] = told[0][column]
        if not is_high_inferred:
            high[column] = told[1][column]
    return Constraints(low, high, may_rise, may_fall, encoder.groups)


def _is_fixed(trained, inner, weight, uses):
    """Whether the classifier was told that what becomes of a feature does not move."""
    free = trained.may_rise | trained.may_fall
    moved = (weight != 0).any(dim=0).cpu().numpy()
    owns = [inner.feature_slices[own] for own in uses if own is not None]
    return (moved.any() and not free[moved].any()) or not all(free[own].any() for own in owns)


def _same_categories(columns, inner, encoder, own, feature):
    """Columns of the classifier, by the pipeline's categories; -1 where it knows none."""
    known = list(inner.schema.categories[own].values)
    values = encoder.schema.categories[feature].values
    positions = [known.index(value) if value in known else None for value in values]
    return np.array([-1 if i is None else columns.start + i for i in positions])


def _trained_costs(trace, encoder, subject):
    """Return the classifier's costs, per unit of X; 1 per module unit where it has none."""
    inner = subject.encoder
    costs = np.ones(len(encoder.names))
    for feature, own in trace.alone.items():
        costs[feature] = subject.feature_costs[own]
        if feature in trace.stages:
            costs[feature] *= inner.scale[inner.feature_slices[own]].item()
    costs[encoder.numeric] /= np.abs(encoder.scale[: len(encoder.numeric)])
    return costs
