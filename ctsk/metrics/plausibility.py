"""How close counterfactuals are to observed rows of their class."""

from numbers import Integral

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_array

from ctsk._columns.validation import Interval, validate_params
from ctsk.metrics.inputs import check_pair


@validate_params({"weights": ["array-like", None]}, prefer_skip_nested_validation=True)
def implausibility(X_counterfactual, X_target, *, weights=None):
    r"""Mean l1 distance of each counterfactual to the rows of its target class.

    Parameters
    ----------
    X_counterfactual : array-like of shape (n_counterfactuals, n_features)
        Counterfactuals in module units, as in `Explanation.counterfactual_encoded`.
    X_target : array-like of shape (n_rows, n_features)
        Observed rows of the target class, in the same units.
    weights : array-like of shape (n_features,), default=None
        Non-negative weights of the columns; None weighs all by 1. With
        `Encoder.column_weights` a change of category counts 1 rather than 1 for each
        of the two one-hot columns that it moves.

    Returns
    -------
    distances : ndarray of shape (n_counterfactuals,)
        Low values mean that the counterfactual is plausible.

    Raises
    ------
    ValueError
        If `X_target` is empty, if the rows are not finite or differ in their number of
        features, or if `weights` is invalid.

    Warns
    -----
    UndefinedMetricWarning
        If there is no counterfactual.

    See Also
    --------
    nearest_neighbor_distance : Mean distance to the nearest rows only.
    compare_implausibility : Comparison of two models.

    Notes
    -----
    :math:`IP(x') = \frac{1}{|X^+|} \sum_{x \in X^+} \|x' - x\|_1`, equation 6 of
    [1]_. The l1 distance is a sum over features. Each feature is therefore sorted
    once, and no matrix of distances is computed.

    The distance is least at the median of each feature over the target class. It
    therefore favors searches that move to the center of the class, even if no row is
    observed there, as between two clusters. If only valid counterfactuals are rated, a
    mean over them favors a model for which few are found, because those are typically
    the easy ones.

    References
    ----------
    .. [1] Altmeyer, Buszydlik, van Deursen and Liem, "Counterfactual training:
       teaching models plausible and actionable explanations", 2025.

    Examples
    --------
    >>> from ctsk.metrics import implausibility
    >>> implausibility([[0.0, 0.0], [1.0, 3.0]], [[0.0, 0.0], [2.0, 2.0]])
    array([2., 3.])
    """
    X_counterfactual, X_target = check_pair(X_counterfactual, X_target)
    distances = np.zeros(len(X_counterfactual))
    for column, weight in enumerate(_check_weights(weights, X_target.shape[1])):
        distances += weight * _mean_distances(X_counterfactual[:, column], X_target[:, column])
    return distances


def _mean_distances(queries, values):
    """Return the mean of ``|query - value|`` over the values, for each query."""
    # Sums of centered values lose no digits where all values are large.
    center = values.mean()
    order = np.argsort(queries)
    # Sorted queries read the sorted values in their order, as caches expect.
    queries, values = queries[order] - center, np.sort(values - center)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    # The values below a query contribute query - value, those above value - query;
    # both sums are differences of the cumulative sum.
    n_below = np.searchsorted(values, queries)
    n_above = len(values) - n_below
    below = queries * n_below - sums[n_below]
    above = sums[-1] - sums[n_below] - queries * n_above
    distances = np.empty(len(queries))
    distances[order] = (below + above) / len(values)
    return distances


@validate_params(
    {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "weights": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def nearest_neighbor_distance(X_counterfactual, X_target, *, n_neighbors=5, weights=None):
    r"""Mean l1 distance of each counterfactual to the nearest rows of its target class.

    The distance is small wherever rows of the target class are observed, at the margin
    of the class as well as in its center: it measures local plausibility.

    Parameters
    ----------
    X_counterfactual : array-like of shape (n_counterfactuals, n_features)
        Counterfactuals in module units, as in `Explanation.counterfactual_encoded`.
    X_target : array-like of shape (n_rows, n_features)
        Observed rows of the target class, in the same units.
    n_neighbors : int, default=5
        Number of nearest rows. With several of them, a single outlier among the
        observed rows does not make the rows around it plausible.
    weights : array-like of shape (n_features,), default=None
        Non-negative weights of the columns; None weighs all by 1. With
        `Encoder.column_weights` a change of category counts 1 rather than 1 for each
        of the two one-hot columns that it moves.

    Returns
    -------
    distances : ndarray of shape (n_counterfactuals,)
        Low values mean that the counterfactual is plausible.

    Raises
    ------
    ValueError
        If `n_neighbors` is invalid, if `X_target` has fewer than `n_neighbors` rows, if
        the rows are not finite or differ in their number of features, or if `weights`
        is invalid.

    Warns
    -----
    UndefinedMetricWarning
        If there is no counterfactual.

    See Also
    --------
    implausibility : Mean distance to all rows of the target class.

    Notes
    -----
    :math:`\frac{1}{k} \sum_{x \in N_k(x')} \|x' - x\|_1`, where :math:`N_k(x')` are the
    :math:`k` rows of the target class that are nearest to the counterfactual. The
    neighbors are found by :class:`sklearn.neighbors.NearestNeighbors`, which never holds
    all distances in memory.

    The distance to nearest rows decreases as more rows are observed. Values are
    comparable only if they were computed with the same `X_target`. Where classes
    overlap, the metric favors searches that barely cross the decision boundary, because
    some rows of the target class lie there; whether the counterfactuals as a whole are
    distributed like the class is measured by :func:`maximum_mean_discrepancy`. As with
    `implausibility`, a mean over valid counterfactuals favors a model for which few are
    found.

    Examples
    --------
    Between two clusters, at their common center, no row is observed. The mean distance to
    all rows is the same there as inside a cluster; the distance to the nearest rows is
    not.

    >>> from ctsk.metrics import implausibility, nearest_neighbor_distance
    >>> X_target = [[0.0], [0.0], [4.0], [4.0]]
    >>> implausibility([[2.0], [0.0]], X_target)
    array([2., 2.])
    >>> nearest_neighbor_distance([[2.0], [0.0]], X_target, n_neighbors=2)
    array([2., 0.])
    """
    X_counterfactual, X_target = check_pair(X_counterfactual, X_target)
    weights = _check_weights(weights, X_target.shape[1])
    if len(X_target) < n_neighbors:
        raise ValueError(
            f"n_neighbors is {n_neighbors}, but X_target has only {len(X_target)} rows. Pass more "
            f"rows of the target class, or n_neighbors={len(X_target)} or less."
        )
    # NearestNeighbors rejects an empty query.
    if not len(X_counterfactual):
        return np.zeros(0)
    # The l1 distance is linear in each weight, so that scaled columns give weighted distances.
    neighbors = NearestNeighbors(n_neighbors=n_neighbors, metric="manhattan")
    neighbors.fit(X_target * weights)
    distances, _ = neighbors.kneighbors(X_counterfactual * weights)
    return distances.mean(axis=1)


def _check_weights(weights, n_columns):
    """Return the weights of the columns as an array; None weighs all by 1."""
    if weights is None:
        return np.ones(n_columns)
    weights = check_array(weights, dtype=np.float64, ensure_2d=False, input_name="weights")
    if weights.shape != (n_columns,) or weights.min() < 0:
        raise ValueError(
            f"weights has shape {weights.shape}; it must be one non-negative number for each of "
            f"the {n_columns} columns."
        )
    return weights
