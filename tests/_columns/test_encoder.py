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
    schema = Schema.fit(X, names, categorical)
    rows = Rows.read(X, schema)
    return Encoder.fit(rows, standardize=standardize), rows.values


@pytest.fixture
def mixed():
    return fit(MIXED, categorical=[True, False, True, False])


def test_standardized_columns_have_mean_0_and_deviation_1_and_constants_scale_1():
    rows = fit(X)[0].encode(X)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(rows[:, :2].std(axis=0), 1)
    assert not rows[:, 2].any()


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
    assert encoder.feature_slices == [
        slice(2, 5), slice(0, 1), slice(5, 7), slice(1, 2)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "low", "high"),
    [
        pytest.param([-1.0, 0.0, 1.0], -3 * (2 / 3) ** 0.5, 3 * (2 / 3) ** 0.5, id="three sigma"),
        pytest.param([-1.0] * 99 + [50.0], None, 50.0, id="widened to the data"),
        pytest.param([0.0, 1.0, 2.0], 0.0, 1 + 3 * (2 / 3) ** 0.5, id="never negative"),
        pytest.param([0.0, -1.0, -2.0], -1 - 3 * (2 / 3) ** 0.5, 0.0, id="never positive"),
        pytest.param([100.0, 101.0, 102.0], 101 - 3 * (2 / 3) ** 0.5, None, id="far from zero"),
        pytest.param([7.0, 7.0], 7.0, 7.0, id="constant"),
        pytest.param([0.0, 0.0], 0.0, 0.0, id="constant zero"),
    ],
)
def test_inferred_domain(rows, low, high):
    rows = np.array(rows)
    found_low, found_high = (bound[0] for bound in fit(rows[:, None])[0].domain)
    spread = 3 * rows.std()
    assert found_low == pytest.approx(rows.mean() - spread if low is None else low)
    assert found_high == pytest.approx(rows.mean() + spread if high is None else high)


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
    encoder, _ = fit(np.array([[0], [2]]), standardize=False)
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
    encoder, _ = fit(np.array([[0], [2]]), standardize=False)
    box = Box(np.full((2, 1), -1e20), np.full((2, 1), 1e20), encoder.groups)
    factuals = Rows.read(np.full((2, 1), 1, dtype=dtype), encoder.schema)
    rows = encoder.decode(np.array([[1e20], [-1e20]]), np.ones((2, 1)), factuals, box)
    assert rows.container.dtype == dtype
    high, low = rows.container[:, 0].tolist()
    assert high > 0.99 * np.iinfo(dtype).max
    assert low == np.iinfo(dtype).min


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
