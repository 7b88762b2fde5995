"""The exact cheapest counterfactual, against brute force on small networks."""

import itertools

import numpy as np
import pytest
import torch
from exact import SLACK, cheapest
from exact_program import layers_of
from scipy.special import logsumexp
from torch import nn

from ctsk._columns.constraints import Box
from ctsk._columns.one_hot import OneHotGroups
from ctsk._torch.networks import MLP

LOW, HIGH, SPACING = -2.0, 2.0, 0.25


def make_module(seed, n_columns=2, n_classes=2, hidden=(4,)):
    generator = torch.Generator().manual_seed(seed)
    module = MLP(
        n_columns, n_classes, hidden_layer_sizes=hidden, activation="relu", generator=generator
    )
    # Steeper than initial weights are, so that tau can be reached within the box.
    with torch.no_grad():
        for weights in module.parameters():
            weights.mul_(3)
    return module


def make_box(factual, groups=None, **bounds):
    n_columns = len(factual)
    groups = groups or OneHotGroups(n_columns)
    lower = np.full((1, n_columns), LOW)
    upper = np.full((1, n_columns), HIGH)
    lower[:, groups.n_numeric :] = 0
    upper[:, groups.n_numeric :] = 1
    return Box(**{"lower": lower, "upper": upper, "groups": groups, **bounds})


def margins(module, rows, target, tau):
    """Return by how much rows exceed what the target needs, computed in numpy."""
    values = np.asarray(rows, dtype=float)
    layers = [layer for layer in module if isinstance(layer, nn.Linear)]
    for depth, layer in enumerate(layers):
        weights, bias = (p.detach().numpy().astype(float) for p in (layer.weight, layer.bias))
        values = values @ weights.T + bias
        if depth < len(layers) - 1:
            values = np.maximum(values, 0)
    others = np.delete(values, target, axis=1)
    excess = values[:, target] - logsumexp(others, axis=1) - np.log(tau / (1 - tau))
    return np.minimum(excess, values[:, target] - others.max(axis=1))


def by_enumeration(module, grid, factual, costs, target, tau):
    """Return the cost of the cheapest row of a grid that reaches the target, or infinity."""
    reaches = margins(module, grid, target, tau) >= SLACK
    return np.min(np.abs(grid[reaches] - factual) @ costs, initial=np.inf)


def numeric_grid(spacing=SPACING):
    values = np.arange(LOW, HIGH + spacing / 2, spacing)
    return np.array(list(itertools.product(values, values)))


SETTINGS = list(itertools.product([(), (4,), (4, 3)], [2, 3], [0.3, 0.5, 0.9]))


@pytest.mark.parametrize("hidden, n_classes, tau", SETTINGS)
def test_of_whole_steps_the_cheapest_is_the_one_of_brute_force(hidden, n_classes, tau):
    factual, costs = np.array([0.5, -1.0]), np.array([1.0, 0.7])
    steps = np.full(2, SPACING), np.zeros(2)
    grid, statuses = numeric_grid(), []
    for seed, target in itertools.product(range(4), range(n_classes)):
        module = make_module(seed, n_classes=n_classes, hidden=hidden)
        box = make_box(factual)
        found = cheapest(module, factual, box, costs=costs, target=target, tau=tau, steps=steps)
        expected = by_enumeration(module, grid, factual, costs, target, tau)
        statuses.append(found.status)
        if np.isinf(expected):
            assert (found.status, found.row) == ("impossible", None)
        else:
            assert found.status == "optimal"
            assert expected <= found.cost + 1e-9 <= expected * (1 + 2e-3) + 2e-9
            assert np.isclose(grid, found.row).all(axis=1).any()
    assert "optimal" in statuses


@pytest.mark.parametrize("hidden, n_classes", itertools.product([(), (4,), (4, 3)], [2, 3]))
def test_of_all_numbers_the_row_reaches_the_target_and_no_grid_row_is_cheaper(hidden, n_classes):
    factual, costs, tau = np.array([0.5, -1.0]), np.array([1.0, 0.7]), 0.75
    grid = numeric_grid(spacing=0.02)
    for seed in range(6):
        module = make_module(seed, n_classes=n_classes, hidden=hidden)
        box = make_box(factual)
        found = cheapest(module, factual, box, costs=costs, target=0, tau=tau)
        expected = by_enumeration(module, grid, factual, costs, 0, tau)
        if found.status == "impossible":
            assert np.isinf(expected)
            continue
        assert found.status == "optimal"
        assert margins(module, found.row[None], 0, tau)[0] >= 0
        assert np.isclose(np.abs(found.row - factual) @ costs, found.cost)
        assert found.lower_bound <= found.cost <= expected * (1 + 2e-3)
        # The grid is so fine that its best row is not much more expensive either.
        assert np.isinf(expected) or expected <= found.cost + 0.1


