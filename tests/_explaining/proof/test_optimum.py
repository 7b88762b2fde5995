"""The cheapest counterfactual, against brute force on small networks, and rows that stay open."""

import itertools
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from proof_problems import enumerated, random_problem, reaches

from ctsk._columns.constraints import Box
from ctsk._columns.one_hot import OneHotGroups
from ctsk._explaining.proof import optimum as module
from ctsk._explaining.proof import program as program_module
from ctsk._explaining.proof.optimum import GAP, cheapest

SETTINGS = list(itertools.product([(), (4,), (4, 3)], [2, 3], [0.3, 0.5, 0.9]))


@pytest.mark.parametrize("hidden, n_classes, tau", SETTINGS)
def test_of_whole_steps_the_cheapest_is_the_one_of_brute_force(hidden, n_classes, tau):
    n_found = 0
    for seed, target in itertools.product(range(3), range(n_classes)):
        problem = random_problem(seed, hidden, n_classes, tau, target)
        rows, costs, _ = enumerated(problem)
        optimum = cheapest(problem)
        assert optimum.is_impossible == (not len(rows))
        if len(rows):
            n_found += 1
            assert optimum.lower_bound <= costs.min() + 1e-9
            assert problem.cost(optimum.rows[0]) == pytest.approx(costs.min(), abs=1e-9)
            assert np.isclose(rows, optimum.rows[0]).all(axis=1).any()
            assert costs.min() <= optimum.lower_bound * (1 + GAP) + 1e-9
    assert n_found


@pytest.mark.parametrize("hidden, n_classes", itertools.product([(), (4,), (4, 3)], [2, 3]))
def test_of_all_numbers_the_row_reaches_the_target_and_no_grid_row_is_cheaper(hidden, n_classes):
    for seed in range(4):
        problem = random_problem(seed, hidden, n_classes, tau=0.75, spacing=0.0)
        _, costs, _ = enumerated(problem, spacing=0.02)
        optimum = cheapest(problem)
        if optimum.is_impossible:
            assert not len(costs)
            continue
        best = problem.cost(optimum.rows[0])
        assert reaches(problem, np.array(optimum.rows)).all()
        assert optimum.lower_bound <= best <= optimum.lower_bound * (1 + GAP) + 1e-9
        assert optimum.lower_bound <= costs.min(initial=np.inf)


@pytest.mark.parametrize("seed", range(8))
def test_sparse_has_the_fewest_changes_and_of_these_the_least_cost(seed):
    problem = random_problem(seed, sparse=True)
    _, costs, n_changes = enumerated(problem)
    optimum = cheapest(problem)
    if not len(costs):
        assert optimum.is_impossible
        return
    fewest = n_changes.min()
    assert optimum.fewest == problem.n_changes(optimum.rows[0]) == fewest
    assert problem.cost(optimum.rows[0]) == pytest.approx(costs[n_changes == fewest].min())
    limited = replace(problem, sparse=False, max_changes=int(fewest) - 1)
    assert cheapest(limited).is_impossible


def test_a_known_row_is_proven_or_improved():
    problem = random_problem(1)
    _, costs, n_changes = enumerated(problem)
    best = costs.min(), n_changes[costs.argmin()]
    proven = cheapest(problem, known=best)
    assert proven.rows == []
    assert best[0] <= proven.lower_bound * (1 + GAP) * (1 + 1e-9)
    improved = cheapest(problem, known=(1.5 * best[0], 2))
    assert problem.cost(improved.rows[0]) == pytest.approx(best[0])


@pytest.mark.parametrize("sparse", [False, True])
def test_without_time_nothing_is_proven(sparse):
    problem = random_problem(1, sparse=sparse)
    optimum = cheapest(problem, time_limit=0.0)
    assert (optimum.lower_bound, optimum.rows) == (0.0, [])
    known = cheapest(problem, known=(0.5, 1), time_limit=0.0)
    assert (known.lower_bound, known.rows) == (0.0, [])


@pytest.mark.parametrize("sparse", [False, True])
def test_of_an_open_domain_only_what_costs_less_than_a_known_row_is_searched(sparse):
    box = Box(np.full((1, 2), -np.inf), np.full((1, 2), np.inf), OneHotGroups(2))
    problem = random_problem(1, box=box, sparse=sparse)
    optimum = cheapest(problem)
    assert (optimum.lower_bound, optimum.rows) == (0.0, [])
    closed = random_problem(1)
    best = cheapest(closed)
    cost = problem.cost(best.rows[0])
    assert cheapest(replace(problem, sparse=False), known=(cost, 2)).lower_bound > 0.9 * cost


def solver_that(**fields):
    """Return a solver that replaces fields of the true result."""
    solve = program_module.milp

    def solver(*args, **kwargs):
        result = solve(*args, **kwargs)
        return SimpleNamespace(**{**vars_of(result), **fields})

    return solver


def vars_of(result):
    return {name: result.get(name) for name in ("x", "fun", "status", "message", "mip_dual_bound")}


