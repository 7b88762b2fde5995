"""Scorers that rate the counterfactuals of a model, for scikit-learn's model selection."""

import functools
import inspect
import pickle
import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import sklearn
from sklearn.metrics import check_scoring, get_scorer
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, resample
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from ctsk._classifier import CounterfactualTrainedClassifier
from ctsk._columns.validation import check_X
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
        with one value per row, whose mean over the valid rows is the score, or
        (where there are several alternatives) an array with one value per factual,
        whose mean over the values that are not NaN is the score. If the function
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
        Parameters of :meth:`CounterfactualTrainedClassifier.explain`. The defaults
        are ``generator=ECCCoGenerator(lambda_cost=0)``, ``tau=0.95`` and ``T=50``.
        They are the same for every model: the generator, `tau` and `T` of the
        scored estimator are never used, so that candidates are comparable.

    Returns
    -------
    scorer : callable
        Function of ``(estimator, X, y)`` that returns a float, for the ``scoring``
        parameter of any tool of scikit-learn. The estimator is a fitted
        :class:`CounterfactualTrainedClassifier` or a pipeline that ends in one. The
        score is NaN if no counterfactual is valid, unless `metric` handles this
        case itself. Sample weights are not supported and raise a TypeError.

    Raises
    ------
    ValueError
        If a parameter is invalid.
    TypeError
        If ``explain`` has no parameter of a given name.

    See Also
    --------
    make_multimetric_scorer : Combine several scorers, which then share one search.

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
    known = inspect.signature(CounterfactualTrainedClassifier.explain).parameters
    unknown = sorted(set(explain_params) - set(known) | set(explain_params) & {"self", "X"})
    if unknown:
        raise TypeError(
            f"{unknown[0]!r} is neither a parameter of make_counterfactual_scorer nor one of "
            "CounterfactualTrainedClassifier.explain that a scorer can set."
        )
    defaults = {"generator": ECCCoGenerator(lambda_cost=0), "tau": 0.95, "T": 50}
    return _CounterfactualScorer(
        metric,
        greater_is_better=greater_is_better,
        max_samples=max_samples,
        reference=reference,
        random_state=random_state,
        explain_params={**defaults, **explain_params},
    )


@validate_params(
    {"scoring": [dict], "error_score": [StrOptions({"raise"}), Real]},
    prefer_skip_nested_validation=True,
)
def make_multimetric_scorer(scoring, *, error_score=np.nan):
    """Combine scorers such that those of counterfactuals share their search.

    Searching counterfactuals is by far the most expensive part of scoring. In a
    plain dict of scorers, each scorer searches for itself. The combined scorer
    searches once per fitted model and data set for all scorers that have the same
    `max_samples`, `random_state` and parameters of ``explain``.

    Parameters
    ----------
    scoring : dict
        Maps names to scorers: those of :mod:`ctsk.metrics`, names such as
        "accuracy", and any callable with the signature ``(estimator, X, y)``.
    error_score : "raise" or float, default=np.nan
        Value of a score whose computation fails. A failure raises a UserWarning
        and does not affect the other scores. With "raise", the error is raised.
        This takes the place of the parameter `error_score` of
        :class:`~sklearn.model_selection.GridSearchCV`, which does not reach the
        single scores.

    Returns
    -------
    scorer : callable
        Function of ``(estimator, X, y)`` that returns a dict of floats, for the
        ``scoring`` parameter of :class:`~sklearn.model_selection.GridSearchCV`,
        :class:`~sklearn.model_selection.RandomizedSearchCV` and
        :func:`~sklearn.model_selection.cross_validate`. Tools that expect a single
        score, such as :class:`~sklearn.model_selection.HalvingGridSearchCV`, take
        one of the scorers alone. If metadata routing is enabled, sample weights
        reach the scorers that request them; otherwise they raise a TypeError.

    Raises
    ------
    ValueError
        If `scoring` is empty or contains an unknown name.
    TypeError
        If an entry of `scoring` is neither a name nor a callable.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_validate
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import make_multimetric_scorer, neg_cost_scorer, validity_scorer
    >>> scorer = make_multimetric_scorer(
    ...     {"accuracy": "accuracy", "validity": validity_scorer, "neg_cost": neg_cost_scorer}
    ... )
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> scores = cross_validate(clf, X, y, scoring=scorer, cv=2)
    >>> sorted(name for name in scores if name.startswith("test"))
    ['test_accuracy', 'test_neg_cost', 'test_validity']
    """
    for name, scorer in scoring.items():
        if not (isinstance(scorer, str) or callable(scorer)):
            raise TypeError(
                f"scoring[{name!r}] is {scorer!r}; it must be the name of a scorer of "
                "scikit-learn or a callable with the signature (estimator, X, y)."
            )
    # Unknown names fail here rather than after the first fit of a long search.
    check_scoring(scoring=scoring)
    return _MultimetricScorer(dict(scoring), error_score)


