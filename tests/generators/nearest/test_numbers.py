import dataclasses

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

from ctsk.generators.nearest.numbers import Numbers

N_ROWS = 30


def problem_and_items(model, n_classes, **settings):
    net = relu_net(5, n_classes).double()
    net = Residual(net) if model == "residual" else net
    factuals = random_factuals(GROUPS, N_ROWS).double()
    box = box_within(factuals, GROUPS)
    problem, items = problem_of(net, factuals, opposite_targets(net, factuals), box, **settings)
    return problem, items.at(random_factuals(GROUPS, N_ROWS, seed=1).double())


@pytest.mark.parametrize("model", ["sequential", "residual"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("by_row", [False, True])
def test_numbers_have_the_margins_gradients_and_prices_of_their_items(model, n_classes, by_row):
    random = torch.Generator().manual_seed(2)
    shape = (N_ROWS, 5) if by_row else (5,)
    costs = torch.rand(shape, generator=random, dtype=torch.float64)
    problem, items = problem_and_items(model, n_classes, tau=0.3, costs=costs, lambda_data=0.7)
    if by_row:
        items = dataclasses.replace(items, prototypes=random_factuals(GROUPS, N_ROWS, 3).double())
    numbers = Numbers.of(problem, items)
    idx = torch.arange(N_ROWS - 1, 0, -2)
    for part, chosen in [(numbers, items), (numbers.select(idx), items.select(idx))]:
        values = 4 * torch.rand(len(part), 2, generator=random, dtype=torch.float64) - 2
        states = torch.cat([values, chosen.states[:, 2:]], dim=1).requires_grad_()
        expected = problem.margins(chosen, states)
        (gradients,) = torch.autograd.grad(expected.sum(), states)
        margins, slopes = part.at(values).slopes()
        torch.testing.assert_close(margins, expected.detach())
        torch.testing.assert_close(part.margins(values), expected.detach())
        torch.testing.assert_close(slopes, gradients[:, :2])
        torch.testing.assert_close(part.prices(values), problem.prices(chosen, states).detach())


def test_bounds_of_numbers_that_are_not_free_are_their_values():
    problem, items = problem_and_items("sequential", 2, costs=torch.ones(5).double())
    free = torch.tensor([True, False]).repeat(N_ROWS, 1)
    numbers = Numbers.of(problem, items, free)
    assert (numbers.low[:, 0] == -2).all() and (numbers.high[:, 0] == 2).all()
    assert torch.equal(numbers.low[:, 1], items.states[:, 1])
    assert torch.equal(numbers.high[:, 1], items.states[:, 1])
