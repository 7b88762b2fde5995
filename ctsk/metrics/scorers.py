"""Scorers that rate the counterfactuals of a model, for scikit-learn's model selection."""

import inspect
import pickle
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import joblib
import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, resample

from ctsk._classifier import CounterfactualTrainedClassifier
from ctsk._columns.validation import Interval, check_X, validate_params
from ctsk._explaining.pipeline_steps import transformed
from ctsk.generators import ECCCoGenerator
from ctsk.metrics.counterfactual import cost, validity
from ctsk.metrics.plausibility import implausibility, maximum_mean_discrepancy
from ctsk.metrics.robustness import robust_accuracy


@validate_params(
    {
        "metric": [callable],
        "greater_is_better": ["boolean"],
        "max_samples": [Interval(Integral, 1, None, closed="left"), None],
        "reference": [tuple, None],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both")],
    },
    prefer_skip_nested_validation=True,
)
def make_counterfactual_scorer(
    metric,
    *,
    greater_is_better=True,
    max_samples=1000,
    reference=None,
    random_state=0,
    **explain_params,
):
    """Make a scorer from a metric of counterfactuals.

    Parameters
    ----------
    metric : callable
        Function of an :class:`~ctsk.Explanation`. It returns a float, or an array
        with one value per row, whose mean over the valid rows is the score. If there
        are several alternatives, it may also return an array with one value per
        factual, whose mean over the values that are not NaN is the score. If the function
        has a parameter named ``reference``, it also receives a dict that maps each
        class to its observed rows in module units.
    greater_is_better : bool, default=True
        Whether a high value of `metric` is good. If False, the score is the
        negated value.
    max_samples : int or None, default=1000
        Maximum number of rows to explain. A larger data set is subsampled; None
        explains all rows.
    reference : tuple (X, y), default=None
        Observed rows and their labels. If None, the scored data are used.
    random_state : int, default=0
        Seed of the subsample of `max_samples` rows.
    **explain_params : dict
        Parameters of :meth:`~ctsk.CounterfactualTrainedClassifier.explain`. The defaults
        are ``generator=ECCCoGenerator(lambda_cost=0, max_step=None)``, ``tau=0.95`` and
        ``T=50``, as in [1]_.
        With another `generator`, such as ``"nearest"``, `T` defaults to that
        generator's own number of steps. The settings are the same for every model: the
        generator, `tau` and `T` of the scored estimator are never used, so that
        candidates are comparable.

    Returns
    -------
    scorer : callable
        Function of ``(estimator, X, y)`` that returns a float, for the ``scoring``
        parameter of any tool of scikit-learn. The estimator is a fitted
        :class:`~ctsk.CounterfactualTrainedClassifier` or a pipeline that ends in one. The
        score is NaN if no counterfactual is valid, unless `metric` handles this
        case itself. Sample weights are not supported and raise a TypeError.

    Raises
    ------
    ValueError
        If a parameter is invalid.
    TypeError
        If ``explain`` has no parameter with the name of an additional keyword.

    See Also
    --------
    make_multimetric_scorer : Combine several scorers, which then share one search.

    Notes
    -----
    The default search is the one by which [1]_ measures plausibility. How many
    counterfactuals it finds, and at what cost, depends on the model: a mean over the valid
    ones favors a model for which few are found. The search ``"nearest"`` finds nearly all
    that exist, for every model. It is the better choice for metrics of what people have to
    change, such as :func:`cost`, and useless for :func:`validity`, which is then near 1 for
    every model.

    References
    ----------
    .. [1] Altmeyer, Buszydlik, van Deursen and Liem, "Counterfactual training:
       teaching models plausible and actionable explanations", 2025.

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
    if reference is not None:
        if len(reference) != 2:
            raise ValueError(f"reference has {len(reference)} entries; it must be a pair (X, y).")
        check_consistent_length(*reference)
    # A wrong name fails here rather than after the first fit of a long search.
    known = inspect.signature(CounterfactualTrainedClassifier.explain).parameters
    unknown = sorted(set(explain_params) - set(known) | set(explain_params) & {"self", "X"})
    if unknown:
        raise TypeError(
            f"{unknown[0]!r} is neither a parameter of make_counterfactual_scorer nor one of "
            "CounterfactualTrainedClassifier.explain that a scorer can set."
        )
    # A fixed search, because a candidate that explains with its own generator and tau could
    # look better by searching longer.
    defaults = {"generator": ECCCoGenerator(lambda_cost=0, max_step=None), "tau": 0.95, "T": 50}
    # The 50 steps were chosen for this generator: a step of another one may do more or less. None
    # stands for the number that the other generator has by default.
    if "generator" in explain_params:
        defaults["T"] = None
    return CounterfactualScorer(
        metric,
        greater_is_better=greater_is_better,
        max_samples=max_samples,
        reference=reference,
        random_state=random_state,
        explain_params={**defaults, **explain_params},
    )


@dataclass(frozen=True, eq=False, repr=False)
class CounterfactualScorer:
    """Rate the counterfactuals of an estimator by one metric."""

    metric: Any
    greater_is_better: bool
    max_samples: int | None
    reference: tuple | None
    random_state: int
    explain_params: dict

    def __call__(self, estimator, X, y, sample_weight=None):
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : CounterfactualTrainedClassifier or Pipeline
        X : DataFrame or array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
        sample_weight : None
            Not supported.

        Returns
        -------
        score : float
        """
        refuse_sample_weight(sample_weight, self)
        return self.score(estimator, X, y, explanations={})

    def score(self, estimator, X, y, *, explanations):
        """Score a fitted estimator, and look up or add its explanation in a dict."""
        classifier, rows = _split_pipeline(estimator, X)
        # Scorers with the same key share one search; a scorer on its own gets an empty dict.
        key = self.search_key
        if key not in explanations:
            try:
                explanations[key] = self._explain(estimator, classifier, rows)
            except (ValueError, TypeError, RuntimeError) as error:
                # A search that failed is not repeated for the next scorer.
                explanations[key] = error
        explanation = explanations[key]
        if isinstance(explanation, BaseException):
            raise explanation

        # Encoding the observed rows takes time, which most metrics do not need.
        params = {}
        if "reference" in inspect.signature(self.metric).parameters:
            params["reference"] = self._reference_by_class(estimator, classifier, rows, y)

        values = np.asarray(self.metric(explanation, **params))
        if values.dtype.kind not in "biuf":
            raise TypeError(
                f"The metric {getattr(self.metric, '__name__', self.metric)!r} returned "
                f"{values.tolist()!r:.100}; it must return a number, or an array of numbers."
            )
        if values.ndim:
            # Values per row exist for invalid counterfactuals as well; those are left out.
            # An array of another length has one value per factual, NaN if undefined.
            is_per_row = len(values) == len(explanation)
            counted = explanation.valid if is_per_row else ~np.isnan(values)
            values = np.mean(values[counted]) if counted.any() else np.nan
        return float(values) if self.greater_is_better else -float(values)

    @property
    def search_key(self):
        """Key that two scorers share if they explain the same rows in the same way."""
        settings = self.max_samples, self.random_state, self.explain_params
        try:
            # Arrays among the parameters can be compared neither by == nor, as they are
            # abbreviated, by their representations. Pickles of equal values may differ.
            return joblib.hash(settings)
        except (pickle.PicklingError, AttributeError, TypeError):
            # Parameters such as lambdas cannot be compared; the scorer searches for itself.
            return id(self)

    def _explain(self, estimator, classifier, rows):
        # The reference rows are in the units of X; `explain` needs those of the classifier.
        params = dict(self.explain_params)
        if params.get("X_reference") is not None:
            _, params["X_reference"] = _split_pipeline(estimator, params["X_reference"])
        if self.max_samples is not None and _n_rows(rows) > self.max_samples:
            rows = resample(
                rows, replace=False, n_samples=self.max_samples, random_state=self.random_state
            )
        return classifier.explain(rows, **params)

    def _reference_by_class(self, estimator, classifier, rows, y):
        if self.reference is not None:
            X, y = self.reference
            _, rows = _split_pipeline(estimator, X)
        encoded = classifier.encoder_.encode_values(check_X(classifier, rows).values)
        labels = np.asarray(y)
        return {label: encoded[labels == label] for label in classifier.classes_.tolist()}

    def __repr__(self):
        """Return the call that makes this scorer."""
        params = {
            "greater_is_better": self.greater_is_better,
            "max_samples": self.max_samples,
            "random_state": self.random_state,
            **self.explain_params,
        }
        settings = ", ".join(f"{name}={value!r}" for name, value in params.items())
        name = getattr(self.metric, "__name__", repr(self.metric))
        return f"make_counterfactual_scorer({name}, {settings})"


