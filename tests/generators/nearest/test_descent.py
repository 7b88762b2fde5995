import dataclasses

import numpy as np
import pytest
import torch
from nearest_problems import (
    GROUPS,
    box_within,
    opposite_targets,
    problem_of,
    random_factuals,
    relu_net,
)
from scipy.optimize import linprog

from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators.nearest.descent import buy, descend, restore
from ctsk.generators.nearest.numbers import Numbers
from ctsk.generators.nearest.progress import Progress

N_ROWS, N_NUMERIC = 40, 4
# Products of matrices of another number of rows differ in the last digits of a float32.
ROUNDING = 1e-5


def random_purchases(seed, lambda_data):
    """Return items in float64 at random states, and random margins and slopes."""
    random = torch.Generator().manual_seed(seed)
    groups = OneHotGroups(N_NUMERIC)

    def uniform(low, high, *shape):
        shape = shape or (N_ROWS, N_NUMERIC)
        return low + (high - low) * torch.rand(shape, generator=random, dtype=torch.float64)

    factuals = uniform(-2, 2)
    box = box_within(factuals, groups)
    costs = uniform(0.1, 2)
    targets = torch.ones(N_ROWS, dtype=torch.int64)
    model = relu_net(N_NUMERIC).double()
    problem, items = problem_of(model, factuals, targets, box, costs=costs, lambda_data=lambda_data)
    if lambda_data:
        # Prototypes may lie outside the box.
        items = dataclasses.replace(items, prototypes=uniform(-3, 3))
    return problem, items.at(uniform(-2, 2)), uniform(-3, 1, N_ROWS), uniform(-2, 2)


def cheapest(problem, items, row, margin, slopes, bounds, surplus):
    """Return the least price for which a linear model reaches the surplus, or None."""
    n = N_NUMERIC
    state, factual, costs = (
        values[row].numpy() for values in (items.states, items.factuals, items.costs)
    )
    # Variables: the numbers, their distances to the factual, and those to the prototype.
    eye, nothing = np.eye(n), np.zeros((n, n))
    rows = [
        np.hstack([-slopes.numpy(), np.zeros(2 * n)])[None],
        np.hstack([eye, -eye, nothing]),
        np.hstack([-eye, -eye, nothing]),
    ]
    limits = [[margin - surplus - slopes.numpy() @ state], factual, -factual]
    weights = np.zeros(n)
    if items.prototypes is not None:
        prototype, weights = items.prototypes[row].numpy(), problem.lambda_data * costs
        rows += [np.hstack([eye, nothing, -eye]), np.hstack([-eye, nothing, -eye])]
        limits += [prototype, -prototype]
    objective = np.concatenate([np.zeros(n), costs, weights])
    free = [(0, None)] * (2 * n)
    result = linprog(objective, np.vstack(rows), np.concatenate(limits), bounds=bounds + free)
    return result.fun if result.status == 0 else None


@pytest.mark.parametrize("lambda_data", [0.0, 0.4, 1.0, 2.5])
@pytest.mark.parametrize("seed", [0, 1])
def test_purchase_is_the_optimum_of_the_linear_program(lambda_data, seed):
    problem, items, margins, slopes = random_purchases(seed, lambda_data)
    free = torch.rand(N_ROWS, N_NUMERIC, generator=torch.Generator().manual_seed(9)) < 0.7
    states = buy(Numbers.of(problem, items, free), margins, slopes, 1.5, surplus=0.1)
    prices = problem.prices(items, states)
    n_optimal = 0
    for row in range(N_ROWS):
        center = items.states[row].numpy()
        lower, upper = np.maximum(center - 1.5, -2), np.minimum(center + 1.5, 2)
        lower, upper = (np.where(free[row], end, center) for end in (lower, upper))
        assert (states[row].numpy() >= lower).all() and (states[row].numpy() <= upper).all()
        bounds = list(zip(lower, upper, strict=True))
        least = cheapest(problem, items, row, float(margins[row]), slopes[row], bounds, 0.1)
        reached = float(margins[row] + slopes[row] @ (states[row] - items.states[row]))
        if least is None:
            # What cannot be paid for is paid as far as possible.
            most = np.where(slopes[row] > 0, upper, lower)
            most = np.where(slopes[row] == 0, states[row], most)
            np.testing.assert_allclose(states[row].numpy(), most, atol=1e-9)
            continue
        n_optimal += 1
        assert reached >= 0.1 - 1e-8
        assert float(prices[row]) == pytest.approx(least, abs=1e-7)
    assert n_optimal > 10


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("free", [None, [True, False]])
def test_descent_never_raises_a_price_or_loses_validity(n_classes, free):
    net = relu_net(5, n_classes)
    factuals = random_factuals(GROUPS, 200)
    targets = opposite_targets(net, factuals)
    problem, items = problem_of(net, factuals, targets, box_within(factuals, GROUPS))
    items = items.at(random_factuals(GROUPS, 200, seed=1))
    is_valid = problem.margins(items) >= 0
    masks = None if free is None else torch.tensor([free] * 200)
    prices, present = problem.prices(items), items
    for n_rounds in range(1, 6):
        descended = descend(problem, items, is_valid, n_rounds, free=masks)
        assert (problem.margins(descended)[is_valid] >= -ROUNDING).all()
        assert (problem.prices(descended) <= prices).all()
        prices = problem.prices(descended)
    assert torch.equal(descended.states[~is_valid], items.states[~is_valid])
    assert (prices < problem.prices(present))[is_valid].float().mean() > 0.9
    if free is not None:
        assert torch.equal(descended.states[:, 1], items.states[:, 1])


def test_restoration_makes_rows_valid_and_leaves_valid_ones_alone():
    net = relu_net(5)
    factuals = random_factuals(GROUPS, 200)
    targets = torch.ones(200, dtype=torch.int64)
    problem, items = problem_of(net, factuals, targets, box_within(factuals, GROUPS))
    was_valid = problem.margins(items) >= 0
    restored = restore(problem, items, 6, Progress(factuals, 6, False))
    assert torch.equal(restored.states[was_valid], factuals[was_valid])
    is_valid = problem.margins(restored) >= 0
    assert is_valid[~was_valid].float().mean() > 0.5
