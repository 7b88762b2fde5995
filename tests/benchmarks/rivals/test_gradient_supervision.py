"""Gradient supervision, against its formula."""

import numpy as np
import pytest
import rivals
import torch
from rivals.gradient_supervision import nearest_of_others
from scipy.spatial.distance import cdist


def counterparts(rows, labels):
    distances = cdist(rows, rows)
    distances[labels[:, None] == labels] = np.inf
    return distances.argmin(axis=1)


def test_counterparts_are_the_nearest_rows_of_other_classes():
    random = np.random.default_rng(0)
    rows, labels = random.normal(size=(60, 3)), random.integers(3, size=60)
    found = nearest_of_others(rows, labels, random)
    assert found.tolist() == counterparts(rows, labels).tolist()


def test_loss_adds_one_minus_the_cosine_of_gradient_and_direction(
    table, recomputed, cross_entropy, monkeypatch
):
    settings = {"max_epochs": 2, "batch_size": 30, "random_state": 0}
    clf = rivals.GradientSupervisionClassifier(weight=0.3, **settings)
    found = []
    loss = rivals.GradientSupervisionClassifier.loss

    def recording(self, module, rows, labels, idx):
        value = loss(self, module, rows, labels, idx)
        found.append((recomputed(module), rows.double().numpy(), labels.numpy(), idx, value.item()))
        return value

    monkeypatch.setattr(rivals.GradientSupervisionClassifier, "loss", recording)
    X, y = table
    clf.fit(X, y)
    encoded = clf.encoder_.encode(X)
    other = counterparts(encoded, np.asarray(y))
    assert len(found) == 4
    for net, rows, labels, idx, value in found:
        np.testing.assert_allclose(rows, encoded[idx], atol=1e-6)
        weights = np.eye(2)[1 - labels] - np.eye(2)[labels]
        gradient, direction = net.gradient(rows, weights), encoded[other[idx]] - encoded[idx]
        norms = np.linalg.norm(gradient, axis=1) * np.linalg.norm(direction, axis=1)
        cosines = (gradient * direction).sum(axis=1) / norms
        expected = cross_entropy(net.logits(rows), labels) + 0.3 * (1 - cosines).mean()
        assert value == pytest.approx(expected, rel=1e-4)


def test_gradients_turn_toward_the_counterparts(table):
    X, y = table
    settings = {"max_epochs": 40, "batch_size": 30, "random_state": 0}
    cosines = []
    for weight in (0.0, 1.0):
        clf = rivals.GradientSupervisionClassifier(weight=weight, **settings).fit(X, y)
        encoded = clf.encoder_.encode(X)
        rows = torch.as_tensor(encoded, dtype=torch.float32).requires_grad_()
        logits = clf.net_.module_(rows)
        slope = (logits[:, 1] - logits[:, 0]) * torch.as_tensor(1 - 2 * y)
        (gradients,) = torch.autograd.grad(slope.sum(), rows)
        direction = encoded[counterparts(encoded, np.asarray(y))] - encoded
        similar = torch.cosine_similarity(gradients, torch.as_tensor(direction).float(), dim=1)
        cosines.append(similar.mean().item())
    assert cosines[1] > cosines[0]
