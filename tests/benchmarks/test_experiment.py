"""How outcomes of rounds and seeds become figures of a table."""

import sys
import types

import experiment
import numpy as np
import pandas as pd
import pytest
import rounds


def rounds_of(values):
    return pd.DataFrame({"IP": values})


def test_reduction_is_that_of_the_means_and_the_star_leaves_out_zero():
    bl, ct = np.array([2.0, 4.0, 3.0]), np.array([1.0, 1.5, 2.0])
    found = rounds.compare(rounds_of(bl), rounds_of(ct), "IP")
    assert found["reduction"] == pytest.approx(100 * (1 - 1.5 / 3))
    assert found["error"] == pytest.approx(100 * np.std(ct / bl))
    assert [found["low"], found["high"]] == pytest.approx(np.quantile(ct - bl, [0.005, 0.995]))
    assert found["star"]
    assert not rounds.compare(rounds_of(bl), rounds_of(bl[::-1]), "IP")["star"]


def test_rounds_without_an_explanation_are_left_out_of_both_models():
    bl, ct = rounds_of([2.0, np.nan, 6.0]), rounds_of([1.0, 5.0, np.nan])
    assert rounds.compare(bl, ct, "IP")["reduction"] == pytest.approx(50)
    assert "reduction" not in rounds.compare(bl, rounds_of([np.nan] * 3), "IP")


def test_interval_over_seeds_is_students():
    told = experiment.over_seeds([1.0, 2.0, 6.0])
    # 4.302653 is the 97.5 % point of t with two degrees of freedom.
    reach = 4.302653 * np.std([1, 2, 6], ddof=1) / np.sqrt(3)
    assert (told["mean"], told["from"], told["to"]) == pytest.approx((3, 3 - reach, 3 + reach))


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([1, 1.1, 1.2], "agrees"),
        ([-1, -1.1, -1.2], "opposite"),
        ([-1, 1, 2], "agrees, undecided"),
        ([-2, 1, -1], "opposite, undecided"),
        ([0.5], "agrees, undecided"),
        ([np.nan, np.nan], ""),
    ],
)
def test_verdict_looks_at_sign_and_interval(values, verdict):
    assert experiment.sign(0.3, experiment.over_seeds(values)) == verdict


def test_new_outcomes_replace_those_of_the_same_keys_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "RESULTS", tmp_path)
    keys = ["data", "seed", "step", "rounds", "model"]

    def outcome(data, value):
        known = {"data": data, "seed": 0, "step": 0.1, "rounds": 100, "model": "CT"}
        return {**known, "value": value}

    experiment.keep("question", [outcome("moons", 1.0), outcome("Adult", 2.0)], keys)
    known = experiment.keep("question", [outcome("moons", 3.0), outcome("circles", 4.0)], keys)
    assert known[["data", "value"]].to_numpy().tolist() == [
        ["circles", 4.0],
        ["moons", 3.0],
        ["Adult", 2.0],
    ]
    stored = pd.read_csv(tmp_path / "question_by_seed.csv")
    assert stored.to_numpy().tolist() == known.to_numpy().tolist()


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Return a function that runs a command with some options and returns its table by seed."""
    question = types.ModuleType("question")
    # Only counterfactual training has an outcome.
    question.outcome = lambda name, seed, n_rounds, step_size, model: (
        [{"model": model, "x": 1.0}] if model == "CT" else []
    )
    monkeypatch.setitem(sys.modules, "question", question)
    monkeypatch.setattr(experiment, "RESULTS", tmp_path)
    monkeypatch.setattr(experiment.kept.OUTCOMES, "cache", lambda function, **_: function)

    def run(*options):
        monkeypatch.setattr(sys, "argv", ["question", "--jobs", "1", *options])
        parts = [("BL",), ("CT",)]
        experiment.main("question", data=["moons"], keys=["model"], quantities=["x"], parts=parts)
        return pd.read_csv(tmp_path / "question_by_seed.csv")

    return run


def test_command_runs_the_parts_and_seeds_that_it_names(command):
    found = command("--part", "CT", "--seeds", "0", "3")
    assert found["model"].tolist() == ["CT", "CT"]
    assert found["seed"].tolist() == [0, 3]
    assert command("--part", "CT", "--seed", "1")["seed"].tolist() == [0, 1, 3]


def test_parts_without_an_outcome_are_left_out(command):
    assert command("--seed", "0")["model"].tolist() == ["CT"]
    with pytest.raises(SystemExit, match="no outcome"):
        command("--part", "BL", "--seed", "0")
