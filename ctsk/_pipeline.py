"""A fitted pipeline as the search sees it: one map from the rows that go in to the module."""

from functools import partial

import numpy as np
import torch

from ctsk._constraints import Constraints
from ctsk._feature_space import FeatureSpace, inferred_domain
from ctsk._row_search import Subject
from ctsk._schema import Categories, Schema, cells_of, is_frame
from ctsk._trace import Trace, split
from ctsk._validation import refuse_values

# Rows on which the map is compared with the pipeline itself.
_COMPARED = 1_000


def subject_of(pipeline, X):
    """Return a fitted pipeline as a subject, and X as its schema reads it.

    Parameters
    ----------
    pipeline : Pipeline
        Its last step is a fitted `CounterfactualTrainedClassifier`.
    X : DataFrame or array-like of shape (n_rows, n_features)
        Rows that go into the pipeline.

    Returns
    -------
    subject : Subject
        With the constraints and costs that the classifier was trained with.
    values : ndarray of shape (n_rows, n_features)

    Raises
    ------
    ValueError
        If a step cannot be inverted, or X is not what the pipeline was fitted with.
    """
    classifier, names = pipeline.steps[-1][1], _names(pipeline, X)
    trace = Trace(pipeline, names)
    schema = _schema(trace, X)
    values = schema.read(X)
    refuse_values(values, names, "explain")
    space = _space(trace, schema, classifier.feature_space_)
    to_module = _linear_map(trace, space, pipeline, X)
    _compare(to_module, trace, space, pipeline, X, values)

    def predict_proba(found, positions):
        rows = X.iloc[positions] if is_frame(X) else np.asarray(X)[positions]
        return pipeline.predict_proba(schema.write(rows, values[positions], found))

    subject = Subject(
        module=torch.nn.Sequential(to_module, classifier.net_.module_),
        predict_proba=predict_proba,
        space=space,
        constraints=_trained_constraints(trace, space, classifier, to_module),
        feature_costs=_trained_costs(trace, space, classifier),
    )
    return subject, values


class PipelineSpace(FeatureSpace):
    """A feature space whose numbers may pass curves before they are scaled.

    Parameters
    ----------
    schema : Schema
    curves : dict of int to tuple
        Stages with `forward` and `inverse`, by numeric column.
    **kwargs : dict
        See `FeatureSpace`. A scale may be negative.
    """

    def __init__(self, schema, *, curves, **kwargs):
        super().__init__(schema, **kwargs)
        self.curves = curves

    def scaled(self, columns):
        """Map columns, or bounds of columns, to module units."""
        columns = np.array(columns, dtype=np.float64)
        for column, stages in self.curves.items():
            for stage in stages:
                columns[..., column] = stage.forward(columns[..., column])
        return super().scaled(columns)

    def unscaled(self, rows):
        """Map module rows to columns; NaN where a curve cannot be undone."""
        columns = super().unscaled(rows)
        for column, stages in self.curves.items():
            for stage in reversed(stages):
                columns[..., column] = stage.inverse(columns[..., column])
        return columns


def _names(pipeline, X):
    """Names of the features that go into a pipeline, if X has them."""
    fitted = getattr(pipeline, "feature_names_in_", None)
    if not is_frame(X):
        if fitted is not None:
            raise ValueError(
                "X has no column names, but the pipeline was fitted with a DataFrame; its columns "
                f"are {list(fitted)}."
            )
        return [f"x{i}" for i in range(pipeline.n_features_in_)]
    names = list(X.columns)
    if fitted is not None and names != list(fitted):
        raise ValueError(
            f"The columns of X are {names}; the pipeline was fitted with {list(fitted)}. Give "
            "these, in this order."
        )
    return names


def _schema(trace, X):
    """Names and kinds of the pipeline's columns; integers are those of X."""
    categories = {}
    for feature, coding in trace.codings.items():
        values = coding.values
        declared = getattr(X.dtypes.iloc[feature], "categories", None) if is_frame(X) else None
        ordered = declared is not None and X.dtypes.iloc[feature].ordered
        if ordered and set(values) <= {*declared, None}:
            values = [value for value in [*declared, None] if value in values]
        observed = np.ones(len(values), dtype=bool)
        categories[feature] = Categories(tuple(values), observed, ordered or coding.ordered)
    n_features = len(trace.names)
    read = set(trace.codings) | set(trace.stages)
    kinds = [cells_of(X, f).dtype for f in range(n_features)]
    return Schema(
        trace.names,
        categories,
        integral=np.array([kind.kind in "iu" for kind in kinds]),
        unread=frozenset(range(n_features)) - read,
    )


