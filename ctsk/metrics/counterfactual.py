"""Validity, cost, redundancy and diversity of counterfactuals."""

import numpy as np

from ctsk._columns.validation import StrOptions, validate_params
from ctsk._explaining.explanation import Explanation

_NORMS = {
    "l1": lambda moves: moves.sum(axis=1),
    "l2": lambda moves: np.sqrt(np.square(moves).sum(axis=1)),
    "linf": lambda moves: moves.max(axis=1),
    "n_changed": lambda moves: _is_changed(moves).sum(axis=1),
}


@validate_params(
    {"explanation": [Explanation], "sample_weight": ["array-like", None]},
    prefer_skip_nested_validation=True,
)
def validity(explanation, *, sample_weight=None):
    r"""Share of counterfactuals that the model predicts as their target.

    Parameters
    ----------
    explanation : Explanation
        Counterfactuals to rate.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows of `explanation`.

    Returns
    -------
    share : float
        Number between 0 and 1; NaN if the explanation has no rows.

    Raises
    ------
    TypeError
        If `explanation` is not an Explanation.

    See Also
    --------
    cost : Distance of counterfactuals to their factuals.
    transfer_validity : Validity under another model.
    make_counterfactual_scorer : Makes a scorer of a metric.

    Notes
    -----
    :math:`\frac{1}{n} \sum_i 1[\hat y(x'_i) = y^+_i]`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import validity
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> validity(clf.explain(X, mutability=["none"] * 4))
    0.0
    """
    # numpy would warn about the mean of no rows.
    if not len(explanation):
        return np.nan
    return float(np.average(explanation.valid, weights=sample_weight))


@validate_params(
    {"explanation": [Explanation], "norm": [StrOptions({*_NORMS, "weighted"})]},
    prefer_skip_nested_validation=True,
)
def cost(explanation, *, norm="l1"):
    r"""Distance of each counterfactual to its factual.

    Parameters
    ----------
    explanation : Explanation
        Counterfactuals to rate.
    norm : {"l1", "l2", "linf", "n_changed", "weighted"}, default="l1"
        Norm over the features. "n_changed" is the number of changed features;
        "weighted" is `Explanation.cost`, the l1 distance weighted by the
        `feature_costs` of the model.

    Returns
    -------
    distances : ndarray of shape (n_rows,)
        Distances of all rows, whether valid or not; `Explanation.valid` selects the
        valid ones.

    Raises
    ------
    ValueError
        If a parameter is invalid.

    See Also
    --------
    redundancy : Share of unchanged features.
    recourse_summary : Costs by group.
    validity : Share of valid counterfactuals.

    Notes
    -----
    Let :math:`\delta_d = |x'_d - x_d|` in module units for a numeric feature (with
    ``standardize=True``, a change by one standard deviation is 1), and
    :math:`\delta_d = 1[x'_d \neq x_d]` for a categorical feature. The norms are
    :math:`\sum_d \delta_d`, :math:`\sqrt{\sum_d \delta_d^2}`,
    :math:`\max_d \delta_d` and :math:`\sum_d 1[\delta_d > 0]`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import cost
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> explanation = clf.explain(X[:3], mutability={0: "none", 2: "none"})
    >>> bool(cost(explanation, norm="n_changed").max() <= 2)
    True
    """
    # The weights belong to the model; the explanation holds only the resulting costs.
    if norm == "weighted":
        return explanation.cost
    return _NORMS[norm](_moves_of(explanation))


@validate_params({"explanation": [Explanation]}, prefer_skip_nested_validation=True)
def redundancy(explanation):
    r"""Share of features that each counterfactual leaves unchanged.

    Parameters
    ----------
    explanation : Explanation
        Counterfactuals to rate.

    Returns
    -------
    shares : ndarray of shape (n_rows,)
        1 if no feature changed.

    Raises
    ------
    TypeError
        If `explanation` is not an Explanation.

    See Also
    --------
    cost : Distances of counterfactuals to their factuals.

    Notes
    -----
    :math:`\frac{1}{D} \sum_d 1[\delta_d = 0]` with the :math:`\delta_d` of `cost`,
    so that ``cost(explanation, norm="n_changed")`` is :math:`D` times one minus this share. No
    tolerance is needed, because explanations return unchanged values bit for bit.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import redundancy
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> explanation = clf.explain(X[:3], mutability={0: "none", 2: "none"})
    >>> bool(redundancy(explanation).min() >= 0.5)
    True
    """
    return (~_is_changed(_moves_of(explanation))).mean(axis=1)


