"""Moves that lower the price of valid items: shrink, put back, switch categories, and jump."""

import torch

from ctsk.generators.nearest.descent import LEAST_GAIN, best_categories, buy, descend
from ctsk.generators.nearest.numbers import Numbers
from ctsk.generators.nearest.problem import LEAST_COST, cheapest_of_each, one_hot
from ctsk.generators.nearest.single_changes import Changes, best_changes

# Length of a move, in module units, that is halved before it is bisected.
_LONG = 16.0
# Features of an item that are put back at most; images have hundreds.
_MOST_PUT_BACK = 20
# A switch of a category may cost this much more before the descent, and a jump this share more
# before its second half.
_MOST_ABOVE, _MOST_RATIO = 0.5, 1.1
# Prices of the moves of a jump, the number of jumps of an item that are tried in a round, and the
# least promise of one.
_JUMPS, _N_JUMPS, _LEAST_PROMISE = (0.5, 1.0, 2.0, 4.0, 8.0), 5, 1e-3


def shrink(problem, items, is_valid, n_rounds=5):
    """Move the numbers of valid items straight toward the factual, by bisection."""
    if not problem.n_numeric:
        return items
    idx = is_valid.nonzero()[:, 0]
    numbers = Numbers.of(problem, items.select(idx))
    # A factual outside its domain is approached up to the bound of the domain.
    origins = torch.minimum(torch.maximum(numbers.factuals, numbers.low), numbers.high)
    moves = numbers.values - origins

    def at(shares):
        return origins + shares[:, None] * moves

    most = _halved(numbers, at, moves.abs().amax(dim=1))
    least = torch.zeros_like(most)
    for _ in range(n_rounds):
        middle = (least + most) / 2
        passes = numbers.margins(at(middle)) >= 0
        most, least = torch.where(passes, middle, most), torch.where(passes, least, middle)
    # Where no trial has passed, the sum could differ from the state by a rounding error.
    has_moved = (most < 1).nonzero()[:, 0]
    return items.put_numbers(idx[has_moved], at(most)[has_moved])


def _halved(numbers, at, lengths):
    """Return the shares of the moves of items that are left after halving those that are long.

    Without a bound, a number can be so far away that a bisection of a few rounds ends far away.
    """
    shares = torch.ones_like(lengths)
    is_long = lengths > _LONG
    while is_long.any():
        halves = torch.where(is_long, shares / 2, shares)
        is_long &= numbers.margins(at(halves)) >= 0
        shares = torch.where(is_long, halves, shares)
        is_long &= shares * lengths > _LONG
    return shares


def put_back(problem, items, is_valid, floors=0.0):
    """Return features to the factual's values, the dearest first, if items stay valid.

    `floors` are the margins that have to remain; Tensor of shape (n_items,) or 0.
    """
    floors = items.states.new_zeros(len(items)) + floors
    prices, states = problem.prices_of_units(items, items.states), items.states.clone()
    order = prices.argsort(dim=1, descending=True)
    # Rows of this table are copied faster than units are compared.
    columns_of = problem.units == torch.arange(prices.shape[1], device=order.device)[:, None]
    for pick in order.T[:_MOST_PUT_BACK]:
        is_priced = prices.gather(1, pick[:, None])[:, 0] > 0
        idx = (is_priced & is_valid).nonzero()[:, 0]
        if not len(idx):
            break
        factuals, present = items.factuals.index_select(0, idx), states.index_select(0, idx)
        trials = torch.where(columns_of.index_select(0, pick[idx]), factuals, present)
        logits = problem.model(trials)
        passes = problem.margins_of(logits, items.targets[idx]) >= floors[idx]
        states[idx[passes]] = trials[passes]
    return items.at(states)


