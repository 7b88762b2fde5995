import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsk import ECCCoGenerator, REVISEGenerator
from ctsk._explaining.sparsify import revert_features
from ctsk.metrics import cost

SETTINGS = {"tau": 0.6, "T": 80}


def scorer(weights, threshold, pairs):
    """A score that adds up over features, and over some pairs of them; -inf below a threshold."""

    def score(values, rows):
        scores = values @ weights + sum(w * values[:, i] * values[:, j] for i, j, w in pairs)
        return np.where(scores >= threshold, scores, -np.inf)

    return score


@given(seed=st.integers(0, 2**16))
@settings(max_examples=100)
def test_no_further_single_feature_can_be_reverted(seed):
    rng = np.random.default_rng(seed)
    factual = rng.normal(size=(6, 5))
    values = np.where(rng.random((6, 5)) < 0.8, rng.normal(1, 1, size=(6, 5)), factual)
    pairs = [(*rng.integers(0, 5, 2), rng.normal()) for _ in range(2)]
    score = scorer(rng.normal(size=5), rng.normal(), pairs)
    fine = score(values, np.arange(6)) > -np.inf
    sparse = revert_features(values[fine], factual[fine], lambda rows, _: score(rows, None))
    assert (score(sparse, None) > -np.inf).all()
    is_back = sparse == factual[fine]
    assert (is_back | (sparse == values[fine])).all()
    for feature in range(5):
        trial = sparse.copy()
        trial[:, feature] = factual[fine][:, feature]
        moved = ~is_back[:, feature]
        assert (score(trial, None)[moved] == -np.inf).all()


def test_what_matters_least_is_reverted_first():
    """Of four features, any one of weight 3 is enough; so three go, the weakest first."""
    weights = np.array([1.0, 3.0, 2.0, 0.5])
    sparse = revert_features(np.ones((1, 4)), np.zeros((1, 4)), scorer(weights, 3.0, []))
    assert sparse.tolist() == [[0.0, 1.0, 0.0, 0.0]]


def test_rows_that_are_refused_as_they_are_stay_as_they_are():
    weights = np.ones(3)
    values = np.array([[1.0, 1.0, 1.0], [5.0, 1.0, 1.0]])
    sparse = revert_features(values, np.zeros((2, 3)), scorer(weights, 4.0, []))
    assert sparse.tolist() == [[1.0, 1.0, 1.0], [5.0, 0.0, 0.0]]


def test_scores_are_asked_about_the_rows_they_are_of():
    asked = []

    def score(values, rows):
        asked.append((values[:, -1].tolist(), rows.tolist()))
        return np.full(len(values), 1.0)

    values = np.array([[1.0, 10.0], [0.0, 20.0], [1.0, 30.0]])
    factual = np.array([[0.0, 10.0], [0.0, 20.0], [0.0, 30.0]])
    sparse = revert_features(values, factual, score)
    assert (sparse == factual).all()
    assert all(rows == [int(tag / 10) - 1 for tag in tags] for tags, rows in asked)


def test_nothing_moved_asks_nothing():
    rows = np.ones((2, 3))
    assert (revert_features(rows, rows, None) == rows).all()
    assert revert_features(rows[:0], rows[:0], None).shape == (0, 3)


def test_sparse_counterfactuals_are_as_valid_and_mature_and_move_fewer_features(
    fitted_loans, loans
):
    X = loans[0].head(100)
    # Whole steps move more features than needed, which is what a sparse pass is for.
    settings = {"generator": ECCCoGenerator(max_step=None), **SETTINGS}
    dense, sparse = (fitted_loans.explain(X, sparse=sparse, **settings) for sparse in (False, True))
    np.testing.assert_array_equal(sparse.valid, dense.valid)
    np.testing.assert_array_equal(sparse.mature, dense.mature)
    np.testing.assert_array_equal(sparse.reason, dense.reason)
    n_dense, n_sparse = (cost(explanation, norm="n_changed") for explanation in (dense, sparse))
    assert (n_sparse <= n_dense).all()
    assert n_sparse[sparse.valid].mean() < 0.7 * n_dense[dense.valid].mean()
    unreached = ~dense.valid
    assert sparse.counterfactual[unreached].equals(dense.counterfactual[unreached])


def test_sparse_counterfactuals_need_every_feature_that_they_move(fitted_loans, loans):
    X = loans[0].head(40)
    explanation = fitted_loans.explain(X, sparse=True, **SETTINGS)
    for i in np.flatnonzero(explanation.mature & explanation.valid):
        row, before = explanation.counterfactual.iloc[[i]], explanation.factual.iloc[[i]]
        for name in X:
            trial = row.copy()
            trial[name] = before[name]
            if trial.equals(row):
                continue
            proba = fitted_loans.predict_proba(trial)[0]
            target = np.flatnonzero(fitted_loans.classes_ == explanation.target[i])[0]
            assert proba[target] < SETTINGS["tau"] or proba.argmax() != target


@pytest.mark.filterwarnings("ignore::ctsk.exceptions.PoorReconstructionWarning")
def test_sparse_reverts_what_an_autoencoder_blurs(fitted_loans, loans):
    X = loans[0]
    # An autoencoder that was trained briefly blurs no less.
    autoencoder = REVISEGenerator(max_iter=100)
    n_changed = {}
    for sparse in (False, True):
        explanation = fitted_loans.explain(
            X.head(50), generator=autoencoder, X_reference=X, sparse=sparse, **SETTINGS
        )
        n_changed[sparse] = np.median(cost(explanation, norm="n_changed")[explanation.valid])
    assert n_changed[True] < n_changed[False]


def test_features_of_one_unit_are_reverted_together_or_not_at_all():
    """The dummies of features 0 and 2 are a group; feature 1 is needed, they are not."""
    values, factual = np.array([[0.0, 1.0, 1.0]]), np.array([[1.0, 0.0, 0.0]])
    scored = []

    def score(rows, _):
        scored.extend(rows.tolist())
        return np.where(rows[:, 1] > 0, rows[:, 1], -np.inf)

    sparse = revert_features(values, factual, score, np.array([0, 1, 0]))
    assert sparse.tolist() == [[1.0, 1.0, 0.0]]
    assert all(row[0] + row[2] == 1 for row in scored)
