import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsk._columns.grid import Grid
from ctsk._columns.rounding import round_numbers

DTYPES = [np.float64, np.float32, np.int64, np.int8]
SPECIAL = (-3.0, -2.0, 1.0)


def rounded(numbers, factuals, low, high, **settings):
    settings = {"dtype": np.float64, "grid": None, "special": (), "rounding": "nearest"} | settings
    settings["dtype"] = np.dtype(settings["dtype"])
    arrays = (np.array(array, dtype=float) for array in (numbers, factuals, low, high))
    return round_numbers(*arrays, **settings)


@given(
    seed=st.integers(0, 2**16),
    dtype=st.sampled_from(DTYPES),
    step=st.sampled_from([None, 1, 0.5, 0.01]),
    special=st.sampled_from([(), SPECIAL]),
    rounding=st.sampled_from(["nearest", "toward", "away"]),
    width=st.sampled_from([0.0, 1e-9, 0.3, 2.0]),
)
@settings(max_examples=300)
def test_a_number_is_the_factual_or_inside_on_the_grid_held_by_the_dtype_and_not_special(
    seed, dtype, step, special, rounding, width
):
    rng = np.random.default_rng(seed)
    low = rng.choice([rng.uniform(-5, 5, 50), rng.integers(-5, 5, 50), rng.choice(SPECIAL, 50)])
    high = low + width
    factuals = rng.uniform(-6, 6, 50).astype(dtype).astype(float)
    factuals[rng.random(50) < 0.2] = np.nan
    factuals[np.isin(factuals, special)] = np.nan
    numbers = rng.choice([low, high, rng.uniform(low, high)])
    grid = None if step is None else Grid.of_step(step, dtype if dtype == np.float32 else float)
    settings = {"dtype": dtype, "grid": grid, "special": special, "rounding": rounding}
    result = rounded(numbers, factuals, low, high, **settings)
    moved = (result != factuals) & ~np.isnan(result)
    np.testing.assert_array_equal(result[~moved], factuals[~moved])
    result, low, high = result[moved], low[moved], high[moved]
    assert ((low <= result) & (result <= high)).all()
    assert (result.astype(dtype) == result).all()
    assert not np.isin(result, special).any()
    if step is not None:
        assert grid.contains(result).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_bound_that_is_special_is_left_for_the_next_number_inward(dtype):
    result = rounded([-9, -9], [0, np.nan], [-9, -9], [5, 5], dtype=dtype, special=(-9.0,))
    assert result.tolist() == [np.nextafter(dtype(-9), dtype(0))] * 2


def test_special_neighbors_on_a_grid_are_all_passed():
    grid, special = Grid.of_step(1), (-9.0, -8.0, -7.0)
    assert rounded([-9], [0], [-9], [5], grid=grid, special=special).tolist() == [-6]


def test_a_number_stays_where_its_bounds_lie_between_two_floats_of_the_dtype():
    bound = 0.4603076519715915
    factual = float(np.float32(0.5885877))
    assert rounded([bound], [factual], [bound], [bound], dtype=np.float32).tolist() == [factual]


WHOLE, FLAG = Grid.of_step(1), Grid(values=(0.0, 1.0))


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("nearest", [3, 4, 2, 1]), ("toward", [3, 3, 2, 2]), ("away", [4, 4, 1, 1])],
)
def test_numbers_are_rounded_to_the_nearest_or_toward_or_away_from_the_factual(rounding, expected):
    settings = {"grid": WHOLE, "rounding": rounding}
    low, high = np.full((2, 4), [[-np.inf], [np.inf]])
    assert rounded([3.4, 3.6, 1.6, 1.4], [3, 3, 2, 2], low, high, **settings).tolist() == expected
    # Without a factual number, there is no direction.
    gaps = np.full(4, np.nan)
    assert rounded([3.4, 3.6, 1.6, 1.4], gaps, low, high, **settings).tolist() == [3, 4, 2, 1]


def test_rounding_toward_a_factual_off_the_grid_ends_at_the_factual():
    settings = {"grid": WHOLE, "rounding": "toward"}
    result = rounded([2.7, 2.2, 3.7], [2.5] * 3, [0] * 3, [9] * 3, **settings)
    assert result.tolist() == [2.5, 2.5, 3.0]


def test_two_valued_columns_keep_their_two_values_whatever_the_domain():
    result = rounded([0.4, 0.6, 7.0], [1, 0, 0], [-5] * 3, [9] * 3, grid=FLAG)
    assert result.tolist() == [0, 1, 1]
