"""Starts of a nearest search: prototypes, levers, and random points of the box."""

import torch

from ctsk.generators.nearest.problem import Items
from ctsk.generators.nearest.single_changes import best_changes

# If fewer prototypes than this reach tau, those of the highest probability make up for it.
_LEAST_POOL = 8
# Share of a category in a prototype below which the factual's category is kept.
_LEAST_SHARE = 0.05
# Prices of the moves that are tried as levers.
_LEVER_DISTANCES = (0.5, 1.5, 4.0, 12.0)
# Added to the price of a lever, so that a free one does not have an infinite rate.
_LEAST_PRICE = 1e-3
# Largest distance of a random number to the factual, in module units: a domain may be open.
_FAR = 10.0


def pools(problem, factuals, prototypes):
    """Return the prototypes that serve as starts for each target class.

    Returns
    -------
    pools : dict of int to Tensor of shape (n_prototypes, n_columns)
        The prototypes that the model predicts with a probability of at least tau; empty if
        there are no prototypes.
    """
    by_target = {}
    if not len(prototypes):
        return by_target
    for target in factuals.targets.unique().tolist():
        targets = torch.full((len(prototypes),), target, device=prototypes.device)
        margins = problem.margins_of(problem.model(prototypes), targets)
        n_pool = max(int((margins >= 0).sum()), min(_LEAST_POOL, len(prototypes)))
        by_target[target] = prototypes[margins.argsort(descending=True)[:n_pool]]
    return by_target


def nearest_prototypes(problem, factuals, pools, n_nearest):
    """Return the cheapest prototypes of each factual, of shape (n_rows, n_nearest, n_columns).

    They are compared after they are brought inside the box; a small pool is repeated.
    """
    shape = len(factuals), n_nearest, factuals.states.shape[1]
    nearest = factuals.states.new_empty(shape)
    for target, pool in pools.items():
        rows = (factuals.targets == target).nonzero()[:, 0]
        costs = _costs_of_prototypes(problem, factuals.select(rows), pool)
        n_distinct = min(n_nearest, len(pool))
        chosen = costs.topk(n_distinct, dim=1, largest=False).indices
        repeated = torch.arange(n_nearest, device=chosen.device) % n_distinct
        nearest[rows] = pool[chosen[:, repeated]]
    return nearest


def _costs_of_prototypes(problem, factuals, pool):
    """Return the cost at which each row reaches each prototype, within its box."""
    numbers, one_hot = slice(problem.n_numeric), slice(problem.n_numeric, None)
    low, high = factuals.low[:, numbers], factuals.high[:, numbers]
    origins, costs = factuals.factuals, factuals.costs
    by_prototype = []
    # A loop over the prototypes, of which there are a few dozen, bounds the memory.
    for prototype in pool:
        inside = torch.minimum(torch.maximum(prototype[numbers], low), high)
        moves = (inside - origins[:, numbers]).abs() * costs[..., numbers]
        by_prototype.append(moves.sum(dim=1))
    total = torch.stack(by_prototype, dim=1)
    # A category costs twice its column, weighted by its share in the prototype.
    to_reach = (factuals.high[:, one_hot] > 0) * (1 - origins[:, one_hot]) * costs[..., one_hot]
    return total + 2 * to_reach @ pool[:, one_hot].T


def brought_inside(problem, items, points):
    """Return states as close to points as the box allows, with one category in each group."""
    numbers = slice(problem.n_numeric)
    states = points.clone()
    inside = torch.maximum(points[:, numbers], items.low[:, numbers])
    states[:, numbers] = torch.minimum(inside, items.high[:, numbers])
    for columns in problem.slices:
        shares = torch.where(items.high[:, columns] > 0, points[:, columns], -1.0)
        most, category = shares.max(dim=1, keepdim=True)
        hardened = torch.zeros_like(shares).scatter_(1, category, 1.0)
        states[:, columns] = torch.where(most > _LEAST_SHARE, hardened, items.factuals[:, columns])
    return problem.settle(items, states)


def levers(problem, factuals, n_levers):
    """Return the factuals after the single changes of most margin per price."""
    margins = problem.margins(factuals)

    def rate(reached, added):
        # What exceeds the needed margin is of no use.
        gains = reached.clamp(max=0) - margins.view(-1, *[1] * (reached.ndim - 1))
        return gains / (added.clamp(min=0) + _LEAST_PRICE)

    changes = best_changes(problem, factuals, _LEVER_DISTANCES, rate)
    units = changes.scores.topk(n_levers, dim=1).indices
    parts = [factuals.at(changes.applied(problem, factuals, unit)) for unit in units.T]
    return Items.interleaved(parts)


def random_points(problem, factuals, n_points, generator):
    """Return factuals of which half of the numbers, and the categories, are random.

    All rows share the random numbers, so that no row depends on the others in its batch.
    """
    n_numeric = problem.n_numeric
    items = factuals.repeat(n_points)
    shape = n_points, items.states.shape[1]

    def uniform():
        numbers = torch.rand(shape, generator=generator, dtype=torch.float32)
        return numbers.to(items.states).repeat(len(factuals), 1)

    shares, moves = uniform(), uniform() < 0.5
    # Half of the numbers are at one of their bounds, where a limited feature does the most.
    shares[:, :n_numeric] = torch.where(uniform() < 0.5, shares.round(), shares)[:, :n_numeric]
    points = items.factuals.clone()
    low = torch.maximum(items.low, items.factuals - _FAR)[:, :n_numeric]
    high = torch.minimum(items.high, items.factuals + _FAR)[:, :n_numeric]
    places = low + shares[:, :n_numeric] * (high - low)
    points[:, :n_numeric] = torch.where(moves[:, :n_numeric], places, points[:, :n_numeric])
    points[:, n_numeric:] = shares[:, n_numeric:] + _LEAST_SHARE
    return items.at(brought_inside(problem, items, points))
