"""Putting features back to the factual's values: recourse that names few things."""

import numpy as np


def put_back(values, factual_values, score):
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
    Each moved feature is put back alone, to see what remains of the score; then they
    are put back for good one after the other, the one that matters least first, unless
    the row is refused. Rows that have changed are gone through again.
    """
    sparse, rows = values.copy(), np.arange(len(values))
    while len(rows):
        scores = _alone(sparse, factual_values, rows, score)
        before, order = sparse[rows], np.argsort(-scores, axis=1)
        for features in order.T:
            candidates = np.flatnonzero(scores[np.arange(len(rows)), features] > -np.inf)
            if not len(candidates):
                break
            some, features = rows[candidates], features[candidates]
            trial = sparse[some]
            trial[np.arange(len(some)), features] = factual_values[some, features]
            good = score(trial, some) > -np.inf
            sparse[some[good]] = trial[good]
        rows = rows[(sparse[rows] != before).any(axis=1)]
    return sparse


def _alone(values, factual_values, rows, score):
    """Scores of rows with one moved feature put back each; -inf for those that did not move."""
    moved = values[rows] != factual_values[rows]
    scores = np.full(moved.shape, -np.inf)
    for feature in np.flatnonzero(moved.any(axis=0)):
        some = rows[moved[:, feature]]
        trial = values[some]
        trial[:, feature] = factual_values[some, feature]
        scores[moved[:, feature], feature] = score(trial, some)
    return scores
