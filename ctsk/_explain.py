"""The function that explains classifiers of ctsk, wrappers, pipelines and models of torch."""

import contextlib
import warnings

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ctsk._classifier import CounterfactualTrainedClassifier
from ctsk._columns.containers import listed
from ctsk._columns.user_columns import check_resolution
from ctsk._columns.validation import check_table, naming_reference
from ctsk._explaining import foreign_models, pipelines, wrapped_models
from ctsk._explaining.request import Settings, make_request
from ctsk._explaining.search import search
from ctsk._torch.utils import default_torch_modes
from ctsk.exceptions import OtherConstraintsWarning
from ctsk.generators.shortcuts import new_generator


def explain(
    model,
    X,
    target=None,
    *,
    generator="nearest",
    tau=None,
    T=None,
    mutability=None,
    domain=None,
    feature_costs=None,
    X_reference=None,
    one_hot_groups=None,
    n_alternatives=1,
    max_changes=None,
    sparse=False,
    prove=False,
    time_limit=5.0,
    n_jobs=None,
    verbose=0,
    return_path=False,
):
    r"""Explain a fitted model by counterfactuals in the units of its input.

    For a :class:`CounterfactualTrainedClassifier` this is the same as its method
    ``explain``. Use this function for pipelines, whose counterfactuals are rows like
    those that enter the pipeline, for calibrated models and models with another
    threshold, and for models that were trained elsewhere.

    Parameters
    ----------
    model : estimator or torch.nn.Module
        A fitted :class:`CounterfactualTrainedClassifier`; a fitted skorch classifier; a
        torch module that returns logits (a single logit is that of class 1 against 0);
        a fitted :class:`sklearn.calibration.CalibratedClassifierCV`,
        :class:`sklearn.model_selection.FixedThresholdClassifier` or
        :class:`sklearn.model_selection.TunedThresholdClassifierCV` around an estimator of
        these; or a fitted :class:`sklearn.pipeline.Pipeline` that ends in one of all
        these. Wrappers may contain pipelines, too. For a finished search over any of
        them, such as :class:`sklearn.model_selection.GridSearchCV`, the best estimator is
        explained.
    X : DataFrame or array-like of shape (n_rows, n_features)
        The factuals, as they enter `model`.
    target, generator, tau, T, n_alternatives, max_changes, sparse, return_path
        See :meth:`CounterfactualTrainedClassifier.explain`. For a model that was trained
        elsewhere, ``tau=None`` stands for 0.75, and ``generator=None`` for ECCCo. For a
        calibrated model, `tau` is the calibrated probability. For a model with another
        threshold, ``tau=None`` stands for the decision of the model, and a number is
        required beside the decision.
    prove, time_limit, n_jobs, verbose
        See :meth:`CounterfactualTrainedClassifier.explain`. A proof is possible for a module
        that is a :class:`torch.nn.Sequential` of linear layers and ReLUs (``Identity``,
        ``Dropout`` and ``Flatten`` are ignored). It is also possible for a pipeline in which
        each step is affine for each feature, such as a scaler or a one-hot encoder. A
        calibrated model needs ``ensemble=False`` or a single fold, and, with more than two
        classes, ``method="temperature"``.
    mutability, domain : dict or sequence, default=None
        Constraints in the names and units of `X`; see
        :meth:`CounterfactualTrainedClassifier.explain`. Features that are not named keep
        the constraints that the classifier was trained with, as far as these can be
        expressed in X's units: completely if a feature reaches the classifier once and
        unmixed, as a number or as a category that is coded there. For all others only
        mutability carries over: a feature that an earlier step encodes or mixes (e.g.
        PCA) is immutable if all resulting columns are; one used several times, if any
        use is. Their domain is the range of `X_reference`, and open without it; pass one
        if numbers are mixed. A column that does not reach the classifier never changes,
        whatever is passed for it.
    feature_costs : dict or sequence, default=None
        Cost per unit of `X`, or per change of category. If a step of the pipeline
        transforms a number by a curve, such as a logarithm, it is the cost per unit of
        the transformed number.
    X_reference : DataFrame or array-like of shape (n_reference, n_features), default=None
        Observed rows with the columns of `X`, typically the training rows. They are
        required for a model that was trained elsewhere, to determine the domain of each
        feature and its standard deviation, which is the unit of the search. They are also
        required for a generator that must be fitted, such as REVISE, and that the model
        was not trained with, or was trained with in units other than X's. ``"nearest"``
        learns its prototypes from them. Without them, it uses those of the classifier, or
        none if a step changes the units, and then `lambda_data` has no effect. For a pipeline,
        they determine the range and the resolution of numbers of which the classifier
        knows neither, such as whole numbers behind a scaler.
    one_hot_groups : dict or list, default=None
        Columns of `X` that are the one-hot columns of a category, for a model that was
        trained elsewhere: a dict from the name of the category to the names or indices of
        its columns, or a list of lists. Every counterfactual holds exactly one 1 in each
        group. A :class:`CounterfactualTrainedClassifier` has a parameter of its own.

    Returns
    -------
    explanation : Explanation
        The counterfactuals have the columns of `X` and are judged by the whole `model`.

    Warns
    -----
    OtherConstraintsWarning
        If `mutability` or `domain` differ from the constraints that the pipeline's
        classifier was trained with. The constraints of this call hold.

    Raises
    ------
    TypeError
        If `model` is none of the above, or X is a DataFrame of a library that is
        not supported.
    sklearn.exceptions.NotFittedError
        If `model` is a CounterfactualTrainedClassifier, or a wrapper around one, that is
        not fitted.
    ValueError
        If a step of the pipeline cannot be inverted, if a calibrated model never gives a
        class the probability `tau`, if the classifiers of its folds read a feature in
        different ways, or as in :meth:`CounterfactualTrainedClassifier.explain`.

    See Also
    --------
    CounterfactualTrainedClassifier.explain : Explains the estimator itself.
    sufficient_changes : Shows which single features suffice to reach the target.
    Explanation : The result.

    Notes
    -----
    No list of supported steps is kept. Each fitted transformer of a pipeline, within
    :class:`sklearn.compose.ColumnTransformer`, :class:`sklearn.pipeline.FeatureUnion` and
    nested pipelines too, is measured on made-up rows. Each of its output columns must be a
    monotone function of one number, a linear mixture of numbers (e.g. PCA), or a code of
    one category. Then the steps map a row to module units by :math:`b + \sum_j f_j(x_j)`, where
    :math:`f_j` is a table for a category and a monotone curve times a vector for a number;
    the search descends this map, and the whole pipeline judges what it finds. The unit of
    a number is that of the last column that holds it alone, so numbers should be scaled
    before they are mixed. The categories of text are those of the encoder's attribute
    ``categories_``, of the classifier, of a pandas category dtype, or of `X_reference`. A
    feature that does not reach the classifier is returned unchanged.
    Samplers, as in pipelines of imbalanced-learn, act in ``fit`` only and are skipped.

    What the pipeline makes of a missing number is measured, too. If an imputer replaces
    it, the search starts at the number that the imputer puts in its place; if an indicator
    or the classifier itself distinguishes it from every number, it is a state beside the
    number, as in the classifier. In either case, it may stay or be left for a number, and
    is never reached. The constant of a :class:`sklearn.impute.SimpleImputer` with
    ``strategy="constant"``, and a number that an imputer takes for missing, are special
    values of X, which are never reached either, even if some rows hold them as amounts. Of
    any other step, a number in place of gaps is taken for a constant if the classifier has
    seen no smaller number, or no larger one. Such a constant is no end of the inferred
    domain, which ends at the next number that the classifier has seen. An unknown category
    starts at the code that the encoder has for it. A row that the pipeline rejects because
    of a gap or an unknown category is an error.

    Bounds, special values, resolutions and one-hot groups of the classifier hold in X's
    units where a feature reaches it alone; a group and a step of the resolution only if its
    columns arrive unchanged. An imputer that puts a mean among whole numbers hides from the
    classifier that they are whole; `X_reference` shows it.

    For two classes, a calibrator around one network and a threshold are monotone functions
    of its margin, the difference of its logits. What `tau` and the decision require is
    therefore a bound of the margin for each class, which is found by bisection of the
    wrapped model itself; search and proof then use the network with this bound. The
    networks of several folds, and those of more than two classes, are searched as one
    module, the logarithm of the mean of the calibrated probabilities. Either way, the
    wrapped model judges every row.

    Categories are ordered if they are an ordered pandas categorical in `X`, or if an
    :class:`sklearn.preprocessing.OrdinalEncoder` was given them in their order.

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
    settings = Settings(
        generator=generator,
        tau=tau,
        T=T,
        mutability=mutability,
        domain=domain,
        feature_costs=feature_costs,
        X_reference=X_reference,
        n_alternatives=n_alternatives,
        max_changes=max_changes,
        sparse=sparse,
        prove=prove,
        time_limit=time_limit,
        n_jobs=n_jobs,
        verbose=verbose,
        return_path=return_path,
    )
    with requested(model, X, target, settings, one_hot_groups) as request:
        return search(request)


@contextlib.contextmanager
def requested(model, X, target, settings, one_hot_groups=None):
    """Provide the request to explain rows of any model, with the modes of torch for its search.

    Parameters
    ----------
    model, X, target, one_hot_groups
        See `explain`.
    settings : Settings

    Yields
    ------
    request : Request
    """
    with default_torch_modes(), contextlib.ExitStack() as random_state:
        model = _unwrapped(model)
        is_foreign = foreign_models.is_known(_innermost(model))
        if is_foreign:
            # They may draw from the global random state, if only to load rows. Our own models do
            # not, and a restored state would disturb the training of a module in another thread.
            # Only that of the CPU is restored; by default, fork_rng would save that of every GPU.
            random_state.enter_context(torch.random.fork_rng(devices=[]))
        if one_hot_groups is not None and not is_foreign:
            raise ValueError(
                "one_hot_groups is for a torch module or a skorch classifier. Pass it to "
                "CounterfactualTrainedClassifier before it is fitted; a pipeline knows the "
                "columns of its own encoders."
            )
        explainable = _explainable(model, X, settings.X_reference, one_hot_groups)
        request = make_request(explainable, X, target, settings)
        # Only our classifier has constraints that it was trained with.
        *wrappers, innermost = _chain(model)
        is_ours = isinstance(innermost, CounterfactualTrainedClassifier)
        if is_ours and any(isinstance(wrapper, Pipeline) for wrapper in wrappers):
            _warn_where_different(request)
        yield request


def _names_of(pipeline):
    """Return the names of the columns that a pipeline was fitted with, or None."""
    names = getattr(pipeline, "feature_names_in_", None)
    return None if names is None else names.tolist()


def _unwrapped(model):
    """Return the estimator within a finished search, a FrozenEstimator, or both."""
    # A FrozenEstimator passes attributes on, so that the best estimator is found in it, too.
    model = getattr(model, "best_estimator_", model)
    return model.estimator if isinstance(model, FrozenEstimator) else model


def _explainable(model, X, X_reference, one_hot_groups=None):
    """Return a model in the form that a search explains.

    Parameters
    ----------
    model : estimator or torch.nn.Module
    X : DataFrame or array-like of shape (n_rows, n_features)
        A table like those that enter the model, of which a pipeline needs columns and dtypes.
    X_reference : DataFrame or array-like of shape (n_reference, n_features), or None
    one_hot_groups : dict, list or None, default=None
    """
    if isinstance(model, CounterfactualTrainedClassifier):
        return model._explainable()
    if isinstance(model, wrapped_models.WRAPPERS):
        inner = [
            _explainable(_unwrapped(estimator), X, X_reference, one_hot_groups)
            for estimator in wrapped_models.wrapped_estimators(model)
        ]
        return wrapped_models.model_of(model, inner)
    # A pipeline is explained in the units of its own input, as one model with its steps.
    if isinstance(model, Pipeline):
        table = check_table(X, _names_of(model))
        return _explainable_pipeline(model, table, X_reference)
    if foreign_models.is_known(model):
        # A model that was trained elsewhere has no settings; the estimator's defaults apply.
        defaults = CounterfactualTrainedClassifier()
        generator = new_generator(defaults.generator)
        return foreign_models.model_of(
            model,
            X_reference,
            one_hot_groups,
            generator=generator,
            tau=defaults.tau,
        )
    raise TypeError(
        f"model is of type {type(model).__name__}, unfitted perhaps; it must be a "
        "CounterfactualTrainedClassifier, a torch module, a fitted skorch classifier, a Pipeline "
        "that ends in one of these, a CalibratedClassifierCV, FixedThresholdClassifier or "
        "TunedThresholdClassifierCV around them, or a finished search over them (with refit)."
    )


def _explainable_pipeline(pipeline, X, X_reference):
    """Return a fitted pipeline in the form that a search explains."""
    # The last step needs reference rows in the units that reach it.
    reference = None
    if X_reference is not None:
        with naming_reference():
            X_reference = check_table(X_reference, _names_of(pipeline), "X_reference")
            pipelines.check_names(pipeline, X_reference)
            reference = pipelines.transformed(pipeline, X_reference)
    last = _unwrapped(pipeline.steps[-1][1])
    if any(isinstance(step, Pipeline) for step in _chain(last)):
        raise TypeError(
            "The last step of the pipeline contains a pipeline. Move its steps into the outer "
            "pipeline, or explain the last step alone, with the rows that reach it."
        )
    inner = _explainable(last, None, reference)
    # A model that was trained elsewhere says nothing of grids, which are inferred then.
    innermost = _innermost(last)
    resolutions = check_resolution(getattr(innermost, "resolution", "auto"), inner.encoder.schema)
    return pipelines.model_of(pipeline, inner, X, X_reference, resolutions=resolutions)


def _chain(model):
    """Yield a model, what it wraps or ends in, and so on; of an ensemble, the first estimator."""
    while model is not None:
        model = _unwrapped(model)
        yield model
        if isinstance(model, wrapped_models.WRAPPERS):
            model = wrapped_models.wrapped_estimators(model)[0]
        elif isinstance(model, Pipeline):
            model = model.steps[-1][1]
        else:
            model = None


def _innermost(model):
    """Return the model that others wrap."""
    # None is no model, and is reported as such later.
    return [None, *_chain(model)][-1]


def _warn_where_different(request):
    """Warn of constraints that differ from those of the training."""
    constraints, trained = request.constraints, request.model.constraints
    encoder = request.model.encoder
    # Trained bounds were converted from the units of the last step, so that they may differ by
    # rounding. Equal infinities are close.
    tolerance = {"rtol": 1e-6, "atol": 1e-6 * np.abs(encoder.scale)}
    differs = ~np.isclose(constraints.low, trained.low, **tolerance)
    differs |= ~np.isclose(constraints.high, trained.high, **tolerance)
    differs |= constraints.may_rise != trained.may_rise
    differs |= constraints.may_fall != trained.may_fall
    # Constraints may have one row for each row of X; one difference is enough.
    differs = np.atleast_2d(differs).any(axis=0)
    names = [
        name
        for feature, name in enumerate(encoder.names)
        if feature not in encoder.schema.unread and differs[encoder.feature_columns[feature]].any()
    ]
    # `stacklevel` points to the line that calls `explain`, beyond the frames of the context.
    if names:
        warnings.warn(
            f"mutability or domain of {listed(names)} is not what the pipeline's classifier was "
            "trained with. The explanations obey the constraints of this call, but the model did "
            "not learn from such counterfactuals; pass the same constraints to the classifier, in "
            "the names and units of the data that reach it.",
            OtherConstraintsWarning,
            stacklevel=5,
        )
