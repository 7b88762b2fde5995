import torch

from ctsk._torch.energy import energy


def test_energy_is_minus_the_logit_of_the_class():
    logits = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert energy(logits, torch.tensor([2, 0])).tolist() == [-3.0, -4.0]
