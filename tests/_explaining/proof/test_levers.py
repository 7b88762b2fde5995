"""The ways in which a row can move: all combinations, against what the bounds permit."""

import itertools

import numpy as np
import pytest

from ctsk._columns.constraints import Box
from ctsk._columns.one_hot import OneHotGroups
from ctsk._explaining.proof.levers import Levers

STATES = OneHotGroups(1, sizes=(3,), numbers=(0,))


def box_of(lower, upper, groups, low=None, high=None, fill=None):
    bounds = {"lower": lower, "upper": upper, "low": low, "high": high}
    rows = {name: None if b is None else np.array([b], float) for name, b in bounds.items()}
    return Box(**rows, groups=groups, fill=fill)


def levers_of(factual, box, *, spacing=1.0, origin=0.0, costs=None, **settings):
    factual = np.array(factual, dtype=float)
    grids = np.full(len(factual), origin), np.full(len(factual), spacing)
    costs = np.ones(len(factual)) if costs is None else np.array(costs)
    return Levers.of(factual, box, costs, grids=grids, **settings)


def reached(factual, levers):
    """Return the costs of all rows that the levers reach, by row."""
    assert levers.is_integer.all()
    costs = {}
    for levels in itertools.product(*(range(int(upper) + 1) for upper in levers.upper)):
        if (levers.rows @ levels <= levers.most + 1e-9).all():
            row = tuple((np.array(factual) + levers.moves @ levels).round(6).tolist())
            costs[row] = min(costs.get(row, np.inf), float(levers.costs @ levels))
    return costs


def numbers_reached(number, low, high, **settings):
    """Return the numbers that a number reaches, which may lie outside its domain."""
    groups = OneHotGroups(1)
    bounds = [min(low, number)], [max(high, number)]
    box = box_of(*bounds, groups, [low], [high])
    costs = reached([number], levers_of([number], box, **settings))
    for (row,), cost in costs.items():
        assert np.isclose(cost, abs(row - number))
    return {row for (row,) in costs}


@pytest.mark.parametrize(
    "number, low, high, expected",
    [
        pytest.param(1.0, -1.0, 3.0, {-1.0, 0.0, 1.0, 2.0, 3.0}, id="on the grid"),
        pytest.param(0.4, -1.0, 2.0, {-1.0, 0.0, 0.4, 1.0, 2.0}, id="between two steps"),
        pytest.param(-5.0, -1.0, 1.0, {-5.0, -1.0, 0.0, 1.0}, id="below the domain"),
        pytest.param(-2.0, -1.0, 1.0, {-2.0, -1.0, 0.0, 1.0}, id="a step below the domain"),
        pytest.param(2.4, -1.0, 1.0, {2.4, -1.0, 0.0, 1.0}, id="above the domain, off the grid"),
        pytest.param(0.0, -0.5, 1.5, {0.0, 1.0}, id="bounds off the grid"),
        pytest.param(0.4, 0.2, 0.8, {0.4}, id="no step within the bounds"),
        pytest.param(1.0, 1.0, 1.0, {1.0}, id="fixed"),
    ],
)
def test_a_number_reaches_the_grid_within_its_domain_and_nothing_else(number, low, high, expected):
    assert numbers_reached(number, low, high) == expected


@pytest.mark.parametrize(
    "number, codes, expected",
    [
        (0.0, [2.0], {0.0, 1.0, 3.0, 4.0}),
        (0.0, [1.0, 2.0], {0.0, 3.0, 4.0}),
        (4.0, [3.0, 1.0], {0.0, 2.0, 4.0}),
        (2.0, [1.0, 3.0], {0.0, 2.0, 4.0}),
        (0.5, [0.0, 1.0, 2.0], {0.5, 3.0, 4.0}),
        (1.0, [0.0, 4.0, 9.0, -3.0, 2.5], {1.0, 2.0, 3.0}),
        (6.0, [4.0, 2.0], {6.0, 0.0, 1.0, 3.0}),
    ],
)
def test_a_number_never_becomes_a_code_among_the_numbers_of_its_grid(number, codes, expected):
    assert numbers_reached(number, 0.0, 4.0, excluded={0: codes}) == expected


def test_a_lever_that_costs_more_than_the_limit_is_none():
    assert numbers_reached(0.0, -3.0, 3.0, cost_limit=1.5) == {-1.0, 0.0, 1.0}
    groups = OneHotGroups(0, sizes=(3,))
    box, factual = box_of([0] * 3, [1] * 3, groups), [1.0, 0.0, 0.0]
    costs = [0.5, 0.5, 3.0]
    levers = levers_of(factual, box, costs=costs, cost_limit=2.0)
    assert set(reached(factual, levers)) == {(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)}


def test_an_open_domain_is_bounded_by_the_cost_alone():
    box = box_of([-np.inf], [np.inf], OneHotGroups(1))
    assert not levers_of([0.0], box).are_bounded
    assert not levers_of([0.0], box, costs=[0.0], cost_limit=2.0).are_bounded
    assert levers_of([0.0], box, cost_limit=2.0).upper.tolist() == [2.0, 2.0]


