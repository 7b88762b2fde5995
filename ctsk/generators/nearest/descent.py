"""Moves by the gradient: buy a margin at the least price, descend, and restore validity."""

import torch

from ctsk.generators.nearest.problem import LEAST_COST, one_hot

# Factors by which the radius of a linear model changes after a success and after a failure.
_GROWTH, _DECAY = 1.6, 0.35
# Least decrease of a price that counts.
LEAST_GAIN = 1e-6
# Factor on a missing margin that is bought once more, because the margin grows less than linearly.
_SURPLUS = 1.02


def buy(problem, items, margins, slopes, radius, *, surplus=0.0, free=None):
    r"""Move the numbers of each item to where a linear model of the margin is zero.

    Parameters
    ----------
    problem : Problem
    items : Items
    margins : Tensor of shape (n_items,)
    slopes : Tensor of shape (n_items, n_columns)
        Gradients of the margins at the states.
    radius : float or Tensor of shape (n_items, 1)
        Largest distance of a number to the present one.
    surplus : float or Tensor of shape (n_items,), default=0.0
        Margin to reach instead of zero.
    free : BoolTensor of shape (n_items, n_numeric), default=None
        Numbers that may move; None frees all of them.

    Returns
    -------
    states : Tensor of shape (n_items, n_columns)

    Notes
    -----
    The linear program :math:`\min \sum_j w_j |z_j - x_j|` subject to
    :math:`m + \sum_j g_j (z_j - z^0_j) \ge s` and to bounds on each :math:`z_j` is a fractional
    knapsack. It starts at the factual :math:`x` and moves the columns in the order of their
    margin per price :math:`|g_j| / w_j`, each up to its bound, until the margin is paid for. A
    price on the distance to a prototype makes a column cheaper up to the prototype and dearer
    beyond it, so that it enters as two segments.
    """
    n_numeric = problem.n_numeric
    numbers, slopes = items.states[:, :n_numeric], slopes[:, :n_numeric]
    low, high = problem.bounds(items)
    low, high = torch.maximum(low, numbers - radius), torch.minimum(high, numbers + radius)
    if free is not None:
        low, high = torch.where(free, low, numbers), torch.where(free, high, numbers)
    base, other = items.factuals[:, :n_numeric], None
    if items.prototypes is not None:
        other = items.prototypes[:, :n_numeric]
        # A distance that is dearer than the cost draws to the prototype instead.
        base, other = (base, other) if problem.lambda_data < 1 else (other, base)
    base = torch.minimum(torch.maximum(base, low), high)
    missing = surplus - margins - torch.linalg.vecdot(slopes, base - numbers)
    room = torch.where(slopes > 0, high - base, base - low)
    steepness = slopes.abs().clamp(min=1e-12)
    gains, per_price = steepness * room, steepness / items.costs[..., :n_numeric].clamp(LEAST_COST)
    if other is not None:
        toward = ((other - base) * slopes.sign()).clamp(min=0)
        near = steepness * torch.minimum(toward, room)
        gains = torch.cat([near, gains - near], dim=1)
        difference = max(abs(1 - problem.lambda_data), LEAST_COST)
        per_price = torch.cat(
            [per_price / difference, per_price / (1 + problem.lambda_data)], dim=1
        )
    order = per_price.argsort(dim=1, descending=True)
    gains = gains.gather(1, order)
    # The cumulative sum holds what all columns up to each one can pay; less the column itself,
    # it is what the cheaper columns have paid already.
    still_missing = missing[:, None] - (gains.cumsum(dim=1) - gains)
    paid = torch.minimum(still_missing.clamp_(min=0), gains)
    paid = torch.zeros_like(gains).scatter_(1, order, paid)
    if other is not None:
        paid = paid[:, :n_numeric] + paid[:, n_numeric:]
    states = items.states.clone()
    bought = base + slopes.sign() * paid / steepness
    states[:, :n_numeric] = torch.minimum(torch.maximum(bought, low), high)
    return states


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
        See `buy`.
    progress : Progress, default=None
        Counts the rounds; None leaves them uncounted, as parts of another round.

    Returns
    -------
    items : Items
    """
    if not problem.n_numeric or not len(items):
        return items
    radii = items.states.new_full((len(items), 1), radius)
    prices, failed, beyond = problem.prices(items), None, None
    for t in range(n_rounds) if progress is None else progress.rounds(n_rounds):
        margins, slopes = problem.slopes(items)
        if failed is not None:
            # A step that failed has crossed a kink: the next one averages its two sides.
            slopes[failed] = (slopes[failed] + beyond) / 2
        states, reached = _bought(problem, items, margins, slopes, radii, free)
        lower = problem.prices(items, states)
        succeeds = (reached >= 0) & (lower < prices - LEAST_GAIN) & is_valid
        # An average in every round would leave no step to the true gradient.
        failed = (~succeeds & is_valid).nonzero()[:, 0] if t % 2 == 0 else None
        if failed is not None:
            _, beyond = problem.slopes(items.select(failed), states[failed])
        items = items.where(succeeds, states)
        prices = torch.where(succeeds, lower, prices)
        radii = torch.where(succeeds[:, None], radii * _GROWTH, radii * _DECAY)
        if progress is not None:
            progress.record(items, is_valid, prices)
    return items


def _bought(problem, items, margins, slopes, radii, free):
    """Return the bought states and their margins, after a second purchase of what is missing."""
    states = buy(problem, items, margins, slopes, radii, free=free)
    reached = problem.margins(items, states)
    short = (reached < 0).nonzero()[:, 0]
    if len(short):
        part = items.select(short)
        more = buy(
            problem,
            part,
            margins[short],
            slopes[short],
            radii[short],
            surplus=-_SURPLUS * reached[short] + 1e-5,
            free=None if free is None else free[short],
        )
        states[short], reached[short] = more, problem.margins(part, more)
    return states, reached


def restore(problem, items, n_rounds, progress):
    """Move invalid items toward validity, by the best category or by numbers."""
    for t in progress.rounds(n_rounds):
        margins, slopes = problem.slopes(items)
        is_short = margins < 0
        if not is_short.any():
            break
        if problem.slices:
            items = _with_best_category(problem, items, margins, slopes, is_eager=t >= 2)
            margins, slopes = problem.slopes(items)
            is_short = margins < 0
        if problem.n_numeric:
            # A small surplus covers the curvature of the margin.
            items = items.where(is_short, buy(problem, items, margins, slopes, 1.0, surplus=0.02))
    return items


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
    rival = torch.zeros_like(best)
    if problem.n_numeric:
        low, high = problem.bounds(items)
        numbers = slopes[:, : problem.n_numeric].abs() * (high > low)
        costs = items.costs[..., : problem.n_numeric].clamp(min=LEAST_COST)
        rival = (numbers / costs).amax(dim=1)
    takes = (margins < 0) & (best > 0)
    if not is_eager:
        # A category that pays for all that is missing is taken in any case.
        takes &= best >= torch.minimum(rival, -margins)
    states = items.states.clone()
    for k, columns in enumerate(problem.slices):
        idx = (takes & (group == k)).nonzero()[:, 0]
        if len(idx):
            states[idx, columns] = one_hot(category[idx], columns, states)
    return items.at(problem.settle(items, states))


def best_categories(problem, items, slopes, columns):
    """Return the gain of the best reachable category of a group by the gradient, and which."""
    slopes, states = slopes[:, columns], items.states[:, columns]
    gains = slopes - torch.linalg.vecdot(slopes, states)[:, None]
    return torch.where(problem.reachable(items, columns), gains, -torch.inf).max(dim=1)
