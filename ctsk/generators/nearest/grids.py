"""Numbers on the grids of their columns, one column after another."""

import torch

from ctsk.generators.nearest.descent import LEAST_GAIN, buy, descend

# Distance to a grid number, in steps, up to which a number is that number.
_TOLERANCE = 1e-3
# Margin that numbers which pay for a rounded one have to reach, so that rounding errors of the
# search do not count.
_SURPLUS = 2e-4


def on_grid(box, factuals):
    """Return the bounds of what moves, on the grids of their columns.

    Parameters
    ----------
    box : Box
    factuals : Tensor of shape (n_rows, n_columns)

    Returns
    -------
    low, high : Tensor of shape (n_rows, n_columns)
        Equal to the factual's value where the bounds hold no number of the grid.
    """
    low, high = (box.lower, box.upper) if box.low is None else (box.low, box.high)
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


def round_to_grid(problem, items, is_valid):
    """Bring the numbers of items to their grids, and return which items are valid then.

    The column of the coarsest grid comes first, because the columns that are still free can
    pay for what rounding costs, or give back what it gains. Each number goes to the grid number
    toward the factual or to the one away from it, whichever is cheaper in the end.
    """
    n_numeric = problem.n_numeric
    spacing = problem.spacing[:n_numeric]
    costs = items.costs[..., :n_numeric]
    weights = spacing * (costs if costs.ndim == 1 else costs.mean(dim=0))
    order = weights.argsort(descending=True)
    free = torch.ones(len(items), n_numeric, dtype=torch.bool, device=spacing.device)
    for column in order[weights[order] > 0].tolist():
        free[:, column] = False
        items = _with_column_on_grid(problem, items, is_valid, column, free)
    items = _given_back(problem, items, problem.margins(items) >= 0, order)
    is_valid = is_valid & (problem.margins(items) >= 0)
    return descend(problem, items, is_valid, 4, radius=0.5, free=free), is_valid


def _with_column_on_grid(problem, items, is_valid, column, free):
    """Return the items, of which one number is on its grid."""
    steps = problem.spacing[column]
    numbers, factuals = items.states[:, column], items.factuals[:, column]
    counts = (numbers - problem.origin[column]) / steps
    is_off = (counts - counts.round()).abs() > _TOLERANCE
    idx = (is_off & (numbers != factuals) & is_valid).nonzero()[:, 0]
    if not len(idx):
        return items
    part = items.select(idx)
    below = problem.origin[column] + counts[idx].floor() * steps
    above = below + steps
    rises = numbers[idx] > factuals[idx]
    toward, away = torch.where(rises, below, above), torch.where(rises, above, below)
    # A factual off the grid lies between two grid numbers: what does not reach one stays.
    passes_factual = torch.where(rises, toward < factuals[idx], toward > factuals[idx])
    toward = torch.where(passes_factual, factuals[idx], toward)
    low, high = items.low[idx, column], items.high[idx, column]
    best, best_prices = None, None
    for rounded in (away, toward):
        is_inside = ((rounded >= low) & (rounded <= high)) | (rounded == factuals[idx])
        states = part.states.clone()
        states[:, column] = torch.where(is_inside, rounded, factuals[idx])
        trial = part.at(states)
        for _ in range(2):
            margins, slopes = problem.slopes(trial)
            bought = buy(problem, trial, margins, slopes, 3.0, surplus=_SURPLUS, free=free[idx])
            trial = trial.at(bought)
        reached = problem.margins(trial) >= 0
        trial = descend(problem, trial, reached, 3, radius=0.5, free=free[idx])
        # Without a valid one, the number that is farther away has more margin.
        prices = torch.where(reached, problem.prices(trial), torch.inf)
        if best is None:
            best, best_prices = trial, prices
        else:
            is_cheaper = prices < best_prices
            best = best.where(is_cheaper, trial.states)
    return items.put(idx, best.states)


def _given_back(problem, items, is_valid, order):
    """Return items whose gridded numbers are as many steps closer to the factual as they can be."""
    for column in order.tolist():
        steps = problem.spacing[column]
        if steps <= 0:
            continue
        # Half of the way first, then a single step.
        for share in (0.5, 0.0):
            numbers, factuals = items.states[:, column], items.factuals[:, column]
            moves = numbers - factuals
            counts = torch.floor(moves.abs() * share / steps).clamp(min=1)
            back = numbers - moves.sign() * counts * steps
            is_past = (back - factuals) * moves.sign() < -_TOLERANCE * steps
            is_gap = (back < items.low[:, column]) | (back > items.high[:, column])
            idx = (is_valid & ~is_past & ~is_gap & (moves.abs() > _TOLERANCE * steps)).nonzero()[
                :, 0
            ]
            if not len(idx):
                continue
            part = items.select(idx)
            # Close to the factual, it is the factual, whose digits the search has kept.
            is_factual = (back[idx] - factuals[idx]).abs() <= _TOLERANCE * steps
            states = part.states.clone()
            states[:, column] = torch.where(is_factual, factuals[idx], back[idx])
            passes = problem.margins(part, states) >= 0
            passes &= problem.prices(part, states) < problem.prices(part) - LEAST_GAIN
            items = items.put(idx[passes], states[passes])
    return items