@validate_params(
    {"explanation": [Explanation], "norm": [StrOptions(set(_NORMS))]},
    prefer_skip_nested_validation=True,
)
def diversity(explanation, *, norm="l1"):
    r"""Mean distance between two alternatives of each factual.

    Parameters
    ----------
    explanation : Explanation
        Explanation with several alternatives for each row. Only the valid ones are
        compared.
    norm : {"l1", "l2", "linf", "n_changed"}, default="l1"
        As in `cost`; "n_changed" counts the features in which two alternatives differ.

    Returns
    -------
    distances : ndarray of shape (n_factuals,)
        In module units, by factual in the order of X; NaN where fewer than two
        alternatives are valid.

    Raises
    ------
    ValueError
        If a parameter is invalid, or the explanation has only one alternative for
        each row.

    See Also
    --------
    cost : Distances of counterfactuals to their factuals.

    Notes
    -----
    :math:`\frac{2}{k(k-1)} \sum_{i<j} \|x'_i - x'_j\|` over the :math:`k` valid
    alternatives, with the distances of `cost`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import diversity
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> diversity(clf.explain(X[:4], n_alternatives=3)).shape
    (4,)
    """
    if explanation.n_alternatives < 2:
        raise ValueError(
            "explanation has one counterfactual for each row; request several by "
            "explain(X, n_alternatives=3)."
        )
    # A selection of an explanation may lack some alternatives or hold them in any order:
    # the alternatives of a factual are found by `row`, not by their positions.
    factuals, position = np.unique(explanation.row, return_inverse=True)
    totals = np.zeros(len(factuals))
    n_pairs = np.zeros(len(factuals))
    idx = np.flatnonzero(explanation.valid)
    idx = idx[np.argsort(position[idx], kind="stable")]
    encoded = explanation.counterfactual_encoded

    # Once sorted, the alternatives of a factual are adjacent. Pairs that are one apart in
    # this order, two apart and so on are therefore all pairs, and the first gap without a
    # pair ends the loop: it runs once per alternative rather than once per factual.
    for gap in range(1, len(idx)):
        is_pair = position[idx[:-gap]] == position[idx[gap:]]
        if not is_pair.any():
            break
        first = idx[:-gap][is_pair]
        second = idx[gap:][is_pair]
        moves = _moves(encoded[first] - encoded[second], explanation.encoder.groups)
        # A factual may occur several times in `first`, of which `+=` would add only one.
        np.add.at(totals, position[first], _NORMS[norm](moves))
        np.add.at(n_pairs, position[first], 1)
    return np.divide(totals, n_pairs, out=np.full(len(totals), np.nan), where=n_pairs > 0)


def _moves_of(explanation):
    """Return how far each feature moved, in module units; a change of category is 1."""
    differences = explanation.counterfactual_encoded - explanation.factual_encoded
    return _moves(differences, explanation.encoder.groups)


def _moves(differences, groups):
    """Return distances by feature between encoded rows; another category is 1."""
    numbers = np.abs(differences[:, : groups.n_numeric])
    is_changed = [(differences[:, columns] != 0).any(axis=1) for columns in groups.slices]
    flips = []
    for number, is_flipped in zip(groups.numbers, is_changed, strict=True):
        # The state of a number, such as a missing one, belongs to the feature of the number.
        if number is None:
            flips.append(is_flipped)
        else:
            numbers[:, number] += is_flipped
    return np.column_stack([numbers, *flips])


def _is_changed(moves):
    """Return which features moved; ndarray of bool."""
    return moves > 0
