"""Calibrated classifiers, and classifiers with another threshold, as explainable models."""

import copy
import warnings
from dataclasses import replace

import numpy as np
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ctsk._explaining.calibrated_nets import (
    Affine,
    CalibratedNet,
    CalibratedNets,
    Isotonic,
    Sigmoid,
    Temperature,
)
from ctsk._explaining.links import (
    MarginClassifier,
    ProbabilityClassifier,
    ScoringMarginClassifier,
    extended,
)
from ctsk._explaining.pipelines import judged_in_halves
from ctsk._torch.utils import device_of
from ctsk.exceptions import UnknownValueWarning

THRESHOLDS = FixedThresholdClassifier | TunedThresholdClassifierCV
WRAPPERS = CalibratedClassifierCV | THRESHOLDS
# Numbers of a feature on which two encoders are compared, as shares of its range.
_PROBES = np.linspace(-0.5, 1.5, 9)
# Relative difference up to which the rows of two encoders count as equal.
_TOLERANCE = 1e-6


def wrapped_estimators(model):
    """Return the fitted estimators within a wrapper.

    Parameters
    ----------
    model : CalibratedClassifierCV, FixedThresholdClassifier or TunedThresholdClassifierCV

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the wrapper is not fitted.
    """
    if isinstance(model, CalibratedClassifierCV):
        check_is_fitted(model, "calibrated_classifiers_")
        # A calibrator does not depend on a threshold within it.
        estimators = [calibrated.estimator for calibrated in model.calibrated_classifiers_]
        return [_without_threshold(estimator) for estimator in estimators]
    if isinstance(model, FixedThresholdClassifier) and not hasattr(model, "estimator_"):
        # Like scikit-learn, this accepts a wrapper that is not fitted around a model that is.
        check_is_fitted(model.estimator)
        return [model.estimator]
    check_is_fitted(model, "estimator_")
    return [model.estimator_]


def _without_threshold(estimator):
    while isinstance(estimator, THRESHOLDS):
        (estimator,) = wrapped_estimators(estimator)
    return estimator


def model_of(model, inner):
    """Return a wrapped model as an explainable model.

    Parameters
    ----------
    model : CalibratedClassifierCV, FixedThresholdClassifier or TunedThresholdClassifierCV
    inner : list of ExplainableModel
        The models of `wrapped_estimators`.

    Returns
    -------
    explainable : ExplainableModel
        With the constraints of the first inner model. If there are several, a feature whose
        domain was inferred has the range of all of them.

    Raises
    ------
    ValueError
        If the inner models read a feature in different ways, or calibrate twice.
    """
    estimators = wrapped_estimators(model)
    if isinstance(model, THRESHOLDS):
        return _with_threshold(model, inner[0], estimators[0])
    return _calibrated(model, inner, estimators)


def _with_threshold(model, inner, estimator):
    """Return a model with another threshold, whose default goal is its decision."""
    classes = np.asarray(model.classes_)
    link, on_probabilities = copy.copy(model), copy.copy(model)
    link.estimator_ = _link(inner, estimator)
    on_probabilities.estimator_ = ProbabilityClassifier(classes)

    def decide(proba):
        return np.searchsorted(classes, on_probabilities.predict(proba))

    return replace(
        inner, classes=classes, tau=None, link=link, decide=decide, head_predictions=None
    )


def _link(inner, estimator):
    """Return what an inner model makes of the margin of its module."""
    if inner.link is not None:
        return inner.link
    # The methods that the estimator has determine the scores that a wrapper takes.
    has_margins = hasattr(estimator, "decision_function")
    kind = ScoringMarginClassifier if has_margins else MarginClassifier
    return kind(np.asarray(estimator.classes_))


def _calibrated(model, inner, estimators):
    """Return a calibrated classifier."""
    classes = np.asarray(model.classes_)
    for estimator in estimators:
        # scikit-learn encodes labels of text itself if it scales by a temperature.
        known = classes, np.arange(len(classes))
        if not any(np.array_equal(estimator.classes_, labels) for labels in known):
            raise ValueError(
                f"A classifier within model was fitted with the classes {estimator.classes_}, "
                f"rather than {classes}: a fold has no row of some class. Pass a cv with "
                "stratified folds to CalibratedClassifierCV."
            )
    first = inner[0]

    def predict_proba(rows):
        def judged(rows):
            with warnings.catch_warnings():
                # The user was warned when X was read.
                warnings.simplefilter("ignore", UnknownValueWarning)
                return model.predict_proba(rows.container)

        return judged_in_halves(judged, rows, len(classes))

    calibrated = replace(
        first, classes=classes, predict_proba=predict_proba, decide=None, head_predictions=None
    )
    if len(inner) == 1 and len(classes) == 2:
        # The calibration is a function of the margin, so that the network itself is searched.
        return replace(calibrated, link=_calibrating_link(model, _link(first, estimators[0])))
    if any(explainable.link is not None for explainable in inner):
        raise ValueError(
            "model calibrates an ensemble of classifiers that are calibrated themselves, or have a "
            "threshold within a pipeline. Calibrate once, or pass ensemble=False."
        )
    if len(inner) == 1 and model.method == "temperature":
        beta = float(model.calibrated_classifiers_[0].calibrators[0].beta_)
        weights = beta * torch.eye(len(classes), dtype=torch.float64)
        module = extended(first.module, weights, torch.zeros_like(weights[0]))
        return replace(calibrated, module=module, link=None)
    return replace(
        _with_all_ranges(calibrated, inner), module=_module(model, inner, estimators), link=None
    )


