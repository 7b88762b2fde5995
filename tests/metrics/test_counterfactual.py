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


def test_redundancy_is_the_share_of_features_that_stay(explanation, loans):
    moves = moves_by_hand(explanation, loans)
    np.testing.assert_allclose(redundancy(explanation), (moves < 1e-5).mean(axis=1))
    assert redundancy(explanation).min() >= 1 / 5


def test_validity_is_the_share_that_is_predicted_as_its_target(fitted_loans, explanation):
    predictions = fitted_loans.predict(explanation.counterfactual)
    assert validity(explanation) == np.mean(predictions == explanation.target)


def test_unknown_norm_is_refused_by_name(explanation):
    with pytest.raises(ValueError, match="norm is 'l0'; it must be one of"):
        cost(explanation, norm="l0")
