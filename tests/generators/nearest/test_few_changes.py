import itertools

import numpy as np
import pytest
import torch
from nearest_problems import (
    GROUPS,
    all_rows,
    box_within,
    costs_of,
    margins_of,
    opposite_targets,
    problem_of,
    random_factuals,
    relu_net,
)

from ctsk import NearestGenerator
from ctsk.generators.nearest.few_changes import count_changes, one_change, thin_out

UNITS = [[0], [1], [2, 3, 4]]
COSTS = torch.tensor([1, 1, 0.5, 0.5, 0.5])
AXIS = np.linspace(-2, 2, 101)


def search(net, factuals, costs=COSTS, **settings):
    settings = {"tau": 0.6, "T": 100} | settings
    box = box_within(factuals, GROUPS)
    targets = opposite_targets(net, factuals)
    return NearestGenerator().search(net, factuals, targets, box, costs=costs, **settings)


def number_of_changes(states, factuals):
    changed = states != factuals
    return torch.stack([changed[:, unit].any(dim=1) for unit in UNITS], dim=1).sum(dim=1)


def fewest_changes(net, factual, target, tau):
    """Return the least number of changed features and the least cost of so many, by brute force."""
    candidates = all_rows(GROUPS, [AXIS, AXIS])
    for size in range(4):
        costs = [np.inf]
        for units in itertools.combinations(UNITS, size):
            held = [column for unit in UNITS if unit not in units for column in unit]
            trials = candidates.copy()
            trials[:, held] = factual.numpy()[held]
            valid = trials[margins_of(net, trials, target, tau) >= 0]
            costs += (np.abs(valid - factual.numpy()) @ COSTS.numpy()).tolist()
        if min(costs) < np.inf:
            return size, min(costs)
    return None, np.inf


@pytest.mark.parametrize("seed", [0, 1])
def test_sparse_rows_change_as_few_features_as_brute_force_at_its_cost(seed):
    net, factuals = relu_net(5, seed=seed), random_factuals(GROUPS, 20, seed)
    result = search(net, factuals, sparse=True)
    targets = opposite_targets(net, factuals)
    brute = [fewest_changes(net, *pair, 0.6) for pair in zip(factuals, targets, strict=True)]
    fewest, least = (np.array(values) for values in zip(*brute, strict=True))
    n_changes = number_of_changes(result.counterfactuals, factuals).numpy()
    assert result.mature.all()
    assert (n_changes == fewest).mean() >= 0.95
    found = costs_of(factuals, result.counterfactuals, COSTS)[n_changes == fewest]
    assert np.mean(found <= 1.05 * least[n_changes == fewest] + 0.03) >= 0.9


@pytest.mark.parametrize("at_most", [1, 2])
@pytest.mark.parametrize("costs", [COSTS, torch.tensor([0, 1, 0.5, 0.5, 0.5])], ids=["1", "0"])
def test_mature_rows_never_change_more_features_than_permitted(at_most, costs):
    net, factuals = relu_net(5, 3, seed=1), random_factuals(GROUPS, 80)
    result = search(net, factuals, costs, max_changes=at_most)
    n_changes = number_of_changes(result.counterfactuals, factuals)
    assert (n_changes[result.mature] <= at_most).all()
    unlimited = search(net, factuals, costs)
    assert (number_of_changes(unlimited.counterfactuals, factuals) > at_most).any() or at_most == 2
    assert result.mature.float().mean() > 0.8


def test_shortest_move_counts_as_a_change():
    factuals = random_factuals(GROUPS, 3).clamp(0.5, 1.0)
    factuals[:, 2:] = torch.eye(3)
    targets = torch.ones(3, dtype=torch.int64)
    problem, items = problem_of(relu_net(5), factuals, targets, box_within(factuals, GROUPS))
    states = factuals.clone()
    states[0, 0] += 1e-6
    states[1, 2:] = torch.eye(3)[0]
    states[2, :2] += 1
    assert count_changes(problem, items.at(states)).tolist() == [1, 1, 2]


def test_thinning_drops_the_cheapest_change_for_which_the_others_can_pay():
    net = torch.nn.Sequential(torch.nn.Linear(5, 2)).requires_grad_(False)
    net[0].weight.copy_(torch.tensor([[0.0] * 5, [1.0, 1, 0, 0, 0]]))
    net[0].bias.copy_(torch.tensor([0.0, -1.0]))
    factuals = torch.tensor([[0.0, 0, 1, 0, 0]])
    problem, items = problem_of(
        net, factuals, torch.tensor([1]), box_within(factuals, GROUPS), costs=COSTS, tau=0.5
    )
    # The category is dropped at once, the first number once the second has paid for it.
    items = items.at(torch.tensor([[0.4, 0.7, 0, 1, 0]]))
    thinned = thin_out(problem, items, torch.tensor([True]), 1)
    np.testing.assert_allclose(thinned.states, [[0, 1, 1, 0, 0]], atol=0.002)
    assert number_of_changes(thinned.states, factuals).item() == 1


def test_single_change_is_the_cheapest_crossing_along_a_feature():
    net, factuals = relu_net(5), random_factuals(GROUPS, 40)
    targets = opposite_targets(net, factuals)
    problem, rows = problem_of(net, factuals, targets, box_within(factuals, GROUPS), costs=COSTS)
    items, is_valid = one_change(problem, rows)
    assert (number_of_changes(items.states, factuals)[is_valid] == 1).all()
    least = []
    for factual, target in zip(factuals, targets.tolist(), strict=True):
        trials = []
        for column in (0, 1):
            along = np.tile(factual.numpy().astype(np.float64), (4001, 1))
            along[:, column] = np.linspace(-2, 2, 4001)
            trials.append(along)
        others = np.tile(factual.numpy(), (3, 1))
        others[:, 2:] = np.eye(3)
        trials = np.concatenate([*trials, others])
        valid = trials[margins_of(net, trials, target, 0.75) >= 0]
        least.append(min(np.abs(valid - factual.numpy()) @ COSTS.numpy(), default=np.inf))
    least = np.array(least)
    assert not is_valid[np.isinf(least)].any()
    found = costs_of(factuals, items.states, COSTS)
    is_best = (found <= least + 0.002) & is_valid.numpy()
    # A scan of a few distances can miss a short interval.
    assert is_best[np.isfinite(least)].mean() >= 0.85
    assert (found[is_valid] >= least[is_valid] - 0.002).all()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("nearest", np.geomspace(0.021, 7.9, 12))
def test_a_single_change_finds_an_interval_whose_ends_differ_by_a_factor_of_two_and_a_half(
    nearest, sign
):
    low, high = 0.999 * nearest, 2.501 * nearest

    def model(rows):
        inside = torch.minimum(sign * rows[:, 0] - low, high - sign * rows[:, 0])
        return torch.stack([torch.zeros(len(rows)), inside / nearest], dim=1)

    factuals = torch.tensor([[0.0, 0.0, 1, 0, 0]])
    box = box_within(factuals, GROUPS, low=-25.0, high=25.0)
    problem, rows = problem_of(model, factuals, torch.tensor([1]), box, costs=COSTS, tau=0.5)
    items, is_valid = one_change(problem, rows)
    assert is_valid.all()
    assert low <= sign * items.states[0, 0].item() <= 1.01 * low
    assert torch.equal(items.states[:, 1:], factuals[:, 1:])
