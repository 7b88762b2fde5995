import copy

import pytest
import torch

from ctsk._closed_form.flat_update import FlatAdamW, FlatUpdate

AdamW = torch.optim.AdamW


def module():
    layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)).double()
    draws = torch.Generator().manual_seed(0)
    for parameter in layers.parameters():
        torch.nn.init.normal_(parameter, generator=draws)
    return layers


def optimizer_of(layers, **settings):
    biases = [layers[0].bias, layers[1].bias]
    weights = [layers[0].weight, layers[1].weight]
    groups = [{"params": biases, "weight_decay": 0.0}, {"params": weights}]
    return AdamW(groups, **{"lr": 0.1, "weight_decay": 0.3, "fused": True} | settings)


def descend(layers, update, n_steps, seed):
    """Take steps along random gradients."""
    draws = torch.Generator().manual_seed(seed)
    for _ in range(n_steps):
        for parameter in layers.parameters():
            gradient = torch.randn(parameter.shape, generator=draws, dtype=torch.float64)
            if parameter.grad is None:
                parameter.grad = gradient
            else:
                parameter.grad.copy_(gradient)
        update.step()


def assert_equal(ours, theirs, ours_optimizer, theirs_optimizer):
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    states = ours_optimizer.state_dict()["state"], theirs_optimizer.state_dict()["state"]
    for one, other in zip(states[0].values(), states[1].values(), strict=True):
        assert list(one) == list(other)
        for name in one:
            torch.testing.assert_close(one[name], other[name], rtol=1e-12, atol=1e-12)


def test_steps_are_those_of_adamw_with_its_groups_and_its_state():
    ours, theirs = module(), module()
    ours_optimizer, theirs_optimizer = optimizer_of(ours), optimizer_of(theirs)
    update = FlatUpdate.of(ours_optimizer)
    assert isinstance(update, FlatAdamW)
    descend(ours, update, 7, seed=0)
    update.finish()
    descend(theirs, theirs_optimizer, 7, seed=0)
    assert_equal(ours, theirs, ours_optimizer, theirs_optimizer)


@pytest.mark.parametrize("flat_first", [True, False])
def test_torch_and_flat_steps_continue_one_another(flat_first):
    ours, theirs = module(), module()
    ours_optimizer, theirs_optimizer = optimizer_of(ours), optimizer_of(theirs)
    for n_before, is_flat in ((3, flat_first), (4, not flat_first)):
        update = FlatUpdate.of(ours_optimizer) if is_flat else ours_optimizer
        descend(ours, update, n_before, seed=n_before)
        if is_flat:
            update.finish()
        descend(theirs, theirs_optimizer, n_before, seed=n_before)
    assert_equal(ours, theirs, ours_optimizer, theirs_optimizer)


def test_a_copy_of_the_module_shares_no_memory_with_the_buffers():
    layers = module()
    update = FlatUpdate.of(optimizer_of(layers))
    before = copy.deepcopy(layers)
    descend(layers, update, 1, seed=0)
    for now, then, fresh in zip(
        layers.parameters(), before.parameters(), module().parameters(), strict=True
    ):
        assert torch.equal(then, fresh) and not torch.equal(now, then)


@pytest.mark.parametrize(
    "settings",
    [{"amsgrad": True}, {"maximize": True}, {"fused": False}],
    ids=["amsgrad", "maximize", "not fused"],
)
def test_other_variants_are_left_to_torch(settings):
    ours, theirs = module(), module()
    update = FlatUpdate.of(optimizer_of(ours, **settings))
    assert type(update) is FlatUpdate
    descend(ours, update, 3, seed=0)
    descend(theirs, optimizer_of(theirs, **settings), 3, seed=0)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)


def test_groups_with_rates_of_their_own_and_schedules_are_left_to_torch():
    optimizer = optimizer_of(module())
    torch.optim.lr_scheduler.StepLR(optimizer, 1)
    assert type(FlatUpdate.of(optimizer)) is FlatUpdate
    optimizer = optimizer_of(module())
    optimizer.param_groups[0]["lr"] = 0.2
    assert type(FlatUpdate.of(optimizer)) is FlatUpdate


def test_a_gradient_that_a_callback_replaces_counts():
    layers = module()
    update = FlatUpdate.of(optimizer_of(layers))
    layers[0].weight.grad = torch.full_like(layers[0].weight, torch.inf)
    update.collect()
    assert not update.is_finite()
    layers[0].weight.grad.zero_()
    assert update.is_finite()


@pytest.mark.parametrize(("max_norm", "share"), [(1.0, 0.1), (100.0, 1.0)])
def test_gradients_are_clipped_as_a_whole(max_norm, share):
    layers = module()
    update = FlatUpdate.of(optimizer_of(layers))
    # 26 gradients whose squares add up to 100.
    before = [torch.full_like(part, 10 / 26**0.5) for part in layers.parameters()]
    for parameter, gradient in zip(layers.parameters(), before, strict=True):
        parameter.grad.copy_(gradient)
    update.clip(max_norm)
    for parameter, gradient in zip(layers.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.grad, share * gradient)


@pytest.mark.parametrize("name", ["register_step_pre_hook", "register_step_post_hook"])
def test_hooks_of_an_optimizer_are_called(name):
    layers, calls = module(), []
    optimizer = optimizer_of(layers)
    getattr(optimizer, name)(lambda *args: calls.append(1))
    descend(layers, FlatUpdate.of(optimizer), 2, seed=0)
    assert calls == [1, 1]
