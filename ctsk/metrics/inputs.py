"""Checks of the models, the explanations and the rows that metrics take."""

import warnings

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ctsk._classifier import CounterfactualTrainedClassifier
from ctsk._columns.containers import is_frame, listed
from ctsk._columns.validation import check_X
from ctsk._explaining.explanation import Explanation


def check_classifier(estimator):
    """Raise an error unless the estimator is a fitted classifier of ours.

    Parameters
    ----------
    estimator : object

    Raises
    ------
    TypeError
        If `estimator` is another object, such as a pipeline.
    sklearn.exceptions.NotFittedError
        If `estimator` is not fitted.
    """
    if isinstance(estimator, CounterfactualTrainedClassifier):
        check_is_fitted(estimator)
        return
    # Pipelines and searches are the usual mistakes; attributes identify them, so that those
    # of other libraries get the same remedy as scikit-learn's.
    remedy = ""
    if hasattr(estimator, "steps"):
        remedy = (
            " Pass the last step of the pipeline, pipeline[-1], rows transformed by "
            "pipeline[:-1], and explanations of these rows by pipeline[-1].explain."
        )
    elif hasattr(estimator, "best_estimator_"):
        remedy = " Pass the best estimator of the search, search.best_estimator_."
    raise TypeError(
        f"estimator is a {type(estimator).__name__}; it must be a fitted "
        f"CounterfactualTrainedClassifier.{remedy}"
    )


def read_counterfactuals(estimator, explanation):
    """Return the counterfactuals as rows of an estimator whose units they are in.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Fitted classifier.
    explanation : Explanation

    Returns
    -------
    rows : Rows
        Their module units are `explanation.counterfactual_encoded`.

    Raises
    ------
    ValueError
        If the explanation is in other units, such as those of a pipeline.
    """
    rows = check_X(estimator, explanation.counterfactual)
    encoded = estimator.encoder_.encode_values(rows.values)
    # An explanation of a pipeline may have the same columns, so that check_X accepts it: only
    # the encoded values show that it was made in other units. The same encoder encodes the
    # same rows bit for bit, so no tolerance is needed.
    if not np.array_equal(explanation.counterfactual_encoded, encoded):
        raise ValueError(
            "explanation is in other units than those of estimator. Pass an explanation by "
            "estimator.explain; for a pipeline, pipeline[-1].explain(pipeline[:-1].transform(X))."
        )
    return rows


def reject_explanations(*samples):
    """Raise an error if a sample of rows is an explanation.

    Parameters
    ----------
    *samples : object

    Raises
    ------
    TypeError
        If one of them is an Explanation. NumPy would fail on it with an error that names neither.
    """
    if any(isinstance(rows, Explanation) for rows in samples):
        raise TypeError(
            "This metric takes rows, not an Explanation. Pass "
            "explanation.counterfactual_encoded[explanation.valid] of one target class, and the "
            "observed rows of this class in the same units: clf.encoder_.encode(X[y == target])."
        )


def encode_rows(encoder, table, name):
    """Return rows in the module units of an encoder, which need not come from its model.

    Parameters
    ----------
    encoder : Encoder
    table : DataFrame or ndarray of shape (n_rows, n_features)
    name : str
        Name of the rows in error messages.

    Returns
    -------
    encoded : ndarray of shape (n_rows, n_columns)

    Raises
    ------
    ValueError
        If the rows have other columns than those that `encoder` encodes.
    """
    names = encoder.names
    # Where one side has no names, columns are matched by position, as in scikit-learn.
    has_names = is_frame(table) and encoder.schema.is_named
    columns = list(table.columns) if has_names else [f"x{i}" for i in range(table.shape[1])]
    if len(columns) != len(names) or (has_names and columns != names):
        raise ValueError(
            f"{name} has the columns {listed(columns)}; the explained rows have {listed(names)}. "
            "Pass the same columns in the same order."
        )
    return encoder.encode(table)


def check_pair(X, Y, min_rows=1):
    """Return two samples as float64 arrays, of which only the first may be too small.

    Parameters
    ----------
    X, Y : array-like of shape (n_rows, n_features)
        Counterfactuals and observed rows, in module units.
    min_rows : int, default=1
        A first sample with fewer rows causes an `UndefinedMetricWarning`.

    Returns
    -------
    X, Y : ndarray of shape (n_rows, n_features)

    Raises
    ------
    TypeError
        If one of them is an explanation.
    ValueError
        If a sample holds gaps, the second one has too few rows, or the numbers of features differ.
    """
    reject_explanations(X, Y)
    X = check_array(X, dtype=np.float64, ensure_min_samples=0, input_name="first argument")
    Y = check_array(Y, dtype=np.float64, ensure_min_samples=min_rows, input_name="second argument")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"The rows have {X.shape[1]} and {Y.shape[1]} features; both must be in the same "
            "(module) units."
        )
    if len(X) < min_rows:
        warnings.warn(
            f"The metric is undefined for {len(X)} counterfactuals; it needs at least {min_rows}. "
            "If you passed the valid ones only, lower tau or raise T of the search.",
            UndefinedMetricWarning,
            # Points at the caller of the metric, past the metric and its wrapper.
            stacklevel=4,
        )
    return X, Y
