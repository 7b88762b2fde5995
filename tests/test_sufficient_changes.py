"""Which features suffice: against the proof of explain, and against enumeration."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ctsk
from ctsk import CounterfactualTrainedClassifier

TAU = 0.6
CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    n_rows = 300
    X = pd.DataFrame(
        {
            "income": rng.normal(50, 10, n_rows).round(),
            "rooms": rng.integers(1, 6, n_rows),
            "housing": rng.choice(["rents", "owns", "other"], n_rows),
            "age": rng.integers(20, 70, n_rows),
        },
        index=[f"person {number}" for number in range(n_rows)],
    )
    score = X["income"] / 10 + X["rooms"] + 1.5 * (X["housing"] == "owns") - X["age"] / 20
    return X, np.where(score > score.median(), "granted", "rejected")


@pytest.fixture(scope="module")
def clf(rows):
    return CounterfactualTrainedClassifier(
        (6,),
        **CONVENTIONAL,
        mutability={"age": "none"},
        max_epochs=60,
        lr=0.01,
        random_state=0,
    ).fit(*rows)


@pytest.fixture(scope="module")
def rejected(rows, clf):
    X, _ = rows
    return X[clf.predict(X) == "rejected"].head(8)


@pytest.fixture(scope="module")
def sets(clf, rejected):
    return ctsk.sufficient_changes(clf, rejected, "granted", tau=TAU)


def test_a_set_suffices_if_and_only_if_explain_finds_a_row_that_changes_it_alone(
    clf, rejected, sets
):
    assert set(sets["proof"]) == {"optimal", "impossible"}
    for line in sets.itertuples():
        free = dict.fromkeys(line.features, "both")
        alone = clf.explain(
            rejected.loc[[line.row]],
            "granted",
            tau=TAU,
            mutability={"*": "none", **free},
            prove=True,
        )
        assert alone.proof[0] == line.proof
        if line.proof == "optimal":
            assert line.cost == pytest.approx(alone.cost[0], rel=2e-3)


def test_all_single_features_that_may_change_are_listed(rejected, sets):
    singles = sets[sets["features"].map(len) == 1]
    expected = set(itertools.product(rejected.index, ["income", "rooms", "housing"]))
    assert {(row, name) for row, (name,) in zip(singles.row, singles.features, strict=True)} == (
        expected
    )


def test_no_set_contains_one_that_suffices(sets):
    for _, of_row in sets.groupby("row"):
        sufficient = [set(f) for f in of_row.loc[of_row["proof"] == "optimal", "features"]]
        for features in of_row["features"]:
            assert not any(smaller < set(features) for smaller in sufficient)


def test_values_of_a_sufficient_set_reach_the_target(clf, rejected, sets):
    found = sets[sets["to"].notna()]
    assert len(found)
    changed = pd.concat([rejected.loc[[row]] for row in found["row"]], ignore_index=True)
    for position, line in enumerate(found.itertuples()):
        for name, before, after in zip(line.features, line._6, line.to, strict=True):
            assert changed.loc[position, name] == before
            changed.loc[position, name] = after
    assert (clf.predict_proba(changed)[:, 0] >= TAU).all()


def test_sets_of_a_row_are_sorted_by_size_and_cost(sets):
    keys = [
        (len(line.features), line.cost) for line in sets.itertuples() if line.row == sets.row[0]
    ]
    assert keys == sorted(keys)


def test_rows_that_reach_the_target_have_no_line(rows, clf):
    X, _ = rows
    granted = X[clf.predict_proba(X)[:, 0] >= TAU].head(3)
    sets = ctsk.sufficient_changes(clf, granted, "granted", tau=TAU)
    assert sets.empty
    assert "features" in sets


def test_arrays_are_labelled_by_position_and_pipelines_by_their_own_units(rows):
    X, y = rows
    numbers = X[["income", "rooms"]].to_numpy(dtype=float)
    pipeline = make_pipeline(
        StandardScaler(), CounterfactualTrainedClassifier((4,), **CONVENTIONAL, random_state=0)
    ).fit(numbers, y)
    rejected = numbers[pipeline.predict(numbers) == "rejected"][:3]
    sets = ctsk.sufficient_changes(pipeline, rejected, "granted", max_size=1)
    assert set(sets["row"]) == {0, 1, 2}
    for line in sets[sets["features"] == ("x0",)].itertuples():
        assert line._6[0] == rejected[line.row, 0]


def test_invalid_max_size_is_named(clf, rejected):
    with pytest.raises(ValueError, match="'max_size' parameter of sufficient_changes"):
        ctsk.sufficient_changes(clf, rejected, "granted", max_size=0)


def test_a_model_without_a_proof_is_rejected_with_a_remedy(rows):
    X, y = rows
    smooth = CounterfactualTrainedClassifier((3,), activation="tanh", max_epochs=3).fit(X, y)
    with pytest.raises(ValueError, match="linear layers and ReLUs"):
        ctsk.sufficient_changes(smooth, X.head(2))
