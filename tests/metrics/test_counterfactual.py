from dataclasses import replace

import numpy as np
import pytest

from ctsk.metrics import cost, redundancy, validity


@pytest.fixture(scope="module")
def explanation(fitted_loans, loans):
    return fitted_loans.explain(loans[0].head(80), mutability={"children": "none"})


def moves_by_hand(explanation, loans):
    """How far each feature moved: standard deviations, and 1 for a category."""
    X, _ = loans
    before, after = explanation.factual, explanation.counterfactual
    columns = [
        (after[name] - before[name]).abs() / X[name].std(ddof=0) for name in ("income", "children")
    ]
    for name in ("grade", "job", "owner"):
        same = (before[name] == after[name]) | (before[name].isna() & after[name].isna())
        columns.append(~same)
    return np.array(columns, dtype=float).T


def test_costs_equal_their_formulas_and_a_change_of_category_counts_one(explanation, loans):
    moves = moves_by_hand(explanation, loans)
    assert (moves[:, 2:] == 1).any()
    np.testing.assert_allclose(cost(explanation), moves.sum(axis=1))
    np.testing.assert_allclose(cost(explanation, norm="l2"), np.sqrt((moves**2).sum(axis=1)))
    np.testing.assert_allclose(cost(explanation, norm="linf"), moves.max(axis=1))
    np.testing.assert_array_equal(cost(explanation, norm="n_changed"), (moves > 0).sum(axis=1))
    np.testing.assert_allclose(cost(explanation, norm="weighted"), explanation.cost)
    np.testing.assert_allclose(cost(explanation), explanation.cost)


def test_redundancy_is_the_share_of_unchanged_features(explanation, loans):
    moves = moves_by_hand(explanation, loans)
    np.testing.assert_allclose(redundancy(explanation), (moves == 0).mean(axis=1))
    assert redundancy(explanation).min() >= 1 / 5


def test_a_feature_is_either_changed_or_redundant_however_little_it_moved(fitted_iris, iris):
    """A change of 1e-6 is a change in both metrics, as it is in the table of changes."""
    explanation = fitted_iris.explain(iris[0][:20])
    moved = explanation.factual_rows.with_values(explanation.factual + [0, 1e-6, 0, 0])
    explanation = replace(explanation, counterfactual_rows=moved)
    np.testing.assert_array_equal(cost(explanation, norm="n_changed"), 1)
    np.testing.assert_allclose(redundancy(explanation), 3 / 4)
    assert len(explanation.changes()) == 20


def test_validity_is_the_share_that_is_predicted_as_its_target(fitted_loans, explanation):
    predictions = fitted_loans.predict(explanation.counterfactual)
    assert validity(explanation) == np.mean(predictions == explanation.target)


def test_unknown_norm_is_rejected(explanation):
    with pytest.raises(ValueError, match="'norm' parameter of cost must be a str among"):
        cost(explanation, norm="l0")


@pytest.mark.parametrize("metric", [validity, cost, redundancy])
def test_rows_in_place_of_an_explanation_are_rejected(metric, iris):
    with pytest.raises(TypeError, match=r"'explanation' parameter .* instance of .*Explanation"):
        metric(iris[0])
