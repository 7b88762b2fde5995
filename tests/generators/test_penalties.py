import math

import numpy as np
import pytest
import torch

from ctsk._columns.constraints import Box
from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators import GenericGenerator, Step
from ctsk.generators.penalties import energy_schedule, l1_distance, nearness, ridged_energy
from ctsk.generators.result import Batch


def test_l1_distance_sums_over_features_by_their_costs():
    rows, factuals = torch.tensor([[1.0, -2.0], [0.0, 0.5]]), torch.zeros(2, 2)
    step = Step(
        rows,
        factuals,
        targets=torch.tensor([0, 1]),
        energies=torch.zeros(2),
        costs=torch.tensor([1.0, 3.0]),
        t=1,
        T=5,
    )
    assert l1_distance(step).tolist() == [7.0, 1.5]


def test_l1_distance_has_the_sign_of_a_move_as_its_gradient_and_none_at_the_factual():
    rows = torch.tensor([[1e-20, -2.0, 0.0, 3e20]], requires_grad=True)
    costs = torch.tensor([1.0, 3.0, 5.0, 7.0])
    factuals, targets = torch.zeros(1, 4), torch.tensor([0])
    step = Step(rows, factuals, targets=targets, energies=torch.zeros(1), costs=costs, t=1, T=5)
    (gradients,) = torch.autograd.grad(l1_distance(step).sum(), rows)
    assert gradients.tolist() == [[1.0, -3.0, 0.0, 7.0]]


def test_ridged_energy_is_energy_plus_a_thousandth_of_its_square():
    assert ridged_energy(torch.tensor([-10.0, 20.0])).tolist() == pytest.approx([-9.9, 20.4])


@pytest.mark.parametrize(
    ("t", "T", "weight"),
    [
        (1, 50, 0.2 * 3**-0.9),
        (50, 50, 0.2 * 52**-0.9),
        (1, 30, 0.1 * 2**-0.9),
        (1, 1, 0.1 * 2**-0.9),
        (7, 12, 0.1 * 8**-0.9),
    ],
)
def test_energy_schedule_fades_and_never_vanishes(t, T, weight):
    assert energy_schedule(t, T) == pytest.approx(weight)


def test_nearness_counts_a_change_of_category_like_a_unit_of_a_number():
    rng = np.random.default_rng(0)
    rows, earlier = rng.normal(size=(4, 5)), rng.normal(size=(4, 2, 5))
    weights = np.array([1, 1, 0.5, 0.5, 0.5])
    distances = (np.abs(rows[:, None] - earlier) * weights).sum(axis=2)
    found = nearness(torch.tensor(rows), torch.tensor(earlier), OneHotGroups(2, (3,), (False,)))
    np.testing.assert_allclose(found, np.exp(-distances / 3).sum(axis=1))


def test_push_is_added_to_the_slopes_of_the_rows(linear):
    generator, groups = GenericGenerator(), OneHotGroups(3)
    states = torch.zeros(2, 3, dtype=torch.float64)
    earlier = torch.ones(2, 1, 3, dtype=torch.float64)
    targets, costs = torch.tensor([0, 1]), torch.ones(3, dtype=torch.float64)
    box = Box(states, states, groups)
    batch = Batch(torch.arange(2), None, states, states, targets, box, costs, earlier)
    logits = linear(states).detach()
    (of_logits, without), (same, pushed) = (
        generator.slopes(batch, logits, logits.log_softmax(1), 1, 5, groups, push)
        for push in (0.0, 2.0)
    )
    # Each column is a unit away, so that exp(-3 / 3) decays by a third of itself per unit.
    torch.testing.assert_close(pushed - without, torch.full_like(states, 2 * math.exp(-1) / 3))
    assert torch.equal(of_logits, same)
