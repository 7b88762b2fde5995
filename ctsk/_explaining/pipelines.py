"""A fitted pipeline as a model that is explained in the units of the rows that enter it."""

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch

from ctsk._columns.constraints import Constraints
from ctsk._columns.containers import check_columns, densified, dtypes_of, is_frame, is_missing, listed
from ctsk._columns.encoder import Encoder, inferred_domain, reachable_columns
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Categories, Schema
from ctsk._columns.validation import check_table, refuse_values
from ctsk._explaining.curves import Curve, Line
from ctsk._explaining.pipeline_steps import follow, split, transformed
from ctsk._torch.utils import device_of

# Places of each number, in module units, at which made-up rows are transformed. The first two
# give the unit of the number's effect.
_PLACES = np.array([0.0, 1.0, -1.0, 2.0])
# Rows in which all features change at once, to see whether their effects add up, and the
# error up to which they do: several curves in a row are exact to a few thousandths.
_N_COMBINATIONS = 20
_ADDITIVITY = 1e-2
_NOT_ADDITIVE = (
    "The pipeline treats a feature by the values of others (a FunctionTransformer that multiplies "
    "columns, say), so that no counterfactual can be mapped back through it. Derive such features "
    "before the pipeline, or leave the step to CounterfactualTrainedClassifier."
)


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
    names = check_names(pipeline, X)
    made_up = _MadeUpRows(names, dtypes_of(X), is_frame(X))
    known = made_up.known_categories(X_reference)
    paths = follow(pipeline, names, inner.encoder.schema, known)
    schema = _schema(paths, names, made_up.dtypes, inner.encoder.schema)
    encoder = _encoder(paths, schema, inner.encoder)
    to_module = _linear_map(paths, encoder, inner, pipeline, made_up)

    def read(X):
        X = check_table(X, schema.names)
        check_names(pipeline, X)
        return _read(X, schema)

    return replace(
        inner,
        module=torch.nn.Sequential(to_module, inner.module),
        read=read,
        predict_proba=partial(_judged, pipeline, inner),
        encoder=encoder,
        constraints=_trained_constraints(paths, encoder, inner, to_module),
        feature_costs=_trained_costs(paths, encoder, inner),
        has_learned=inner.has_learned and to_module.is_identity(encoder.groups),
    )


def _read(X, schema):
    """Read rows that go into a pipeline."""
    rows = Rows.read(X, schema)
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
        directions = np.sign(self.scale)
        for column, stages in self.curves.items():
            directions[column] *= np.prod([stage.direction for stage in stages])
        return directions < 0

    def to_module_units(self, columns):
        """Map columns, or bounds of columns, to module units."""
        columns = np.array(columns, dtype=np.float64)
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


@dataclass(frozen=True)
class _MadeUpRows:
    """Rows with the container, the names and the dtypes of X, but none of its values."""

    names: list
    dtypes: list
    is_frame: bool

    def known_categories(self, X_reference):
        """Return the categories of each text column, as dtype or reference list them."""
        known = {}
        for feature, dtype in enumerate(self.dtypes):
            declared = getattr(dtype, "categories", None)
            cells = [] if declared is None else declared.tolist()
            if dtype.kind in "OUST" and not cells and is_frame(X_reference):
                observed = X_reference.iloc[:, feature].dropna().unique()
                cells = sorted(observed, key=str)
            if dtype.kind in "OUST":
                # A column of objects may hold numbers.
                known[feature] = cells or (None if dtype == object else [])
        return known

    def write(self, values, codings, schema):
        """Return rows of given values; see `Schema.read`."""
        columns = []
        for feature, numbers in enumerate(values.T):
            if feature in codings:
                cells = dict(zip(codings[feature].values, codings[feature].cells, strict=True))
                known = [cells[value] for value in schema.categories[feature].values]
                columns.append([known[int(code)] for code in numbers])
            elif feature in schema.unread:
                columns.append([self._filler(feature)] * len(numbers))
            else:
                columns.append(numbers)
        if not self.is_frame:
            return np.column_stack(columns).astype(np.float64)
        import pandas as pd

        series = map(_series, columns, self.dtypes)
        return pd.DataFrame(dict(zip(self.names, series, strict=True)))

    def _filler(self, feature):
        """Return a cell for a column that the classifier does not see."""
        dtype = self.dtypes[feature]
        declared = getattr(dtype, "categories", None)
        if declared is not None:
            return declared[0] if len(declared) else np.nan
        return "" if dtype.kind in "UST" else 1

    def fitting(self, feature, numbers):
        """Return distinct numbers as the column's dtype holds them."""
        dtype = getattr(self.dtypes[feature], "numpy_dtype", self.dtypes[feature])
        if dtype.kind not in "biu":
            return numbers
        least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        whole = np.clip(np.rint(numbers), least, most)
        if whole[0] == whole[1]:
            whole[1] += 1 if whole[0] < most else -1
        return whole


