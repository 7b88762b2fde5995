"""How far the distribution of counterfactuals is from that of observed rows of their class."""

from numbers import Integral, Real

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.utils import check_consistent_length, gen_batches

from ctsk._columns.validation import Interval, StrOptions, validate_params
from ctsk._torch.utils import make_rng
from ctsk.metrics.inputs import check_pair

# Maximum number of kernel values in memory: 64 MB in float64.
_BLOCK = 2**23
# Maximum number of rows whose pairwise distances give the median: 2 million distances
# determine it to far more digits than a kernel is sensitive to.
_MAX_COMPARED = 2_000


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
    X, Y = check_pair(X, Y, min_rows=2)
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
