"""Trees are explained by the cheapest counterfactuals, whose costs are those of the networks."""

import numpy as np
import pandas as pd
import pytest
from rivals.boosted_trees import BoostedTreesClassifier, is_available
from sklearn.datasets import make_moons

SETTINGS = {"batch_size": 30, "random_state": 0}
needs_treecf = pytest.mark.skipif(not is_available(), reason="treecf is not installed")


@pytest.fixture(scope="module")
def fitted():
    X, y = make_moons(300, noise=0.2, random_state=0)
    X = pd.DataFrame(X * [1, 20], columns=["a", "b"]).astype({"b": int})
    return BoostedTreesClassifier(**SETTINGS).fit(X, y), X, y


def test_trees_predict_and_encode_as_the_other_models(fitted):
    clf, X, y = fitted
    assert clf.score(X, y) > 0.9
    assert clf.predict_proba(X).sum(axis=1) == pytest.approx(1)
    expected = (X - X.mean()) / X.std(ddof=0)
    np.testing.assert_allclose(clf.encoder_.encode(X), expected, atol=1e-9)


def test_categories_and_gaps_are_rejected(fitted):
    _, X, y = fitted
    for frame in (X.assign(word=np.where(X["a"] > 0, "x", "y")), X.where(X["a"] > -0.9)):
        with pytest.raises(ValueError, match="numbers alone"):
            BoostedTreesClassifier(**SETTINGS).fit(frame, y)


@needs_treecf
def test_counterfactuals_reach_tau_in_the_domain_and_are_the_cheapest(fitted):
    clf, X, y = fitted
    rows = X[clf.predict(X) == 0].head(12)
    explanation = clf.explain(rows, 1, tau=0.8)
    frame = explanation.counterfactual
    assert explanation.mature.all()
    assert (clf.predict_proba(frame)[:, 1] >= 0.8).all()
    assert (frame["b"] == frame["b"].round()).all()
    assert (frame.min() >= X.min()).all() and (frame.max() <= X.max()).all()
    scales = X.std(ddof=0).to_numpy()
    moves = (np.abs(frame.to_numpy() - rows.to_numpy()) / scales).sum(axis=1)
    assert explanation.cost == pytest.approx(moves)
    # No row of a fine grid that reaches tau is cheaper.
    a, b = np.linspace(X["a"].min(), X["a"].max(), 300), np.arange(X["b"].min(), X["b"].max() + 1)
    grid = np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2)
    reaching = grid[clf.trees_.predict_proba(grid)[:, 1] >= 0.8]
    assert explanation.is_proven.mean() > 0.8
    proven = zip(rows.to_numpy()[explanation.is_proven], moves[explanation.is_proven], strict=True)
    for row, cost in proven:
        assert cost <= (np.abs(reaching - row) / scales).sum(axis=1).min() + 1e-9


@needs_treecf
def test_rows_that_are_already_predicted_as_their_target_stay(fitted):
    clf, X, y = fitted
    rows = X[clf.predict(X) == 1].head(5)
    explanation = clf.explain(rows, 1, tau=0.8)
    assert explanation.already.all() and (explanation.cost == 0).all()
