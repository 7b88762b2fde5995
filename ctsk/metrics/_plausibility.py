"""How much counterfactuals look like rows of their class."""

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.utils import check_array


def implausibility(X_counterfactual, X_target):
    r"""Mean l1 distance of each counterfactual to the rows of its target class.

    Parameters
    ----------
    X_counterfactual : array-like of shape (n_counterfactuals, n_features)
        In module units, as in `Explanation.counterfactual_encoded`.
    X_target : array-like of shape (n_rows, n_features)
        Observed rows of the target class, in the same units.

    Returns
    -------
    distances : ndarray of shape (n_counterfactuals,)
        The lower, the more plausible.

    Raises
    ------
    ValueError
        If either is empty, not finite, or of another width.

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
    return sum(map(_mean_distances, X_counterfactual.T, X_target.T))


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


def maximum_mean_discrepancy(X, Y, *, length_scale="median"):
    r"""Distance between two samples, as the squared maximum mean discrepancy.

    Parameters
    ----------
    X : array-like of shape (n_rows_X, n_features)
        For example `Explanation.counterfactual_encoded`.
    Y : array-like of shape (n_rows_Y, n_features)
    length_scale : float or "median", default="median"
        Of the Gaussian kernel; "median" is the median distance between two rows
        of the pooled samples.

    Returns
    -------
    mmd : float
        0 on average where the two distributions are equal; may be negative.

    Raises
    ------
    ValueError
        If either has fewer than two rows, is not finite, or is of another width.

    Notes
    -----
    The unbiased estimate of [1]_ with
    :math:`k(x, y) = \exp(-\|x - y\|_2^2 / (2 \ell^2))`:

    .. math::

        \frac{1}{m(m-1)} \sum_{i \neq j} k(x_i, x_j)
        + \frac{1}{n(n-1)} \sum_{i \neq j} k(y_i, y_j)
        - \frac{2}{mn} \sum_{i, j} k(x_i, y_j).

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
    >>> maximum_mean_discrepancy(far, rng.normal(size=(100, 3))) > 0.1
    True
    """
    X, Y = _check_pair(X, Y, at_least=2)
    if length_scale == "median":
        pooled = np.concatenate([X, Y])
        length_scale = np.median(euclidean_distances(pooled)[np.triu_indices(len(pooled), 1)])
    gamma = 1 / (2 * length_scale**2)

    def mean_within(rows):
        n_rows = len(rows)
        return (rbf_kernel(rows, gamma=gamma).sum() - n_rows) / (n_rows * (n_rows - 1))

    return float(mean_within(X) + mean_within(Y) - 2 * rbf_kernel(X, Y, gamma=gamma).mean())


def _check_pair(X, Y, at_least=1):
    X = check_array(X, dtype=np.float64, ensure_min_samples=at_least, input_name="first argument")
    Y = check_array(Y, dtype=np.float64, ensure_min_samples=at_least, input_name="second argument")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"The rows have {X.shape[1]} and {Y.shape[1]} features; they must be in the same "
            "(module) units."
        )
    return X, Y
