"""Putting features back to the factual's values: recourse that names few things."""

import numpy as np

# Values of rows that are scored at once.
_BLOCK = 2**22


def revert_features(values, factual_values, score):
    """Put back as many features as a greedy search can.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        Counterfactuals.
    factual_values : ndarray of shape (n_rows, n_features)
    score : callable
        From changed values and the positions of their rows to scores of shape
        (n_changed,), of which -inf refuses a row.

    Returns
    -------
    sparse : ndarray of shape (n_rows, n_features)
        Of which no single feature more could be put back.

    Notes
    -----
    Each moved feature is put back alone, to see what remains of the score. Then as many
    are put back for good as can be at once (found by bisection), those that matter least
    first. Rows that have changed are gone through again.
    """
    sparse, rows = values.copy(), np.arange(len(values))
    while len(rows):
        scores = _alone(sparse, factual_values, rows, score)
        n_candidates = (scores > -np.inf).sum(axis=1)
        rows, scores, most = (part[n_candidates > 0] for part in (rows, scores, n_candidates))
        rank = np.argsort(np.argsort(-scores, axis=1), axis=1)

        def with_back(n_back, some, rows=rows, rank=rank):
            is_back = rank[some] < n_back[some, None]
            return np.where(is_back, factual_values[rows[some]], sparse[rows[some]])

        least = np.ones_like(most)
        while (some := np.flatnonzero(least < most)).size:
            middle = (least + most + 1) // 2
            good = score(with_back(middle, some), rows[some]) > -np.inf
            least[some] = np.where(good, middle[some], least[some])
            most[some] = np.where(good, most[some], middle[some] - 1)
        sparse[rows] = with_back(least, slice(None))
    return sparse


def _alone(values, factual_values, rows, score):
    """Scores of rows with one moved feature put back each; -inf for those that did not move."""
    moved = values[rows] != factual_values[rows]
    scores = np.full(moved.shape, -np.inf)
    positions, features = np.nonzero(moved)
    size = _BLOCK // moved.shape[1] + 1
    for start in range(0, len(positions), size):
        block = slice(start, start + size)
        some = rows[positions[block]]
        trial = values[some]
        trial[np.arange(len(some)), features[block]] = factual_values[some, features[block]]
        scores[positions[block], features[block]] = score(trial, some)
    return scores