def refuse_sample_weight(sample_weight, scorer):
    """Raise a TypeError, which names the remedy, if there are sample weights."""
    if sample_weight is not None:
        raise TypeError(
            f"{getattr(scorer, '__name__', scorer)} does not support sample_weight. Score without "
            "weights, or, in a scorer made by make_multimetric_scorer, enable metadata routing "
            "(sklearn.set_config(enable_metadata_routing=True)) and request the weights for "
            "scorers of scikit-learn by their set_score_request."
        )


def _n_rows(X):
    # len fails for sparse matrices; lists of rows have no shape.
    return X.shape[0] if hasattr(X, "shape") else len(X)


def _split_pipeline(estimator, X):
    """Return the classifier at the end of a pipeline, and the rows that reach it."""
    # A pipeline may end in another pipeline.
    while isinstance(estimator, Pipeline):
        X, estimator = transformed(estimator, X), estimator.steps[-1][1]
    if not hasattr(estimator, "explain"):
        raise TypeError(
            f"{type(estimator).__name__} has no method explain. Scorers of counterfactuals "
            "require a CounterfactualTrainedClassifier, or a pipeline that ends in one."
        )
    return estimator, X


def _iterate_targets(explanation, reference, min_rows):
    """Yield, per target class, positions of valid counterfactuals and observed rows.

    A class with fewer than `min_rows` of either is left out.
    """
    for label, observed in reference.items():
        idx = np.flatnonzero(explanation.valid & (explanation.target == label))
        if min(len(idx), len(observed)) >= min_rows:
            yield idx, observed


