import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctsk._columns.grid import Grid

STEPS = [float(f"{factor}e{exponent}") for factor in (1, 2, 5) for exponent in range(-6, 5)]
USER_STEPS = [0.25, 0.01, 0.1, 1 / 3, 2.5, 7, 100, 1e-9, 0.7, np.pi]
FLOATS = [np.float64, np.float32, np.float16]
ANY_NUMBER = st.floats(allow_nan=False, allow_infinity=False)
USUAL_NUMBER = st.floats(-1e6, 1e6)


def multiples(step, counts, dtype=np.float64):
    """Return multiples of a step, each rounded once from its exact decimal."""
    exact = [int(count) * Fraction(repr(float(step))) for count in counts]
    return np.array([float(number) for number in exact]).astype(dtype).astype(np.float64)


grids = st.one_of(
    st.builds(Grid.of_step, st.sampled_from(USER_STEPS), st.sampled_from(FLOATS)),
    st.builds(Grid.of_step, st.floats(1e-300, 1e300)),
    st.builds(
        lambda pair: Grid(values=tuple(sorted(pair))),
        st.sets(USUAL_NUMBER, min_size=2, max_size=2),
    ),
)


# Floor, ceil and contains


@given(grid=grids, numbers=st.lists(st.one_of(USUAL_NUMBER, ANY_NUMBER), min_size=1))
@settings(max_examples=300)
def test_floor_and_ceil_enclose_each_number_and_are_on_the_grid(grid, numbers):
    numbers = np.array(numbers)
    floors, ceilings = grid.floor(numbers), grid.ceil(numbers)
    assert (floors <= numbers).all()
    assert (numbers <= ceilings).all()
    for ends in floors, ceilings:
        finite = ends[np.isfinite(ends)]
        assert grid.contains(finite).all()
        np.testing.assert_array_equal(grid.floor(finite), finite)
        np.testing.assert_array_equal(grid.ceil(finite), finite)
    np.testing.assert_array_equal(grid.contains(numbers), floors == numbers)
    np.testing.assert_array_equal(floors == numbers, ceilings == numbers)


@given(step=st.sampled_from(USER_STEPS), numbers=st.lists(USUAL_NUMBER, min_size=1))
def test_no_multiple_lies_between_floor_and_ceil(step, numbers):
    grid, numbers = Grid.of_step(step), np.array(numbers)
    gaps = grid.ceil(numbers) - grid.floor(numbers)
    gaps = gaps[~grid.contains(numbers)]
    np.testing.assert_allclose(gaps, step, rtol=0, atol=1e-9 + 1e-9 * step)


@given(step=st.sampled_from(STEPS), count=st.integers(-(2**50), 2**50))
@example(step=0.01, count=57)
@example(step=0.1, count=3)
def test_multiples_are_decimals_that_are_rounded_once(step, count):
    grid, number = Grid.of_step(step), multiples(step, [count])[0]
    assert grid.floor(number) == number == grid.ceil(number)
    assert grid.floor(np.nextafter(number, np.inf)) == number
    assert grid.ceil(np.nextafter(number, -np.inf)) == number


@given(step=st.sampled_from([1e-3, 0.01, 0.5, 1.0, 100.0]), count=st.integers(-(10**7), 10**7))
def test_multiples_in_float32_are_the_numbers_that_the_column_holds(step, count):
    grid, number = Grid.of_step(step, np.float32), multiples(step, [count], np.float32)[0]
    assert grid.floor(number) == number == grid.ceil(number)
    assert np.float32(grid.floor(number + 0.3 * step)) == grid.floor(number + 0.3 * step)


@pytest.mark.parametrize("step", [0.01, 1 / 3, 2.5, 1e-300])
@given(number=st.floats(1e17, 1e300))
def test_every_float_is_on_the_grid_where_floats_run_out(step, number):
    grid = Grid.of_step(step)
    assert grid.floor(number) == number == grid.ceil(number)
    assert grid.floor(-number) == -number == grid.ceil(-number)


def test_each_number_but_multiples_is_off_the_grid_up_to_2_to_the_52():
    grid = Grid.of_step(1)
    halves = 2.0 ** np.arange(52) + 0.5
    assert not grid.contains(halves).any()
    np.testing.assert_array_equal(grid.floor(halves), halves - 0.5)
    np.testing.assert_array_equal(grid.ceil(-halves), 0.5 - halves)


def test_multiples_extend_to_infinity_and_two_values_do_not():
    numbers = [-np.inf, np.inf, np.nan]
    np.testing.assert_array_equal(Grid.of_step(0.5).floor(numbers), numbers)
    np.testing.assert_array_equal(Grid.of_step(0.5).ceil(numbers), numbers)
    pair = Grid(values=(1.0, 4.0))
    np.testing.assert_array_equal(pair.floor(numbers), [-np.inf, 4, np.nan])
    np.testing.assert_array_equal(pair.ceil(numbers), [1, np.inf, np.nan])
    for grid in pair, Grid.of_step(0.5):
        assert not grid.contains(numbers).any()


