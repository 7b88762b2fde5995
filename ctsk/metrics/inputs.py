"""Checks of the models and the explanations that metrics take."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ctsk._classifier import CounterfactualTrainedClassifier
from ctsk._columns.validation import check_X


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


def encode_counterfactuals(estimator, explanation):
    """Return the counterfactuals in the module units of an estimator.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Fitted.
    explanation : Explanation

    Returns
    -------
    encoded : ndarray of shape (n_explained, n_columns)

    Raises
    ------
    ValueError
        If the explanation is in other units, as that of a pipeline is.
    """
    encoded = explanation.counterfactual_encoded
    expected = estimator.encoder_.encode_values(
        check_X(estimator, explanation.counterfactual).values
    )
    if not np.array_equal(encoded, expected):
        raise ValueError(
            "explanation is in other units than those of estimator. Pass an explanation by "
            "estimator.explain; for a pipeline, pipeline[-1].explain(pipeline[:-1].transform(X))."
        )
    return encoded
