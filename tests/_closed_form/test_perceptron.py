import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctsk._closed_form.derivatives import Autograd, derivatives_of
from ctsk._closed_form.perceptron import Perceptron
from ctsk._torch.networks import ACTIVATIONS, MLP


def mlp(sizes, activation="relu", dropout=0.0, seed=0, n_features=4, n_classes=3):
    module = MLP(
        n_features,
        n_classes,
        hidden_layer_sizes=sizes,
        activation=activation,
        generator=torch.Generator().manual_seed(seed),
        dropout=dropout,
    ).double()
    for parameter in module.parameters():
        parameter.grad = torch.full_like(parameter, torch.nan)
    return module


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@given(
    sizes=st.lists(st.integers(1, 6), max_size=4),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    n_classes=st.integers(2, 5),
    n_rows=st.integers(1, 7),
    dropout=st.sampled_from([0.0, 0.4]),
    seed=st.integers(0, 1000),
)
def test_both_passes_agree_with_autograd(sizes, activation, n_classes, n_rows, dropout, seed):
    ours, theirs = (mlp(sizes, activation, dropout, seed, 4, n_classes) for _ in range(2))
    rows, slopes = draw(n_rows, 4, seed=seed), draw(n_rows, n_classes, seed=seed + 1)
    direct = draw(n_rows, 4, seed=seed + 2)

    perceptron = Perceptron(ours)
    logits, trace = perceptron.forward(rows)
    perceptron.compute_gradients(trace, slopes)
    theirs.zero_grad()
    expected = theirs(rows)
    expected.backward(slopes)
    torch.testing.assert_close(logits, expected.detach(), rtol=1e-12, atol=1e-12)
    for ours_part, part in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours_part.grad, part.grad, rtol=1e-12, atol=1e-12)

    ours.eval(), theirs.eval()
    for derivatives in (Perceptron(ours), Autograd(theirs)):
        logits, trace = derivatives.forward(rows)
        found = derivatives.row_gradients(trace, slopes, direct)
        leaf = rows.clone().requires_grad_()
        (gradients,) = torch.autograd.grad(theirs(leaf), leaf, slopes)
        torch.testing.assert_close(logits, theirs(rows).detach(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(found, gradients + direct, rtol=1e-12, atol=1e-12)


def test_relu_has_no_slope_at_zero():
    module = mlp((1,), n_features=1, n_classes=2)
    torch.nn.init.ones_(module[0].weight), torch.nn.init.zeros_(module[0].bias)
    perceptron = Perceptron(module)
    _, trace = perceptron.forward(torch.zeros(1, 1, dtype=torch.float64))
    slopes, direct = torch.ones(1, 2).double(), torch.zeros(1, 1).double()
    assert perceptron.row_gradients(trace, slopes, direct) == 0


class Doubled(MLP):
    def forward(self, rows):
        return 2 * super().forward(rows)


def hooked():
    module = mlp((3,))
    module[0].register_forward_hook(lambda module, args, output: 2 * output)
    return module


def subclass():
    generator = torch.Generator().manual_seed(0)
    return Doubled(4, 3, hidden_layer_sizes=(3,), activation="relu", generator=generator).double()


def tied():
    """Return a network with a layer that occurs twice, and has the sum of two gradients."""
    square = torch.nn.Linear(4, 4)
    relu = torch.nn.ReLU()
    return torch.nn.Sequential(square, relu, square, relu, torch.nn.Linear(4, 3)).double()


@pytest.mark.parametrize("build", [hooked, subclass, tied, lambda: torch.nn.Linear(4, 3).double()])
def test_modules_that_compute_something_else_are_differentiated_by_torch(build):
    module = build()
    derivatives = derivatives_of(module)
    assert isinstance(derivatives, Autograd)
    rows = draw(5, 4)
    assert torch.equal(derivatives.forward(rows)[0], module(rows))


def test_sequences_of_users_are_differentiated_in_closed_form():
    layers = torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)
    module = torch.nn.Sequential(*layers).double()
    derivatives = derivatives_of(module)
    assert isinstance(derivatives, Perceptron)
    rows = draw(6, 4)
    torch.testing.assert_close(derivatives.forward(rows)[0], module(rows).detach())


def test_updates_in_place_are_seen():
    module = mlp((3,))
    perceptron, rows = Perceptron(module), draw(5, 4)
    with torch.no_grad():
        module[0].weight.mul_(2)
    torch.testing.assert_close(perceptron.forward(rows)[0], module(rows).detach())
