import numpy as np
import pytest
import torch
from torch import nn

from ctsk._modules import MLP, evaluating, forked_random_state, inference_copy


def mlp(hidden_layer_sizes=(5, 4), activation="relu", seed=0):
    return MLP(
        3,
        2,
        hidden_layer_sizes=hidden_layer_sizes,
        activation=activation,
        generator=torch.Generator().manual_seed(seed),
    )


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("identity", lambda z: z),
        ("logistic", lambda z: 1 / (1 + np.exp(-z))),
        ("tanh", np.tanh),
        ("relu", lambda z: np.maximum(z, 0)),
    ],
)
def test_mlp_computes_what_its_weights_say(activation, function):
    module = mlp(activation=activation).double()
    weights = [w.detach().numpy() for w in module.parameters()]
    X = np.random.default_rng(0).normal(size=(7, 3))
    hidden = function(X @ weights[0].T + weights[1])
    hidden = function(hidden @ weights[2].T + weights[3])
    expected = hidden @ weights[4].T + weights[5]
    np.testing.assert_allclose(module(torch.tensor(X)).detach(), expected, atol=1e-12)


def test_no_hidden_layers_is_a_linear_model():
    assert [type(layer).__mro__[1] for layer in mlp(())] == [nn.Linear]


def test_initial_weights_follow_torch_default_distribution():
    layer = MLP(400, 300, hidden_layer_sizes=(), activation="relu", generator=torch.Generator())[0]
    for weights in layer.parameters():
        assert weights.abs().max() <= 1 / 20
        assert weights.std().item() == pytest.approx(1 / 20 / 3**0.5, rel=0.1)


def test_initial_weights_come_from_the_generator_alone():
    before = torch.get_rng_state()
    same = [torch.cat([w.flatten() for w in mlp(seed=seed).parameters()]) for seed in (1, 1, 2)]
    assert torch.equal(same[0], same[1])
    assert not torch.equal(same[0], same[2])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("training", [True, False])
def test_evaluating_restores_the_mode(training):
    module = nn.Dropout().train(training)
    with pytest.raises(RuntimeError), evaluating(module):
        assert not module.training
        raise RuntimeError
    assert module.training is training


def test_inference_copy_leaves_the_module_alone():
    module = mlp().train()
    copy = inference_copy(module, torch.float64)
    assert not copy.training
    assert all(w.dtype == torch.float64 and not w.requires_grad for w in copy.parameters())
    assert module.training
    assert all(w.dtype == torch.float32 and w.requires_grad for w in module.parameters())


def test_forked_random_state_is_seeded_by_the_generator_and_restored():
    before = torch.get_rng_state()
    drawn = []
    for seed in (1, 1, 2):
        with forked_random_state(torch.Generator().manual_seed(seed), torch.device("cpu")):
            drawn.append(torch.rand(3))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(torch.get_rng_state(), before)
