"""The evaluation in rounds, against its definition."""

import models
import numpy as np
import pytest
import rounds
from protocol import PROTOCOLS, split
from scipy.spatial.distance import cdist

from ctsk.metrics import maximum_mean_discrepancy

SETTINGS = {"max_epochs": 2, "step_size": 0.1}


@pytest.fixture(scope="module", params=[False, True], ids=["mutable", "protected"])
def judged(request):
    with pytest.MonkeyPatch.context() as patch:
        # Nothing is kept on disk.
        patch.setattr(rounds, "train", models.train.func)
        found = rounds.judge.func("moons", 0, "CT", protected=request.param, n_rounds=3, **SETTINGS)
    clf = models.train.func("moons", 0, "CT", protected=request.param, **SETTINGS)
    return clf, found, request.param


def test_each_round_draws_rows_that_are_predicted_as_the_factual_class():
    clf = models.train.func("moons", 0, "BL", **SETTINGS)
    X, _ = split("moons", 0).test
    drawn = rounds.draw(clf, X, 0, 10, 250)
    assert all(len(rows) == 250 and factual != target for factual, target, rows in drawn)
    assert all((clf.predict(X[rows]) == factual).all() for factual, _, rows in drawn)
    other = models.train.func("moons", 0, "CT", **SETTINGS)
    assert [classes for *classes, _ in rounds.draw(other, X, 0, 10, 250)] == [
        classes for *classes, _ in drawn
    ]


def test_a_round_measures_what_the_paper_defines(judged):
    clf, found, protected = judged
    X, y = split("moons", 0).test
    factual, target, rows = rounds.draw(clf, X, 0, 3, PROTOCOLS["moons"].n_rows)[1]
    tau = 0.5 if protected else 0.95
    distances, costs, shares, mmds = [], [], [], []
    observed = rounds.Observed(X, y, 0)
    for generator in rounds._generators("eccco", 0.1):
        told = clf.explain(
            X[rows],
            target,
            generator=generator,
            T=50,
            tau=tau,
            mutability={0: "none"} if protected else None,
        )
        ways = told.counterfactual[told.valid]
        shares.append(told.valid.mean())
        distances.append(cdist(ways, X[y == target], "cityblock").mean())
        costs.append(np.abs(ways - X[rows][told.valid]).sum(axis=1).mean())
        mmd = maximum_mean_discrepancy(ways, observed.compared[target], length_scale=5.0)
        mmds.append(max(mmd, 0))
        if protected:
            assert (ways[:, 0] == X[rows][told.valid][:, 0]).all()
    line = found.iloc[1]
    assert (line["factual"], line["target"]) == (factual, target)
    expected = [np.mean(values) for values in (distances, costs, shares, mmds)]
    assert line[["IP", "cost", "validity", "IP* 5.0"]].tolist() == pytest.approx(expected)


def test_conventional_training_is_one_model_for_all_constraints(monkeypatch):
    asked = []

    def train(*args, protected, **settings):
        asked.append(protected)
        return models.train.func(*args, protected=protected, **settings)

    monkeypatch.setattr(rounds, "train", train)
    rounds.judge.func("moons", 0, "BL", protected=True, n_rounds=1, **SETTINGS)
    assert asked == [False]
