import functools
import pickle
from dataclasses import replace

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import resample

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator, GenericGenerator
from ctsk.metrics import (
    cost,
    implausibility,
    make_counterfactual_scorer,
    make_multimetric_scorer,
    maximum_mean_discrepancy,
    neg_cost_scorer,
    neg_implausibility_scorer,
    neg_mmd_scorer,
    robust_accuracy,
    robust_accuracy_scorer,
    validity,
    validity_scorer,
)
from ctsk.metrics.counterfactual_scorer import CounterfactualScorer

SCORERS = {
    "validity": validity_scorer,
    "neg_cost": neg_cost_scorer,
    "neg_implausibility": neg_implausibility_scorer,
    "neg_mmd": neg_mmd_scorer,
    "robust_accuracy": robust_accuracy_scorer,
}
SEARCH = {"generator": ECCCoGenerator(lambda_cost=0, max_step=None), "tau": 0.95, "T": 50}
# The search of neg_cost_scorer.
CHEAPEST = {"generator": "nearest", "tau": 0.5}


def test_scores_equal_the_metrics_of_an_explanation(fitted_iris, iris):
    X, y = iris
    explanation = fitted_iris.explain(X, **SEARCH)
    valid, encoded = explanation.valid, explanation.counterfactual_encoded
    assert validity_scorer(fitted_iris, X, y) == validity(explanation) > 0.5
    cheapest = fitted_iris.explain(X, **CHEAPEST)
    assert neg_cost_scorer(fitted_iris, X, y) == -cost(cheapest)[cheapest.valid].mean()
    rows = fitted_iris.encoder_.encode(X)
    distances, mmds, sizes = [], [], []
    for label in np.unique(explanation.target[valid]):
        of_label = valid & (explanation.target == label)
        distances.extend(implausibility(encoded[of_label], rows[y == label]))
        if of_label.sum() > 1:
            mmds.append(maximum_mean_discrepancy(encoded[of_label], rows[y == label]))
            sizes.append(of_label.sum())
    assert neg_implausibility_scorer(fitted_iris, X, y) == pytest.approx(-np.mean(distances))
    assert neg_mmd_scorer(fitted_iris, X, y) == pytest.approx(-np.average(mmds, weights=sizes))
    assert robust_accuracy_scorer(fitted_iris, X, y) == robust_accuracy(fitted_iris, X, y)


def test_neg_mmd_compares_at_most_5000_observed_rows(fitted_iris, iris):
    X, _ = iris
    explanation = fitted_iris.explain(X[100:110], 0)
    observed = np.random.default_rng(0).normal(size=(12_000, 4))
    # The first and the last row, and evenly spaced ones in between.
    kept = observed[[int(i * 11_999 / 4_999) for i in range(5_000)]]
    metric = neg_mmd_scorer.metric
    assert metric(explanation, {0: observed}) == metric(explanation, {0: kept})
    assert metric(explanation, {0: observed}) != metric(explanation, {0: observed[:5_000]})


def test_a_change_of_category_counts_one_in_implausibility(fitted_loans, loans):
    X, y = loans
    explanation = fitted_loans.explain(X, **SEARCH)
    weights = np.r_[1, 1, np.full(4 + 4 + 2, 0.5)]
    rows = fitted_loans.encoder_.encode(X)
    distances = [
        np.abs((row - rows[y == target]) * weights).sum(axis=1).mean()
        for row, target, is_valid in zip(
            explanation.counterfactual_encoded, explanation.target, explanation.valid, strict=True
        )
        if is_valid
    ]
    assert neg_implausibility_scorer(fitted_loans, X, y) == pytest.approx(-np.mean(distances))


def test_search_settings_of_the_scored_estimator_are_not_used(iris):
    X, y = iris
    scores = set()
    for settings in ({}, {"tau": 0.6, "T": 3, "generator": "generic"}):
        clf = CounterfactualTrainedClassifier(
            lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=20, random_state=0, **settings
        ).fit(X, y)
        scores.add(neg_cost_scorer(clf, X, y))
    assert len(scores) == 1


@pytest.mark.parametrize(
    ("params", "T"),
    [
        ({}, 50),
        ({"tau": 0.6}, 50),
        ({"generator": "generic"}, None),
        ({"generator": "nearest"}, None),
        ({"generator": ECCCoGenerator(lambda_energy=1.0)}, None),
        ({"generator": "nearest", "T": 7}, 7),
        ({"T": 7}, 7),
    ],
    ids=str,
)
def test_fifty_steps_belong_to_the_default_generator(params, T):
    """Any other generator has its own number of steps, which None stands for in explain."""
    settings = make_counterfactual_scorer(cost, **params).explain_params
    default = validity_scorer.explain_params["generator"]
    assert repr(settings.pop("generator")) == repr(params.get("generator", default))
    assert settings == {"tau": params.get("tau", 0.95), "T": T}


