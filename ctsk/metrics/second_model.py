"""Metrics that involve a second model, which is another one than the model explained."""

import warnings

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score
from sklearn.utils import Bunch, check_consistent_length, column_or_1d

from ctsk._columns.containers import listed
from ctsk._columns.validation import HasMethods, check_table, validate_params
from ctsk._explaining.explanation import Explanation
from ctsk.metrics.inputs import encode_rows
from ctsk.metrics.plausibility import implausibility


@validate_params(
    {"explanation": [Explanation], "model": [HasMethods(["predict"])]},
    prefer_skip_nested_validation=True,
)
def transfer_validity(explanation, model):
    r"""Share of valid counterfactuals that another model predicts as their target, too.

    Recourse is often followed up by another model than the explained one, such as its
    successor. Counterfactuals that only exploit a peculiarity of the explained model do
    not transfer.

    Parameters
    ----------
    explanation : Explanation
        Counterfactuals to rate. Several alternatives for one factual are rated as rows
        of their own.
    model : object with a method ``predict``
        Another fitted classifier for rows in the units of ``explanation.counterfactual``,
        such as an estimator of scikit-learn, a pipeline or a
        :class:`~ctsk.CounterfactualTrainedClassifier`.

    Returns
    -------
    share : float
        Number between 0 and 1; NaN if no counterfactual is valid for the model that it
        explains.

    Raises
    ------
    ValueError
        If `explanation` is no Explanation, `model` has no method ``predict``, `model`
        was not fitted with the class of a target, or its predictions are not class
        labels of the same type as the targets.

    Warns
    -----
    UndefinedMetricWarning
        If no counterfactual is valid.

    See Also
    --------
    validity : Share of counterfactuals that are valid for the model that they explain.
    stability : Validity for refits of the same estimator, by counterfactual.

    Notes
    -----
    :math:`\frac{1}{|V|} \sum_{i \in V} 1[m(x'_i) = y^+_i]`, where :math:`V` are the valid
    counterfactuals and :math:`m` is the other model.

    Counterfactuals that are searched with a higher `tau` lie deeper within their class
    and transfer more often, at a higher cost. Compare shares of searches with the same
    `tau`, and report :func:`cost` next to them. Because the share leaves out rows without a
    valid counterfactual, it favors a model for which few are found. A `model` that
    predicts one class too often favors counterfactuals for this class.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import transfer_validity
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, lr=0.01, random_state=0).fit(X, y)
    >>> forest = RandomForestClassifier(random_state=0).fit(X, y)
    >>> explanation = clf.explain(X, tau=0.6, T=200)
    >>> transfer_validity(explanation, clf)
    1.0
    >>> transfer_validity(explanation, forest) < 1
    True
    """
    valid = explanation[explanation.valid]
    if not len(valid):
        _warn_of_no_row("No counterfactual is valid")
        return np.nan
    predictions = column_or_1d(model.predict(valid.counterfactual))
    # Not every object with a method predict has this attribute.
    if hasattr(model, "classes_"):
        _check_known(valid.target, np.asarray(model.classes_))
    label, target = predictions.tolist()[0], valid.target.tolist()[0]
    if isinstance(label, str) != isinstance(target, str):
        raise ValueError(
            f"model predicts labels such as {label!r}, which cannot be compared with the target "
            f"classes of explanation, such as {target!r}. Pass a model of the same classes."
        )
    # The accuracy also rejects predictions that are not labels, such as those of a regressor.
    return float(accuracy_score(valid.target, predictions))


def _check_known(targets, classes):
    """Raise a ValueError if a target is not among the classes of a model."""
    # Python's equality: NumPy would convert numbers to text in order to find them in strings.
    known = set(classes.tolist())
    unknown = [label for label in np.unique(targets).tolist() if label not in known]
    if unknown:
        raise ValueError(
            f"model was not fitted with the target classes {listed(unknown)}; its classes are "
            f"{listed(classes.tolist())}. Fit it with the same labels as the explained model, or "
            "select the counterfactuals for targets that it knows."
        )


