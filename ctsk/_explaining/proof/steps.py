"""Steps of a grid that a number can take in one direction."""

import numpy as np

# Relative to a step or to the unit of a column, a distance that counts as zero.
ZERO = 1e-6


def steps_within(nearest, farthest, spacing, phase):
    """Return the first distance on a grid within an interval, and the number of steps after it."""
    first = phase + spacing * np.ceil((nearest - phase) / spacing - ZERO)
    # The factual itself is no step.
    if first <= ZERO * spacing:
        first += spacing
    return first, np.floor((farthest - first) / spacing + ZERO)


def runs_of_steps(n_steps, excluded):
    """Return the runs of steps between some that are excluded.

    Parameters
    ----------
    n_steps : int
        The steps are 0 to `n_steps`; there is none if this is negative.
    excluded : ndarray of float
        Steps, of which only whole ones within reach matter.

    Returns
    -------
    runs : list of pairs of int
        The first step of each run, and the number of steps after it.
    """
    is_step = (np.abs(excluded - np.round(excluded)) <= ZERO) & (excluded > -0.5)
    stops = sorted({int(step) for step in np.round(excluded[is_step]) if step <= n_steps})
    starts = [0, *(stop + 1 for stop in stops)]
    ends = [*(stop - 1 for stop in stops), int(n_steps)]
    return [(start, end - start) for start, end in zip(starts, ends, strict=True) if end >= start]
