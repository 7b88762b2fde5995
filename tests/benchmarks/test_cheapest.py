"""The nearest search and the proof are asked about the rows and targets of the paper's protocol."""

import cheapest
import models
import numpy as np
import pytest
from protocol import split

from ctsk.metrics import nearest_neighbor_distance


@pytest.fixture(scope="module")
def asked():
    clf = models.train.func("moons", 0, "BL", max_epochs=2, step_size=0.1)
    X, y = split("moons", 0).test
    rows, target = cheapest.sample(clf, X, 0, 3)
    return clf, X, {label: X[y == label] for label in clf.classes_}, rows, target


def test_sample_asks_for_the_other_class_of_equally_many_rows(asked):
    clf, X, _, rows, target = asked
    predictions = clf.predict(rows)
    assert np.bincount(predictions).tolist() == [3, 3]
    assert (target == 1 - predictions).all()
    again, _ = cheapest.sample(clf, X, 0, 3)
    np.testing.assert_array_equal(rows, again)


def test_shares_are_those_of_the_proof(asked):
    clf, _, observed, rows, target = asked
    how = {"tau": 0.6, "mutability": {}}
    record = cheapest.proofs(clf, rows, target, observed, step_size=0.1, **how)
    proven = clf.explain(rows, target, **how, prove=True)
    assert record["exists"] == proven.mature.mean() > 0
    assert record["exists"] + record["impossible"] + record["open"] == pytest.approx(1)
    assert record["nearest"] <= record["exists"]


def test_rows_count_as_never_valid_only_if_that_is_proven(asked):
    clf, _, _, rows, target = asked
    idle = np.zeros(len(rows), dtype=bool)
    assert cheapest.never_valid(clf, rows, target, ~idle, {0: "none"}) == 0
    assert cheapest.never_valid(clf, rows, target, idle, {}) == 0
    upward = {0: "none", 1: "increase"}
    proven = clf.explain(rows, target, tau=0.5, mutability=upward, prove=True)
    assert 0 < proven.valid.mean() < 1
    share = cheapest.never_valid(clf, rows, target, idle, upward)
    assert share == (proven.proof == "impossible").mean() == 1 - proven.valid.mean()


def test_distance_compares_with_rows_of_the_target(asked):
    clf, _, observed, rows, target = asked
    found = clf.explain(rows, target)
    mine = [
        nearest_neighbor_distance(found.counterfactual_encoded[target == label], observed[label])
        for label in (0, 1)
    ]
    distance = cheapest.distance(found, observed, nearest_neighbor_distance)
    assert distance == pytest.approx(np.concatenate(mine).mean())