def _series(cells, dtype):
    """Return a Series of a dtype; of float64 for floats, whose rounding must not show."""
    import pandas as pd

    if dtype.kind == "f":
        return pd.Series(cells, dtype=np.float64)
    declared = getattr(dtype, "categories", None)
    if declared is None:
        return pd.Series(list(cells)).astype(dtype)
    known = dict.fromkeys([*declared, *(cell for cell in cells if not is_missing(cell))])
    return pd.Series(list(cells), dtype=pd.CategoricalDtype(list(known), ordered=dtype.ordered))


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
    for feature, own in paths.alone.items():
        if feature in paths.stages and not paths.stages[feature]:
            integral[feature] |= inner.integral[own]
    integral[list(categories)] = False
    unread = frozenset(range(len(names))) - set(paths.codings) - set(paths.stages)
    return Schema(names, categories, integral, unread)


def _encoder(paths, schema, inner):
    """Return the encoder between the pipeline's units and the classifier's module units."""
    numeric = [f for f in range(len(schema.names)) if f not in schema.categories]
    reachable = reachable_columns(schema)
    center, scale = np.zeros(len(numeric)), np.ones(len(numeric))
    curves = {}
    for column, feature in enumerate(numeric):
        stages, line = split(paths.stages.get(feature, ()))
        if feature in paths.alone:
            own = inner.feature_slices[paths.alone[feature]].start
            line = line.then(Line(inner.center[own], inner.scale[own]))
        center[column], scale[column] = line.origin, line.unit
        if stages:
            curves[column] = stages
    zeros, ones = np.zeros_like(reachable), np.ones_like(reachable)
    make = partial(
        PipelineEncoder,
        schema,
        curves=curves,
        center=np.append(center, zeros),
        scale=np.append(scale, ones),
    )
    encoder = make(domain=None, observed=None)
    observed = _in_x_units(paths, encoder, inner, *inner.observed)
    # Mapped there and back, a zero is a tiny number. Whether the domain ends at zero depends
    # on the sign.
    observed = [np.where(np.abs(ends) <= 1e-9 * np.abs(scale), 0.0, ends) for ends in observed]
    low, high = inferred_domain(*_in_x_units(paths, encoder, inner, *inner.domain), *observed)
    return make(domain=(np.append(low, zeros), np.append(high, reachable)), observed=observed)


def _in_x_units(paths, encoder, inner, low, high, *, exactly=False):
    """Map bounds of the classifier's numbers to X's units; open where it sees none alone."""
    ends = np.repeat([[-np.inf], [np.inf]], encoder.groups.n_columns, axis=1)
    for feature in set(paths.alone) & set(paths.stages):
        own = inner.feature_slices[paths.alone[feature]].start
        bounds = np.array([low[own], high[own]])
        bounds = (bounds - inner.center[own]) / inner.scale[own]
        ends[:, encoder.feature_slices[feature].start] = bounds
    bounds = encoder.bounds_to_x_units(*ends, exactly=exactly)
    return list(bounds[:, : len(encoder.numeric)])


class _Affine(torch.nn.Module):
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


def _linear_map(paths, encoder, inner, pipeline, made_up):
    """Return the map from encoded rows to the classifier's module rows.

    It is learned by transforming made-up rows. In the first row all numbers are at one place
    and all categories at their first; each other row differs from it in one encoded column.
    """

    def module_rows(values):
        try:
            with np.errstate(all="ignore"):
                leaving = transformed(pipeline, made_up.write(values, paths.codings, encoder.schema))
                return inner.encoder.encode(densified(leaving))
        except ValueError as error:
            raise ValueError(
                f"The pipeline rejects rows that were made up to learn what it does ({error}). "
                f"{_NOT_ADDITIVE}"
            ) from error

    n_numeric, numeric = len(encoder.numeric), encoder.numeric
    places = _places(encoder, made_up)
    values = np.tile(places[0], (encoder.groups.n_columns + 1, 1))
    for feature, columns in enumerate(encoder.feature_slices):
        is_category = feature in paths.codings
        n_cells = columns.stop - columns.start
        values[1:][columns, feature] = np.arange(n_cells) if is_category else places[1, feature]
    rows, encoded = module_rows(values), encoder.encode_values(values)
    weight = rows[1:] - rows[0]
    lengths = np.diagonal(encoded[1:] - encoded[0])[:n_numeric]
    weight[:n_numeric] /= np.where(lengths == 0, 1, lengths)[:, None]
    for feature in set(paths.alone) & set(paths.stages):
        column = encoder.feature_slices[feature].start
        weight[column] = 0
        weight[column, inner.encoder.feature_slices[paths.alone[feature]].start] = 1
    bias = rows[0] - encoded[0, :n_numeric] @ weight[:n_numeric]

    rng = np.random.default_rng(0)
    choices = rng.integers(len(places), size=(_N_COMBINATIONS, len(encoder.names)))
    values = np.take_along_axis(places, choices, axis=0)
    for feature, coding in paths.codings.items():
        values[:, feature] = rng.integers(len(coding.cells), size=_N_COMBINATIONS)
    error = np.abs(encoder.encode_values(values) @ weight + bias - module_rows(values))
    size = np.abs(encoder.encode_values(values)) @ np.abs(weight) + np.abs(bias)
    if not (error <= _ADDITIVITY * (1 + size)).all():
        raise ValueError(_NOT_ADDITIVE)
    return _Affine(weight, bias).to(device_of(inner.module))


