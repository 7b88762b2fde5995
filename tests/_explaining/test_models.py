"""Why a row was not reached, told with the row."""

import numpy as np
import pandas as pd
import pytest

from ctsk import CounterfactualTrainedClassifier, GenericGenerator

CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}


@pytest.fixture(scope="module")
def clf():
    """A linear model for which a high 'up', a low 'down' and the job 'good' speak for 1."""
    rng = np.random.default_rng(0)
    n_rows = 400
    X = pd.DataFrame(
        {
            "up": rng.normal(size=n_rows),
            "down": rng.normal(size=n_rows),
            "job": rng.choice(["bad", "good"], n_rows),
        }
    )
    y = (X["up"] - X["down"] + 2 * (X["job"] == "good") > 1).astype(int)
    return CounterfactualTrainedClassifier(
        (), **CONVENTIONAL, max_epochs=60, lr=0.05, random_state=0
    ).fit(X, y)


ROW = pd.DataFrame({"up": [-1.0], "down": [1.0], "job": ["bad"]})


def test_row_that_was_reached_has_no_reason(clf):
    assert clf.explain(ROW, 1, T=100).reason.tolist() == [None]


def test_too_few_steps(clf):
    short = GenericGenerator(step_size=1e-3)
    reason = clf.explain(ROW, 1, T=7, generator=short).reason[0]
    assert reason == "not mature within T=7 steps"


def test_features_whose_constraints_bind_are_named_the_tightest_first(clf):
    fixed = {"up": "none", "job": "none"}
    explanation = clf.explain(ROW, 1, T=200, tau=0.99, mutability=fixed, domain={"down": (0.9, 9)})
    assert not explanation.valid[0]
    reason = explanation.reason[0]
    assert reason.startswith("boxed in by the constraints on ")
    weights = clf.net_.module_[0].weight.detach().numpy()
    gains = dict(zip(["'up'", "'down'"], np.abs(weights[1] - weights[0]), strict=False))
    # To change the job moves two columns, and gains more than a unit of either number.
    assert reason.endswith(", ".join(["'job'", *sorted(gains, key=gains.get, reverse=True)]))


def test_a_category_that_may_not_be_reached_binds(clf):
    only = {"up": "none", "down": "none"}
    explanation = clf.explain(ROW, 1, T=100, mutability=only, domain={"job": ["bad"]})
    assert explanation.reason[0].startswith("boxed in by the constraints on 'job'")


def test_a_model_without_slope_leads_nowhere():
    X = pd.DataFrame({"constant": [1.0, 1.0, 1.0, 1.0]})
    clf = CounterfactualTrainedClassifier(
        **CONVENTIONAL, domain=None, max_epochs=1, activation="relu", random_state=0
    ).fit(X, [0, 0, 0, 1])
    import torch

    with torch.no_grad():
        clf.net_.module_[0].weight.zero_()
    reason = clf.explain(X.head(1), 1, tau=0.9).reason[0]
    assert reason.startswith("the model is flat around this row")


def test_rounding_that_flips_a_row_back_is_told():
    X = pd.DataFrame({"count": np.tile([0, 1], 50)})
    clf = CounterfactualTrainedClassifier(
        (), **CONVENTIONAL, max_epochs=200, lr=0.05, random_state=0
    ).fit(X, X["count"])
    # Reaching class 1 takes more than one half, but of whole numbers only 0 is allowed.
    explanation = clf.explain(
        pd.DataFrame({"count": [0]}), 1, T=300, tau=0.5, domain={"count": (0, 0.9)}
    )
    assert explanation.counterfactual["count"].tolist() == [0]
    assert explanation.reason[0].startswith("flipped back by rounding")


def test_summary_counts_the_reasons(clf):
    rows = pd.concat([ROW] * 3)
    fixed = dict.fromkeys(ROW.columns, "none")
    short = GenericGenerator(step_size=1e-3)
    explanation = clf.explain(rows, 1, T=2, generator=short, mutability=[fixed, fixed, {}])
    said = repr(explanation)
    assert "not valid: 2 boxed in by the constraints, 1 not mature within T steps" in said


def test_row_whose_target_reached_tau_but_not_the_prediction_was_not_rounded(clf):
    fixed = dict.fromkeys(ROW.columns, "none")
    sure = clf.explain(ROW, 1, tau=1e-6, mutability=fixed)
    assert not sure.valid[0]
    assert sure.reason[0].startswith("boxed in by the constraints on")


def test_half_precision_does_not_overflow():
    X = np.random.default_rng(0).normal(0, 3e4, size=(50, 1)).clip(-6e4, 6e4).astype(np.float16)
    clf = CounterfactualTrainedClassifier(
        (), **CONVENTIONAL, domain=None, max_epochs=20, lr=0.05, random_state=0
    ).fit(X, X[:, 0] > 0)
    explanation = clf.explain(X, tau=0.999999, generator=GenericGenerator(step_size=5), T=100)
    assert np.isfinite(explanation.counterfactual).all()
