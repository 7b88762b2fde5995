"""What the fitted steps of a pipeline do to each feature on its way to the classifier."""

from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

_ENCODERS = (OneHotEncoder, OrdinalEncoder, TargetEncoder)
_SCALERS = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)
_PROJECTIONS = (PCA, IncrementalPCA, TruncatedSVD)
_CURVES = (PowerTransformer, QuantileTransformer, FunctionTransformer)
_INSTEAD = (
    "Leave it to CounterfactualTrainedClassifier, which takes raw rows: it standardises numbers "
    "and codes categories itself."
)


@dataclass(frozen=True)
class Line:
    """An affine stage on the way of a number."""

    slope: float
    intercept: float

    def forward(self, numbers):
        """Apply the stage."""
        return self.slope * numbers + self.intercept

    def inverse(self, numbers):
        """Undo the stage."""
        return (numbers - self.intercept) / self.slope


@dataclass(frozen=True)
class Curve:
    """A stage by a transformer that treats each of its columns alone."""

    transformer: object
    column: int
    n_columns: int

    def forward(self, numbers):
        """Apply the stage; what is infinite stays."""
        return self._each(self.transformer.transform, numbers)

    def inverse(self, numbers):
        """Undo the stage; NaN where that is impossible."""
        return self._each(self.transformer.inverse_transform, numbers)

    def _each(self, method, numbers):
        answers, finite = np.array(numbers, dtype=np.float64), np.isfinite(numbers)
        if finite.any():
            matrix = np.repeat(answers[finite][:, None], self.n_columns, axis=1)
            with np.errstate(all="ignore"):
                answers[finite] = _ask(self.transformer, method, matrix)[:, self.column]
        return answers


@dataclass(frozen=True)
class Coding:
    """The categories of one feature.

    Parameters
    ----------
    cells : ndarray of shape (n_categories,)
        As they go into the pipeline; a missing value, of any kind, is the last.
    ordered : bool
    own : int or None
        The classifier's feature that is this category; None where an encoder
        comes before it.
    """

    cells: np.ndarray
    ordered: bool
    own: int | None = None

    @property
    def values(self):
        """The categories; None for a missing one."""
        return [None if _is_missing(cell) else cell for cell in self.cells.tolist()]


@dataclass(frozen=True)
class _Column:
    """A column that is a function of one feature: a number behind stages, or a category."""

    feature: int
    stages: tuple = ()
    # What an imputer takes for missing, if the column passed one.
    missing: tuple = ()


class Trace:
    """A walk through fitted steps that follows every feature to the classifier.

    Parameters
    ----------
    pipeline : Pipeline
        Its last step is a fitted `CounterfactualTrainedClassifier`.
    names : list
        Of the features that go in.

    Attributes
    ----------
    codings : dict of int to Coding
        The features that are categories.
    stages : dict of int to tuple of Line and Curve
        The features that are numbers: what each passes until it reaches the
        classifier or is mixed with others.
    uses : dict of int to list
        Where: features of the classifier, None for a mixture. Features that are
        neither categories nor numbers do not reach the classifier.

    Raises
    ------
    ValueError
        If a step cannot be inverted, or uses of a feature contradict each other.
    """

    def __init__(self, pipeline, names):
        self.names = names
        self.codings, self.stages, self.uses = {}, {}, {}
        columns = [_Column(feature) for feature in range(len(names))]
        for step, transformer in pipeline.steps[:-1]:
            columns, names = self._through(step, transformer, columns, names)
        self._arrive(columns, pipeline.steps[-1][1].feature_space_.schema)
        for feature in set(self.codings) & set(self.stages):
            self._refuse_two_ways(feature)

    @property
    def alone(self):
        """Features of the classifier that are one feature, and by that: it, and only it."""
        numbers = {feature: uses[0] for feature, uses in self.uses.items() if len(uses) == 1}
        words = {feature: coding.own for feature, coding in self.codings.items()}
        return {feature: own for feature, own in (numbers | words).items() if own is not None}

    def _through(self, step, transformer, columns, names):
        """Return columns, and their names, behind a transformer."""
        if transformer is None or isinstance(transformer, str):
            return columns, names
        if isinstance(transformer, Pipeline):
            for name, inner in transformer.steps:
                columns, names = self._through(f"{step}__{name}", inner, columns, names)
            return columns, names
        if isinstance(transformer, ColumnTransformer):
            behind = []
            for name, inner, key in transformer.transformers_:
                chosen = _positions(key, names)
                if chosen and not (isinstance(inner, str) and inner == "drop"):
                    part = [columns[i] for i in chosen], [names[i] for i in chosen]
                    behind += self._through(f"{step}__{name}", inner, *part)[0]
        else:
            behind = self._mapped(step, transformer, columns)
        return behind, _names_behind(transformer, len(behind))

    def _mapped(self, step, transformer, columns):
        """Return columns behind a transformer that holds no others."""
        n_columns = len(columns)
        if isinstance(transformer, SelectorMixin):
            return [columns[i] for i in transformer.get_support(indices=True)]
        if isinstance(transformer, FunctionTransformer) and transformer.func is None:
            return columns
        if isinstance(transformer, SimpleImputer) and _is_missing(transformer.missing_values):
            return _imputed(transformer, columns)
        if isinstance(transformer, _ENCODERS):
            return self._coded(step, transformer, columns)
        if isinstance(transformer, _PROJECTIONS):
            for column in columns:
                self._use(column, None)
            return [None] * len(transformer.components_)
        stages = None
        if isinstance(transformer, _SCALERS) and not getattr(transformer, "clip", False):
            ends = np.repeat([[0.0], [1.0]], n_columns, axis=1)
            starts, ends = _ask(transformer, transformer.transform, ends)
            stages = [Line(*pair) for pair in zip(ends - starts, starts, strict=True)]
        elif _is_curve(transformer) and None not in columns:
            stages = [Curve(transformer, column, n_columns) for column in range(n_columns)]
        if stages is None:
            raise ValueError(
                f"Step {step!r} of the pipeline, {type(transformer).__name__}, cannot be inverted, "
                f"so that no counterfactual can be mapped back through it. {_INSTEAD}"
            )
        return [
            column and replace(column, stages=(*column.stages, stage))
            for column, stage in zip(columns, stages, strict=True)
        ]

    def _coded(self, step, encoder, columns):
        explicit = isinstance(encoder, OrdinalEncoder) and not isinstance(encoder.categories, str)
        for column, cells in zip(columns, encoder.categories_, strict=True):
            if column is None or column.stages:
                raise ValueError(
                    f"Step {step!r} of the pipeline, {type(encoder).__name__}, takes for a "
                    "category what earlier steps made a number, so that no counterfactual can be "
                    f"mapped back through it. {_INSTEAD}"
                )
            self._know(column, cells, ordered=explicit or cells.dtype == bool)
        return [None] * len(encoder.get_feature_names_out())

    def _arrive(self, columns, schema):
        for position, column in enumerate(columns):
            known = schema.categories.get(position)
            if known is None:
                self._use(column, position)
            elif column is not None and not column.stages:
                cells = np.array(known.values, dtype=object)
                self._know(column, cells, ordered=known.ordered, own=position)
            elif column is not None:
                self._refuse_two_ways(column.feature)

    def _know(self, column, cells, *, ordered, own=None):
        if column.missing and not any(map(_is_missing, cells)):
            cells, own = np.append(cells.astype(object), column.missing), None
        coding = Coding(cells, ordered, own)
        if self.codings.setdefault(column.feature, coding).values != coding.values:
            self._refuse_two_ways(column.feature)

    def _use(self, column, position):
        if column is None:
            return
        known = self.stages.setdefault(column.feature, column.stages)
        if split(known)[0] != split(column.stages)[0]:
            self._refuse_two_ways(column.feature)
        self.uses.setdefault(column.feature, []).append(position)

    def _refuse_two_ways(self, feature):
        raise ValueError(
            f"{self.names[feature]!r} reaches the classifier in two ways that no search can join: "
            "as a number and as a category, say, or through different curves. Let the pipeline "
            "use it once."
        )


