"""A fitted pipeline as a model that is explained in the units of the rows that enter it."""

from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import torch

from ctsk._columns.categories import Categories
from ctsk._columns.constraints import Constraints
from ctsk._columns.containers import check_columns, dtypes_of, is_frame, listed
from ctsk._columns.encoder import Encoder, reachable_columns
from ctsk._columns.grid import Grid
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema
from ctsk._columns.validation import check_table, refuse_values
from ctsk._explaining.curves import Curve, Line
from ctsk._explaining.pipeline_map import MadeUpRows, linear_map
from ctsk._explaining.pipeline_steps import follow, split, transformed


def model_of(pipeline, inner, X, X_reference=None):
    """Return a fitted pipeline as an explainable model.

    Parameters
    ----------
    pipeline : Pipeline
    inner : ExplainableModel
        The last step.
    X : DataFrame or ndarray of shape (n_rows, n_features)
        A table like those that enter the pipeline. Only its columns and dtypes are used, so
        that the model does not depend on the rows to be explained.
    X_reference : DataFrame or ndarray of shape (n_reference, n_features), default=None
        Observed rows. They list the categories of text that no step lists.

    Returns
    -------
    model : ExplainableModel
        With the constraints and costs of the last step. Its judge returns NaN for rows
        that the pipeline rejects.

    Raises
    ------
    ValueError
        If a step cannot be inverted, or X is not what the pipeline was fitted with.
    """
    # The steps are measured on rows that are made up, so that the model is the same for
    # whatever rows are explained.
    names = check_names(pipeline, X)
    made_up = MadeUpRows(names, dtypes_of(X), is_frame(X))
    known = made_up.known_categories(X_reference)
    paths = follow(pipeline, names, inner.encoder.schema, known)
    schema = _schema(paths, names, made_up.dtypes, inner.encoder.schema)
    encoder = _encoder(paths, schema, inner.encoder)
    to_module = linear_map(pipeline, inner, paths, encoder, made_up)

    def read(X):
        table = check_table(X, schema.names)
        check_names(pipeline, table)
        rows = _read(table, schema, like=X)
        _check_branches(rows, encoder)
        return rows

    # The search descends the affine map and the classifier's module as one module; only the
    # judge transforms rows by the steps themselves.
    return replace(
        inner,
        module=torch.nn.Sequential(to_module, inner.module),
        read=read,
        predict_proba=partial(_judged, pipeline, inner),
        encoder=encoder,
        constraints=_trained_constraints(paths, encoder, inner, to_module),
        feature_costs=_trained_costs(paths, encoder, inner),
        # What a generator learned in the classifier's units holds here if they are the same.
        has_learned=inner.has_learned and to_module.is_identity(encoder.groups),
    )


def _read(X, schema, like):
    """Read rows that go into a pipeline."""
    # An imputer would fill a gap, but then the counterfactual would start from its guess.
    rows = Rows.read(X, schema, like)
    gaps = np.argwhere(np.isnan(rows.values))
    if len(gaps):
        row, feature = gaps[0]
        raise ValueError(
            f"X has no number in feature {schema.names[feature]!r} (first in row {row}). The "
            "pipeline may impute it, but a counterfactual has to start from a number: impute "
            "missing numbers before rows are explained."
        )
    refuse_values(rows.values, schema.names, "explain")
    return rows


