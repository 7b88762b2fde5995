import numpy as np
import pytest
import torch

from ctsk import ECCCoGenerator
from ctsk.generators import Step

COSTS = np.array([1.0, 0.5, 0.0, 2.0])


def random_step(t, T):
    """Return a step of five rows, and its arrays."""
    random = np.random.default_rng(0)
    rows, factuals = random.normal(size=(2, 5, len(COSTS)))
    energies = 4 * random.normal(size=5)
    arrays = map(torch.tensor, (rows, factuals, np.array([0, 1, 0, 1, 1]), energies, COSTS))
    return Step(*arrays, t, T), rows, factuals, energies


@pytest.mark.parametrize(
    ("t", "T", "fading"),
    [(1, 50, 0.2 * 3**-0.9), (40, 50, 0.2 * 42**-0.9), (1, 5, 0.1 * 2**-0.9)],
)
@pytest.mark.parametrize("schedule", ["fading", "constant"])
def test_penalty_is_the_distance_and_the_energy_with_its_ridge(t, T, fading, schedule):
    step, rows, factuals, energies = random_step(t, T)
    generator = ECCCoGenerator(lambda_cost=0.7, lambda_energy=3.0, schedule=schedule)
    weight = 3.0 * (fading if schedule == "fading" else 1.0)
    expected = 0.7 * np.abs(rows - factuals) @ COSTS
    expected += weight * (energies + 1e-3 * energies**2)
    np.testing.assert_allclose(generator.penalty(step), expected, rtol=1e-12)


def test_nothing_has_to_be_learned():
    assert not ECCCoGenerator().must_learn
