"""Numbers on the grids of their columns, one column after another."""

import torch

from ctsk.generators.nearest.descent import LEAST_GAIN, buy, descend
from ctsk.generators.nearest.numbers import Numbers
from ctsk.generators.nearest.problem import LEAST_COST, ROUNDING

# Distance to a grid number, in steps, up to which a number is that number.
_TOLERANCE = 1e-3
# Margin that numbers which pay for a rounded one have to reach, so that rounding errors of the
# search do not count.
_SURPLUS = 2e-4
# Rounds of the repair by whole steps, and steps of a number in one of them.
_N_REPAIRS, _MOST_STEPS = 12, 50


def on_grid(box, factuals):
    """Return the bounds of values that move, on the grids of their columns.

    Parameters
    ----------
    box : Box
    factuals : Tensor of shape (n_rows, n_columns)

    Returns
    -------
    low, high : Tensor of shape (n_rows, n_columns)
        Equal to the factual's value where the bounds hold no number of the grid.
    """
    low, high = box.lower, box.upper
    if box.low is not None:
        # A column that is held is a point in the bounds of the search only. If it belongs to an
        # unknown category, of which it is a share, it cannot be reached.
        is_held, held = low == high, factuals.clone()
        held[:, box.groups.n_numeric :] = (factuals == 1)[:, box.groups.n_numeric :].to(factuals)
        low, high = (torch.where(is_held, held, bound) for bound in (box.low, box.high))
    if box.spacing is None:
        return low, high
    has_grid = (box.spacing > 0) & (low < high)
    steps = torch.where(box.spacing > 0, box.spacing, 1.0)
    first = box.origin + torch.ceil((low - box.origin) / steps - _TOLERANCE) * steps
    last = box.origin + torch.floor((high - box.origin) / steps + _TOLERANCE) * steps
    is_empty = first > last
    # The bounds themselves stay exact where they are grid numbers.
    first = torch.where(is_empty, factuals, torch.maximum(first, low))
    last = torch.where(is_empty, factuals, torch.minimum(last, high))
    return torch.where(has_grid, first, low), torch.where(has_grid, last, high)


def nearest_on_grid(problem, states):
    """Return states in which each number is the nearest one of its grid, if it has one."""
    if problem.spacing is None:
        return states
    steps = torch.where(problem.spacing > 0, problem.spacing, 1.0)
    rounded = problem.origin + ((states - problem.origin) / steps).round() * steps
    return torch.where(problem.spacing > 0, rounded, states)


def round_to_grid(problem, items, is_valid, free=None):
    """Round the numbers of valid items to their grids.

    The column of the coarsest grid comes first, because the columns that are still free can
    pay for what rounding costs, or give back what it gains. Each number goes to the grid number
    toward the factual or to the one away from it, whichever is cheaper in the end.

    Parameters
    ----------
    problem : Problem
    items : Items
    is_valid : BoolTensor of shape (n_items,)
        Items that are not valid stay where they are.
    free : BoolTensor of shape (n_items, n_numeric), default=None
        Numbers that may move; None frees all of them.

    Returns
    -------
    items : Items
    is_valid : BoolTensor of shape (n_items,)
        Whether they are still valid.
    """
    n_numeric = problem.n_numeric
    spacing = problem.spacing[:n_numeric]
    if free is None:
        free = torch.ones(len(items), n_numeric, dtype=torch.bool, device=spacing.device)
    may_repair, free = free & (spacing > 0), free.clone()
    # Costs may differ between items, and so may the order.
    coarseness = spacing * items.costs[..., :n_numeric].clamp(min=LEAST_COST)
    order = coarseness.expand(len(items), -1).argsort(dim=1, descending=True, stable=True)
    # Columns without a grid come last.
    order = order[:, : int((spacing > 0).sum())]
    for columns in order.T:
        free = free.scatter(1, columns[:, None], False)
        items = _with_number_on_grid(problem, items, is_valid, columns, free)
    items = _repaired(problem, items, is_valid, may_repair)
    for columns in order.T:
        # Half of the way first, then a single step.
        for share in (0.5, 0.0):
            items = _closer_to_factual(problem, items, is_valid, columns, share)
    is_valid = is_valid & (problem.margins(items) >= -ROUNDING)
    return descend(problem, items, is_valid, 4, radius=0.5, free=free), is_valid


