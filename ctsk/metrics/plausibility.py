"""How close counterfactuals are to observed rows of their class."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_array, check_consistent_length, gen_batches

from ctsk._columns.validation import Interval, StrOptions, validate_params
from ctsk._torch.utils import make_rng
from ctsk.metrics.inputs import reject_explanations

# Maximum number of kernel values in memory: 64 MB in float64.
_BLOCK = 2**23
# Maximum number of rows whose pairwise distances give the median: 2 million distances
# determine it to far more digits than a kernel is sensitive to.
_MAX_COMPARED = 2_000


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
    X_counterfactual, X_target = _check_pair(X_counterfactual, X_target)
    distances = np.zeros(len(X_counterfactual))
    for column, weight in enumerate(_check_weights(weights, X_target.shape[1])):
        distances += weight * _mean_distances(X_counterfactual[:, column], X_target[:, column])
    return distances


def _mean_distances(queries, values):
    """Return the mean of ``|query - value|`` over the values, for each query."""
    # Sums of centered values lose no digits where all values are large.
    center = values.mean()
    queries, values = queries - center, np.sort(values - center)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    # The values below a query contribute query - value, those above value - query;
    # both sums are differences of the cumulative sum.
    n_below = np.searchsorted(values, queries)
    n_above = len(values) - n_below
    below = queries * n_below - sums[n_below]
    above = sums[-1] - sums[n_below] - queries * n_above
    return (below + above) / len(values)


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
    X_counterfactual, X_target = _check_pair(X_counterfactual, X_target)
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


@validate_params(
    {
        "length_scale": [StrOptions({"median"}), Interval(Real, 0, None, closed="neither")],
        "n_permutations": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def maximum_mean_discrepancy(
    X, Y, *, length_scale="median", n_permutations=None, random_state=None, sample_weight=None
):
    r"""Distance between a sample and a reference, as the squared maximum mean discrepancy.

    Parameters
    ----------
    X : array-like of shape (n_rows_X, n_features)
        Sample, for example `Explanation.counterfactual_encoded`.
    Y : array-like of shape (n_rows_Y, n_features)
        Reference, for example observed rows of the target class.
    length_scale : float or "median", default="median"
        Length scale of the Gaussian kernel. "median" is the median distance between
        two rows of `Y` (of 2,000 evenly spaced rows, if there are more). It does not
        depend on `X`, so that several samples can be compared by their distances to
        one reference.
    n_permutations : int, default=None
        Number of permutations in a test of the hypothesis that both samples come from
        the same distribution. None skips the test.
    random_state : int, RandomState or None, default=None
        Seed of the permutations.
    sample_weight : array-like of shape (n_rows_X,), default=None
        Positive weights of the rows of `X`. They cannot be combined with a test, whose
        permutations exchange rows.

    Returns
    -------
    mmd : float
        The expected value is 0 if both distributions are equal; the estimate may be
        negative.
    p_value : float
        Share of permutations, the identity included, whose discrepancy is at least as
        large as that of the samples. Only returned if `n_permutations` is given.

    Raises
    ------
    ValueError
        If a parameter is invalid, if `Y` has fewer than two rows, or if the rows are not
        finite or differ in their number of features.

    Warns
    -----
    UndefinedMetricWarning
        If `X` has fewer than two rows. The result is NaN.

    See Also
    --------
    implausibility : Distance of each counterfactual to observed rows.

    Notes
    -----
    The unbiased estimate of [1]_ with
    :math:`k(x, y) = \exp(-\|x - y\|_2^2 / (2 \ell^2))`:

    .. math::

        \frac{1}{m(m-1)} \sum_{i \neq j} k(x_i, x_j)
        + \frac{1}{n(n-1)} \sum_{i \neq j} k(y_i, y_j)
        - \frac{2}{mn} \sum_{i, j} k(x_i, y_j).

    Under weights :math:`w_i`, each :math:`x_i` counts :math:`w_i` times: the first term is
    :math:`\sum_{i \neq j} w_i w_j k(x_i, x_j) / ((\sum w_i)^2 - \sum w_i^2)`, and the last
    one :math:`2 \sum_{i, j} w_i k(x_i, y_j) / (n \sum w_i)`.

    With ``length_scale="median"`` the permutation test uses the median distance of
    the pooled rows instead. All permutations share this length scale, so that the
    p-value is exact; the length scale of `mmd` depends on which rows are in `Y`.

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
    X, Y = _check_pair(X, Y, min_rows=2)
    if len(X) < 2:
        return np.nan if n_permutations is None else (np.nan, np.nan)
    # Distances are differences of squares in euclidean_distances and rbf_kernel:
    # centering keeps their digits.
    rows = np.concatenate([X, Y])
    rows -= rows.mean(axis=0)
    is_median = isinstance(length_scale, str)
    scale = _median_distance(rows[len(X) :]) if is_median else length_scale
    in_X = np.zeros((len(rows), 1))
    in_X[: len(X)] = 1
    if sample_weight is not None:
        if n_permutations is not None:
            raise ValueError(
                "sample_weight cannot be combined with n_permutations. Pass one of them, and leave "
                "the other None."
            )
        check_consistent_length(X, sample_weight)
        return float(_unbiased(rows, in_X, scale, np.asarray(sample_weight, dtype=float))[0])
    mmd = float(_unbiased(rows, in_X, scale)[0])
    if n_permutations is None:
        return mmd
    # Under the hypothesis, every split of the pooled rows into samples of these sizes is
    # equally likely. The identity is among the splits, so that the p-value is never 0.
    permuted = np.zeros((len(rows), n_permutations))
    rng = make_rng(random_state)
    for column in permuted.T:
        column[rng.choice(len(rows), len(X), replace=False)] = 1
    test_scale = _median_distance(rows) if is_median else length_scale
    mmds = _unbiased(rows, np.hstack([in_X, permuted]), test_scale)
    return mmd, float(np.mean(mmds >= mmds[0]))


