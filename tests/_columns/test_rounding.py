import numpy as np
import pytest

from ctsk._columns.grid import Grid
from ctsk._columns.rounding import round_numbers

WHOLE, FLAG = Grid.of_step(1), Grid(values=(0.0, 1.0))


def rounded(numbers, factuals, *, low=-np.inf, high=np.inf, **settings):
    numbers, factuals = np.array(numbers, dtype=float), np.array(factuals, dtype=float)
    bounds = np.full(len(numbers), low), np.full(len(numbers), high)
    defaults = {"dtype": np.dtype(float), "grid": WHOLE, "special": (), "rounding": "nearest"}
    return round_numbers(numbers, factuals, *bounds, **defaults | settings).tolist()


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("nearest", [3, 4, 2, 1]), ("toward", [3, 3, 2, 2]), ("away", [4, 4, 1, 1])],
)
def test_numbers_are_rounded_to_the_nearest_or_toward_or_away_from_the_factual(rounding, expected):
    assert rounded([3.4, 3.6, 1.6, 1.4], [3, 3, 2, 2], rounding=rounding) == expected


def test_rounding_toward_a_factual_off_the_grid_ends_at_the_factual():
    assert rounded([2.7, 2.2, 3.7], [2.5, 2.5, 2.5], rounding="toward") == [2.5, 2.5, 3.0]


def test_without_a_factual_number_every_rounding_is_to_the_nearest():
    for rounding in ("nearest", "toward", "away"):
        assert rounded([3.4, 3.6], [np.nan, np.nan], rounding=rounding) == [3, 4]


def test_numbers_stay_within_the_bounds_and_on_the_grid():
    assert rounded([0.2, 9.9], [5, 5], low=0.5, high=9.5) == [1, 9]


def test_a_number_without_a_grid_number_in_reach_is_its_factual():
    assert rounded([5.6, 5.4], [5.5, 5.5], low=5.1, high=5.9) == [5.5, 5.5]


def test_two_valued_columns_keep_their_two_values():
    assert rounded([0.4, 0.6, 7.0], [1, 0, 0], grid=FLAG) == [0, 1, 1]


def test_special_values_are_passed_over_in_the_direction_of_the_factual():
    assert rounded([96, 98, 95], [90, 99, 90], special=(96.0, 97.0, 98.0)) == [95, 99, 95]


def test_a_number_that_has_nothing_but_special_values_in_reach_is_its_factual():
    assert rounded([96], [50.5], low=96, high=97, special=(96.0, 97.0)) == [50.5]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_numbers_of_few_digits_lie_inward_of_the_bounds(dtype):
    (number,) = rounded([0.1], [0], low=0, high=0.1, dtype=np.dtype(dtype), grid=None)
    assert number <= 0.1
    assert number == np.dtype(dtype).type(number)
