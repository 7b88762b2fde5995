"""Recourse-aware training, against its formula."""

import numpy as np
import pytest
import rivals
import torch


@pytest.fixture(scope="module")
def fitted(table):
    settings = {"max_epochs": 3, "batch_size": 30, "random_state": 0, "domain": None}
    clf = rivals.RecourseAwareClassifier(weight=0.7, budget=0.5, favorable=0, **settings)
    return clf.set_params(mutability={"b": "increase"}).fit(*table)


@pytest.fixture(scope="module")
def encoded(fitted, table):
    X, y = table
    return fitted.encoder_.encode(X), np.asarray(y)


def actions(net, probabilities, rows, favorable, budget):
    shares = probabilities(net.logits(rows))
    slopes = net.gradient(rows, shares - np.eye(2)[favorable])
    moved = rows.copy()
    # The first number moves both ways, the second one only up; none has a domain.
    moved[:, 0] -= budget * np.sign(slopes[:, 0])
    moved[:, 1] = np.maximum(rows[:, 1], rows[:, 1] - budget * np.sign(slopes[:, 1]))
    # Of two categories that share a weight of 1, half the difference is shifted.
    pair = rows[:, 2:] - budget * np.sign(slopes[:, 2:])
    shift = (1 - pair.sum(axis=1, keepdims=True)) / 2
    moved[:, 2:] = np.clip(pair + shift, 0, 1)
    return moved


def test_actions_solve_the_linear_program_within_budget_and_constraints(
    fitted, encoded, recomputed, probabilities
):
    rows, labels = encoded
    favorable = np.zeros(len(rows), dtype=int)
    found = fitted.actions(
        fitted.net_.module_, torch.as_tensor(rows, dtype=torch.float32), torch.as_tensor(favorable)
    ).numpy()
    expected = actions(recomputed(fitted.net_.module_), probabilities, rows, favorable, 0.5)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # Some rows would go down, which is not permitted, and others go up.
    up = found[:, 1] - rows[:, 1]
    assert (up >= -1e-6).all() and (up > 0.4).any() and (up < 0.1).any()


def test_loss_is_that_of_labels_and_of_the_favorable_class_after_the_action(
    fitted, encoded, recomputed, probabilities, cross_entropy
):
    rows, labels = encoded
    net, favorable = recomputed(fitted.net_.module_), np.zeros(len(rows), dtype=int)
    moved = actions(net, probabilities, rows, favorable, 0.5)
    expected = cross_entropy(net.logits(rows), labels) + 0.7 * cross_entropy(
        net.logits(moved), favorable
    )
    loss = fitted.loss(
        fitted.net_.module_,
        torch.as_tensor(rows, dtype=torch.float32),
        torch.as_tensor(labels),
        None,
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_recourse_becomes_easier_than_without_the_term(table):
    X, y = table
    settings = {"max_epochs": 30, "batch_size": 30, "random_state": 0, "favorable": 1}
    costs = []
    for weight in (0, 1):
        clf = rivals.RecourseAwareClassifier(weight=weight, **settings).fit(X, y)
        costs.append(np.median(clf.explain(X[y == 0], 1).cost))
    assert costs[1] < costs[0]
