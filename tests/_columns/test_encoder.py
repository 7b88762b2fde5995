from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from encoders import MIXED, X, fit

from ctsk._columns.constraints import Constraints
from ctsk._columns.encoder import Encoder
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema
from ctsk._columns.user_constraints import check_constraints


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
