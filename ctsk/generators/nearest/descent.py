"""Moves by the gradient: buy a margin at the least price, descend, and restore validity."""

import torch

from ctsk.generators.nearest.numbers import Numbers
from ctsk.generators.nearest.problem import LEAST_COST, ROUNDING, one_hot

# Factors by which the radius of a linear model changes after a success and after a failure.
_GROWTH, _DECAY = 1.6, 0.35
# Least decrease of a price that counts.
LEAST_GAIN = 1e-6
# Factor on a missing margin that is bought once more, because the margin grows less than linearly.
_SURPLUS = 1.02


def buy(numbers, margins, slopes, radius, *, surplus=0.0):
    r"""Move the numbers of each item to where a linear model of the margin is zero.

    Parameters
    ----------
    numbers : Numbers
    margins : Tensor of shape (n_items,)
    slopes : Tensor of shape (n_items, n_numeric)
        Gradients of the margins.
    radius : float or Tensor of shape (n_items, 1)
        Largest distance of a number to the present one.
    surplus : float or Tensor of shape (n_items,), default=0.0
        Margin to reach instead of zero.

    Returns
    -------
    values : Tensor of shape (n_items, n_numeric)

    Notes
    -----
    The linear program :math:`\min \sum_j w_j |z_j - x_j|` subject to
    :math:`m + \sum_j g_j (z_j - z^0_j) \ge s` and to bounds on each :math:`z_j` is a fractional
    knapsack. It starts at the factual :math:`x` and moves the columns in the order of their
    margin per price :math:`|g_j| / w_j`, each up to its bound, until the margin is paid for. A
    price on the distance to a prototype makes a column cheaper up to the prototype and dearer
    beyond it, so that it enters as two segments.
    """
    values, lambda_data = numbers.values, numbers.problem.lambda_data
    low = torch.maximum(numbers.low, values - radius)
    high = torch.minimum(numbers.high, values + radius)
    base, other = numbers.factuals, numbers.prototypes
    # A distance that is dearer than the cost draws to the prototype instead.
    if other is not None and lambda_data >= 1:
        base, other = other, base
    base = torch.minimum(torch.maximum(base, low), high)
    missing = surplus - margins - torch.linalg.vecdot(slopes, base - values)
    room = torch.where(slopes > 0, high - base, base - low)
    steepness = slopes.abs().clamp(min=1e-12)
    gains, per_price = steepness * room, steepness / numbers.costs.clamp(min=LEAST_COST)
    if other is not None:
        toward = ((other - base) * slopes.sign()).clamp(min=0)
        near = steepness * torch.minimum(toward, room)
        gains = torch.cat([near, gains - near], dim=1)
        difference = max(abs(1 - lambda_data), LEAST_COST)
        per_price = torch.cat([per_price / difference, per_price / (1 + lambda_data)], dim=1)
    order = per_price.argsort(dim=1, descending=True)
    gains = gains.gather(1, order)
    # The cumulative sum holds what all columns up to each one can pay; less the column itself,
    # it is what the cheaper columns have paid already.
    still_missing = missing[:, None] - (gains.cumsum(dim=1) - gains)
    paid = torch.minimum(still_missing.clamp_(min=0), gains)
    paid = torch.zeros_like(gains).scatter_(1, order, paid)
    if other is not None:
        n_numeric = values.shape[1]
        paid = paid[:, :n_numeric] + paid[:, n_numeric:]
    bought = base + slopes.sign() * paid / steepness
    return torch.minimum(torch.maximum(bought, low), high)


def descend(problem, items, is_valid, n_rounds, *, radius=1.0, free=None, progress=None):
    """Lower the prices of valid items while they stay valid.

    Parameters
    ----------
    problem : Problem
    items : Items
    is_valid : BoolTensor of shape (n_items,)
        Items that are not valid stay where they are.
    n_rounds : int
    radius : float, default=1.0
        Radius of the first linear model; it grows after a success and decays after a failure.
    free : BoolTensor of shape (n_items, n_numeric), default=None
        See `Numbers.of`.
    progress : Progress, default=None
        Counts the rounds; None leaves them uncounted, as parts of another round.

    Returns
    -------
    items : Items
    """
    if not problem.n_numeric or not len(items):
        return items
    idx = is_valid.nonzero()[:, 0]
    part = items.select(idx)
    numbers = Numbers.of(problem, part, None if free is None else free[idx])
    radii = items.states.new_full((len(idx), 1), radius)
    prices, (margins, slopes) = numbers.prices(), numbers.slopes()
    directions = slopes
    for t in range(n_rounds) if progress is None else progress.rounds(n_rounds):
        values, reached, beyond = _bought(numbers, margins, directions, radii)
        lower = numbers.prices(values)
        succeeds = (reached >= 0) & (lower < prices - LEAST_GAIN)
        prices = torch.where(succeeds, lower, prices)
        margins = torch.where(succeeds, reached, margins)
        succeeds = succeeds[:, None]
        numbers = numbers.at(torch.where(succeeds, values, numbers.values))
        radii = torch.where(succeeds, radii * _GROWTH, radii * _DECAY)
        # A step that failed has crossed a kink: the next one averages its two sides. An average
        # in every round would leave no step to the true gradient.
        retried = (slopes + beyond) / 2 if t % 2 == 0 else slopes
        slopes = torch.where(succeeds, beyond, slopes)
        directions = torch.where(succeeds, beyond, retried)
        if progress is not None:
            progress.record(part, is_valid[idx], prices, numbers.values)
    return items.put_numbers(idx, numbers.values)


