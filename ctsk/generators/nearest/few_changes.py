"""Counterfactuals that change few features."""

import torch

from ctsk.generators.nearest.descent import buy, descend
from ctsk.generators.nearest.problem import Items
from ctsk.generators.nearest.single_changes import LEAST_MOVE, best_changes

# Prices of the moves between which the first crossing of the decision boundary is sought.
_SCANNED = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 1e6)
_N_BISECTIONS = 12
# A price beyond those of all changes of a row, so that one change less is worth any price.
PRICE_OF_A_CHANGE = 1e4


def count_changes(problem, items):
    """Return the number of changed features of each item."""
    changed = ((items.states - items.factuals).abs() > LEAST_MOVE).to(items.states)
    n_units = problem.n_numeric + len(problem.slices)
    per_unit = changed.new_zeros(len(items), n_units)
    per_unit.index_add_(1, problem.units.to(changed.device), changed)
    return (per_unit > 0).sum(dim=1)


def one_change(problem, factuals):
    """Return the factuals after the cheapest single change that is valid, where there is one.

    A number goes to the first crossing among a few distances, which bisection then refines.
    """

    def cheapest(reached, added):
        return torch.where(reached >= 0, -added, -torch.inf)

    changes = best_changes(problem, factuals, _SCANNED, cheapest)
    _, unit = changes.scores.max(dim=1)
    items = factuals.at(changes.applied(problem, factuals, unit))
    is_valid = problem.margins(items) >= 0
    numbers = (unit < problem.n_numeric) & is_valid
    least, most = torch.zeros_like(changes.scores[:, 0]), torch.ones_like(changes.scores[:, 0])
    low, high = factuals.low, factuals.high
    moves = items.states - items.factuals
    for _ in range(_N_BISECTIONS):
        middle = (least + most) / 2
        trials = items.factuals + middle[:, None] * moves
        # A number between the factual and its domain is no counterfactual.
        is_inside = ((trials >= low) & (trials <= high)) | (trials == items.factuals)
        passes = (problem.margins(items, trials) >= 0) & is_inside.all(dim=1)
        most, least = torch.where(passes, middle, most), torch.where(passes, least, middle)
    return items.where(numbers, items.factuals + most[:, None] * moves), is_valid


def thin_out(problem, items, is_valid, at_most):
    """Drop changed features, the cheapest first, while the others can pay for them.

    Parameters
    ----------
    problem : Problem
    items : Items
    is_valid : BoolTensor of shape (n_items,)
    at_most : int
        Number of changes at which an item has few enough.

    Returns
    -------
    items : Items
        After a descent of the features that remain.
    """
    for _ in range(2):
        prices = problem.prices_of_units(items, items.states)
        order = torch.where(prices > LEAST_MOVE, prices, torch.inf).argsort(dim=1)
        for pick in order.T:
            is_priced = prices.gather(1, pick[:, None])[:, 0] > LEAST_MOVE
            many = count_changes(problem, items) > at_most
            idx = (is_valid & is_priced & many).nonzero()[:, 0]
            if not len(idx):
                break
            items = _without(problem, items, idx, pick[idx])
    changed = (items.states - items.factuals).abs() > LEAST_MOVE
    return descend(problem, items, is_valid, 8, radius=0.5, free=changed[:, : problem.n_numeric])


def _without(problem, items, idx, units):
    """Return the items without the change of one feature each, where the others can pay for it."""
    part = items.select(idx)
    columns = problem.units.to(units.device)
    states = torch.where(columns == units[:, None], part.factuals, part.states)
    part = part.at(states)
    free = ((states - part.factuals).abs() > LEAST_MOVE)[:, : problem.n_numeric]
    for _ in range(4 if problem.n_numeric else 0):
        margins, slopes = problem.slopes(part)
        is_short = margins < 0
        if not is_short.any():
            break
        bought = buy(problem, part, margins, slopes, 4.0, surplus=1e-3, free=free)
        part = part.where(is_short, bought)
    passes = problem.margins(part) >= 0
    return items.put(idx[passes], part.states[passes])


def with_few_changes(problem, items, is_valid, *, at_most, fewest):
    """Add candidates with few changes to the items of each row.

    Parameters
    ----------
    problem : Problem
    items : Items
        The same number for each row, next to each other. The valid ones are thinned out.
    is_valid : BoolTensor of shape (n_items,)
    at_most : int or None
        Largest number of changes; None sets no limit.
    fewest : bool
        Whether the number of changes counts before the price.

    Returns
    -------
    items : Items
    is_valid : BoolTensor of shape (n_items,)
    penalties : Tensor of shape (n_items,)
        What a ranking of the items by price has to add.
    """
    n_rows = int(items.rows.unique_consecutive().numel())
    first = torch.arange(0, len(items), len(items) // n_rows, device=items.rows.device)
    factuals = items.select(first)
    factuals = factuals.at(factuals.factuals)
    single, single_is_valid = one_change(problem, factuals)
    thinned = thin_out(problem, items, is_valid, 1 if fewest else at_most)
    parts = [items, thinned, single]
    masks = [is_valid, problem.margins(thinned) >= 0, single_is_valid]
    items = Items.interleaved(parts)
    is_valid = torch.cat([mask.view(n_rows, -1) for mask in masks], dim=1).flatten()
    n_changes = count_changes(problem, items)
    if at_most is not None:
        is_valid = is_valid & (n_changes <= at_most)
    penalties = n_changes * PRICE_OF_A_CHANGE if fewest else torch.zeros_like(n_changes)
    return items, is_valid, penalties.to(items.states)