def test_settings_of_a_scorer_reach_explain(fitted_iris, iris, monkeypatch):
    scorer = make_counterfactual_scorer(cost, generator="generic", n_alternatives=2)
    received = []
    explain = CounterfactualTrainedClassifier.explain
    monkeypatch.setattr(
        CounterfactualTrainedClassifier,
        "explain",
        lambda self, X, **params: received.append(params) or explain(self, X, **params),
    )
    scorer(fitted_iris, *iris)
    assert received == [{"generator": "generic", "tau": 0.95, "T": None, "n_alternatives": 2}]


def test_larger_data_are_subsampled(fitted_loans, loans, monkeypatch):
    X, y = loans
    n_rows = []
    explain = CounterfactualTrainedClassifier.explain
    monkeypatch.setattr(
        CounterfactualTrainedClassifier,
        "explain",
        lambda self, X, **params: n_rows.append(len(X)) or explain(self, X, **params),
    )
    scorers = [
        make_counterfactual_scorer(cost, max_samples=20, random_state=seed) for seed in (0, 0, 1)
    ]
    first, same, other = (scorer(fitted_loans, X, y) for scorer in scorers)
    assert n_rows == [20, 20, 20]
    assert first == same != other
    monkeypatch.undo()
    every_row = make_counterfactual_scorer(cost, max_samples=None, **CHEAPEST)
    assert every_row(fitted_loans, X, y) == -neg_cost_scorer(fitted_loans, X, y)


@pytest.mark.parametrize("in_pipeline", [False, True], ids=["classifier", "pipeline"])
@pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)
def test_every_scorer_goes_through_the_tools_of_scikit_learn(diabetes, scorer, in_pipeline):
    X, y = diabetes[0].head(60), diabetes[1].head(60)
    clf = CounterfactualTrainedClassifier(
        max_epochs=4, lr=0.03, n_counterfactuals=10, random_state=0
    )
    model = make_pipeline(StandardScaler(), clf) if in_pipeline else clf
    prefix = "counterfactualtrainedclassifier__" if in_pipeline else ""
    _, _, scores = learning_curve(model, X, y, scoring=scorer, train_sizes=[1.0], cv=2)
    assert np.isfinite(scores).all()
    validated = cross_validate(model, X, y, scoring=scorer, cv=2, error_score=np.nan)
    assert np.isfinite(validated["test_score"]).all()
    grid = {prefix + "lambda_reg": [0.1, 0.2]}
    search = GridSearchCV(model, grid, scoring=scorer, cv=2, error_score=np.nan).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    halving = HalvingGridSearchCV(
        model, grid, scoring=scorer, cv=2, factor=2, resource=prefix + "max_epochs",
        min_resources=2, max_resources=4, refit=False, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert np.isfinite(halving.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)
def test_every_scorer_measures_the_importance_of_features(fitted_loans, loans, scorer):
    X, y = loans[0].head(30), loans[1].head(30)
    importance = permutation_importance(
        fitted_loans, X, y, scoring=scorer, n_repeats=1, random_state=0
    )
    assert np.isfinite(importance.importances).all()


def test_parameters_of_robust_accuracy_are_set_by_partial(fitted_loans, loans):
    scorer = functools.partial(robust_accuracy_scorer, epsilon=0.0)
    assert scorer(fitted_loans, *loans) == fitted_loans.score(*loans)


def test_score_is_nan_without_a_valid_counterfactual(fitted_iris, iris):
    fixed = {"mutability": ["none"] * 4}
    assert make_counterfactual_scorer(validity, **fixed)(fitted_iris, *iris) == 0
    for metric in (cost, neg_implausibility_scorer.metric, neg_mmd_scorer.metric):
        assert np.isnan(make_counterfactual_scorer(metric, **fixed)(fitted_iris, *iris))


def test_reference_replaces_the_scored_rows(fitted_iris, iris):
    X, y = iris
    metric = neg_implausibility_scorer.metric
    far = make_counterfactual_scorer(metric, reference=(X + 100, y), greater_is_better=False)
    assert far(fitted_iris, X, y) < neg_implausibility_scorer(fitted_iris, X, y) - 100


def test_reference_rows_pass_through_the_pipeline(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(max_epochs=15, random_state=0)
    pipeline = make_pipeline(StandardScaler(), clf).fit(1000 * X + 5000, y)
    metric, raw = neg_implausibility_scorer.metric, 1000 * X + 5000
    explicit = make_counterfactual_scorer(metric, reference=(raw, y), greater_is_better=False)
    assert explicit(pipeline, raw, y) == neg_implausibility_scorer(pipeline, raw, y)


def test_reference_rows_of_a_generator_pass_through_the_pipeline(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(max_epochs=15, random_state=0)
    pipeline = make_pipeline(StandardScaler(), clf).fit(1000 * X + 5000, y)
    settings = {"generator": GenericGenerator(lambda_gravity=0.5), "tau": 0.6}
    outside = make_counterfactual_scorer(cost, X_reference=1000 * X + 5000, **settings)
    rows = pipeline[:-1].transform(1000 * X + 5000)
    inside = make_counterfactual_scorer(cost, X_reference=rows, **settings)
    assert outside(pipeline, 1000 * X + 5000, y) == pytest.approx(inside(pipeline[-1], rows, y))


class Sampler:
    """Step of an imbalanced-learn pipeline, which acts in fit only."""

    def fit_resample(self, X, y):
        raise AssertionError("Scoring must not resample.")


@pytest.mark.parametrize("step", [Sampler(), "passthrough", None])
def test_steps_that_do_not_transform_are_skipped(fitted_iris, iris, step):
    inner = Pipeline([("skipped", step), ("clf", fitted_iris)])
    for pipeline in (inner, Pipeline([("inner", inner)])):
        assert neg_cost_scorer(pipeline, *iris) == neg_cost_scorer(fitted_iris, *iris)
        assert robust_accuracy_scorer(pipeline, *iris) == robust_accuracy(fitted_iris, *iris)


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)
def test_other_models_are_rejected(iris, scorer):
    model = LogisticRegression(max_iter=1000).fit(*iris)
    for rejected in (model, make_pipeline(StandardScaler(), model).fit(*iris)):
        with pytest.raises(TypeError, match="LogisticRegression has no method explain"):
            scorer(rejected, *iris)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"metric": "cost"}, ValueError, "'metric' parameter"),
        ({"greater_is_better": "no"}, ValueError, "'greater_is_better' parameter"),
        ({"max_samples": 0}, ValueError, "'max_samples' parameter"),
        ({"random_state": None}, ValueError, "'random_state' parameter"),
        ({"reference": ([[0]],)}, ValueError, "reference has 1 entries"),
        ({"reference": ([[0]], [0, 1])}, ValueError, "inconsistent numbers of samples"),
        ({"tua": 0.5}, TypeError, "'tua' is neither a parameter of make_counterfactual_scorer"),
        ({"X": [[0]]}, TypeError, "'X' is neither"),
    ],
)
def test_invalid_parameters_of_a_scorer_are_named(params, error, message):
    with pytest.raises(error, match=message):
        make_counterfactual_scorer(**{"metric": cost, **params})