def _bought(numbers, margins, slopes, radii):
    """Return the bought values, after a second purchase of what is missing.

    Returns
    -------
    values : Tensor of shape (n_items, n_numeric)
    margins, slopes
        Those at the values.
    """
    values = buy(numbers, margins, slopes, radii, surplus=ROUNDING)
    reached, beyond = numbers.slopes(values)
    short = (reached < 0).nonzero()[:, 0]
    if len(short):
        surplus = -_SURPLUS * reached[short] + ROUNDING
        part = numbers.select(short)
        more = buy(part, margins[short], slopes[short], radii[short], surplus=surplus)
        values[short] = more
        reached[short], beyond[short] = part.slopes(more)
    return values, reached, beyond


def restore(problem, items, n_rounds, progress):
    """Move invalid items toward validity, by the best category or by numbers."""
    states, part = items.states.clone(), items
    live = torch.arange(len(items), device=items.rows.device)
    for t in progress.rounds(n_rounds):
        margins, slopes = problem.slopes(part)
        # An item that has become valid stays where it is.
        is_short = (margins < 0).nonzero()[:, 0]
        if not len(is_short):
            break
        live, part = live[is_short], part.select(is_short)
        if problem.slices:
            margins, slopes = margins[is_short], slopes[is_short]
            part = _with_best_category(problem, part, margins, slopes, is_eager=t >= 2)
        if problem.n_numeric:
            numbers = Numbers.of(problem, part)
            margins, slopes = numbers.slopes()
            # A small surplus covers the curvature of the margin.
            bought = buy(numbers, margins, slopes, 1.0, surplus=0.02)
            moves = (margins < 0).nonzero()[:, 0]
            part = part.put_numbers(moves, bought[moves])
        states[live] = part.states
    return items.at(states)


def _with_best_category(problem, items, margins, slopes, *, is_eager):
    """Return items that take the category of most gain, where it beats a unit of a number."""
    best = torch.full_like(margins, -torch.inf)
    group, category = torch.zeros_like(items.rows), torch.zeros_like(items.rows)
    for k, columns in enumerate(problem.slices):
        gains, choices = best_categories(problem, items, slopes, columns)
        is_better = gains > best
        best = torch.where(is_better, gains, best)
        group = torch.where(is_better, k, group)
        category = torch.where(is_better, choices, category)
    takes = best > 0
    if not is_eager:
        # A category that pays for all that is missing is taken in any case.
        takes &= best >= torch.minimum(_gains_of_numbers(problem, items, slopes), -margins)
    states = items.states.clone()
    for k, columns in enumerate(problem.slices):
        idx = (takes & (group == k)).nonzero()[:, 0]
        if len(idx):
            states[idx, columns] = one_hot(category[idx], columns, states)
    return items.at(problem.settle(items, states))


def _gains_of_numbers(problem, items, slopes):
    """Return the largest margin of a unit of a number, relative to its cost."""
    if not problem.n_numeric:
        return items.states.new_zeros(len(items))
    low, high = problem.bounds(items)
    numbers = slice(problem.n_numeric)
    gains = problem.slopes_of(numbers, slopes).abs() * (high > low)
    return (gains / items.costs[..., numbers].clamp(min=LEAST_COST)).amax(dim=1)


def best_categories(problem, items, slopes, columns):
    """Return the gain of the best reachable category of a group by the gradient, and which.

    `slopes` are the gradients with respect to the first layer; see `Problem.slopes`.
    """
    slopes, states = problem.slopes_of(columns, slopes), items.states[:, columns]
    gains = slopes - torch.linalg.vecdot(slopes, states)[:, None]
    return torch.where(problem.reachable(items, columns), gains, -torch.inf).max(dim=1)
