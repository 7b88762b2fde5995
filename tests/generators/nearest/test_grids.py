from types import SimpleNamespace

import numpy as np
import pytest
import torch
from nearest_problems import (
    GROUPS,
    all_rows,
    box_within,
    costs_of,
    least_costs,
    opposite_targets,
    problem_of,
    random_factuals,
    relu_net,
)

from ctsk import NearestGenerator
from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators.nearest.grids import nearest_on_grid, on_grid, round_to_grid

SPACING = np.array([0.5, 0.25])
AXES = [np.arange(-2, 2.01, step) for step in SPACING]


def gridded_box(factuals, spacing=SPACING, origin=0.0, **bounds):
    columns = torch.zeros(factuals.shape[1])
    columns[:2] = torch.as_tensor(spacing)
    return box_within(
        factuals, GROUPS, spacing=columns, origin=torch.full_like(columns, origin), **bounds
    )


def factuals_on_grid(n_rows, seed):
    factuals = random_factuals(GROUPS, n_rows, seed)
    steps = torch.as_tensor(SPACING).float()
    factuals[:, :2] = (factuals[:, :2] / steps).round() * steps
    return factuals


def search(net, factuals, box, costs, **settings):
    settings = {"tau": 0.6, "T": 100} | settings
    targets = opposite_targets(net, factuals)
    return NearestGenerator().search(net, factuals, targets, box, costs=costs, **settings)


def are_on_grid(numbers, origin=0.0):
    counts = (numbers.double().numpy() - origin) / SPACING
    return np.abs(counts - counts.round()) < 1e-4


def test_only_numbers_with_a_grid_go_to_its_nearest_number():
    problem = SimpleNamespace(
        spacing=torch.tensor([0.5, 0.0, 0.25]), origin=torch.tensor([0.1, 0.0, 0.0])
    )
    states = torch.tensor([[0.3, 0.3, 0.3], [0.4, -0.4, -0.4]])
    expected = torch.tensor([[0.1, 0.3, 0.25], [0.6, -0.4, -0.5]])
    torch.testing.assert_close(nearest_on_grid(problem, states), expected)


@pytest.mark.parametrize("costs", ["equal", "free", "by row"])
@pytest.mark.parametrize("origin", [0.0, 0.1])
def test_numbers_of_mature_rows_are_on_their_grids_or_the_factuals(costs, origin):
    net = relu_net(5, 3, seed=1)
    # Factuals off the grid, some of them outside their domain.
    factuals = 1.3 * random_factuals(GROUPS, 60)
    factuals[:, 2:] = factuals[:, 2:].sign()
    costs = {
        "equal": torch.tensor([1, 1, 0.5, 0.5, 0.5]),
        "free": torch.tensor([0, 1, 0.5, 0.5, 0.5]),
        "by row": torch.rand(60, 5, generator=torch.Generator().manual_seed(0)),
    }[costs]
    box = gridded_box(factuals, origin=origin)
    result = search(net, factuals, box, costs)
    numbers, originals = result.counterfactuals[:, :2], factuals[:, :2]
    is_kept = (numbers == originals).numpy()
    is_fine = is_kept | (are_on_grid(numbers, origin) & ((numbers >= -2) & (numbers <= 2)).numpy())
    assert is_fine[result.mature].all()
    assert result.mature.float().mean() > 0.8
    assert (~is_kept[result.mature]).mean() > 0.3


def test_costs_on_grids_are_close_to_brute_force():
    ratios, n_found, n_exist = [], 0, 0
    costs = torch.tensor([1, 1, 0.5, 0.5, 0.5])
    for seed in range(3):
        net, factuals = relu_net(5, seed=seed), factuals_on_grid(40, seed)
        result = search(net, factuals, gridded_box(factuals), costs)
        targets = opposite_targets(net, factuals)
        least = least_costs(net, factuals, targets, all_rows(GROUPS, AXES), costs, 0.6)
        found = costs_of(factuals, result.counterfactuals, costs)
        mature = result.mature.numpy()
        assert (found[mature] >= least[mature] - 1e-5).all()
        n_found, n_exist = n_found + mature.sum(), n_exist + np.isfinite(least).sum()
        ratios.append(found[mature] / least[mature])
    assert n_found >= 0.97 * n_exist
    assert np.median(np.concatenate(ratios)) <= 1.001
    assert np.quantile(np.concatenate(ratios), 0.9) <= 1.25


def test_bounds_of_moves_are_the_outermost_numbers_of_the_grid():
    factuals = torch.tensor([[0.1, 0.3, 1, 0, 0]])
    box = gridded_box(factuals, low=[-1.9, 0.26], high=[2.0, 0.49])
    low, high = on_grid(box, factuals)
    # The second column holds no grid number, so that its factual stays.
    torch.testing.assert_close(low[0, :2], torch.tensor([-1.5, 0.3]))
    torch.testing.assert_close(high[0, :2], torch.tensor([2.0, 0.3]))
    assert torch.equal(low[:, 2:], box.lower[:, 2:]) and torch.equal(high[:, 2:], box.upper[:, 2:])


