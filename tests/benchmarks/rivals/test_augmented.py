"""Counterfactual adversarial training: which rows, which labels, and when."""

import numpy as np
import pytest
import rivals
import torch
from rivals.augmented import most_uncertain


def test_the_most_uncertain_rows_have_the_largest_entropy(probabilities):
    logits = np.random.default_rng(0).normal(size=(40, 3)) * 3
    shares = probabilities(logits)
    entropies = -(shares * np.log(shares)).sum(axis=1)
    found = most_uncertain(torch.as_tensor(logits), 0.3)
    assert found.tolist() == np.argsort(-entropies)[:12].tolist()
    assert len(most_uncertain(torch.as_tensor(logits), 0.001)) == 1


def test_the_last_third_of_the_epochs_adds_counterfactuals_with_their_targets(table, monkeypatch):
    X, y = table
    seen = []
    estimator = rivals.CounterfactualAdversarialClassifier
    rows_of_epoch = estimator.rows_of_epoch

    def recording(self, X, rows, labels, epoch):
        found = rows_of_epoch(self, X, rows, labels, epoch)
        seen.append((*found, torch.as_tensor(self.net_.module_(found[0]).detach())))
        return found

    monkeypatch.setattr(estimator, "rows_of_epoch", recording)
    clf = estimator(share=0.5, max_epochs=30, lr=0.03, batch_size=30, random_state=0).fit(X, y)
    n_rows = [len(rows) for rows, _, _ in seen]
    # Epochs are counted from 0, and the first one is that of the base class.
    assert n_rows[:19] == [120] * 19
    assert n_rows[19:] == [n_rows[19]] * 10
    assert 120 < n_rows[19] <= 180
    rows, labels, logits = seen[19]
    assert torch.equal(labels[:120], torch.as_tensor(y))
    # Mature counterfactuals are predicted as their labels when they are found.
    shares = logits[120:].softmax(dim=1).gather(1, labels[120:, None])
    assert shares.min() >= clf.tau - 1e-5


def test_counterfactuals_start_from_rows_of_the_other_class(table):
    X, y = table
    clf = rivals.AugmentedClassifier(max_epochs=20, lr=0.03, batch_size=30, random_state=0)
    clf.fit(X, y)
    found, targets = clf.counterfactuals(X, np.flatnonzero(clf.predict(X) == 0))
    assert len(found) and set(targets.tolist()) == {1}
    assert found.shape[1] == clf.encoder_.encode(X).shape[1]
    assert pytest.approx(1) == found[:, 2:].sum(dim=1).min().item()
