"""Gradient supervision."""

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch.nn.functional import cosine_similarity, cross_entropy

from rivals.base import RivalClassifier

# Training rows among which the nearest one of another class is searched, at most.
MOST_CANDIDATES = 5_000


class GradientSupervisionClassifier(RivalClassifier):
    r"""Gradient supervision (Teney, Abbasnejad and van den Hengel, ECCV 2020).

    The gradient of the decision should point toward the counterpart of a row in another class. The
    authors take pairs from annotations, such as edited sentences; here, the counterpart is the
    nearest (l2) of up to 5,000 training rows of other classes. The default of the weight is ours.

    Parameters
    ----------
    weight : float, default=1.0
        Weight of the gradient supervision.
    **parameters : dict
        Parameters of the base class.

    Notes
    -----
    The loss of a row x of class y, with its counterpart x' of class y', is
    :math:`\mathrm{CE}(M(x), y) + \lambda (1 - \cos(\nabla_x (M(x)_{y'} - M(x)_y), x' - x))`.
    """

    def __init__(self, *, weight=1.0, **parameters):
        super().__init__(**parameters)
        self.weight = weight

    def fit(self, X, y):
        """Fit the model; see the base class."""
        super().fit(X, y)
        del self._directions, self._others
        return self

    def prepare(self, module, rows, labels):
        """Find the counterpart of each row."""
        random = np.random.default_rng(self.random_state)
        counterparts = nearest_of_others(rows.numpy(), labels.numpy(), random)
        self._directions = rows[counterparts] - rows
        self._others = labels[counterparts]

    def loss(self, module, rows, labels, idx):
        """Return the cross-entropy, and one minus the cosine of gradient and direction."""
        start = rows.detach().requires_grad_()
        logits = module(start)
        own = logits.gather(1, labels[:, None])
        other = logits.gather(1, self._others[idx][:, None])
        # The gradient is part of the loss, so that its own graph is needed.
        (gradients,) = torch.autograd.grad((other - own).sum(), start, create_graph=True)
        cosines = cosine_similarity(gradients, self._directions[idx], dim=1)
        return cross_entropy(logits, labels) + self.weight * (1 - cosines).mean()


def nearest_of_others(rows, labels, random):
    """Return, for each row, the position of the nearest row of another class.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns)
    labels : ndarray of shape (n_rows,)
    random : numpy.random.Generator
        It draws the candidates if there are more than `MOST_CANDIDATES`.
    """
    nearest = np.empty(len(rows), dtype=int)
    for label in np.unique(labels):
        mine, others = np.flatnonzero(labels == label), np.flatnonzero(labels != label)
        others = random.permutation(others)[:MOST_CANDIDATES]
        search = NearestNeighbors(n_neighbors=1).fit(rows[others])
        nearest[mine] = others[search.kneighbors(rows[mine], return_distance=False)[:, 0]]
    return nearest
