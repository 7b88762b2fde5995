import copy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, logit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from torch import nn

from ctsk._explaining.links import (
    MarginClassifier,
    ScoringMarginClassifier,
    add_goal,
    rounded_down,
)

CLASSES = np.array(["no", "yes"])
BOTH = np.array([0, 1])


@dataclass
class Model:
    """What `add_goal` uses of an ExplainableModel."""

    link: Any
    module: nn.Module
    classes: np.ndarray


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2))


def threshold(number, label="yes", method="predict_proba"):
    return FixedThresholdClassifier(
        ScoringMarginClassifier(CLASSES),
        threshold=number,
        pos_label=label,
        response_method=method,
    )


def calibrated(calibrator, method):
    """Return a calibrated classifier of margins, with a calibrator that is given."""
    rng = np.random.default_rng(0)
    margins = rng.normal(size=(50, 1))
    y = CLASSES[(margins[:, 0] + rng.normal(size=50) > 0).astype(int)]
    net = LogisticRegression()
    model = CalibratedClassifierCV(net, method=method, cv=2, ensemble=False).fit(margins, y)
    part = copy.copy(model.calibrated_classifiers_[0])
    part.estimator, part.calibrators = ScoringMarginClassifier(CLASSES), [calibrator]
    model.calibrated_classifiers_ = [part]
    return model


def sigmoid(slope, intercept):
    # scikit-learn stores the negative of both.
    return calibrated(
        SimpleNamespace(predict=lambda margins: expit(slope * margins + intercept)), "sigmoid"
    )


def checked_goal(link, net, tau, targets=BOTH):
    """Check on random rows that a goal is equivalent to that of the wrapped model; return it."""
    rng = np.random.default_rng(0)
    model, search_tau, implied = add_goal(Model(link, net, CLASSES), tau, targets)
    rows = torch.as_tensor(rng.normal(0, 300, (2_000, 3)))
    with torch.no_grad():
        inner = copy.deepcopy(net).double()(rows).numpy()
        outer = copy.deepcopy(model.module).double()(rows).softmax(dim=1).numpy()
    margins = (inner[:, 1] - inner[:, 0])[:, None]
    for target in np.unique(targets):
        is_accepted = link.predict(margins) == CLASSES[target]
        if tau is not None:
            is_accepted &= link.predict_proba(margins)[:, target] >= tau
        assert 0 < is_accepted.sum() < len(rows)
        assert_array_equal(outer[:, target] >= search_tau, is_accepted)
    return search_tau, implied


@pytest.mark.parametrize("tau", [None, 0.1, 0.5, 0.8])
@pytest.mark.parametrize(
    "link",
    [
        threshold(0.3),
        threshold(0.8, "no"),
        threshold(-1.5, method="decision_function"),
        sigmoid(0.5, 1.0),
        sigmoid(0.01, 0.1),
        sigmoid(-0.5, 1.0),
    ],
)
def test_a_module_is_predicted_where_the_wrapped_model_reaches_its_goal(net, link, tau):
    for targets in (BOTH, [0], [1]):
        checked_goal(link, net, tau, np.array(targets))


def test_the_bounds_of_a_sigmoid_are_those_of_its_formula(net):
    slope, intercept, tau = 0.5, 1.0, 0.7
    search_tau, implied = checked_goal(sigmoid(slope, intercept), net, tau)
    assert implied == tau
    # The bounds of both classes are symmetric about -intercept / slope.
    assert_allclose(search_tau, expit(logit(tau) / slope))


def test_probabilities_of_the_search_stay_away_from_one(net):
    # A margin of 500 would be a probability of exactly 1.
    search_tau, _ = checked_goal(sigmoid(0.01, 0.1), net, 0.99)
    assert_allclose(search_tau, expit(2.0))


def test_without_tau_the_goal_is_the_threshold(net):
    assert checked_goal(threshold(0.3), net, None, np.array([1])) == (0.5, 0.3)
    assert checked_goal(threshold(0.3), net, None, np.array([0])) == (0.5, 0.7)
    assert checked_goal(threshold(0.3), net, None) == (pytest.approx(0.5, abs=1e-12), 0.3)


def test_a_step_of_an_isotonic_calibrator_is_its_corner(net):
    corners, probas = np.array([-3.0, -1.0, -1.0 + 1e-9, 20.0]), np.array([0.1, 0.1, 0.6, 0.6])
    calibrator = IsotonicRegression(out_of_bounds="clip").fit(corners, probas)
    link = calibrated(calibrator, "isotonic")
    search_tau, _ = checked_goal(link, net, 0.55)
    assert_allclose(search_tau, 0.5, atol=1e-8)


def test_a_model_without_a_wrapper_keeps_its_module(net):
    model = Model(None, net, CLASSES)
    assert add_goal(model, 0.7, BOTH) == (model, 0.7, 0.7)


def test_a_class_that_is_always_predicted_is_reached_by_every_row(net):
    model, search_tau, _ = add_goal(Model(threshold(0.0), net, CLASSES), None, np.array([1]))
    proba = model.module.double()(torch.zeros(1, 3, dtype=torch.float64)).softmax(dim=1)
    assert proba[0, 1] >= search_tau
    with pytest.raises(ValueError, match="No row is predicted as 'no'"):
        add_goal(Model(threshold(0.0), net, CLASSES), None, np.array([0]))


def test_a_classifier_of_margins_returns_their_probabilities():
    margins = np.array([[-2.0], [0.5]])
    proba = MarginClassifier(CLASSES).predict_proba(margins)
    assert_allclose(proba[:, 1], expit([-2.0, 0.5]))
    assert_allclose(proba.sum(axis=1), 1)


def test_probabilities_are_rounded_down_for_people():
    assert rounded_down(0.30000000000000004) == 0.3
    assert rounded_down(0.7) == 0.7
    assert rounded_down(0.1234567890129) == 0.123456789012
