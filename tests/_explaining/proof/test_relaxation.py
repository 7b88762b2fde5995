"""The fewest constraints without which a counterfactual exists, against brute force."""

from dataclasses import replace

import numpy as np
import pytest
from proof_problems import HIGH, LOW, enumerated, random_problem

from ctsk._columns.constraints import Box
from ctsk._columns.one_hot import OneHotGroups
from ctsk._explaining.proof.optimum import cheapest
from ctsk._explaining.proof.relaxation import fewest_to_relax


def box_between(lower, upper):
    return Box(np.array([lower]), np.array([upper]), OneHotGroups(2))


FREE = box_between([LOW, LOW], [HIGH, HIGH])


def relaxed_box(problem, units):
    """Return the bounds of a problem without those of some units."""
    lower, upper = (getattr(problem.box, name).copy() for name in ("lower", "upper"))
    lower[:, units], upper[:, units] = LOW, HIGH
    return replace(problem.box, lower=lower, upper=upper)


@pytest.mark.parametrize("hidden, n_classes", [((4,), 2), ((4, 3), 2), ((4,), 3)])
def test_the_fewest_units_are_named_and_lifting_their_bounds_suffices(hidden, n_classes):
    sizes = set()
    for seed in range(12):
        factual = np.array([0.5, -1.0])
        tight = box_between(factual, factual + [0.25, 0.0])
        problem = random_problem(seed, hidden, n_classes, box=tight)
        if not cheapest(problem).is_impossible:
            continue
        units = fewest_to_relax(problem, FREE, time_limit=5.0)
        rows, _, _ = enumerated(replace(problem, box=FREE))
        # The other unit keeps its bounds.
        is_within = (rows >= tight.lower - 1e-9) & (rows <= tight.upper + 1e-9)
        by_brute_force = (~is_within).sum(axis=1).min(initial=3)
        sizes.add(len(units))
        if not units:
            assert by_brute_force == 3
            continue
        assert len(units) == by_brute_force
        assert not cheapest(replace(problem, box=relaxed_box(problem, units))).is_impossible
    assert {1, 2} & sizes


def test_without_a_counterfactual_in_the_free_bounds_no_unit_is_named():
    point = np.array([0.5, -1.0])
    layers = [(np.zeros((2, 2)), np.array([0.0, 1.0]))]
    problem = random_problem(0, box=box_between(point, point), layers=layers)
    assert fewest_to_relax(problem, FREE, time_limit=5.0) == []


def test_open_bounds_or_no_time_leave_it_unknown():
    point = np.array([0.5, -1.0])
    problem = random_problem(1, box=box_between(point, point))
    assert fewest_to_relax(problem, FREE, time_limit=0.0) is None
    endless = box_between([-np.inf, LOW], [np.inf, HIGH])
    assert fewest_to_relax(problem, endless, time_limit=5.0) is None


def test_a_limit_of_changes_holds_for_relaxed_units_too():
    # Both numbers must rise by at least 1 for the target.
    layers = [(np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([-5.0, 0.0]))]
    point = np.array([[0.5, 0.5]])
    box = Box(point, point, OneHotGroups(2))
    settings = {"layers": layers, "factual": point[0], "box": box, "tau": 0.5}
    free = box_between([LOW, LOW], [3.0, 3.0])
    both = random_problem(0, **settings)
    assert fewest_to_relax(both, free, time_limit=5.0) == [0, 1]
    assert fewest_to_relax(replace(both, max_changes=1), free, time_limit=5.0) == []
