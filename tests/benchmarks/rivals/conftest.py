"""A fitted net of one hidden layer, whose outputs and gradients NumPy can recompute."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import make_moons

SETTINGS = {"max_epochs": 3, "lr": 0.03, "batch_size": 30, "random_state": 0}


@pytest.fixture(scope="package")
def table():
    X, y = make_moons(120, noise=0.1, random_state=0)
    X = pd.DataFrame(X, columns=["a", "b"])
    return X.assign(word=np.where(X["a"] > 0, "right", "left")), y


@pytest.fixture(scope="package")
def recomputed():
    """Return a function from a module to functions of its logits and their gradients."""

    def of(module):
        first, last = (layer for layer in module if isinstance(layer, torch.nn.Linear))
        W, b, V, c = (
            weights.detach().double().numpy()
            for weights in (first.weight, first.bias, last.weight, last.bias)
        )

        def logits(rows):
            return np.maximum(rows @ W.T + b, 0) @ V.T + c

        def gradient(rows, weights):
            """Return the gradient of the weighted sum of the logits of each row."""
            return (weights @ V * (rows @ W.T + b > 0)) @ W

        return SimpleNamespace(logits=logits, gradient=gradient)

    return of


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.fixture(scope="package")
def cross_entropy():
    def mean(logits, labels):
        return -np.log(softmax(logits)[np.arange(len(labels)), labels]).mean()

    return mean


@pytest.fixture(scope="package")
def probabilities():
    return softmax