def _check_branches(rows, encoder):
    """Raise a ValueError if a number lies where the pipeline folds it onto other numbers."""
    for column, stages in encoder.curves.items():
        feature = encoder.numeric[column]
        numbers = rows.values[:, feature]
        for stage in stages:
            if isinstance(stage, Curve):
                outside = (numbers < stage.domain[0]) | (numbers > stage.domain[1])
                if outside.any():
                    row = np.flatnonzero(outside)[0]
                    raise ValueError(
                        f"The pipeline maps numbers of feature {encoder.names[feature]!r} on both "
                        "sides of a point to the same, as an absolute value does, and a search "
                        f"follows one side only, to which row {row} of X does not belong. Derive "
                        "such a column before the rows enter the pipeline."
                    )
            numbers = stage.forward(numbers)


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
    """An encoder whose numbers may pass curves before they are scaled.

    Parameters
    ----------
    schema : Schema
    curves : dict of int to tuple
        Stages, each a `Line` or a `Curve`, by numeric column.
    **kwargs : dict
        See `Encoder`. A scale may be negative.
    """

    def __init__(self, schema, *, curves, **kwargs):
        super().__init__(schema, **kwargs)
        self.curves = curves

    @cached_property
    def falls(self):
        """Columns that fall in module units while they rise in X's; bool ndarray."""
        # Each falling stage turns the direction around.
        directions = np.sign(self.scale)
        for column, stages in self.curves.items():
            directions[column] *= np.prod([stage.direction for stage in stages])
        return directions < 0

    def to_module_units(self, columns):
        """Map columns, or bounds of columns, to module units."""
        columns = np.array(columns, dtype=np.float64)
        # A bound outside the table of a curve maps to its end, beyond which no search goes.
        for column, stages in self.curves.items():
            for stage in stages:
                columns[..., column] = stage.forward(columns[..., column])
        return super().to_module_units(columns)

    def to_x_units(self, encoded):
        """Map module rows to columns."""
        columns = super().to_x_units(encoded)
        for column, stages in self.curves.items():
            for stage in reversed(stages):
                columns[..., column] = stage.inverse(columns[..., column])
        return columns

    def bounds_to_x_units(self, low, high, *, exactly):
        """Map bounds of module columns to columns; what is open stays open.

        The table of a curve is accurate to a few thousandths of a unit, which is enough for a
        domain that was inferred; one that the user gave is mapped exactly.
        """
        # Where a column falls, the upper bound in module units is the lower one in X's.
        bounds = np.stack([np.where(self.falls, high, low), np.where(self.falls, low, high)])
        columns = super().to_x_units(bounds)
        for column, stages in self.curves.items():
            is_finite = np.isfinite(bounds[:, column])
            for stage in reversed(stages):
                undo = stage.solve if exactly else stage.inverse
                columns[is_finite, column] = undo(columns[is_finite, column])
            # An end that is open in module units is open in the direction of X's units.
            columns[~is_finite, column] = np.array([-np.inf, np.inf])[~is_finite]
        return columns


def check_names(pipeline, X):
    """Return the names of the features that enter a pipeline; a ValueError if X has others."""
    fitted = getattr(pipeline, "feature_names_in_", None)
    if is_frame(X):
        names = list(X.columns)
        check_columns(names)
        if fitted is not None and names != list(fitted):
            raise ValueError(
                f"The columns of X are {listed(names)}; the pipeline was fitted with "
                f"{listed(list(fitted))}. Give these, in this order."
            )
        return names
    if fitted is not None:
        raise ValueError(
            "X has no column names, but the pipeline was fitted with a DataFrame; its columns "
            f"are {listed(list(fitted))}."
        )
    if X.dtype.kind not in "biuf":
        raise ValueError(
            f"X is an array of {X.dtype}. A pipeline that accepts text needs a DataFrame, in which "
            "each column has a name and a dtype."
        )
    n_fitted = getattr(pipeline, "n_features_in_", X.shape[1])
    if X.shape[1] != n_fitted:
        raise ValueError(
            f"X has {X.shape[1]} features, but the pipeline was fitted with {n_fitted}."
        )
    return [f"x{i}" for i in range(n_fitted)]


def _schema(paths, names, dtypes, inner):
    """Return names and kinds of the pipeline's columns."""
    categories = {}
    for feature, coding in paths.codings.items():
        values, ordered = coding.values, coding.ordered
        # Where the classifier knows the category itself, its order is the one that counts.
        if feature not in paths.alone and getattr(dtypes[feature], "ordered", False):
            order = [*dtypes[feature].categories, None]
            if set(values) <= set(order):
                values, ordered = [value for value in order if value in values], True
        observed = np.array([value is not None and value not in coding.unseen for value in values])
        categories[feature] = Categories(tuple(values), observed, ordered)
    integral = np.array([dtype.kind in "iu" for dtype in dtypes])
    # A number that reaches the classifier unchanged is whole if it was whole in training.
    for feature, inner_feature in paths.alone.items():
        if feature in paths.stages and not paths.stages[feature]:
            integral[feature] |= inner.integral[inner_feature]
    integral[list(categories)] = False
    # A feature that no step and no classifier reads may hold anything, dates for example.
    unread = frozenset(range(len(names))) - set(paths.codings) - set(paths.stages)
    return Schema(names, categories, integral, unread)