def _space(trace, schema, inner):
    """Return the space between the pipeline's units and the classifier's module units."""
    n_features = len(schema.names)
    numeric = [feature for feature in range(n_features) if feature not in schema.categories]
    sizes = [len(schema.categories[feature]) for feature in sorted(schema.categories)]
    center, scale = np.zeros(len(numeric) + sum(sizes)), np.ones(len(numeric) + sum(sizes))
    curves = {}
    for column, feature in enumerate(numeric):
        stages, line = split(trace.stages.get(feature, ()))
        center[column], scale[column] = -line.intercept / line.slope, 1 / line.slope
        if feature in trace.alone:
            own = inner.columns_of(trace.alone[feature]).start
            center[column] += inner.center[own] / line.slope
            scale[column] *= inner.scale[own]
        if stages:
            curves[column] = stages
    make = partial(PipelineSpace, schema, curves=curves, center=center, scale=scale)
    space = make(domain=None, observed=None)
    reachable = [schema.categories[feature].reachable for feature in space.categorical]
    reachable = np.concatenate([np.empty(0), *reachable])
    observed = _in_x_units(trace, space, inner, *inner.observed)
    # There and back, a zero is no zero any more; whether numbers are negative hangs on it.
    tiny = 1e-9 * np.abs(scale[: len(numeric)])
    observed = [np.where(np.abs(ends) <= tiny, 0.0, ends) for ends in observed]
    low, high = _in_x_units(trace, space, inner, *inner.domain)
    low, high = inferred_domain(low, high, *observed)
    return make(
        domain=(np.append(low, np.zeros_like(reachable)), np.append(high, reachable)),
        observed=observed,
    )


def _in_x_units(trace, space, inner, low, high):
    """Map bounds of the classifier's numbers to X's units; infinite where it sees none alone."""
    ends = np.full((2, space.groups.n_columns), [[-np.inf], [np.inf]])
    for feature, own in trace.alone.items():
        if feature in space.numeric:
            column, own = space.columns_of(feature).start, inner.columns_of(own).start
            bounds = np.array([low[own], high[own]])
            ends[:, column] = (bounds - inner.center[own]) / inner.scale[own]
    ends = space.unscaled(ends)[:, : len(space.numeric)]
    return (
        np.nan_to_num(ends.min(axis=0), nan=-np.inf, neginf=-np.inf, posinf=np.inf),
        np.nan_to_num(ends.max(axis=0), nan=np.inf, neginf=-np.inf, posinf=np.inf),
    )


class _Affine(torch.nn.Module):
    """An affine map that is not trained."""

    def __init__(self, weight, bias):
        super().__init__()
        self.register_buffer("weight", torch.as_tensor(weight))
        self.register_buffer("bias", torch.as_tensor(bias))

    def forward(self, rows):
        return torch.addmm(self.bias, rows, self.weight)


def _linear_map(trace, space, pipeline, X):
    """Return the map from the space to module rows, learnt by transforming made-up rows.

    The first row has all numbers at 0 (in module units) and all categories at
    their first; each other row is 1 in one column of the space instead.
    """
    n_columns, n_numeric = space.groups.n_columns, len(space.numeric)
    starts, ends = np.zeros(n_columns), np.ones(n_columns)
    at_0, at_1 = space.unscaled(np.stack([starts, ends]))
    made_up = {}
    for feature, name in enumerate(space.names):
        columns = space.columns_of(feature)
        if feature in trace.codings:
            coding = trace.codings[feature]
            known = dict(zip(coding.values, coding.cells, strict=True))
            cells = [known[value] for value in space.schema.categories[feature].values]
            made_up[name] = np.full(n_columns + 1, cells[0], dtype=coding.cells.dtype)
            made_up[name][1:][columns] = cells
        elif feature in space.schema.unread:
            made_up[name] = np.full(n_columns + 1, cells_of(X, feature)[0])
        else:
            made_up[name] = np.full(n_columns + 1, at_0[columns])
            made_up[name][1:][columns] = at_1[columns]
    rows = _module_rows(pipeline, _like(X, made_up))
    weight, bias = rows[1:] - rows[0], rows[0]
    starts, ends = space.scaled(np.stack([at_0, at_1]))[:, :n_numeric]
    length = ends - starts
    weight[:n_numeric] /= np.where(length == 0, 1, length)[:, None]
    device = next(pipeline.steps[-1][1].net_.module_.parameters()).device
    return _Affine(weight, bias - starts @ weight[:n_numeric]).to(device)


