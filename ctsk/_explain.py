"""Explaining a model that may be more than our classifier: a pipeline, a finished search."""

import warnings
from dataclasses import replace

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ctsk._classifier import CounterfactualTrainedClassifier
from ctsk._pipeline import check_rows, subject_of
from ctsk._specification import check_constraints
from ctsk.exceptions import OtherConstraintsWarning


def explain(
    model,
    X,
    target=None,
    *,
    generator=None,
    tau=None,
    T=None,
    mutability=None,
    domain=None,
    feature_costs=None,
    return_path=False,
):
    r"""Explain a model by counterfactuals in the units of the rows that it takes.

    Parameters
    ----------
    model : Pipeline, CounterfactualTrainedClassifier or search over either
        Fitted. A pipeline ends in a :class:`CounterfactualTrainedClassifier`; of a
        finished search, as by :class:`sklearn.model_selection.GridSearchCV`, the
        best estimator is explained.
    X : DataFrame or array-like of shape (n_rows, n_features)
        The factuals, as they go into `model`.
    target, generator, tau, T, return_path
        See :meth:`CounterfactualTrainedClassifier.explain`.
    mutability, domain : dict or sequence, default=None
        In the names and units of `X`; see
        :meth:`CounterfactualTrainedClassifier.explain`. Features that are not named
        keep what the classifier was trained with, as far as that can be told in
        X's units: all of it where a feature reaches the classifier once and
        unmixed, as a number or as a category that is coded there. Of others it
        is told only whether they move: a feature that is encoded before, or
        mixed (by PCA, say), is immutable where all columns are that it becomes;
        one that arrives several times, where it is so once. Their domain cannot
        be inferred, so give one where numbers are mixed.
    feature_costs : dict or sequence, default=None
        Per unit of `X`, or per change of category. Behind a curve, such as a
        logarithm, per unit of what comes out of it.

    Returns
    -------
    explanation : Explanation
        Its counterfactuals are rows like `X`'s, judged by the whole `model`.

    Warns
    -----
    OtherConstraintsWarning
        If `mutability` or `domain` is not what the pipeline's classifier was
        trained with. The constraints that are given here hold.

    Raises
    ------
    TypeError
        If `model` is none of these.
    ValueError
        If a step of the pipeline cannot be inverted, or as in
        :meth:`CounterfactualTrainedClassifier.explain`.

    Notes
    -----
    Steps that are understood: scalers, encoders of categories, imputers (for rows
    without gaps in numbers), selections of features, PCA and truncated SVD, power
    and quantile transforms, :class:`sklearn.preprocessing.FunctionTransformer` with
    its inverse, ``"passthrough"``, ``"drop"``, :class:`sklearn.compose.ColumnTransformer`
    and pipelines of all these. Such steps map a row to module units by
    :math:`b + \sum_j f_j(x_j)`, where :math:`f_j` is a table for a category and
    a monotone curve times a vector for a number; that is what is searched. The
    unit of a number is that of the last column that holds it alone, so scale
    numbers before they are mixed. A feature that does not reach the classifier is
    returned as it is.

    Ordered are the categories of an ordered pandas categorical in `X`, and those
    that an :class:`sklearn.preprocessing.OrdinalEncoder` was given in their order.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> import ctsk
    >>> X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> clf = ctsk.CounterfactualTrainedClassifier(max_epochs=20, random_state=0)
    >>> pipeline = make_pipeline(StandardScaler(), clf).fit(X, progression > 140)
    >>> explanation = ctsk.explain(pipeline, X.head(3), target=False)
    >>> list(explanation.counterfactual.columns) == list(X.columns)
    True
    """
    settings = {"generator": generator, "tau": tau, "T": T, "feature_costs": feature_costs}
    constraints = {"mutability": mutability, "domain": domain}
    if hasattr(model, "best_estimator_"):
        model = model.best_estimator_
    if isinstance(model, CounterfactualTrainedClassifier):
        return model.explain(X, target, return_path=return_path, **settings, **constraints)
    if not isinstance(model, Pipeline) or not isinstance(
        model.steps[-1][1], CounterfactualTrainedClassifier
    ):
        raise TypeError(
            f"model is {model!r}; it must be a CounterfactualTrainedClassifier, a Pipeline that "
            "ends in one, or a finished search over either."
        )
    classifier = model.steps[-1][1]
    check_is_fitted(classifier)
    classifier._check_settings(**settings, **constraints)
    X = check_rows(X)
    subject, values = subject_of(model, X)
    trained = subject.constraints
    now = check_constraints(**constraints, space=subject.space, default=trained, n_rows=len(values))
    subject = replace(subject, constraints=now)
    _warn_where_different(subject, trained)
    return classifier._explain(subject, X, values, target, return_path, **settings)


def _warn_where_different(subject, trained):
    """Warn of constraints that are not those of the training."""
    now, space = subject.constraints, subject.space
    same = {"rtol": 1e-6, "atol": 1e-6 * np.abs(space.scale)}
    differs = ~np.isclose(now.low, trained.low, **same)
    differs |= ~np.isclose(now.high, trained.high, **same)
    differs |= (now.may_rise != trained.may_rise) | (now.may_fall != trained.may_fall)
    differs = np.atleast_2d(differs).any(axis=0)
    names = [
        name
        for feature, name in enumerate(space.names)
        if feature not in space.schema.unread and differs[space.columns_of(feature)].any()
    ]
    if names:
        warnings.warn(
            f"mutability or domain of {', '.join(map(repr, names))} is not what the pipeline's "
            "classifier was trained with. The explanations keep to what is given here, but the "
            "model did not learn from such counterfactuals; tell the classifier the same, in the "
            "names and units of the data that reach it.",
            OtherConstraintsWarning,
            stacklevel=3,
        )