@validate_params(
    {"first": [Explanation], "second": [Explanation]}, prefer_skip_nested_validation=True
)
def compare_implausibility(first, second, X, y):
    r"""Compare two models by the implausibility of counterfactuals for the same rows.

    A mean over all valid counterfactuals of each model favors the model for which fewer
    are found: it is spared the rows for which only distant ones exist. Here, both means
    are taken over the rows for which both models have a valid counterfactual. Which rows
    these are depends on both explanations, so that neither mean is a property of one of
    them: hence a function that compares, rather than a metric to be called twice.

    Parameters
    ----------
    first, second : Explanation
        Explanations of the same rows for the same targets, in the same order, by two
        models (or by two searches for one model), with one counterfactual per row.
    X : DataFrame or array-like of shape (n_observed, n_features)
        Observed rows, in the units of the explained rows.
    y : array-like of shape (n_observed,)
        Labels of the observed rows.

    Returns
    -------
    comparison : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the following attributes.

        first, second : float
            Mean :func:`implausibility` of the counterfactuals of `first` and `second`,
            over the rows for which both are valid.
        difference : float
            ``first - second``. If it is positive, the counterfactuals of `second` are
            more plausible.
        standard_error : float
            Standard error of `difference`; NaN if there is only one such row.
        n_rows : int
            Number of rows for which both counterfactuals are valid. The comparison does
            not cover the other rows: report the :func:`validity` of both models, too.

        If there is no such row, all numbers except `n_rows` are NaN.

    Raises
    ------
    ValueError
        If the explanations differ in their rows or targets, or if a factual occurs several
        times in one of them. Also if X has other columns than the explained rows, if X and
        y differ in length, or if no row of a target class is observed.

    Warns
    -----
    UndefinedMetricWarning
        If there is no row for which both counterfactuals are valid.

    See Also
    --------
    implausibility : Mean distance of a counterfactual to rows of its target class.

    Notes
    -----
    Let :math:`V` be the :math:`n` rows for which both counterfactuals are valid, and
    :math:`d_i = IP(x'_{1,i}) - IP(x'_{2,i})`, where each implausibility is the distance to the
    observed rows of target :math:`y^+_i`. Then `difference` is
    :math:`\bar d = \frac{1}{n} \sum_{i \in V} d_i`, and `standard_error` is
    :math:`\sqrt{\frac{1}{n (n - 1)} \sum_{i \in V} (d_i - \bar d)^2}`. Differences within a row
    vary less than the implausibility of different rows does, so that this error is usually much
    smaller than that of a difference of independent means. It accounts for the choice of
    the explained rows, but not for that of the training rows, of seeds, or of X.

    Distances are measured in the module units of the model of `first`, in which a change of
    category counts 1. If the models were fitted on different rows, their units differ, and
    exchanging `first` and `second` changes more than a sign.

    The default targets of :meth:`~ctsk.CounterfactualTrainedClassifier.explain` depend on the
    predictions of the model: pass `target`.

    Examples
    --------
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.datasets import make_moons_like
    >>> from ctsk.metrics import compare_implausibility
    >>> X, y = make_moons_like(300, random_state=0)
    >>> rows = X[y == 0]
    >>> models = [
    ...     CounterfactualTrainedClassifier(lambda_div=weight, max_epochs=20, random_state=0)
    ...     for weight in (0.0, 0.5)
    ... ]
    >>> without, with_divergence = [clf.fit(X, y).explain(rows, target=1) for clf in models]
    >>> comparison = compare_implausibility(without, with_divergence, X, y)
    >>> sorted(comparison)
    ['difference', 'first', 'n_rows', 'second', 'standard_error']
    >>> comparison.n_rows <= len(rows)
    True
    """
    _check_same_rows(first, second)
    encoder = first.encoder
    observed = encode_rows(encoder, check_table(X, encoder.names), "X")
    labels = column_or_1d(y)
    check_consistent_length(observed, labels)

    is_pair = first.valid & second.valid
    if not is_pair.any():
        _warn_of_no_row("No row has a valid counterfactual in both explanations")
        statistics = dict.fromkeys(["first", "second", "difference", "standard_error"], np.nan)
        return Bunch(**statistics, n_rows=0)
    first, second = first[is_pair], second[is_pair]
    # One encoder serves both, because distances in different units cannot be compared.
    encoded = [
        first.counterfactual_encoded,
        encode_rows(encoder, second.counterfactual_rows.frame, "second"),
    ]
    by_class = _rows_by_class(observed, labels, np.unique(first.target).tolist())
    distances = np.zeros((2, len(first)))
    for label, rows in by_class.items():
        idx = np.flatnonzero(first.target == label)
        for model in range(2):
            distances[model, idx] = implausibility(
                encoded[model][idx], rows, weights=encoder.column_weights
            )
    return _paired_statistics(*distances)


