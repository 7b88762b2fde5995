"""The contract: every generator under every kind of constraint, in every container and mode."""

import functools

import numpy as np
import pandas as pd
import pytest

from ctsk import (
    CounterfactualTrainedClassifier,
    ECCCoGenerator,
    GenericGenerator,
    NearestGenerator,
    REVISEGenerator,
)
from ctsk._explaining.failure_reasons import TOO_NEAR

GENERATORS = {
    "nearest": NearestGenerator(lambda_data=0.2),
    "generic": GenericGenerator(),
    "mad and gravity": GenericGenerator(distance="mad", lambda_gravity=0.1),
    "eccco": ECCCoGenerator(),
    "revise": REVISEGenerator(n_latent=6, hidden_layer_sizes=(32,), max_iter=400),
}
MODES = {
    "one": {},
    "sparse": {"sparse": True},
    "alternatives": {"n_alternatives": 2},
    "sparse alternatives": {"n_alternatives": 2, "sparse": True},
    "one change": {"max_changes": 1},
}
# Constraints on amount, years, grade and job, and whether a counterfactual keeps them.
CONSTRAINTS = {
    "immutable": (
        {"mutability": {"amount": "none", "job": "none"}},
        lambda before, after: (
            (before["amount"] == after["amount"]) & (before["job"] == after["job"])
        ),
    ),
    "increase": (
        {"mutability": {"years": "increase", "grade": "increase"}},
        lambda before, after: (
            (after["years"] >= before["years"]) & (after["grade"] >= before["grade"])
        ),
    ),
    "decrease": (
        {"mutability": {"amount": "decrease", "grade": "decrease"}},
        lambda before, after: (
            (after["amount"] <= before["amount"]) & (after["grade"] <= before["grade"])
        ),
    ),
    "domain": (
        {"domain": {"amount": (-0.5, 0.5), "years": (2, None), "job": [1.0]}},
        lambda before, after: (
            (after["amount"] >= np.minimum(-0.5, before["amount"]))
            & (after["amount"] <= np.maximum(0.5, before["amount"]))
            & (after["years"] >= np.minimum(2, before["years"]))
            & ((after["job"] == 1) | (after["job"] == before["job"]))
        ),
    ),
    "all fixed": (
        {"mutability": ["none"] * 4},
        lambda before, after: (before == after).all(axis=1),
    ),
    "nothing said": ({}, lambda before, after: after["years"] >= 0),
}
NAMES = ["amount", "years", "grade", "job"]


def rows(container):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "amount": rng.normal(size=120),
            "years": rng.integers(0, 9, 120),
            "grade": rng.integers(0, 3, 120),
            "job": rng.integers(0, 3, 120),
        }
    )
    if container == "array":
        return X.to_numpy(dtype=float)
    grades = pd.CategoricalDtype([0, 1, 2], ordered=True)
    return X.astype({"grade": grades, "job": "category"})


@functools.cache
def fitted(generator, container, n_classes):
    X = rows(container)
    numbers = pd.DataFrame(np.asarray(X, dtype=float), columns=NAMES)
    score = numbers["amount"] + numbers["years"] / 3 - numbers["grade"] + (numbers["job"] == 2)
    clf = CounterfactualTrainedClassifier(
        (8,),
        generator=GENERATORS[generator],
        categorical_features=["grade", "job"] if container == "frame" else [3],
        max_epochs=8,
        early_stopping=False,
        lr=0.02,
        tau=0.5,
        random_state=0,
    )
    return clf.fit(X, score.rank().to_numpy() * n_classes // 121)


@pytest.mark.parametrize(
    ("container", "n_classes"), [("frame", 3), ("array", 2)], ids=["frame", "array"]
)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", CONSTRAINTS)
@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.PoorReconstructionWarning")
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.InertDivergenceWarning")
def test_contract(generator, kind, mode, container, n_classes):
    clf = fitted(generator, container, n_classes)
    given, is_kept = CONSTRAINTS[kind]
    if container == "array":
        given = {
            name: {NAMES.index(feature): entry for feature, entry in spec.items()}
            if isinstance(spec, dict)
            else spec
            for name, spec in given.items()
        }
    X = rows(container)[:8]
    explanation = clf.explain(X, generator=None, T=30, tau=0.55, **given, **MODES[mode])
    before, after = (
        pd.DataFrame(np.asarray(part, dtype=float), columns=NAMES)
        for part in (explanation.factual, explanation.counterfactual)
    )
    assert is_kept(before, after).all()
    np.testing.assert_array_equal(clf.predict(explanation.counterfactual), explanation.prediction)
    # A copy of an earlier alternative is not valid, whatever it is predicted as.
    is_copy = explanation.reason == TOO_NEAR
    is_predicted = explanation.prediction == explanation.target
    np.testing.assert_array_equal(explanation.valid, is_predicted & ~is_copy)
    if "max_changes" in MODES[mode]:
        assert ((before != after).sum(axis=1) <= 1).all()
    assert len(explanation) == 8 * MODES[mode].get("n_alternatives", 1)
    # One change of a gradient search need not suffice.
    if kind == "nothing said" and mode != "one change":
        assert (before != after).to_numpy().any()
        assert explanation.valid.mean() > 0.5
