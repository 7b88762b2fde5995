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

from ctsk._columns.constraints import Constraints
from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators.nearest import moves
from ctsk.generators.nearest.descent import buy, descend
from ctsk.generators.nearest.moves import (
    competitors,
    jump,
    prune,
    put_back,
    shrink,
    switch,
)
from ctsk.generators.nearest.progress import Progress


def random_items(n_rows=200, **settings):
    """Return a problem, its items at random states, and their validity."""
    net = relu_net(5)
    factuals = random_factuals(GROUPS, n_rows)
    targets = opposite_targets(net, factuals)
    problem, items = problem_of(net, factuals, targets, box_within(factuals, GROUPS), **settings)
    items = items.at(random_factuals(GROUPS, n_rows, seed=1))
    return problem, items, problem.margins(items) >= 0


MOVES = {
    "shrink": shrink,
    "put_back": put_back,
    "switch": lambda problem, items, is_valid: switch(
        problem, items, is_valid, 2, Progress(items.factuals, 2, False)
    ),
    "jump": lambda problem, items, is_valid: jump(
        problem, items, is_valid, 6, Progress(items.factuals, 6, False)
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves_keep_valid_items_valid_at_lower_prices_and_others_unchanged(name):
    problem, items, is_valid = random_items()
    moved = MOVES[name](problem, items, is_valid)
    assert torch.equal(moved.states[~is_valid], items.states[~is_valid])
    # Products of matrices of another number of rows differ in the last digits of a float32.
    assert (problem.margins(moved)[is_valid] >= -1e-5).all()
    assert (problem.prices(moved) <= problem.prices(items) + 1e-6).all()
    assert (problem.prices(moved) < problem.prices(items)).sum() > 10
    low, high = items.low, items.high
    assert ((moved.states >= low) & (moved.states <= high)).all()


def test_shrinking_ends_near_the_first_crossing_of_a_line_however_long_it_is():
    net = torch.nn.Sequential(torch.nn.Linear(1, 2)).requires_grad_(False)
    net[0].weight.copy_(torch.tensor([[-0.5], [0.5]]))
    net[0].bias.copy_(torch.tensor([25.0, -25.0]))
    groups = OneHotGroups(1)
    factuals = torch.zeros(2, 1)
    box = box_within(factuals, groups, -np.inf, np.inf)
    problem, items = problem_of(net, factuals, torch.tensor([1, 1]), box, tau=0.5)
    items = items.at(torch.tensor([[1e6], [60.0]]))
    shrunk = shrink(problem, items, torch.tensor([True, True]))
    assert (shrunk.states[:, 0] >= 50).all() and (shrunk.states[:, 0] <= 53).all()


def test_shrinking_leaves_special_values_without_a_number():
    groups = OneHotGroups(n_numeric=1, sizes=(2,), numbers=(0,))
    factuals = torch.tensor([[2.0, 1, 0]])
    free = torch.ones(3, dtype=torch.bool)
    low, high = torch.tensor([-2.0, 0, 0]), torch.tensor([2.0, 1, 1])
    constraints = Constraints(low, high, free, free, groups, fill=torch.tensor([0.5, 0, 0]))
    net = torch.nn.Sequential(torch.nn.Linear(3, 2)).requires_grad_(False)
    net[0].weight.copy_(torch.tensor([[0.0, 0, 0], [0.0, -1, 1]]))
    net[0].bias.zero_()
    box = constraints.box(factuals)
    problem, items = problem_of(net, factuals, torch.tensor([1]), box, tau=0.5)
    items = items.at(torch.tensor([[0.5, 0, 1]]))
    shrunk = shrink(problem, items, torch.tensor([True]))
    assert torch.equal(shrunk.states, items.states)


def test_pruning_orders_by_validity_then_changes_then_price_or_probability():
    problem, items, _ = random_items(n_rows=12)
    # The prices are far beyond what a float32 adds to a probability.
    items = items.repeat(6)
    states = random_factuals(GROUPS, 72, seed=2)
    states[:, 0] *= 1e5
    items = items.at(states)
    is_valid = torch.rand(72, generator=torch.Generator().manual_seed(3)) < 0.5
    n_changes = torch.randint(1, 4, (72,), generator=torch.Generator().manual_seed(4))
    prices, margins = problem.prices(items).numpy(), problem.margins(items).numpy()
    for changes in (None, n_changes):
        pruned, pruned_valid = prune(problem, items, is_valid, 4, changes)
        for row in range(12):
            idx = range(6 * row, 6 * row + 6)
            n = np.zeros(72) if changes is None else changes.numpy()
            valid = sorted((i for i in idx if is_valid[i]), key=lambda i: (n[i], prices[i]))
            invalid = sorted((i for i in idx if not is_valid[i]), key=lambda i: -margins[i])
            expected = [*valid, *invalid][:4]
            assert torch.equal(pruned.states[4 * row : 4 * row + 4], items.states[expected])
            assert pruned_valid[4 * row : 4 * row + 4].tolist() == is_valid[expected].tolist()


def test_an_item_that_is_equal_to_a_better_one_of_its_row_is_not_valid():
    problem, items, _ = random_items(n_rows=3)
    others = items.at(random_factuals(GROUPS, 3, seed=4))
    parts = [items, others, items, items.at(others.states)]
    everything = torch.ones(12, dtype=torch.bool)
    pruned, is_valid = prune(problem, type(items).interleaved(parts), everything, 4)
    for row in range(0, 12, 4):
        assert is_valid[row : row + 4].tolist() == [True, False, True, False]
        assert torch.equal(pruned.states[row], pruned.states[row + 1])
        assert torch.equal(pruned.states[row + 2], pruned.states[row + 3])


def test_competitors_are_all_items_that_a_descent_makes_one_of_the_cheapest():
    net, factuals = relu_net(5), random_factuals(GROUPS, 100)
    targets, box = net(factuals).argmax(dim=1), box_within(factuals, GROUPS)
    problem, items = problem_of(net, factuals, targets, box, tau=0.9)
    items = items.repeat(8)
    states = random_factuals(GROUPS, len(items), seed=2)
    # A change of category, which costs 1, is dearer than some moves of the numbers.
    states[:, :2] = items.factuals[:, :2] + states[:, :2] / 8
    items = items.at(states)
    is_valid = problem.margins(items) >= 0
    are_competitors = competitors(problem, items, is_valid, 2)
    assert 0.5 < are_competitors[is_valid].float().mean() < 0.95
    assert not are_competitors[~is_valid].any()
    states = [
        prune(problem, descend(problem, items, which, 6), is_valid, 2)[0].states
        for which in (is_valid, are_competitors)
    ]
    torch.testing.assert_close(*states, rtol=0, atol=1e-3)


def test_switching_tries_no_category_that_costs_more_than_the_numbers_can_give_back(monkeypatch):
    problem, items, is_valid = random_items()
    tried = []

    def bought(numbers, *args, **settings):
        tried.append(numbers.prices_of_categories)
        return buy(numbers, *args, **settings)

    monkeypatch.setattr(moves, "buy", bought)
    MOVES["switch"](problem, items, is_valid)
    assert tried and max(map(torch.max, tried)) < problem.prices(items)[is_valid].max()
    tried.clear()
    # At the factuals, numbers have no price that they could give back.
    MOVES["switch"](problem, items.at(items.factuals), torch.ones_like(is_valid))
    assert not tried
