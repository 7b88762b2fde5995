"""What counterfactuals cost, and how many of them are what was asked for."""

import itertools

import numpy as np

# In module units: a feature that moved less did not move.
_UNMOVED = 1e-5
_NORMS = {
    "l1": lambda moves: moves.sum(axis=1),
    "l2": lambda moves: np.sqrt(np.square(moves).sum(axis=1)),
    "linf": lambda moves: moves.max(axis=1),
    "n_changed": lambda moves: (moves > 0).sum(axis=1),
}


def validity(explanation):
    r"""Share of counterfactuals that the model predicts as their target.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    share : float
        NaN without any row.

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
    return float(np.mean(explanation.valid)) if len(explanation) else np.nan


def cost(explanation, *, norm="l1"):
    r"""Distance of each counterfactual to its factual.

    Parameters
    ----------
    explanation : Explanation
    norm : {"l1", "l2", "linf", "n_changed", "weighted"}, default="l1"
        Over features; "n_changed" counts those that moved, "weighted" is
        `Explanation.cost`, the l1 distance by the model's `feature_costs`.

    Returns
    -------
    distances : ndarray of shape (n_rows,)
        Of valid and other rows alike: choose by `Explanation.valid`.

    Raises
    ------
    ValueError
        If `norm` is unknown.

    Notes
    -----
    With :math:`\delta_d = |x'_d - x_d|` in module units (with
    ``standardize=True`` a step of one standard deviation is 1) for numbers, and
    :math:`\delta_d = 1[x'_d \neq x_d]` for categories: :math:`\sum_d \delta_d`,
    :math:`\sqrt{\sum_d \delta_d^2}`, :math:`\max_d \delta_d`,
    :math:`\sum_d 1[\delta_d > 0]`.

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
    if norm == "weighted":
        return explanation.cost
    if norm not in _NORMS:
        raise ValueError(f"norm is {norm!r}; it must be one of {[*_NORMS, 'weighted']}.")
    return _NORMS[norm](_moves_of(explanation))


def redundancy(explanation):
    r"""Share of features that a counterfactual leaves alone.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    shares : ndarray of shape (n_rows,)
        1 where nothing moved.

    Notes
    -----
    :math:`\frac{1}{D} \sum_d 1[\delta_d < 10^{-5}]` with the :math:`\delta_d` of
    `cost`.
    """
    return (_moves_of(explanation) < _UNMOVED).mean(axis=1)


def diversity(explanation, *, norm="l1"):
    r"""Mean distance between two alternatives of each factual.

    Parameters
    ----------
    explanation : Explanation
        With several alternatives; the valid ones count.
    norm : {"l1", "l2", "linf", "n_changed"}, default="l1"
        As in `cost`; "n_changed" counts the features in which two alternatives differ.

    Returns
    -------
    distances : ndarray of shape (n_factuals,)
        In module units; NaN where fewer than two alternatives are valid.

    Raises
    ------
    ValueError
        If `norm` is unknown, or there is one alternative only.

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
    n_alternatives = explanation.n_alternatives
    if norm not in _NORMS:
        raise ValueError(f"norm is {norm!r}; it must be one of {list(_NORMS)}.")
    if n_alternatives < 2:
        raise ValueError(
            "The explanation has one counterfactual for each row; ask for several by "
            "explain(X, n_alternatives=3)."
        )
    shape = len(explanation) // n_alternatives, n_alternatives
    ways = explanation.counterfactual_encoded.reshape(*shape, -1)
    valid = explanation.valid.reshape(shape)
    totals, n_pairs = np.zeros(len(ways)), np.zeros(len(ways))
    for i, j in itertools.combinations(range(n_alternatives), 2):
        moves = _moves(ways[:, i] - ways[:, j], explanation.encoder.groups)
        both = valid[:, i] & valid[:, j]
        totals += np.where(both, _NORMS[norm](moves), 0)
        n_pairs += both
    return np.divide(totals, n_pairs, out=np.full(len(ways), np.nan), where=n_pairs > 0)


def _moves_of(explanation):
    """How far each feature moved, in module units; a change of category is 1."""
    differences = explanation.counterfactual_encoded - explanation.factual_encoded
    return _moves(differences, explanation.encoder.groups)


def _moves(differences, groups):
    """By feature, how far rows are from each other; another category is 1."""
    moves = np.abs(differences)
    flips = [moves[:, columns].max(axis=1) for columns in groups.slices]
    return np.column_stack([moves[:, : groups.n_numeric], *flips])