def _places(encoder, made_up):
    """Return places of each number at which made-up rows are transformed.

    They lie about the middle of what the classifier was trained with. On a curve they are
    points of its table, where interpolation is exact.

    Returns
    -------
    places : ndarray of shape (n_places, n_features)
        In X's units; 0 for categories, which is the first one.
    """
    places = np.zeros((len(_PLACES), len(encoder.names)))
    heights = Encoder.to_x_units(encoder, np.repeat(_PLACES[:, None], encoder.groups.n_columns, 1))
    for column, feature in enumerate(encoder.numeric):
        numbers = heights[:, column]
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


def _trained_constraints(paths, encoder, model, to_module):
    """Return the constraints of the training, in the pipeline's units."""
    inner, trained = model.encoder, model.constraints
    n_columns = encoder.groups.n_columns
    may_rise, may_fall = np.ones(n_columns, dtype=bool), np.ones(n_columns, dtype=bool)
    is_inferred = np.ones(n_columns, dtype=bool)
    low, high = (bound.copy() for bound in encoder.domain)
    given = [np.where(trained.is_inferred, np.nan, end) for end in (trained.low, trained.high)]
    bounds = _in_x_units(paths, encoder, inner, *given, exactly=True)
    for feature in set(range(len(encoder.names))) - encoder.schema.unread:
        columns = encoder.feature_slices[feature]
        if feature not in paths.alone:
            is_fixed = _is_fixed(trained, inner, to_module.weight[columns], paths.uses[feature])
            may_rise[columns] = may_fall[columns] = not is_fixed
            continue
        own = inner.feature_slices[paths.alone[feature]]
        if feature in paths.codings:
            own = _same_categories(own, inner, encoder, paths.alone[feature], feature)
            low[columns], high[columns] = 0.0, (own >= 0) * trained.high[own]
            may_rise[columns], may_fall[columns] = trained.may_rise[own[0]], trained.may_fall[own[0]]
            is_inferred[columns] = trained.is_inferred[own[0]]
            continue
        step = -1 if encoder.falls[columns.start] else 1
        may_rise[columns], may_fall[columns] = (trained.may_rise[own], trained.may_fall[own])[::step]
        is_inferred[columns] = trained.is_inferred[own]
        # An inferred domain is inferred again, from the same rows, in X's units.
        if not trained.is_inferred[own]:
            low[columns], high[columns] = (ends[columns] for ends in bounds)
    return Constraints(low, high, may_rise, may_fall, encoder.groups, is_inferred)


def _is_fixed(trained, inner, weight, uses):
    """Whether a feature is immutable: all that it becomes is, or a copy of it is."""
    free = trained.may_rise | trained.may_fall
    moved = (weight != 0).any(dim=0).cpu().numpy()
    copies = [inner.feature_slices[own] for own in uses if own is not None]
    is_copy_fixed = not all(free[columns].any() for columns in copies)
    return is_copy_fixed or (moved.any() and not free[moved].any())


def _same_categories(columns, inner, encoder, own, feature):
    """Return the classifier's columns of the pipeline's categories; -1 where it knows none."""
    known = list(inner.schema.categories[own].values)
    values = encoder.schema.categories[feature].values
    positions = [known.index(value) if value in known else None for value in values]
    return np.array([-1 if i is None else columns.start + i for i in positions])


def _trained_costs(paths, encoder, model):
    """Return the classifier's costs, per unit of X; 1 per module unit where it has none."""
    inner = model.encoder
    costs = np.ones(len(encoder.names))
    for feature, own in paths.alone.items():
        costs[feature] = model.feature_costs[own]
        if feature in paths.stages:
            costs[feature] *= inner.scale[inner.feature_slices[own]].item()
    costs[encoder.numeric] /= np.abs(encoder.scale[: len(encoder.numeric)])
    return costs
