"""Moves that lower the price of valid items: shrink, put back, switch categories, and jump."""

import torch

from ctsk.generators.nearest.descent import LEAST_GAIN, best_categories, buy, descend
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
    numbers = slice(problem.n_numeric)
    origins, ends = items.factuals[:, numbers], items.states[:, numbers]
    if problem.has_gaps:
        # A factual outside its domain is approached up to the bound of the domain.
        low, high = items.low[:, numbers], items.high[:, numbers]
        inside = torch.minimum(torch.maximum(origins, low), high)
        origins = torch.where(ends == origins, origins, inside)
    moves = ends - origins

    def at(shares):
        states = items.states.clone()
        states[:, numbers] = origins + shares[:, None] * moves
        # While a number is missing or special, it has no amount that could shrink.
        return problem.settle(items, states)

    least, most = items.states.new_zeros(len(items)), items.states.new_ones(len(items))
    if problem.n_numeric:
        most = _halved(problem, items, at, moves.abs().amax(dim=1), is_valid)
    for _ in range(n_rounds):
        middle = (least + most) / 2
        passes = problem.margins(items, at(middle)) >= 0
        most, least = torch.where(passes, middle, most), torch.where(passes, least, middle)
    # Where no trial has passed, the sum could differ from the state by a rounding error.
    return items.where(is_valid & (most < 1), at(most))


def _halved(problem, items, at, lengths, is_valid):
    """Return the shares of the moves of items that are left after halving those that are long.

    Without a bound, a number can be so far away that a bisection of a few rounds ends far away.
    """
    shares = torch.ones_like(lengths)
    is_long = is_valid & (lengths > _LONG)
    while is_long.any():
        halves = torch.where(is_long, shares / 2, shares)
        is_long &= problem.margins(items, at(halves)) >= 0
        shares = torch.where(is_long, halves, shares)
        is_long &= shares * lengths > _LONG
    return shares


def put_back(problem, items, is_valid, floors=0.0):
    """Return features to the factual's values, the dearest first, if items stay valid.

    `floors` are the margins that have to remain; Tensor of shape (n_items,) or 0.
    """
    floors = items.states.new_zeros(len(items)) + floors
    prices = problem.prices_of_units(items, items.states)
    order = prices.argsort(dim=1, descending=True)
    for pick in order.T[:_MOST_PUT_BACK]:
        is_priced = prices.gather(1, pick[:, None])[:, 0] > 0
        idx = (is_priced & is_valid).nonzero()[:, 0]
        if not len(idx):
            break
        part = items.select(idx)
        trials = torch.where(problem.units == pick[idx, None], part.factuals, part.states)
        passes = problem.margins(part, trials) >= floors[idx]
        items = items.put(idx[passes], trials[passes])
    return items


def switch(problem, items, is_valid, n_rounds, progress):
    """Exchange categories, for the factual's and for the best one by the gradient."""
    for _ in progress.rounds(n_rounds if problem.slices else 0):
        for columns in problem.slices:
            states = items.states.clone()
            states[:, columns] = items.factuals[:, columns]
            changed = (items.states != states).any(dim=1)
            backward = states, changed & is_valid
            _, slopes = problem.slopes(items)
            gains, choices = best_categories(problem, items, slopes, columns)
            states = items.states.clone()
            states[:, columns] = one_hot(choices, columns, states)
            forward = states, (gains > LEAST_GAIN) & is_valid
            for candidates, mask in (backward, forward):
                items = _with_switched(problem, items, candidates, mask)
        progress.record(items, is_valid, problem.prices(items))
    return items


def _with_switched(problem, items, candidates, mask):
    """Return the items, at candidates where these are cheaper after the numbers have paid."""
    idx = mask.nonzero()[:, 0]
    if not len(idx):
        return items
    part = items.select(idx)
    part = part.at(problem.settle(part, candidates[idx]))
    for _ in range(2 if problem.n_numeric else 0):
        margins, slopes = problem.slopes(part)
        part = part.at(buy(problem, part, margins, slopes, 3.0, surplus=1e-4))
    is_promising = problem.prices(part) < problem.prices(items)[idx] + _MOST_ABOVE
    return _with_cheaper(problem, items, idx, part, is_promising)


def _with_cheaper(problem, items, idx, part, is_promising, n_rounds=4):
    """Return the items, at the states of a part that are valid and cheaper after a descent."""
    kept = (is_promising & (problem.margins(part) >= 0)).nonzero()[:, 0]
    idx, part = idx[kept], part.select(kept)
    everything = torch.ones_like(kept, dtype=torch.bool)
    part = descend(problem, part, everything, n_rounds, radius=0.5)
    is_cheaper = problem.prices(part) < problem.prices(items)[idx] - LEAST_GAIN
    return items.put(idx[is_cheaper], part.states[is_cheaper])


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
    margins, slopes = problem.slopes(items)
    rates = _dearest_rates(problem, items, slopes)

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


def _dearest_rates(problem, items, slopes):
    """Return the margin per price of the number that gives back the least for its price."""
    numbers = slice(problem.n_numeric)
    is_moved = (items.states != items.factuals)[:, numbers]
    rates = slopes[:, numbers].abs() / items.costs[..., numbers].clamp(min=LEAST_COST)
    dearest = torch.where(is_moved, rates, torch.inf).amin(dim=1)
    # Without a moved number, every gain is promising.
    return torch.where(dearest.isfinite(), dearest, 0.0).clamp(min=1e-3)


def prune(problem, items, is_valid, n_kept, n_changes=None):
    """Return the best valid items of each row, the best one first, and their validity.

    The items of a row are next to each other, equally many for each row. Items that are not
    valid come last, those of the highest probability first.

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
    return items.select(idx), is_valid[idx]
