"""The training rows that are held out to monitor a fit."""

import numpy as np


def held_out_rows(labels, fraction, random):
    """Choose rows to hold out, the same share of each class.

    Parameters
    ----------
    labels : int ndarray of shape (n_rows,)
    fraction : float
        Share of the rows, in (0, 1).
    random : numpy.random.Generator

    Returns
    -------
    is_held_out : bool ndarray of shape (n_rows,)
        At least one row of each class is left to train on. No row is held out if the classes are
        too small for that.
    """
    # Rows are ordered by a random number within each class; the rank of a row in its class, as a
    # share of the class, is below the fraction for the rows that are held out.
    order = np.lexsort([random.random(len(labels)), labels])
    counts = np.bincount(labels)
    starts = np.cumsum(counts) - counts
    ranks = np.empty(len(labels), dtype=int)
    ranks[order] = np.arange(len(labels)) - np.repeat(starts, counts)
    n_held_out = np.minimum(np.rint(fraction * counts).astype(int), counts - 1)
    return ranks < n_held_out[labels]
