"""The paths of features through the fitted steps of a pipeline to its classifier."""

import functools
from copy import copy
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import OrdinalEncoder

from ctsk._columns.containers import is_missing
from ctsk._columns.curves import Curve, Line, solve
from ctsk._explaining.transformers import Uninvertible, effects_of

_REMEDY = (
    "Leave this to CounterfactualTrainedClassifier, which takes raw rows (it standardizes numbers "
    "and encodes categories itself), or apply the step to the rows before they enter the pipeline."
)


def transformed(pipeline, X):
    """Return rows as they reach the last step of a fitted pipeline.

    Samplers, as those of imbalanced-learn, act in `fit` only. A pipeline that holds one
    cannot be sliced, so that ``pipeline[:-1].transform(X)`` fails.
    """
    for _, step in pipeline.steps[:-1]:
        X = X if _is_passed_by(step) else step.transform(X)
    return X


def _is_passed_by(step):
    return step is None or isinstance(step, str) or hasattr(step, "fit_resample")


@dataclass(frozen=True)
class Coding:
    """The categories of one feature.

    Parameters
    ----------
    cells : ndarray of shape (n_categories,)
        The categories as they enter the pipeline; a missing value, of any kind, is the last.
    ordered : bool
    unseen : tuple
        Categories that stand for a missing value only, put in by an imputer.
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
    """A column that is a function of one feature: a number after stages, or a category.

    A column of any other kind, such as a code or a mixture, is None.
    """

    feature: int
    stages: tuple = ()
    # What the first imputer on the path takes for missing, and what it puts there.
    is_imputed: bool = False
    missing: object = None
    fill: object = None
    is_constant: bool = False
    # Numbers, in X's units, that an imputer takes for missing or puts in place of a gap.
    special: tuple = ()


@dataclass(frozen=True)
class _Arrival:
    """A feature whose path ends: as a number, after stages, or as a category.

    `position` is the feature of the classifier, None where it sees a code or a mixture.
    """

    feature: int
    position: int | None
    stages: tuple = ()
    coding: Coding | None = None
    special: tuple = ()
    is_imputed: bool = False


@dataclass(frozen=True)
class FeaturePaths:
    """The paths of all features to the classifier.

    Parameters
    ----------
    codings : dict of int to Coding
        The features that are categories.
    stages : dict of int to tuple of Line and Curve
        The features that are numbers: what each passes until it reaches the classifier
        or is mixed with others.
    uses : dict of int to list
        Where both arrive: features of the classifier; None for codes of a category and for
        a mixture. Features in neither do not reach the classifier.
    special : dict of int to list of float
        Numbers that are no amounts, in X's units: those that a SimpleImputer takes for
        missing, and constants that it puts in place of gaps.
    imputed : set of int
        Numbers whose gaps a SimpleImputer fills.
    """

    codings: dict
    stages: dict
    uses: dict
    special: dict
    imputed: set

    @property
    def alone(self):
        """Features of the classifier that are exactly one feature, by that feature."""
        once = {feature: uses[0] for feature, uses in self.uses.items() if len(uses) == 1}
        return {feature: position for feature, position in once.items() if position is not None}


def follow(pipeline, names, schema, known):
    """Follow every feature through the fitted steps of a pipeline.

    Parameters
    ----------
    pipeline : Pipeline
    names : list
        Names of the features that enter.
    schema : Schema
        Schema of the rows that reach the last step.
    known : dict of int to list
        Categories of text features, or an empty list where they are unknown. A step
        without the attribute `categories_` is tried with them.

    Returns
    -------
    paths : FeaturePaths

    Raises
    ------
    ValueError
        If a step cannot be inverted, or uses of a feature contradict each other.
    """
    codings, stages, uses, special, imputed = {}, {}, {}, {}, set()
    for arrival in _arrivals(pipeline, names, schema, known):
        feature = arrival.feature
        uses.setdefault(feature, []).append(arrival.position)
        if arrival.special:
            special.setdefault(feature, []).extend(arrival.special)
        if arrival.is_imputed:
            imputed.add(feature)
        # The first arrival defines the feature for the search; all others must agree with it.
        # Lines after the last curve may differ, as each use has a weight of its own.
        if arrival.coding is not None:
            first = codings.setdefault(feature, arrival.coding)
            agrees = first.values == arrival.coding.values
        else:
            agrees = (
                split(stages.setdefault(feature, arrival.stages))[0] == split(arrival.stages)[0]
            )
        if not agrees or (feature in codings and feature in stages):
            raise ValueError(
                f"{names[feature]!r} reaches the classifier in two ways that no search can join: "
                "as a number and as a category, say, or through different curves. Let the "
                "pipeline use it once."
            )
    return FeaturePaths(codings, stages, uses, special, imputed)


def split(stages):
    """Split stages into those up to the last curve, and one line for the rest."""
    n_curved = max((i + 1 for i, stage in enumerate(stages) if isinstance(stage, Curve)), default=0)
    return stages[:n_curved], functools.reduce(Line.then, stages[n_curved:], Line())


def _arrivals(pipeline, names, schema, known):
    """Yield the arrivals of all features, in codes, in mixtures and at the classifier."""
    columns = [_Column(feature) for feature in range(len(names))]
    walk, step_names = _Walk(names, known), names
    for name, step in pipeline.steps[:-1]:
        columns, step_names = yield from walk.through(name, step, columns, step_names)
    for position, column in enumerate(columns):
        if column is None:
            continue
        categories = schema.categories.get(position)
        if categories is None:
            yield _number(column, position)
            continue
        cells = np.array(categories.values, dtype=object)
        coding = walk.coding(column, cells, ordered=categories.ordered)
        # A number that passed stages and is a category after all arrives in both forms.
        yield _Arrival(column.feature, position, coding=coding)
        if column.stages:
            yield _number(column, position)


def _number(column, position=None):
    """Return the arrival of a number."""
    return _Arrival(
        column.feature,
        position,
        column.stages,
        special=column.special,
        is_imputed=column.is_imputed,
    )


@dataclass(frozen=True)
class _Walk:
    """What a walk through the steps knows of the features: names, and categories of texts."""

    names: list
    known: dict

    def through(self, path, step, columns, names):
        """Yield what arrives within a step; return the columns that leave it, and their names."""
        if _is_passed_by(step):
            return columns, names
        names = list(getattr(step, "feature_names_in_", names))
        if isinstance(step, Pipeline):
            for name, part in step.steps:
                columns, names = yield from self.through(f"{path}__{name}", part, columns, names)
            return columns, names
        if isinstance(step, ColumnTransformer | FeatureUnion):
            leaving = yield from self._through_parts(path, step, columns, names)
        elif hasattr(step, "categories_"):
            leaving = yield from self._through_encoder(path, step, columns)
        else:
            leaving = yield from self._through_transformer(path, step, columns, names)
        return leaving, _names_behind(step, names, len(leaving))

    def _through_parts(self, path, step, columns, names):
        if isinstance(step, FeatureUnion):
            parts = [(name, part, slice(None)) for name, part in step.transformer_list]
        else:
            parts = step.transformers_
        # Parts are visited one after the other, so that their columns leave in this order.
        leaving = []
        for name, part, key in parts:
            chosen = _positions(key, names)
            if not chosen or (isinstance(part, str) and part == "drop"):
                continue
            part_columns = [columns[i] for i in chosen], [names[i] for i in chosen]
            found, _ = yield from self.through(f"{path}__{name}", part, *part_columns)
            weight = (step.transformer_weights or {}).get(name, 1)
            leaving += [_weighted(column, weight) for column in found]
        return leaving

    def _through_encoder(self, path, encoder, columns):
        explicit = isinstance(encoder, OrdinalEncoder) and not isinstance(encoder.categories, str)
        for column, cells in zip(columns, encoder.categories_, strict=True):
            # The encoder lists the categories as they enter it; after a stage, it is unknown
            # which cell of X becomes one of them.
            if column is None or column.stages:
                raise ValueError(
                    f"Step {path!r} of the pipeline, {type(encoder).__name__}, encodes as a "
                    "category what earlier steps have computed, so that no counterfactual can be "
                    f"mapped back through it. {_REMEDY}"
                )
            coding = self.coding(column, cells, ordered=explicit or cells.dtype == bool)
            yield _Arrival(column.feature, None, coding=coding)
        return [None] * len(encoder.get_feature_names_out())

    def _through_transformer(self, path, transformer, columns, names):
        # What an imputer does to numbers is measured, as of any transformer. That text may
        # be missing, and that a number stands for a gap, is known from its parameters only.
        if isinstance(transformer, SimpleImputer):
            columns = _imputed(transformer, columns)
            transformer = _of_gaps(transformer)
        texts = {
            i: self.known[column.feature]
            for i, column in enumerate(columns)
            if column is not None and column.feature in self.known
        }
        codes = {i for i, column in enumerate(columns) if column is None}
        try:
            effects = effects_of(transformer, names, texts, codes)
        except Uninvertible as error:
            raise ValueError(
                f"Step {path!r} of the pipeline, {type(transformer).__name__}, cannot be inverted, "
                f"so that no counterfactual can be mapped back through it: {error}. {_REMEDY}"
            ) from error
        for i in effects.coded:
            cells = np.array(texts[i], dtype=object)
            yield _Arrival(columns[i].feature, None, coding=self.coding(columns[i], cells))
        for i in effects.mixed:
            if columns[i] is not None:
                yield _number(columns[i])
        return [
            None if i is None else replace(columns[i], stages=(*columns[i].stages, *stages))
            for i, stages in effects.outputs
        ]

    def coding(self, column, cells, *, ordered=False):
        """Return the coding of a column, from the categories that an encoder has seen."""
        n_missing = sum(map(is_missing, cells))
        if n_missing > 1:
            raise ValueError(
                f"Missing values of {self.names[column.feature]!r} came as None and as NaN when "
                "the pipeline was fitted; fit it with one of them, for example by X.fillna(np.nan)."
            )
        unseen = ()
        # The encoder after an imputer has seen no missing value, but X may hold some: they
        # become a category that has the code of the imputed one.
        if column.fill in cells.tolist() and not n_missing:
            cells = np.append(cells.astype(object), column.missing)
            unseen = (column.fill,) * column.is_constant
            # A word such as "?" that stands for a gap is no category to be reached, either.
            if not is_missing(column.missing):
                unseen = (*unseen, column.missing)
        return Coding(cells, ordered, unseen)


def _weighted(column, weight):
    """Return a column times the weight that a ColumnTransformer or FeatureUnion gives it."""
    if column is None or weight == 1:
        return column
    return replace(column, stages=(*column.stages, Line(0.0, 1 / weight))) if weight else None


def _imputed(imputer, columns):
    """Return columns that know what an imputer does to their missing values."""
    is_constant = imputer.strategy == "constant"
    imputed = []
    for column, fill in zip(columns, imputer.statistics_, strict=True):
        # What a second imputer would fill, the first one has filled.
        if column is None or column.is_imputed:
            imputed.append(column)
            continue
        special = _special_numbers(imputer, column.stages, fill)
        entries = {"missing": imputer.missing_values, "fill": fill, "is_constant": is_constant}
        imputed.append(replace(column, is_imputed=True, special=special, **entries))
    return imputed


def _special_numbers(imputer, stages, fill):
    """Return what an imputer takes for a gap, and its constant, in X's units, if numbers."""
    numbers = [imputer.missing_values, *[fill] * (imputer.strategy == "constant")]
    numbers = [n for n in numbers if isinstance(n, Real) and not is_missing(n)]
    numbers = np.array(numbers, dtype=np.float64)
    numbers = solve(stages, numbers)
    return tuple(numbers[np.isfinite(numbers)].tolist())


def _of_gaps(imputer):
    """Return an imputer that replaces NaN, where the fitted one replaces a number.

    The number, 0 for example, may be among those at which the imputer is measured, and would
    interrupt a function that is a line everywhere else.
    """
    if not isinstance(imputer.missing_values, Real) or is_missing(imputer.missing_values):
        return imputer
    imputer = copy(imputer)
    imputer.missing_values = np.nan
    if imputer.indicator_ is not None:
        imputer.indicator_ = copy(imputer.indicator_)
        imputer.indicator_.missing_values = np.nan
    return imputer


def _names_behind(step, names, n_columns):
    # Names matter only to a later ColumnTransformer that selects by name, which was fitted
    # on a DataFrame. A function on DataFrames is assumed to keep them.
    try:
        return list(step.get_feature_names_out())
    except (AttributeError, ValueError):
        return names if len(names) == n_columns else [f"x{i}" for i in range(n_columns)]


def _positions(key, names):
    """Return the positions of the columns that a part of a ColumnTransformer was given."""
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
