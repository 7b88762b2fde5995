import numpy as np
import pytest
import torch
from nearest_problems import (
    GROUPS,
    Residual,
    box_within,
    opposite_targets,
    problem_of,
    random_factuals,
    relu_net,
)

from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators.nearest import single_changes
from ctsk.generators.nearest.progress import Progress
from ctsk.generators.nearest.single_changes import best_changes, climb
from ctsk.generators.nearest.starts import levers

DISTANCES = (0.5, 2.0)


@pytest.mark.parametrize("module", ["sequential", "residual"])
@pytest.mark.parametrize("by_row", [False, True])
def test_best_changes_equal_those_that_the_model_rates_directly(module, by_row):
    net = relu_net(5) if module == "sequential" else Residual(relu_net(5))
    factuals = random_factuals(GROUPS, 20)
    targets = opposite_targets(net, factuals)
    costs = torch.rand(20, 5, generator=torch.Generator().manual_seed(5)) + 0.5
    costs = costs if by_row else costs[0]
    problem, items = problem_of(net, factuals, targets, box_within(factuals, GROUPS), costs=costs)
    items = items.at(random_factuals(GROUPS, 20, seed=1))
    changes = best_changes(problem, items, DISTANCES, lambda reached, added: reached - 2 * added)
    prices = problem.prices(items)
    for row in range(20):
        item = items.select(torch.tensor([row]))
        for unit, columns in enumerate(([0], [1], [2, 3, 4])):
            trials = []
            for trial in range(2 * len(DISTANCES) if unit < 2 else 3):
                state = item.states.clone()
                if unit < 2:
                    step = DISTANCES[trial // 2] / item.costs.view(-1)[unit] * (-1) ** trial
                    state[:, unit] = (state[:, unit] + step).clamp(-2, 2)
                else:
                    state[:, columns] = torch.eye(3)[trial]
                if not torch.equal(state, item.states):
                    margin, price = problem.margins(item, state), problem.prices(item, state)
                    trials.append((margin - 2 * (price - prices[row]), state))
            best, state = max(trials, key=lambda pair: float(pair[0]))
            torch.testing.assert_close(changes.scores[row, unit], best[0], atol=1e-4, rtol=1e-4)
            applied = changes.applied(problem, items, torch.full((20,), unit))[row]
            torch.testing.assert_close(applied, state[0])


@pytest.mark.parametrize(("most", "expected"), [(300, 256), (1, 128), (10**6, 768)])
def test_hidden_units_that_are_computed_at_once_are_bounded(monkeypatch, most, expected):
    net, groups = relu_net(6, n_hidden=8), OneHotGroups(6)
    factuals = random_factuals(groups, 4)
    targets = opposite_targets(net, factuals)
    problem, items = problem_of(net, factuals, targets, box_within(factuals, groups))

    def changes():
        return best_changes(problem, items, DISTANCES, lambda reached, added: reached - added)

    unbounded, sizes = changes(), []
    net[1].register_forward_pre_hook(lambda module, args: sizes.append(args[0].numel()))
    monkeypatch.setattr(single_changes, "_MAX_ENTRIES", most)
    bounded = changes()
    # A column has 2 distances in 2 directions: 128 hidden units of 4 rows.
    assert max(sizes) == expected
    assert sum(sizes) == 6 * 128
    torch.testing.assert_close(bounded.scores, unbounded.scores)
    torch.testing.assert_close(bounded.values, unbounded.values)


def test_levers_are_single_changes_of_different_features():
    net = relu_net(5)
    factuals = random_factuals(GROUPS, 30)
    problem, items = problem_of(
        net, factuals, opposite_targets(net, factuals), box_within(factuals, GROUPS)
    )
    states = levers(problem, items, 3).states.view(30, 3, 5)
    changed = states != factuals[:, None]
    by_unit = torch.stack([changed[..., 0], changed[..., 1], changed[..., 2:].any(dim=2)], dim=2)
    assert (by_unit.sum(dim=1) == 1).all() and (by_unit.sum(dim=2) == 1).all()


def test_climb_raises_margins_until_they_are_valid():
    net = relu_net(5)
    factuals = random_factuals(GROUPS, 100)
    problem, items = problem_of(
        net, factuals, opposite_targets(net, factuals), box_within(factuals, GROUPS)
    )
    before = problem.margins(items)
    climbed = climb(problem, items, 8, Progress(factuals, 8, False))
    after = problem.margins(climbed)
    assert ((after > before) | (after == before)).all()
    assert (after >= 0).float().mean() > 0.8
    assert torch.equal(climbed.states[before >= 0], factuals[before >= 0])


def test_single_change_brings_a_number_into_its_domain():
    factuals = torch.tensor([[5.0, 0, 1, 0, 0]])
    problem, items = problem_of(
        relu_net(5), factuals, torch.tensor([1]), box_within(factuals, GROUPS)
    )
    changes = best_changes(problem, items, DISTANCES, lambda reached, _: reached)
    applied = changes.applied(problem, items, torch.tensor([0]))
    assert -2 <= float(applied[0, 0]) <= 2


def test_features_that_cannot_change_have_no_change():
    factuals = random_factuals(GROUPS, 10)
    box = box_within(factuals, GROUPS)
    lower, upper = factuals.clone(), factuals.clone()
    upper[:, 0] = 2
    box = type(box)(lower, upper, GROUPS)
    problem, items = problem_of(relu_net(5), factuals, torch.ones(10, dtype=torch.int64), box)
    changes = best_changes(problem, items, DISTANCES, lambda reached, _: reached)
    assert changes.scores.isfinite().tolist() == [[True, False, False]] * 10


def test_rows_of_categories_only_have_single_changes():
    groups = OneHotGroups(0, (2, 3))
    factuals = random_factuals(groups, 10)
    net = relu_net(5)
    problem, items = problem_of(
        net, factuals, torch.ones(10, dtype=torch.int64), box_within(factuals, groups)
    )
    changes = best_changes(problem, items, DISTANCES, lambda reached, _: reached)
    best = [
        max(
            float(problem.margins(items.select(torch.tensor([row])), state[None]))
            for category in np.eye(2)
            if not np.array_equal(category, factuals[row, :2])
            for state in [torch.cat([torch.tensor(category).float(), factuals[row, 2:]])]
        )
        for row in range(10)
    ]
    np.testing.assert_allclose(changes.scores[:, 0], best, rtol=1e-4)
