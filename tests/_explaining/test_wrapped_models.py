"""Calibrated classifiers and classifiers with another threshold, explained by ctsk.explain."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    KFold,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk._explaining import wrapped_models

TEMPERATURE = pytest.param(
    "temperature",
    marks=pytest.mark.skipif(
        "temperature" not in CalibratedClassifierCV._parameter_constraints["method"][0].options,
        reason="scikit-learn has temperature scaling from version 1.8 on",
    ),
)
METHODS = ["sigmoid", "isotonic", TEMPERATURE]
AGE_STAYS = {"age": "none", "income": "increase"}


@cache
def people():
    """Return rows with integers, gaps and categories, and two classes of text."""
    rng = np.random.default_rng(0)
    n_rows = 300
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n_rows),
            "income": rng.gamma(2, 20_000, n_rows).round(),
            "job": rng.choice(["cook", "nurse", "pilot"], n_rows),
        },
        index=np.arange(1_000, 1_000 + n_rows),
    )
    score = X["income"] / 4e4 + (X["job"] == "pilot") + rng.normal(0, 0.5, n_rows)
    X.loc[rng.permutation(X.index)[:20], "income"] = np.nan
    return X, np.where(score > 1.2, "yes", "no"), np.digitize(score, [0.9, 1.7])


def classifier(**parameters):
    parameters = {
        "lambda_div": 0,
        "lambda_adv": 0,
        "lambda_reg": 0,
        "max_epochs": 20,
        "early_stopping": False,
        # Larger minibatches than by default: few steps, since these tests fit a hundred nets.
        "batch_size": 100,
        "lr": 0.02,
        "mutability": AGE_STAYS,
        "random_state": 0,
        **parameters,
    }
    return CounterfactualTrainedClassifier(**parameters)


def piped(last):
    columns = make_column_transformer(
        (StandardScaler(), ["age", "income"]), (OneHotEncoder(sparse_output=False), ["job"])
    )
    return make_pipeline(columns, last)


F1 = make_scorer(f1_score, pos_label="yes")
# Around `inner`, which is our classifier or a pipeline.
WRAPPERS = {
    "one net": lambda inner: CalibratedClassifierCV(inner, cv=3, ensemble=False),
    "isotonic, one net": lambda inner: CalibratedClassifierCV(
        inner, method="isotonic", cv=3, ensemble=False
    ),
    "ensemble": lambda inner: CalibratedClassifierCV(inner, cv=3),
    "isotonic ensemble": lambda inner: CalibratedClassifierCV(inner, method="isotonic", cv=3),
    "threshold": lambda inner: FixedThresholdClassifier(inner, threshold=0.3, pos_label="yes"),
    "threshold of the first class": lambda inner: FixedThresholdClassifier(
        inner, threshold=0.2, pos_label="no"
    ),
    "threshold of a margin": lambda inner: FixedThresholdClassifier(
        inner, threshold=0.7, pos_label="yes", response_method="decision_function"
    ),
    "tuned threshold": lambda inner: TunedThresholdClassifierCV(
        inner, scoring=F1, cv=3, thresholds=20
    ),
    "threshold of a calibrated net": lambda inner: FixedThresholdClassifier(
        CalibratedClassifierCV(inner, cv=3, ensemble=False), threshold=0.3, pos_label="yes"
    ),
    "threshold of an ensemble": lambda inner: FixedThresholdClassifier(
        CalibratedClassifierCV(inner, cv=3), threshold=0.3, pos_label="yes"
    ),
}


@cache
def fitted(wrapper):
    X, y, _ = people()
    return WRAPPERS[wrapper](classifier()).fit(X, y)


def check(model, X, explanation):
    """Check what the package promises, by the wrapped model; return the explanation."""
    found = explanation.counterfactual
    positions = np.searchsorted(model.classes_, explanation.target)
    proba = model.predict_proba(found)
    assert_array_equal(proba, explanation.proba)
    assert_array_equal(model.predict(found), explanation.prediction)
    assert_array_equal(model.predict(X), explanation.factual_prediction)
    assert_array_equal(model.predict_proba(X), explanation.factual_proba)
    assert_array_equal(explanation.valid, model.predict(found) == explanation.target)
    shares = proba[np.arange(len(found)), positions]
    assert_array_equal(explanation.mature, shares >= explanation.tau)
    assert (found["age"] == X["age"]).all()
    is_amount = X["income"].notna()
    assert (found["income"] >= X["income"])[is_amount].all()
    # A pipeline knows the range in the units of its last step only.
    assert found["income"].max() <= people()[0]["income"].max() * (1 + 1e-9)
    assert found.index.equals(X.index)
    assert found.dtypes.equals(X.dtypes)
    return explanation


# --- what is promised ---


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("tau", [None, 0.6])
def test_counterfactuals_are_predicted_and_reach_tau_by_the_wrapped_model(wrapper, tau):
    model, X = fitted(wrapper), people()[0]
    X = X[model.predict(X) == "no"].head(25)
    explanation = check(model, X, ctsk.explain(model, X, tau=tau))
    # Income has an open side up to the largest one observed, which suffices for everybody.
    assert explanation.valid.all()
    assert explanation.mature.all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ensemble", [True, False])
def test_more_than_two_classes(method, ensemble):
    X, _, y = people()
    model = CalibratedClassifierCV(classifier(), method=method, cv=3, ensemble=ensemble).fit(X, y)
    explanation = ctsk.explain(model, X.head(30), target=2, tau=0.5)
    check(model, X.head(30), explanation)
    assert explanation.mature.all()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_calibration_reaches_tau_closely(method):
    X, y, _ = people()
    rows = X.head(25)
    for ensemble in (True, False):
        model = CalibratedClassifierCV(classifier(), method=method, cv=3, ensemble=ensemble)
        # scikit-learn 1.8 looks at the first label of y, by its position.
        explanation = ctsk.explain(model.fit(X, y), rows, target="yes", tau=0.7)
        check(model, rows, explanation)
        changes_income_only = (explanation.counterfactual["job"] == rows["job"]).to_numpy()
        moved = changes_income_only & (explanation.cost > 0) & rows["income"].notna().to_numpy()
        # A euro less, the step of the column, is not enough. An isotonic step may be at any place.
        less = explanation.counterfactual[moved].assign(income=lambda frame: frame["income"] * 0.99)
        assert moved.any()
        assert (model.predict_proba(less)[:, 1] < 0.7).all()


@pytest.mark.parametrize("wrapper", ["ensemble", "threshold", "isotonic ensemble"])
@pytest.mark.parametrize("generator", ["generic", "eccco"])
def test_a_gradient_descent_reaches_the_goal_of_the_wrapped_model(wrapper, generator):
    model, X = fitted(wrapper), people()[0].head(25)
    explanation = ctsk.explain(model, X, target="yes", tau=0.6, generator=generator, sparse=True)
    check(model, X, explanation)
    assert explanation.mature.mean() > 0.9


def test_alternatives_and_few_changes_of_an_ensemble():
    model, X = fitted("ensemble"), people()[0].head(8)
    explanation = ctsk.explain(model, X, "yes", n_alternatives=2, max_changes=1)
    assert explanation.valid[::2].mean() > 0.9
    frame = explanation.counterfactual
    assert_array_equal(
        model.predict(frame)[explanation.valid], explanation.target[explanation.valid]
    )
    n_changes = explanation.changes().groupby(["row", "alternative"]).size()
    assert n_changes.max() == 1


# --- tau ---


def test_without_tau_a_threshold_is_the_goal_and_nothing_more():
    model, X = fitted("threshold"), people()[0]
    rejected = X[model.predict(X) == "no"].head(40)
    decision = ctsk.explain(model, rejected)
    assert decision.tau == 0.3
    # A change of category may lead beyond the threshold, an amount only to the next euro.
    assert np.median(decision.proba[:, 1]) < 0.32
    plain = ctsk.explain(model.estimator_, rejected, target="yes", tau=0.5)
    assert (decision.cost <= plain.cost + 1e-9).all()
    assert decision.cost.mean() < plain.cost.mean()


def test_without_tau_the_other_class_has_the_other_side_of_the_threshold():
    model, X = fitted("threshold"), people()[0]
    granted = X[model.predict(X) == "yes"].head(40)
    explanation = ctsk.explain(model, granted, mutability={"income": "both"})
    assert explanation.tau == 0.7
    assert (explanation.proba[explanation.valid, 1] < 0.3).all()


def test_rows_of_both_targets_are_explained_at_once():
    model, X = fitted("threshold"), people()[0].head(60)
    free = {"income": "both"}
    together = ctsk.explain(model, X, mutability=free)
    is_no = together.target == "no"
    assert 0 < is_no.sum() < len(X)
    for mask in (is_no, ~is_no):
        apart = ctsk.explain(model, X[mask], mutability=free)
        assert_allclose(together.cost[mask], apart.cost, rtol=0.02, atol=1e-3)


def test_tau_of_a_threshold_is_required_beside_the_decision():
    model, X = fitted("threshold"), people()[0]
    granted = X[model.predict(X) == "yes"].head(30)
    explanation = ctsk.explain(model, granted, tau=0.1, mutability={"income": "both"})
    assert explanation.tau == 0.1
    assert (explanation.proba[explanation.valid, 0] > 0.7).all()


def test_without_tau_a_calibrated_model_reaches_that_of_the_training():
    X, y, _ = people()
    model = CalibratedClassifierCV(classifier(tau=0.8), cv=3).fit(X, y)
    assert ctsk.explain(model, X.head(3)).tau == 0.8


@pytest.mark.parametrize("wrapper", ["threshold", "one net"])
def test_a_goal_that_no_row_reaches_is_an_error(wrapper):
    X, y, _ = people()
    # A net that predicts nothing: isotonic calibration leaves the share of the classes.
    constant = FrozenEstimator(classifier(max_epochs=1, lr=1e-6).fit(X, y))
    model = CalibratedClassifierCV(constant, method="isotonic").fit(X, np.roll(y, 5))
    if wrapper == "threshold":
        model = FixedThresholdClassifier(model, threshold=1.1, pos_label="yes").fit(X, y)
        with pytest.raises(ValueError, match="No row is predicted as 'yes'"):
            ctsk.explain(model, X.head(2), target="yes")
    else:
        with pytest.raises(ValueError, match="tau=0.999 as 'yes'.*largest probability"):
            ctsk.explain(model, X.head(2), target="yes", tau=0.999)


# --- proof ---


@pytest.mark.parametrize(
    "wrapper", ["one net", "isotonic, one net", "threshold", "threshold of a calibrated net"]
)
def test_a_proof_of_one_calibrated_net_holds_for_the_wrapped_model(wrapper):
    model, X = fitted(wrapper), people()[0]
    X = X[model.predict(X) == "no"].head(8)
    rows = X[X["income"].notna()]
    explanation = check(model, rows, ctsk.explain(model, rows, tau=0.6, prove=True))
    assert set(explanation.proof) == {"optimal"}
    # Incomes are whole, so that all counterfactuals of one row can be listed up to the cost.
    scale = explanation.encoder.scale[1]
    for i in range(len(rows)):
        for job in ("cook", "nurse", "pilot"):
            cost_of_job = float(job != rows["job"].iloc[i])
            most = (explanation.cost[i] * (1 - 2e-3) - cost_of_job) * scale
            if most <= 0:
                continue
            amounts = np.arange(rows["income"].iloc[i], rows["income"].iloc[i] + most)
            cheaper = rows.iloc[np.full(len(amounts), i)].assign(income=amounts, job=job)
            assert (model.predict_proba(cheaper)[:, 1] < 0.6).all()


@pytest.mark.parametrize("wrapper", ["ensemble", "threshold of an ensemble"])
def test_a_proof_of_an_ensemble_is_an_error_with_a_remedy(wrapper):
    with pytest.raises(ValueError, match="ensemble=False"):
        ctsk.explain(fitted(wrapper), people()[0].head(2), prove=True)


@pytest.mark.parametrize("method", [TEMPERATURE])
def test_a_temperature_of_many_classes_is_provable(method):
    X, _, y = people()
    model = CalibratedClassifierCV(classifier(), method=method, cv=3, ensemble=False).fit(X, y)
    explanation = ctsk.explain(model, X.head(3), target=2, prove=True, tau=0.5)
    check(model, X.head(3), explanation)
    assert set(explanation.proof) == {"optimal"}


def test_sufficient_changes_of_a_calibrated_net():
    model, X = fitted("one net"), people()[0]
    rejected = X[(model.predict(X) == "no") & X["income"].notna()].head(2)
    sets = ctsk.sufficient_changes(model, rejected, max_size=1, tau=0.6)
    for row, features, after in sets.loc[
        sets["proof"] == "optimal", ["row", "features", "to"]
    ].values:
        changed = rejected.loc[[row]].assign(**{features[0]: after[0]})
        assert model.predict_proba(changed)[0, 1] >= 0.6


# --- what is wrapped, and what wraps ---


@pytest.mark.parametrize("wrapper", ["one net", "ensemble", "isotonic ensemble", "threshold"])
@pytest.mark.parametrize("place", ["inside", "outside"])
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.OtherConstraintsWarning")
def test_pipelines_inside_and_outside(wrapper, place):
    X, y, _ = people()
    net = classifier(mutability=None)
    wrap = WRAPPERS[wrapper]
    model = wrap(piped(net)) if place == "inside" else piped(wrap(net))
    model.fit(X, y)
    rows = X[model.predict(X) == "no"].head(20)
    explanation = ctsk.explain(model, rows, tau=0.6, mutability=AGE_STAYS)
    check(model, rows, explanation)
    assert explanation.mature.all()


def test_a_pipeline_between_two_wrappers_and_a_search_outside():
    X, y, _ = people()
    calibrated = CalibratedClassifierCV(classifier(mutability=None), cv=3, ensemble=False)
    model = FixedThresholdClassifier(piped(calibrated), pos_label="yes")
    search = GridSearchCV(model, {"threshold": [0.3]}, cv=2).fit(X, y)
    rows = X.head(30)
    with pytest.warns(ctsk.exceptions.OtherConstraintsWarning, match="age"):
        explanation = ctsk.explain(search, rows, target="yes", mutability=AGE_STAYS)
    check(search, rows, explanation)
    assert explanation.tau == 0.3
    assert explanation.valid.all()


def test_a_pipeline_within_the_last_step_of_a_pipeline_is_an_error():
    X, y, _ = people()
    model = make_pipeline(
        FunctionTransformer(), CalibratedClassifierCV(piped(classifier(mutability=None)), cv=2)
    )
    with pytest.raises(TypeError, match="last step of the pipeline contains a pipeline"):
        ctsk.explain(model.fit(X, y), X.head(2))


def test_folds_with_different_curves_are_an_error():
    X, y, _ = people()
    from sklearn.preprocessing import PowerTransformer

    amounts = X[["age", "income"]].fillna(2e4)
    model = CalibratedClassifierCV(
        make_pipeline(PowerTransformer(), classifier(mutability=None)), cv=2
    ).fit(amounts, y)
    with pytest.raises(ValueError, match="by different curves.*ensemble=False"):
        ctsk.explain(model, amounts.head(2))


def test_a_category_that_only_one_fold_has_seen():
    X, y, _ = people()
    X = X.copy()
    X.loc[X.index[:2], "job"] = "admiral"
    rows = X.head(40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ctsk.exceptions.UnknownValueWarning)
        model = CalibratedClassifierCV(classifier(), cv=KFold(3)).fit(X, y)
        check(model, rows, explained := ctsk.explain(model, rows, target="yes"))
    assert explained.mature.all()


def test_the_range_of_all_folds_is_the_domain():
    X, y, _ = people()
    # The first fold has no large income.
    order = np.argsort(X["income"].fillna(0).to_numpy())
    halves = [(order[:200], order[200:]), (order[100:], order[:200])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ctsk.exceptions.UnknownValueWarning)
        model = CalibratedClassifierCV(classifier(), cv=halves).fit(X, y)
    inner = [part.estimator._explainable() for part in model.calibrated_classifiers_]
    explainable = wrapped_models.model_of(model, inner)
    assert explainable.constraints.high[1] == X["income"].max()
    assert explainable.encoder.domain[1][1] == X["income"].max()
    assert inner[0].encoder.domain[1][1] < X["income"].max()


def test_the_module_of_an_ensemble_is_the_logarithm_of_its_probabilities():
    X, y, many = people()
    for method in ("sigmoid", "isotonic"):
        for labels in (y, many):
            model = CalibratedClassifierCV(classifier(), method=method, cv=3).fit(X, labels)
            inner = [part.estimator._explainable() for part in model.calibrated_classifiers_]
            explainable = wrapped_models.model_of(model, inner)
            encoded = explainable.encoder.encode(X)
            with torch.no_grad():
                logits = explainable.module.double()(torch.as_tensor(encoded))
            # Isotonic probabilities of 0 have no logarithm; the module takes 1e-6 for them.
            assert_allclose(logits.softmax(dim=1).numpy(), model.predict_proba(X), atol=3e-6)


def test_a_frozen_classifier_is_calibrated_and_has_its_constraints():
    X, y, _ = people()
    clf = classifier().fit(X, y)
    model = CalibratedClassifierCV(FrozenEstimator(clf)).fit(X, y)
    rows = X.head(30)
    explanation = check(model, rows, ctsk.explain(model, rows, target="yes", tau=0.6))
    assert explanation.mature.all()


def test_a_threshold_around_a_fitted_classifier_needs_no_fit():
    X, y, _ = people()
    model = FixedThresholdClassifier(classifier().fit(X, y), threshold=0.4, pos_label="yes")
    rows = X.head(10)
    assert check(model, rows, ctsk.explain(model, rows, target="yes")).tau == 0.4


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_an_unfitted_wrapper_is_an_error(wrapper):
    with pytest.raises(NotFittedError):
        ctsk.explain(clone(fitted(wrapper)), people()[0])


def test_another_model_within_a_wrapper_is_an_error():
    X, y = people()[0][["age"]], people()[1]
    for model in (CalibratedClassifierCV(LogisticRegression(), cv=2), LogisticRegression()):
        with pytest.raises(TypeError, match="model is of type LogisticRegression"):
            ctsk.explain(model.fit(X, y), X)


def test_calibrating_twice_is_an_error_for_an_ensemble():
    X, y, _ = people()
    once = CalibratedClassifierCV(classifier(), cv=2, ensemble=False)
    model = CalibratedClassifierCV(once, cv=2).fit(X, y)
    with pytest.raises(ValueError, match="Calibrate once"):
        ctsk.explain(model, X.head(2))


class Net(nn.Sequential):
    """Two layers with a number of outputs."""

    def __init__(self, n_out=2):
        super().__init__(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, n_out))


# scikit-learn turns labels into integers for a single net, which the binary net does not take.
@pytest.mark.parametrize(
    "kind, ensemble",
    [
        (NeuralNetClassifier, True),
        (NeuralNetClassifier, False),
        (NeuralNetBinaryClassifier, True),
    ],
)
def test_skorch_nets_are_calibrated(kind, ensemble):
    X, y, _ = people()
    rows = StandardScaler().fit_transform(X[["age", "income"]].fillna(2e4)).astype(np.float32)
    labels = (y == "yes").astype(np.int64 if kind is NeuralNetClassifier else np.float32)
    torch.manual_seed(0)
    criterion = {"criterion": nn.CrossEntropyLoss} if kind is NeuralNetClassifier else {}
    net = kind(
        Net,
        module__n_out=2 if criterion else 1,
        optimizer=torch.optim.Adam,
        lr=0.02,
        max_epochs=20,
        verbose=0,
        train_split=None,
        **criterion,
    )
    model = CalibratedClassifierCV(net, cv=3, ensemble=ensemble).fit(rows, labels)
    explanation = ctsk.explain(
        model, rows[:40], X_reference=rows, tau=0.6, prove=not ensemble, generator="nearest"
    )
    found = explanation.counterfactual
    assert found.dtype == np.float32
    assert_allclose(model.predict_proba(found), explanation.proba, atol=1e-6)
    assert_array_equal(model.predict(found), explanation.prediction)
    assert explanation.mature.mean() > 0.9
    assert ensemble or set(explanation.proof) <= {"optimal", "impossible"}
