"""The grids' outcomes can be told apart, and are averaged by setting."""

import grids
import pytest
from experiment import keep


@pytest.fixture
def found(monkeypatch):
    """One outcome of each grid and generator; nothing is trained."""
    trained = []

    def judge(name, seed, variant, **parameters):
        trained.append((variant, parameters))

    monkeypatch.setattr(grids, "judge", judge)
    monkeypatch.setattr(grids, "compare", lambda bl, ct, measure: {"reduction": 10.0})
    known = {"data": "moons", "seed": 0, "step": 0.1, "rounds": 100}
    records = [
        {**known, **record}
        for grid, explainer, place in grids.PARTS
        if place in (0, 1)
        for record in grids.outcome("moons", 0, 100, 0.1, grid, explainer, place)
    ]
    return records, trained


def test_outcomes_of_all_grids_go_into_one_file(found, tmp_path, monkeypatch):
    records, _ = found
    monkeypatch.setattr("experiment.RESULTS", tmp_path)
    keys = ["data", "seed", "step", "rounds", *grids.KEYS]
    for record in records:
        kept = keep("grids", [record], keys)
    assert len(kept) == len(records)
    assert len(keep("grids", records, keys)) == len(records)
    told = grids.table(kept, "")
    assert set(told["setting"]) == set(grids.SETTINGS)
    assert (told["reduction"] == 10).all()


def test_only_eccco_is_trained_with_the_weight_of_the_energy(found):
    _, trained = found
    generators = [how["generator"] for variant, how in trained if variant == "CT"]
    assert {type(generator) for generator in generators} == set(grids.GENERATORS.values())
    assert all("lambda_energy" not in how for _, how in trained)
    weights = [g.lambda_energy for g in generators if type(g) is grids.GENERATORS["eccco"]]
    assert 0.1 in weights


def test_conventional_training_gets_as_many_epochs(found):
    _, trained = found
    epochs = [how.get("max_epochs") for _, how in trained]
    assert epochs[::2] == epochs[1::2]
    assert set(epochs) == {None, 50}