def split(stages):
    """Split stages into those up to the last curve, and one line for the rest."""
    n_curved = max((i + 1 for i, stage in enumerate(stages) if isinstance(stage, Curve)), default=0)
    slope, intercept = 1.0, 0.0
    for line in stages[n_curved:]:
        slope, intercept = line.slope * slope, line.forward(intercept)
    return stages[:n_curved], Line(slope, intercept)


def _imputed(imputer, columns):
    """Return columns behind an imputer, which leaves complete rows alone."""
    kept = [
        imputer.keep_empty_features or not _is_missing(statistic)
        for statistic in imputer.statistics_
    ]
    behind = [
        column and replace(column, missing=(imputer.missing_values,))
        for column, is_kept in zip(columns, kept, strict=True)
        if is_kept
    ]
    return behind + [None] * (len(imputer.get_feature_names_out()) - len(behind))


def _is_curve(transformer):
    if isinstance(transformer, FunctionTransformer):
        return transformer.inverse_func is not None
    return isinstance(transformer, _CURVES)


def _is_missing(cell):
    not_a_number = isinstance(cell, Real) and cell != cell
    return cell is None or not_a_number or type(cell).__name__ == "NAType"


def _ask(transformer, method, matrix):
    """Ask a transformer about numbers, in the container that it was fitted on."""
    if hasattr(transformer, "feature_names_in_") and method == transformer.transform:
        import pandas as pd

        matrix = pd.DataFrame(matrix, columns=transformer.feature_names_in_)
    return np.asarray(method(matrix), dtype=np.float64)


def _names_behind(transformer, n_columns):
    try:
        return list(transformer.get_feature_names_out())
    except (AttributeError, ValueError):
        return [f"x{column}" for column in range(n_columns)]


def _positions(key, names):
    """Positions of the columns that a part of a ColumnTransformer was given."""
    if isinstance(key, slice) and not isinstance(key.start or key.stop, str):
        return list(range(len(names)))[key]
    if isinstance(key, slice):
        start = 0 if key.start is None else names.index(key.start)
        stop = len(names) if key.stop is None else names.index(key.stop) + 1
        return list(range(start, stop))
    keys = list(np.atleast_1d(np.asarray(key, dtype=object)))
    if keys and all(isinstance(entry, bool | np.bool_) for entry in keys):
        return [position for position, is_chosen in enumerate(keys) if is_chosen]
    positions = range(len(names))
    return [names.index(entry) if isinstance(entry, str) else positions[entry] for entry in keys]
