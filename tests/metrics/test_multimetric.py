import pickle

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator
from ctsk.metrics import (
    cost,
    make_counterfactual_scorer,
    make_multimetric_scorer,
    neg_cost_scorer,
    neg_implausibility_scorer,
    neg_mmd_scorer,
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
SEARCH = {"generator": ECCCoGenerator(lambda_cost=0, max_step=None), "tau": 0.95, "T": 50}

# GridSearchCV warns about scores that are NaN on purpose in these tests.
ignores_nan_scores = pytest.mark.filterwarnings("ignore:One or more of the test scores")


def failing_metric(explanation):
    raise ZeroDivisionError("no such metric")


@pytest.mark.parametrize("in_pipeline", [False, True], ids=["classifier", "pipeline"])
def test_one_search_per_split_and_setting_serves_all_scorers(diabetes, n_searches, in_pipeline):
    clf = CounterfactualTrainedClassifier(max_epochs=3, random_state=0)
    model = make_pipeline(StandardScaler(), clf) if in_pipeline else clf
    X, y = diabetes[0].head(120), diabetes[1].head(120)
    grid = {("counterfactualtrainedclassifier__" if in_pipeline else "") + "T": [5, 10]}
    scoring = {**SCORERS, "accuracy": "accuracy", "neg_log_loss": get_scorer("neg_log_loss")}
    search = GridSearchCV(
        model, grid, scoring=make_multimetric_scorer(scoring), refit="accuracy", cv=3
    ).fit(X, y)
    # Two candidates, three splits, and two settings: that of the cost and that of the others.
    assert n_searches() == 2 * 3 * 2
    for key in scoring:
        assert np.isfinite(search.cv_results_[f"mean_test_{key}"]).all()
    assert search.score(X, y) == search.best_estimator_.score(X, y)


def test_combined_scores_equal_the_single_ones(fitted_loans, loans):
    scoring = {**SCORERS, "accuracy": get_scorer("accuracy")}
    scores = make_multimetric_scorer(scoring)(fitted_loans, *loans)
    assert scores == {name: scorer(fitted_loans, *loans) for name, scorer in scoring.items()}


def test_other_settings_need_a_search_of_their_own(fitted_iris, iris, n_searches):
    scoring = {
        "one": validity_scorer,
        "two": neg_implausibility_scorer,
        "equal": make_counterfactual_scorer(cost, **SEARCH),
        "less_confident": make_counterfactual_scorer(validity, tau=0.5),
        "few": make_counterfactual_scorer(validity, max_samples=20),
        "few_others": make_counterfactual_scorer(validity, max_samples=20, random_state=1),
    }
    make_multimetric_scorer(scoring)(fitted_iris, *iris)
    assert n_searches() == 4


def test_settings_that_differ_in_the_middle_of_a_long_array_are_told_apart(
    fitted_iris, iris, n_searches
):
    free = np.full((450, 4), "both", dtype=object)
    frozen = free.copy()
    frozen[100:350] = "none"
    X, y = np.repeat(iris[0], 3, axis=0), np.repeat(iris[1], 3)
    scoring = {
        name: make_counterfactual_scorer(validity, mutability=table)
        for name, table in {"free": free, "frozen": frozen}.items()
    }
    scores = make_multimetric_scorer(scoring)(fitted_iris, X, y)
    assert n_searches() == 2
    assert scores["frozen"] < scores["free"]


def test_settings_that_cannot_be_pickled_are_searched_once_for_each_scorer(
    fitted_iris, iris, n_searches
):
    class Local(ECCCoGenerator):
        """Class that pickle cannot find."""

    scorers = [make_counterfactual_scorer(metric, generator=Local()) for metric in (cost, validity)]
    scores = make_multimetric_scorer(dict(zip(["cost", "validity"], scorers, strict=True)))(
        fitted_iris, *iris
    )
    assert n_searches() == 2
    assert scores["validity"] > 0


def test_scorers_share_a_search_in_a_worker(fitted_iris, iris, n_searches):
    scorer = make_multimetric_scorer(SCORERS)
    in_worker = pickle.loads(pickle.dumps(scorer))
    scores = in_worker(fitted_iris, *iris)
    # The cost has a search of its own.
    assert n_searches() == 2
    assert scores == scorer(fitted_iris, *iris)


def test_explanations_are_not_kept_between_calls(fitted_iris, iris):
    X, y = iris
    scorer = make_multimetric_scorer({"neg_cost": neg_cost_scorer})
    first, other = scorer(fitted_iris, X[:75], y[:75]), scorer(fitted_iris, X[75:], y[75:])
    assert first["neg_cost"] == neg_cost_scorer(fitted_iris, X[:75], y[:75]) != other["neg_cost"]


@ignores_nan_scores
@pytest.mark.parametrize("combine", [make_multimetric_scorer, dict], ids=["multimetric", "dict"])
def test_failure_of_one_metric_leaves_the_others_alone(iris, combine):
    scoring = {
        "accuracy": "accuracy",
        "failing": make_counterfactual_scorer(failing_metric),
        "validity": validity_scorer,
    }
    clf = CounterfactualTrainedClassifier(max_epochs=3, random_state=0)
    with pytest.warns(UserWarning, match="no such metric"):
        search = GridSearchCV(
            clf, {"T": [3, 4]}, scoring=combine(scoring), refit="validity", cv=3, error_score=np.nan
        ).fit(*iris)
    assert np.isfinite(search.cv_results_["mean_test_validity"]).all()
    assert np.isfinite(search.cv_results_["mean_test_accuracy"]).all()
    assert np.isnan(search.cv_results_["mean_test_failing"]).all()


@ignores_nan_scores
def test_failure_of_the_search_leaves_other_scores_alone(iris):
    unreachable = {"target": "no such class"}
    scoring = {
        "accuracy": "accuracy",
        "cost": make_counterfactual_scorer(cost, **unreachable),
        "validity": make_counterfactual_scorer(validity, **unreachable),
        "robust_accuracy": robust_accuracy_scorer,
    }
    clf = CounterfactualTrainedClassifier(max_epochs=3, random_state=0)
    with (
        pytest.warns(UserWarning, match="The scorer 'cost' failed; its score is set to nan"),
        pytest.warns(UserWarning, match="The scorer 'validity' failed; its score is set to nan"),
    ):
        scores = cross_validate(clf, *iris, scoring=make_multimetric_scorer(scoring), cv=3)
    assert np.isnan(scores["test_cost"]).all()
    assert np.isnan(scores["test_validity"]).all()
    assert np.isfinite(scores["test_accuracy"]).all()
    assert np.isfinite(scores["test_robust_accuracy"]).all()


@ignores_nan_scores
def test_model_without_counterfactuals_gets_nan_and_its_accuracy(iris):
    scorer = make_multimetric_scorer({"accuracy": "accuracy", "validity": validity_scorer})
    model = make_pipeline(StandardScaler(), LogisticRegression())
    with pytest.warns(UserWarning, match="LogisticRegression has no method explain"):
        search = GridSearchCV(
            model, {"logisticregression__C": [1.0]}, scoring=scorer, refit="accuracy", cv=2
        ).fit(*iris)
    assert np.isnan(search.cv_results_["mean_test_validity"]).all()
    assert search.best_score_ > 0.8


def test_failure_is_raised_or_replaced_as_error_score_says(fitted_iris, iris):
    scoring = {"failing": make_counterfactual_scorer(failing_metric)}
    with pytest.raises(ZeroDivisionError, match="no such metric"):
        make_multimetric_scorer(scoring, error_score="raise")(fitted_iris, *iris)
    with pytest.warns(UserWarning, match="its score is set to -1"):
        scores = make_multimetric_scorer(scoring, error_score=-1)(fitted_iris, *iris)
    assert scores == {"failing": -1}


@ignores_nan_scores
def test_a_fit_that_fails_scores_nan_in_every_metric(iris):
    scorer = make_multimetric_scorer({"accuracy": "accuracy", "validity": validity_scorer})
    clf = CounterfactualTrainedClassifier(max_epochs=2, random_state=0)
    with pytest.warns(FitFailedWarning, match="3 fits failed"):
        search = GridSearchCV(
            clf, {"lr": [-1.0, 0.01]}, scoring=scorer, refit="accuracy", cv=3
        ).fit(*iris)
    for key in ("accuracy", "validity"):
        np.testing.assert_array_equal(
            np.isnan(search.cv_results_[f"mean_test_{key}"]), [True, False]
        )


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"scoring": [validity_scorer]}, ValueError, "'scoring' parameter"),
        ({"scoring": {}}, ValueError, "empty dict"),
        ({"scoring": {"accuracy": "acuracy"}}, ValueError, "'acuracy' is not a valid scoring"),
        ({"scoring": {"depth": 3}}, TypeError, r"scoring\['depth'\] is 3"),
        ({"scoring": {"accuracy": "accuracy"}, "error_score": "nan"}, ValueError, "'error_score'"),
    ],
)
def test_invalid_parameters_of_a_combination_are_named(params, error, message):
    with pytest.raises(error, match=message):
        make_multimetric_scorer(**params)


