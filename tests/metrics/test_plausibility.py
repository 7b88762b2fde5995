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