def _calibrating_link(model, link):
    """Return a copy of a calibrated classifier whose only estimator is a classifier of margins."""
    calibrated = copy.copy(model.calibrated_classifiers_[0])
    calibrated.estimator = link
    outer = copy.copy(model)
    outer.calibrated_classifiers_ = [calibrated]
    return outer


def _module(model, inner, estimators):
    """Return a module with the mean of the calibrated probabilities of several networks."""
    nets = []
    for explainable, estimator, calibrated in zip(
        inner, estimators, model.calibrated_classifiers_, strict=True
    ):
        scores = "probabilities"
        if hasattr(estimator, "decision_function"):
            scores = "margins" if len(model.classes_) == 2 else "logits"
        align = nn.Identity()
        if explainable is not inner[0]:
            align = _alignment(inner[0].encoder, explainable.encoder)
        curves = [_curve(calibrator) for calibrator in calibrated.calibrators]
        nets.append(CalibratedNet(align, explainable.module, curves, scores))
    return CalibratedNets(nets).to(device_of(inner[0].module))


def _curve(calibrator):
    """Return a calibrator of scikit-learn as a torch module."""
    # Attributes tell them apart, because the classes of all but one are private.
    if hasattr(calibrator, "X_thresholds_"):
        return Isotonic(calibrator.X_thresholds_, calibrator.y_thresholds_)
    if hasattr(calibrator, "beta_"):
        return Temperature(float(calibrator.beta_))
    return Sigmoid(-calibrator.a_, -calibrator.b_)


def _with_all_ranges(model, inner):
    """Return a model whose numbers may move within the domains of all inner models."""
    encoder, n_numeric = copy.copy(model.encoder), len(model.encoder.numeric)

    def widest(pairs):
        """Return the widest bounds of the numbers, and the first model's of categories."""
        pairs = list(pairs)
        low, high = pairs[0][0].copy(), pairs[0][1].copy()
        # A feature without any number in the training rows of one model has NaN.
        low[:n_numeric] = np.fmin.reduce([pair[0][:n_numeric] for pair in pairs])
        high[:n_numeric] = np.fmax.reduce([pair[1][:n_numeric] for pair in pairs])
        return low, high

    encoder.domain = widest(explainable.encoder.domain for explainable in inner)
    encoder.observed = widest(explainable.encoder.observed for explainable in inner)
    # Domains that the user has passed are the same in all models.
    constraints = [explainable.constraints for explainable in inner]
    low, high = widest((part.low, part.high) for part in constraints)
    return replace(model, encoder=encoder, constraints=replace(constraints[0], low=low, high=high))


def _alignment(encoder, other):
    """Return a module that maps rows of one encoder to those of another.

    Raises
    ------
    ValueError
        If no affine map does so.
    """
    values = _probes(encoder)
    rows = encoder.encode_values(values)
    expected = other.encode_values(_translated(values, encoder.schema, other.schema))
    # Both encoders are sums of functions of single features, so that a map that fits the probes,
    # among which each feature takes each of its categories, fits all rows.
    factors = np.hstack([rows, np.ones((len(rows), 1))])
    solution = np.linalg.lstsq(factors, expected, rcond=None)[0]
    differs = np.abs(factors @ solution - expected).max(axis=0) > _TOLERANCE
    if differs.any():
        feature = other.feature_of_column[np.flatnonzero(differs)[0]]
        raise _different(f"scale numbers of feature {other.names[feature]!r} by different curves")
    return Affine(solution[:-1], solution[-1])


def _probes(encoder):
    """Return values in which one feature after the other takes a number of its values."""
    schema = encoder.schema
    base = encoder.collapse(encoder.fill[None] + encoder.shares)[0]
    parts = [base[None]]

    def add(features, entries):
        part = np.tile(base, (len(entries), 1))
        part[:, features] = entries
        parts.append(part)

    ends = np.array(encoder.observed)
    for column, feature in enumerate(encoder.numeric.tolist()):
        low, high = ends[:, column]
        numbers = low + _PROBES * (high - low) if low < high else base[feature] + _PROBES
        add(feature, [*numbers, *schema.states.get(feature, ())])
    # Shares stand for an unknown category, and differ between models. A search only starts there,
    # or never leaves it, so that the map need not be exact.
    for feature, categories in schema.categories.items():
        add(feature, np.arange(len(categories.values)))
    for group in schema.dummies:
        add(list(group), np.eye(len(group)))
    return np.concatenate(parts)


def _translated(values, schema, other):
    """Return values by the schema of another model, which may number categories otherwise.

    Raises
    ------
    ValueError
        If a feature is a number in one schema and a category in the other, or of use in one only.
    """
    translated = values.copy()
    for feature, name in enumerate(schema.names):
        kinds = [(feature in part.categories, feature in part.unread) for part in (schema, other)]
        if kinds[0] != kinds[1]:
            raise _different(f"take feature {name!r} for different kinds of data")
        if feature in schema.categories:
            known = other.categories[feature].values
            codes = [
                known.index(value) if value in known else -1
                for value in schema.categories[feature].values
            ]
            # The last entry is for unknown categories, whose code is -1.
            translated[:, feature] = np.array([*codes, -1])[values[:, feature].astype(int)]
    return translated


def _different(how):
    return ValueError(
        f"The classifiers within model {how}, because each was trained on other rows, so that no "
        "search can follow all of them. Pass ensemble=False to CalibratedClassifierCV."
    )
