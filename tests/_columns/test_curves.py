import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ctsk._columns.curves import GRID, Curve, Line, refine, solve


def measured(function):
    """The curve of a function, as a transformer's is measured."""

    def heights(points):
        with np.errstate(all="ignore"):
            return function(points)

    table = refine(
        lambda points: {key: heights(own) for key, own in points.items()}, {0: heights(GRID)}
    )[0]
    return Curve.from_table(*table, heights)


FUNCTIONS = {
    "logarithm": (np.log, (1e-6, 1e9)),
    "logarithm of a shift": (lambda x: np.log(x - 1e6), (1e6 + 1e-3, 1e8)),
    "root": (np.sqrt, (0, 1e6)),
    "cube": (lambda x: x**3, (-1e3, 1e3)),
    "falling": (lambda x: 1 / (1 + np.exp(x)), (-8, 8)),
    "tiny": (lambda x: 1e-9 * np.arctan(x), (-5, 5)),
    "years": (lambda x: np.tanh(x - 2010), (2007, 2013)),
    "quantiles of timestamps": (
        lambda x: np.interp(x, 1.7e18 + 1e13 * np.arange(5) ** 2, np.arange(5.0)),
        (1.7e18, 1.7e18 + 1.6e14),
    ),
}


@pytest.mark.parametrize(("function", "ends"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_table_is_accurate_between_its_points_and_invertible(function, ends):
    curve = measured(function)
    numbers = np.linspace(*ends, 1001)
    heights = function(numbers)
    unit = min(1, np.ptp(curve.heights) / 20)
    assert (np.abs(curve.forward(numbers) - heights) <= 3e-3 * (unit + np.abs(heights))).all()
    assert_allclose(curve.forward(curve.inverse(curve.forward(numbers))), curve.forward(numbers))
    assert curve.direction == np.sign(heights[-1] - heights[0])


@pytest.mark.parametrize(("function", "ends"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_solve_inverts_the_function_itself(function, ends):
    numbers = np.linspace(*ends, 12)[1:-1]
    assert_allclose(solve([measured(function)], function(numbers)), numbers, rtol=1e-9)


def test_jumps_are_kept_and_heights_beyond_the_table_map_to_its_ends():
    curve = measured(lambda x: np.digitize(x, [20.0, 35.5]).astype(float))
    assert_array_equal(curve.forward([3.0, 19.9, 20.1, 35.4, 35.6, 1e12]), [0, 0, 1, 1, 2, 2])
    assert_allclose(curve.inverse([-4.0, 0.5, 1.5, 7.0]), [20, 20, 35.5, 35.5])


@pytest.mark.parametrize("sign", [1, -1], ids=["rising", "falling"])
def test_heights_inside_a_jump_map_to_the_end_whose_height_is_nearer(sign):
    def bins(x):
        return sign * np.digitize(x, [0.1, 20.0, 35.5]).astype(float)

    heights = sign * np.array([0.4, 0.6, 1.4, 1.6, 2.001, 2.999])
    numbers = measured(bins).inverse(heights)
    assert_array_equal(bins(numbers), np.round(heights))
    assert np.isnan(measured(bins).inverse(np.array([np.nan]))).all()


def test_a_function_that_falls_and_rises_is_taken_for_non_negative_numbers_or_not_at_all():
    square = measured(np.square)
    assert square.points[0] == 0
    assert_allclose(solve([square], np.array([4.0, 9.0])), [2, 3])
    assert measured(lambda x: (x - 5) ** 2) is None
    assert measured(np.zeros_like) is None


def reciprocal(low, high):
    """Return the curve of 1 / x in a table of whole numbers, with a gap at 0."""
    points = np.arange(low, high + 1.0)
    heights = np.divide(1, points, where=points != 0, out=np.full_like(points, np.nan))
    return Curve.from_table(points, heights, np.reciprocal)


@pytest.mark.parametrize(("high", "sign"), [(9, 1), (4, 1), (3, 1), (2, -1)])
def test_positive_numbers_come_first_unless_they_have_less_than_half_of_the_points(high, sign):
    curve = reciprocal(-6, high)
    (other,) = curve.other_branches
    positive, negative = (curve, other) if sign > 0 else (other, curve)
    assert_array_equal(positive.points, np.arange(1, high + 1))
    assert_array_equal(negative.points, np.arange(-6, 0))
    assert (positive.domain, negative.domain) == ((1, high), (-6, -1))


def test_a_branch_reaches_the_interval_that_its_heights_cover_most():
    curve = reciprocal(-6, 4)
    (other,) = curve.other_branches
    assert curve.reaching(-0.9, 0.3) is curve.reaching(-1, -0.5) is other
    assert curve.reaching(-0.2, 0.9) is curve.reaching(0.5, 1) is curve
    # Neither branch has more than one of these heights.
    for low, high in ((5, 6), (-0.1, 0.1), (-6, -1)):
        assert curve.reaching(low, high) is curve


def test_lines_are_composed():
    line = Line(3.0, 2.0).then(Line(1.0, -5.0))
    numbers = np.array([-1.0, 0.5, 7.0])
    assert_allclose(line.forward(numbers), ((numbers - 3) / 2 - 1) / -5)
    assert_allclose(line.inverse(line.forward(numbers)), numbers)
    assert (line.direction, Line().direction) == (-1, 1)


def test_a_function_that_is_defined_everywhere_on_its_table_has_no_bounded_domain():
    points = np.linspace(-2, 2, 9)
    whole = Curve.from_table(points, 3 * points, lambda numbers: 3 * numbers)
    assert whole.domain == (-np.inf, np.inf)
    # Where the table has a hole, each branch ends with its own points.
    heights = np.where(points == 0, np.nan, 1 / np.where(points == 0, 1, points))
    right = Curve.from_table(points, heights, np.reciprocal)
    assert right.domain == (0.5, 2.0)