def _like(X, columns):
    if not is_frame(X):
        return np.column_stack(list(columns.values()))
    import pandas as pd

    return pd.DataFrame(columns)


def _module_rows(pipeline, X):
    """Rows that the classifier's module sees."""
    inner = pipeline[:-1].transform(X) if len(pipeline.steps) > 1 else X
    return pipeline.steps[-1][1].feature_space_.encode(inner)


def _compare(to_module, trace, space, pipeline, X, values):
    """Raise a ValueError unless the map does what the pipeline does to the rows at hand."""
    some, inner = slice(_COMPARED), pipeline.steps[-1][1].feature_space_
    rows = _module_rows(pipeline, X.iloc[some] if is_frame(X) else np.asarray(X)[some])
    state = torch.as_tensor(space.encode_values(values[some])).to(to_module.bias.device)
    agrees = np.allclose(to_module(state).cpu().numpy(), rows, rtol=1e-5, atol=1e-5)
    for feature in set(trace.alone) & set(trace.stages):
        moves = to_module.weight[space.columns_of(feature)].cpu().numpy()
        expected = np.eye(moves.shape[1])[inner.columns_of(trace.alone[feature])]
        agrees &= np.allclose(moves, expected, atol=1e-5)
    if not agrees:
        raise ValueError(
            "The pipeline treats a feature by others, or by its value: it is not what its steps "
            "seem to be (a FunctionTransformer that looks at several columns, say), so that no "
            "counterfactual can be mapped back through it. Derive such features before the "
            "pipeline, or leave the step to CounterfactualTrainedClassifier."
        )


def _trained_constraints(trace, space, classifier, to_module):
    """Return what the classifier was trained with, in the pipeline's units."""
    inner, trained = classifier.feature_space_, classifier.constraints_
    n_columns = space.groups.n_columns
    may_rise, may_fall = np.ones(n_columns, dtype=bool), np.ones(n_columns, dtype=bool)
    low, high = (bound.copy() for bound in space.domain)
    told = _in_x_units(trace, space, inner, trained.low, trained.high)
    at_0, at_1 = space.unscaled(np.stack([np.zeros(n_columns), np.ones(n_columns)]))
    moves = to_module.weight.cpu().numpy() != 0
    for feature in set(range(len(space.names))) - space.schema.unread:
        here = space.columns_of(feature)
        if feature not in trace.alone:
            moved = moves[here].any(axis=0)
            fixed = moved.any() and not (trained.may_rise | trained.may_fall)[moved].any()
            may_rise[here] = may_fall[here] = not fixed
            continue
        own = inner.columns_of(trace.alone[feature])
        falls = feature in trace.stages and (at_1 < at_0)[here].all()
        may_rise[here] = (trained.may_fall if falls else trained.may_rise)[own]
        may_fall[here] = (trained.may_rise if falls else trained.may_fall)[own]
        if feature in trace.codings:
            low[here], high[here] = trained.low[own], trained.high[own]
        else:
            # What was inferred is inferred again, from the same rows, in X's units.
            inferred = [
                (bound[own] == domain[own]).all()
                for bound, domain in zip((trained.low, trained.high), inner.domain, strict=True)
            ]
            inferred_low, inferred_high = inferred[::-1] if falls else inferred
            if not inferred_low:
                low[here] = told[0][here]
            if not inferred_high:
                high[here] = told[1][here]
    return Constraints(low, high, may_rise, may_fall, space.groups)


def _trained_costs(trace, space, classifier):
    """Return the classifier's costs, per unit of X; 1 per module unit where it has none."""
    inner = classifier.feature_space_
    per_module_unit = np.ones(len(space.names))
    for feature, own in trace.alone.items():
        per_module_unit[feature] = classifier.feature_costs_[own]
        if feature in trace.stages:
            per_module_unit[feature] *= inner.scale[inner.columns_of(own)].item()
    per_module_unit[space.numeric] /= np.abs(space.scale[: len(space.numeric)])
    return per_module_unit