def test_two_values_have_nothing_below_and_nothing_above():
    grid = Grid(values=(1.0, 4.0))
    numbers = [0.9, 1, 1.1, 3.9, 4, 4.1]
    assert grid.floor(numbers).tolist() == [-np.inf, 1, 1, 1, 4, 4]
    assert grid.ceil(numbers).tolist() == [1, 1, 4, 4, 4, np.inf]
    assert grid.contains(numbers).tolist() == [False, True, False, False, True, False]


def test_spacing_is_the_distance_between_neighbors():
    assert Grid.of_step(0.5).spacing == 0.5
    assert Grid(values=(1.0, 4.0)).spacing == 3.0


def test_zero_has_no_sign():
    for grid in Grid.of_step(0.5), Grid(values=(0.0, 1.0)), Grid(values=(-1.0, 0.0)):
        zeros = np.array([*grid.ceil([-0.0, -0.3]), *grid.floor([-0.0])])
        assert not np.signbit(zeros[zeros == 0]).any()


@pytest.mark.parametrize("grid", [Grid.of_step(0.5), Grid(values=(0.0, 1.0))])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_shapes_are_kept(grid, shape):
    for method in grid.floor, grid.ceil, grid.contains:
        assert np.shape(method(np.full(shape, 0.7))) == shape


def test_numbers_beyond_the_range_of_the_dtype_end_at_its_maximum():
    grid, largest = Grid.of_step(0.5, np.float16), 65504.0
    assert grid.floor([1e5, -1e5]).tolist() == [largest, -np.inf]
    assert grid.ceil([1e5, -1e5]).tolist() == [np.inf, -largest]


# The step that a user names


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0.5, 0.5), (7, 7.0), (np.int8(3), 3.0), (np.float32(0.1), 0.1), (Fraction(1, 3), 1 / 3)],
)
def test_any_positive_number_is_a_step(step, expected):
    grid = Grid.of_step(step)
    assert type(grid.step) is float
    assert grid == Grid(step=expected)


@pytest.mark.parametrize(
    "step",
    [0, -1.0, np.nan, np.inf, True, np.True_, "0.5", None, 1j, [0.5], 10**400, Decimal("0.5")],
)
def test_anything_else_is_an_error(step):
    with pytest.raises(ValueError, match="step of a grid must be a positive, finite number; got"):
        Grid.of_step(step)


def test_thirds_are_thirds():
    grid = Grid.of_step(1 / 3)
    expected = np.arange(3_000) / 3
    np.testing.assert_array_equal(grid.floor(expected), expected)
    np.testing.assert_array_equal(grid.floor(expected + 0.2), expected)


# Inference


@given(
    step=st.sampled_from(STEPS),
    seed=st.integers(0, 2**16),
    offset=st.integers(-1_000, 1_000),
    dtype=st.sampled_from([np.float64, np.float32]),
)
@settings(max_examples=200)
def test_inference_finds_the_generating_step(step, seed, offset, dtype):
    rng = np.random.default_rng(seed)
    # Neighboring multiples exclude every coarser step.
    counts = offset + np.append(np.arange(21), rng.integers(0, 1_000, 50))
    amounts = rng.permutation(multiples(step, counts, dtype))
    grid = Grid.infer(amounts, np.dtype(dtype))
    assert grid == Grid.of_step(step, dtype)
    assert grid.contains(amounts).all()


@given(
    step=st.sampled_from(STEPS),
    seed=st.integers(0, 2**16),
    share=st.sampled_from([0.1, 0.25, 0.37, 1 / 3, 0.5, np.sqrt(0.5)]),
)
@settings(max_examples=200)
def test_one_number_that_is_no_multiple_removes_the_step(step, seed, share):
    rng = np.random.default_rng(seed)
    amounts = multiples(step, np.append(np.arange(21), rng.integers(-100, 10_000, 500)))
    assert Grid.infer(amounts, np.float64).step == step
    amounts[rng.integers(21, 521)] += share * step
    grid = Grid.infer(amounts, np.float64)
    assert grid is None or grid.step < step


