import functools
import pickle

import numpy as np
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV, cross_validate, learning_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator, GenericGenerator
from ctsk.metrics import (
    cost,
    implausibility,
    make_counterfactual_scorer,
    maximum_mean_discrepancy,
    neg_cost_scorer,
    neg_implausibility_scorer,
    neg_mmd_scorer,
    robust_accuracy,
    robust_accuracy_scorer,
    validity,
    validity_scorer,
)

SCORERS = {
    "validity": validity_scorer,
    "neg_cost": neg_cost_scorer,
    "neg_implausibility": neg_implausibility_scorer,
    "neg_mmd": neg_mmd_scorer,
    "robust_accuracy": robust_accuracy_scorer,
}
SEARCH = {"generator": ECCCoGenerator(lambda_cost=0), "tau": 0.95, "T": 50}


@pytest.fixture
def n_searches(monkeypatch):
    """Count calls of explain."""
    counted = []
    explain = CounterfactualTrainedClassifier.explain

    def counting(self, *args, **kwargs):
        counted.append(kwargs)
        return explain(self, *args, **kwargs)

    monkeypatch.setattr(CounterfactualTrainedClassifier, "explain", counting)
    return lambda: len(counted)


def test_scores_equal_the_metrics_of_a_search_by_hand(fitted_iris, iris):
    X, y = iris
    explanation = fitted_iris.explain(X, **SEARCH)
    valid, found = explanation.valid, explanation.counterfactual_encoded
    assert validity_scorer(fitted_iris, X, y) == validity(explanation) > 0.5
    assert neg_cost_scorer(fitted_iris, X, y) == -cost(explanation)[valid].mean()
    rows = fitted_iris.encoder_.encode(X)
    distances, mmds, sizes = [], [], []
    for label in np.unique(explanation.target[valid]):
        of_label = valid & (explanation.target == label)
        distances.extend(implausibility(found[of_label], rows[y == label]))
        if of_label.sum() > 1:
            mmds.append(maximum_mean_discrepancy(found[of_label], rows[y == label]))
            sizes.append(of_label.sum())
    assert neg_implausibility_scorer(fitted_iris, X, y) == pytest.approx(-np.mean(distances))
    assert neg_mmd_scorer(fitted_iris, X, y) == pytest.approx(-np.average(mmds, weights=sizes))
    assert robust_accuracy_scorer(fitted_iris, X, y) == robust_accuracy(fitted_iris, X, y)


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


def test_the_candidates_own_search_settings_do_not_count(iris):
    X, y = iris
    scores = set()
    for settings in ({}, {"tau": 0.6, "T": 3, "generator": "generic"}):
        clf = CounterfactualTrainedClassifier(
            lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=20, random_state=0, **settings
        ).fit(X, y)
        scores.add(neg_cost_scorer(clf, X, y))
    assert len(scores) == 1


@pytest.mark.parametrize("in_pipeline", [False, True], ids=["classifier", "pipeline"])
def test_many_scorers_cost_one_search_per_split(diabetes, n_searches, in_pipeline):
    clf = CounterfactualTrainedClassifier(max_epochs=3, random_state=0)
    model = make_pipeline(StandardScaler(), clf) if in_pipeline else clf
    grid = {("counterfactualtrainedclassifier__" if in_pipeline else "") + "T": [5, 10]}
    search = GridSearchCV(
        model, grid, scoring={**SCORERS, "accuracy": "accuracy"}, refit=False, cv=3
    ).fit(*diabetes)
    assert n_searches() == 2 * 3
    for key in SCORERS:
        assert np.isfinite(search.cv_results_[f"mean_test_{key}"]).all()


def test_other_settings_search_for_themselves(fitted_iris, iris, n_searches):
    scoring = {
        "one": validity_scorer,
        "two": neg_cost_scorer,
        "eager": make_counterfactual_scorer(validity, tau=0.5),
        "few": make_counterfactual_scorer(validity, max_samples=20),
    }
    check_scoring(fitted_iris, scoring=scoring)(fitted_iris, *iris)
    assert n_searches() == 3


def test_searches_that_differ_in_the_middle_of_long_settings_are_not_shared(
    fitted_iris, iris, n_searches
):
    words = np.full((150, 4), "both", dtype=object)
    words = np.repeat(words, 3, axis=0)
    frozen = words.copy()
    frozen[100:350] = "none"
    X, y = np.repeat(iris[0], 3, axis=0), np.repeat(iris[1], 3)
    scoring = {
        name: make_counterfactual_scorer(validity, mutability=table)
        for name, table in {"free": words, "frozen": frozen}.items()
    }
    found = check_scoring(fitted_iris, scoring=scoring)(fitted_iris, X, y)
    assert n_searches() == 2
    assert found["frozen"] < found["free"]


