import copy
import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from simple_generators import TowardCenter

from ctsk import (
    CounterfactualTrainedClassifier,
    ECCCoGenerator,
    GenericGenerator,
    REVISEGenerator,
)
from ctsk._explaining.failure_reasons import FLIPPED_BACK, LOST, TOO_NEAR, Reason, ReasonKind

CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}


@pytest.fixture(scope="module")
def clf():
    """A linear model of two numbers, both of which speak for class 1."""
    X = np.random.default_rng(0).normal(size=(400, 2))
    return CounterfactualTrainedClassifier(
        (), **CONVENTIONAL, max_epochs=60, lr=0.05, random_state=0
    ).fit(X, X.sum(axis=1) > 0)


ROW = np.array([[-1.0, -0.8]])


def kind_of(clf, **settings):
    (reason,) = clf.explain(ROW, True, tau=0.9, **settings).reason
    return reason.kind


@pytest.mark.parametrize("T", [1, 2, 29, 30, 31, 300])
@pytest.mark.parametrize("step_size", [0.005, 0.02])
def test_distance_that_costs_too_much_is_named_at_any_number_of_steps(clf, T, step_size):
    generator = GenericGenerator(lambda_cost=20, step_size=step_size)
    (reason,) = clf.explain(ROW, True, tau=0.9, T=T, generator=generator).reason
    assert reason.kind is ReasonKind.PENALTY
    assert "lower lambda_cost (now 20)" in reason
    assert "GenericGenerator" in reason


