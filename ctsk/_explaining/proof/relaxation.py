"""The fewest constraints without which a row would have a counterfactual."""

import time
from dataclasses import replace

import numpy as np

from ctsk._explaining.proof.levers import NO_CHOICE, Levers, as_row
from ctsk._explaining.proof.optimum import Search
from ctsk._explaining.proof.steps import ZERO


def fewest_to_relax(problem, free_box, *, time_limit):
    """Return the fewest units whose constraints must be lifted for a counterfactual to exist.

    Parameters
    ----------
    problem : RowProblem
        A row without any counterfactual.
    free_box : Box
        Bounds of the row without the constraints; they contain those of the problem.
    time_limit : float
        Seconds.

    Returns
    -------
    units : list of int or None
        See `OneHotGroups.units`. An empty list if there is no counterfactual without the
        constraints either, and None if the time did not suffice.
    """
    deadline = time.monotonic() + time_limit
    levers = _gated(problem, free_box)
    if not levers.are_bounded:
        return None
    free = replace(problem, box=free_box, max_changes=None, sparse=False)

    def n_relaxed(row):
        return len(_outside(problem, row))

    search = Search(free, levers, np.inf, problem.max_changes, deadline, value=n_relaxed)
    bound, rows = search.minimize()
    if bound == np.inf:
        return []
    # The bound of a whole number is a whole number.
    if not rows or n_relaxed(rows[0]) > np.ceil(bound - ZERO):
        return None
    return _outside(problem, rows[0])


def _outside(problem, row):
    """Return the units whose change the bounds of a problem do not permit."""
    box = problem.box
    lower, upper = as_row(box.lower), as_row(box.upper)
    low = lower if box.low is None else as_row(box.low)
    high = upper if box.high is None else as_row(box.high)
    n_numeric = box.groups.n_numeric
    is_outside = (row < low) | (row > high)
    # A category is reached if its column is 1; the bounds of the others do not matter.
    is_outside[n_numeric:] = (row[n_numeric:] == 1) & (high[n_numeric:] == 0)
    units = box.groups.units.numpy()
    return np.unique(units[is_outside & (row != problem.factual)]).tolist()


def _gated(problem, free_box):
    """Return the levers of a row, and those of lifted constraints, of which the gates cost 1.

    A gate is a lever that moves nothing. It replaces the levers of a unit by those that the unit
    has without constraints.
    """
    bound, free = (replace(problem, box=box).levers() for box in (problem.box, free_box))
    units = np.unique(free.unit).tolist()
    n_bound, n_free, n_gates = len(bound), len(free), len(units)
    gates = n_bound + n_free + np.searchsorted(units, np.append(bound.unit, free.unit))
    rows = np.zeros((n_bound + n_free, n_bound + n_free + n_gates))
    idx = np.arange(n_bound + n_free)
    uppers = np.append(bound.upper, free.upper)
    rows[idx, idx] = 1
    rows[idx, gates] = np.append(bound.upper, -free.upper)
    most = np.append(bound.upper, np.zeros(n_free))

    def widened(part, first):
        """Return the rows of one kind of levers among all of them."""
        wide = np.zeros((len(part.rows), n_bound + n_free + n_gates))
        wide[:, first : first + len(part)] = part.rows
        return wide

    # The same choices of both kinds get different numbers.
    shifted = np.where(free.choice == NO_CHOICE, NO_CHOICE, free.choice + len(problem.factual))
    return Levers(
        moves=np.hstack([bound.moves, free.moves, np.zeros((len(problem.factual), n_gates))]),
        costs=np.append(np.zeros(n_bound + n_free), np.ones(n_gates)),
        upper=np.append(uppers, np.ones(n_gates)),
        is_integer=np.concatenate([bound.is_integer, free.is_integer, np.ones(n_gates, bool)]),
        unit=np.concatenate([bound.unit, free.unit, units]).astype(int),
        choice=np.concatenate([bound.choice, shifted, np.full(n_gates, NO_CHOICE)]).astype(int),
        rows=np.vstack([widened(bound, 0), widened(free, n_bound), rows]),
        most=np.concatenate([bound.most, free.most, most]),
    )
