"""A scorer that combines several scorers, which share their searches for counterfactuals."""

import functools
import warnings
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import sklearn
from sklearn.metrics import check_scoring, get_scorer
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from ctsk._columns.validation import StrOptions, validate_params
from ctsk.metrics.counterfactual_scorer import CounterfactualScorer


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
        Value of a score whose computation fails. A failure issues a
        UserWarning and does not affect the other scores. With "raise", the error is raised.
        This takes the place of the parameter `error_score` of
        :class:`~sklearn.model_selection.GridSearchCV`, which does not reach the
        individual scores.

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

    See Also
    --------
    make_counterfactual_scorer : Makes one scorer of a metric.
    ctsk.model_selection.BestWithinTolerance : Chooses a candidate by two scores.

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
    # scikit-learn's own error does not say which entry is wrong.
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
class _MultimetricScorer:
    """Compute several scores, with one search for all that explain in the same way."""

    scoring: dict
    error_score: Any

    def __call__(self, estimator, X, y, **params):
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator.
        X : DataFrame or array-like of shape (n_rows, n_features)
            Rows in the input units of `estimator`.
        y : array-like of shape (n_rows,)
            Labels of the rows.
        **params : dict
            Metadata, such as `sample_weight`, which are passed to all scorers, or under metadata
            routing to those that request them.

        Returns
        -------
        scores : dict of float
        """
        # The explanations live as long as this call, so that they can never be
        # mistaken for those of another model or of other rows.
        explanations = {}
        scoring = {}
        for name, metadata in self._metadata(params).items():
            scorer = get_scorer(self.scoring[name])
            if isinstance(scorer, CounterfactualScorer):
                scorer = scorer.sharing(explanations)
            scoring[name] = functools.partial(scorer, **metadata) if metadata else scorer
        # scikit-learn isolates failures: it returns their tracebacks as strings.
        score = check_scoring(scoring=scoring, raise_exc=self.error_score == "raise")
        scores = score(estimator, X, y)
        for name, value in scores.items():
            # Only failed scorers return text.
            if isinstance(value, str):
                warnings.warn(
                    f"The scorer {name!r} failed; its score is set to {self.error_score}. "
                    f"Details:\n{value}",
                    UserWarning,
                    stacklevel=2,
                )
                scores[name] = self.error_score
        return scores

    def _metadata(self, params):
        """Return the metadata that each scorer receives."""
        if not sklearn.get_config()["enable_metadata_routing"]:
            return dict.fromkeys(self.scoring, params)
        routed = process_routing(self, "score", **params)
        return {name: routed[name].score for name in self.scoring}

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