def _median_distance(rows):
    """Return the median distance between two rows, or a positive substitute for 0."""
    n_rows = min(len(rows), _MAX_COMPARED)
    sample = rows[np.linspace(0, len(rows) - 1, n_rows).astype(int)]
    distances = euclidean_distances(sample)[np.triu_indices(n_rows, 1)]
    # If more than half of the pairs are equal, the median cannot be a length scale.
    return np.median(distances) or distances.mean() or 1.0


def _unbiased(rows, in_X, length_scale, weights=None):
    """Return unbiased squared discrepancies, one per column of `in_X`.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
    in_X : ndarray of shape (n_rows, n_splits)
        1 for the rows that belong to the first sample, 0 for the others. All columns
        have the same sum.
    length_scale : float
    weights : ndarray of shape (n_rows_X,) or None, default=None
        Weights of the rows of a single split, which are the first ones.

    Returns
    -------
    mmds : ndarray of shape (n_splits,)
    """
    # Rows count as often as their weight says; those of Y, once.
    counts = np.ones((len(rows), 1))
    if weights is not None:
        counts[: len(weights), 0] = weights
    shares = in_X * counts
    within_X, from_X, total = np.zeros(in_X.shape[1]), np.zeros(in_X.shape[1]), 0.0
    for block in gen_batches(len(rows), max(1, _BLOCK // len(rows))):
        kernel = rbf_kernel(rows[block], rows, gamma=1 / (2 * length_scale**2))
        # The unbiased estimate leaves out the pairs of a row with itself.
        kernel[np.arange(len(kernel)), np.arange(block.start, block.stop)] = 0
        within_X += (shares[block] * (kernel @ shares)).sum(axis=0)
        sums = (kernel @ counts)[:, 0]
        from_X += sums @ shares[block]
        total += sums @ counts[block, 0]
    # The sum over pairs of X and Y, and that within Y, follow from the total: a
    # single product with the kernel serves all splits.
    n_X, n_Y = shares[:, 0].sum(), (1 - in_X[:, 0]).sum()
    n_pairs = n_X**2 - (shares[:, 0] ** 2).sum()
    between = from_X - within_X
    within_Y = total - within_X - 2 * between
    return within_X / n_pairs + within_Y / (n_Y * (n_Y - 1)) - 2 * between / (n_X * n_Y)


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


def _check_pair(X, Y, min_rows=1):
    """Return both samples as float64 arrays, of which only the first may be too small."""
    reject_explanations(X, Y)
    X = check_array(X, dtype=np.float64, ensure_min_samples=0, input_name="first argument")
    Y = check_array(Y, dtype=np.float64, ensure_min_samples=min_rows, input_name="second argument")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"The rows have {X.shape[1]} and {Y.shape[1]} features; both must be in the same "
            "(module) units."
        )
    if len(X) < min_rows:
        warnings.warn(
            f"The metric is undefined for {len(X)} counterfactuals; it needs at least {min_rows}. "
            "If you passed the valid ones only, lower tau or raise T of the search.",
            UndefinedMetricWarning,
            # Points at the caller of the metric, past the metric and its wrapper.
            stacklevel=4,
        )
    return X, Y