def test_scorers_share_a_search_after_a_trip_to_a_worker(fitted_iris, iris, n_searches):
    scoring = pickle.loads(pickle.dumps({name: SCORERS[name] for name in ("validity", "neg_mmd")}))
    check_scoring(fitted_iris, scoring=scoring)(fitted_iris, *iris)
    assert n_searches() == 1


def test_one_metric_that_fails_does_not_take_the_others_with_it(iris):
    def failing(explanation):
        raise ZeroDivisionError("no such metric")

    scoring = {"validity": validity_scorer, "failing": make_counterfactual_scorer(failing)}
    clf = CounterfactualTrainedClassifier(max_epochs=3, random_state=0)
    with pytest.warns(UserWarning, match="no such metric"):
        found = cross_validate(clf, *iris, scoring=scoring, cv=3, error_score=np.nan)
    assert np.isfinite(found["test_validity"]).all()
    assert np.isnan(found["test_failing"]).all()


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)
def test_every_scorer_goes_through_scikit_learns_tools(loans, fitted_loans, scorer):
    X, y = loans[0].head(90), loans[1].head(90)
    clf = CounterfactualTrainedClassifier(max_epochs=4, lr=0.03, random_state=0)
    _, _, scores = learning_curve(clf, X, y, scoring=scorer, train_sizes=[1.0], cv=2)
    assert np.isfinite(scores).all()
    validated = cross_validate(clf, X, y, scoring=scorer, cv=2)["test_score"]
    assert np.isfinite(validated).all()
    importance = permutation_importance(
        fitted_loans, X.head(30), y.head(30), scoring=scorer, n_repeats=1, random_state=0
    )
    assert np.isfinite(importance.importances).all()


def test_arguments_of_robust_accuracy_are_given_by_partial(fitted_loans, loans):
    scorer = functools.partial(robust_accuracy_scorer, epsilon=0.0)
    assert scorer(fitted_loans, *loans) == fitted_loans.score(*loans)


def test_no_valid_counterfactual_scores_nan(fitted_iris, iris):
    fixed = {"mutability": ["none"] * 4}
    assert make_counterfactual_scorer(validity, **fixed)(fitted_iris, *iris) == 0
    for metric in (cost, *(s._score_func for s in (neg_implausibility_scorer, neg_mmd_scorer))):
        assert np.isnan(make_counterfactual_scorer(metric, **fixed)(fitted_iris, *iris))


def test_observed_rows_may_come_from_elsewhere(fitted_iris, iris):
    X, y = iris
    metric = neg_implausibility_scorer._score_func
    far = make_counterfactual_scorer(metric, reference=(X + 100, y), greater_is_better=False)
    assert far(fitted_iris, X, y) < neg_implausibility_scorer(fitted_iris, X, y) - 100


def test_other_models_are_refused(iris):
    with pytest.raises(TypeError, match="LogisticRegression gives no counterfactuals"):
        validity_scorer(LogisticRegression(max_iter=1000).fit(*iris), *iris)


def test_scikit_learns_private_scorer_is_as_we_know_it():
    """The sharing of searches rests on these; see `_CounterfactualScorer`."""
    from sklearn.metrics import _scorer

    cache = {}
    caller = functools.partial(_scorer._cached_call, cache)
    from ctsk.metrics.scorers import _StandIn

    calls = []
    stand_in = _StandIn("any name (1, 2)", lambda X: calls.append(X) or "answer")
    assert caller(stand_in, "any name (1, 2)", 7) == "answer"
    assert caller(stand_in, "any name (1, 2)", 7) == "answer"
    assert calls == [7]


def test_reference_rows_of_a_search_pass_through_the_pipeline(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(max_epochs=15, random_state=0)
    pipeline = make_pipeline(StandardScaler(), clf).fit(1000 * X + 5000, y)
    settings = {"generator": GenericGenerator(lambda_gravity=0.5), "tau": 0.6}
    outside = make_counterfactual_scorer(cost, X_reference=1000 * X + 5000, **settings)
    rows = pipeline[:-1].transform(1000 * X + 5000)
    inside = make_counterfactual_scorer(cost, X_reference=rows, **settings)
    assert outside(pipeline, 1000 * X + 5000, y) == pytest.approx(inside(pipeline[-1], rows, y))
