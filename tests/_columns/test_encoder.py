from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsk._columns.constraints import Box, Constraints
from ctsk._columns.encoder import Encoder
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema
from ctsk._columns.user_constraints import check_constraints

X = np.random.default_rng(0).normal([0.0, 100.0, 5.0], [1.0, 30.0, 0.0], size=(50, 3))
MIXED = pd.DataFrame(
    {
        "job": ["cook", "nurse", None, "cook"],
        "income": [10.0, 20.0, 30.0, 40.0],
        "owner": [True, False, False, True],
        "age": [20, 30, 40, 50],
    }
)


def fit(X, *, standardize=True, categorical=None):
    """Return the space of X, and X as values."""
    categorical = np.zeros(X.shape[1], bool) if categorical is None else np.array(categorical)
    names = list(X.columns) if hasattr(X, "columns") else [f"x{i}" for i in range(X.shape[1])]
    rows = Rows.read(X, Schema.fit(X, names, categorical), warn=False)
    rows = replace(rows, schema=rows.schema.with_states(rows.values))
    return Encoder.fit(rows, standardize=standardize), rows.values


@pytest.fixture
def mixed():
    return fit(MIXED, categorical=[True, False, True, False])


def test_standardized_columns_have_mean_0_and_deviation_1_and_constants_scale_1():
    rows = fit(X)[0].encode(X)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(rows[:, :2].std(axis=0), 1)
    assert not rows[:, 2].any()


@pytest.mark.parametrize("deviation", [1e-15, 1e-13, 1e-10])
@pytest.mark.parametrize("mean", [1e9, -3e5])
def test_a_column_that_varies_little_beside_its_mean_is_no_constant(mean, deviation):
    numbers = mean * (1 + deviation * np.random.default_rng(0).normal(size=(1000, 1)))
    encoder, values = fit(numbers)
    encoded = encoder.encode_values(values)
    assert abs(encoded.mean()) < 0.2
    np.testing.assert_allclose(encoded.std(), 1, rtol=1e-6)


def test_a_column_whose_variance_underflows_is_no_constant():
    numbers = 1e-300 * np.random.default_rng(0).normal(size=(50, 1))
    encoder, values = fit(numbers)
    np.testing.assert_allclose(encoder.encode_values(values).std(), 1, rtol=1e-6)


def test_a_column_that_varies_by_rounding_errors_is_a_constant():
    numbers = np.array([[0.1 + 0.2], [0.3], [0.3], [0.1 + 0.2]])
    encoder, _ = fit(numbers)
    assert encoder.scale.tolist() == [1.0]


def test_without_standardize_rows_are_x():
    encoder, _ = fit(X, standardize=False)
    np.testing.assert_array_equal(encoder.encode(X), X)
    np.testing.assert_array_equal(encoder.to_x_units(X), X)


def test_unscaled_inverts_encode():
    encoder, _ = fit(X)
    np.testing.assert_allclose(encoder.to_x_units(encoder.encode(X)), X, rtol=1e-12)


def test_module_rows_are_numbers_standardized_then_one_hot_groups(mixed):
    encoder, values = mixed
    rows = encoder.encode(MIXED)
    np.testing.assert_allclose(rows[:, 0], (MIXED["income"] - 25) / MIXED["income"].std(ddof=0))
    np.testing.assert_allclose(rows[:, 1], (MIXED["age"] - 35) / MIXED["age"].std(ddof=0))
    # cook, nurse, missing; False, True
    expected = [[1, 0, 0, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 1, 0], [1, 0, 0, 0, 1]]
    np.testing.assert_array_equal(rows[:, 2:], expected)
    np.testing.assert_array_equal(encoder.collapse(encoder.expand(values)), values)
    columns = [columns.tolist() for columns in encoder.feature_columns]
    assert columns == [[2, 3, 4], [0], [5, 6], [1]]


@pytest.mark.parametrize(
    ("rows", "low", "high"),
    [
        pytest.param([-1.5, 0.2, 1.25], -1.5, 1.25, id="amounts"),
        pytest.param([7.0, 7.0], 7.0, 7.0, id="constant"),
        pytest.param([3.0, np.nan, 5.0], 3.0, 5.0, id="without gaps"),
        pytest.param([0.1 + 0.2, *np.arange(4, 30) / 10], 0.3, 2.9, id="without rounding errors"),
    ],
)
def test_inferred_domain_of_a_number_is_the_observed_range(rows, low, high):
    encoder, _ = fit(np.array(rows)[:, None])
    assert [bound[0] for bound in encoder.domain] == [low, high]


