"""Rows and models of ``accuracy.py`` and ``accuracy_defaults.py``.

Three tenths of the rows of each set are test rows, the same for all seeds. All choices are made
on the other rows, so that no test row judges a choice that it has influenced.
"""

import time

import numpy as np
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from ctsk import datasets

SETS = (
    "adult",
    "california_housing",
    "compas",
    "credit_default",
    "german_credit",
    "gmsc",
    "heloc",
)
MOST_ROWS = 10_000
TEST_SHARE = 0.3
TRAINING_SHARE = 0.8
CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}


def rows_of(name, seed, *, develop=False, most_rows=MOST_ROWS):
    """Return X, y of training rows and of rows that judge a model.

    With ``develop=True``, rows that judge are training rows of other seeds, instead of test rows.
    """
    bunch = getattr(datasets, f"fetch_{name}")()
    X, y = bunch.data, np.asarray(bunch.target)
    # The first permutation is the same for all seeds.
    order = np.random.default_rng(0).permutation(len(y))
    n_test = round(TEST_SHARE * len(y))
    test, pool = order[:n_test], order[n_test:]
    pool = np.random.default_rng(seed + 1).permutation(pool)
    n_training = round(TRAINING_SHARE * len(pool))
    training, rest = pool[:n_training][:most_rows], pool[n_training:]
    judges = rest if develop else test
    parts = [training, judges[:MOST_ROWS]]
    return [(X.iloc[idx].reset_index(drop=True), y[idx]) for idx in parts]


def judged(model, training, judges):
    """Fit a model; return its scores on the rows that judge it, and the seconds of the fit."""
    start = time.perf_counter()
    model.fit(*training)
    seconds = time.perf_counter() - start
    X, y = judges
    proba = model.predict_proba(X)
    return {
        "log loss": log_loss(y, proba, labels=model.classes_),
        "AUC": roc_auc_score(y, proba[:, 1]),
        "accuracy": accuracy_score(y, model.classes_[proba.argmax(axis=1)]),
        "seconds": seconds,
    }
