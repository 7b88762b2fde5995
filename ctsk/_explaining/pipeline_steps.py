"""What the fitted steps of a pipeline do to each feature on its way to the classifier."""

import functools
import warnings
from dataclasses import dataclass, replace

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

from ctsk._columns.containers import is_missing

_ENCODERS = (OneHotEncoder, OrdinalEncoder, TargetEncoder)
_SCALERS = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)
_PROJECTIONS = (PCA, IncrementalPCA, TruncatedSVD)
_CURVES = (PowerTransformer, QuantileTransformer, FunctionTransformer)
_INSTEAD = (
    "Leave it to CounterfactualTrainedClassifier, which takes raw rows (it standardises numbers "
    "and codes categories itself), or do it to the rows before they go into the pipeline; a "
    "FunctionTransformer needs its inverse_func."
)


@dataclass(frozen=True)
class Line:
    """An affine stage on the way of a number: how many units from the origin it is."""

    origin: float = 0.0
    unit: float = 1.0

    def forward(self, numbers):
        """Apply the stage."""
        return (numbers - self.origin) / self.unit

    def inverse(self, numbers):
        """Undo the stage."""
        return numbers * self.unit + self.origin

    def then(self, line):
        """Return both stages as one."""
        return Line(self.inverse(line.origin), self.unit * line.unit)


@dataclass(frozen=True)
class Curve:
    """A stage by a transformer that treats each of its columns alone."""

    transformer: object
    column: int
    n_columns: int

    def forward(self, numbers):
        """Apply the stage; NaN where it is not defined, infinite numbers stay."""
        return self._each(self.transformer.transform, numbers)

    def inverse(self, numbers):
        """Undo the stage; NaN where that is impossible."""
        return self._each(self.transformer.inverse_transform, numbers)

    def _each(self, method, numbers):
        answers, finite = np.array(numbers, dtype=np.float64), np.isfinite(numbers)
        if finite.any():
            answers[finite] = self._defined(method, answers[finite])
        return answers

    def _defined(self, method, numbers):
        matrix = np.repeat(numbers[:, None], self.n_columns, axis=1)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _ask(self.transformer, method, matrix)[:, self.column]
        except ValueError:
            # Some transformers refuse all numbers because of one.
            if len(numbers) == 1:
                return np.array([np.nan])
            return np.concatenate(
                [self._defined(method, part) for part in np.array_split(numbers, 2)]
            )


@dataclass(frozen=True)
class Coding:
    """The categories of one feature.

    Parameters
    ----------
    cells : ndarray of shape (n_categories,)
        As they go into the pipeline; a missing value, of any kind, is the last.
    ordered : bool
    unseen : tuple
        Categories that stand for a missing value only, by an imputer.
    """

    cells: np.ndarray
    ordered: bool
    unseen: tuple = ()

    @property
    def values(self):
        """The categories; None for a missing one."""
        return [None if is_missing(cell) else cell for cell in self.cells.tolist()]


@dataclass(frozen=True)
class _Column:
    """A column that is a function of one feature: a number behind stages, or a category."""

    feature: int
    stages: tuple = ()
    # What an imputer takes for missing and what it puts there, if the column passed one.
    missing: object = None
    fill: object = None
    is_constant: bool = False