def test_a_category_and_an_unknown_one_become_each_category_that_may_be_reached():
    groups = OneHotGroups(0, sizes=(3,))
    one_hot = {(1.0, 0.0, 0.0): 0.0, (0.0, 0.0, 1.0): 1.0}
    box = box_of([0] * 3, [1, 0, 1], groups)
    costs = reached([1.0, 0.0, 0.0], levers_of([1.0, 0.0, 0.0], box, costs=[0.5] * 3))
    assert costs == one_hot
    shares = [0.5, 0.2, 0.3]
    box = box_of([0] * 3, [1] * 3, groups, [0] * 3, [1, 0, 1])
    costs = reached(shares, levers_of(shares, box, costs=[0.5] * 3))
    assert costs == pytest.approx({tuple(shares): 0.0, (1.0, 0, 0): 0.5, (0, 0, 1.0): 0.7})


def gap_reaches(fill, low, high, *, codes=(), listed=False, is_integer=True):
    """Return the numbers and states that a gap reaches, with what they cost.

    A row is a number and its states: "a number", "a code" and "missing".
    """
    factual, box = gap_box(fill, low, high, listed=listed)
    settings = {"costs": [1.0, 0.5, 0.5, 0.5], "excluded": {0: list(codes)}}
    return reached(factual, levers_of(factual, box, **settings))


def gap_box(fill, low, high, *, listed=False):
    factual = [fill, 0.0, 0.0, 1.0]
    bounds = [min(low, fill), 0, 0, 0], [max(high, fill), 1, float(listed), 1]
    domain = [low, 0, 0, 0], [high, 1, float(listed), 1]
    return factual, box_of(*bounds, STATES, *domain, fill=np.array([fill, 0.0, 0.0, 0.0]))


@pytest.mark.parametrize(
    "fill, low, high, codes, numbers",
    [
        pytest.param(1.0, 0.0, 2.0, [], [0.0, 1.0, 2.0], id="mean on the grid"),
        pytest.param(0.4, 0.0, 2.0, [], [0.0, 1.0, 2.0], id="mean off the grid"),
        pytest.param(1.0, 2.0, 3.0, [], [2.0, 3.0], id="mean a step below the domain"),
        pytest.param(5.0, 2.0, 3.0, [], [2.0, 3.0], id="mean far above the domain"),
        pytest.param(1.0, 0.0, 2.0, [1.0], [0.0, 2.0], id="mean is a code"),
        pytest.param(0.4, 0.2, 0.8, [], [], id="no number in the domain"),
    ],
)
def test_a_gap_stays_or_becomes_a_number_of_the_domain(fill, low, high, codes, numbers):
    expected = {(number, 1.0, 0.0, 0.0): 1.0 + abs(number - fill) for number in numbers}
    costs = gap_reaches(fill, low, high, codes=codes)
    assert costs == pytest.approx({(fill, 0.0, 0.0, 1.0): 0.0, **expected})


def test_a_gap_becomes_a_code_that_the_domain_lists():
    costs = gap_reaches(1.0, 1.0, 1.0, listed=True)
    assert costs == pytest.approx({(1, 0, 0, 1): 0.0, (1, 1, 0, 0): 1.0, (1, 0, 1, 0): 1.0})


def test_a_number_becomes_a_listed_code_without_moving_as_well():
    factual = [2.0, 1.0, 0.0, 0.0]
    fill = np.array([0.5, 0.0, 0.0, 0.0])
    box = box_of([1, 0, 0, 0], [3, 1, 1, 0], STATES, fill=fill)
    costs = reached(factual, levers_of(factual, box, costs=[1.0, 0.5, 0.5, 0.5]))
    numbers = {(number, 1.0, 0.0, 0.0): abs(number - 2.0) for number in (1.0, 2.0, 3.0)}
    assert costs == pytest.approx({**numbers, (0.5, 0.0, 1.0, 0.0): 2.5})


def test_a_gap_is_left_on_a_grid_of_so_many_steps_that_its_numbers_are_continuous():
    factual, box = gap_box(0.4, -1e5, 1e5)
    levers = levers_of(factual, box)
    assert not levers.is_integer.all()
    # The level of the lever that leaves the gap is 1, and all others are 0.
    levels = (levers.choice >= 0).astype(float)
    assert levels.sum() == 1
    assert (levers.rows @ levels <= levers.most).all()


@pytest.mark.parametrize("cost_limit, max_changes", [(2.0, None), (np.inf, 1), (1.5, 2)])
def test_no_combination_within_the_limits_exceeds_the_bounds_of_a_function(cost_limit, max_changes):
    rng = np.random.default_rng(0)
    groups = OneHotGroups(2, sizes=(3, 2))
    factual = np.array([0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0])
    box = box_of([-2, 0] + [0] * 5, [2, 3] + [1] * 5, groups)
    levers = levers_of(factual, box, costs=[1.0, 0.7, 0.2, 0.2, 0.9, 0.0, 0.0])
    slopes = rng.normal(size=(20, 7)) @ levers.moves
    fall, rise = levers.unit_bounds(slopes, cost_limit, max_changes)
    least = most = np.zeros(20)
    for levels in itertools.product(*(range(int(upper) + 1) for upper in levers.upper)):
        n_changes = len(set(levers.unit[np.array(levels) > 0]))
        is_within = (levers.rows @ levels <= levers.most).all()
        is_within &= levers.costs @ levels <= cost_limit
        if is_within and n_changes <= (max_changes or 9):
            least, most = np.minimum(least, slopes @ levels), np.maximum(most, slopes @ levels)
    assert (fall <= least + 1e-9).all()
    assert (rise >= most - 1e-9).all()
    # The bounds are of use: they are tighter than without limits.
    free = levers.unit_bounds(slopes, np.inf, None)
    assert (rise < free[1]).any()