def switch(problem, items, is_valid, n_rounds, progress):
    """Exchange categories, for the factual's and for the best one by the gradient."""
    # An item that has not moved since it tried a group would try the same categories again.
    is_untried = is_valid[:, None].repeat(1, len(problem.slices))
    for number in progress.rounds(n_rounds if problem.slices else 0):
        if number == 0:
            _, slopes = problem.slopes(items)
            shares = problem.prices_of_numbers(items)
        for k, columns in enumerate(problem.slices):
            tries, is_untried[:, k] = is_untried[:, k].clone(), False
            states, factuals = items.states[:, columns], items.factuals[:, columns]
            gains, choices = best_categories(problem, items, slopes, columns)
            forward = one_hot(choices, columns, states), gains > LEAST_GAIN
            backward = factuals, (states != factuals).any(dim=1)
            trials = []
            for categories, is_candidate in (backward, forward):
                added = problem.prices_of_columns(items, columns, categories)
                added -= problem.prices_of_columns(items, columns)
                # At best, the numbers return to where they have no price.
                is_affordable = added < shares - LEAST_GAIN
                idx = (tries & is_candidate & is_affordable).nonzero()[:, 0]
                trials.append((idx, categories[idx]))
            idx, categories = (torch.cat(parts) for parts in zip(*trials, strict=True))
            if not len(idx):
                continue
            items, moved = _with_switched(problem, items, idx, columns, categories)
            is_untried[moved] = True
            part = items.select(moved)
            slopes[moved] = problem.slopes(part)[1]
            shares[moved] = problem.prices_of_numbers(part)
        progress.record(items, is_valid, problem.prices(items))
    return items


def _with_switched(problem, items, idx, columns, categories):
    """Return the items after switches that are cheaper, and the positions of these items.

    Parameters
    ----------
    problem : Problem
    items : Items
    idx : LongTensor of shape (n_trials,)
        Positions of the items that try a switch, some of them twice.
    columns : slice
    categories : Tensor of shape (n_trials, n_categories)

    Returns
    -------
    items : Items
    idx : LongTensor
    """
    part = items.select(idx)
    prices, states = problem.prices(part), part.states.clone()
    states[:, columns] = categories
    part = part.at(problem.settle(part, states))
    numbers = Numbers.of(problem, part)
    for _ in range(2 if problem.n_numeric else 0):
        margins, slopes = numbers.slopes()
        numbers = numbers.at(buy(numbers, margins, slopes, 3.0, surplus=1e-4))
    is_promising = (numbers.margins() >= 0) & (numbers.prices() < prices + _MOST_ABOVE)
    kept = is_promising.nonzero()[:, 0]
    part = part.put_numbers(kept, numbers.values[kept])
    part = descend(problem, part, is_promising, 4, radius=0.5)
    offered = problem.prices(part)
    cheaper = (is_promising & (offered < prices - LEAST_GAIN)).nonzero()[:, 0]
    cheaper = cheaper[cheapest_of_each(idx[cheaper], offered[cheaper])]
    return items.put(idx[cheaper], part.states[cheaper]), idx[cheaper]


def jump(problem, items, is_valid, n_rounds, progress):
    """Move one number far, and let the others give back what it gains.

    A linear model sees one piece of the function only, while a feature often gains most beyond
    the next kinks. The promise of a jump is the margin that it gains, at the price of the
    dearest margin that the item has bought, less its own price.
    """
    active = is_valid.nonzero()[:, 0]
    for _ in progress.rounds(n_rounds if problem.n_numeric else 0):
        part = items.select(active)
        jumped = _jumped(problem, part)
        is_cheaper = problem.prices(jumped) < problem.prices(part) - LEAST_GAIN
        # An item that no jump has improved would try the same ones again.
        active, jumped = active[is_cheaper], jumped.select(is_cheaper.nonzero()[:, 0])
        if not len(active):
            break
        items = items.put(active, jumped.states)
        progress.record(items, is_valid, problem.prices(items))
    return items


