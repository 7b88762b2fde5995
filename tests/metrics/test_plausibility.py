import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.exceptions import UndefinedMetricWarning

from ctsk.metrics import implausibility, maximum_mean_discrepancy, nearest_neighbor_distance


@given(seed=st.integers(0, 2**16), n=st.integers(1, 30), m=st.integers(1, 30))
@settings(max_examples=50)
def test_implausibility_is_the_mean_l1_distance(seed, n, m):
    rng = np.random.default_rng(seed)
    # Few distinct values, so that ties are common.
    queries = rng.integers(-3, 4, size=(n, 4)) / 2 + 1e3
    rows = rng.integers(-3, 4, size=(m, 4)) + 1e3
    expected = cdist(queries, rows, "cityblock").mean(axis=1)
    np.testing.assert_allclose(implausibility(queries, rows), expected, atol=1e-9)


# Up to 15 columns scikit-learn builds a tree; with more it compares all pairs in chunks.
@pytest.mark.parametrize("n_columns", [3, 16])
@given(seed=st.integers(0, 2**16), n=st.integers(1, 30), m=st.integers(5, 60))
@settings(max_examples=30)
def test_nearest_neighbor_distance_is_the_mean_of_the_smallest_l1_distances(n_columns, seed, n, m):
    rng = np.random.default_rng(seed)
    # Few distinct values, so that ties are common.
    queries = rng.integers(-3, 4, size=(n, n_columns)) / 2 + 1e3
    rows = rng.integers(-3, 4, size=(m, n_columns)) + 1e3
    weights = rng.integers(0, 3, size=n_columns) / 2
    distances = np.abs(queries[:, None] - rows) @ weights
    expected = np.sort(distances, axis=1)[:, :5].mean(axis=1)
    actual = nearest_neighbor_distance(queries, rows, weights=weights)
    np.testing.assert_allclose(actual, expected, atol=1e-9)


def test_nearest_neighbor_distance_to_all_rows_is_implausibility():
    rng = np.random.default_rng(0)
    queries, rows = rng.normal(size=(2, 20, 3))
    actual = nearest_neighbor_distance(queries, rows, n_neighbors=20)
    np.testing.assert_allclose(actual, implausibility(queries, rows))


def test_one_neighbor_is_the_nearest_row():
    assert nearest_neighbor_distance([[1.0]], [[0.0], [1.5], [9.0]], n_neighbors=1) == [0.5]


def test_center_of_a_ring_is_plausible_on_average_but_not_locally():
    angles = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    ring = np.column_stack([np.cos(angles), np.sin(angles)])
    center, member = np.zeros((1, 2)), ring[:1]
    assert implausibility(center, ring) < implausibility(member, ring)
    assert nearest_neighbor_distance(center, ring) > 5 * nearest_neighbor_distance(member, ring)


def test_memory_does_not_hold_all_distances():
    rng = np.random.default_rng(0)
    # 20 columns, so that all pairs are compared: their distances would take 160 MB.
    queries, rows = rng.normal(size=(2_000, 20)), rng.normal(size=(10_000, 20))
    tracemalloc.start()
    try:
        nearest_neighbor_distance(queries, rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * 2**20


@pytest.mark.parametrize("n_neighbors", [0, -1, 2.0, "all", None])
def test_invalid_number_of_neighbors_is_named(n_neighbors):
    with pytest.raises(ValueError, match="'n_neighbors' parameter"):
        nearest_neighbor_distance([[0.0]], np.zeros((9, 1)), n_neighbors=n_neighbors)


@pytest.mark.parametrize("n_counterfactuals", [0, 3])
@pytest.mark.filterwarnings("ignore:The metric is undefined")
def test_more_neighbors_than_rows_are_rejected(n_counterfactuals):
    with pytest.raises(ValueError, match="n_neighbors is 5, but X_target has only 4 rows"):
        nearest_neighbor_distance(np.zeros((n_counterfactuals, 2)), np.zeros((4, 2)))


def test_weights_weigh_columns():
    queries, rows = np.array([[1.0, 0.0]]), np.array([[0.0, 3.0], [0.0, 1.0]])
    assert implausibility(queries, rows, weights=[2.0, 0.5]).tolist() == [2.0 + 1.0]
    nearest = nearest_neighbor_distance(queries, rows, n_neighbors=1, weights=[2.0, 0.5])
    assert nearest.tolist() == [2.0 + 0.5]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 1, 1], r"weights has shape \(3,\)"),
        ([[1, 1]], r"weights has shape \(1, 2\)"),
        ([1, -1], "non-negative"),
        ([1, np.nan], "Input weights contains NaN"),
        ("equal", "'weights' parameter of"),
    ],
)
@pytest.mark.parametrize("metric", [implausibility, nearest_neighbor_distance])
def test_invalid_weights_are_rejected(metric, weights, message):
    with pytest.raises(ValueError, match=message):
        metric([[1.0, 0.0]], np.zeros((5, 2)), weights=weights)


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


@pytest.mark.parametrize(
    "metric", [implausibility, nearest_neighbor_distance, maximum_mean_discrepancy]
)
def test_invalid_rows_are_rejected(metric):
    rows = np.zeros((3, 2))
    with pytest.raises(ValueError, match="2 and 3 features"):
        metric(rows, np.zeros((3, 3)))
    with pytest.raises(ValueError, match="Input first argument contains NaN"):
        metric(np.full((3, 2), np.nan), rows)
    with pytest.raises(ValueError, match="minimum of"):
        metric(rows, rows[:0])


@pytest.mark.parametrize(
    "metric", [implausibility, nearest_neighbor_distance, maximum_mean_discrepancy]
)
def test_explanation_in_place_of_rows_is_an_error_that_names_its_rows(metric, iris, fitted_iris):
    explanation = fitted_iris.explain(iris[0][:3])
    with pytest.raises(TypeError, match="counterfactual_encoded"):
        metric(explanation, iris[0])
    with pytest.raises(TypeError, match="counterfactual_encoded"):
        metric(iris[0], explanation)


def test_metrics_are_undefined_without_counterfactuals():
    rows = np.zeros((5, 2))
    for metric in (implausibility, nearest_neighbor_distance):
        with pytest.warns(
            UndefinedMetricWarning, match="undefined for 0 counterfactuals"
        ) as caught:
            assert metric(rows[:0], rows).shape == (0,)
        # The warning points at the line that calls the metric.
        assert caught[0].filename == __file__
    with pytest.warns(UndefinedMetricWarning, match="undefined for 1 counterfactuals"):
        assert np.isnan(maximum_mean_discrepancy(rows[:1], rows))
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(maximum_mean_discrepancy(rows[:1], rows, n_permutations=9)).all()


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
