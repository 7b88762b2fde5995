"""Rows and models of ``accuracy.py``.

Three tenths of the rows of each set are test rows, the same for all seeds. All choices are made on
the other rows, so that no test row judges a choice that it has influenced.
"""

import importlib.util
import logging
import time

import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ctsk import CounterfactualTrainedClassifier, datasets

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
# Of the network with embeddings, whose bins are those of normal quantiles.
EMBEDDED = {"standardize": "quantile"}


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
    judges = pool[n_training:] if develop else test
    parts = [pool[:n_training][:most_rows], judges[:MOST_ROWS]]
    return [(X.iloc[idx].reset_index(drop=True), y[idx]) for idx in parts]


def models(seed, settings, *, slow=True):
    """Return the models to compare, by name.

    Parameters
    ----------
    seed : int
    settings : dict of str to dict
        Parameters of the classifier of ctsk, by a name for the table.
    slow : bool, default=True
        Whether to compare the models of pytabkit, too, if it is installed.
    """
    compared = {
        "logistic regression": _prepared(LogisticRegression(max_iter=2000)),
        "MLPClassifier": _prepared(MLPClassifier((32,), early_stopping=True, random_state=seed)),
        "HistGradientBoosting": HistGradientBoostingClassifier(
            categorical_features="from_dtype", random_state=seed
        ),
    }
    for name, parameters in settings.items():
        for training, off in {"BL": CONVENTIONAL, "CT": {}}.items():
            compared[f"ctsk {training}, {name}"] = CounterfactualTrainedClassifier(
                **{**parameters, **off}, random_state=seed
            )
    compared |= _embedded(seed)
    if slow:
        compared |= _pytabkit(seed)
    return compared


def _embedded(seed):
    """Return classifiers with embeddings of numbers; none without ``rtdl_num_embeddings``."""
    if importlib.util.find_spec("rtdl_num_embeddings") is None:
        return {}
    from accuracy_modules import EmbeddedMLP

    return {
        f"ctsk {training}, embeddings": CounterfactualTrainedClassifier(
            module=EmbeddedMLP, **EMBEDDED, **off, random_state=seed
        )
        for training, off in {"BL": CONVENTIONAL, "CT": {}}.items()
    }


def _pytabkit(seed):
    """Return the models of pytabkit with the default parameters of its authors; none without it."""
    if importlib.util.find_spec("pytabkit") is None:
        return {}
    from pytabkit import RealMLP_TD_S_Classifier, TabM_D_Classifier

    # Lightning reports the devices of each fit.
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    # The epoch is chosen by the score of the table, instead of the accuracy. A second thread would
    # slow such small networks down.
    parameters = {"n_cv": 1, "device": "cpu", "n_threads": 1, "val_metric_name": "cross_entropy"}
    return {
        name: _without_gaps(kind(**parameters, random_state=seed))
        for name, kind in {"RealMLP": RealMLP_TD_S_Classifier, "TabM": TabM_D_Classifier}.items()
    }


def _without_gaps(model):
    """Return a pipeline that imputes numbers before a model that takes categories as they are."""
    columns = make_column_transformer(
        (SimpleImputer(add_indicator=True), make_column_selector(dtype_include="number")),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    return make_pipeline(columns.set_output(transform="pandas"), model)


def _prepared(model):
    """Return a pipeline that imputes, scales and encodes before a model of scikit-learn."""
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (categories, make_column_selector(dtype_exclude="number")),
    )
    return make_pipeline(columns, model)


def judged(model, training, judges):
    """Fit a model; return its scores on the rows that judge it, and the seconds of the fit."""
    start = time.process_time()
    model.fit(*training)
    seconds = time.process_time() - start
    X, y = judges
    proba = model.predict_proba(X)
    return {
        "log loss": log_loss(y, proba, labels=model.classes_),
        "AUC": roc_auc_score(y, proba[:, 1]),
        "accuracy": accuracy_score(y, model.classes_[proba.argmax(axis=1)]),
        "epochs": getattr(model, "n_iter_", np.nan),
        "seconds": seconds,
    }
