"""Changes of a single feature, rated by the model itself rather than by its gradient."""

from dataclasses import dataclass

import torch

from ctsk.generators.nearest.problem import one_hot

# Least cost of a unit in the length of a trial step, which must stay finite.
_LEAST_LENGTH_COST = 1e-3
# Hidden units that are computed at once, which bounds the memory.
_MAX_ENTRIES = 2**22
# Prices of the moves that a climb tries; the last one leads to the bound.
_CLIMBED = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 1e6)
# Shortest move that counts as a change.
LEAST_MOVE = 1e-6


@dataclass(frozen=True)
class Changes:
    """The best single change of each feature, for each item.

    Parameters
    ----------
    scores : Tensor of shape (n_items, n_units)
        -inf where a feature cannot change.
    values : Tensor of shape (n_items, n_units)
        The value of a number, or the position of a category in its group.
    """

    scores: torch.Tensor
    values: torch.Tensor

    def applied(self, problem, items, units):
        """Return the states after the change of one feature of each item.

        Parameters
        ----------
        problem : Problem
        items : Items
        units : LongTensor of shape (n_items,)
        """
        states = items.states.clone()
        values = self.values.gather(1, units[:, None])[:, 0]
        possible = self.scores.gather(1, units[:, None])[:, 0] > -torch.inf
        numbers = (possible & (units < problem.n_numeric)).nonzero()[:, 0]
        states[numbers, units[numbers]] = values[numbers]
        for k, columns in enumerate(problem.slices, start=problem.n_numeric):
            idx = (possible & (units == k)).nonzero()[:, 0]
            if len(idx):
                states[idx, columns] = one_hot(values[idx].long(), columns, states)
        return problem.settle(items, states)


def best_changes(problem, items, distances, score, *, numbers_only=False):
    """Return the best single change of each feature.

    Parameters
    ----------
    problem : Problem
    items : Items
    distances : sequence of float
        Prices of the moves of a number that are tried, in both directions.
    score : callable
        Maps the margins after changes, and the prices that they add, to scores; all of shape
        (n_items, ...).
    numbers_only : bool, default=False

    Returns
    -------
    changes : Changes
    """
    n_numeric, states = problem.n_numeric, items.states
    shape = len(items), n_numeric + len(problem.slices)
    changes = Changes(states.new_full(shape, -torch.inf), states.new_zeros(shape))
    # Not every module can evaluate a batch without rows.
    if not len(items):
        return changes
    outputs = problem.first_layer(states)
    n_trials = 2 * len(distances)
    n_at_once = max(1, _MAX_ENTRIES // (len(items) * n_trials * outputs.shape[1]))
    movable = _movable_numbers(problem, items)
    # Without a column, split would return one empty part, which not every module can evaluate.
    for columns in movable.split(n_at_once) if len(movable) else ():
        _enter_numbers(problem, items, outputs, distances, score, columns, changes)
    if not numbers_only:
        for k, columns in enumerate(problem.slices):
            _enter_categories(problem, items, outputs, score, k, columns, changes)
    return changes


def _movable_numbers(problem, items):
    """Return the numeric columns that any item can move."""
    low, high = problem.bounds(items, enters=True)
    numbers = items.states[:, : problem.n_numeric]
    return ((low < numbers) | (numbers < high)).any(dim=0).nonzero()[:, 0]


def _enter_numbers(problem, items, outputs, distances, score, columns, changes):
    """Enter the best changes of some numbers."""
    steps = outputs.new_tensor([sign * d for d in distances for sign in (1.0, -1.0)])
    costs = items.costs[..., columns]
    low, high = (bound[:, columns, None] for bound in problem.bounds(items, enters=True))
    numbers = items.states[:, columns, None]
    trials = numbers + steps / costs.clamp(min=_LEAST_LENGTH_COST)[..., None]
    trials = torch.minimum(torch.maximum(trials, low), high)
    moves = trials - numbers
    weights = problem.weights_of(columns, outputs)[:, None]
    changed = torch.addcmul(outputs[:, None, None], moves[..., None], weights)
    margins = _margins(problem, items, changed)
    scores = score(margins, _added_prices(problem, items, trials, numbers, columns))
    scores = torch.where(moves.abs() > LEAST_MOVE, scores, -torch.inf)
    best, trial = scores.max(dim=2)
    changes.scores[:, columns] = best
    changes.values[:, columns] = trials.gather(2, trial[..., None])[..., 0]


def _added_prices(problem, items, trials, numbers, columns):
    """Return what moves of numbers add to the prices of their items."""
    factuals = items.factuals[:, columns, None]
    added = (trials - factuals).abs() - (numbers - factuals).abs()
    if items.prototypes is not None:
        prototypes = items.prototypes[:, columns, None]
        distances = (trials - prototypes).abs() - (numbers - prototypes).abs()
        added = added + problem.lambda_data * distances
    return added * items.costs[..., columns, None]


def _enter_categories(problem, items, outputs, score, group, columns, changes):
    """Enter the best change of a category."""
    reachable = problem.reachable(items, columns)
    if not reachable.any():
        return
    states, costs = items.states[:, columns], items.costs[..., columns]
    weights = problem.weights_of(columns, outputs)
    changed = (outputs - states @ weights)[:, None] + weights
    margins = _margins(problem, items, changed)

    def prices_to(points):
        """Return the weighted distance of each category, and of the state, to some points."""
        points = points[:, columns]
        # Of a sum over a group, only the term of the category itself differs.
        others = (costs * points).sum(dim=1, keepdim=True)
        to_options = others + costs * (1 - 2 * points)
        return to_options - (costs * (states - points).abs()).sum(dim=1, keepdim=True)

    added = prices_to(items.factuals)
    if items.prototypes is not None:
        added = added + problem.lambda_data * prices_to(items.prototypes)
    scores = torch.where(reachable, score(margins, added), -torch.inf)
    unit = problem.n_numeric + group
    changes.scores[:, unit], category = scores.max(dim=1)
    changes.values[:, unit] = category.to(outputs)


def _margins(problem, items, outputs):
    """Return the margins for outputs of the first layer, shape (n_items, ..., n_outputs)."""
    return problem.margins_at(outputs.flatten(0, -2), items.targets).view(outputs.shape[:-1])


def climb(problem, items, n_rounds, progress):
    """Take the single change that raises the margin most, again and again, until it is valid.

    Unlike a gradient, a single change sees beyond flat regions and saturated units.
    """
    is_stuck = torch.zeros(len(items), dtype=torch.bool, device=items.rows.device)
    for _ in progress.rounds(n_rounds):
        margins = problem.margins(items)
        live = ((margins < 0) & ~is_stuck).nonzero()[:, 0]
        if not len(live):
            break
        part, present = items.select(live), margins[live]
        changes = best_changes(problem, part, _CLIMBED, lambda reached, _: reached)
        best, units = changes.scores.max(dim=1)
        rises = best > present + LEAST_MOVE
        is_stuck[live[~rises]] = True
        idx = live[rises]
        states = changes.applied(problem, part, units)[rises]
        items = items.put(idx, states)
    return items
