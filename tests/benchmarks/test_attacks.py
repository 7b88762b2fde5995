"""Carlini and Wagner's attack, against a distance that is known."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from ctsk import CounterfactualTrainedClassifier


def test_carlini_and_wagner_reach_rows_that_are_far_from_the_boundary():
    pytest.importorskip("foolbox", reason="foolbox is needed for this attack only")
    import attacks

    X, y = make_blobs([60, 60], centers=[[-6, 0], [6, 0]], cluster_std=0.5, random_state=0)
    linear = CounterfactualTrainedClassifier(
        hidden_layer_sizes=(),
        lambda_div=0,
        lambda_adv=0,
        lambda_reg=0,
        standardize=False,
        lr=0.1,
        random_state=0,
    ).fit(X, y)
    logits = linear.decision_function(X)
    margins = logits[:, 1] - logits[:, 0] if logits.ndim == 2 else logits
    weights = linear.net_.module_.state_dict()
    (weight,) = [value.numpy() for value in weights.values() if value.ndim == 2]
    distances = np.abs(margins) / np.linalg.norm(weight[1] - weight[0])
    found = attacks.carlini_wagner(linear, X, y)
    assert found == pytest.approx(np.median(distances[: attacks.N_ATTACKED]), rel=0.05)