def test_scorer_survives_pickling_and_cloning_with_its_search(fitted_iris, iris):
    search = clone(GridSearchCV(fitted_iris, {}, scoring=neg_cost_scorer))
    stored = pickle.loads(pickle.dumps(neg_cost_scorer))
    expected = neg_cost_scorer(fitted_iris, *iris)
    assert search.scoring(fitted_iris, *iris) == stored(fitted_iris, *iris) == expected


def test_representations_are_the_calls_that_make_the_scorers():
    scorer = make_counterfactual_scorer(cost, greater_is_better=False, tau=0.6)
    expected = (
        "make_counterfactual_scorer(cost, greater_is_better=False, max_samples=1000, "
        "random_state=0, generator=ECCCoGenerator(lambda_cost=0, max_step=None), tau=0.6, T=50)"
    )
    assert repr(scorer) == expected
    combined = make_multimetric_scorer({"accuracy": "accuracy", "neg_cost": scorer})
    assert repr(combined) == (
        f"make_multimetric_scorer({{'accuracy': 'accuracy', 'neg_cost': {expected}}}, "
        "error_score=nan)"
    )


# Sample weights


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.parametrize("name", SCORERS)
def test_equal_weights_change_no_score(fitted_iris, iris, name):
    weighted = SCORERS[name](fitted_iris, *iris, sample_weight=np.full(150, 3.0))
    assert weighted == pytest.approx(SCORERS[name](fitted_iris, *iris), rel=1e-9)


