"""Scorers of the cheapest counterfactuals, which the generator "nearest" searches."""

import numpy as np
import pytest
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
    validity,
    validity_scorer,
)

PAPER = {"generator": ECCCoGenerator(lambda_cost=0), "tau": 0.95, "T": 50}


def test_cost_is_that_of_the_cheapest_counterfactuals_at_the_decision(fitted_loans, loans):
    X, y = loans[0].head(100), loans[1].head(100)
    explanation = fitted_loans.explain(X, generator="nearest", tau=0.5)
    assert explanation.valid.mean() > 0.9
    before, after = explanation.factual, explanation.counterfactual
    moves = [
        (after[name] - before[name]).abs() / loans[0][name].std(ddof=0)
        for name in ("income", "children")
    ]
    for name in ("grade", "job", "owner"):
        is_same = (before[name] == after[name]) | (before[name].isna() & after[name].isna())
        moves.append(~is_same)
    costs = np.array(moves, dtype=float).sum(axis=0)
    expected = -costs[explanation.valid].mean()
    assert neg_cost_scorer(fitted_loans, X, y) == pytest.approx(expected)


@pytest.mark.parametrize("scorer", [validity_scorer, neg_implausibility_scorer, neg_mmd_scorer])
def test_the_measures_of_the_paper_keep_its_search(scorer):
    settings = scorer.explain_params
    assert isinstance(settings["generator"], ECCCoGenerator)
    assert settings["generator"].lambda_cost == 0
    assert (settings["tau"], settings["T"]) == (0.95, 50)


def test_people_pay_at_most_what_the_search_of_the_paper_costs(fitted_iris, iris):
    with_eccco = make_counterfactual_scorer(cost, greater_is_better=False, **PAPER)
    assert neg_cost_scorer(fitted_iris, *iris) > with_eccco(fitted_iris, *iris)


def test_nearly_every_row_is_valid_under_the_search_of_the_cheapest(fitted_iris, iris):
    scorer = make_counterfactual_scorer(validity, generator="nearest")
    assert scorer(fitted_iris, *iris) > 0.99
    assert scorer.explain_params == {"generator": "nearest", "tau": 0.95, "T": None}


def test_cost_validity_and_implausibility_cause_exactly_two_searches(fitted_iris, iris, n_searches):
    scoring = {
        "neg_cost": neg_cost_scorer,
        "validity": validity_scorer,
        "neg_implausibility": neg_implausibility_scorer,
    }
    scores = make_multimetric_scorer(scoring)(fitted_iris, *iris)
    assert n_searches() == 2
    assert scores == {name: scorer(fitted_iris, *iris) for name, scorer in scoring.items()}


def test_scorers_of_the_same_cheapest_counterfactuals_share_their_search(
    fitted_iris, iris, n_searches
):
    settings = {"generator": "nearest", "tau": 0.5}
    scoring = {
        "neg_cost": neg_cost_scorer,
        "validity": make_counterfactual_scorer(validity, **settings),
        "at_most": make_counterfactual_scorer(validity, T=1, **settings),
    }
    make_multimetric_scorer(scoring)(fitted_iris, *iris)
    assert n_searches() == 2


@pytest.mark.parametrize("in_pipeline", [False, True], ids=["classifier", "pipeline"])
def test_the_cheapest_are_scored_by_the_tools_of_scikit_learn(diabetes, in_pipeline):
    X, y = diabetes[0].head(90), diabetes[1].head(90)
    clf = CounterfactualTrainedClassifier(max_epochs=4, lr=0.03, random_state=0)
    model = make_pipeline(StandardScaler(), clf) if in_pipeline else clf
    prefix = "counterfactualtrainedclassifier__" if in_pipeline else ""
    validated = cross_validate(model, X, y, scoring=neg_cost_scorer, cv=2, error_score=np.nan)
    assert (validated["test_score"] < 0).all()
    grid = {prefix + "lambda_reg": [0.1, 0.2]}
    search = GridSearchCV(model, grid, scoring=neg_cost_scorer, cv=2, error_score=np.nan).fit(X, y)
    assert (search.cv_results_["mean_test_score"] < 0).all()


def test_alternatives_of_the_cheapest_are_scored(fitted_iris, iris):
    scorer = make_counterfactual_scorer(
        cost, greater_is_better=False, generator="nearest", tau=0.5, n_alternatives=2
    )
    # Later alternatives cost at least as much as the first.
    assert scorer(fitted_iris, *iris) <= neg_cost_scorer(fitted_iris, *iris) < 0