def _mean_implausibility(explanation, reference):
    """Return the mean implausibility of valid counterfactuals, each within its target class."""
    encoder, encoded = explanation.encoder, explanation.counterfactual_encoded
    distances = [
        implausibility(encoded[idx], observed, weights=encoder.column_weights)
        for idx, observed in _iterate_targets(explanation, reference, min_rows=1)
    ]
    return np.mean(np.concatenate(distances)) if distances else np.nan


def _mean_discrepancy(explanation, reference):
    """Return the mean over target classes of the discrepancy, weighted by counterfactuals."""
    encoded, mmds, sizes = explanation.counterfactual_encoded, [], []
    # The unbiased estimate averages over pairs of different rows: it needs two of each.
    for idx, observed in _iterate_targets(explanation, reference, min_rows=2):
        mmds.append(maximum_mean_discrepancy(encoded[idx], observed))
        sizes.append(len(idx))
    # Weighted by counterfactuals, as the mean over rows of the other scorers is.
    return np.average(mmds, weights=sizes) if mmds else np.nan


validity_scorer = make_counterfactual_scorer(validity)
# The cost is what people pay for the decision of the model, so that it is that of the cheapest
# counterfactual. ECCCo moves further than it must, by an amount that depends on the model. The
# decision changes at 0.5 (among more than two classes, at most there); a higher tau would also
# charge a model for its caution, because calibrated probabilities rise slowly beyond the boundary.
neg_cost_scorer = make_counterfactual_scorer(
    cost, greater_is_better=False, generator="nearest", tau=0.5
)
neg_implausibility_scorer = make_counterfactual_scorer(
    _mean_implausibility, greater_is_better=False
)
neg_mmd_scorer = make_counterfactual_scorer(_mean_discrepancy, greater_is_better=False)


def robust_accuracy_scorer(estimator, X, y, sample_weight=None, **params):
    """Score a model by its accuracy under attack.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier or Pipeline
        Fitted estimator; a pipeline must end in the classifier, which is attacked in
        the units of the rows that reach it.
    X : DataFrame or array-like of shape (n_rows, n_features)
        Rows in the input units of `estimator`.
    y : array-like of shape (n_rows,)
        Labels of the rows.
    sample_weight : None
        Not supported.
    **params : dict
        Parameters of :func:`robust_accuracy`. Use :func:`functools.partial` to set
        them.

    Returns
    -------
    accuracy : float
        See :func:`robust_accuracy`.

    Raises
    ------
    TypeError
        If `estimator` is another model or `sample_weight` is not None.

    See Also
    --------
    robust_accuracy : The metric itself.
    make_multimetric_scorer : Combines several scores.

    Examples
    --------
    >>> from functools import partial
    >>> from ctsk.metrics import robust_accuracy_scorer
    >>> scorer = partial(robust_accuracy_scorer, epsilon=0.2, attack="pgd")
    """
    refuse_sample_weight(sample_weight, robust_accuracy_scorer)
    classifier, rows = _split_pipeline(estimator, X)
    return robust_accuracy(classifier, rows, y, **params)