def test_inferred_domain_of_a_category_is_what_rows_hold_without_the_missing_one(mixed):
    low, high = mixed[0].domain
    assert low[2:].tolist() == [0] * 5
    assert high[2:].tolist() == [1, 1, 0, 1, 1]


def test_costs_per_unit_become_costs_per_module_unit_and_half_of_a_change(mixed):
    encoder, _ = mixed
    costs = encoder.encode_costs(np.array([4.0, 0.1, 1.0, 2.0]))
    income, age = MIXED["income"].std(ddof=0), MIXED["age"].std(ddof=0)
    np.testing.assert_allclose(costs, [0.1 * income, 2 * age, 2, 2, 2, 0.5, 0.5])


def test_relative_costs_keep_their_ratios_and_are_one_on_average(mixed):
    encoder, _ = mixed
    costs = encoder.encode_costs(np.array([4.0, 0.1, 1.0, 2.0]))
    free = Constraints.free(*encoder.domain, encoder.groups)
    relative = encoder.relative_costs(np.array([4.0, 0.1, 1.0, 2.0]), free)
    np.testing.assert_allclose(relative / relative[0], costs / costs[0])
    assert relative[0] + relative[1] + 2 * relative[2] + 2 * relative[5] == pytest.approx(4)
    tenfold = encoder.relative_costs(10 * np.array([4.0, 0.1, 1.0, 2.0]), free)
    np.testing.assert_allclose(tenfold, relative)
    assert not encoder.relative_costs(np.zeros(4), free).any()


DTYPES = [np.float64, np.float32, np.float16, np.int64, np.int8, np.uint8, np.bool_]


@given(
    seed=st.integers(0, 2**16),
    dtype=st.sampled_from(DTYPES),
    rise=st.booleans(),
    fall=st.booleans(),
    width=st.sampled_from([0.0, 0.1, 1.0, 5.0]),
)
@settings(max_examples=200)
def test_values_handed_over_are_representable_and_inside_the_box(seed, dtype, rise, fall, width):
    rng = np.random.default_rng(seed)
    factuals = rng.uniform(0, 2 if dtype == np.bool_ else 100, size=(30, 1)).astype(dtype)
    encoder, values = fit(factuals)
    center = values.mean()
    constraints = Constraints(
        low=np.array([center - width]),
        high=np.array([center + width]),
        may_rise=np.array([rise]),
        may_fall=np.array([fall]),
        groups=encoder.groups,
    )
    encoded = encoder.encode(factuals).astype(np.float32)
    moved = encoded + rng.normal(size=encoded.shape).astype(np.float32) * rng.integers(
        0, 2, (30, 1)
    )
    moved[0] = np.nan
    box = constraints.box(values)
    rows = Rows.read(factuals, encoder.schema)
    handed = encoder.decode(moved, encoded, rows, box).values
    assert (handed >= box.lower).all()
    assert (handed <= box.upper).all()
    np.testing.assert_array_equal(handed, handed.astype(dtype).astype(np.float64))
    unmoved = (moved == encoded) | np.isnan(moved)
    np.testing.assert_array_equal(handed[unmoved], values[unmoved])


def test_integers_are_rounded_to_the_nearest_inside_the_box():
    encoder, _ = fit(np.array([[0], [2], [5]]), standardize=False)
    box = Box(np.full((4, 1), 0.0), np.full((4, 1), 3.5), encoder.groups)
    encoded = np.array([[1.4], [1.6], [3.4], [9.0]])
    factuals = Rows.read(np.full((4, 1), 1.0), encoder.schema)
    handed = encoder.decode(encoded, np.zeros((4, 1)), factuals, box).values
    assert handed[:, 0].tolist() == [1.0, 2.0, 3.0, 3.0]


