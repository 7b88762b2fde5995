"""Other ways to train, as estimators."""

import numpy as np
import pandas as pd
import pytest
import rivals
import torch
from sklearn.base import clone
from sklearn.datasets import make_moons

CLASSES = [
    rivals.PGDClassifier,
    rivals.TRADESClassifier,
    rivals.JEMClassifier,
    rivals.AugmentedClassifier,
    rivals.UnmaskedClassifier,
    rivals.FineTunedClassifier,
    rivals.RecourseAwareClassifier,
    rivals.CounterNetClassifier,
    rivals.CounterfactualAdversarialClassifier,
    rivals.GradientSupervisionClassifier,
    rivals.DeepEnsembleClassifier,
    rivals.MixupClassifier,
    rivals.LogitPenaltyClassifier,
    rivals.LabelRidgeClassifier,
    rivals.NoiseClassifier,
    rivals.MildPGDClassifier,
]


@pytest.fixture(scope="module")
def frame():
    X, y = make_moons(300, noise=0.1, random_state=0)
    X = pd.DataFrame(X, columns=["a", "b"])
    return X.assign(word=np.where(X["a"] > 0, "right", "left")), y


@pytest.mark.parametrize("estimator", CLASSES)
def test_each_learns_predicts_and_explains_and_repeats_itself(estimator, frame):
    X, y = frame
    settings = {"max_epochs": 10, "lr": 0.03, "batch_size": 30, "random_state": 0}
    clf = estimator(**settings).fit(X, y)
    assert clf.score(X, y) > 0.85
    assert clf.max_epochs == 10
    assert clf.explain(X.head(20), T=100).valid.mean() > 0.5
    again = estimator(**settings).fit(X, y)
    assert (clf.predict_proba(X) == again.predict_proba(X)).all()


@pytest.mark.parametrize("estimator", CLASSES)
def test_global_random_state_is_left_alone_and_training_leaves_nothing_behind(estimator, frame):
    X, y = frame
    clf = estimator(max_epochs=2, batch_size=30, random_state=0)
    before = torch.get_rng_state()
    clf.fit(X, y)
    assert torch.equal(torch.get_rng_state(), before)
    base = rivals.UnmaskedClassifier(max_epochs=2, batch_size=30, random_state=0).fit(X, y)
    assert {name for name in vars(clf) if name.startswith("_")} == {
        name for name in vars(base) if name.startswith("_")
    }


@pytest.mark.parametrize("estimator", CLASSES)
def test_parameters_can_be_read_set_and_cloned(estimator):
    clf = estimator(max_epochs=7, batch_size=20)
    assert clf.get_params()["max_epochs"] == 7
    assert "parameters" not in clf.get_params()
    assert clone(clf.set_params(lr=0.5)).get_params() == clf.get_params()
    assert clf.lr == 0.5


@pytest.mark.parametrize(
    ("estimator", "name", "value"),
    [
        (rivals.RecourseAwareClassifier, "budget", 0.5),
        (rivals.CounterNetClassifier, "weights", (1, 2, 3)),
        (rivals.CounterfactualAdversarialClassifier, "share", 0.5),
        (rivals.GradientSupervisionClassifier, "weight", 2.0),
        (rivals.DeepEnsembleClassifier, "n_members", 3),
    ],
)
def test_parameters_that_a_rival_adds_are_parameters_of_its_clone(estimator, name, value):
    assert clone(estimator(**{name: value})).get_params()[name] == value


def test_attacks_stay_within_their_radius_and_leave_categories_alone(frame):
    X, y = frame
    clf = rivals.PGDClassifier(max_epochs=2, batch_size=30, random_state=0).fit(X, y)
    rows = torch.as_tensor(clf.encoder_.encode(X), dtype=torch.float32)
    clf._random = torch.Generator().manual_seed(0)
    found = clf.attack(clf.net_.module_, rows, lambda logits: logits[:, 0].sum())
    moves = (found - rows).abs()
    assert moves[:, 2:].max() == 0
    assert 0.99 * rivals.EPSILON < moves[:, :2].max() <= rivals.EPSILON * (1 + 1e-5)
    assert clf.net_.module_(found)[:, 0].sum() > clf.net_.module_(rows)[:, 0].sum()
