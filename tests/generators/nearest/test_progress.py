import numpy as np
import torch
from nearest_problems import (
    GROUPS,
    box_within,
    costs_of,
    opposite_targets,
    random_factuals,
    relu_net,
)

from ctsk import NearestGenerator
from ctsk.generators.nearest.problem import Items
from ctsk.generators.nearest.progress import Progress

COSTS = torch.tensor([1, 1, 0.5, 0.5, 0.5])


def search(net, factuals, **settings):
    settings = {"tau": 0.6, "T": 100, "return_path": True} | settings
    box = box_within(factuals, GROUPS)
    targets = opposite_targets(net, factuals)
    return NearestGenerator().search(net, factuals, targets, box, costs=COSTS, **settings)


def test_phases_share_the_rounds_and_spend_theirs_even_if_they_end_early():
    progress = Progress(torch.zeros(1, 2), 10, return_path=False)
    assert list(progress.rounds(3)) == [0, 1, 2]
    for _ in progress.rounds(5):
        break
    assert progress.n_spent == 8
    assert list(progress.rounds(5)) == [0, 1]
    assert list(progress.rounds(5)) == []
    assert list(progress.rounds(0)) == []


def items_at(states, rows):
    nothing = torch.zeros(len(rows), 1)
    return Items(torch.tensor(rows), torch.tensor(states), nothing, None, nothing, nothing, None)


def test_record_keeps_the_cheapest_valid_state_of_each_row_and_its_round():
    progress = Progress(torch.zeros(2, 1), 4, return_path=True)
    rounds = progress.rounds(4)
    next(rounds)
    items = items_at([[1.0], [2.0], [3.0], [4.0]], [0, 0, 1, 1])
    valid = torch.tensor([True, True, True, False])
    progress.record(items, valid, torch.tensor([5.0, 3.0, 9.0, 1.0]))
    next(rounds)
    next(rounds)
    progress.record(items, valid, torch.tensor([2.0, 4.0, 9.0, 1.0]))
    assert progress.n_iter.tolist() == [3, 1]
    assert progress.path[..., 0].tolist() == [[0, 2, 2, 1, 1], [0, 3, 3, 3, 3]]
    progress.restart(torch.tensor([1]))
    assert progress.path[..., 0].tolist() == [[0, 2, 2, 1, 1], [0, 0, 0, 0, 0]]
    finals, mature = torch.tensor([[7.0], [8.0]]), torch.tensor([True, False])
    progress.finish(torch.tensor([0, 1]), finals, mature)
    assert progress.n_iter.tolist() == [3, 4]
    assert progress.path[..., 0].tolist() == [[0, 2, 2, 7, 7], [0, 0, 0, 0, 8]]


def test_paths_start_at_the_factual_and_hold_valid_states_of_falling_prices():
    net, factuals = relu_net(5), random_factuals(GROUPS, 40)
    result, targets = search(net, factuals), opposite_targets(net, factuals)
    path = result.path
    assert torch.equal(path[:, 0], factuals)
    assert torch.equal(path[:, -1], result.counterfactuals)
    for row in range(40):
        states = path[row, 1 : int(result.n_iter[row]) + 1]
        states = states[(states != factuals[row]).any(dim=1)]
        shares = net(states).softmax(dim=1)[:, targets[row]]
        assert (shares >= 0.6).all()
        costs = costs_of(factuals[[row]], states, COSTS)
        assert (np.diff(costs) <= 1e-5).all()
        assert (path[row, int(result.n_iter[row]) :] == result.counterfactuals[row]).all()


def test_rounds_end_with_T_and_rows_at_tau_take_none():
    net, factuals = relu_net(5), random_factuals(GROUPS, 40)
    for T in (1, 3, 100):
        n_iter = search(net, factuals, T=T).n_iter
        assert ((n_iter > 0) & (n_iter <= T)).all()
    targets = net(factuals).argmax(dim=1)
    box = box_within(factuals, GROUPS)
    settings = {"costs": COSTS, "tau": 0.5, "T": 5, "return_path": True}
    result = NearestGenerator().search(net, factuals, targets, box, **settings)
    assert result.mature.all() and (result.n_iter == 0).all()
    assert torch.equal(result.counterfactuals, factuals)
    assert torch.equal(result.path, factuals[:, None].expand(-1, 6, -1))


def test_evaluations_of_the_model_grow_with_T_up_to_a_bound():
    net, factuals, n_rows = relu_net(5), random_factuals(GROUPS, 20), []

    def counted(rows):
        n_rows.append(len(rows))
        return net(rows)

    def evaluated(T):
        n_rows.clear()
        targets = opposite_targets(net, factuals)
        NearestGenerator().search(
            counted, factuals, targets, box_within(factuals, GROUPS), costs=COSTS, tau=0.6, T=T
        )
        return sum(n_rows)

    few, many, all_rounds = evaluated(1), evaluated(20), evaluated(100)
    assert few < many < all_rounds
    assert evaluated(10**6) == all_rounds
