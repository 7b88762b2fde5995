"""Maps of numbers to the normal quantiles of their ranks."""

import numpy as np
from scipy.special import ndtri

from ctsk._columns.curves import Curve

# The largest size of a normal quantile; the outer 0.13 % of the rows on each side are alike.
_LARGEST = 3.0
# Points of a table at most. Between them, numbers are interpolated.
_MOST_POINTS = 1000


def quantile_curves(numbers, weights, center, scale):
    r"""Return maps of columns to normal quantiles of the standard deviation of the column.

    Parameters
    ----------
    numbers : ndarray of shape (n_rows, n_columns)
        NaN is ignored.
    weights : ndarray of shape (n_rows,) or None
        Weights of the rows.
    center, scale : ndarray of shape (n_columns,)
        Mean and standard deviation of each column.

    Returns
    -------
    curves : dict of int to tuple of Curve
        By column. A column of fewer than three distinct numbers has none, because every
        increasing map of two numbers is affine.

    Notes
    -----
    A number :math:`x` maps to :math:`\mu + \sigma \Phi^{-1}(p)`, in which :math:`p` is the share
    of smaller numbers plus half the share of equal ones, with quantiles clipped at 3. The map is
    piecewise linear between observed numbers and constant beyond those of quantiles -3 and 3.
    """
    weights = np.ones(len(numbers)) if weights is None else weights
    curves = {}
    for column, values in enumerate(numbers.T):
        is_number = ~np.isnan(values)
        points, positions = np.unique(values[is_number], return_inverse=True)
        if len(points) < 3:
            continue
        totals = np.bincount(positions, weights[is_number], minlength=len(points))
        ranks = (np.cumsum(totals) - totals / 2) / totals.sum()
        quantiles = ndtri(ranks).clip(-_LARGEST, _LARGEST)
        idx = _informative(quantiles)
        heights = center[column] + scale[column] * quantiles[idx]
        curves[column] = (Curve(points[idx], heights, function=None),)
    return curves


def _informative(quantiles):
    """Return the positions of the points of a table among increasing quantiles."""
    # Of the numbers that are clipped, the innermost ones end the table, which then increases
    # strictly and has an inverse.
    first = np.searchsorted(quantiles, quantiles[0], side="right") - 1
    last = np.searchsorted(quantiles, quantiles[-1])
    if last - first < _MOST_POINTS:
        return np.arange(first, last + 1)
    # Half of the points are spaced evenly in ranks; the other half are spaced evenly in quantiles,
    # for the sake of the tails.
    inner = quantiles[first : last + 1]
    by_rank = np.linspace(first, last, _MOST_POINTS // 2).round()
    by_quantile = first + np.searchsorted(
        inner, np.linspace(inner[0], inner[-1], _MOST_POINTS // 2)
    )
    return np.union1d(by_rank, by_quantile.clip(first, last)).astype(int)
