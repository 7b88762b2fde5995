"""Sparse counterfactuals, which a greedy search reduces to few changed features."""

import numpy as np

from ctsk._columns.schema import differ

# Values of rows that are scored at once, which bounds the memory.
_MAX_VALUES = 2**22


def revert_features(values, factual_values, score, units=None):
    """Revert as many features to the factuals' values as a greedy search can.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        Counterfactuals.
    factual_values : ndarray of shape (n_rows, n_features)
    score : callable
        Maps changed values, and the positions of their rows, to scores of shape
        (n_changed,); -inf rejects a row.
    units : int ndarray of shape (n_features,), default=None
        The unit of each feature; features of one unit are reverted together. None makes
        every feature a unit.

    Returns
    -------
    sparse : ndarray of shape (n_rows, n_features)
        Counterfactuals in which no further single unit can be reverted.

    Notes
    -----
    Each changed unit is reverted alone, to see how much of the score remains. Then as
    many units as possible are reverted for good, those that cost the least score
    first; bisection finds their number. Rows that were changed go through another round.
    """
    sparse, rows = values.copy(), np.arange(len(values))
    units = np.arange(values.shape[1]) if units is None else units
    while len(rows):
        scores = _scores_of_single_reverts(sparse, factual_values, rows, score, units)
        n_candidates = (scores > -np.inf).sum(axis=1)
        has_candidates = n_candidates > 0
        rows, scores = rows[has_candidates], scores[has_candidates]
        # The rank of each feature: an argsort of an argsort inverts the permutation.
        ranks = np.argsort(np.argsort(-scores, axis=1), axis=1)

        def reverted(n_reverted, idx, rows=rows, ranks=ranks):
            is_reverted = (ranks[idx] < n_reverted[idx, None])[:, units]
            return np.where(is_reverted, factual_values[rows[idx]], sparse[rows[idx]])

        # The best candidate alone is known to pass, so the bisection starts at one.
        least, most = np.ones(len(rows), dtype=int), n_candidates[has_candidates]
        while (idx := np.flatnonzero(least < most)).size:
            # Rounded up, the middle exceeds the lower end, so that the interval shrinks.
            middle = (least + most + 1) // 2
            passes = score(reverted(middle, idx), rows[idx]) > -np.inf
            least[idx] = np.where(passes, middle[idx], least[idx])
            most[idx] = np.where(passes, most[idx], middle[idx] - 1)
        sparse[rows] = reverted(least, slice(None))
    return sparse


def most_by_unit(per_feature, units):
    """Return the maximum over the features of each unit, or zero, of the shape of the input.

    Column u stands for unit u; there are columns that no feature belongs to.
    """
    most = np.zeros_like(per_feature)
    np.maximum.at(most, (slice(None), units), per_feature)
    return most


def n_changed_units(values, factual_values, units):
    """Return the number of units of each row in which any feature has changed."""
    is_changed = differ(values, factual_values).astype(int)
    return most_by_unit(is_changed, units).sum(axis=1)


def _scores_of_single_reverts(values, factual_values, rows, score, units):
    """Return the scores of rows with one unit reverted each; -inf for unchanged units."""
    changed = most_by_unit(differ(values[rows], factual_values[rows]), units)
    scores = np.full(changed.shape, -np.inf)
    positions, reverted = np.nonzero(changed)
    n_at_once = _MAX_VALUES // changed.shape[1] + 1
    for start in range(0, len(positions), n_at_once):
        block = slice(start, start + n_at_once)
        idx = rows[positions[block]]
        is_reverted = units == reverted[block, None]
        trials = np.where(is_reverted, factual_values[idx], values[idx])
        scores[positions[block], reverted[block]] = score(trials, idx)
    return scores
