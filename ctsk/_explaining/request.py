"""Requests to a search: a model, rows and settings, validated once."""

from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from ctsk._columns.containers import is_frame, is_series
from ctsk._columns.labels import check_target
from ctsk._columns.rows import Rows
from ctsk._columns.user_constraints import check_constraints, check_costs
from ctsk._columns.validation import (
    Interval,
    StrOptions,
    naming_reference,
    validate_parameter_constraints,
)
from ctsk._explaining.links import add_goal
from ctsk._explaining.models import ExplainableModel
from ctsk._torch.copies import kept_copy
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import chunk_size, chunks, device_of
from ctsk.generators import BaseGenerator, GradientGenerator, Reference
from ctsk.generators.shortcuts import SHORTCUTS, learn_alike, new_generator

# The most values of the paths that an explanation keeps, which take 8 GB.
_MOST_PATH_CELLS = 1_000_000_000
# Settings that are also parameters of the estimator. In a request, None stands for the value of
# the model, and for that of the generator in the case of T.
SHARED_SETTINGS = {
    "generator": [StrOptions(set(SHORTCUTS)), BaseGenerator],
    "tau": [Interval(Real, 0, 1, closed="neither")],
    "T": [Interval(Integral, 1, None, closed="left")],
    "mutability": [dict, "array-like", None],
    "domain": [StrOptions({"auto"}), dict, "array-like", None],
    "feature_costs": [dict, "array-like", None],
}
_CONSTRAINTS = {
    **SHARED_SETTINGS,
    "n_alternatives": [Interval(Integral, 1, None, closed="left")],
    "max_changes": [Interval(Integral, 1, None, closed="left"), None],
    "sparse": ["boolean"],
    "prove": ["boolean"],
    "time_limit": [Interval(Real, 0, None, closed="neither")],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
    "return_path": ["boolean"],
}
# Seed of a generator that learns for an explanation, so that equal requests have equal results.
_SEED = 0


@dataclass(frozen=True, eq=False)
class Settings:
    """The keyword arguments of `CounterfactualTrainedClassifier.explain`.

    Raises
    ------
    ValueError
        If a setting has a wrong type or is out of range (`InvalidParameterError`).
    """

    generator: Any = "nearest"
    tau: Any = None
    T: Any = None
    mutability: Any = None
    domain: Any = None
    feature_costs: Any = None
    X_reference: Any = None
    n_alternatives: Any = 1
    max_changes: Any = None
    sparse: Any = False
    prove: Any = False
    time_limit: Any = 5.0
    n_jobs: Any = None
    verbose: Any = 0
    return_path: Any = False

    def __post_init__(self):
        """Check types and ranges, before anything is read."""
        # Defaults are valid. So is None for every shared setting, but not for one that only explain
        # has. The reference rows are validated where they are read.
        specified = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) is not field.default and field.name in _CONSTRAINTS
        }
        specified = {
            name: value
            for name, value in specified.items()
            if not (value is None and name in SHARED_SETTINGS)
        }
        validate_parameter_constraints(_CONSTRAINTS, specified, "explain")