def test_equal_searches_are_shared_whatever_the_order_of_their_parameters(
    fitted_iris, iris, n_searches
):
    scorer = make_multimetric_scorer(
        {
            "validity": make_counterfactual_scorer(validity, tau=0.6, T=5, generator="generic"),
            "cost": make_counterfactual_scorer(
                cost, generator="".join(["gen", "eric"]), T=5, tau=0.6
            ),
        }
    )
    scorer(fitted_iris, *iris)
    assert n_searches() == 1


def test_a_search_that_fails_is_tried_once(fitted_iris, iris, n_searches):
    settings = {"mutability": {"no such feature": "none"}}
    scorer = make_multimetric_scorer(
        {
            "validity": make_counterfactual_scorer(validity, **settings),
            "cost": make_counterfactual_scorer(cost, **settings),
        }
    )
    with pytest.warns(UserWarning, match="no such feature"):
        scores = scorer(fitted_iris, *iris)
    assert np.isnan(list(scores.values())).all()
    assert n_searches() == 1


@pytest.mark.parametrize("value", [None, "much", [1, "much"]], ids=str)
def test_a_metric_that_returns_no_numbers_is_named(fitted_iris, iris, value):
    def odd_metric(explanation):
        return value

    with pytest.raises(TypeError, match="'odd_metric' returned .*a number"):
        make_counterfactual_scorer(odd_metric, T=2)(fitted_iris, *iris)