TROUBLE = {
    "other status": {
        "status": 4,
        "message": "Numerical trouble",
        "x": None,
        "mip_dual_bound": None,
    },
    "model error": {"status": 2, "message": "(HiGHS Status 2: Model error)", "x": None},
    "undecided": {"status": 4, "message": "unbounded or infeasible", "x": None},
    "no bound": {"status": 1, "message": "Time limit", "x": None, "mip_dual_bound": -np.inf},
    "bound is no number": {"status": 1, "x": None, "mip_dual_bound": np.nan},
    "infinite bound": {"status": 4, "x": None, "mip_dual_bound": np.inf},
    "time": {"status": 1, "message": "Time limit", "mip_dual_bound": 0.0},
}


@pytest.mark.parametrize("fields", TROUBLE.values(), ids=TROUBLE)
@pytest.mark.parametrize("known", [None, (9.0, 2)])
@pytest.mark.parametrize("sparse", [False, True])
def test_trouble_of_the_solver_proves_nothing(monkeypatch, fields, known, sparse):
    problem = random_problem(1, sparse=sparse)
    costs = enumerated(problem)[1]
    fields = {"mip_dual_bound": None, **fields}
    monkeypatch.setattr(program_module, "milp", solver_that(**fields))
    optimum = cheapest(problem, known=known)
    assert not optimum.is_impossible
    assert 0 <= optimum.lower_bound <= costs.min()
    assert reaches(problem, np.array(optimum.rows).reshape(-1, 2)).all()


def test_a_wrong_solution_is_not_returned(monkeypatch):
    problem = random_problem(1)
    solve = program_module.milp

    def solver(objective, **kwargs):
        result = solve(objective, **kwargs)
        # Nothing moves, and the hidden units claim that the target is reached.
        return SimpleNamespace(**{**vars_of(result), "x": np.zeros(len(objective))})

    monkeypatch.setattr(program_module, "milp", solver)
    optimum = cheapest(problem)
    assert optimum.rows == []
    assert not optimum.is_impossible


@pytest.mark.parametrize("factor", [1e6, 1e9, 1e14])
def test_huge_weights_prove_nothing_wrong(factor):
    for seed in range(6):
        problem = random_problem(seed, tau=0.9)
        huge = [(factor * weights, factor * bias) for weights, bias in problem.layers]
        problem = replace(problem, layers=huge)
        _, costs, _ = enumerated(problem)
        optimum = cheapest(problem, time_limit=2.0)
        assert optimum.lower_bound <= costs.min(initial=np.inf) + 1e-9
        assert reaches(problem, np.array(optimum.rows).reshape(-1, 2)).all()


@pytest.mark.parametrize("width", [1e6, 1e9, 1e13])
def test_huge_domains_prove_nothing_wrong(width):
    for seed in range(6):
        problem = random_problem(seed, spacing=0.0)
        _, costs, _ = enumerated(problem)
        box = Box(np.full((1, 2), -width), np.full((1, 2), width), OneHotGroups(2))
        optimum = cheapest(replace(problem, box=box), time_limit=2.0)
        assert optimum.lower_bound <= costs.min(initial=np.inf) + 1e-9


def test_a_row_that_cannot_move_is_impossible():
    point = np.array([[0.5, -1.0]])
    problem = random_problem(1, box=Box(point, point, OneHotGroups(2)))
    assert not reaches(problem, point).any()
    assert cheapest(problem).is_impossible
    assert cheapest(replace(problem, sparse=True)).is_impossible


def test_margins_grow_from_as_little_as_possible():
    problem = random_problem(1, spacing=0.0)
    optimum = cheapest(problem)
    costs = [problem.cost(row) for row in optimum.rows]
    assert costs == sorted(costs)
    assert len(costs) >= len(module._MARGINS)


def test_a_problem_survives_pickling():
    problem = random_problem(1)
    copy = pickle.loads(pickle.dumps(problem))
    assert cheapest(copy).lower_bound == cheapest(problem).lower_bound


def test_a_solver_that_contradicts_a_row_it_has_found_proves_nothing(monkeypatch):
    answers = iter([False, True])
    monkeypatch.setattr(module, "is_infeasible", lambda _: next(answers))
    search = object.__new__(module.Search)
    search.is_precise, search.cost_limit, search.relaxation = True, 2.0, 1e-6
    search.levers = SimpleNamespace(costs=np.ones(1))
    search.program = SimpleNamespace(is_stepped=np.zeros(1, dtype=bool))
    search.tangents, search.value = [], lambda row: float(row[0])
    result = SimpleNamespace(x=np.ones(1), mip_dual_bound=0.5, status=0)
    search._solve = lambda *_, **__: result

    def accepted(*_):
        # A new tangent, so that another program is solved.
        search.tangents.append(None)
        return [np.array([1.0])]

    search._accepted = accepted
    bound, rows = search.minimize()
    assert bound == 0.5
    assert rows[0] == 1.0
