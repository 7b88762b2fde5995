"""How much counterfactuals look like rows of their class."""

import warnings

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.utils import check_array, gen_batches

from ctsk._torch.utils import make_rng

# Kernel values in memory at once, and rows whose median distance is computed.
_BLOCK = 2**23
_MOST_COMPARED = 2_000


def implausibility(X_counterfactual, X_target, *, weights=None):
    r"""Mean l1 distance of each counterfactual to the rows of its target class.

    Parameters
    ----------
    X_counterfactual : array-like of shape (n_counterfactuals, n_features)
        In module units, as in `Explanation.counterfactual_encoded`.
    X_target : array-like of shape (n_rows, n_features)
        Observed rows of the target class, in the same units.
    weights : array-like of shape (n_features,), default=None
        Of the columns; None is 1 for all. `Encoder.column_weights` lets a
        change of category count 1, not one for each of the two columns it moves.

    Returns
    -------
    distances : ndarray of shape (n_counterfactuals,)
        The lower, the more plausible.

    Raises
    ------
    ValueError
        If `X_target` is empty, or either is not finite or of another width.

    Warns
    -----
    UndefinedMetricWarning
        If there is no counterfactual.

    Notes
    -----
    :math:`IP(x') = \frac{1}{|X^+|} \sum_{x \in X^+} \|x' - x\|_1`, equation 6 of
    [1]_. The l1 distance is a sum over features, so that sorting each feature
    once replaces the matrix of distances.

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
    X_counterfactual, X_target = _check_pair(X_counterfactual, X_target)
    weights = np.ones(X_target.shape[1]) if weights is None else np.asarray(weights)
    if weights.shape != X_target.shape[1:]:
        raise ValueError(
            f"weights has shape {weights.shape}; it needs one for each of the "
            f"{X_target.shape[1]} columns."
        )
    distances = map(_mean_distances, X_counterfactual.T, X_target.T)
    return sum(weight * distance for weight, distance in zip(weights, distances, strict=True))


def _mean_distances(queries, values):
    """Mean of ``|query - value|`` over the values, for each query."""
    center = values.mean()
    queries, values = queries - center, np.sort(values - center)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    n_below = np.searchsorted(values, queries)
    n_above = len(values) - n_below
    below = queries * n_below - sums[n_below]
    above = sums[-1] - sums[n_below] - queries * n_above
    return (below + above) / len(values)


def maximum_mean_discrepancy(
    X, Y, *, length_scale="median", n_permutations=None, random_state=None
):
    r"""Distance between two samples, as the squared maximum mean discrepancy.

    Parameters
    ----------
    X : array-like of shape (n_rows_X, n_features)
        For example `Explanation.counterfactual_encoded`.
    Y : array-like of shape (n_rows_Y, n_features)
    length_scale : float or "median", default="median"
        Of the Gaussian kernel; "median" is the median distance between two rows
        of the pooled samples (of 2,000 evenly spaced ones, where there are more).
    n_permutations : int, default=None
        Permutations of a test that both samples come from one distribution; None
        does not test.
    random_state : int, RandomState or None, default=None
        Of the permutations.

    Returns
    -------
    mmd : float
        0 on average where the two distributions are equal; may be negative.
    p_value : float
        Share of permutations, the identity included, with an `mmd` as large.
        Only returned if `n_permutations` is given.

    Raises
    ------
    ValueError
        If `Y` has fewer than two rows, or either is not finite or of another width.

    Warns
    -----
    UndefinedMetricWarning
        If `X` has fewer than two rows: the result is NaN.

    Notes
    -----
    The unbiased estimate of [1]_ with
    :math:`k(x, y) = \exp(-\|x - y\|_2^2 / (2 \ell^2))`:

    .. math::

        \frac{1}{m(m-1)} \sum_{i \neq j} k(x_i, x_j)
        + \frac{1}{n(n-1)} \sum_{i \neq j} k(y_i, y_j)
        - \frac{2}{mn} \sum_{i, j} k(x_i, y_j).

    The kernel is computed a block of rows at a time, for all permutations at
    once, so that memory grows with the number of rows, not with its square.

    References
    ----------
    .. [1] Gretton, Borgwardt, Rasch, Schoelkopf and Smola, "A kernel two-sample
       test", Journal of Machine Learning Research 13, 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from ctsk.metrics import maximum_mean_discrepancy
    >>> rng = np.random.default_rng(0)
    >>> near, far = rng.normal(size=(2, 100, 3)) + [[[0]], [[1]]]
    >>> maximum_mean_discrepancy(near, rng.normal(size=(100, 3))) < 0.01
    True
    >>> mmd, p_value = maximum_mean_discrepancy(
    ...     far, rng.normal(size=(100, 3)), n_permutations=99, random_state=0
    ... )
    >>> mmd > 0.1, p_value
    (True, 0.01)
    """
    X, Y = _check_pair(X, Y, at_least=2)
    if len(X) < 2:
        return np.nan if n_permutations is None else (np.nan, np.nan)
    rows = np.concatenate([X, Y])
    rows -= rows.mean(axis=0)
    if length_scale == "median":
        length_scale = _median_distance(rows)
    in_X = np.zeros((len(rows), 1 + (n_permutations or 0)))
    in_X[: len(X), 0] = 1
    rng = make_rng(random_state)
    for permuted in in_X.T[1:]:
        permuted[rng.choice(len(rows), len(X), replace=False)] = 1
    mmds = _unbiased(rows, in_X, 1 / (2 * length_scale**2))
    if n_permutations is None:
        return float(mmds[0])
    return float(mmds[0]), float(np.mean(mmds >= mmds[0]))


def _median_distance(rows):
    """Median distance between two rows; a positive stand-in where most rows are equal."""
    n_rows = min(len(rows), _MOST_COMPARED)
    some = rows[np.linspace(0, len(rows) - 1, n_rows).astype(int)]
    distances = euclidean_distances(some)[np.triu_indices(n_rows, 1)]
    return np.median(distances) or distances.mean() or 1.0


def _unbiased(rows, in_X, gamma):
    """Unbiased squared discrepancies, one for each column that says which rows are X."""
    within_X, from_X, total = np.zeros(in_X.shape[1]), np.zeros(in_X.shape[1]), 0.0
    for block in gen_batches(len(rows), max(1, _BLOCK // len(rows))):
        kernel = rbf_kernel(rows[block], rows, gamma=gamma)
        kernel[np.arange(len(kernel)), np.arange(block.start, block.stop)] = 0
        within_X += (in_X[block] * (kernel @ in_X)).sum(axis=0)
        sums = kernel.sum(axis=1)
        from_X += sums @ in_X[block]
        total += sums.sum()
    n, n_X = len(rows), in_X[:, 0].sum()
    n_Y, between = n - n_X, from_X - within_X
    within_Y = total - within_X - 2 * between
    return within_X / (n_X * (n_X - 1)) + within_Y / (n_Y * (n_Y - 1)) - 2 * between / (n_X * n_Y)


def _check_pair(X, Y, at_least=1):
    X = check_array(X, dtype=np.float64, ensure_min_samples=0, input_name="first argument")
    Y = check_array(Y, dtype=np.float64, ensure_min_samples=at_least, input_name="second argument")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"The rows have {X.shape[1]} and {Y.shape[1]} features; they must be in the same "
            "(module) units."
        )
    if len(X) < at_least:
        warnings.warn(
            f"{len(X)} counterfactuals tell nothing; at least {at_least} are needed. If these are "
            "the valid ones, lower tau or raise T of the search.",
            UndefinedMetricWarning,
            stacklevel=3,
        )
    return X, Y
