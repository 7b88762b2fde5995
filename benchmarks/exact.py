r"""The exact cheapest counterfactual of a ReLU network, by mixed-integer linear programming.

A network of linear layers and ReLUs is piecewise linear, and a cost is linear in the distances by
which a row moves. The cheapest row within a box that reaches the target is therefore the solution
of a mixed-integer linear program, which HiGHS, the solver of SciPy, finds and proves.

The variables of the program are *levers*, the ways in which a row can move: one nonnegative
distance per direction of a number, and one binary per category that can replace the row's own.
Whole numbers have an integer number of steps. Each hidden unit whose sign is not fixed by the
bounds adds its output and a binary.

Three facts make the program small:

- Only rows that cost at most `cost_limit` matter. The most that such a row can move a unit is a
  fractional knapsack, which fixes the signs of most units of the first layer.
- A unit of the last hidden layer needs no binary if its output only hinders the target: the
  program gains nothing by an output above the true one.
- The logits that reach the target are a convex set. Of two classes, it is a half-space. Of more,
  the program starts from a superset and is cut by tangents until its solution is in the set.
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
from exact_levers import ZERO, Levers, as_row
from exact_program import GAP, Program, add_choices, add_counts, add_network, layers_of
from scipy.special import logsumexp, softmax

from ctsk._torch.utils import inference_copy

# The program must exceed the margin of the logits by this much, because the solver meets its
# constraints up to a tolerance only.
SLACK = 1e-4
# Tangents, or larger slacks, after which a program counts as open.
_MOST_ROUNDS = 25


@dataclass(frozen=True)
class Optimum:
    """The result of `cheapest`.

    Parameters
    ----------
    status : {"optimal", "impossible", "open"}
        "optimal" if `row` is proven to cost at most `lower_bound` plus 0.2%, "impossible" if it is
        proven that no row within the box and the limits reaches the target, and "open" otherwise.
    cost : float
        Cost of `row`; infinite without a row.
    row : ndarray of shape (n_columns,) or None
        The best row that the module accepts.
    lower_bound : float
        No row costs less. If fewest changes come first, no row with as many changes does.
    n_changes : int or None
        Number of changed features of `row`.
    """

    status: str
    cost: float = np.inf
    row: np.ndarray | None = None
    lower_bound: float = 0.0
    n_changes: int | None = None


def cheapest(
    module,
    factual,
    box,
    *,
    costs,
    target,
    tau,
    cost_limit=np.inf,
    steps=None,
    sparse=False,
    n_changes_limit=None,
    time_limit=10.0,
):
    """Find the cheapest counterfactual of a row, and prove that it is.

    Parameters
    ----------
    module : torch.nn.Sequential
        Layers `Linear` and `ReLU` (and those that do nothing in inference) that return one logit
        for each class.
    factual : ndarray of shape (n_columns,)
        The row in module units.
    box : Box
        Bounds of this one row, in module units; see `ctsk._columns.constraints`.
    costs : ndarray of shape (n_columns,)
        Cost of a unit of each column.
    target : int
        The class to reach, as a column of the logits.
    tau : float
        Probability that the target must have. The target must also be the predicted class.
    cost_limit : float, default=inf
        Largest cost that matters, such as that of a known counterfactual.
    steps : pair of ndarrays of shape (n_columns,), default=None
        Spacing and origin of the values that each column can hold, in module units. A spacing of 0
        stands for all numbers.
    sparse : bool, default=False
        Whether to minimize the number of changed features first, and the cost second.
    n_changes_limit : int, default=None
        Largest number of changed features that matters.
    time_limit : float, default=10.0
        Seconds for all programs together.

    Returns
    -------
    optimum : Optimum

    Raises
    ------
    ValueError
        If the module has other layers, if a number can move without any bound, or if the row has an
        unknown category or a missing or special number.

    Notes
    -----
    The row must exceed the margin of its logits by a slack of 1e-4. A row that is cheaper by what
    this slack costs may exist. A column with more than 200 steps within reach is continuous, so
    that the cost may be lower than that of every row of whole steps.
    """
    deadline = time.monotonic() + time_limit
    factual, costs = as_row(factual), as_row(costs)
    levers = Levers.of(factual, box, costs, cost_limit=cost_limit, steps=steps)
    program = Program(levers.upper, levers.is_integer)
    add_choices(program, levers)
    if np.isfinite(cost_limit):
        program.add_rows(levers.costs[None], -np.inf, cost_limit)
    counts = add_counts(program, levers) if sparse or n_changes_limit is not None else None
    if n_changes_limit is not None:
        program.add_rows(counts[None], -np.inf, n_changes_limit)
    limits = cost_limit, n_changes_limit
    margins = add_network(program, layers_of(module), levers, factual, target, limits)
    search = _Search(
        program,
        margins,
        counts,
        judge=inference_copy(module, torch.float64).cpu(),
        levers=levers,
        factual=factual,
        box=box,
        costs=costs,
        target=target,
        tau=tau,
        deadline=deadline,
    )
    return search.optimum(sparse=sparse)


class _Search:
    """Solves the program of one row, and judges what it returns by the module itself.

    Parameters
    ----------
    program : Program
    margins : pair of ndarrays
        Constants and slopes of the differences between the other logits and the target's.
    counts : ndarray or None
        Coefficients of the variables that count changed features; None if there are none.
    judge : torch.nn.Module
        The module in float64.
    levers : Levers
    factual, box, costs, target, tau
        See `cheapest`.
    deadline : float
        Value of the clock ``time.monotonic`` at which the time is up.
    """

    def __init__(
        self, program, margins, counts, *, judge, levers, factual, box, costs, target, tau, deadline
    ):
        self.program = program
        self.constants, self.slopes = margins
        self.counts = counts
        self.judge = judge
        self.levers = levers
        self.factual = factual
        self.box = box
        self.costs = costs
        self.target = target
        # The logsumexp of the differences is at most this number if the target has at least tau.
        self.threshold = -np.log(tau / (1 - tau))
        self.deadline = deadline
        self.slack = SLACK
        self._require_each()

    def optimum(self, *, sparse):
        """Return the optimum; under `sparse`, the number of changes comes first."""
        first_row = None
        if sparse:
            status, first_row, bound = self._solve(self.counts)
            n_changes = np.inf if first_row is None else self._n_changes(first_row)
            # The number of changes is whole, so that a bound just below it proves it.
            if not n_changes < bound + 1 - ZERO:
                return self._result("impossible" if status == "impossible" else "open", first_row)
            self.program.add_rows(self.counts[None], -np.inf, n_changes)
        status, row, bound = self._solve(self.levers.costs)
        # The row with the fewest changes remains known if the time is up.
        row = first_row if row is None else row
        return self._result("open" if sparse and status == "impossible" else status, row, bound)

    def _result(self, status, row, bound=0.0):
        if row is None:
            return Optimum(status, lower_bound=np.inf if status == "impossible" else bound)
        cost = float(np.abs(row - self.factual) @ self.costs)
        # A row that needed a larger slack may cost more than the proof allows.
        if status == "optimal" and cost > bound * (1 + 2 * GAP) + SLACK:
            status = "open"
        return Optimum(status, cost, row, min(bound, cost), self._n_changes(row))

    def _solve(self, objective):
        """Return the status, the row and the lower bound of an objective."""
        bound = 0.0
        for _ in range(_MOST_ROUNDS):
            seconds = self.deadline - time.monotonic()
            if seconds <= 0:
                break
            result = self.program.minimize(objective, seconds)
            is_proof = self.slack == SLACK
            # A program with an infinite coefficient has the same status, but another message.
            if result.status == 2 and "infeasible" in result.message.lower():
                return ("impossible", None, np.inf) if is_proof else ("open", None, bound)
            # A larger slack than the usual one proves nothing.
            if is_proof:
                bound = max(bound, _bound_of(result))
            # At the time limit, the solver returns the best solution so far, if there is one.
            if result.x is None:
                break
            row = self._row(result.x)
            if self._violation(row) <= 0:
                return "optimal" if result.status == 0 else "open", row, bound
            self._cut(row, result.x)
        return "open", None, bound

    def _row(self, values):
        """Return the row of a solution, within its bounds."""
        levels = values[: len(self.levers.upper)]
        levels = np.where(self.levers.is_integer, np.round(levels), levels)
        # A variable that counts changes is 0 up to the solver's tolerance, and so are its levers.
        if self.counts is not None:
            is_changed = dict(zip(*self._counted(values), strict=True))
            levels = levels * [is_changed[feature] for feature in self.levers.feature.tolist()]
        levels = np.clip(np.where(levels > ZERO, levels, 0), 0, self.levers.upper)
        row = self.factual + self.levers.moves @ levels
        return np.clip(row, as_row(self.box.lower), as_row(self.box.upper))

    def _counted(self, values):
        """Return the features that levers move, and whether a solution counts each as changed."""
        idx = np.flatnonzero(self.counts)
        return np.unique(self.levers.feature).tolist(), values[idx] > 0.5

    def _differences(self, row):
        """Return the module's differences between the other logits and the target's."""
        with torch.no_grad():
            logits = self.judge(torch.as_tensor(row)[None])[0].numpy()
        return np.delete(logits - logits[self.target], self.target)

    def _violation(self, row):
        """Return by how much a row falls short; at most 0 if the module accepts it."""
        differences = self._differences(row)
        # Below a tau of one half, the target must be the predicted class, too.
        return max(logsumexp(differences) - self.threshold, differences.max())

    def _require_each(self):
        """Add the rows that each of the other classes must satisfy on its own."""
        most = min(self.threshold, 0.0) - self.slack
        self.program.add_rows(self.slopes, -np.inf, most - self.constants)

    def _cut(self, row, values):
        """Cut off a row that the module rejects."""
        claimed = self.constants + self.slopes @ values[: self.slopes.shape[1]]
        # If the program's own logits reach the target, the solver's tolerance is the cause.
        if logsumexp(claimed) <= self.threshold - self.slack / 2:
            self.slack *= 10
            self._require_each()
        # The tangent at the row contains the convex set of the logits that reach the target.
        differences = self._differences(row)
        shares = softmax(differences)
        constant = logsumexp(differences) + shares @ (self.constants - differences)
        most = self.threshold - self.slack - constant
        self.program.add_rows((shares @ self.slopes)[None], -np.inf, most)

    def _n_changes(self, row):
        """Return the number of changed features of a row."""
        is_moved = row != self.factual
        groups = self.box.groups
        in_groups = sum(is_moved[columns].any() for columns in groups.slices)
        return int(is_moved[: groups.n_numeric].sum() + in_groups)


def _bound_of(result):
    """Return the solver's lower bound of the objective."""
    if result.mip_dual_bound is not None:
        return result.mip_dual_bound
    # A program without integers has no such bound: its solution is exact.
    return result.fun if result.status == 0 else 0.0