def test_gravity_that_holds_a_search_back_is_named(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(
        (), **CONVENTIONAL, max_epochs=60, lr=0.05, random_state=0
    ).fit(X, y)
    generator = GenericGenerator(lambda_gravity=30, step_size=0.01)
    explanation = clf.explain(X[:5], 2, tau=0.9999, T=300, generator=generator, X_reference=X)
    assert {reason.kind for reason in explanation.reason} == {ReasonKind.PENALTY}
    assert "lambda_cost (now 0.001) or lambda_gravity (now 30)" in explanation.reason[0]


@pytest.mark.parametrize(
    "generator", [GenericGenerator(step_size=1e-3), ECCCoGenerator(step_size=1e-3)], ids=repr
)
def test_slow_search_that_makes_progress_needs_more_steps(clf, generator):
    assert kind_of(clf, generator=generator, T=5) is ReasonKind.TOO_FEW_STEPS
    assert clf.explain(ROW, True, tau=0.9, generator=generator, T=100_000).valid.all()


def test_short_cap_of_steps_is_no_standstill(clf):
    generator = GenericGenerator(max_step=1e-5)
    assert kind_of(clf, generator=generator, T=5) is ReasonKind.TOO_FEW_STEPS


def test_default_number_of_steps_is_named(clf):
    (reason,) = clf.explain(ROW, True, tau=0.9, generator=GenericGenerator(step_size=1e-4)).reason
    assert reason == "not mature within T=300 steps"


@pytest.mark.parametrize("lambda_cost", [0.001, 20])
def test_constraints_are_named_whatever_the_penalty(clf, lambda_cost):
    generator = GenericGenerator(lambda_cost=lambda_cost)
    settings = {"generator": generator, "mutability": ["none", "none"]}
    assert kind_of(clf, **settings) is ReasonKind.BOXED_IN


def test_box_that_leaves_too_little_room_is_named(clf):
    domain = [(-1, -0.9), (-1, -0.7)]
    (reason,) = clf.explain(ROW, True, tau=0.9, generator="eccco", domain=domain).reason
    assert reason.kind is ReasonKind.BOXED_IN
    assert reason.startswith("boxed in by the constraints on 'x")


@pytest.fixture(scope="module")
def latent():
    """A model that searches in a latent space."""
    X = np.random.default_rng(0).normal(size=(400, 2))
    generator = REVISEGenerator(n_latent=2, hidden_layer_sizes=(16,), max_iter=500)
    return CounterfactualTrainedClassifier(
        (), **CONVENTIONAL, max_epochs=60, lr=0.05, generator=generator, random_state=0
    ).fit(X, X.sum(axis=1) > 0)


def search(latent, **parameters):
    """Return the estimator with other parameters of its search, and what it learned."""
    clf = copy.deepcopy(latent)
    clf.generator_.set_params(**parameters)
    return clf


def kind_of_latent(clf, **settings):
    """Return the kind of the reason why the search that the model was trained with ended."""
    return kind_of(clf, generator=None, **settings)


def test_latent_search_is_judged_by_its_steps_among_codes(latent):
    slow = search(latent, step_size=0.01)
    assert kind_of_latent(slow, T=5) is ReasonKind.TOO_FEW_STEPS
    dear = search(latent, lambda_cost=30, step_size=0.005)
    assert kind_of_latent(dear, T=100) is ReasonKind.PENALTY
    assert kind_of_latent(latent, mutability=["none", "none"]) is ReasonKind.BOXED_IN


def test_decoder_that_ignores_the_code_is_flat(latent):
    clf = copy.deepcopy(latent)
    with torch.no_grad():
        clf.generator_.vae_.decoder[-1].weight.zero_()
    assert kind_of_latent(clf, T=5) is ReasonKind.FLAT


@pytest.mark.parametrize("generator", [TowardCenter(), "nearest"], ids=repr)
def test_search_without_a_gradient_names_the_probability_of_the_returned_row(clf, generator):
    X = np.random.default_rng(0).normal(size=(400, 2))
    settings = {"generator": generator, "X_reference": X, "tau": 0.99}
    held = clf.explain(ROW, True, mutability=["none", "both"], domain={1: (-1, 0)}, **settings)
    (reason,) = held.reason
    assert reason.kind is ReasonKind.NOT_FOUND
    share = held.proba[0, 1]
    assert reason == (
        "no counterfactual was found within the constraints: in the row that is returned, the "
        f"target has a probability of {share:.2g}"
    )
    assert clf.explain(ROW, True, **{**settings, "tau": 0.6}).reason.tolist() == [None]


def test_search_without_a_gradient_may_be_flipped_back_by_rounding():
    class Rounded(TowardCenter):
        def search(self, *args, **settings):
            result = super().search(*args, **settings)
            return dataclasses.replace(result, refused=~result.mature)

    X = pd.DataFrame({"count": np.tile([0, 1], 50)})
    clf = CounterfactualTrainedClassifier(
        (), **CONVENTIONAL, max_epochs=200, lr=0.05, random_state=0
    ).fit(X, X["count"])
    settings = {"generator": Rounded(), "X_reference": X, "tau": 0.6, "T": 300}
    explanation = clf.explain(X.head(1), 1, domain={"count": (0, 0.9)}, **settings)
    assert explanation.reason.tolist() == [FLIPPED_BACK]
    boxed = clf.explain(X.head(1), 1, mutability=["none"], **settings)
    assert boxed.reason[0].kind is ReasonKind.NOT_FOUND


def test_reason_is_a_sentence_with_a_kind_that_survives_copies():
    for reason in (FLIPPED_BACK, LOST, TOO_NEAR, Reason(ReasonKind.FLAT, "flat")):
        for again in (copy.copy(reason), copy.deepcopy(reason), pickle.loads(pickle.dumps(reason))):
            assert again == reason
            assert isinstance(again, str)
            assert again.kind is reason.kind


def test_kinds_do_not_share_a_phrase():
    assert len({kind.value for kind in ReasonKind}) == len(ReasonKind)
    for reason in (FLIPPED_BACK, LOST, TOO_NEAR):
        assert reason.startswith(reason.kind.value)


@pytest.fixture(scope="module")
def mixed_clf():
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


MIXED_ROW = pd.DataFrame({"up": [-1.0], "down": [1.0], "job": ["bad"]})


def test_row_that_was_reached_has_no_reason(mixed_clf):
    assert mixed_clf.explain(MIXED_ROW, 1, T=100).reason.tolist() == [None]


def test_too_few_steps(mixed_clf):
    short = GenericGenerator(step_size=1e-3)
    reason = mixed_clf.explain(MIXED_ROW, 1, T=7, generator=short).reason[0]
    assert reason == "not mature within T=7 steps"


def test_features_whose_constraints_bind_are_named_the_tightest_first(mixed_clf):
    fixed = {"up": "none", "job": "none"}
    explanation = mixed_clf.explain(
        MIXED_ROW,
        1,
        tau=0.99,
        generator="eccco",
        mutability=fixed,
        domain={"down": (0.9, 9)},
    )
    assert not explanation.valid[0]
    reason = explanation.reason[0]
    assert reason.startswith("boxed in by the constraints on ")
    weights = mixed_clf.net_.module_[0].weight.detach().numpy()
    gains = dict(zip(["'up'", "'down'"], np.abs(weights[1] - weights[0]), strict=False))
    # To change the job moves two columns, and gains more than a unit of either number.
    assert reason.endswith(", ".join(["'job'", *sorted(gains, key=gains.get, reverse=True)]))


def test_a_category_that_may_not_be_reached_binds(mixed_clf):
    only = {"up": "none", "down": "none"}
    explanation = mixed_clf.explain(
        MIXED_ROW, 1, generator="eccco", mutability=only, domain={"job": ["bad"]}
    )
    assert explanation.reason[0].startswith("boxed in by the constraints on 'job'")


def test_a_model_without_slope_leads_nowhere():
    X = pd.DataFrame({"constant": [1.0, 1.0, 1.0, 1.0]})
    mixed_clf = CounterfactualTrainedClassifier(
        **CONVENTIONAL, domain=None, max_epochs=1, activation="relu", random_state=0
    ).fit(X, [0, 0, 0, 1])
    import torch

    with torch.no_grad():
        mixed_clf.net_.module_[0].weight.zero_()
    reason = mixed_clf.explain(X.head(1), 1, tau=0.9, generator="eccco").reason[0]
    assert reason.startswith("the model is flat around this row")


def test_rounding_that_flips_a_row_back_is_told():
    X = pd.DataFrame({"count": np.tile([0, 1], 50)})
    mixed_clf = CounterfactualTrainedClassifier(
        (), **CONVENTIONAL, max_epochs=200, lr=0.05, random_state=0
    ).fit(X, X["count"])
    # Reaching class 1 takes more than one half, but of whole numbers only 0 is allowed.
    row, settings = pd.DataFrame({"count": [0]}), {"tau": 0.5, "domain": {"count": (0, 0.9)}}
    explanation = mixed_clf.explain(row, 1, generator="eccco", **settings)
    assert explanation.counterfactual["count"].tolist() == [0]
    assert explanation.reason[0].startswith("flipped back by rounding")
    # A search that knows the grid does not reach tau between two whole numbers.
    explanation = mixed_clf.explain(row, 1, **settings)
    assert explanation.counterfactual["count"].tolist() == [0]
    assert explanation.reason[0].kind is ReasonKind.NOT_FOUND


def test_summary_counts_the_reasons(mixed_clf):
    rows = pd.concat([MIXED_ROW] * 3)
    fixed = dict.fromkeys(MIXED_ROW.columns, "none")
    short = GenericGenerator(step_size=1e-3)
    explanation = mixed_clf.explain(rows, 1, T=2, generator=short, mutability=[fixed, fixed, {}])
    said = repr(explanation)
    assert "not valid: 2 boxed in by the constraints, 1 not mature within T steps" in said


def test_row_whose_target_reached_tau_but_not_the_prediction_was_not_rounded(mixed_clf):
    fixed = dict.fromkeys(MIXED_ROW.columns, "none")
    sure = mixed_clf.explain(MIXED_ROW, 1, tau=1e-15, generator="eccco", mutability=fixed)
    assert sure.proba[0, 1] > 1e-15
    assert not sure.valid[0]
    assert sure.reason[0].startswith("boxed in by the constraints on")


def test_half_precision_does_not_overflow():
    X = np.random.default_rng(0).normal(0, 3e4, size=(50, 1)).clip(-6e4, 6e4).astype(np.float16)
    mixed_clf = CounterfactualTrainedClassifier(
        (), **CONVENTIONAL, domain=None, max_epochs=20, lr=0.05, random_state=0
    ).fit(X, X[:, 0] > 0)
    explanation = mixed_clf.explain(X, tau=0.999999, generator=GenericGenerator(step_size=5), T=100)
    assert np.isfinite(explanation.counterfactual).all()
