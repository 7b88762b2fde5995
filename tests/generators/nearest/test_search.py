import dataclasses

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
    random_factuals,
    relu_net,
)

from ctsk import NearestGenerator
from ctsk._columns.constraints import Box, Constraints
from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators.nearest import search as search_module

COSTS = torch.tensor([1, 1, 0.5, 0.5, 0.5])
N_ROWS = 30
AXIS = np.linspace(-2, 2, 121)


def search(net, factuals, box=None, targets=None, generator=None, **settings):
    settings = {"costs": COSTS, "tau": 0.6, "T": 100} | settings
    box = box_within(factuals, GROUPS) if box is None else box
    targets = opposite_targets(net, factuals) if targets is None else targets
    return (generator or NearestGenerator()).search(net, factuals, targets, box, **settings)


def shares_of(net, rows, targets):
    return net(rows).softmax(dim=1).gather(1, targets[:, None])[:, 0]


class Scaled(torch.nn.Module):
    """A module that is no Sequential."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, rows):
        return self.net(rows) / (1 + rows[:, :1].square())


def excesses_over_brute_force(net, seed, tau):
    """Return by which share the costs of rows exceed those of brute force, where it finds a row."""
    factuals = random_factuals(GROUPS, N_ROWS, seed)
    targets = opposite_targets(net, factuals)
    least = least_costs(net, factuals, targets, all_rows(GROUPS, [AXIS, AXIS]), COSTS, tau)
    result = search(net, factuals, tau=tau)
    mature, found = result.mature.numpy(), costs_of(factuals, result.counterfactuals, COSTS)
    shares = shares_of(net, result.counterfactuals, targets)
    exists = np.isfinite(least)
    assert (shares[result.mature] >= tau - 1e-4).all()
    assert mature[exists].all()
    # The brute force misses the optimum by the width of its grid in two directions at most.
    assert (found >= least - 2 * (AXIS[1] - AXIS[0]))[exists].all()
    return (found[exists] - least[exists]) / np.maximum(least[exists], 0.1)


@pytest.mark.parametrize(("n_classes", "tau"), [(2, 0.5), (2, 0.75), (3, 0.3)])
def test_costs_of_relu_nets_are_those_of_brute_force(n_classes, tau):
    nets = [relu_net(5, n_classes, seed=seed) for seed in range(6)]
    excesses = [excesses_over_brute_force(net, seed, tau) for seed, net in enumerate(nets)]
    assert np.mean(np.concatenate(excesses) <= 0.01) >= 0.95


@pytest.mark.parametrize("model", ["tanh", "module"])
def test_costs_of_other_modules_are_close_to_those_of_brute_force(model):
    nets = [
        Scaled(relu_net(5, seed=seed))
        if model == "module"
        else relu_net(5, 3, seed=seed, activation=torch.nn.Tanh)
        for seed in range(4)
    ]
    excesses = [excesses_over_brute_force(net, seed, 0.6) for seed, net in enumerate(nets)]
    assert np.quantile(np.concatenate(excesses), 0.9) <= 0.05


@pytest.mark.parametrize("by_row", [False, True])
def test_costs_of_columns_and_rows_count(by_row):
    costs = torch.rand(N_ROWS, 5, generator=torch.Generator().manual_seed(0)) + 0.05
    costs = costs if by_row else torch.tensor([0.0, 1.0, 0.5, 0.5, 0.5])
    net, factuals = relu_net(5, seed=2), random_factuals(GROUPS, N_ROWS)
    targets = opposite_targets(net, factuals)
    least = least_costs(net, factuals, targets, all_rows(GROUPS, [AXIS, AXIS]), costs, 0.6)
    result = search(net, factuals, costs=costs)
    found = costs_of(factuals, result.counterfactuals, costs)
    assert result.mature.all()
    assert np.mean(found <= 1.01 * least + 0.005) >= 0.95
    assert (found >= least - 0.05 * costs.max().item()).all()


@pytest.mark.parametrize("sizes", [(2,), (3, 2, 4)])
def test_rows_of_categories_only_are_optimal(sizes):
    groups = OneHotGroups(0, sizes)
    costs = torch.rand(groups.n_columns, generator=torch.Generator().manual_seed(1))
    n_exist = 0
    for seed in range(4):
        net, factuals = relu_net(groups.n_columns, seed=seed), random_factuals(groups, N_ROWS)
        targets = opposite_targets(net, factuals)
        least = least_costs(net, factuals, targets, all_rows(groups, []), costs, 0.6)
        result = search(net, factuals, box_within(factuals, groups), costs=costs)
        exists = np.isfinite(least)
        assert (result.mature.numpy() == exists).all()
        found = costs_of(factuals, result.counterfactuals, costs)
        np.testing.assert_allclose(found[exists], least[exists], atol=1e-5)
        n_exist += exists.sum()
    assert n_exist > 0


@pytest.mark.parametrize(
    ("T", "settings"),
    [(1, {}), (5, {"tau": 0.8}), (9, {"tau": 0.8}), (20, {"sparse": True}), (100, {"tau": 0.8})],
)
def test_rows_do_not_depend_on_others_in_their_batch(T, settings):
    net, factuals = relu_net(5, 3, seed=0), random_factuals(GROUPS, N_ROWS)

    def accept(states, idx):
        # Rows with a small first number are rejected at first, so that they need more slack,
        # beside others that do not.
        n_calls[idx] += 1
        return (n_calls[idx] > 2) | (factuals[first + idx, 0] > 0)

    first, n_calls = 0, torch.zeros(N_ROWS)
    together = search(net, factuals, T=T, accept=accept, **settings)
    for first in range(0, N_ROWS, 6):
        n_calls = torch.zeros(1)
        alone = search(net, factuals[[first]], T=T, accept=accept, **settings)
        for name in ("counterfactuals", "mature", "refused"):
            torch.testing.assert_close(
                getattr(alone, name)[0], getattr(together, name)[first], atol=1e-3, rtol=0
            )


def test_parts_of_a_batch_are_searched_like_the_batch(monkeypatch):
    net, factuals = relu_net(5), random_factuals(GROUPS, N_ROWS)
    seen = []

    def accept(states, idx):
        seen.append(idx)
        return (states[:, 1] - factuals[idx, 1]).abs() < 1.5

    settings = {"accept": accept, "epsilon": 0.1, "return_path": True}
    at_once = search(net, factuals, **settings)
    monkeypatch.setattr("ctsk.generators.nearest.generator._AT_ONCE", 18 * 5 * 7)
    in_parts = search(net, factuals, **settings)
    for name in ("counterfactuals", "mature", "nascent", "refused"):
        torch.testing.assert_close(
            getattr(in_parts, name), getattr(at_once, name), atol=1e-4, rtol=0
        )
    assert set(torch.cat(seen).tolist()) == set(range(N_ROWS))
    assert in_parts.path.shape == at_once.path.shape == (N_ROWS, 101, 5)


def test_rejected_rows_are_searched_with_more_slack():
    net, factuals = relu_net(5), random_factuals(GROUPS, N_ROWS)
    targets = opposite_targets(net, factuals)

    def accept(states, idx):
        return shares_of(net, states, targets[idx]) >= 0.605

    strict, loose = search(net, factuals, accept=accept), search(net, factuals)
    assert loose.mature.all() and strict.mature.all()
    assert (shares_of(net, loose.counterfactuals, targets) < 0.605).float().mean() > 0.8
    assert (shares_of(net, strict.counterfactuals, targets) >= 0.605).all()


def test_rows_that_are_always_rejected_are_refused_at_states_that_reach_tau():
    net, factuals = relu_net(5), random_factuals(GROUPS, N_ROWS)
    targets, states_seen = opposite_targets(net, factuals), []

    def accept(states, idx):
        states_seen.append(states)
        return idx % 2 == 0

    result = search(net, factuals, accept=accept)
    assert result.mature.tolist() == [True, False] * (N_ROWS // 2)
    assert torch.equal(result.refused, ~result.mature)
    assert (shares_of(net, result.counterfactuals, targets) >= 0.6 - 1e-4).all()
    # Two candidates at each of three slacks, and nothing else, are checked.
    assert sum(map(len, states_seen)) <= N_ROWS * 2 * len(search_module._SLACKS)


def test_rows_without_a_counterfactual_end_at_their_highest_probability():
    net, factuals = relu_net(5, seed=3), random_factuals(GROUPS, N_ROWS)
    targets = opposite_targets(net, factuals)
    candidates = torch.as_tensor(all_rows(GROUPS, [AXIS[::4], AXIS[::4]])).float()
    highest = net(candidates).softmax(dim=1).amax(dim=0)[targets]
    result = search(net, factuals, tau=0.999999)
    is_lost = ~result.mature & (highest < 0.999999)
    assert is_lost.any() and not result.refused[is_lost].any()
    logits = torch.logit(shares_of(net, result.counterfactuals, targets))[is_lost]
    assert (logits >= torch.logit(highest)[is_lost] - 0.5).float().mean() > 0.8
    low, high = factuals.clamp(max=-2), factuals.clamp(min=2)
    numbers = result.counterfactuals[:, :2]
    assert ((numbers >= low[:, :2]) & (numbers <= high[:, :2])).all()


def test_further_counterfactuals_keep_their_distance_from_earlier_ones():
    net, factuals = relu_net(5), random_factuals(GROUPS, N_ROWS)
    first = search(net, factuals).counterfactuals
    result = search(net, factuals, earlier=first[:, None])
    distances = ((result.counterfactuals - first).abs() * COSTS).sum(dim=1)
    assert result.mature.any()
    assert (distances[result.mature] >= 0.1 - 1e-6).all()
    # Also where the factual has reached tau.
    settings = {"targets": net(factuals).argmax(dim=1), "tau": 0.5}
    repeated = search(net, factuals, earlier=factuals[:, None], **settings)
    distances = ((repeated.counterfactuals - factuals).abs() * COSTS).sum(dim=1)
    assert (distances[repeated.mature] >= 0.1 - 1e-6).all()


def test_numbers_outside_their_domain_stay_or_end_inside():
    net, factuals = relu_net(5), random_factuals(GROUPS, N_ROWS)
    factuals[:, 0] = 3 + factuals[:, 0].abs()
    result = search(net, factuals)
    numbers = result.counterfactuals[:, 0]
    assert result.mature.all()
    is_kept = numbers == factuals[:, 0]
    assert (is_kept | ((numbers >= -2) & (numbers <= 2))).all()
    assert is_kept.any() and not is_kept.all()


def test_held_features_do_not_move_although_others_are_outside_their_domain():
    net, factuals = relu_net(5), random_factuals(GROUPS, N_ROWS)
    # The first number is outside its domain, and the category is unknown.
    factuals[:, 0] = 3
    factuals[:, 2:] = torch.tensor([0.7, 0.2, 0.1])
    box = box_within(factuals, GROUPS)
    assert box.low is not None
    for held in ([0], [1], [2, 3, 4]):
        lower, upper = box.lower.clone(), box.upper.clone()
        lower[:, held] = upper[:, held] = factuals[:, held]
        held_box = dataclasses.replace(box, lower=lower, upper=upper)
        states = search(net, factuals, held_box).counterfactuals
        assert torch.equal(states[:, held], factuals[:, held])
        assert (states != factuals).any()


def test_missing_numbers_and_unknown_categories_stay_or_are_left_for_what_is_reachable():
    groups = OneHotGroups(n_numeric=2, sizes=(3, 3), numbers=(None, 0))
    factuals = random_factuals(groups, N_ROWS)
    # Unknown categories are coded by shares; the number of the first column is missing.
    shares = torch.tensor([0.7, 0.2, 0.1])
    factuals[::2, 2:5] = shares
    factuals[:, 5:] = torch.eye(3)[torch.arange(N_ROWS) % 3]
    is_missing = factuals[:, 5] == 0
    factuals[is_missing, 0] = 0.25
    low = torch.tensor([0.5, -2, *[0] * 6])
    # The number, and the special value of the last column, can be reached, a gap cannot.
    high = torch.tensor([2.0, 2, 1, 1, 1, 1, 0, 1])
    free, fill = torch.ones(8, dtype=torch.bool), torch.tensor([0.25, *[0] * 7])
    net = relu_net(8, seed=1)
    box = Constraints(low, high, free, free, groups, fill=fill).box(factuals)
    costs = torch.tensor([1, 1, *[0.5] * 6])
    result = search(net, factuals, box, costs=costs, tau=0.9)
    states = result.counterfactuals
    assert result.mature.float().mean() > 0.9
    has_number = states[:, 5] == 1
    assert (states[~has_number, 0] == 0.25).all()
    is_kept = states[:, 0] == factuals[:, 0]
    assert (is_kept | ((states[:, 0] >= 0.5) & (states[:, 0] <= 2)))[has_number].all()
    assert (states[has_number & is_missing, 0] >= 0.5).all()
    for columns in (slice(2, 5), slice(5, 8)):
        is_own = (states[:, columns] == factuals[:, columns]).all(dim=1)
        is_hard = states[:, columns].sort(dim=1).values.eq(torch.tensor([0.0, 0, 1])).all(dim=1)
        assert (is_own | is_hard).all()
    assert ((states[:, 6] == 0) | (factuals[:, 6] == 1)).all()
    changed = (states != factuals)[::2, 2:5].any(dim=1)
    assert changed.any() and not changed.all()


@pytest.mark.parametrize("far", [20.0, 200.0])
def test_boundaries_far_away_in_an_open_domain_are_found_at_their_cost(far):
    net = torch.nn.Sequential(torch.nn.Linear(2, 2)).requires_grad_(False)
    net[0].weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.5]]))
    net[0].bias.copy_(torch.tensor([0.0, -far]))
    groups = OneHotGroups(2)
    factuals = random_factuals(groups, 10)
    box = box_within(factuals, groups, -np.inf, np.inf)
    costs, targets = torch.ones(2), torch.ones(10, dtype=torch.int64)
    result = search(net, factuals, box, targets, costs=costs, tau=0.5)
    least = (far - factuals[:, 0] - factuals[:, 1] / 2).numpy()
    assert result.mature.all()
    np.testing.assert_allclose(costs_of(factuals, result.counterfactuals, costs), least, rtol=1e-3)


@pytest.mark.parametrize("n_rows", [0, 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_of_any_size_and_precision_are_searched(n_rows, dtype):
    net, factuals = relu_net(5).to(dtype), random_factuals(GROUPS, n_rows).to(dtype)
    box = box_within(factuals, GROUPS).to_tensors(dtype=dtype, device="cpu")
    settings = {"costs": COSTS.to(dtype), "return_path": True, "epsilon": 0.3}
    result = search(net, factuals, box, **settings)
    assert result.counterfactuals.shape == result.nascent.shape == (n_rows, 5)
    assert result.path.shape == (n_rows, 101, 5)
    assert result.counterfactuals.dtype == result.path.dtype == dtype
    assert result.mature.shape == result.refused.shape == result.n_iter.shape == (n_rows,)


@pytest.mark.parametrize("lambda_data", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("n_starts", [4, 18])
def test_price_of_prototypes_draws_toward_them(lambda_data, n_starts):
    net, factuals = relu_net(5), random_factuals(GROUPS, N_ROWS)
    prototypes = random_factuals(GROUPS, 30, seed=5)
    # A prototype that occurs twice is no problem.
    plain, drawn = (NearestGenerator(lambda_data=x, n_starts=n_starts) for x in (0.0, lambda_data))
    plain.prototypes_ = drawn.prototypes_ = torch.cat([prototypes, prototypes])
    near, nearer = (search(net, factuals, generator=g, tau=0.5) for g in (plain, drawn))
    assert near.mature.all() and nearer.mature.all()

    def distances(result):
        moves = (result.counterfactuals[:, None] - prototypes).abs() * COSTS
        return moves.sum(dim=2).amin(dim=1).mean()

    assert distances(nearer) < distances(near)
    costs = [costs_of(factuals, each.counterfactuals, COSTS).mean() for each in (near, nearer)]
    assert costs[0] < costs[1]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_that_cannot_reach_tau_still_reach_the_decision(n_classes):
    # Temperature makes tau unreachable, and leaves the predictions as they are.
    net = relu_net(5, seed=3, n_classes=n_classes)
    cool = torch.nn.Sequential(*net[:-1], _scaled(net[-1], 0.01))
    factuals = random_factuals(GROUPS, N_ROWS)
    targets = opposite_targets(net, factuals)
    at_decision = search(cool, factuals, targets=targets, tau=0.501 if n_classes == 2 else 0.335)
    result = search(cool, factuals, targets=targets, tau=0.9)
    exists = cool(at_decision.counterfactuals).argmax(dim=1) == targets
    assert exists.any() and not result.mature.any()
    assert (cool(result.counterfactuals).argmax(dim=1) == targets)[exists].all()


def _scaled(layer, factor):
    scaled = torch.nn.Linear(layer.in_features, layer.out_features)
    with torch.no_grad():
        scaled.weight.copy_(layer.weight * factor)
        scaled.bias.copy_(layer.bias * factor)
    return scaled


def test_rows_that_cannot_move_are_judged_once_and_take_no_round():
    net, factuals = relu_net(5), random_factuals(GROUPS, N_ROWS)
    box, n_evaluated = box_within(factuals, GROUPS), 0
    is_held = torch.arange(N_ROWS) % 3 == 0
    held = dataclasses.replace(
        box,
        lower=torch.where(is_held[:, None], factuals, box.lower),
        upper=torch.where(is_held[:, None], factuals, box.upper),
    )
    targets = opposite_targets(net, factuals)
    result, free = search(net, factuals, held, targets), search(net, factuals, box, targets)
    assert torch.equal(result.counterfactuals[is_held], factuals[is_held])
    assert not result.mature[is_held].any()
    assert (result.n_iter[is_held] == 0).all()
    assert torch.equal(result.mature[~is_held], free.mature[~is_held])
    states = (result.counterfactuals[~is_held], free.counterfactuals[~is_held])
    torch.testing.assert_close(*states, rtol=0, atol=1e-3)

    def count(module, inputs, output):
        nonlocal n_evaluated
        n_evaluated += len(output)

    with net.register_forward_hook(count):
        search(net, factuals[is_held], held.of_each(lambda part: part[is_held]), targets[is_held])
    assert n_evaluated == is_held.sum()


def test_a_row_moves_to_the_only_number_of_a_domain_to_which_it_does_not_belong():
    factuals = torch.zeros(1, 2)
    net = torch.nn.Linear(2, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.0, 0.0], [5.0, 0.0]]))
        net.bias.copy_(torch.tensor([1.0, 0.0]))
    point, groups = torch.tensor([[2.0, 0.0]]), OneHotGroups(2)
    box = Box(torch.zeros(1, 2), point, groups, low=point, high=point)
    result = search(net, factuals, box, torch.tensor([1]), costs=torch.ones(2))
    assert result.mature.item()
    assert result.counterfactuals.tolist() == [[2.0, 0.0]]


def test_a_target_of_three_classes_is_predicted_where_tau_cannot_be_reached():
    """Its probability is largest, 0.45, where another class is predicted."""

    class Rivals(torch.nn.Module):
        def forward(self, rows):
            x = rows[:, :1]
            return torch.cat([0 * x, 0.05 + 1.95 * x, 2.1 * x], dim=1)

    factuals = torch.tensor([[-1.0]])
    box = Box(torch.tensor([[-1.0]]), torch.tensor([[1.0]]), OneHotGroups(1))
    result = NearestGenerator().search(
        Rivals(), factuals, torch.tensor([1]), box, costs=torch.ones(1), tau=0.5, T=50
    )
    assert not result.mature.any()
    assert Rivals()(result.counterfactuals).argmax() == 1