@given(
    seed=st.integers(0, 2**16),
    n_rows=st.integers(0, 300),
    decimals=st.sampled_from([-2, 0, 1, 2, 17]),
    n_distinct=st.sampled_from([1, 2, 19, 20, 300]),
    dtype=st.sampled_from(FLOATS),
)
@settings(max_examples=300)
def test_the_order_and_the_count_of_rows_do_not_matter(seed, n_rows, decimals, n_distinct, dtype):
    rng = np.random.default_rng(seed)
    pool = rng.normal(scale=100, size=n_distinct).round(decimals).astype(dtype)
    amounts = rng.choice(pool, n_rows).astype(np.float64)
    expected = Grid.infer(amounts, dtype)
    assert Grid.infer(rng.permutation(amounts), dtype) == expected
    assert Grid.infer(np.repeat(amounts, 3), dtype) == expected


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int8, bool])
@pytest.mark.parametrize("values", [(0, 1), (1, 2), (-7, 100)])
def test_two_values_are_the_grid_whatever_the_dtype(values, dtype):
    amounts = np.repeat(np.array(values, dtype=np.float64), [30, 3])
    assert Grid.infer(amounts, np.dtype(dtype)) == Grid(values=values)


def test_two_values_may_be_any_numbers():
    assert Grid.infer(np.array([np.pi, 0.1, np.pi]), np.float64) == Grid(values=(0.1, np.pi))


@pytest.mark.parametrize("dtype", FLOATS)
def test_whole_numbers_are_found_among_few_values(dtype):
    assert Grid.infer(np.array([1.0, 2.0, 5.0]), dtype) == Grid.of_step(1, dtype)
    assert Grid.infer(np.array([100.0, 200.0, 500.0]), dtype).step == 1
    assert Grid.infer(np.array([1.0, 2.0, 5.5]), dtype) is None


def test_whole_numbers_with_an_error_of_rounding_are_whole():
    amounts = np.array([1, 2, 30 * 0.1, 3 + 4e-16, 5])
    assert Grid.infer(amounts, np.float64).step == 1
    assert Grid.infer(amounts + [0, 0, 0, 0, 1e-12], np.float64) is None
    # At this size, four units in the last place of a float32 are a quarter.
    assert Grid.infer(np.array([1.0, 2.0, 1_000_000.25]), np.float32) is None


def test_steps_need_twenty_distinct_values():
    amounts = np.arange(20) / 2
    assert Grid.infer(amounts, np.float64) == Grid.of_step(0.5)
    assert Grid.infer(np.repeat(amounts[:19], 50), np.float64) is None
    assert Grid.infer(100 * amounts[:19:2], np.float64).step == 1


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_integers_are_always_whole(dtype):
    for amounts in ([], [1], [0, 1, 3], range(25)):
        assert Grid.infer(np.array(amounts, dtype=np.float64), dtype) == Grid.of_step(1)


def test_integers_may_have_a_larger_step():
    assert Grid.infer(100.0 * np.arange(1, 40), np.int64).step == 100
    # Floats of this size are multiples of 256, which says nothing about the integers.
    identifiers = np.random.default_rng(0).integers(2**60, 2**62, 500).astype(np.float64)
    assert Grid.infer(identifiers, np.int64).step == 1


def test_one_value_is_no_evidence_of_a_step():
    assert Grid.infer(np.full(50, 30), np.int64).step == 1
    assert Grid.infer(np.full(50, 30.0), np.float64) is None
    assert Grid.infer(np.full(50, 0.5), np.float64) is None
    assert Grid.infer(np.empty(0), np.float64) is None


@pytest.mark.parametrize(
    ("dtype", "digits"), [(np.float64, 53), (np.float32, 24), (np.float16, 11)]
)
def test_large_floats_are_whole_by_necessity_and_have_no_grid(dtype, digits):
    rng = np.random.default_rng(0)
    # From 2**(digits - 1), the distance between floats is one; from 2**digits, it is larger.
    for n_values, factor in [(1, 0.5), (5, 0.5), (500, 0.5), (1, 9), (5, 9), (500, 9)]:
        amounts = 2.0**digits * rng.uniform(factor, 1.9 * factor, n_values)
        amounts = amounts.astype(dtype).astype(np.float64)
        assert (amounts == np.rint(amounts)).all()
        assert Grid.infer(amounts, dtype) is None


