import pytest
import torch

from ctsk.generators import Step
from ctsk.generators.penalties import energy_schedule, l1_distance, ridged_energy


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
