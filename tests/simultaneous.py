"""What a classifier answers to every kind of request, as digests that workers can compare."""

import hashlib
import multiprocessing
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer

import ctsk

# Seconds for the proof of a row. A proof whose time is up depends on how busy the machine is.
_UNLIMITED = 600


def small_models(max_epochs=4):
    """Return a classifier of columns of several kinds, a pipeline with a curve, and their rows."""
    rng = np.random.default_rng(0)
    n_rows = 120
    X = pd.DataFrame(
        {
            "income": rng.gamma(3, 1_000, n_rows).round(2),
            "children": rng.integers(0, 5, n_rows),
            "debt": rng.exponential(2, n_rows),
            "job": pd.Series(rng.choice(["cook", "nurse", "smith"], n_rows), dtype="category"),
            "owner": rng.random(n_rows) < 0.4,
        }
    )
    X.loc[::11, "debt"] = np.nan
    y = np.where(X["income"] / 3_000 + X["owner"] - X["children"] / 3 > 0.6, "granted", "refused")
    settings = {"hidden_layer_sizes": (6,), "max_epochs": max_epochs, "lr": 0.02, "random_state": 0}
    clf = ctsk.CounterfactualTrainedClassifier(mutability={"children": "none"}, **settings)
    numbers = X[["income", "children"]]
    curved = ctsk.CounterfactualTrainedClassifier(**settings)
    return clf.fit(X, y), make_pipeline(PowerTransformer(), curved).fit(numbers, y), X


def large_model():
    """Return a classifier whose predictions torch computes on several threads, and its rows."""
    X = np.random.default_rng(0).normal(size=(1_700, 60))
    clf = ctsk.CounterfactualTrainedClassifier(
        hidden_layer_sizes=(1_200,), max_epochs=1, n_counterfactuals=10, random_state=0
    )
    return clf.fit(X[:60], X[:60, 0] > 0), X


def answers(models):
    """Return the digest of each answer, by the kind of the request.

    Parameters
    ----------
    models : tuple
        What `small_models` and `large_model` return.
    """
    clf, pipeline, X, large, large_X = models
    rows = X.head(6)
    return {
        "predict_proba": _digest(clf.predict_proba(X)),
        "nearest": _digest_of(clf.explain(rows, max_changes=2)),
        "eccco": _digest_of(clf.explain(rows, generator="eccco", T=40)),
        "proof": _digest_of(clf.explain(rows.head(3), prove=True, time_limit=_UNLIMITED)),
        "pipeline": _digest_of(ctsk.explain(pipeline, rows[["income", "children"]])),
        "save": _digest_of_files(clf),
        "large module": _digest(large.predict_proba(large_X)),
        "fit": _digest(_fitted_on(large_X).predict_proba(large_X)),
    }


def _fitted_on(X):
    """Return a classifier of rows that torch takes in on several threads."""
    clf = ctsk.CounterfactualTrainedClassifier(
        hidden_layer_sizes=(4,), max_epochs=1, n_counterfactuals=10, random_state=0
    )
    return clf.fit(X, X[:, 0] > 0)


def answers_in_processes(models, method, n_processes, timeout):
    """Return the answers of several processes.

    Parameters
    ----------
    models : tuple
        See `answers`.
    method : {"fork", "spawn"}
    n_processes : int
    timeout : float
        Seconds after which a `multiprocessing.TimeoutError` is raised, and the processes end.
    """
    with warnings.catch_warnings():
        # From version 3.12 on, Python warns of forks beside threads, which are the subject.
        warnings.simplefilter("ignore", DeprecationWarning)
        # A forked process inherits the arguments, a spawned one unpickles them.
        pool = multiprocessing.get_context(method).Pool(n_processes, _remember, (models,))
    with pool:
        tasks = [pool.apply_async(_answers_of_this_process) for _ in range(n_processes)]
        return [task.get(timeout) for task in tasks]


def _remember(models):
    global _models
    _models = models


def _answers_of_this_process():
    return answers(_models)


def _digest(*arrays):
    """Return a digest of the bits of arrays; objects enter as text."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.asarray(array)
        digest.update(str(array.shape).encode())
        is_object = array.dtype == object
        digest.update(str(array.tolist()).encode() if is_object else array.tobytes())
    return digest.hexdigest()


def _digest_of(explanation):
    arrays = [explanation.counterfactual.to_numpy(dtype=object), explanation.proba]
    arrays += [explanation.cost, explanation.n_iter, explanation.reason]
    if explanation.proof is not None:
        arrays += [explanation.proof, explanation.lower_bound]
    return _digest(*arrays)


def _digest_of_files(clf):
    """Store and load a classifier; return a digest of the files of the loaded one."""
    with tempfile.TemporaryDirectory() as name:
        ctsk.save(clf, Path(name, "model"))
        ctsk.save(ctsk.load(Path(name, "model")), Path(name, "model.zip"))
        ctsk.save(ctsk.load(Path(name, "model.zip")), Path(name, "again"))
        files = sorted(Path(name, "again").iterdir())
        return _digest(*[np.frombuffer(file.read_bytes(), np.uint8) for file in files])