@dataclass(frozen=True, eq=False, repr=False)
class _CounterfactualScorer:
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
        _refuse_sample_weight(sample_weight, self)
        return self.score(estimator, X, y, explanations={})

    def score(self, estimator, X, y, *, explanations):
        """Score a fitted estimator, and look up or add its explanation in a dict."""
        classifier, rows = _split_pipeline(estimator, X)
        key = self.search_key
        if key not in explanations:
            explanations[key] = self._explain(estimator, classifier, rows)
        explanation = explanations[key]
        params = {}
        if "reference" in inspect.signature(self.metric).parameters:
            params["reference"] = self._reference_by_class(estimator, classifier, rows, y)
        values = self.metric(explanation, **params)
        if np.ndim(values):
            is_per_row = len(values) == len(explanation)
            counted = explanation.valid if is_per_row else ~np.isnan(values)
            values = np.mean(values[counted]) if counted.any() else np.nan
        return float(values) if self.greater_is_better else -float(values)

    @property
    def search_key(self):
        """Key that two scorers share if they explain the same rows in the same way."""
        settings = self.max_samples, self.random_state, self.explain_params
        try:
            # Arrays among the parameters can be compared neither by == nor, as
            # they are abbreviated, by their representations.
            return pickle.dumps(settings)
        except (pickle.PicklingError, AttributeError, TypeError):
            return id(self)

    def _explain(self, estimator, classifier, rows):
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


@dataclass(frozen=True, eq=False, repr=False)
class _MultimetricScorer:
    """Compute several scores, with one search for all that explain in the same way."""

    scoring: dict
    error_score: Any

    def __call__(self, estimator, X, y, **params):
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
        X : DataFrame or array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
        **params : dict
            Metadata, which reach the scorers that request them.

        Returns
        -------
        scores : dict of float
        """
        if params and not sklearn.get_config()["enable_metadata_routing"]:
            _refuse_sample_weight(params, self)
        # The explanations live as long as this call, so that they can never be
        # mistaken for those of another model or of other rows.
        explanations = {}
        scoring = {
            name: functools.partial(scorer.score, explanations=explanations)
            if isinstance(scorer, _CounterfactualScorer)
            else scorer
            for name, scorer in self.scoring.items()
        }
        # scikit-learn isolates failures: it returns their tracebacks as strings.
        score = check_scoring(scoring=scoring, raise_exc=self.error_score == "raise")
        scores = score(estimator, X, y, **params)
        for name, value in scores.items():
            if isinstance(value, str):
                warnings.warn(
                    f"The scorer {name!r} failed; its score is set to {self.error_score}. "
                    f"Details:\n{value}",
                    UserWarning,
                    stacklevel=2,
                )
                scores[name] = self.error_score
        return scores

    def get_metadata_routing(self):
        """Return which metadata the scorers request.

        Returns
        -------
        router : MetadataRouter
        """
        mapping = MethodMapping().add(caller="score", callee="score")
        scorers = {name: get_scorer(scorer) for name, scorer in self.scoring.items()}
        return MetadataRouter(owner=self).add(**scorers, method_mapping=mapping)

    def __repr__(self):
        """Return the call that makes this scorer."""
        return f"make_multimetric_scorer({self.scoring!r}, error_score={self.error_score!r})"


def _refuse_sample_weight(sample_weight, scorer):
    if sample_weight is not None:
        raise TypeError(
            f"{getattr(scorer, '__name__', scorer)} does not support sample_weight. Score without "
            "weights, or, in a scorer made by make_multimetric_scorer, enable metadata routing "
            "(sklearn.set_config(enable_metadata_routing=True)) and request the weights for "
            "scorers of scikit-learn by their set_score_request."
        )


def _n_rows(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)


def _split_pipeline(estimator, X):
    """Return the classifier at the end of a pipeline, and the rows that reach it."""
    while isinstance(estimator, Pipeline):
        for _, step in estimator.steps[:-1]:
            # Samplers of imbalanced-learn change the rows in fit only.
            if step not in (None, "passthrough") and not hasattr(step, "fit_resample"):
                X = step.transform(X)
        estimator = estimator.steps[-1][1]
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
    encoder, encoded = explanation.encoder, explanation.counterfactual_encoded
    distances = [
        implausibility(encoded[idx], observed, weights=encoder.column_weights)
        for idx, observed in _iterate_targets(explanation, reference, min_rows=1)
    ]
    return np.mean(np.concatenate(distances)) if distances else np.nan


def _mean_discrepancy(explanation, reference):
    encoded, mmds, sizes = explanation.counterfactual_encoded, [], []
    for idx, observed in _iterate_targets(explanation, reference, min_rows=2):
        mmds.append(maximum_mean_discrepancy(encoded[idx], observed))
        sizes.append(len(idx))
    return np.average(mmds, weights=sizes) if mmds else np.nan


validity_scorer = make_counterfactual_scorer(validity)
neg_cost_scorer = make_counterfactual_scorer(cost, greater_is_better=False)
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
    y : array-like of shape (n_rows,)
    sample_weight : None
        Not supported.
    **params : dict
        Parameters of :func:`robust_accuracy`. Use :func:`functools.partial` to set
        them.

    Returns
    -------
    accuracy : float

    Raises
    ------
    TypeError
        If `estimator` is another model or `sample_weight` is not None.

    Examples
    --------
    >>> from functools import partial
    >>> from ctsk.metrics import robust_accuracy_scorer
    >>> scorer = partial(robust_accuracy_scorer, epsilon=0.2, attack="pgd")
    """
    _refuse_sample_weight(sample_weight, robust_accuracy_scorer)
    classifier, rows = _split_pipeline(estimator, X)
    return robust_accuracy(classifier, rows, y, **params)
