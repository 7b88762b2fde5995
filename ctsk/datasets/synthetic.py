"""Data sets that are drawn: four in two dimensions, and loans."""

from numbers import Integral

import numpy as np
from sklearn.datasets import make_blobs, make_circles, make_moons
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

_DRAWN = {
    "n_samples": [Interval(Integral, 2, None, closed="left")],
    "random_state": ["random_state"],
}
# Classes 0 (rejected) and 1 (approved): means, and the standard deviations of both.
_LOAN_COLUMNS = ["debt", "age"]
_LOAN_MEANS = np.array([[30.0, 38.0], [18.0, 50.0]])
_LOAN_STDS = np.array([5.0, 7.0])


@validate_params(_DRAWN, prefer_skip_nested_validation=True)
def make_moons_like(n_samples=4500, *, random_state=None):
    """Draw two interleaving half circles: "Moons" of the paper.

    Parameters
    ----------
    n_samples : int, default=4500
    random_state : int, RandomState or None, default=None

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
    y : ndarray of shape (n_samples,)
        0 or 1.

    See Also
    --------
    sklearn.datasets.make_moons : Here with ``noise=0.1``.

    Examples
    --------
    >>> from ctsk.datasets import make_moons_like
    >>> X, y = make_moons_like(random_state=0)
    >>> X.shape, int(y.sum())
    ((4500, 2), 2250)
    """
    return make_moons(n_samples, noise=0.1, random_state=random_state)


@validate_params(_DRAWN, prefer_skip_nested_validation=True)
def make_circles_like(n_samples=4500, *, random_state=None):
    """Draw a circle (class 0) around a blob (class 1): "Circles" of the paper.

    Parameters
    ----------
    n_samples : int, default=4500
    random_state : int, RandomState or None, default=None

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
    y : ndarray of shape (n_samples,)
        0 or 1.

    See Also
    --------
    sklearn.datasets.make_circles : Here with ``noise=0.15, factor=0.01``.

    Examples
    --------
    >>> from ctsk.datasets import make_circles_like
    >>> X, y = make_circles_like(random_state=0)
    >>> X.shape, int(y.sum())
    ((4500, 2), 2250)
    """
    return make_circles(n_samples, noise=0.15, factor=0.01, random_state=random_state)


@validate_params(_DRAWN, prefer_skip_nested_validation=True)
def make_linearly_separable(n_samples=4500, *, random_state=None):
    """Draw two narrow Gaussian blobs: "linearly separable" of the paper.

    Parameters
    ----------
    n_samples : int, default=4500
    random_state : int, RandomState or None, default=None
        Of the centres too: another seed moves them.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
    y : ndarray of shape (n_samples,)
        0 or 1.

    See Also
    --------
    sklearn.datasets.make_blobs : Here with two centres and ``cluster_std=0.5``.
    make_overlapping : The same with wide blobs.

    Notes
    -----
    The centres are uniform in the box from -10 to 10, so that a rare seed puts them
    too close to each other to be separated.

    Examples
    --------
    >>> from ctsk.datasets import make_linearly_separable
    >>> X, y = make_linearly_separable(random_state=0)
    >>> X.shape, int(y.sum())
    ((4500, 2), 2250)
    """
    return make_blobs(n_samples, 2, centers=2, cluster_std=0.5, random_state=random_state)


@validate_params(_DRAWN, prefer_skip_nested_validation=True)
def make_overlapping(n_samples=4500, *, random_state=None):
    """Draw two wide Gaussian blobs: "overlapping" of the paper.

    Parameters
    ----------
    n_samples : int, default=4500
    random_state : int, RandomState or None, default=None
        Of the centres too: another seed moves them.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
    y : ndarray of shape (n_samples,)
        0 or 1.

    See Also
    --------
    sklearn.datasets.make_blobs : Here with two centres and ``cluster_std=2.0``.
    make_linearly_separable : The same with narrow blobs.

    Notes
    -----
    The centres are uniform in the box from -10 to 10: how much the blobs overlap is up
    to the seed, and far from each other they do not.

    Examples
    --------
    >>> from ctsk.datasets import make_overlapping
    >>> X, y = make_overlapping(random_state=0)
    >>> X.shape, int(y.sum())
    ((4500, 2), 2250)
    """
    return make_blobs(n_samples, 2, centers=2, cluster_std=2.0, random_state=random_state)


@validate_params({**_DRAWN, "as_frame": ["boolean"]}, prefer_skip_nested_validation=True)
def make_loan(n_samples=1000, *, random_state=None, as_frame=True):
    r"""Draw loan applications, rejected or approved: debt and age, as in the paper's Figure 1.

    Parameters
    ----------
    n_samples : int, default=1000
        Half of them of each class; an odd one is rejected.
    random_state : int, RandomState or None, default=None
    as_frame : bool, default=True
        Whether to return a DataFrame and a Series.

    Returns
    -------
    X : DataFrame or ndarray of shape (n_samples, 2)
        "debt" in thousands and "age" in years.
    y : Series or ndarray of shape (n_samples,)
        0 rejected, 1 approved.

    Notes
    -----
    Rejected: debt :math:`N(30, 5^2)`, age :math:`N(38, 7^2)`. Approved: debt
    :math:`N(18, 5^2)`, age :math:`N(50, 7^2)`. Debt and age are independent within a
    class. The best decision is linear,

    .. math::

        -\frac{12}{5^2} (\mathit{debt} - 24) + \frac{12}{7^2} (\mathit{age} - 44) > 0,

    and right in 93 of 100 cases. Values are neither rounded nor clipped.

    Examples
    --------
    >>> from ctsk.datasets import make_loan
    >>> X, y = make_loan(random_state=0)
    >>> list(X.columns), int(y.sum())
    (['debt', 'age'], 500)
    """
    rng = check_random_state(random_state)
    y = rng.permutation(np.arange(n_samples) % 2)
    X = _LOAN_MEANS[y] + _LOAN_STDS * rng.standard_normal((n_samples, 2))
    if not as_frame:
        return X, y
    import pandas as pd

    return pd.DataFrame(X, columns=_LOAN_COLUMNS), pd.Series(y, name="target")