def mixed_case(seed):
    """Return a case of one number and two groups, and all of its rows on a grid."""
    groups = OneHotGroups(1, sizes=(3, 2))
    factual = np.array([0.5, 1.0, 0.0, 0.0, 0.0, 1.0])
    numbers = np.arange(LOW, HIGH + SPACING / 2, SPACING)
    parts = itertools.product(numbers, np.eye(3), np.eye(2))
    grid = np.array([np.concatenate([[number], *one_hot]) for number, *one_hot in parts])
    module = make_module(seed, n_columns=6)
    costs = np.array([1.0, 0.3, 0.3, 0.3, 0.5, 0.5])
    steps = np.where(np.arange(6) == 0, SPACING, 0.0), np.zeros(6)
    return module, factual, make_box(factual, groups), grid, costs, steps


def n_changes_of(rows, factual):
    parts = [slice(0, 1), slice(1, 4), slice(4, 6)]
    return sum((rows[:, part] != factual[part]).any(axis=1) for part in parts)


@pytest.mark.parametrize("seed", range(10))
def test_categories_hold_exactly_one_and_are_those_of_brute_force(seed):
    module, factual, box, grid, costs, steps = mixed_case(seed)
    box.upper[0, 3] = 0
    grid = grid[grid[:, 3] == 0]
    found = cheapest(module, factual, box, costs=costs, target=0, tau=0.8, steps=steps)
    expected = by_enumeration(module, grid, factual, costs, 0, 0.8)
    if np.isinf(expected):
        assert found.status == "impossible"
    else:
        assert found.status == "optimal"
        assert np.isclose(grid, found.row).all(axis=1).any()
        assert np.isclose(found.cost, expected, rtol=2e-3, atol=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_sparse_has_the_fewest_changes_and_of_these_the_least_cost(seed):
    module, factual, box, grid, costs, steps = mixed_case(seed)
    settings = {"costs": costs, "target": 0, "tau": 0.8, "steps": steps}
    found = cheapest(module, factual, box, sparse=True, **settings)
    reaches = margins(module, grid, 0, 0.8) >= SLACK
    if not reaches.any():
        assert found.status == "impossible"
        return
    n_changes = n_changes_of(grid[reaches], factual)
    fewest = grid[reaches][n_changes == n_changes.min()]
    assert (found.status, found.n_changes) == ("optimal", n_changes.min())
    expected = (np.abs(fewest - factual) @ costs).min()
    assert np.isclose(found.cost, expected, rtol=2e-3, atol=1e-9)
    # As a limit, the fewest changes are possible, and fewer are not.
    limited = cheapest(module, factual, box, n_changes_limit=found.n_changes, **settings)
    assert np.isclose(limited.cost, expected, rtol=2e-3, atol=1e-9)
    if found.n_changes:
        fewer = cheapest(module, factual, box, n_changes_limit=found.n_changes - 1, **settings)
        assert fewer.status == "impossible"


@pytest.mark.parametrize("hidden", [(4,), (4, 3)])
def test_a_cost_limit_above_the_optimum_leaves_it_and_one_below_is_impossible(hidden):
    factual, costs = np.array([0.5, -1.0]), np.array([1.0, 0.7])
    n_limited = 0
    for seed in range(15):
        module, box = make_module(seed, hidden=hidden), make_box(factual)
        settings = {"costs": costs, "target": 0, "tau": 0.9}
        free = cheapest(module, factual, box, **settings)
        if free.status == "impossible" or free.cost == 0:
            continue
        n_limited += 1
        limited = cheapest(module, factual, box, cost_limit=1.01 * free.cost, **settings)
        assert limited.status == "optimal"
        assert np.isclose(limited.cost, free.cost, rtol=2e-3)
        below = cheapest(module, factual, box, cost_limit=0.98 * free.cost, **settings)
        assert below.status == "impossible"
    assert n_limited >= 3


def test_a_number_outside_its_domain_stays_or_lies_inside():
    module = nn.Sequential(nn.Linear(1, 2, dtype=torch.float64))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0], [0.0]]))
        module[0].bias.copy_(torch.tensor([-0.2, 0.0]))
    bounds = {name: np.array([[value]]) for name, value in (("lower", 0.0), ("upper", 2.0))}
    domain = {name: np.array([[value]]) for name, value in (("low", 1.0), ("high", 2.0))}
    box = Box(**bounds, **domain, groups=OneHotGroups(1))
    settings = {"costs": np.ones(1), "target": 0, "tau": 0.5}
    # The target is reached from 0.2 on, which lies in the gap between the factual and its domain.
    assert np.isclose(cheapest(module, np.zeros(1), box, **settings).row[0], 1.0)
    steps = np.array([0.75]), np.array([0.0])
    found = cheapest(module, np.zeros(1), box, steps=steps, **settings)
    assert np.isclose(found.row[0], 1.5)