def _jumped(problem, items):
    """Return valid items after the best of their most promising jumps, or where they were."""
    numbers = Numbers.of(problem, items)
    margins, slopes = numbers.slopes()
    rates = _dearest_rates(numbers, slopes)

    def promise(reached, added):
        shape = -1, *[1] * (reached.ndim - 1)
        return (reached - margins.view(shape)) / rates.view(shape) - added

    changes = best_changes(problem, items, _JUMPS, promise, numbers_only=True)
    n_tried = min(_N_JUMPS, problem.n_numeric)
    promises, units = changes.scores[:, : problem.n_numeric].topk(n_tried, dim=1)
    positions, rank = (promises > _LEAST_PROMISE).nonzero(as_tuple=True)
    units = units[positions, rank]
    part = items.select(positions)
    chosen = Changes(changes.scores[positions], changes.values[positions])
    part = part.at(chosen.applied(problem, part, units))
    prices = problem.prices(items)
    # First the other numbers give back alone, because a descent of all would undo the jump.
    is_jumped = torch.nn.functional.one_hot(units, problem.n_numeric).bool()
    reached = problem.margins(part) >= 0
    part = descend(problem, part, reached, 4, free=~is_jumped)
    is_promising = reached & (problem.prices(part) < prices[positions] * _MOST_RATIO)
    kept = is_promising.nonzero()[:, 0]
    part, positions = part.select(kept), positions[kept]
    part = descend(problem, part, torch.ones_like(kept, dtype=torch.bool), 4, radius=0.5)
    offered = problem.prices(part)
    best = cheapest_of_each(positions, offered)
    best = best[offered[best] < prices[positions[best]]]
    return items.put(positions[best], part.states[best])


def _dearest_rates(numbers, slopes):
    """Return the margin per price of the number that gives back the least for its price."""
    is_moved = numbers.values != numbers.factuals
    rates = slopes.abs() / numbers.costs.clamp(min=LEAST_COST)
    dearest = torch.where(is_moved, rates, torch.inf).amin(dim=1)
    # Without a moved number, every gain is promising.
    return torch.where(dearest.isfinite(), dearest, 0.0).clamp(min=1e-3)


def competitors(problem, items, is_valid, n_kept):
    """Return which valid items can be among the cheapest of their row after a descent.

    The items of a row are next to each other, equally many for each row. A descent lowers no
    price below that of the categories.
    """
    offered = torch.where(is_valid, problem.prices(items), torch.inf).view(items.n_rows, -1)
    limits = offered.kthvalue(min(n_kept, offered.shape[1]), dim=1).values
    limits = limits.repeat_interleave(offered.shape[1])
    return is_valid & (problem.prices_of_categories(items) <= limits)


def prune(problem, items, is_valid, n_kept, n_changes=None):
    """Return the best valid items of each row, the best one first, and their validity.

    The items of a row are next to each other, equally many for each row. Items that are not
    valid come last, those of the highest probability first. An item that is equal to a better
    one of its row is not valid, because both would lead to the same result.

    Parameters
    ----------
    problem : Problem
    items : Items
    is_valid : BoolTensor of shape (n_items,)
    n_kept : int
    n_changes : LongTensor of shape (n_items,), default=None
        Numbers of changed features, which count before the prices; None ignores them.

    Returns
    -------
    items : Items
    is_valid : BoolTensor
    """
    n_rows = items.n_rows
    prices, classes = problem.prices(items), torch.zeros_like(items.rows)
    if n_changes is not None:
        classes = n_changes
    if not is_valid.all():
        prices = torch.where(is_valid, prices, -problem.margins(items))
        # No item changes as many features as there are columns, plus one.
        classes = torch.where(is_valid, classes, items.states.shape[1] + 1)
    order = prices.view(n_rows, -1).argsort(dim=1, stable=True)
    # A stable sort by class keeps the order by price within each class.
    classes = classes.view(n_rows, -1).gather(1, order)
    best = order.gather(1, classes.argsort(dim=1, stable=True))[:, :n_kept]
    firsts = torch.arange(n_rows, device=best.device)[:, None] * order.shape[1]
    idx = (firsts + best).flatten()
    items = items.select(idx)
    return items, is_valid[idx] & ~_are_repeated(items)


def _are_repeated(items):
    """Return which items are equal to an earlier one of their row."""
    states = items.states.view(items.n_rows, -1, items.states.shape[1])
    are_repeated = [
        (states[:, :rank] == states[:, [rank]]).all(dim=2).any(dim=1)
        for rank in range(states.shape[1])
    ]
    return torch.stack(are_repeated, dim=1).flatten()
