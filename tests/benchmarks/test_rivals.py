"""Other ways to train, as estimators."""

import numpy as np
import pandas as pd
import pytest
import rivals
import torch
from sklearn.datasets import make_moons

CLASSES = [
    rivals.PGDClassifier,
    rivals.TRADESClassifier,
    rivals.JEMClassifier,
    rivals.AugmentedClassifier,
    rivals.UnmaskedClassifier,
    rivals.FineTunedClassifier,
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
