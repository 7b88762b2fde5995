"""Deep ensembles average the probabilities of members that differ."""

import numpy as np
import pytest
import rivals
import torch


def test_probabilities_are_the_mean_of_those_of_the_members(table, recomputed, probabilities):
    X, y = table
    settings = {"max_epochs": 10, "lr": 0.03, "batch_size": 30, "random_state": 0}
    clf = rivals.DeepEnsembleClassifier(**settings).fit(X, y)
    members = clf.net_.module_.members
    assert len(members) == 5
    rows = clf.encoder_.encode(X)
    shares = [probabilities(recomputed(member).logits(rows)) for member in members]
    np.testing.assert_allclose(clf.predict_proba(X), np.mean(shares, axis=0), atol=1e-5)
    # Members differ, and each has learned by itself.
    assert np.std(shares, axis=0).max() > 0.05
    assert min(np.mean(share.argmax(axis=1) == y) for share in shares) > 0.8


def test_members_are_trained_by_their_own_losses(table, cross_entropy):
    X, y = table
    clf = rivals.DeepEnsembleClassifier(max_epochs=1, batch_size=30, random_state=0).fit(X, y)
    rows = torch.as_tensor(clf.encoder_.encode(X), dtype=torch.float32)
    labels = torch.as_tensor(y)
    terms, _ = clf.net_.objective.terms(clf.net_.module_, rows, labels)
    heads = clf.net_.module_.heads(rows).detach().double().numpy()
    losses = [cross_entropy(heads[:, member], np.asarray(y)) for member in range(5)]
    assert terms["classification"].item() == pytest.approx(np.mean(losses), rel=1e-5)
    assert clf.module is None
