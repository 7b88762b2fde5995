import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.exceptions import UndefinedMetricWarning

from ctsk.metrics import implausibility, maximum_mean_discrepancy


@given(seed=st.integers(0, 2**16), n=st.integers(1, 30), m=st.integers(1, 30))
@settings(max_examples=50)
def test_implausibility_is_the_mean_l1_distance(seed, n, m):
    rng = np.random.default_rng(seed)
    # Few distinct values, so that ties are common.
    queries = rng.integers(-3, 4, size=(n, 4)) / 2 + 1e3
    rows = rng.integers(-3, 4, size=(m, 4)) + 1e3
    expected = cdist(queries, rows, "cityblock").mean(axis=1)
    np.testing.assert_allclose(implausibility(queries, rows), expected, atol=1e-9)


def test_weights_weigh_columns():
    queries, rows = np.array([[1.0, 0.0]]), np.array([[0.0, 3.0], [0.0, 1.0]])
    assert implausibility(queries, rows, weights=[2.0, 0.5]).tolist() == [2.0 + 1.0]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 1, 1], r"weights has shape \(3,\)"),
        ([[1, 1]], r"weights has shape \(1, 2\)"),
        ([1, -1], "non-negative"),
        ([1, np.nan], "Input weights contains NaN"),
        ("equal", "'weights' parameter of implausibility"),
    ],
)
def test_invalid_weights_are_rejected(weights, message):
    with pytest.raises(ValueError, match=message):
        implausibility([[1.0, 0.0]], [[0.0, 3.0]], weights=weights)


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
    from ctsk.metrics import plausibility

    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(40, 3)), rng.normal(0.5, size=(31, 3))
    arguments = {"n_permutations": 20, "random_state": 0}
    whole = maximum_mean_discrepancy(X, Y, **arguments)
    monkeypatch.setattr(plausibility, "_BLOCK", 7 * 71)
    np.testing.assert_allclose(maximum_mean_discrepancy(X, Y, **arguments), whole, rtol=1e-12)


def test_length_scale_is_the_mean_distance_where_most_reference_rows_are_equal():
    X, Y = np.array([[0.0], [1.0]]), np.array([[0.0], [0.0], [0.0], [0.0], [3.0]])
    assert np.median(cdist(Y, Y)[np.triu_indices(5, 1)]) == 0
    expected = mmd_by_hand(X, Y, cdist(Y, Y)[np.triu_indices(5, 1)].mean())
    assert maximum_mean_discrepancy(X, Y) == pytest.approx(expected)


def test_length_scale_of_a_long_reference_comes_from_evenly_spaced_rows(monkeypatch):
    from ctsk.metrics import plausibility

    monkeypatch.setattr(plausibility, "_MAX_COMPARED", 3)
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


@pytest.mark.parametrize("metric", [implausibility, maximum_mean_discrepancy])
def test_invalid_rows_are_rejected(metric):
    rows = np.zeros((3, 2))
    with pytest.raises(ValueError, match="2 and 3 features"):
        metric(rows, np.zeros((3, 3)))
    with pytest.raises(ValueError, match="Input first argument contains NaN"):
        metric(np.full((3, 2), np.nan), rows)
    with pytest.raises(ValueError, match="minimum of"):
        metric(rows, rows[:0])


def test_metrics_are_undefined_without_counterfactuals():
    rows = np.zeros((3, 2))
    with pytest.warns(UndefinedMetricWarning, match="undefined for 0 counterfactuals"):
        assert implausibility(rows[:0], rows).shape == (0,)
    with pytest.warns(UndefinedMetricWarning, match="undefined for 1 counterfactuals"):
        assert np.isnan(maximum_mean_discrepancy(rows[:1], rows))
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(maximum_mean_discrepancy(rows[:1], rows, n_permutations=9)).all()


def test_mmd_leaves_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()
    rows = np.random.default_rng(0).normal(size=(20, 2))
    maximum_mean_discrepancy(rows[:8], rows[8:], n_permutations=9, random_state=None)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
