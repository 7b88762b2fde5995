"""Synthetic data sets: four of the paper in two dimensions, and loan applications."""

from numbers import Integral

import numpy as np
from sklearn.datasets import make_blobs, make_circles, make_moons
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

_DRAWN = {
    "n_samples": [Interval(Integral, 2, None, closed="left")],
    "random_state": ["random_state"],
}
# Means of the classes 0 (rejected) and 1 (approved), and the standard deviations that both share.
_LOAN_COLUMNS = ["debt", "age"]
_LOAN_MEANS = np.array([[30.0, 38.0], [18.0, 50.0]])
_LOAN_STDS = np.array([5.0, 7.0])


@validate_params(_DRAWN, prefer_skip_nested_validation=True)
def make_moons_like(n_samples=4500, *, random_state=None):
    """Draw two interleaving half circles.

    This is the data set "Moons" of [1]_.

    Parameters
    ----------
    n_samples : int, default=4500
        Number of rows.
    random_state : int, RandomState or None, default=None
        Determines the rows.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Rows.
    y : ndarray of shape (n_samples,)
        Class 0 or 1.

    Raises
    ------
    ValueError
        If a parameter is invalid.

    See Also
    --------
    sklearn.datasets.make_moons : The function called, with ``noise=0.1``.

    References
    ----------
    .. [1] Altmeyer, Buszydlik, van Deursen and Liem, "Counterfactual training:
       teaching models plausible and actionable explanations", 2025.

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
    """Draw a circle (class 0) around a blob (class 1).

    This is the data set "Circles" of [1]_.

    Parameters
    ----------
    n_samples : int, default=4500
        Number of rows.
    random_state : int, RandomState or None, default=None
        Determines the rows.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Rows.
    y : ndarray of shape (n_samples,)
        Class 0 or 1.

    Raises
    ------
    ValueError
        If a parameter is invalid.

    See Also
    --------
    sklearn.datasets.make_circles : The function called, with ``noise=0.15, factor=0.01``.

    References
    ----------
    .. [1] Altmeyer, Buszydlik, van Deursen and Liem, "Counterfactual training:
       teaching models plausible and actionable explanations", 2025.

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
    """Draw two narrow Gaussian blobs, which are linearly separable.

    This is the data set "linearly separable" of [1]_.

    Parameters
    ----------
    n_samples : int, default=4500
        Number of rows.
    random_state : int, RandomState or None, default=None
        Determines the rows and the centers of the blobs.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Rows.
    y : ndarray of shape (n_samples,)
        Class 0 or 1.

    Raises
    ------
    ValueError
        If a parameter is invalid.

    See Also
    --------
    sklearn.datasets.make_blobs : The function called, with two centers and ``cluster_std=0.5``.
    make_overlapping : The same data set with wide blobs.

    Notes
    -----
    The centers are drawn uniformly from the box from -10 to 10. Few seeds place them so close
    to each other that the classes cannot be separated.

    References
    ----------
    .. [1] Altmeyer, Buszydlik, van Deursen and Liem, "Counterfactual training:
       teaching models plausible and actionable explanations", 2025.

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
    """Draw two wide Gaussian blobs, which overlap.

    This is the data set "overlapping" of [1]_.

    Parameters
    ----------
    n_samples : int, default=4500
        Number of rows.
    random_state : int, RandomState or None, default=None
        Determines the rows and the centers of the blobs.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Rows.
    y : ndarray of shape (n_samples,)
        Class 0 or 1.

    Raises
    ------
    ValueError
        If a parameter is invalid.

    See Also
    --------
    sklearn.datasets.make_blobs : The function called, with two centers and ``cluster_std=2.0``.
    make_linearly_separable : The same data set with narrow blobs.

    Notes
    -----
    The centers are drawn uniformly from the box from -10 to 10. How much the blobs overlap
    depends on the seed; if the centers are far apart, the blobs do not overlap.

    References
    ----------
    .. [1] Altmeyer, Buszydlik, van Deursen and Liem, "Counterfactual training:
       teaching models plausible and actionable explanations", 2025.

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
    r"""Draw approved and rejected loan applications with debt and age.

    This is the data set of Figure 1 of [1]_.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows, half of them of each class. If it is odd, one more is rejected.
    random_state : int, RandomState or None, default=None
        Determines the rows.
    as_frame : bool, default=True
        Whether to return a DataFrame and a Series instead of arrays.

    Returns
    -------
    X : DataFrame or ndarray of shape (n_samples, 2)
        Columns "debt", in thousands, and "age", in years.
    y : Series or ndarray of shape (n_samples,)
        0 if the application is rejected, 1 if it is approved.

    Raises
    ------
    ValueError
        If a parameter is invalid.

    See Also
    --------
    make_linearly_separable : Two numeric features without a meaning.
    fetch_german_credit : Real applications for credit.

    Notes
    -----
    In the rejected class, the debt is distributed as :math:`N(30, 5^2)` and the age as
    :math:`N(38, 7^2)`; in the approved class, as :math:`N(18, 5^2)` and :math:`N(50, 7^2)`. Debt
    and age are independent within a class. The optimal decision is linear: it approves an
    application if

    .. math::

        -\frac{12}{5^2} (\mathit{debt} - 24) + \frac{12}{7^2} (\mathit{age} - 44) > 0,

    which is right in 93 of 100 cases. Values are neither rounded nor clipped.

    References
    ----------
    .. [1] Altmeyer, Buszydlik, van Deursen and Liem, "Counterfactual training:
       teaching models plausible and actionable explanations", 2025.

    Examples
    --------
    >>> from ctsk.datasets import make_loan
    >>> X, y = make_loan(random_state=0)
    >>> list(X.columns), int(y.sum())
    (['debt', 'age'], 500)
    """
    rng = check_random_state(random_state)
    # Alternating labels are balanced for any number of rows; an odd one adds a row of class 0.
    y = rng.permutation(np.arange(n_samples) % 2)
    # Indexing by y gives each row the mean of its class.
    X = _LOAN_MEANS[y] + _LOAN_STDS * rng.standard_normal((n_samples, 2))
    if not as_frame:
        return X, y
    import pandas as pd

    return pd.DataFrame(X, columns=_LOAN_COLUMNS), pd.Series(y, name="target")
