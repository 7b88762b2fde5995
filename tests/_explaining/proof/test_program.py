"""Programs, and what the solver says of them."""

import os
import threading

import numpy as np
import pytest

from ctsk._explaining.proof import program as module
from ctsk._explaining.proof.program import Program, bound_of, is_infeasible, padded

NO_ROWS = np.zeros((0, 1)), np.zeros(0)


def test_variables_that_are_added_later_have_the_coefficient_0_in_earlier_rows():
    program = Program([3.0], [True])
    program.add_rows(np.array([[-1.0]]), -1.5)
    assert program.add_variables(np.array([2.0])).tolist() == [1]
    program.add_rows(np.array([[0.0, -1.0]]), -0.5)
    result = program.minimize(np.array([1.0, 1.0]), 5.0, rows=NO_ROWS)
    assert result.x == pytest.approx([2.0, 0.5])
    assert bound_of(result) == pytest.approx(2.5)


@pytest.mark.parametrize(
    "steps, expected",
    [("integer", [2, 0.6, 1]), ("continuous", [2.5, 0.1, 1]), ("fixed", [1, 1.6, 1])],
)
def test_binaries_are_fixed_and_steps_are_what_is_asked(steps, expected):
    program = Program([3.0, 3.0, 1.0], [True, False, True])
    # The cheapest sum of 2.6, of which the steps are at most 2.5, or the whole number below.
    program.add_rows(np.array([[-1.0, -1.0, 0.0], [1.0, 0.0, 0.0]]), [-2.6, 2.5])
    objective, values = np.array([1.0, 2.0, 1.0]), np.array([1.2, 0.0, 1.0])
    result = program.minimize(objective, 5.0, rows=NO_ROWS, fixed=values, steps=steps)
    assert result.x == pytest.approx(expected)
    assert bound_of(result) == pytest.approx(objective @ expected)


def test_further_rows_belong_to_one_solution_only():
    program = Program([3.0, 3.0], [True, False])
    program.add_rows(np.array([[-1.0, -1.0]]), -2.0)
    rows = np.array([[1.0, 0.0]]), np.array([0.5])
    assert program.minimize(np.array([1.0, 2.0]), 5.0, rows=rows).x == pytest.approx([0.0, 2.0])
    assert program.minimize(np.array([1.0, 2.0]), 5.0, rows=NO_ROWS).x == pytest.approx([2.0, 0.0])


@pytest.mark.parametrize("most, expected", [(-1.0, True), (1.0, False)])
def test_a_program_without_variables_is_feasible_or_not(most, expected):
    program = Program([], [])
    result = program.minimize(np.zeros(0), 5.0, rows=(np.zeros((1, 0)), np.array([most])))
    assert is_infeasible(result) == expected
    assert (result.status == 0) == (not expected)


def test_only_a_proof_counts_as_infeasible():
    program = Program([1.0], [True])
    infeasible = program.minimize(np.ones(1), 5.0, rows=(np.array([[-1.0]]), np.array([-2.0])))
    assert is_infeasible(infeasible)
    # The solver gives an invalid program the same status.
    infinite = program.minimize(np.ones(1), 5.0, rows=(np.array([[-1e300]]), np.array([-2e300])))
    assert infinite.status != 0
    assert not is_infeasible(infinite)
    assert bound_of(infinite) <= 0


def test_nothing_that_the_solver_writes_reaches_the_standard_output(capfd, monkeypatch):
    def talkative(*args, **kwargs):
        os.write(1, b"debug")
        return "result"

    monkeypatch.setattr(module, "milp", talkative)
    program = Program([1.0], [True])

    def solve():
        assert program.minimize(np.ones(1), 5.0, rows=NO_ROWS) == "result"

    threads = [threading.Thread(target=solve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(1, b"later")
    assert capfd.readouterr().out == "later"


def test_padded_adds_columns_of_zeros():
    assert padded(np.ones((1, 2)), 3).tolist() == [[1.0, 1.0, 0.0]]
    assert padded(np.ones(1), 2).tolist() == [1.0, 0.0]
