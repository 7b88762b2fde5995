import torch
from nearest_problems import GROUPS, box_within, problem_of, random_factuals, relu_net

from ctsk.generators.nearest.starts import (
    brought_inside,
    nearest_prototypes,
    pools,
    random_points,
)

N_ROWS = 30


def problem_and_rows(tau=0.75, **settings):
    net = relu_net(5, 3)
    factuals = random_factuals(GROUPS, N_ROWS)
    targets = torch.arange(N_ROWS) % 3
    return problem_of(net, factuals, targets, box_within(factuals, GROUPS), tau=tau, **settings)


def test_pool_holds_the_prototypes_that_reach_tau_or_the_eight_of_highest_probability():
    problem, rows = problem_and_rows(tau=0.6)
    prototypes = random_factuals(GROUPS, 40, seed=3)
    pool_of = pools(problem, rows, prototypes)
    shares = problem.model(prototypes).softmax(dim=1)
    assert set(pool_of) == {0, 1, 2}
    for target, pool in pool_of.items():
        n_reached = int((shares[:, target] >= 0.6).sum())
        expected = shares[:, target].argsort(descending=True)[: max(n_reached, 8)]
        assert {tuple(row) for row in pool.tolist()} == {
            tuple(row) for row in prototypes[expected].tolist()
        }
    assert pools(problem, rows, prototypes[:0]) == {}


def test_nearest_prototypes_are_the_cheapest_to_reach_and_a_small_pool_repeats():
    problem, rows = problem_and_rows(costs=torch.tensor([1.0, 2.0, 0.5, 0.5, 0.5]))
    prototypes = random_factuals(GROUPS, 3, seed=3)
    pool_of = dict.fromkeys(range(3), prototypes)
    nearest = nearest_prototypes(problem, rows, pool_of, 5)
    costs = ((rows.factuals[:, None] - prototypes).abs() * rows.costs).sum(dim=2)
    order = costs.argsort(dim=1)
    torch.testing.assert_close(nearest, prototypes[order[:, [0, 1, 2, 0, 1]]])


def test_points_are_brought_into_the_box_with_one_reachable_category():
    problem, rows = problem_and_rows()
    high = rows.high.clone()
    # The second category cannot be reached, except by rows that have it.
    high[:, 3] = rows.factuals[:, 3]
    rows = type(rows)(
        rows.rows, rows.states, rows.factuals, rows.targets, rows.low, high, rows.costs
    )
    points = torch.tensor([[9.0, -9.0, 0.1, 0.6, 0.3]]).repeat(N_ROWS, 1)
    states = brought_inside(problem, rows, points)
    assert (states[:, :2] == torch.tensor([2.0, -2.0])).all()
    has_second = rows.factuals[:, 3] == 1
    expected = torch.where(has_second[:, None], torch.eye(3)[1], torch.eye(3)[2])
    assert torch.equal(states[:, 2:], expected)


def test_random_points_are_near_their_factual_where_the_domain_is_open():
    factuals = random_factuals(GROUPS, N_ROWS) + torch.tensor([500.0, -500, 0, 0, 0])
    box = box_within(factuals, GROUPS, -torch.inf, torch.inf)
    targets = torch.ones(N_ROWS, dtype=torch.int64)
    problem, rows = problem_of(relu_net(5), factuals, targets, box)
    points = random_points(problem, rows, 8, torch.Generator().manual_seed(0))
    moves = (points.states - points.factuals)[:, :2]
    assert (moves.abs() <= 10).all()
    assert 0.3 < (moves != 0).float().mean() < 0.7


def test_random_points_of_a_row_are_the_same_in_any_batch():
    problem, rows = problem_and_rows()
    together = random_points(problem, rows, 4, torch.Generator().manual_seed(0))
    alone = random_points(
        problem, rows.select(torch.tensor([7])), 4, torch.Generator().manual_seed(0)
    )
    assert torch.equal(alone.states, together.states[28:32])
    assert together.rows.tolist() == [row for row in range(N_ROWS) for _ in range(4)]
