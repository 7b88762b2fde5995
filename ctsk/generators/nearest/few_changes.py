"""Counterfactuals that change few features."""

import torch

from ctsk.generators.nearest.descent import buy, descend
from ctsk.generators.nearest.moves import shrink
from ctsk.generators.nearest.numbers import Numbers
from ctsk.generators.nearest.problem import ROUNDING, Items
from ctsk.generators.nearest.single_changes import best_changes

# Prices of the moves between which the first crossing of the decision boundary is sought.
_SCANNED = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 1e6)
_N_BISECTIONS = 12


def count_changes(problem, items):
    """Return the number of changed features of each item."""
    return changed_units(problem, items).sum(dim=1)


def changed_units(problem, items):
    """Return which features of each item differ from the factual's, (n_items, n_units).

    However short a move is, it counts, because a user would see it.
    """
    return problem.per_unit((items.states != items.factuals).to(items.states)) > 0


def changed_numbers(problem, items):
    """Return which numbers of each item differ from the factual's, (n_items, n_numeric)."""
    return (items.states != items.factuals)[:, : problem.n_numeric]


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
    return shrink(problem, items, is_valid, _N_BISECTIONS), is_valid


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
        changed = changed_units(problem, items)
        prices = problem.prices_of_units(items, items.states)
        # Features without a change come last.
        order = torch.where(changed, prices, torch.inf).argsort(dim=1)
        for pick in order.T:
            is_changed = changed.gather(1, pick[:, None])[:, 0]
            many = count_changes(problem, items) > at_most
            idx = (is_valid & is_changed & many).nonzero()[:, 0]
            if not len(idx):
                break
            items = _without(problem, items, idx, pick[idx])
    free = changed_numbers(problem, items)
    return descend(problem, items, is_valid, 8, radius=0.5, free=free)


def _without(problem, items, idx, units):
    """Return the items without the change of one feature each, where the others can pay for it."""
    part = items.select(idx)
    states = torch.where(problem.units == units[:, None], part.factuals, part.states)
    part = part.at(states)
    numbers = Numbers.of(problem, part, changed_numbers(problem, part))
    for _ in range(4 if problem.n_numeric else 0):
        margins, slopes = numbers.slopes()
        is_short = margins[:, None] < 0
        if not is_short.any():
            break
        bought = buy(numbers, margins, slopes, 4.0, surplus=1e-3)
        numbers = numbers.at(torch.where(is_short, bought, numbers.values))
    passes = (numbers.margins() >= 0).nonzero()[:, 0]
    states[:, : problem.n_numeric] = numbers.values
    return items.put(idx[passes], states[passes])


def with_few_changes(problem, items, is_valid, *, at_most, fewest):
    """Add candidates with few changes to the items of each row.

    The candidates are the items, thinned out, and the cheapest single change.

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
        Items of too many changes are valid as well, because rounding to a grid may undo some.
    """
    n_rows = items.n_rows
    first = torch.arange(0, len(items), len(items) // n_rows, device=items.rows.device)
    factuals = items.select(first)
    factuals = factuals.at(factuals.factuals)
    single, single_is_valid = one_change(problem, factuals)
    thinned = thin_out(problem, items, is_valid, 1 if fewest else at_most)
    parts = [items, thinned, single]
    masks = [is_valid, problem.margins(thinned) >= -ROUNDING, single_is_valid]
    is_valid = torch.cat([mask.view(n_rows, -1) for mask in masks], dim=1).flatten()
    return Items.interleaved(parts), is_valid
