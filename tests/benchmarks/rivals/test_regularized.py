"""Regularized training, against its formulas."""

import numpy as np
import pytest
import rivals
import torch
from rivals.regularized import mixup_loss

SETTINGS = {"max_epochs": 2, "batch_size": 30, "random_state": 0}


@pytest.fixture
def prepared(table):
    """Return a function from an estimator to a fitted one, and a batch of its training rows."""

    def of(estimator, strength):
        X, y = table
        clf = estimator(strength=strength, **SETTINGS).fit(X, y)
        clf._random = torch.Generator().manual_seed(3)
        rows = torch.as_tensor(clf.encoder_.encode(X), dtype=torch.float32)
        return clf, clf.net_.module_, rows, torch.as_tensor(y)

    return of


def test_logit_penalty_adds_the_mean_of_all_squared_logits(prepared, recomputed, cross_entropy):
    clf, module, rows, labels = prepared(rivals.LogitPenaltyClassifier, 0.4)
    logits = recomputed(module).logits(rows.double().numpy())
    expected = cross_entropy(logits, labels) + 0.4 * (logits**2).sum(axis=1).mean()
    assert clf.loss(module, rows, labels, None).item() == pytest.approx(expected, rel=1e-5)


def test_ridge_adds_twice_the_squared_energy_of_each_label(prepared, recomputed, cross_entropy):
    clf, module, rows, labels = prepared(rivals.LabelRidgeClassifier, 0.4)
    logits = recomputed(module).logits(rows.double().numpy())
    own = logits[np.arange(len(labels)), labels]
    expected = cross_entropy(logits, labels) + 0.4 * 2 * (own**2).mean()
    assert clf.loss(module, rows, labels, None).item() == pytest.approx(expected, rel=1e-5)


def test_mixup_mixes_rows_and_losses_by_the_same_share(prepared, recomputed, cross_entropy):
    _, module, rows, labels = prepared(rivals.MixupClassifier, 0.4)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(1))
    mixed = 0.3 * rows.double().numpy() + 0.7 * rows.double().numpy()[order]
    logits = recomputed(module).logits(mixed)
    expected = 0.3 * cross_entropy(logits, labels)
    expected += 0.7 * cross_entropy(logits, labels.numpy()[order])
    loss = mixup_loss(module, rows, labels, order, 0.3)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_noise_has_the_deviation_of_its_strength_and_spares_categories(prepared, monkeypatch):
    clf, module, rows, labels = prepared(rivals.NoiseClassifier, 0.4)
    seen = []
    forward = type(module).forward
    monkeypatch.setattr(
        type(module), "forward", lambda self, x: (seen.append(x), forward(self, x))[1]
    )
    for _ in range(20):
        clf.loss(module, rows, labels, None)
    noise = torch.stack(seen) - rows
    assert noise[..., 2:].abs().max() == 0
    assert noise[..., :2].std().item() == pytest.approx(0.4, rel=0.03)
    assert noise[..., :2].mean().item() == pytest.approx(0, abs=0.02)


def test_mild_adversarial_training_adds_the_weighted_loss_of_attacked_rows(
    prepared, recomputed, cross_entropy
):
    clf, module, rows, labels = prepared(rivals.MildPGDClassifier, 0.4)
    state = clf._random.get_state()
    value = clf.loss(module, rows, labels, None).item()
    clf._random.set_state(state)

    def ascend(logits):
        return torch.nn.functional.cross_entropy(logits, labels)

    found = clf.attack(module, rows, ascend, n_steps=3)
    assert (found - rows).abs().max() <= rivals.EPSILON * (1 + 1e-5)
    net = recomputed(module)
    clean = cross_entropy(net.logits(rows.double().numpy()), labels)
    attacked = cross_entropy(net.logits(found.double().numpy()), labels)
    assert attacked > clean
    assert value == pytest.approx(clean + 0.4 * attacked, rel=1e-5)


@pytest.mark.parametrize("estimator", [rivals.LogitPenaltyClassifier, rivals.LabelRidgeClassifier])
def test_a_stronger_penalty_flattens_the_logits(prepared, estimator):
    spreads = []
    for strength in (0.0, 1.0):
        _, module, rows, _ = prepared(estimator, strength)
        spreads.append(module(rows).std().item())
    assert spreads[1] < spreads[0]
