"""The linear map from encoded rows of a pipeline to its classifier, learned on made-up rows."""

from dataclasses import dataclass

import numpy as np
import torch

from ctsk._columns.containers import densified, is_frame, is_missing
from ctsk._explaining.curves import Curve
from ctsk._explaining.pipeline_steps import transformed
from ctsk._torch.utils import device_of

# Places of each number at which made-up rows are transformed, in units of half its range about
# the middle. The first two give the effect of the number.
_PLACES = np.array([0.0, 0.5, -0.5, 1.0])
# Rows in which all features change at once, to see whether their effects add up, and the error
# up to which they do: several curves in a row are accurate to a few thousandths.
_N_COMBINATIONS = 20
_ADDITIVITY = 1e-2
_NOT_ADDITIVE = (
    "The pipeline treats a feature by the values of others (a FunctionTransformer that multiplies "
    "columns, say), so that no counterfactual can be mapped back through it. Derive such features "
    "before the pipeline, or leave the step to CounterfactualTrainedClassifier."
)


@dataclass(frozen=True)
class MadeUpRows:
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
                known[feature] = cells or (None if isinstance(dtype, np.dtype) else [])
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
        if dtype.kind in "biuf":
            return 1
        # A missing value fits every other dtype, but a step may stumble over it in text.
        return "" if dtype.name in ("object", "str", "string") else None

    def fitting(self, feature, numbers):
        """Return distinct numbers as the column's dtype holds them."""
        dtype = getattr(self.dtypes[feature], "numpy_dtype", self.dtypes[feature])
        if dtype.kind not in "biu" or not self.is_frame:
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


def linear_map(pipeline, inner, paths, encoder, made_up):
    """Return the map from encoded rows to the classifier's module rows.

    Parameters
    ----------
    pipeline : Pipeline
    inner : ExplainableModel
        The last step.
    paths : FeaturePaths
    encoder : PipelineEncoder
    made_up : MadeUpRows

    Returns
    -------
    to_module : AffineMap

    Raises
    ------
    ValueError
        If the effects of features do not add up, or the pipeline rejects made-up rows.
    """

    def module_rows(values):
        X = made_up.write(values, paths.codings, encoder.schema)
        try:
            with np.errstate(all="ignore"):
                return inner.encoder.encode(densified(transformed(pipeline, X)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"The pipeline rejects rows that were made up to learn what it does ({error}). "
                f"{_NOT_ADDITIVE}"
            ) from error

    # One row for each effect shows the map; rows in which everything changes at once show
    # whether the effects add up.
    places = _places(paths, encoder, inner.encoder, made_up)
    weight, bias = _learned(module_rows, places, paths, encoder, inner.encoder)
    values = _combinations(places, paths, encoder)
    encoded = encoder.encode_values(values)
    error = np.abs(encoded @ weight + bias - module_rows(values))
    if not (error <= _ADDITIVITY * (1 + np.abs(encoded) @ np.abs(weight) + np.abs(bias))).all():
        raise ValueError(_NOT_ADDITIVE)
    return AffineMap(weight, bias).to(device_of(inner.module))


def _learned(module_rows, places, paths, encoder, inner):
    """Return weight and bias of the linear map."""
    # In the first row all numbers are at their first place and all categories at their first
    # value; each other row differs from it in one encoded column.
    values = np.tile(places[0], (encoder.groups.n_columns + 1, 1))
    for feature, columns in enumerate(encoder.feature_columns):
        codes = np.arange(len(columns))
        values[1 + columns, feature] = codes if feature in paths.codings else places[1, feature]
    # The difference to the first row is the effect of a category, or of a number over the
    # distance between its places.
    rows, encoded = module_rows(values), encoder.encode_values(values)
    weight = rows[1:] - rows[0]
    n_numeric = len(encoder.numeric)
    lengths = np.diagonal(encoded[1:] - encoded[0])[:n_numeric]
    weight[:n_numeric] /= np.where(lengths == 0, 1, lengths)[:, None]
    for feature in set(paths.alone) & set(paths.stages):
        column = encoder.feature_columns[feature][0]
        # Known without a measurement, and free of its rounding.
        weight[column] = 0
        weight[column, inner.feature_columns[paths.alone[feature]][0]] = 1
    return weight, rows[0] - encoded[0, :n_numeric] @ weight[:n_numeric]


def _combinations(places, paths, encoder):
    """Return values of rows in which all features are at random places or categories."""
    # A seed of its own: the same pipeline is accepted or refused each time.
    rng = np.random.default_rng(0)
    choices = rng.integers(len(places), size=(_N_COMBINATIONS, len(encoder.names)))
    values = np.take_along_axis(places, choices, axis=0)
    for feature, coding in paths.codings.items():
        values[:, feature] = rng.integers(len(coding.cells), size=_N_COMBINATIONS)
    return values


def _places(paths, encoder, inner, made_up):
    """Return places of each number at which made-up rows are transformed.

    They lie in the range that the classifier has observed, if it sees the number alone. On a
    curve they are points of its table, where interpolation is exact.

    Returns
    -------
    places : ndarray of shape (n_places, n_features)
        In X's units; 0 for categories, which is the first one.
    """
    places = np.zeros((len(_PLACES), len(encoder.names)))
    for column, feature in enumerate(encoder.numeric):
        middle, half = 0.0, 1.0
        if feature in paths.alone:
            inner_column = inner.feature_columns[paths.alone[feature]][0]
            least, most = (
                (bounds[inner_column] - inner.center[inner_column]) / inner.scale[inner_column]
                for bounds in inner.observed
            )
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
