"""Prototypes: centers of groups of observed rows, from which a search starts."""

import numpy as np
import torch
from sklearn.cluster import kmeans_plusplus

# Number of rows that a prototype averages at least, so that it describes none of them.
LEAST_ROWS = 20
_MOST_PER_CLASS = 32
# Rows of a class that are clustered at most, and rounds of the clustering: prototypes are starts,
# for which rough centers will do.
_MOST_ROWS, _N_ROUNDS = 4_000, 8
# Rows of a class among which the first centers are chosen at most; the choice is the slowest part.
_MOST_SEEDS = 1_000


def learn_prototypes(reference):
    """Return the centers of clusters of the rows of each class.

    Parameters
    ----------
    reference : Reference

    Returns
    -------
    prototypes : Tensor of shape (n_prototypes, n_columns)
        Means of at least 20 rows each: numbers, and the shares of categories. A class of fewer
        rows has none. A prototype equals a row only if 20 rows are equal.
    """
    seed = int(torch.randint(2**31 - 1, (), generator=reference.random))
    rng = np.random.default_rng(seed)
    rows, labels = reference.rows.cpu().numpy(), reference.labels.cpu().numpy()
    centers = [np.empty((0, rows.shape[1]), dtype=rows.dtype)]
    for label in range(reference.n_classes):
        of_class = rows[labels == label]
        if len(of_class) > _MOST_ROWS:
            of_class = of_class[np.sort(rng.choice(len(of_class), _MOST_ROWS, replace=False))]
        if len(of_class) >= LEAST_ROWS:
            centers.append(_centers(of_class, seed).astype(rows.dtype))
    centers = np.concatenate(centers)
    # Among a few distinct rows, the mean of others may be a row that is not frequent itself.
    is_public = [_count_equal(rows, center) not in range(1, LEAST_ROWS) for center in centers]
    return torch.as_tensor(centers[is_public]).to(reference.rows)


def _centers(rows, seed):
    """Return the means of the clusters that have enough rows."""
    # With twice the least number of rows on average, most clusters have enough of them.
    n_clusters = int(np.clip(len(rows) // (2 * LEAST_ROWS), 1, _MOST_PER_CLASS))
    rows = rows.astype(np.float64)
    centers, _ = kmeans_plusplus(
        rows[:: -(-len(rows) // _MOST_SEEDS)], n_clusters, random_state=seed
    )
    # KMeans would warn of rows with few distinct values, of which nothing is wrong here.
    for _ in range(_N_ROUNDS):
        # The square of a row is the same for all centers, so the nearest one is found without it.
        members = ((centers**2).sum(axis=1) - 2 * rows @ centers.T).argmin(axis=1)
        order = np.argsort(members, kind="stable")
        # Empty clusters stay where they are; `reduceat` sums the runs of the others.
        present, starts, counts = np.unique(members[order], return_index=True, return_counts=True)
        centers[present] = np.add.reduceat(rows[order], starts) / counts[:, None]
    return centers[present[counts >= LEAST_ROWS]]


def _count_equal(rows, center):
    """Return the number of rows that are equal to a center."""
    idx = np.arange(len(rows))
    # After a column or two, hardly any row is left to compare.
    for column, value in enumerate(center):
        idx = idx[rows[idx, column] == value]
        if not len(idx):
            break
    return len(idx)
