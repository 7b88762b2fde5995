"""Scorers that rate the counterfactuals of a model, for scikit-learn's model selection."""

import inspect
from numbers import Integral

import numpy as np
from sklearn.utils import check_consistent_length

from ctsk._classifier import CounterfactualTrainedClassifier
from ctsk._columns.validation import Interval, validate_params
from ctsk.generators import ECCCoGenerator
from ctsk.metrics.counterfactual import cost, validity
from ctsk.metrics.counterfactual_scorer import (
    CounterfactualScorer,
    split_pipeline,
    weighted_mean,
)
from ctsk.metrics.discrepancy import maximum_mean_discrepancy
from ctsk.metrics.plausibility import implausibility
from ctsk.metrics.robustness import robust_accuracy

# Maximum number of observed rows of a class whose distribution counterfactuals are compared with.
# There are at most 1,000 counterfactuals by default, whose number limits the precision.
_MAX_OBSERVED = 5_000


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
        case itself. With sample weights, a mean over rows is weighted; a metric that
        returns a single number must have a parameter ``sample_weight``, which receives one
        weight per row of the explanation.

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
            "CounterfactualTrainedClassifier.explain that a scorer can set, which are "
            f"{', '.join(sorted(set(known) - {'self', 'X'}))}."
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


def _iterate_targets(explanation, reference, min_rows):
    """Yield, per target class, positions of valid counterfactuals and observed rows.

    A class with fewer than `min_rows` of either is left out.
    """
    for label, observed in reference.items():
        idx = np.flatnonzero(explanation.valid & (explanation.target == label))
        if min(len(idx), len(observed)) >= min_rows:
            yield idx, observed


def _mean_implausibility(explanation, reference, sample_weight=None):
    """Return the mean implausibility of valid counterfactuals, each within its target class."""
    encoder, encoded = explanation.encoder, explanation.counterfactual_encoded
    distances, weights = [], []
    for idx, observed in _iterate_targets(explanation, reference, min_rows=1):
        distances.append(implausibility(encoded[idx], observed, weights=encoder.column_weights))
        weights.append(np.ones(len(idx)) if sample_weight is None else sample_weight[idx])
    if not distances:
        return np.nan
    return weighted_mean(np.concatenate(distances), np.concatenate(weights))


def _mean_discrepancy(explanation, reference, sample_weight=None):
    """Return the mean over target classes of the discrepancy, weighted by counterfactuals."""
    encoded, mmds, sizes = explanation.counterfactual_encoded, [], []
    # The unbiased estimate averages over pairs of different rows: it needs two of each.
    for idx, observed in _iterate_targets(explanation, reference, min_rows=2):
        weights = None if sample_weight is None else sample_weight[idx]
        # The discrepancy compares all pairs: evenly spaced rows bound the time of the scorer.
        n_observed = min(len(observed), _MAX_OBSERVED)
        observed = observed[np.linspace(0, len(observed) - 1, n_observed).astype(int)]
        mmds.append(maximum_mean_discrepancy(encoded[idx], observed, sample_weight=weights))
        sizes.append(len(idx) if weights is None else weights.sum())
    # Weighted by counterfactuals, as the mean over rows of the other scorers is.
    return weighted_mean(mmds, sizes)


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
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows.
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
        If `estimator` is another model.

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
    classifier, rows = split_pipeline(estimator, X)
    return robust_accuracy(classifier, rows, y, sample_weight=sample_weight, **params)