def _with_number_on_grid(problem, items, is_valid, columns, free):
    """Return the items, of each of which one number is on its grid."""
    (numbers,) = _of_columns(columns, items.states)
    origin, steps = problem.origin[columns], problem.spacing[columns]
    counts = (numbers - origin) / steps
    is_off = (counts - counts.round()).abs() > _TOLERANCE
    is_moved = numbers != _of_columns(columns, items.factuals)[0]
    idx = (is_off & is_moved & is_valid).nonzero()[:, 0]
    if not len(idx):
        return items
    part, columns, free = items.select(idx), columns[idx], free[idx]
    numbers, factuals, low, high = _of_columns(
        columns, part.states, part.factuals, part.low, part.high
    )
    below = origin[idx] + counts[idx].floor() * steps[idx]
    above = below + steps[idx]
    rises = numbers > factuals
    toward, away = torch.where(rises, below, above), torch.where(rises, above, below)
    # A factual off the grid lies between two grid numbers: what does not reach one stays.
    passes_factual = torch.where(rises, toward < factuals, toward > factuals)
    toward = torch.where(passes_factual, factuals, toward)

    # A grid number at a bound may exceed it by a rounding error.
    rounded = torch.minimum(torch.maximum(torch.stack([toward, away]), low), high)
    rounded = torch.where(torch.stack([toward, away]) == factuals, factuals, rounded).flatten()
    # Both numbers are tried at once, because most of the time is that of calls, not of numbers.
    both = torch.arange(len(idx), device=idx.device).repeat(2)
    trials = _at_numbers(problem, part.select(both), columns[both], rounded)
    trials, are_valid = _paid_for(problem, trials, free[both])
    nearer_is_valid, farther_is_valid = are_valid.view(2, -1)
    nearer_price, farther_price = problem.prices(trials).view(2, -1)
    # If neither is valid, the number that is farther away has more margin.
    takes_nearer = nearer_is_valid & ((nearer_price < farther_price) | ~farther_is_valid)
    nearer, farther = trials.states.view(2, len(idx), -1)
    return items.put(idx, torch.where(takes_nearer[:, None], nearer, farther))


def _paid_for(problem, items, free):
    """Return items after free numbers have paid for a rounded one, and their validity."""
    numbers = Numbers.of(problem, items, free)
    for _ in range(2):
        margins, slopes = numbers.slopes()
        numbers = numbers.at(buy(numbers, margins, slopes, 3.0, surplus=_SURPLUS))
    is_valid = numbers.margins() >= 0
    everything = torch.arange(len(items), device=items.rows.device)
    items = items.put_numbers(everything, numbers.values)
    return descend(problem, items, is_valid, 3, radius=0.5, free=free), is_valid


def _repaired(problem, items, is_valid, may_move):
    """Return items of which whole steps pay for the margin that rounding has cost."""
    numbers = slice(problem.n_numeric)
    steps, costs = problem.spacing[numbers], items.costs[..., numbers].clamp(min=LEAST_COST)
    steps = torch.where(steps > 0, steps, 1.0)
    for _ in range(_N_REPAIRS):
        margins, slopes = Numbers.of(problem, items).slopes()
        is_short = is_valid & (margins < -ROUNDING)
        if not is_short.any():
            break
        missing = -margins[:, None]
        low, high = problem.bounds(items)
        states = items.states[:, numbers]
        room = torch.where(slopes > 0, high - states, states - low) / steps
        room = torch.floor(room + _TOLERANCE)
        per_step = slopes.abs() * steps
        # Far steps are beyond what a gradient knows.
        n_steps = torch.ceil(missing / per_step.clamp(min=1e-9)).clamp(1, _MOST_STEPS)
        n_steps = torch.minimum(n_steps, room)
        rates = torch.minimum(per_step * n_steps, missing) / (costs * steps * n_steps)
        rates = torch.where(may_move & (room >= 1), rates, -torch.inf)
        best, columns = rates.max(dim=1)
        idx = (is_short & (best > 0)).nonzero()[:, 0]
        part, columns = items.select(idx), columns[idx]
        moves = (slopes.sign() * n_steps * steps)[idx].gather(1, columns[:, None])[:, 0]
        (present,) = _of_columns(columns, part.states)
        repaired = _at_numbers(problem, part, columns, present + moves)
        items = items.put(idx, repaired.states)
    return items


def _closer_to_factual(problem, items, is_valid, columns, share):
    """Return items of which one number has gone back, if that keeps them valid.

    It goes a share of the way to the factual, rounded down to whole steps, but one step at least.
    """
    numbers, factuals, low, high = _of_columns(
        columns, items.states, items.factuals, items.low, items.high
    )
    moves, steps = numbers - factuals, problem.spacing[columns]
    counts = torch.floor(moves.abs() * share / steps).clamp(min=1)
    back = numbers - moves.sign() * counts * steps
    # Close to the factual, it is the factual, whose digits the search has kept.
    back = torch.where((back - factuals).abs() <= _TOLERANCE * steps, factuals, back)
    is_past = (back - factuals) * moves.sign() < 0
    tolerance = _TOLERANCE * steps
    is_inside = (back >= low - tolerance) & (back <= high + tolerance)
    back = torch.minimum(torch.maximum(back, low), high)
    idx = (is_valid & is_inside & ~is_past & (moves != 0)).nonzero()[:, 0]
    if not len(idx):
        return items
    part = items.select(idx)
    trials = _at_numbers(problem, part, columns[idx], back[idx])
    passes = problem.margins(trials) >= 0
    passes &= problem.prices(trials) < problem.prices(part) - LEAST_GAIN
    return items.put(idx[passes], trials.states[passes])


def _of_columns(columns, *values):
    """Return the entry of one column of each item, for each of some values of the items."""
    return [value.gather(1, columns[:, None])[:, 0] for value in values]


def _at_numbers(problem, items, columns, numbers):
    """Return the items, of each of which one number has changed."""
    states = items.states.scatter(1, columns[:, None], numbers[:, None])
    # A missing or special number has a place on no grid and keeps its own.
    return items.at(problem.settle(items, states))