@pytest.mark.parametrize("spacing", [[0.0, 0.0], [-0.5, 0.0]])
def test_columns_without_a_positive_spacing_have_no_grid(spacing):
    net, factuals = relu_net(5), random_factuals(GROUPS, 20)
    costs = torch.tensor([1, 1, 0.5, 0.5, 0.5])
    gridded = search(net, factuals, gridded_box(factuals, spacing), costs)
    free = search(net, factuals, box_within(factuals, GROUPS), costs)
    torch.testing.assert_close(gridded.counterfactuals, free.counterfactuals, atol=1e-3, rtol=0)


def test_order_of_rounding_does_not_depend_on_the_costs_of_other_rows():
    net, factuals = relu_net(5), factuals_on_grid(30, 0)
    costs = torch.rand(30, 5, generator=torch.Generator().manual_seed(0)) ** 3 + 0.01
    together = search(net, factuals, gridded_box(factuals), costs).counterfactuals
    alone = [
        search(net, factuals[[row]], gridded_box(factuals[[row]]), costs[[row]]).counterfactuals
        for row in range(0, 30, 10)
    ]
    torch.testing.assert_close(torch.cat(alone), together[::10], atol=1e-4, rtol=0)


def test_rounding_moves_no_further_feature_under_max_changes():
    net, factuals = relu_net(5, seed=1), factuals_on_grid(60, 0)
    box, costs = gridded_box(factuals, spacing=[0.5, 0.0]), torch.tensor([1, 1, 0.5, 0.5, 0.5])
    result = search(net, factuals, box, costs, max_changes=1)
    changed = result.counterfactuals != factuals
    n_changes = changed[:, :2].sum(dim=1) + changed[:, 2:].any(dim=1)
    assert (n_changes[result.mature] <= 1).all()
    assert result.mature.all()


@pytest.mark.parametrize("sign", [1, -1], ids=["rising", "falling"])
@pytest.mark.parametrize(
    ("high", "expected"),
    [
        # One step of the first number, which gains more, makes that of the second unnecessary.
        ([2.0, 2.0], [0.5, 0.0]),
        # Up to its bound, the first number has room for a single step, and then for none.
        ([0.5, 2.0], [0.5, 0.0]),
        ([0.0, 2.0], [0.0, 0.75]),
        ([0.0, 0.5], [0.0, 0.5]),
        ([0.0, 0.25], [0.0, 0.25]),
    ],
)
def test_whole_steps_within_the_bounds_pay_for_what_rounding_costs(high, expected, sign):
    net = torch.nn.Sequential(torch.nn.Linear(5, 2)).requires_grad_(False)
    net[0].weight.zero_()
    net[0].weight[1, :2] = sign * torch.tensor([1.0, 0.5])
    # At 0 and 0.25, the margin of class 1 falls short by a quarter.
    net[0].bias.copy_(torch.tensor([0.0, -0.375]))
    factuals = torch.tensor([[0.0, 0.0, 1, 0, 0]])
    # The bound of the other side, where the margin falls, leaves room for many steps.
    low, high = sorted([-2 * sign * np.ones(2), sign * np.array(high)], key=np.sum)
    box = gridded_box(factuals, low=low, high=high)
    problem, items = problem_of(
        net, factuals, torch.tensor([1]), box, costs=torch.tensor([1, 1, 0.5, 0.5, 0.5]), tau=0.5
    )
    items = items.at(torch.tensor([[0.0, sign * 0.25, 1, 0, 0]]))
    repaired, is_valid = round_to_grid(problem, items, torch.tensor([True]))
    assert (sign * repaired.states[0, :2]).tolist() == pytest.approx(expected, abs=1e-6)
    assert is_valid.item() == (expected[0] + expected[1] / 2 >= 0.375)


@pytest.mark.parametrize("seed", range(5))
def test_grid_number_at_a_bound_is_reached_whatever_the_rounding_errors(seed):
    random = np.random.default_rng(seed)
    groups = OneHotGroups(1)
    for _ in range(10):
        center, scale = random.normal(5, 3), random.uniform(0.1, 3)
        step = random.choice([0.1, 0.5, 1.0])
        first, last, start = (step * count for count in (0, 40, 20))
        low, high, factual = ((number - center) / scale for number in (first, last, start))
        net = torch.nn.Sequential(torch.nn.Linear(1, 2)).requires_grad_(False)
        # Only numbers within half a step of the upper bound are valid.
        net[0].weight.copy_(torch.tensor([[0.0], [4.0]]))
        net[0].bias.copy_(torch.tensor([0.0, -4 * (high - 0.5 * step / scale)]))
        factuals = torch.tensor([[factual]], dtype=torch.float32)
        spacing, origin = torch.tensor([step / scale]), torch.tensor([-center / scale])
        box = box_within(
            factuals, groups, low, high, spacing=spacing.float(), origin=origin.float()
        )
        settings = {"costs": torch.ones(1), "tau": 0.5, "T": 100}
        targets = torch.tensor([1])
        result = NearestGenerator().search(net, factuals, targets, box, **settings)
        assert result.mature.all()
        assert result.counterfactuals.item() == pytest.approx(high, abs=1e-5)
