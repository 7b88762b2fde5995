r"""The cheapest counterfactual of a ReLU network, by mixed-integer linear programming.

A network of linear layers and ReLUs is piecewise linear, and a cost is linear in the distances by
which a row moves. The cheapest row within a box that reaches the target is therefore the solution
of a mixed-integer linear program, which HiGHS, the solver of SciPy, finds and proves.

Three facts make the program small:

- Only rows that cost less than a known one matter. The most that such a row can move a unit is a
  fractional knapsack, which fixes the signs of most units of the first layer.
- A unit of the last hidden layer needs no binary if its output only hinders the target: the
  program gains nothing by an output above the true one.
- The logits that reach the target are a convex set. Of two classes, it is a half-space. Of more,
  the program starts from a superset and is cut by tangents until its solution is in the set.

What is proven holds for every row that the network accepts: the program accepts rows that miss the
target by what covers the precision of the network and of the solver. A row that it finds is moved
beyond the decision boundary by as little as possible, with all integers fixed.
"""

import time
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import logsumexp, softmax

from ctsk._explaining.proof.levers import Levers, as_row
from ctsk._explaining.proof.network import add_network, logits_of, rounding_error
from ctsk._explaining.proof.program import Program, bound_of, is_infeasible
from ctsk._explaining.proof.steps import ZERO

# A row is optimal if it costs at most this much more than the lower bound, relatively.
GAP = 1e-3
# Rows that cost nearly as much as that are sought, so that the precision of the solver fits in.
_SOUGHT_GAP = 0.9 * GAP
# Logits may miss the target by at least so much, because the solver meets its constraints up to a
# tolerance only.
_RELAXATION = 1e-6
# By how many relaxations the logits of a row that is returned exceed the target: by as little as
# possible, or, for numbers that are rounded, by more.
_MARGINS = (2, 20, 200)
# Programs, each with more tangents, after which a row counts as open.
_MOST_PROGRAMS = 25
# Programs of a row with fixed integers, each with one more tangent.
_MOST_TANGENTS = 10


@dataclass(frozen=True)
class RowProblem:
    """What the proof of one row depends on.

    Parameters
    ----------
    layers : list of pairs of ndarrays
        See `layers_of`.
    factual : ndarray of shape (n_columns,)
        The row in module units.
    box : Box
        Bounds of this one row, in module units.
    costs : ndarray of shape (n_columns,)
        Cost of a unit of each column.
    target : int
        The class to reach, as a position among the logits.
    tau : float
        Probability that the target must have. The target must also be the predicted class.
    grids, excluded : pair of ndarrays of shape (n_columns,), dict of int to list of float
        See `Levers.of`.
    sparse : bool, default=False
        Whether to minimize the number of changed features first, and the cost second.
    max_changes : int or None, default=None
        Largest number of changed features.
    precision : float, default=float64's
        Machine epsilon of the network that judges.
    """

    layers: list
    factual: np.ndarray
    box: object
    costs: np.ndarray
    target: int
    tau: float
    grids: tuple
    excluded: dict = field(default_factory=dict)
    sparse: bool = False
    max_changes: int | None = None
    precision: float = float(np.finfo(np.float64).eps)

    def levers(self, cost_limit=np.inf):
        """Return the levers of the row."""
        return Levers.of(
            self.factual,
            self.box,
            self.costs,
            grids=self.grids,
            excluded=self.excluded,
            cost_limit=cost_limit,
        )

    def cost(self, row):
        """Return the cost of a counterfactual."""
        return float(np.abs(row - self.factual) @ self.costs)

    def n_changes(self, row):
        """Return the number of changed features of a counterfactual."""
        is_moved = row != self.factual
        return len(np.unique(self.box.groups.units.numpy()[is_moved]))


@dataclass(frozen=True)
class Optimum:
    """What is proven of the counterfactuals of a row.

    Parameters
    ----------
    lower_bound : float
        No counterfactual costs less; infinite if there is none. Under `sparse`, no one with
        `fewest` changes costs less.
    fewest : int, default=0
        No counterfactual has fewer changed features; 0 unless these are minimized.
    rows : list of ndarray of shape (n_columns,)
        Counterfactuals that are better than the known one: the best, and the same with more room
        to the decision boundary.
    """

    lower_bound: float
    fewest: int = 0
    rows: list = field(default_factory=list)

    @property
    def is_impossible(self):
        """Whether there is no counterfactual."""
        return self.lower_bound == np.inf


def cheapest(problem, *, known=None, time_limit=5.0):
    """Find the cheapest counterfactual of a row, or prove that a known one is the cheapest.

    Parameters
    ----------
    problem : RowProblem
    known : pair of float and int, default=None
        Cost and number of changed features of a known counterfactual.
    time_limit : float, default=5.0
        Seconds for all programs together.

    Returns
    -------
    optimum : Optimum
    """
    deadline = time.monotonic() + time_limit
    if problem.sparse:
        return _fewest_and_cheapest(problem, known, deadline)
    # A row that costs no less than this bound does not matter, as a known one is within the gap.
    cost_limit = np.inf if known is None else known[0] / (1 + _SOUGHT_GAP)
    lower_bound, rows = _minimized(problem, cost_limit, problem.max_changes, deadline)
    return Optimum(lower_bound, rows=rows)


