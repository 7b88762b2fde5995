import copy
import gc
import pickle
import weakref

import pytest
import torch
from torch import nn

from ctsk._torch import copies
from ctsk._torch.copies import kept_copy
from ctsk._torch.networks import MLP

ROWS = torch.linspace(-1, 1, 12).reshape(4, 3)


def perceptron(**settings):
    generator = torch.Generator().manual_seed(0)
    settings = {"hidden_layer_sizes": (4,), "activation": "relu", **settings}
    return MLP(3, 2, generator=generator, **settings).eval()


@pytest.fixture
def module():
    return perceptron()


def zero_through_data(module):
    module[0].weight.data.zero_()


def zero_without_gradients(module):
    with torch.no_grad():
        module[2].bias.zero_()


def set_one_weight(module):
    module[2].weight.data[1, 3] = torch.nextafter(module[2].weight.data[1, 3], torch.tensor(9.0))


def load_weights(module):
    module.load_state_dict({name: w + 1 for name, w in module.state_dict().items()})


def replace_weights(module):
    module[0].weight = nn.Parameter(torch.ones(4, 3))


def replace_layer(module):
    module[1] = nn.GELU()


def append_layer(module):
    module.append(nn.Tanh())


def take_step(module):
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1, fused=True)
    module(ROWS).sum().backward()
    optimizer.step()


CHANGES = [
    zero_through_data, zero_without_gradients, set_one_weight, load_weights, replace_weights,
    replace_layer, append_layer, take_step,
]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_module_that_is_unchanged_has_one_copy_of_each_dtype(module, dtype):
    kept = kept_copy(module, dtype)
    assert kept_copy(module, dtype) is kept
    assert not kept.training
    assert {weights.dtype for weights in kept.parameters()} == {dtype}
    assert not any(weights.requires_grad for weights in kept.parameters())
    torch.testing.assert_close(kept(ROWS.to(dtype)), module(ROWS).to(dtype))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_copy_follows_every_change_of_its_module(module, change):
    before = kept_copy(module, torch.float64)(ROWS.double())
    change(module)
    expected = copy.deepcopy(module).double()(ROWS.double())
    assert not torch.equal(expected, before)
    assert torch.equal(kept_copy(module, torch.float64)(ROWS.double()), expected)


def test_a_layer_that_takes_the_place_of_an_equal_one_is_another():
    first, second = (nn.Linear(3, 3) for _ in range(2))
    module = nn.Sequential(first, second, first)
    kept_copy(module, torch.float32)
    module[2] = second
    assert torch.equal(kept_copy(module, torch.float32)(ROWS), module(ROWS))


def test_a_setting_of_a_layer_is_no_weight_but_counts():
    module = nn.Sequential(nn.Linear(3, 2), nn.LeakyReLU(0.1))
    kept_copy(module, torch.float32)
    module[1].negative_slope = 0.9
    assert torch.equal(kept_copy(module, torch.float32)(ROWS), module(ROWS))


def test_a_hook_is_called_by_the_next_copy(module):
    kept_copy(module, torch.float32)
    module.register_forward_hook(lambda module, rows, logits: logits + 1)
    assert torch.equal(kept_copy(module, torch.float32)(ROWS), module(ROWS))


def test_a_buffer_counts():
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()
    kept_copy(module, torch.float32)
    module[1].running_mean.fill_(2.0)
    assert torch.equal(kept_copy(module, torch.float32)(ROWS), module(ROWS))


def test_a_copy_that_was_changed_is_not_used_again(module):
    for change in (nn.Module.train, zero_through_data):
        kept = kept_copy(module, torch.float32)
        change(kept)
        assert kept_copy(module, torch.float32) is not kept
        assert torch.equal(kept_copy(module, torch.float32)(ROWS), module(ROWS))


class Counting(nn.Linear):
    """A layer that counts its calls, also in eval mode, as layers of users may."""

    def __init__(self):
        super().__init__(3, 2)
        self.n_calls = 0

    def forward(self, x):
        self.n_calls += 1
        return super().forward(x) * self.n_calls


@pytest.mark.parametrize("wrap", [lambda layer: layer, nn.Sequential], ids=["alone", "inside"])
def test_a_layer_of_a_user_is_copied_each_time(wrap):
    module = wrap(Counting())
    first, second = (kept_copy(module, torch.float32)(ROWS) for _ in range(2))
    assert torch.equal(first, second)


def test_random_masks_of_dropout_are_no_difference():
    module = perceptron(dropout=0.5)
    kept = kept_copy(module, torch.float32)
    torch.rand(3, generator=module[2].generator)
    assert kept_copy(module, torch.float32) is kept


def test_a_large_module_is_not_kept(module, monkeypatch):
    monkeypatch.setattr(copies, "_MOST_WEIGHTS", 10)
    assert kept_copy(module, torch.float32) is not kept_copy(module, torch.float32)


def test_a_copy_that_was_made_in_inference_mode_has_gradients(module):
    with torch.inference_mode():
        kept_copy(module, torch.float32)
    rows = ROWS.clone().requires_grad_()
    kept_copy(module, torch.float32)(rows).sum().backward()
    assert rows.grad.abs().sum() > 0


def test_copies_end_with_their_module_and_are_no_part_of_it():
    module = perceptron()
    pickled = pickle.dumps(module)
    kept = weakref.ref(kept_copy(module, torch.float32))
    assert pickle.dumps(module) == pickled
    twin = copy.deepcopy(module)
    assert kept_copy(twin, torch.float32) is not kept()
    del module
    gc.collect()
    assert kept() is None
