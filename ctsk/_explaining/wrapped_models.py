"""Calibrated classifiers, and classifiers with another threshold, as explainable models."""

import copy
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ctsk._columns.containers import listed
from ctsk._columns.user_warnings import ignored_warnings
from ctsk._explaining.alignment import alignment, with_all_ranges
from ctsk._explaining.calibrated_nets import (
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
    """Return what is within the thresholds around an estimator."""
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
        With the constraints of the first inner model, in the units of its encoder. The domain
        of a number is the widest one of all inner models.

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
    _check_classes(classes, estimators)
    first = inner[0]
    calibrated = replace(
        first,
        classes=classes,
        predict_proba=partial(_judged, model),
        head_predictions=None,
        link=None,
        decide=None,
    )
    if len(inner) == 1 and len(classes) == 2:
        # The calibration is a function of the margin, so that the network itself is searched.
        return replace(calibrated, link=_calibrating_link(model, _link(first, estimators[0])))
    if any(explainable.link is not None for explainable in inner):
        raise ValueError(
            "model calibrates several classifiers that are calibrated themselves, or have a "
            "threshold within a pipeline. Calibrate once, or pass ensemble=False."
        )
    if len(inner) == 1 and model.method == "temperature":
        beta = float(model.calibrated_classifiers_[0].calibrators[0].beta_)
        weights = beta * torch.eye(len(classes), dtype=torch.float64)
        return replace(
            calibrated, module=extended(first.module, weights, torch.zeros(len(classes)))
        )
    calibrated = with_all_ranges(calibrated, inner)
    return replace(calibrated, module=_module(model, inner, estimators))


def _check_classes(classes, estimators):
    """Raise a ValueError if a classifier within a calibrated one knows other classes."""
    for estimator in estimators:
        # scikit-learn encodes labels of text itself if it scales by a temperature.
        known = classes, np.arange(len(classes))
        if not any(np.array_equal(estimator.classes_, labels) for labels in known):
            raise ValueError(
                "A classifier within model was fitted with the classes "
                f"{listed(estimator.classes_.tolist())}, rather than {listed(classes.tolist())}: a "
                "fold has no row of some class. Pass a cv with stratified folds to "
                "CalibratedClassifierCV."
            )


def _judged(model, rows):
    """Return probabilities of rows by a calibrated classifier; NaN for rows that it rejects."""

    def predict_proba(rows):
        # The user was warned when X was read.
        with ignored_warnings(UnknownValueWarning):
            return model.predict_proba(rows.container)

    return judged_in_halves(predict_proba, rows, len(model.classes_))


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
            align = alignment(inner[0].encoder, explainable.encoder)
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