def test_category_handed_over_is_the_largest_of_those_that_may_be_reached(mixed):
    encoder, values = mixed
    box = Constraints.free(*encoder.domain, encoder.groups).box(encoder.expand(values))
    factual_rows = encoder.encode_values(values)
    found = factual_rows.copy()
    found[0, 2:5] = [0.2, 0.5, 0.3]
    found[1, 2:5] = [0.1, 0.2, 0.7]  # towards a missing value, which is no way out
    rows = Rows.read(MIXED, encoder.schema)
    handed = encoder.decode(found, factual_rows, rows, box).values
    assert handed[:, 0].tolist() == [1.0, 1.0, 2.0, 0.0]
    np.testing.assert_array_equal(handed[:, 1:], values[:, 1:])


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int32, np.int8])
def test_integers_at_the_ends_of_their_dtype_do_not_wrap_around(dtype):
    encoder, _ = fit(np.array([[0], [2], [5]]), standardize=False)
    box = Box(np.full((2, 1), -1e20), np.full((2, 1), 1e20), encoder.groups)
    factuals = Rows.read(np.full((2, 1), 1, dtype=dtype), encoder.schema)
    rows = encoder.decode(np.array([[1e20], [-1e20]]), np.ones((2, 1)), factuals, box)
    assert rows.container.dtype == dtype
    high, low = rows.container[:, 0].tolist()
    assert high > 0.99 * np.iinfo(dtype).max
    assert low == np.iinfo(dtype).min


GAPS = pd.DataFrame({"a": [1.0, 3.0, np.nan, 8.0], "b": [2.5, -9.0, 4.5, 0.25]})


@pytest.fixture
def gaps():
    schema = Schema.fit(GAPS, ["a", "b"], np.zeros(2, bool), special_values={1: (-9.0,)})
    rows = Rows.read(GAPS, schema, warn=False)
    rows = replace(rows, schema=schema.with_states(rows.values))
    return Encoder.fit(rows, standardize=True), rows


