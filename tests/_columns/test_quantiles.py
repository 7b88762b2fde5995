"""Numbers as normal quantiles: the map, its inverse, and what is proven and returned behind it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, rankdata
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.encoder import Encoder
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema

AMOUNTS = np.random.default_rng(0).lognormal(8, 2, size=(300, 2))
CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
SMALL = {"standardize": "quantile", "max_epochs": 20, "lr": 0.02, "random_state": 0, **CONVENTIONAL}


def fit(X, weights=None):
    schema = Schema.fit(X, list(range(X.shape[1])), np.zeros(X.shape[1], bool))
    return Encoder.fit(
        Rows.read(X, schema), standardize="quantile", steps={0: None, 1: None}, weights=weights
    )


@pytest.fixture(scope="module")
def labels():
    return (AMOUNTS[:, 0] > 2 * AMOUNTS[:, 1]).astype(int)


@pytest.fixture(scope="module")
def clf(labels):
    return CounterfactualTrainedClassifier(**SMALL).fit(AMOUNTS, labels)


def test_training_rows_become_normal_quantiles_of_their_mean_ranks():
    X = AMOUNTS.copy()
    X[::3, 0] = 5.0
    X[5, 1] = 1e12
    ranks = (rankdata(X, axis=0) - 0.5) / len(X)
    np.testing.assert_allclose(fit(X).encode(X), norm.ppf(ranks).clip(-3, 3), atol=1e-6)


def test_the_map_returns_training_rows_and_numbers_between_them():
    encoder = fit(AMOUNTS)
    between = np.sort(AMOUNTS, axis=0)[:-1] * 0.4 + np.sort(AMOUNTS, axis=0)[1:] * 0.6
    for X in AMOUNTS, between:
        np.testing.assert_allclose(encoder.to_x_units(encoder.encode(X)), X, rtol=1e-9)


def test_numbers_beyond_the_clipped_quantiles_are_alike_and_the_map_has_an_inverse():
    X = np.arange(20_000.0)[:, None] ** 3
    encoder = fit(X)
    encoded = encoder.encode(X)[:, 0]
    assert np.abs(encoded).max() <= 3 * (1 + 1e-12)
    curve = encoder.curves[0][0]
    assert (np.diff(curve.points) > 0).all()
    assert (np.diff(curve.heights) > 0).all()
    assert len(curve.points) <= 1000
    ranks = (np.arange(20_000) + 0.5) / 20_000
    np.testing.assert_allclose(encoded, norm.ppf(ranks).clip(-3, 3), atol=5e-3)
    np.testing.assert_array_equal(
        encoder.encode(np.array([[-1e9], [1e30]]))[:, 0], encoded[[0, -1]]
    )


def test_a_weight_counts_as_repeated_rows():
    counts = np.random.default_rng(1).integers(1, 4, size=len(AMOUNTS))
    weighted, repeated = fit(AMOUNTS, counts / counts.mean()), fit(np.repeat(AMOUNTS, counts, 0))
    np.testing.assert_allclose(weighted.encode(AMOUNTS), repeated.encode(AMOUNTS), atol=1e-9)


def test_gaps_are_left_out_and_flags_are_standardized():
    X = pd.DataFrame({"amount": AMOUNTS[:, 0], "flag": [0.0, 1.0, 1.0] * 100})
    X.loc[::10, "amount"] = np.nan
    y = np.tile([0, 1], 150)
    clf = CounterfactualTrainedClassifier(**{**SMALL, "max_epochs": 1}).fit(X, y)
    assert list(clf.encoder_.curves) == [0]
    known = X["amount"].notna()
    numbers = X.loc[known, "amount"]
    ranks = (rankdata(numbers) - 0.5) / len(numbers)
    encoded = clf.encoder_.encode(X)
    np.testing.assert_allclose(encoded[known, 0], norm.ppf(ranks).clip(-3, 3), atol=1e-9)
    np.testing.assert_allclose(np.unique(encoded[:, 1]), [-np.sqrt(2), np.sqrt(0.5)])


def test_an_increasing_map_of_a_column_does_not_change_the_model(clf, labels):
    X = np.column_stack([AMOUNTS[:, 0] ** 2, AMOUNTS[:, 1]])
    other = CounterfactualTrainedClassifier(**SMALL).fit(X, labels)
    np.testing.assert_allclose(other.predict_proba(X), clf.predict_proba(AMOUNTS), atol=1e-4)


def test_counterfactuals_are_in_units_of_x_and_costs_in_quantiles(clf):
    explanation = clf.explain(AMOUNTS[:50], tau=0.6)
    assert explanation.valid.all()
    low, high = AMOUNTS.min(axis=0), AMOUNTS.max(axis=0)
    assert (explanation.counterfactual >= low).all()
    assert (explanation.counterfactual <= high).all()
    encode = clf.encoder_.encode
    moves = np.abs(encode(explanation.counterfactual) - encode(AMOUNTS[:50]))
    np.testing.assert_allclose(explanation.cost, moves.sum(axis=1), rtol=1e-5)


def test_the_cost_of_a_quantile_is_the_feature_cost_times_the_deviation(clf):
    explanation = clf.explain(AMOUNTS[:20], tau=0.6, feature_costs={0: 0.001})
    encode = clf.encoder_.encode
    moves = np.abs(encode(explanation.counterfactual) - encode(AMOUNTS[:20]))
    costs = moves @ [0.001 * AMOUNTS[:, 0].std(), 1.0]
    np.testing.assert_allclose(explanation.cost, costs, rtol=1e-5)


def test_a_wider_domain_is_not_reached_beyond_the_training_rows(clf):
    explanation = clf.explain(AMOUNTS[:50], tau=0.9, domain={"*": (None, None)})
    assert (explanation.counterfactual >= AMOUNTS.min(axis=0)).all()
    assert (explanation.counterfactual <= AMOUNTS.max(axis=0)).all()


@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_factuals_beyond_the_training_rows_keep_to_their_directions(clf, direction):
    X = np.array([[1e9, 1e9], [1e-9, 1e-9], [1e9, 1e-9], [1e-9, 1e9]])
    explanation = clf.explain(X, tau=0.6, mutability=[direction] * 2)
    changes = explanation.counterfactual - X
    assert (changes >= 0).all() if direction == "increase" else (changes <= 0).all()
    moved = explanation.valid & ((changes != 0).any(axis=1))
    assert moved.any()


def test_proofs_hold_in_quantiles(clf):
    rng = np.random.default_rng(2)
    X = AMOUNTS[:12]
    explanation = clf.explain(X, tau=0.8, prove=True)
    assert (explanation.proof == "optimal").all()
    # No row of a fine grid is cheaper than what is proven to be the cheapest.
    tables = [
        np.sort(np.append(column, rng.permutation(column)[:100] * 1.01)) for column in AMOUNTS.T
    ]
    grid = np.stack(np.meshgrid(*tables), axis=-1).reshape(-1, 2)
    proba, encoded = clf.predict_proba(grid), clf.encoder_.encode(grid)
    targets = 1 - clf.predict(X)
    for row, target in enumerate(targets):
        reached = encoded[proba[:, target] >= 0.8]
        costs = np.abs(reached - clf.encoder_.encode(X[row : row + 1])).sum(axis=1)
        assert explanation.lower_bound[row] <= costs.min() + 1e-6


def test_whole_numbers_behind_quantiles_are_never_proven_falsely(labels):
    X = np.ceil(AMOUNTS / 1000)
    clf = CounterfactualTrainedClassifier(**SMALL).fit(X, labels)
    explanation = clf.explain(X[:30], tau=0.7, prove=True)
    values = np.stack(np.meshgrid(*(np.unique(c) for c in X.T)), axis=-1).reshape(-1, 2)
    proba, encoded = clf.predict_proba(values), clf.encoder_.encode(values)
    for row in range(30):
        target = 1 - clf.predict(X[row : row + 1])[0]
        reached = encoded[proba[:, target] >= 0.7]
        costs = np.abs(reached - clf.encoder_.encode(X[row : row + 1])).sum(axis=1)
        assert explanation.lower_bound[row] <= costs.min() * (1 + 1e-6)
        if explanation.proof[row] == "optimal":
            assert explanation.cost[row] <= costs.min() * (1 + 2e-3)


def test_a_pipeline_before_the_map_is_explained_and_proven_alike(clf, labels):
    pipeline = make_pipeline(StandardScaler(), CounterfactualTrainedClassifier(**SMALL))
    pipeline.fit(AMOUNTS, labels)
    explanation = ctsk.explain(pipeline, AMOUNTS[:10], X_reference=AMOUNTS, prove=True)
    assert (explanation.proof == "optimal").all()
    np.testing.assert_allclose(
        explanation.cost, clf.explain(AMOUNTS[:10], prove=True).cost, rtol=2e-3
    )


def test_pickles_predict_and_explain_alike(clf):
    copy = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(copy.predict_proba(AMOUNTS), clf.predict_proba(AMOUNTS))
    explanations = [model.explain(AMOUNTS[:5]) for model in (clf, copy)]
    np.testing.assert_array_equal(*(e.counterfactual for e in explanations))