@pytest.mark.parametrize("name", [name for name in SCORERS if "mmd" not in name])
def test_integer_weights_equal_repetition(fitted_iris, iris, name):
    """The observed rows to compare with are fixed, because a weight does not repeat these."""
    X, y = iris
    weights = np.random.default_rng(0).integers(0, 4, len(y))
    scorer = SCORERS[name]
    if isinstance(scorer, CounterfactualScorer):
        scorer = replace(scorer, reference=(X, y))
    repeated = np.repeat(np.arange(len(y)), weights)
    weighted = scorer(fitted_iris, X, y, sample_weight=weights)
    expected = scorer(fitted_iris, X[repeated], y[repeated])
    # The starts of attacks are random, and each copy of a row has its own.
    assert weighted == pytest.approx(expected, rel=1e-9, abs=0.01 if "robust" in name else 0)


def test_weights_are_drawn_with_the_rows_of_a_subsample(fitted_iris, iris):
    def row(explanation):
        return explanation.factual[:, 0]

    X, y = iris
    scorer = make_counterfactual_scorer(row, max_samples=20, tau=0.5)
    rows, weights = resample(X, X[:, 1], replace=False, n_samples=20, random_state=0)
    valid = fitted_iris.explain(rows, **scorer.explain_params).valid
    expected = np.average(rows[valid, 0], weights=weights[valid])
    assert scorer(fitted_iris, X, y, sample_weight=X[:, 1]) == pytest.approx(expected)


def test_metric_that_returns_one_number_must_take_the_weights(fitted_iris, iris):
    scorer = make_counterfactual_scorer(lambda explanation: 1.0)
    with pytest.raises(TypeError, match="no parameter sample_weight"):
        scorer(fitted_iris, *iris, sample_weight=np.ones(150))


@pytest.mark.parametrize("weights", [np.ones(3), -np.ones(150)], ids=["too few", "negative"])
def test_invalid_weights_are_named(fitted_iris, iris, weights):
    with pytest.raises(ValueError, match="sample_weight has shape"):
        validity_scorer(fitted_iris, *iris, sample_weight=weights)


def test_multimetric_scorer_passes_weights_to_all_scorers(fitted_iris, iris):
    X, y = iris
    weights = np.where(y == 0, 1.0, 0.2)
    scores = make_multimetric_scorer({"accuracy": "accuracy", **SCORERS})(
        fitted_iris, X, y, sample_weight=weights
    )
    for name, scorer in {"accuracy": get_scorer("accuracy"), **SCORERS}.items():
        assert scores[name] == pytest.approx(scorer(fitted_iris, X, y, sample_weight=weights))


def test_permutation_importance_weighs_counterfactuals(fitted_iris, iris):
    importance = permutation_importance(
        fitted_iris, *iris, scoring=neg_cost_scorer, n_repeats=1, sample_weight=np.ones(150),
        random_state=0,
    )  # fmt: skip
    assert np.isfinite(importance.importances_mean).all()


@pytest.mark.parametrize(
    "scoring",
    [neg_cost_scorer, make_multimetric_scorer({"neg_cost": neg_cost_scorer})],
    ids=["single", "multimetric"],
)
def test_routed_sample_weight_must_be_requested_or_declined(iris, routing, scoring):
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0)
    clf.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    with pytest.raises(ValueError, match="sample_weight"):
        cross_validate(
            clf, *iris, scoring=scoring, params={"sample_weight": np.ones(150)}, cv=2,
            error_score="raise",
        )  # fmt: skip


def test_routed_sample_weight_reaches_the_scorers_that_request_it(iris, routing):
    X, y = iris
    weights = np.where(y == 0, 1.0, 0.0)
    scoring = {
        "weighted": get_scorer("accuracy").set_score_request(sample_weight=True),
        "plain": get_scorer("accuracy").set_score_request(sample_weight=False),
        "validity": validity_scorer.set_score_request(sample_weight=True),
        "plain_validity": validity_scorer.set_score_request(sample_weight=False),
    }
    clf = CounterfactualTrainedClassifier(max_epochs=3, random_state=0)
    clf.set_fit_request(sample_weight=False)
    scores = cross_validate(
        clf, X, y, scoring=make_multimetric_scorer(scoring), cv=2, return_estimator=True,
        return_indices=True, params={"sample_weight": weights},
    )  # fmt: skip
    for split, fitted in enumerate(scores["estimator"]):
        test = scores["indices"]["test"][split]
        is_correct = fitted.predict(X[test]) == y[test]
        assert scores["test_weighted"][split] == is_correct[y[test] == 0].mean()
        assert scores["test_plain"][split] == is_correct.mean()
        weighted, plain = (
            validity_scorer(fitted, X[test], y[test], sample_weight=w)
            for w in (weights[test], None)
        )
        assert scores["test_validity"][split] == weighted
        assert scores["test_plain_validity"][split] == plain
    assert (scores["test_weighted"] != scores["test_plain"]).any()