@dataclass(frozen=True, eq=False)
class Request:
    """Rows to be explained, with everything that the search depends on.

    Parameters
    ----------
    model : ExplainableModel
    rows : Rows
        The factuals.
    targets, factual_predictions : ndarray of shape (n_rows,)
        The classes to reach and the predicted classes, as positions in ``model.classes``.
    factual_proba : ndarray of shape (n_rows, n_classes)
        Class probabilities of the factuals.
    constraints : Constraints
        Constraints in the user's units, common to all rows or one set per row.
    feature_costs : ndarray of shape (n_features,)
        Cost per unit of X, or per change of category.
    generator : BaseGenerator
        The search, fitted if it must be.
    tau : float
        Probability of the target that the model has to give to a row.
    search_tau : float
        Probability of the target by the module that corresponds to `tau`. It differs only if
        the model is a wrapper of the module.
    T, return_path : int, bool
        See `BaseGenerator.search`.
    n_alternatives : int
        Number of counterfactuals of each row.
    max_changes : int or None
        Largest number of features that a counterfactual changes.
    sparse : bool
        Whether few changed features count before the cost.
    prove : bool
        Whether to prove that counterfactuals are the cheapest.
    time_limit : float
        Seconds for the proof of each row.
    n_jobs : int or None
        Number of jobs that prove rows.
    verbose : int
        Whether to report the progress of the proof.
    """

    model: ExplainableModel
    rows: Rows
    targets: np.ndarray
    factual_predictions: np.ndarray
    factual_proba: np.ndarray
    constraints: Any
    feature_costs: np.ndarray
    generator: BaseGenerator
    tau: float
    search_tau: float
    T: int
    n_alternatives: int
    max_changes: int | None
    sparse: bool
    prove: bool
    time_limit: float
    n_jobs: int | None
    verbose: int
    return_path: bool

    def costs(self, values, factual_values):
        """Return the l1 distances between counterfactuals and factuals, weighted by the costs."""
        costs = self.model.encoder.encode_costs(self.feature_costs)
        moves = self._moves(values, factual_values)
        return np.concatenate([np.abs(move) @ costs for move in moves])

    def costs_by_feature(self, values, factual_values):
        """Return what the change of each feature costs; the sums over features are the costs."""
        encoder = self.model.encoder
        costs = encoder.encode_costs(self.feature_costs)
        # Filled in place, since a second copy of all rows would count for the peak of memory.
        by_feature, stop = np.empty((len(values), len(encoder.feature_columns))), 0
        for move in self._moves(values, factual_values):
            start, stop = stop, stop + len(move)
            by_column = np.abs(move) * costs
            for feature, part in enumerate(encoder.feature_columns):
                by_feature[start:stop, feature] = by_column[:, part].sum(axis=1)
        return by_feature

    def _moves(self, values, factual_values):
        """Yield the differences of module rows, for a bounded number of rows at once."""
        # A generator of chunks: one-hot columns may be many times as wide as the values.
        encode = self.model.encoder.encode_values
        for chunk in chunks(len(values), chunk_size(self.model.encoder.groups.n_columns)):
            yield encode(values[chunk]) - encode(factual_values[chunk])


def make_request(model, X, target, settings):
    """Read X, validate the settings, and replace None by the values of model and generator.

    Parameters
    ----------
    model : ExplainableModel
    X : DataFrame or array-like of shape (n_rows, n_features)
    target : None, label or array-like of shape (n_rows,)
    settings : Settings

    Returns
    -------
    request : Request

    Raises
    ------
    ValueError
        If X, `X_reference`, `target` or a setting is invalid.
    """
    # All rows are read before anything is learned or predicted, so that an error comes early.
    rows = model.read(X)
    reference = None
    if settings.X_reference is not None:
        with naming_reference():
            reference = model.read(settings.X_reference, warn=False)
    # Features that are not named keep the constraints and costs of the model.
    constraints = check_constraints(
        settings.mutability, settings.domain, model.encoder, model.constraints, rows
    )
    feature_costs = check_costs(settings.feature_costs, model.encoder, model.feature_costs)
    # One prediction serves both the runner-up, which is the default target, and the report.
    _check_target_index(target, rows)
    proba = model.predict_proba(rows)
    _check_accepted(proba)
    predictions = model.predictions(proba)
    # A threshold may predict a class that is not the most probable one.
    scores = proba + np.eye(len(model.classes))[predictions]
    targets = check_target(target, model.classes, scores)
    # What a wrapper requires of its network is known only now. The search, its generator and the
    # proof then work with a module that is predicted where the wrapped model reaches its goal.
    tau = model.tau if settings.tau is None else settings.tau
    model, search_tau, tau = add_goal(model, tau, targets)
    generator = _ready_generator(settings.generator, model, reference)
    T = generator.default_T if settings.T is None else settings.T
    if settings.return_path:
        _check_size_of_path(len(rows) * settings.n_alternatives, T, len(rows.schema.names))
    return Request(
        model=model,
        rows=rows,
        targets=targets,
        factual_predictions=predictions,
        factual_proba=proba,
        constraints=constraints,
        feature_costs=feature_costs,
        generator=generator,
        tau=tau,
        search_tau=search_tau,
        T=T,
        n_alternatives=settings.n_alternatives,
        max_changes=settings.max_changes,
        sparse=settings.sparse,
        prove=settings.prove,
        time_limit=settings.time_limit,
        n_jobs=settings.n_jobs,
        verbose=settings.verbose,
        return_path=settings.return_path,
    )