def _encoder(paths, schema, inner):
    """Return the encoder between the pipeline's units and the classifier's module units."""
    numeric = schema.numeric
    reachable = reachable_columns(schema)
    center, scale = np.zeros(len(numeric)), np.ones(len(numeric))
    curves = {}
    for column, feature in enumerate(numeric):
        stages = paths.stages.get(feature, ())
        # The unit of a number is that of the last column that holds it alone: the classifier's
        # own, if it arrives there, or that of the last line before it is mixed with others.
        if feature not in paths.alone:
            curved, line = split(stages)
        else:
            inner_column = inner.feature_columns[paths.alone[feature]][0]
            observed = [bounds[inner_column] for bounds in inner.observed]
            curved, line = split(_reaching(stages, observed))
            line = line.then(Line(inner.center[inner_column], inner.scale[inner_column]))
        center[column], scale[column] = line.origin, line.unit
        if curved:
            curves[column] = curved
    zeros, ones = np.zeros_like(reachable), np.ones_like(reachable)
    make = partial(
        PipelineEncoder,
        schema,
        curves=curves,
        center=np.append(center, zeros),
        scale=np.append(scale, ones),
    )
    # The domain is mapped by the encoder itself, which therefore exists before its domain.
    learned = {
        "fill": np.zeros(len(center) + len(zeros)),
        "shares": _shares(paths, schema, inner),
        "grids": _grids(paths, schema, inner),
    }
    encoder = make(domain=None, observed=None, **learned)
    observed = _in_x_units(paths, encoder, inner, *inner.observed)
    # Mapped there and back, a zero is a tiny number. Whether the domain ends at zero depends
    # on the sign.
    observed = [
        np.where(np.abs(bounds) <= 1e-9 * np.abs(scale), 0.0, bounds) for bounds in observed
    ]
    # Open where the classifier has observed no number of the feature alone.
    low, high = np.where(np.isnan(observed), [[-np.inf], [np.inf]], observed)
    domain = (np.append(low, zeros), np.append(high, reachable))
    return make(domain=domain, observed=observed, **learned)


def _shares(paths, schema, inner):
    """Return the shares that stand for an unknown category, by column."""
    parts = [np.zeros(len(schema.numeric))]
    for feature in sorted(schema.categories):
        size = len(schema.categories[feature])
        parts.append(np.full(size, 1 / size))
    return np.concatenate(parts)


def _grids(paths, schema, inner):
    """Return the grids of numbers that reach the classifier unchanged, and of integers."""
    grids = {feature: Grid.of_step(1) for feature in np.flatnonzero(schema.integral).tolist()}
    for feature, inner_feature in paths.alone.items():
        if feature in paths.stages and not paths.stages[feature] and inner_feature in inner.grids:
            grids[feature] = inner.grids[inner_feature]
    return grids


def _reaching(stages, observed):
    """Return stages whose curves have the branch that leads to what the classifier observed."""
    # From the classifier back, because what it observed is known at the end of the path only.
    reached, bounds = [], np.asarray(observed)
    for stage in reversed(stages):
        stage = stage.reaching(*np.sort(bounds)) if isinstance(stage, Curve) else stage
        reached.insert(0, stage)
        bounds = stage.inverse(bounds)
    return tuple(reached)


def _in_x_units(paths, encoder, inner, low, high, *, exactly=False):
    """Map bounds of the classifier's numbers to X's units; open where it sees none alone."""
    module_bounds = np.repeat([[-np.inf], [np.inf]], encoder.groups.n_columns, axis=1)
    for feature in set(paths.alone) & set(paths.stages):
        inner_column = inner.feature_columns[paths.alone[feature]][0]
        bounds = np.array([low[inner_column], high[inner_column]])
        bounds = (bounds - inner.center[inner_column]) / inner.scale[inner_column]
        module_bounds[:, encoder.feature_columns[feature][0]] = bounds
    bounds = encoder.bounds_to_x_units(*module_bounds, exactly=exactly)
    return list(bounds[:, : len(encoder.numeric)])