class FeaturePaths:
    """A walk through fitted steps that follows every feature to the classifier.

    Parameters
    ----------
    pipeline : Pipeline
    names : list
        Of the features that go in.
    schema : Schema
        Of the rows that reach the last step.

    Attributes
    ----------
    codings : dict of int to Coding
        The features that are categories.
    stages : dict of int to tuple of Line and Curve
        The features that are numbers: what each passes until it reaches the
        classifier or is mixed with others.
    uses : dict of int to list
        Where both arrive: features of the classifier; None for codes of a category
        and for a mixture. Features in neither do not reach the classifier.

    Raises
    ------
    ValueError
        If a step cannot be inverted, or uses of a feature contradict each other.
    """

    def __init__(self, pipeline, names, schema):
        self.names = names
        self.codings, self.stages, self.uses = {}, {}, {}
        columns = [_Column(feature) for feature in range(len(names))]
        for step, transformer in pipeline.steps[:-1]:
            columns, names = self._through(step, transformer, columns, names)
        self._arrive(columns, schema)
        for feature in set(self.codings) & set(self.stages):
            self._refuse_two_ways(feature)

    @property
    def alone(self):
        """Features of the classifier that are one feature, and by that: it, and only it."""
        once = {feature: uses[0] for feature, uses in self.uses.items() if len(uses) == 1}
        return {feature: own for feature, own in once.items() if own is not None}

    def _through(self, step, transformer, columns, names):
        """Return columns, and their names, behind a transformer."""
        if transformer is None or isinstance(transformer, str):
            return columns, names
        names = list(getattr(transformer, "feature_names_in_", names))
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
        return behind, _names_behind(transformer, names, len(behind))

    def _mapped(self, step, transformer, columns):
        """Return columns behind a transformer that holds no others."""
        n_columns = len(columns)
        if isinstance(transformer, SelectorMixin):
            return [columns[i] for i in transformer.get_support(indices=True)]
        if isinstance(transformer, FunctionTransformer) and _changes_nothing(
            transformer, n_columns
        ):
            return columns
        if isinstance(transformer, SimpleImputer) and is_missing(transformer.missing_values):
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
            origins, ends = _ask(transformer, transformer.inverse_transform, ends)
            stages = [Line(*pair) for pair in zip(origins, ends - origins, strict=True)]
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
                    "category what earlier steps have computed, so that no counterfactual can be "
                    f"mapped back through it. {_INSTEAD}"
                )
            self._know(column, cells, None, ordered=explicit or cells.dtype == bool)
        return [None] * len(encoder.get_feature_names_out())

    def _arrive(self, columns, schema):
        for position, column in enumerate(columns):
            known = schema.categories.get(position)
            if known is None:
                self._use(column, position)
            elif column is not None and not column.stages:
                cells = np.array(known.values, dtype=object)
                self._know(column, cells, position, ordered=known.ordered)
            elif column is not None:
                self._refuse_two_ways(column.feature)

    def _know(self, column, cells, position, *, ordered):
        n_missing = sum(map(is_missing, cells))
        if n_missing > 1:
            raise ValueError(
                f"Missing values of {self.names[column.feature]!r} came as None and as NaN when "
                "the pipeline was fitted; fit it with one of them, for example by X.fillna(np.nan)."
            )
        unseen = ()
        if column.fill in cells.tolist() and not n_missing:
            cells = np.append(cells.astype(object), column.missing)
            unseen = (column.fill,) * column.is_constant
        coding = Coding(cells, ordered, unseen)
        if self.codings.setdefault(column.feature, coding).values != coding.values:
            self._refuse_two_ways(column.feature)
        self.uses.setdefault(column.feature, []).append(position)

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
    return stages[:n_curved], functools.reduce(Line.then, stages[n_curved:], Line())


def _imputed(imputer, columns):
    """Return columns behind an imputer, which leaves complete rows alone."""
    kept = [
        imputer.keep_empty_features or not is_missing(statistic)
        for statistic in imputer.statistics_
    ]
    is_constant = imputer.strategy == "constant"
    behind = [
        column
        and replace(column, missing=imputer.missing_values, fill=fill, is_constant=is_constant)
        for column, fill, is_kept in zip(columns, imputer.statistics_, kept, strict=True)
        if is_kept
    ]
    return behind + [None] * (len(imputer.get_feature_names_out()) - len(behind))


def _changes_nothing(transformer, n_columns):
    """Whether a FunctionTransformer hands numbers on as they are, in another dtype perhaps."""
    if transformer.func is None:
        return True
    probe = np.outer([-1000.0, -1.3, 0.0, 0.2, 7.5, 1000.0], np.ones(n_columns))
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.allclose(_ask(transformer, transformer.transform, probe), probe)
    except Exception:
        # It may be made for other rows, and say so in its own way.
        return False


def _is_curve(transformer):
    if isinstance(transformer, FunctionTransformer):
        return transformer.inverse_func is not None
    return isinstance(transformer, _CURVES)


def _ask(transformer, method, matrix):
    """Ask a transformer about numbers, in the container that it was fitted on."""
    framed = method == transformer.transform or isinstance(transformer, FunctionTransformer)
    if framed and hasattr(transformer, "feature_names_in_"):
        import pandas as pd

        matrix = pd.DataFrame(matrix, columns=transformer.feature_names_in_)
    return np.asarray(method(matrix), dtype=np.float64)


def _names_behind(transformer, names, n_columns):
    try:
        return list(transformer.get_feature_names_out())
    except (AttributeError, ValueError):
        return names if len(names) == n_columns else [f"x{i}" for i in range(n_columns)]


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