@pytest.mark.parametrize(
    ("dtype", "digits"), [(np.float64, 53), (np.float32, 24), (np.float16, 11)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_whole_numbers_are_evidence_if_four_floats_or_more_lie_in_a_unit(dtype, digits, sign):
    counts = sign * np.array([1.0, 1.25, 1.75])
    quarters, halves = counts * 2.0 ** (digits - 3), counts * 2.0 ** (digits - 2)
    assert np.spacing(np.abs(quarters).astype(dtype)).tolist() == [0.25] * 3
    assert Grid.infer(quarters, dtype) == Grid.of_step(1, dtype)
    assert Grid.infer(halves, dtype) is None
    # The typical size is the geometric mean: a small number makes up for a large one.
    assert Grid.infer(np.append(halves, [1.0, 2.0, 3.0]), dtype) == Grid.of_step(1, dtype)


def test_zeros_are_no_evidence_that_large_floats_are_whole():
    amounts = np.append(np.zeros(500), 2.0**53 * np.array([3, 7, 9]))
    assert Grid.infer(amounts, np.float64) is None


def test_floats_that_are_multiples_by_necessity_are_no_evidence_of_a_step():
    rng = np.random.default_rng(0)
    # The distance between floats of this size exceeds 0.05, so only one distinct value counts.
    large = rng.uniform(1e6, 2e6, 100).astype(np.float32).astype(np.float64)
    assert Grid.infer(np.append(np.full(500, 0.05), large), np.float32) is None


def test_zero_is_one_of_the_twenty_distinct_multiples_of_a_small_step():
    assert Grid.infer(multiples(1e-18, range(20)), np.float64).step == 1e-18


@given(
    seed=st.integers(0, 2**16),
    scale=st.sampled_from([1e-30, 1e-12, 1e-3, 1.0, 1e4, 1e15, 1e30]),
    dtype=st.sampled_from([np.float64, np.float32]),
    name=st.sampled_from(["normal", "uniform", "lognormal"]),
)
@settings(max_examples=200)
def test_random_floats_have_no_grid(seed, scale, dtype, name):
    amounts = scale * getattr(np.random.default_rng(seed), name)(size=20 + seed % 300)
    assert Grid.infer(amounts.astype(dtype).astype(np.float64), dtype) is None


@pytest.mark.parametrize("size", [1e-305, 1e-315, 5e-324])
def test_the_smallest_floats_have_no_grid(size):
    amounts = size * np.random.default_rng(0).uniform(1, 100, 100)
    assert Grid.infer(amounts, np.float64) is None
    assert Grid.infer(np.append(amounts, np.arange(50)), np.float64) is None


def test_random_floats_have_no_grid_when_most_rows_are_zero():
    rng = np.random.default_rng(0)
    amounts = np.where(rng.random(5_000) < 0.99, 0, rng.gamma(2, 100, 5_000))
    assert Grid.infer(amounts, np.float64) is None
    cents = np.round(amounts, 2)
    assert Grid.infer(cents, np.float64).step == 0.01


def test_a_sum_of_decimals_counts_as_a_decimal():
    amounts = np.append(np.arange(40) / 10, 0.1 + 0.2)
    assert 0.1 + 0.2 != 0.3
    assert Grid.infer(amounts, np.float64).step == 0.1
    by_product = np.arange(100, dtype=np.float32) * np.float32(0.01)
    assert (by_product != multiples(0.01, range(100), np.float32)).any()
    assert Grid.infer(by_product.astype(np.float64), np.float32).step == 0.01


@pytest.mark.parametrize(
    ("outlier", "dtype"),
    [(25691.16, np.float32), (1e20, np.float32), (25691.16, np.float64), (-1e300, np.float64)],
)
def test_one_huge_number_does_not_hide_the_step_of_the_others(outlier, dtype):
    rng = np.random.default_rng(0)
    amounts = np.append(outlier, rng.gamma(1, 100, 1_000).round(2)).astype(dtype)
    grid = Grid.infer(amounts.astype(np.float64), dtype)
    assert grid.step == 0.01
    assert grid.contains(amounts).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_whole_numbers_of_every_size_are_found_in_floats_that_could_be_fractional(dtype):
    counts = 2.0 ** (np.finfo(dtype).nmant - 3) + np.arange(1, 100, 3)
    assert Grid.infer(counts, dtype).step == 1


def test_a_late_number_that_is_no_multiple_is_seen():
    amounts = np.arange(100_000) / 4
    assert Grid.infer(amounts, np.float64).step == 0.05
    amounts[54_321] = np.pi
    assert Grid.infer(amounts, np.float64) is None


def test_a_random_column_is_rejected_without_sorting_it(monkeypatch):
    sizes, unique = [], np.unique
    monkeypatch.setattr(np, "unique", lambda part: sizes.append(len(part)) or unique(part))
    amounts = np.random.default_rng(0).normal(size=100_000)
    assert Grid.infer(amounts, np.float64) is None
    assert sizes
    assert max(sizes) < 200


# Grids as values


@pytest.mark.parametrize(
    ("grid", "text"),
    [
        (Grid.of_step(0.01), "Grid(step=0.01)"),
        (Grid.of_step(0.01, np.float32), "Grid(step=0.01, dtype=float32)"),
        (Grid(values=(0.0, 1.0)), "Grid(values=(0.0, 1.0))"),
    ],
)
def test_grids_are_readable_values(grid, text):
    assert repr(grid) == text
    grid.floor(0.3)
    restored = pickle.loads(pickle.dumps(grid))
    assert restored == grid
    assert hash(restored) == hash(grid)
    assert restored.floor(1.0) == grid.floor(1.0)
    assert grid != Grid.of_step(0.02)