def _trained_constraints(paths, encoder, model, to_module):
    """Return the constraints of the training, in the pipeline's units."""
    inner, trained = model.encoder, model.constraints
    n_columns = encoder.groups.n_columns
    may_rise, may_fall = np.ones(n_columns, dtype=bool), np.ones(n_columns, dtype=bool)
    is_inferred = np.ones(n_columns, dtype=bool)
    low, high = (bound.copy() for bound in encoder.domain)
    # NaN bounds are not mapped: those that were inferred are inferred again, see below.
    users = [np.where(trained.is_inferred, np.nan, end) for end in (trained.low, trained.high)]
    bounds = _in_x_units(paths, encoder, inner, *users, exactly=True)
    for feature in set(range(len(encoder.names))) - encoder.schema.unread:
        columns = encoder.feature_columns[feature]
        if feature not in paths.alone:
            # A code or a mixture has no bounds in units of the feature, but it has mutability.
            is_fixed = _is_fixed(trained, inner, to_module.weight[columns], paths.uses[feature])
            may_rise[columns] = may_fall[columns] = not is_fixed
            continue
        inner_columns = inner.feature_columns[paths.alone[feature]]
        if feature in paths.codings:
            # A category that the classifier does not know, such as a missing one, has no
            # column there, and cannot be reached.
            inner_columns = _same_categories(
                inner_columns, inner, encoder, paths.alone[feature], feature
            )
            low[columns], high[columns] = 0.0, (inner_columns >= 0) * trained.high[inner_columns]
            may_rise[columns], may_fall[columns] = (
                trained.may_rise[inner_columns[0]],
                trained.may_fall[inner_columns[0]],
            )
            is_inferred[columns] = trained.is_inferred[inner_columns[0]]
            continue
        # If the number falls while the column rises, the directions are exchanged.
        inner_columns = inner_columns[:1]
        step = -1 if encoder.falls[columns[0]] else 1
        may_rise[columns], may_fall[columns] = (
            trained.may_rise[inner_columns],
            trained.may_fall[inner_columns],
        )[::step]
        is_inferred[columns] = trained.is_inferred[inner_columns]
        # An inferred domain is inferred again, from the same rows, in X's units.
        if not trained.is_inferred[inner_columns]:
            low[columns], high[columns] = (bound[columns] for bound in bounds)
    return Constraints(low, high, may_rise, may_fall, encoder.groups, is_inferred, encoder.fill)


def _is_fixed(trained, inner, weight, uses):
    """Whether a feature is immutable: all that it becomes is, or a copy of it is."""
    free = trained.may_rise | trained.may_fall
    moved = (weight != 0).any(dim=0).cpu().numpy()
    copies = [
        inner.feature_columns[inner_feature] for inner_feature in uses if inner_feature is not None
    ]
    is_copy_fixed = not all(free[columns].any() for columns in copies)
    return is_copy_fixed or (moved.any() and not free[moved].any())


def _same_categories(columns, inner, encoder, inner_feature, feature):
    """Return the classifier's columns of the pipeline's categories; -1 where it knows none."""
    known = list(inner.schema.categories[inner_feature].values)
    values = encoder.schema.categories[feature].values
    positions = [known.index(value) if value in known else None for value in values]
    return np.array([-1 if i is None else columns[i] for i in positions])


def _trained_costs(paths, encoder, model):
    """Return the classifier's costs, per unit of X; 1 per module unit where it has none."""
    inner = model.encoder
    # From costs per unit of the classifier's column over costs per module unit to costs per
    # unit of X.
    costs = np.ones(len(encoder.names))
    for feature, inner_feature in paths.alone.items():
        costs[feature] = model.feature_costs[inner_feature]
        if feature in paths.stages:
            costs[feature] *= inner.scale[inner.feature_columns[inner_feature][0]].item()
    costs[encoder.numeric] /= np.abs(encoder.scale[: len(encoder.numeric)])
    return costs