def _fewest_and_cheapest(problem, known, deadline):
    """Return the cheapest counterfactual among those with the fewest changed features."""
    at_most = problem.max_changes if known is None else known[1] - 1
    bound, rows = _minimized(problem, np.inf, at_most, deadline, of_changes=True)
    if bound == np.inf and known is None:
        return Optimum(np.inf)
    # The bound of a whole number is a whole number.
    fewest = known[1] if bound == np.inf else int(np.ceil(bound - ZERO))
    if rows:
        known = problem.cost(rows[0]), problem.n_changes(rows[0])
    # If fewer changes might do, nothing is proven of the cost.
    if known is None or fewest < known[1]:
        return Optimum(0.0, fewest, rows)
    lower_bound, cheaper = _minimized(problem, known[0] / (1 + _SOUGHT_GAP), fewest, deadline)
    return Optimum(lower_bound, fewest, cheaper or rows)


def _minimized(problem, cost_limit, max_changes, deadline, *, of_changes=False):
    """Return a lower bound of the cost, or of the number of changes, and the best rows.

    The bound is at most `cost_limit`, beyond which the program does not look.
    """
    # Nothing costs less than nothing, and no row gets anywhere without a change.
    if cost_limit == 0 or max_changes == 0:
        return (np.inf if max_changes == 0 else 0.0), []
    # The solver's tolerances are absolute.
    unit = cost_limit if np.isfinite(cost_limit) else problem.costs.max(initial=0) or 1.0
    scaled = replace(problem, costs=problem.costs / unit)
    levers = scaled.levers(cost_limit / unit)
    if not levers.are_bounded:
        return 0.0, []
    search = Search(scaled, levers, cost_limit / unit, max_changes, deadline)
    bound, rows = search.minimize(of_changes=of_changes)
    return bound * (1 if of_changes else unit), rows


