import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from ctsk.metrics import maximum_mean_discrepancy


@pytest.mark.parametrize(
    "params",
    [
        {"length_scale": 0},
        {"length_scale": -1.0},
        {"length_scale": "mean"},
        {"length_scale": np.array([1.0, 2.0])},
        {"n_permutations": -1},
        {"n_permutations": 0},
        {"n_permutations": 9.5},
        {"random_state": "seed"},
    ],
    ids=str,
)
def test_invalid_parameter_of_mmd_is_named(params):
    rows = np.zeros((3, 2))
    with pytest.raises(ValueError, match=f"'{next(iter(params))}' parameter"):
        maximum_mean_discrepancy(rows, rows, **params)


def mmd_by_hand(X, Y, length_scale):
    def kernel(x, y):
        return np.exp(-np.sum((x - y) ** 2) / (2 * length_scale**2))

    within = [
        np.mean([kernel(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j])
        for rows in (X, Y)
    ]
    return sum(within) - 2 * np.mean([kernel(x, y) for x in X for y in Y])


@pytest.mark.parametrize("length_scale", [0.5, 5.0, "median"])
def test_mmd_equals_the_unbiased_formula(length_scale):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(12, 3)), rng.normal(0.5, size=(9, 3))
    scale = length_scale
    if length_scale == "median":
        scale = np.median(cdist(Y, Y)[np.triu_indices(9, 1)])
    expected = mmd_by_hand(X, Y, scale)
    mmd = maximum_mean_discrepancy(X + 100, Y + 100, length_scale=length_scale)
    assert mmd == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("n_features", [1, 4, 12])
def test_mmd_to_one_reference_grows_with_the_shift(n_features):
    """Also far from the reference, where a length scale of the pooled rows would grow."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 200, n_features))
    mmds = [maximum_mean_discrepancy(X + shift, Y) for shift in (0, 0.5, 1, 2, 3, 5, 10, 25)]
    assert (np.diff(mmds) >= 0).all()
    assert mmds[-1] > 0.9


@pytest.mark.parametrize("length_scale", [1.7, "median"])
def test_permutation_test_compares_all_splits_by_one_kernel(length_scale):
    """The splits of five rows can be listed: the p-value is that of an exact test.

    It is 0.6 with the median distance of all rows, and 0.2 with that of the reference, 1.7.
    """
    rows = np.array([[4.1], [-5.1], [0.8], [-1.1], [-0.9]])
    scale = np.median(cdist(rows, rows)[np.triu_indices(5, 1)])
    scale = length_scale if length_scale != "median" else scale
    mmds = []
    for first in itertools.combinations(range(5), 2):
        in_X = np.isin(np.arange(5), first)
        mmds.append(mmd_by_hand(rows[in_X], rows[~in_X], scale))
    exact = np.mean(np.array(mmds) >= mmds[0] - 1e-12)
    mmd, p_value = maximum_mean_discrepancy(
        rows[:2], rows[2:], length_scale=length_scale, n_permutations=20_000, random_state=0
    )
    assert mmd == maximum_mean_discrepancy(rows[:2], rows[2:], length_scale=length_scale)
    assert p_value == pytest.approx(exact, abs=0.01)


def test_mmd_does_not_depend_on_the_block_size(monkeypatch):
    from ctsk.metrics import discrepancy

    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(40, 3)), rng.normal(0.5, size=(31, 3))
    arguments = {"n_permutations": 20, "random_state": 0}
    whole = maximum_mean_discrepancy(X, Y, **arguments)
    monkeypatch.setattr(discrepancy, "_BLOCK", 7 * 71)
    np.testing.assert_allclose(maximum_mean_discrepancy(X, Y, **arguments), whole, rtol=1e-12)


def test_length_scale_is_the_mean_distance_where_most_reference_rows_are_equal():
    X, Y = np.array([[0.0], [1.0]]), np.array([[0.0], [0.0], [0.0], [0.0], [3.0]])
    assert np.median(cdist(Y, Y)[np.triu_indices(5, 1)]) == 0
    expected = mmd_by_hand(X, Y, cdist(Y, Y)[np.triu_indices(5, 1)].mean())
    assert maximum_mean_discrepancy(X, Y) == pytest.approx(expected)


def test_length_scale_of_a_long_reference_comes_from_evenly_spaced_rows(monkeypatch):
    from ctsk.metrics import discrepancy

    monkeypatch.setattr(discrepancy, "_MAX_COMPARED", 3)
    X, Y = np.array([[0.0], [1.0]]), np.array([[0.0], [0.1], [2.0], [0.2], [7.0]])
    expected = mmd_by_hand(X, Y, np.median([2.0, 5.0, 7.0]))
    assert maximum_mean_discrepancy(X, Y) == pytest.approx(expected)


def test_permutation_test_has_its_size_and_power():
    rng = np.random.default_rng(0)
    p_values = {0.0: [], 1.0: []}
    for seed in range(100):
        for shift, values in p_values.items():
            X, Y = rng.normal(size=(20, 3)), rng.normal(shift, size=(25, 3))
            values.append(maximum_mean_discrepancy(X, Y, n_permutations=99, random_state=seed)[1])
    # Of 100 tests at 5% under the null, 12 or more reject in 1 of 200 suites.
    assert np.mean(np.array(p_values[0.0]) <= 0.05) < 0.12
    assert np.min(p_values[0.0]) >= 0.01
    assert np.mean(np.array(p_values[1.0]) <= 0.05) > 0.95


def test_mmd_of_equal_rows_is_zero():
    rows = np.ones((5, 2))
    assert maximum_mean_discrepancy(rows, rows) == 0


def test_mmd_leaves_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()
    rows = np.random.default_rng(0).normal(size=(20, 2))
    maximum_mean_discrepancy(rows[:8], rows[8:], n_permutations=9, random_state=None)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_weighted_discrepancy_follows_its_formula():
    rng = np.random.default_rng(0)
    X, Y, weights = rng.normal(size=(6, 2)), rng.normal(size=(9, 2)) + 1, rng.uniform(0.2, 3, 6)

    def kernel(a, b):
        return np.exp(-((a[:, None] - b[None]) ** 2).sum(axis=2) / (2 * 0.7**2))

    pairs = np.outer(weights, weights) * (1 - np.eye(6))
    within_X = (pairs * kernel(X, X)).sum() / pairs.sum()
    within_Y = (kernel(Y, Y) * (1 - np.eye(9))).sum() / (9 * 8)
    between = np.average(kernel(X, Y).mean(axis=1), weights=weights)
    mmd = maximum_mean_discrepancy(X, Y, length_scale=0.7, sample_weight=weights)
    assert mmd == pytest.approx(within_X + within_Y - 2 * between, rel=1e-12)


def test_weights_cannot_be_combined_with_a_permutation_test():
    X = np.random.default_rng(0).normal(size=(5, 2))
    with pytest.raises(ValueError, match="sample_weight cannot be combined with n_permutations"):
        maximum_mean_discrepancy(X, X, n_permutations=9, sample_weight=np.ones(5))