def test_missing_and_special_numbers_are_centered_beside_one_hot_columns(gaps):
    encoder, rows = gaps
    encoded = encoder.encode_values(rows.values)
    a, b = np.array([1.0, 3.0, 8.0]), np.array([2.5, 4.5, 0.25])
    np.testing.assert_allclose(encoded[[0, 1, 3], 0], (a - a.mean()) / a.std())
    np.testing.assert_allclose(encoded[[0, 2, 3], 1], (b - b.mean()) / b.std())
    assert encoded[2, 0] == encoded[1, 1] == 0
    # "a number" and missing; "a number" and -9
    expected = [[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [1, 0, 1, 0]]
    np.testing.assert_array_equal(encoded[:, 2:], expected)
    assert [columns.tolist() for columns in encoder.feature_columns] == [[0, 2, 3], [1, 4, 5]]
    np.testing.assert_array_equal(encoder.collapse(encoder.expand(rows.values)), rows.values)


def test_scales_domains_and_grids_are_those_of_the_amounts(gaps):
    encoder, _ = gaps
    assert [end[:2].tolist() for end in encoder.domain] == [[1.0, 0.25], [8.0, 4.5]]
    assert [end[2:].tolist() for end in encoder.domain] == [[0] * 4, [1, 0, 1, 0]]
    assert encoder.fill[:2].tolist() == [4.0, pytest.approx(7.25 / 3)]
    assert {feature: grid.step for feature, grid in encoder.grids.items()} == {0: 1.0}


def test_a_gap_is_left_for_a_number_of_the_grid_or_kept_bit_for_bit(gaps):
    encoder, rows = gaps
    factual_encoded = encoder.encode_values(rows.values)
    found = factual_encoded.copy()
    found[2, 2:4] = [1, 0]
    box = Constraints.free(*encoder.domain, encoder.groups).box(encoder.expand(rows.values))
    after = encoder.decode(found, factual_encoded, rows, box).container
    pd.testing.assert_frame_equal(after, GAPS.assign(a=[1.0, 3.0, 4.0, 8.0]))


def test_a_gap_that_training_did_not_have_is_the_mean_and_is_left_by_moving():
    encoder, _ = fit(X[:, :1])
    rows = Rows.read(np.full((2, 1), np.nan), encoder.schema, warn=False)
    encoded = encoder.encode_values(rows.values)
    np.testing.assert_allclose(encoded, 0, atol=1e-12)
    box = Constraints.free(*encoder.domain, encoder.groups).box(encoder.expand(rows.values))
    found = encoded + [[0.0], [0.5]]
    after = encoder.decode(found, encoded, rows, box).values[:, 0]
    assert np.isnan(after[0])
    assert after[1] == pytest.approx(X[:, 0].mean() + 0.5 * X[:, 0].std())


def test_an_unknown_category_is_the_training_shares_and_keeps_its_cell(mixed):
    encoder, _ = mixed
    flags = pd.DataFrame({"job": ["cook", "nurse", "cook", "cook"]})
    encoder, _ = fit(flags, categorical=[True])
    rows = Rows.read(pd.DataFrame({"job": ["pilot"] * 2}), encoder.schema, warn=False)
    encoded = encoder.encode_values(rows.values)
    assert encoded.tolist() == [[0.75, 0.25]] * 2
    box = Constraints.free(*encoder.domain, encoder.groups).box(encoder.expand(rows.values))
    after = encoder.decode(np.array([[0.75, 0.25], [0, 1]]), encoded, rows, box)
    assert after.container["job"].tolist() == ["pilot", "nurse"]


@pytest.mark.parametrize("n_steps", [0, 1, 2])
def test_a_number_at_a_bound_of_the_search_is_exactly_the_bound(n_steps):
    """Sums of a search may miss the bound by a few units in the last place."""
    encoder, _ = fit(X[:, :1] * 1e-3 + 12345.678)
    low, high = 12345.6712345, 12345.7654321
    factuals = Rows.read(np.full((2, 1), 12345.7), encoder.schema)
    box = Constraints.free(np.array([low]), np.array([high]), encoder.groups).box(factuals.values)
    module_box = encoder.encode_box(box)
    encoded = encoder.encode_values(factuals.values).astype(np.float32)
    found = np.array([module_box.lower[0], module_box.upper[0]]).astype(np.float32)
    for _ in range(n_steps):
        found = np.nextafter(found, encoded)
    assert encoder.decode(found, encoded, factuals, box).values[:, 0].tolist() == [low, high]


def test_a_number_that_is_not_at_a_bound_is_not_the_bound():
    encoder, _ = fit(X[:, :1])
    factuals = Rows.read(np.zeros((2, 1)), encoder.schema)
    box = Constraints.free(np.array([-1.0]), np.array([np.inf]), encoder.groups).box(
        factuals.values
    )
    encoded = encoder.encode_values(factuals.values).astype(np.float32)
    found = np.array([[encoder.encode_box(box).lower[0, 0] + 1e-5], [1e6]]).astype(np.float32)
    numbers = encoder.decode(found, encoded, factuals, box).values[:, 0]
    assert -1 < numbers[0] < -1 + 1e-4
    assert np.isfinite(numbers[1])


def test_resolution_none_rounds_integers_only():
    frame = pd.DataFrame({"whole": [1.0, 2.0, 4.0], "count": [1, 2, 4], "flag": [0.0, 1.0, 0.0]})
    rows = Rows.read(frame, Schema.fit(frame, list(frame), np.zeros(3, bool)))
    grids = Encoder.fit(rows, standardize=True).grids
    assert {feature: str(grid) for feature, grid in grids.items()} == {
        0: "whole numbers", 1: "whole numbers", 2: "0 and 1"
    }  # fmt: skip
    grids = Encoder.fit(rows, standardize=True, steps=dict.fromkeys(range(3))).grids
    assert list(grids) == [1]


def test_a_feature_without_any_number_reaches_none_unless_a_domain_says_so():
    X = np.array([[np.nan, 1.0], [np.nan, 2.0]])
    rows = Rows.read(X, Schema.fit(X, ["x0", "x1"], np.zeros(2, bool)), warn=False)
    rows = replace(rows, schema=rows.schema.with_states(rows.values))
    encoder = Encoder.fit(rows, standardize=True)
    inferred = Constraints.free(*encoder.domain, encoder.groups, fill=encoder.fill)
    columns = encoder.expand(np.array([[5.0, 1.0], [np.nan, 1.0]]))
    box = inferred.box(columns)
    # The numbers come first, then the states of x0, "a number" and "missing".
    for column in (0, 2, 3):
        np.testing.assert_array_equal(box.lower[:, column], columns[:, column])
    np.testing.assert_array_equal(box.upper[:, 0], columns[:, 0])
    assert box.upper[1, 2] == 0
    wide = check_constraints(None, {0: (0, 9)}, encoder, inferred).box(columns)
    assert wide.lower[:, 0].tolist() == [0, 0]
    assert wide.upper[:, 0].tolist() == [9, 9]
    assert wide.upper[1, 2] == 1


def test_multiples_are_those_of_the_precision_of_the_rows():
    hundredths = (np.arange(40) / 100).astype(np.float32)[:, None]
    encoder, _ = fit(hundredths)
    rows = Rows.read(np.array([[0.1]]), encoder.schema)
    box = Constraints.free(*encoder.domain, encoder.groups).box(rows.values)
    encoded = encoder.encode_values(rows.values)
    after = encoder.decode(encoder.encode_values(np.array([[0.2101]])), encoded, rows, box)
    assert after.values.tolist() == [[0.21]]
