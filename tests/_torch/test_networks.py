import pickle

import numpy as np
import pytest
import torch
from torch import nn

from ctsk._columns.one_hot import OneHotGroups
from ctsk._torch.networks import MLP, VAE
from ctsk._torch.utils import evaluating, forked_random_state, inference_copy


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


def test_dropout_zeroes_hidden_units_in_training_only():
    module = MLP(
        1, 2, hidden_layer_sizes=(1000,), activation="identity", dropout=0.3,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    hidden, dropout = module[0], module[2]
    X = torch.ones(1, 1)
    values = dropout(hidden(X)) / hidden(X)
    levels = values.detach().unique()
    assert levels[0] == 0
    assert levels[1:].tolist() == pytest.approx([1 / 0.7] * (len(levels) - 1))
    assert (values == 0).float().mean().item() == pytest.approx(0.3, abs=0.05)
    assert torch.equal(dropout.eval()(hidden(X)), hidden(X))


def test_masks_of_dropout_come_from_the_generator_alone():
    before = torch.get_rng_state()
    modules = [
        MLP(
            2, 2, hidden_layer_sizes=(50,), activation="relu", dropout=0.5,
            generator=torch.Generator().manual_seed(seed),
        )
        for seed in (1, 1, 2)
    ]  # fmt: skip
    first, same, other = (module(torch.ones(1, 2)) for module in modules)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_module_with_dropout_can_be_copied_and_pickled():
    module = MLP(
        2, 2, hidden_layer_sizes=(5,), activation="relu", dropout=0.5, generator=torch.Generator()
    )
    X = torch.ones(3, 2)
    for clone in (inference_copy(module, torch.float32), pickle.loads(pickle.dumps(module))):
        assert torch.equal(clone.eval()(X), module.eval()(X))


@pytest.fixture
def vae():
    """Two numbers, then categories of three and of two; linear, so that it is easily recomputed."""
    rng = np.random.default_rng(0)
    words = [np.eye(size)[rng.integers(0, size, 30)] for size in (3, 2)]
    rows = torch.tensor(np.hstack([rng.normal([5, -1], [2, 0.1], (30, 2)), *words]))
    module = VAE(
        rows,
        OneHotGroups(2, (3, 2), (False, False)),
        n_latent=2,
        hidden_layer_sizes=(),
        generator=torch.Generator().manual_seed(0),
    )
    with torch.no_grad():
        module.log_deviations.copy_(torch.tensor([0.25, -9.0]))
    return module, rows


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def test_vae_loses_its_evidence_lower_bound(vae):
    module, rows = vae
    noise = torch.randn(30, 2, generator=torch.Generator().manual_seed(1)).double()
    E, e, D, d = (
        part.detach().numpy() for layer in (module.encoder[0], module.decoder[0])
        for part in (layer.weight, layer.bias)
    )  # fmt: skip
    x = rows.numpy().copy()
    x[:, :2] = (x[:, :2] - x[:, :2].mean(axis=0)) / x[:, :2].std(axis=0)
    code = x @ E.T + e
    mean, log_variance = code[:, :2], code[:, 2:]
    decoded = (mean + noise.numpy() * np.exp(log_variance / 2)) @ D.T + d
    # No number is decoded more sharply than to a tenth of its deviation.
    deviations = np.array([np.exp(0.25), 0.1])
    lost = ((x[:, :2] - decoded[:, :2]) ** 2 / (2 * deviations**2) + np.log(deviations)).sum(axis=1)
    for group in (slice(2, 5), slice(5, 7)):
        lost -= (x[:, group] * log_softmax(decoded[:, group])).sum(axis=1)
    divergence = (mean**2 + np.exp(log_variance) - log_variance - 1).sum(axis=1) / 2
    for beta in (1.0, 0.25):
        found = module(rows, noise, beta).detach()
        np.testing.assert_allclose(found, lost + beta * divergence, rtol=1e-10)


def test_vae_decodes_numbers_in_their_units_and_weights_of_categories(vae):
    module, rows = vae
    decoded = module.decode(module.encode(rows)).detach().numpy()
    np.testing.assert_allclose(decoded[:, 2:5].sum(axis=1), 1)
    np.testing.assert_allclose(decoded[:, 5:].sum(axis=1), 1)
    assert (decoded[:, 2:] > 0).all()
    assert np.abs(decoded[:, 0] - 5).max() < 10 * rows[:, 0].std()


def test_vae_takes_numbers_alone_categories_alone_and_constants():
    common = {"n_latent": 2, "hidden_layer_sizes": (3,), "generator": torch.Generator()}
    words = torch.eye(3)[torch.tensor([0, 1, 2, 2])]
    numbers = torch.tensor([[1.0, 0.0], [1.0, 2.0], [1.0, 4.0], [1.0, 5.0]])
    for rows, groups in (
        (words, OneHotGroups(0, (3,), (False,))),
        (numbers, OneHotGroups(2)),
        (numbers[:1], OneHotGroups(2)),
    ):
        module = VAE(rows, groups, **common)
        assert module(rows, torch.zeros(len(rows), 2)).isfinite().all()
        assert module.decode(module.encode(rows)).shape == rows.shape


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
