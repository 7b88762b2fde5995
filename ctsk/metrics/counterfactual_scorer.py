"""The scorer of the counterfactuals of an estimator, by one metric."""

import inspect
import pickle
from dataclasses import dataclass, replace
from typing import Any

import joblib
import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import resample
from sklearn.utils.metadata_routing import MetadataRequest

from ctsk._columns.validation import check_X
from ctsk._explaining.pipeline_steps import transformed


@dataclass(frozen=True, eq=False, repr=False)
class CounterfactualScorer:
    """Rate the counterfactuals of an estimator by one metric."""

    metric: Any
    greater_is_better: bool
    max_samples: int | None
    reference: tuple | None
    random_state: int
    explain_params: dict
    # Explanations by key, which scorers that rate the same model on the same rows share.
    explanations: dict | None = None
    weight_request: bool | str | None = None

    def set_score_request(self, *, sample_weight):
        """Request sample weights under metadata routing.

        Parameters
        ----------
        sample_weight : bool, None or str
            As in scorers of scikit-learn.

        Returns
        -------
        scorer : CounterfactualScorer
            A copy with this request.
        """
        return replace(self, weight_request=sample_weight)

    def get_metadata_routing(self):
        """Return which metadata the scorer requests.

        Returns
        -------
        request : MetadataRequest
        """
        request = MetadataRequest(owner=self)
        request.score.add_request(param="sample_weight", alias=self.weight_request)
        return request

    def sharing(self, explanations):
        """Return a copy that looks its explanations up in a dict, and adds those it lacks."""
        return replace(self, explanations=explanations)

    def __call__(self, estimator, X, y, sample_weight=None):
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : CounterfactualTrainedClassifier or Pipeline
        X : DataFrame or array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
        """
        classifier, rows = split_pipeline(estimator, X)
        explanation = self._explanation(estimator, classifier, rows)
        weights = self._weights(explanation, rows, sample_weight)
        # Encoding the observed rows takes time, which most metrics do not need.
        params, known = {}, inspect.signature(self.metric).parameters
        if "reference" in known:
            params["reference"] = self._reference_by_class(estimator, classifier, rows, y)
        if weights is not None and "sample_weight" in known:
            params["sample_weight"] = weights

        values = np.asarray(self.metric(explanation, **params))
        name = getattr(self.metric, "__name__", self.metric)
        if values.dtype.kind not in "biuf":
            raise TypeError(
                f"The metric {name!r} returned {values.tolist()!r:.100}; it must return a number, "
                "or an array of numbers."
            )
        if values.ndim:
            values = _mean_of_counted(values, explanation, weights)
        elif weights is not None and "sample_weight" not in known:
            raise TypeError(
                f"The metric {name!r} returns one number and has no parameter sample_weight, so "
                "that it cannot be weighted. Score without weights, or return one value per row."
            )
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

    def _explanation(self, estimator, classifier, rows):
        """Look the explanation up, or search it."""
        # Scorers with the same key share one search.
        explanations = {} if self.explanations is None else self.explanations
        key = self.search_key
        if key not in explanations:
            try:
                explanations[key] = self._explain(estimator, classifier, rows)
            except (ValueError, TypeError, RuntimeError) as error:
                # A search that failed is not repeated for the next scorer.
                explanations[key] = error
        if isinstance(explanations[key], BaseException):
            raise explanations[key]
        return explanations[key]

    def _weights(self, explanation, rows, sample_weight):
        """Return one weight per row of the explanation, or None."""
        if sample_weight is None:
            return None
        sample_weight = np.asarray(sample_weight, dtype=np.float64)
        if sample_weight.shape != (_n_rows(rows),) or not (sample_weight >= 0).all():
            raise ValueError(
                f"sample_weight has shape {sample_weight.shape}; it must be one nonnegative number "
                f"for each of the {_n_rows(rows)} rows."
            )
        # The same draw as that of the rows.
        return self._subsampled(sample_weight)[explanation.row]

    def _subsampled(self, rows):
        """Return at most `max_samples` rows."""
        if self.max_samples is None or _n_rows(rows) <= self.max_samples:
            return rows
        return resample(
            rows, replace=False, n_samples=self.max_samples, random_state=self.random_state
        )

    def _explain(self, estimator, classifier, rows):
        # The reference rows are in the units of X; `explain` needs those of the classifier.
        params = dict(self.explain_params)
        if params.get("X_reference") is not None:
            _, params["X_reference"] = split_pipeline(estimator, params["X_reference"])
        return classifier.explain(self._subsampled(rows), **params)

    def _reference_by_class(self, estimator, classifier, rows, y):
        if self.reference is not None:
            X, y = self.reference
            _, rows = split_pipeline(estimator, X)
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


def _n_rows(X):
    # len fails for sparse matrices; lists of rows have no shape.
    return X.shape[0] if hasattr(X, "shape") else len(X)


def split_pipeline(estimator, X):
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


def weighted_mean(values, weights):
    """Return the weighted mean; NaN for no values, or if all their weights are zero."""
    if not len(values) or (weights is not None and not np.any(weights)):
        return np.nan
    return np.average(values, weights=weights)


def _mean_of_counted(values, explanation, weights):
    """Return the mean of values per row, or per factual, that count."""
    # Values per row exist for invalid counterfactuals as well; those are left out. An array of
    # another length has one value per factual, NaN if undefined.
    is_per_row = len(values) == len(explanation)
    counted = explanation.valid if is_per_row else ~np.isnan(values)
    if weights is not None:
        # The alternatives of a factual follow each other.
        n_apart = 1 if is_per_row else len(explanation) // len(values)
        weights = weights[::n_apart][counted]
    return weighted_mean(values[counted], weights)