class Search:
    """Solves the program of one row, and judges what it returns by the network.

    Parameters
    ----------
    problem : RowProblem
    levers : Levers
    cost_limit : float
    max_changes : int or None
    deadline : float
        Value of the clock ``time.monotonic`` at which the time is up.
    value : callable, default=None
        Maps a row to its cost, as the costs of the levers define it; None stands for the
        problem's.
    """

    def __init__(self, problem, levers, cost_limit, max_changes, deadline, *, value=None):
        self.problem = problem
        self.levers = levers
        self.cost_limit = cost_limit
        self.deadline = deadline
        self.value = problem.cost if value is None else value
        self.program = Program(levers.upper, levers.is_integer)
        if len(levers.rows):
            self.program.add_rows(levers.rows, levers.most)
        if np.isfinite(cost_limit):
            self.program.add_rows(levers.costs[None], cost_limit)
        # Variables that count changes are needed only if the changes are limited.
        self.counters = self._count() if max_changes is not None or problem.sparse else None
        if max_changes is not None:
            self.program.add_rows(self.counters[None], max_changes)
        limits = cost_limit, max_changes
        self.constants, self.slopes = add_network(
            self.program, problem.layers, levers, problem.factual, problem.target, limits
        )
        # The logsumexp of the differences to the target's logit must be at most this number, and
        # below a tau of one half, the target must be the predicted class, too.
        self.threshold = -np.log(problem.tau / (1 - problem.tau))
        self.tangents = [
            (constant, slopes, min(self.threshold, 0.0))
            for constant, slopes in zip(self.constants, self.slopes, strict=True)
        ]
        sizes = np.abs(problem.factual) + np.abs(levers.moves) @ levers.upper
        error = rounding_error(problem.layers, sizes, problem.precision)
        self.relaxation = max(_RELAXATION, 2 * error)
        # The solver computes in float64. Where the digits of this do not reach its tolerance, as
        # with huge weights or domains, it may find a program infeasible that is not.
        error = rounding_error(problem.layers, sizes, np.finfo(np.float64).eps)
        self.is_precise = error <= _RELAXATION

    def _count(self):
        """Add a binary for each unit that changes; return the coefficients that sum them."""
        program, levers = self.program, self.levers
        units = np.unique(levers.unit)
        counters = program.add_variables(np.ones(len(units)), is_integer=True)
        coefficients = np.zeros((len(levers), len(program)))
        idx = np.arange(len(levers))
        coefficients[idx, idx] = 1
        coefficients[idx, counters[np.searchsorted(units, levers.unit)]] = -levers.upper
        if len(levers):
            program.add_rows(coefficients, 0.0)
        counts = np.zeros(len(program))
        counts[counters] = 1
        return counts

    def minimize(self, *, of_changes=False):
        """Return a lower bound of the cost or of the number of changes, and the best rows."""
        if not self.is_precise:
            return 0.0, []
        objective = self.counters if of_changes else self.levers.costs
        # Beyond the cost limit, nothing is known.
        most = np.inf if of_changes else self.cost_limit
        bound, best, rows = 0.0, np.inf, []
        # A program is much faster if steps are continuous. Its bound holds for whole steps, too,
        # and often suffices.
        stages = ["continuous", "integer"] if self.program.is_stepped.any() else ["integer"]
        n_tangents = len(self.tangents)
        for _ in range(_MOST_PROGRAMS):
            result = self._solve(objective, -self.relaxation, steps=stages[0])
            if result is None:
                break
            if is_infeasible(result):
                # A row below the limit contradicts the solver, so that nothing more is proven.
                return (most if best >= most else bound), rows
            bound = max(bound, min(bound_of(result), most))
            if result.x is not None:
                found = self._accepted(result.x, stages[0])
                value = self._value(found[0], of_changes) if found else np.inf
                if value < best:
                    best, rows = value, found
            if best <= bound * (1 + GAP) + of_changes * ZERO:
                break
            if len(self.tangents) > n_tangents:
                n_tangents = len(self.tangents)
                continue
            # Without another tangent, the program would return the same row again.
            if len(stages) == 1:
                rows = self._tightened(objective, best, of_changes) or rows
                break
            del stages[0]
            if np.isfinite(best) and not of_changes:
                # From here on, only rows matter that cost less. Half of the gap is left for the
                # rounding of fine grids, which are continuous in the program.
                most = best / (1 + GAP / 2)
                self.program.add_rows(self.levers.costs[None], most)
        return bound, rows

    def _solve(self, objective, margin, *, fixed=None, steps="integer"):
        """Return the solver's result, or None if the time is up."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            return None
        constants, slopes, most = zip(*self.tangents, strict=True)
        width = len(self.program)
        coefficients = np.zeros((len(slopes), width))
        for row, slope in zip(coefficients, slopes, strict=True):
            row[: len(slope)] = slope
        limits = np.array(most) - margin - np.array(constants)
        rows = coefficients, limits
        return self.program.minimize(objective, seconds, rows=rows, fixed=fixed, steps=steps)

    def _value(self, row, of_changes):
        return self.problem.n_changes(row) if of_changes else self.value(row)

    def _accepted(self, values, steps="integer"):
        """Return rows that the network accepts, with the binary variables of a solution.

        Steps of a solution in which they are "continuous" become integers; others are fixed.
        """
        steps = "integer" if steps == "continuous" else "fixed"
        row = self._row(values)
        rows = [row] if steps == "fixed" and self._violation(row) <= 0 else []
        for factor in _MARGINS:
            row = self._row_with_margin(values, factor * self.relaxation, steps)
            if row is None:
                break
            rows.append(row)
        return rows

    def _row_with_margin(self, values, margin, steps):
        """Return the cheapest row with the binary variables of a solution; see `_accepted`."""
        for _ in range(_MOST_TANGENTS):
            result = self._solve(self.levers.costs, margin, fixed=values, steps=steps)
            if result is None or result.status != 0:
                return None
            row = self._row(result.x)
            if self._violation(row) <= 0:
                return row
            if not self._add_tangent(row):
                return None
        return None

    def _tightened(self, objective, best, of_changes):
        """Return rows of a program that proves nothing, but accepts no row in doubt."""
        result = self._solve(objective, _MARGINS[0] * self.relaxation)
        if result is None or result.x is None:
            return []
        rows = self._accepted(result.x)
        return rows if rows and self._value(rows[0], of_changes) < best else []

    def _row(self, values):
        """Return the row of a solution, within its bounds."""
        levers, box = self.levers, self.problem.box
        levels = values[: len(levers)]
        levels = np.where(levers.is_integer, np.round(levels), levels)
        levels = np.clip(np.where(levels > ZERO * levers.upper, levels, 0), 0, levers.upper)
        row = self.problem.factual + levers.moves @ levels
        return np.clip(row, as_row(box.lower), as_row(box.upper))

    def _differences(self, row):
        """Return the differences between the other logits and the target's."""
        target = self.problem.target
        logits = logits_of(self.problem.layers, row)
        return np.delete(logits - logits[target], target)

    def _violation(self, row):
        """Return by how much a row falls short; at most 0 if the network accepts it."""
        differences = self._differences(row)
        return max(logsumexp(differences) - self.threshold, differences.max())

    def _add_tangent(self, row):
        """Add the tangent at a row to what the program requires; return whether it is new."""
        # Of two classes, the set of logits that reach the target is its own tangent.
        if len(self.constants) == 1:
            return False
        differences = self._differences(row)
        shares = softmax(differences)
        constant = logsumexp(differences) + shares @ (self.constants - differences)
        self.tangents.append((constant, shares @ self.slopes, self.threshold))
        return True
