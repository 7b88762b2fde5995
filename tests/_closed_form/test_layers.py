import pytest
import torch

from ctsk._closed_form.layers import Chain, split
from ctsk._torch.networks import MLP


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("hidden_layer_sizes", [(6,), (5, 7)])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_gradients_of_a_chain_are_those_of_autograd(activation, hidden_layer_sizes, dropout):
    random = torch.Generator().manual_seed(0)
    sizes = {"hidden_layer_sizes": hidden_layer_sizes, "dropout": dropout}
    net = MLP(4, 3, activation=activation, generator=random, **sizes).double().eval()
    first, others = split(net)
    outputs = first(torch.randn(20, 4, generator=random, dtype=torch.float64)).detach()
    slopes = torch.randn(20, 3, generator=random, dtype=torch.float64)
    outputs.requires_grad_()
    (expected,) = torch.autograd.grad((others(outputs) * slopes).sum(), outputs)
    with torch.no_grad():
        chain = Chain.of(others)
        logits, trace = chain.forward(outputs.t())
        found = chain.backward(slopes.t(), trace)
    torch.testing.assert_close(logits.t(), others(outputs).detach(), rtol=0, atol=1e-14)
    torch.testing.assert_close(found.t(), expected, rtol=0, atol=1e-14)


def relu_net(n_features):
    return torch.nn.Sequential(
        torch.nn.Linear(n_features, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2)
    )


class Shifted(torch.nn.ReLU):
    def forward(self, inputs):
        return super().forward(inputs - 1)


def layers(kind):
    """Return layers of which one, or their order, is not that of a chain."""
    _, relu, last = list(relu_net(3))
    if kind == "hook":
        relu.register_forward_hook(lambda module, inputs, output: 2 * output)
    if kind == "parametrized":
        last = torch.nn.utils.parametrizations.weight_norm(last)
    return {
        "other activation": [torch.nn.SiLU(), last],
        "overridden activation": [Shifted(), last],
        "hook": [relu, last],
        "dropout in training": [relu, torch.nn.Dropout(), last],
        "activation at the end": [relu, last, torch.nn.Tanh()],
        "two activations": [relu, torch.nn.Tanh(), last, torch.nn.Tanh()],
        "no bias": [relu, torch.nn.Linear(5, 2, bias=False)],
        "parametrized": [relu, last],
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "other activation",
        "overridden activation",
        "hook",
        "dropout in training",
        "activation at the end",
        "two activations",
        "no bias",
        "parametrized",
    ],
)
def test_other_layers_are_no_chain(kind):
    assert Chain.of(torch.nn.Sequential(*layers(kind))) is None


@pytest.mark.parametrize("position", [None, 0])
def test_a_model_with_a_hook_is_not_split(position):
    net = relu_net(3)
    part = net if position is None else net[position]
    part.register_forward_hook(lambda module, inputs, output: -output)
    rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    first, others = split(net)
    assert isinstance(first, torch.nn.Identity)
    assert torch.equal(others(first(rows)), net(rows))
