"""The losses of the minibatches of an epoch as functions of their logits."""

from typing import NamedTuple

import torch
from torch.nn.functional import one_hot

from ctsk._closed_form.softmax import log_softmax


class _Part(NamedTuple):
    """The rows of one kind: training rows, exemplars, or counterfactuals.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
    labels : Tensor of shape (n_rows, n_classes)
        Shares of the classes.
    weights : Tensor of shape (n_rows, n_terms)
        Weight of the row in each term of its minibatch.
    minibatch : LongTensor of shape (n_rows,)
        Position of the minibatch to which the row belongs.
    """

    rows: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    minibatch: torch.Tensor


class Slopes(NamedTuple):
    r"""The slopes of a loss, a function of the logits.

    Parameters
    ----------
    constant : Tensor of shape (n_rows, n_classes)
    of_softmax : Tensor of shape (n_rows, 1)
        Factor of the softmax of the logits.
    of_logits : Tensor of shape (n_rows, n_classes) or None, default=None
        Factor of the logits; None is zero.
    """

    constant: torch.Tensor
    of_softmax: torch.Tensor
    of_logits: torch.Tensor | None = None

    def at(self, logits):
        """Return the slopes at logits, of the same shape."""
        slopes = torch.addcmul(self.constant, self.of_softmax, log_softmax(logits).exp_())
        return slopes if self.of_logits is None else slopes.addcmul_(self.of_logits, logits)


class EpochLosses:
    r"""The objective of each minibatch of an epoch as a function of its logits.

    Parameters
    ----------
    objective : Objective
    n_classes : int
    X, y, weights : Tensor
        Training rows, their labels, and their weights, which may be None. They are ordered by
        minibatch.
    tuples : CounterfactualBatch or None
        The tuples of the epoch, ordered by minibatch, too.
    sizes, tuple_sizes : list of int
        Numbers of training rows and of tuples of each minibatch.

    Notes
    -----
    A row with the logits :math:`z` and the label :math:`y`, a vector of shares of the classes, has
    the cross-entropy :math:`H = \log \sum_k e^{z_k} - y^T z` and the energy :math:`E = -y^T z`. It
    adds

    .. math::

        c H + a E + q E^2

    to the loss of its minibatch. Training rows and nascent counterfactuals count by their
    cross-entropy, so that :math:`a = q = 0`; exemplars and mature counterfactuals count by their
    energy, so that :math:`c = 0`, and their labels are one-hot. The weights combine those of the
    term, of the class and of the row with the number of rows over which the term is a mean. The
    slopes of the loss with respect to the logits are

    .. math::

        c \, (\mathrm{softmax}(z) - y) - a \, y + 2 q \, y \odot z

    They are a constant, a multiple of the softmax and a multiple of the logits. The three factors
    are computed for the whole epoch at once, so that little is left to do for each minibatch.
    """

    def __init__(self, objective, n_classes, X, y, weights, tuples, sizes, tuple_sizes):
        self._objective = objective
        self._n_classes = n_classes
        self._n_minibatches = len(sizes)
        smoothing = objective.label_smoothing
        parts = [self._part(X, y, weights, sizes, {"classification": 1.0}, smoothing)]
        if tuples is not None:
            of_tuples = tuples.weights, tuple_sizes
            if objective.uses_energies:
                for rows, sign in ((tuples.exemplars, 1.0), (tuples.counterfactuals, -1.0)):
                    signs = {"divergence": sign, "ridge": 1.0}
                    parts.append(self._part(rows, tuples.targets, *of_tuples, signs))
            if objective.uses_nascent:
                signs = {"adversarial": 1.0}
                parts.append(self._part(tuples.nascent, tuples.labels, *of_tuples, signs))
        self._has_tuples = len(parts) > 1
        self._rows, self._labels, self._weights, self._minibatch = _ordered(parts)

    def minibatches(self):
        """Yield the rows of each minibatch and the slopes of its loss.

        Yields
        ------
        rows : Tensor of shape (n_rows, n_columns)
            Training rows, and exemplars and counterfactuals if there are tuples.
        slopes : Slopes
        """
        sizes = torch.bincount(self._minibatch, minlength=self._n_minibatches).tolist()
        lambdas = self._weights.new_tensor(list(self._objective.lambdas.values()))
        weights = (lambdas * self._weights)[:, :, None]
        classification, divergence, adversarial, ridge = weights.unbind(dim=1)
        entropy = classification + adversarial
        columns = [self._rows, -(entropy + divergence) * self._labels, entropy]
        if self._has_tuples:
            columns.append(2 * ridge * self._labels)
        for rows, *slopes in zip(*(column.split(sizes) for column in columns), strict=True):
            yield rows, Slopes(*slopes)

    def terms(self, logits):
        """Return the terms of the loss of each minibatch.

        Parameters
        ----------
        logits : Tensor of shape (n_rows, n_classes)
            Of the rows of all minibatches.

        Returns
        -------
        terms : dict of str to Tensor of shape (n_minibatches,)
            The terms that enter the loss; 0 for minibatches without tuples.
        """
        entropies = -(self._labels * log_softmax(logits)).sum(dim=1)
        energies = -(self._labels * logits).sum(dim=1)
        values = torch.stack([entropies, energies, entropies, energies.square()], dim=1)
        terms = logits.new_zeros(self._n_minibatches, values.shape[1])
        terms.index_add_(0, self._minibatch, self._weights * values)
        names = [name for name, weight in self._objective.lambdas.items() if weight > 0]
        named = dict(zip(self._objective.lambdas, terms.unbind(dim=1), strict=True))
        return {name: named[name] for name in (names if self._has_tuples else names[:1])}

    def _part(self, rows, classes, weights, sizes, signs, smoothing=0.0):
        """Return the rows of one kind, which enter some terms with a sign."""
        sizes = torch.as_tensor(sizes, device=rows.device)
        minibatch = torch.repeat_interleave(torch.arange(len(sizes), device=rows.device), sizes)
        labels = one_hot(classes, self._n_classes).to(rows)
        # Smoothing spreads a share of each label over all classes.
        if smoothing:
            labels = (1 - smoothing) * labels + smoothing / self._n_classes
        # Each term is a mean over the rows of the minibatch, with the weights of rows and classes.
        shares = 1 / sizes[minibatch].to(rows)
        if weights is not None:
            shares = shares * weights
        class_weight = self._objective.class_weight
        if class_weight is not None and "divergence" not in signs:
            shares = shares * class_weight[classes]
        signs = [signs.get(name, 0.0) for name in self._objective.lambdas]
        return _Part(rows, labels, shares[:, None] * shares.new_tensor(signs), minibatch)


def _ordered(parts):
    """Return the rows of all parts as one, ordered by minibatch."""
    if len(parts) == 1:
        return parts[0]
    # A stable sort keeps the order of the parts within each minibatch.
    order = torch.cat([part.minibatch for part in parts]).argsort(stable=True)
    # The inverse permutation has the new position of each row. To write the parts to their
    # positions takes less memory than to concatenate them first.
    positions = order.argsort().split([len(part.rows) for part in parts])
    joined = []
    for columns in zip(*parts, strict=True):
        target = columns[0].new_empty(len(order), *columns[0].shape[1:])
        for column, position in zip(columns, positions, strict=True):
            target.index_copy_(0, position, column)
        joined.append(target)
    return _Part(*joined)