def test_a_factual_between_two_steps_moves_to_a_step():
    factual, costs = np.array([0.6, -1.1]), np.array([1.0, 0.7])
    steps = np.full(2, SPACING), np.array([0.0, 0.1])
    grids = [np.arange(LOW - 1, HIGH + 1, SPACING) + origin for origin in (0.0, 0.1)]
    values = [
        np.append(grid[(grid >= LOW) & (grid <= HIGH)], own)
        for grid, own in zip(grids, factual, strict=True)
    ]
    grid = np.array(list(itertools.product(*values)))
    for seed in range(8):
        module, box = make_module(seed), make_box(factual)
        found = cheapest(module, factual, box, costs=costs, target=0, tau=0.9, steps=steps)
        expected = by_enumeration(module, grid, factual, costs, 0, 0.9)
        assert (
            np.isinf(found.cost)
            if np.isinf(expected)
            else np.isclose(found.cost, expected, rtol=2e-3)
        )


def test_a_row_that_cannot_move_is_impossible_or_its_own_counterfactual():
    module, factual = make_module(0), np.array([0.5, -1.0])
    box = Box(factual[None], factual[None], OneHotGroups(2))
    logits = module(torch.as_tensor(factual[None], dtype=torch.float32))[0]
    target = int(logits.argmax())
    settings = {"costs": np.ones(2), "tau": 0.5}
    own = cheapest(module, factual, box, target=target, **settings)
    assert (own.status, own.cost, own.n_changes) == ("optimal", 0.0, 0)
    assert cheapest(module, factual, box, target=1 - target, **settings).status == "impossible"


def test_without_time_a_row_is_open():
    module, factual = make_module(0), np.array([0.5, -1.0])
    settings = {"costs": np.ones(2), "target": 0, "tau": 0.9, "time_limit": 0.0}
    assert cheapest(module, factual, make_box(factual), **settings).status == "open"


def test_what_the_program_does_not_know_is_an_error():
    factual = np.array([0.5, -1.0])
    box = make_box(factual)
    settings = {"costs": np.ones(2), "target": 0, "tau": 0.5}
    with pytest.raises(ValueError, match="no layer Tanh"):
        cheapest(
            nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)), factual, box, **settings
        )
    with pytest.raises(ValueError, match="last layer"):
        cheapest(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), factual, box, **settings)
    box.upper[0, 1] = np.inf
    with pytest.raises(ValueError, match="Column 1 can move without any bound"):
        cheapest(make_module(0), factual, box, **settings)
    assert cheapest(make_module(0), factual, box, cost_limit=5.0, **settings).status != "open"
    box = make_box(np.array([0.5, 0.2, 0.8]), OneHotGroups(1, sizes=(2,)))
    module = make_module(0, n_columns=3)
    with pytest.raises(ValueError, match="unknown categories"):
        cheapest(module, [0.5, 0.2, 0.8], box, costs=np.ones(3), target=0, tau=0.5)


def test_linear_layers_without_a_relu_between_them_are_one_and_shared_relus_count_twice():
    relu = nn.ReLU()
    layers = [nn.Linear(2, 4), nn.Linear(4, 3), relu, nn.Linear(3, 3), relu, nn.Linear(3, 2)]
    module = nn.Sequential(*layers[:2], nn.Sequential(*layers[2:])).double()
    rows = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    chain = layers_of(module)
    assert len(chain) == 3
    values = rows.numpy()
    for depth, (weights, bias) in enumerate(chain):
        values = (np.maximum(values, 0) if depth else values) @ weights.T + bias
    assert np.allclose(values, module(rows).detach().numpy())