def _paired_statistics(first, second):
    """Return means of paired values, and the standard error of the mean difference."""
    differences = first - second
    n_rows = len(differences)
    # A single difference has no spread; NumPy would warn about it.
    spread = np.std(differences, ddof=1) if n_rows > 1 else np.nan
    return Bunch(
        first=float(first.mean()),
        second=float(second.mean()),
        difference=float(differences.mean()),
        standard_error=float(spread / np.sqrt(n_rows)),
        n_rows=n_rows,
    )


def _rows_by_class(observed, labels, classes):
    """Return a dict of the observed rows of some classes; a ValueError if one has none."""
    by_class = {label: observed[labels == label] for label in classes}
    unobserved = [label for label, rows in by_class.items() if not len(rows)]
    if unobserved:
        raise ValueError(
            f"y does not contain the target classes {listed(unobserved)}, to whose rows distances "
            "are measured. Pass observed rows of every target class."
        )
    return by_class


def _check_same_rows(first, second):
    """Raise a ValueError unless two explanations explain the same rows for the same targets."""
    for name, explanation in {"first": first, "second": second}.items():
        # Differences of alternatives for one factual are not independent of each other.
        if len(np.unique(explanation.row)) < len(explanation):
            raise ValueError(
                f"{name} has several counterfactuals for one row. Select one of each, for example "
                "the first by explanation[explanation.alternative == 0]."
            )
    if len(first) != len(second):
        raise ValueError(
            f"first explains {len(first)} rows, but second explains {len(second)}. Explain the "
            "same rows, and select the same ones of both explanations."
        )
    # The same encoder encodes the same rows bit for bit, so no tolerance is needed.
    factuals = encode_rows(first.encoder, second.factual_rows.frame, "second")
    differs = (first.factual_encoded != factuals).any(axis=1)
    if differs.any():
        raise ValueError(
            f"first and second explain different rows ({_position_text(differs)}). Explain the "
            "same rows in the same order by both models."
        )
    # As lists: NumPy would compare the text of strings and numbers.
    pairs = zip(first.target.tolist(), second.target.tolist(), strict=True)
    differs = np.array([target != other for target, other in pairs], dtype=bool)
    if differs.any():
        raise ValueError(
            f"first and second have different targets ({_position_text(differs)}). The default "
            "targets depend on the predictions of the model: pass the same target to both calls of "
            "explain."
        )


def _position_text(mask):
    """Return the first position at which a mask is true, and their number, as text."""
    return f"first at position {np.flatnonzero(mask)[0]}, {mask.sum()} in all"


def _warn_of_no_row(problem):
    """Warn that a metric is undefined because there is no row to compute it from."""
    warnings.warn(
        f"{problem}, so that the metric is undefined. Lower tau or raise T of the search.",
        UndefinedMetricWarning,
        # Points at the caller of the metric, past the metric and its wrapper.
        stacklevel=4,
    )