def _check_accepted(proba):
    """Raise a ValueError if the model rejects a factual: there is no prediction to change."""
    rejected = np.flatnonzero(np.isnan(proba).any(axis=1))
    if len(rejected):
        raise ValueError(
            f"A step of the pipeline rejects row {rejected[0]} of X ({len(rejected)} in all), so "
            "that it has no prediction. Repair or drop it; pipeline.predict(X) raises the error of "
            "the step."
        )


def _check_size_of_path(n_rows, T, n_features):
    """Raise a ValueError if the paths of all rows would not fit into the memory."""
    # NumPy's integers would overflow.
    n_cells = int(n_rows) * (int(T) + 1) * n_features
    if n_cells > _MOST_PATH_CELLS:
        raise ValueError(
            f"return_path=True would keep {n_cells:,} values: {n_features} features of {n_rows} "
            f"counterfactuals at T + 1 = {T + 1} steps; at most {_MOST_PATH_CELLS:,} are kept. "
            "Lower T, or explain fewer rows at once."
        )


def _check_target_index(target, rows):
    """Raise a ValueError if a Series of targets has the index of X in another order.

    Targets are matched with rows by position. An index that differs from that of X only in
    its order suggests that a match by label was intended.
    """
    if not (is_series(target) and is_frame(rows.table)):
        return
    # Any other index, such as 0, 1, ..., does not refer to X and is ignored.
    index, expected = list(target.index), list(rows.original.index)
    if index != expected and len(index) == len(expected) and set(index) == set(expected):
        raise ValueError(
            "The index of target holds the labels of X's index in another order, so that it is "
            "unclear which row each target belongs to. Use target.loc[X.index] to match them by "
            "label, or target.to_numpy() to match them by position."
        )


def _ready_generator(generator, model, reference):
    """Return the generator that searches, fitted if it must be, on the device of the model."""
    generator = _fitted_generator(generator, model, reference)
    if isinstance(generator, GradientGenerator):
        generator = generator.with_step_of_explanations()
    return generator._on_device(device_of(model.module))


def _fitted_generator(generator, model, reference):
    generator = model.generator if generator is None else new_generator(generator)
    if not generator.learns:
        return generator
    # Reference rows take precedence over what a generator of the model has learned. A clone
    # learns from them, because that generator belongs to the estimator.
    if reference is not None:
        return clone(generator)._learned(_reference(model, reference))
    for fitted in model.learned:
        if learn_alike(generator, fitted):
            return generator.with_learned(fitted)
    if not generator.must_learn:
        # What the generator of the training has learned may be in other units.
        return clone(generator)
    raise ValueError(
        f"{generator!r} learns from rows, and the model was not trained with it in these units. "
        "Pass rows that it can learn from, such as the training rows: explain(X, "
        "X_reference=X_train, ...)."
    )


def _reference(model, rows):
    """Return observed rows in module units, with the classes that the model predicts."""
    # In float32, as in training. The true labels are unknown here; a search has to reach what
    # the model takes for a class anyway.
    module = kept_copy(model.module, torch.float32)
    encoded = torch.as_tensor(
        model.encoder.encode_values(rows.values), dtype=torch.float32, device=device_of(module)
    )
    n_at_once = chunk_size(encoded.shape[1])
    with one_thread_if_small(module, min(len(encoded), n_at_once)):
        labels = torch.cat([module(part).argmax(dim=1) for part in encoded.split(n_at_once)])
    return Reference(
        rows=encoded,
        labels=labels,
        n_classes=len(model.classes),
        groups=model.encoder.groups,
        random=torch.Generator().manual_seed(_SEED),
    )
