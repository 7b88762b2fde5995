import math

import numpy as np
import pytest
import torch
from nearest_problems import GROUPS, box_within, problem_of, random_factuals, relu_net

from ctsk._columns.constraints import Constraints
from ctsk._columns.one_hot import OneHotGroups
from ctsk._torch.networks import MLP
from ctsk.generators.nearest.numbers import Numbers
from ctsk.generators.nearest.problem import Items, Problem, cheapest_of_each


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("tau", [0.2, 0.5, 0.9])
def test_margin_is_the_excess_of_the_logit_or_of_the_prediction(n_classes, tau):
    net = relu_net(5, n_classes)
    rows = random_factuals(GROUPS, 40).double()
    targets = torch.arange(40) % n_classes
    problem, items = problem_of(net.double(), rows, targets, box_within(rows, GROUPS), tau=tau)
    problem.slack = 0.01
    logits = net(rows).numpy()
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    own = shares[np.arange(40), targets]
    rivals = np.where(np.eye(n_classes)[targets] == 1, 0, shares).max(axis=1)
    others = np.where(np.eye(n_classes)[targets] == 1, 0, shares).sum(axis=1)
    expected = np.log(own / others) - math.log(tau / (1 - tau))
    if tau < 0.5:
        expected = np.minimum(expected, np.log(own / rivals))
    np.testing.assert_allclose(problem.margins(items), expected - 0.01, rtol=1e-10)


def test_gradients_that_do_not_exist_are_zero():
    def model(rows):
        steep = rows[:, :1].abs().sqrt()
        return torch.cat([steep, -steep], dim=1)

    rows = torch.zeros(3, 5)
    rows[:, 2] = 1
    problem, items = problem_of(
        model, rows, torch.ones(3, dtype=torch.int64), box_within(rows, GROUPS)
    )
    assert torch.equal(problem.slopes(items)[1], torch.zeros(3, 5))
    assert torch.equal(Numbers.of(problem, items).slopes()[1], torch.zeros(3, 2))


@pytest.mark.parametrize("by_row", [False, True])
def test_price_is_the_cost_and_that_of_the_distance_to_the_prototype(by_row):
    random = np.random.default_rng(0)
    states, factuals, prototypes = random.normal(size=(3, 6, 5))
    costs = random.random((6, 5)) if by_row else random.random(5)
    problem = Problem(relu_net(5), box_within(torch.zeros(6, 5), GROUPS), tau=0.5, lambda_data=0.7)
    tensors = map(torch.as_tensor, (states, factuals))
    items = Items(
        torch.arange(6), *tensors, None, None, None, torch.tensor(costs), torch.tensor(prototypes)
    )
    moves = costs * (np.abs(states - factuals) + 0.7 * np.abs(states - prototypes))
    np.testing.assert_allclose(problem.prices(items), moves.sum(axis=1))
    origin = 0.7 * costs * np.abs(factuals - prototypes)
    by_unit = np.stack([(moves - origin)[:, unit].sum(axis=1) for unit in ([0], [1], [2, 3, 4])])
    np.testing.assert_allclose(problem.prices_of_units(items, items.states), by_unit.T)


def random_items(n_rows, n_each, *, by_row, seed=0):
    """Return several items of each row, with prototypes and costs of their own if `by_row`."""
    random = torch.Generator().manual_seed(seed)
    n_items = n_rows * n_each
    states, factuals, low, high, costs, prototypes = torch.rand(
        6, n_items, 5, generator=random, dtype=torch.float64
    )
    rows = torch.arange(n_rows).repeat_interleave(n_each)
    own = (costs, prototypes) if by_row else (torch.arange(5.0), None)
    return Items(rows, states, factuals, rows % 2, low, high, *own)


def fields_of(items, *, by_row):
    """Return all tensors of some items; costs of all of them are left out unless `by_row`."""
    names = [name for name in Items.__slots__ if by_row or name not in ("costs", "prototypes")]
    return {name: getattr(items, name).numpy() for name in names}


@pytest.mark.parametrize("by_row", [False, True])
def test_selected_items_keep_everything_that_belongs_to_them(by_row):
    items = random_items(3, 2, by_row=by_row)
    idx = [4, 0, 4]
    selected, repeated = items.select(torch.tensor(idx)), items.repeat(2)
    for name, values in fields_of(items, by_row=by_row).items():
        np.testing.assert_array_equal(getattr(selected, name), values[idx])
        np.testing.assert_array_equal(getattr(repeated, name), np.repeat(values, 2, axis=0))
    if not by_row:
        assert selected.costs is repeated.costs is items.costs
        assert selected.prototypes is repeated.prototypes is None


@pytest.mark.parametrize("by_row", [False, True])
def test_items_of_several_parts_are_next_to_those_of_the_same_row(by_row):
    parts = random_items(3, 1, by_row=by_row), random_items(3, 2, by_row=by_row, seed=1)
    merged = Items.interleaved(parts)
    assert merged.rows.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    first, second = (fields_of(part, by_row=by_row) for part in parts)
    for name, values in fields_of(merged, by_row=by_row).items():
        np.testing.assert_array_equal(values[::3], first[name])
        np.testing.assert_array_equal(values[1::3], second[name][::2])
        np.testing.assert_array_equal(values[2::3], second[name][1::2])
    if not by_row:
        assert merged.costs is parts[0].costs and merged.prototypes is None


