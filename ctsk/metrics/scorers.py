"""Scorers: what a model's counterfactuals are worth, for scikit-learn's searches."""

import inspect
import pickle

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics._scorer import _BaseScorer
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from ctsk.generators import ECCCoGenerator
from ctsk.metrics.counterfactual import cost, validity
from ctsk.metrics.plausibility import implausibility, maximum_mean_discrepancy
from ctsk.metrics.robustness import robust_accuracy


def make_counterfactual_scorer(
    metric,
    *,
    greater_is_better=True,
    max_samples=1000,
    reference=None,
    random_state=0,
    **explain_params,
):
    """Make a scorer of the counterfactuals that a model gives of the scored rows.

    Parameters
    ----------
    metric : callable
        From an :class:`~ctsk.Explanation` to a float; or to an array with one number
        per row, of which the mean over valid rows is the score; or, where there are
        alternatives, with one number per factual, of which it is the mean without NaN. If it has a
        parameter ``reference``, it gets a dict of observed rows in module units, by
        class.
    greater_is_better : bool, default=True
        False turns the sign.
    max_samples : int or None, default=1000
        Rows that are explained at most; None is all.
    reference : tuple (X, y), default=None
        Where observed rows come from; None is the scored data.
    random_state : int, default=0
        Of the choice of `max_samples` rows.
    **explain_params : dict
        Of :meth:`CounterfactualTrainedClassifier.explain`. What is not given is an
        ECCCo search without a price on distance, T of 50 and tau of 0.95, for every
        model alike: never a candidate's own generator, tau or T.

    Returns
    -------
    scorer : callable
        From (estimator, X, y) to a float, for ``scoring=`` anywhere in scikit-learn.
        The estimator is a fitted :class:`CounterfactualTrainedClassifier` or a
        pipeline that ends in one; NaN where no counterfactual is valid, unless the
        metric knows better. Scorers that search by the same settings share one
        search where scikit-learn is given several at once, in a dict.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_validate
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import cost, make_counterfactual_scorer
    >>> scorer = make_counterfactual_scorer(cost, greater_is_better=False, tau=0.6)
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> bool((cross_validate(clf, X, y, scoring=scorer)["test_score"] < 0).all())
    True
    """
    search = {"generator": ECCCoGenerator(lambda_cost=0), "tau": 0.95, "T": 50, **explain_params}
    return _CounterfactualScorer(
        metric,
        1 if greater_is_better else -1,
        {
            "search": search,
            "max_samples": max_samples,
            "reference": reference,
            "random_state": random_state,
        },
    )


class _CounterfactualScorer(_BaseScorer):
    """Scorer that shares its search through the cache of scikit-learn's multi-metric scorer.

    The cache goes by the name of a method, so a search is one: that of a stand-in
    for the estimator, named by all that the search depends on.
    """

    def _score(self, method_caller, estimator, X, y_true, **kwargs):
        settings = self._kwargs
        classifier, X = _inside(estimator, X)
        search = dict(settings["search"])
        if "X_reference" in search:
            _, search["X_reference"] = _inside(estimator, search["X_reference"])
        some = _some(len(X), settings["max_samples"], settings["random_state"])
        # Representations cut long values short; two searches would pass for one.
        told_apart = settings["search"], settings["max_samples"], settings["random_state"]
        name = pickle.dumps(told_apart).hex()
        stand_in = _StandIn(name, lambda rows: classifier.explain(rows, **search))
        explanation = method_caller(stand_in, name, _rows(X, some))
        given = {}
        if "reference" in inspect.signature(self._score_func).parameters:
            rows, labels = X, y_true
            if settings["reference"] is not None:
                rows, labels = settings["reference"]
                _, rows = _inside(estimator, rows)
            encoded, labels = classifier.encoder_.encode(rows), np.asarray(labels)
            given["reference"] = {
                label: encoded[labels == label] for label in classifier.classes_.tolist()
            }
        score = self._score_func(explanation, **given)
        if np.ndim(score):
            told = explanation.valid if len(score) == len(explanation) else ~np.isnan(score)
            score = np.mean(score[told]) if told.any() else np.nan
        return self._sign * float(score)


class _StandIn(BaseEstimator):
    """An estimator with one method of any name."""

    def __init__(self, name, method):
        vars(self)[name] = method


def _inside(estimator, X):
    """Return the classifier at the end of a pipeline, and the rows that reach it."""
    if isinstance(estimator, Pipeline):
        rows = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
        return _inside(estimator.steps[-1][1], rows)
    if not hasattr(estimator, "explain"):
        raise TypeError(
            f"{type(estimator).__name__} gives no counterfactuals; these scorers take a "
            "CounterfactualTrainedClassifier, or a pipeline that ends in one."
        )
    return estimator, X


def _some(n_rows, max_samples, random_state):
    if max_samples is None or n_rows <= max_samples:
        return np.arange(n_rows)
    chosen = check_random_state(random_state).choice(n_rows, max_samples, replace=False)
    return np.sort(chosen)


def _rows(X, positions):
    return X.iloc[positions] if hasattr(X, "iloc") else np.asarray(X)[positions]


def _by_target(explanation, reference, at_least):
    """Yield positions of valid rows, and observed rows, of each target that has enough."""
    for label, rows in reference.items():
        positions = np.flatnonzero(explanation.valid & (explanation.target == label))
        if min(len(positions), len(rows)) >= at_least:
            yield positions, rows


def _mean_implausibility(explanation, reference):
    weights = explanation.encoder.column_weights
    found = explanation.counterfactual_encoded
    distances = [
        implausibility(found[positions], rows, weights=weights)
        for positions, rows in _by_target(explanation, reference, at_least=1)
    ]
    return np.mean(np.concatenate(distances)) if distances else np.nan


def _mean_discrepancy(explanation, reference):
    found = explanation.counterfactual_encoded
    parts = [
        (len(positions), maximum_mean_discrepancy(found[positions], rows))
        for positions, rows in _by_target(explanation, reference, at_least=2)
    ]
    if not parts:
        return np.nan
    sizes, mmds = zip(*parts, strict=True)
    return np.average(mmds, weights=sizes)


validity_scorer = make_counterfactual_scorer(validity)
neg_cost_scorer = make_counterfactual_scorer(cost, greater_is_better=False)
neg_implausibility_scorer = make_counterfactual_scorer(
    _mean_implausibility, greater_is_better=False
)
neg_mmd_scorer = make_counterfactual_scorer(_mean_discrepancy, greater_is_better=False)


def robust_accuracy_scorer(estimator, X, y, **params):
    """Score a model by its accuracy under attack.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier or Pipeline
        Fitted; a pipeline ends in the classifier.
    X : DataFrame or array-like of shape (n_rows, n_features)
    y : array-like of shape (n_rows,)
    **params : dict
        See :func:`robust_accuracy`; :func:`functools.partial` gives them.

    Returns
    -------
    accuracy : float
    """
    classifier, rows = _inside(estimator, X)
    return robust_accuracy(classifier, rows, y, **params)