def test_items_move_where_a_mask_is_true_or_at_some_positions():
    items = random_items(2, 2, by_row=True)
    states = items.states + 1
    for moved, new in (
        (items.where(torch.tensor([True, False, False, True]), states), [0, 3]),
        (items.put(torch.tensor([3, 0]), states[[3, 0]]), [0, 3]),
        (items.at(states), [0, 1, 2, 3]),
        (items.put_numbers(torch.tensor([3, 0]), states[[3, 0]]), [0, 3]),
    ):
        is_new = np.isin(np.arange(4), new)
        expected = fields_of(items, by_row=True)
        expected["states"] = np.where(is_new[:, None], states, expected["states"])
        for name, values in expected.items():
            np.testing.assert_array_equal(getattr(moved, name), values)


def states_of_a_number():
    """Return groups, a model and a box: a number that may be missing or take a special value."""
    groups = OneHotGroups(n_numeric=1, sizes=(3,), numbers=(0,))
    factuals = torch.tensor([[1.5, 1, 0, 0], [0.0, 0, 1, 0]])
    low, high = torch.tensor([1.0, 0, 0, 0]), torch.tensor([2.0, 1, 0, 1])
    free = torch.ones(4, dtype=torch.bool)
    fill = torch.tensor([-0.25, 0, 0, 0])
    return factuals, Constraints(low, high, free, free, groups, fill=fill).box(factuals)


def test_numbers_follow_the_state_of_their_feature():
    factuals, box = states_of_a_number()
    targets = torch.ones(2, dtype=torch.int64)
    problem, items = problem_of(relu_net(4), factuals, targets, box)
    missing, special = torch.tensor([[0.0, 1, 0], [0.0, 0, 1]])
    number = torch.tensor([1.0, 0, 0])

    def settled(state, value):
        states = torch.cat([torch.full((2, 1), value), state.expand(2, 3)], dim=1)
        return problem.settle(items, states)[:, 0].tolist()

    assert settled(special, 1.7) == settled(missing, 1.7) == [-0.25, -0.25]
    # The first row returns to its number, the second one enters the domain.
    assert settled(number, -0.25) == [1.5, 1.0]
    assert settled(number, 1.75) == [1.75, 1.75]
    low, high = problem.bounds(items)
    assert (low.tolist(), high.tolist()) == ([[1.0], [0.0]], [[2.0], [0.0]])


def test_number_outside_its_domain_stays_or_enters_it_at_once():
    rows = torch.tensor([[3.0, 0, 1, 0, 0]])
    box = box_within(rows, GROUPS)
    problem, items = problem_of(relu_net(5), rows, torch.tensor([1]), box)
    assert [bound[0].tolist() for bound in problem.bounds(items)] == [[3, -2], [3, 2]]
    low, high = problem.bounds(items, enters=True)
    assert (low[0].tolist(), high[0].tolist()) == ([-2, -2], [2, 2])
    inside = items.at(torch.tensor([[2.0, 0, 1, 0, 0]]))
    assert [bound[0].tolist() for bound in problem.bounds(inside)] == [[-2, -2], [2, 2]]


def test_unknown_category_reaches_even_the_most_frequent_one():
    rows = torch.tensor([[0.0, 0, 0.7, 0.2, 0.1], [0.0, 0, 1, 0, 0]])
    problem, items = problem_of(relu_net(5), rows, torch.tensor([1, 1]), box_within(rows, GROUPS))
    reachable = problem.reachable(items, slice(2, 5))
    assert reachable.tolist() == [[True, True, True], [False, True, True]]


class Doubled(torch.nn.Linear):
    def forward(self, rows):
        return 2 * super().forward(rows)


class Negated(torch.nn.Sequential):
    def forward(self, rows):
        return -super().forward(rows)


@pytest.mark.parametrize(
    ("model", "is_split"),
    [
        (relu_net(5), True),
        (MLP(5, 2, hidden_layer_sizes=(3,), activation="tanh", generator=torch.Generator()), True),
        (torch.nn.Sequential(Doubled(5, 3), torch.nn.Linear(3, 2)), False),
        (Negated(torch.nn.Linear(5, 3), torch.nn.Linear(3, 2)), False),
        (torch.nn.Sequential(), False),
        (torch.nn.Linear(5, 2), False),
    ],
    ids=["sequential", "mlp", "other layer", "other order", "empty", "layer"],
)
def test_only_what_computes_like_linear_layers_is_split(model, is_split):
    rows = random_factuals(GROUPS, 3)
    problem = Problem(model, box_within(rows, GROUPS), tau=0.5, lambda_data=0.0)
    assert isinstance(problem.first_layer, torch.nn.Linear) == is_split
    torch.testing.assert_close(problem.other_layers(problem.first_layer(rows)), model(rows))


def test_cheapest_of_each_is_the_first_of_the_lowest_prices():
    numbers, prices = torch.tensor([4, 1, 4, 1, 7]), torch.tensor([3.0, 2.0, 3.0, 1.0, 9.0])
    assert cheapest_of_each(numbers, prices).tolist() == [3, 0, 4]
    assert cheapest_of_each(numbers[:0], prices[:0]).tolist() == []
