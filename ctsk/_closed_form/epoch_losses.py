"""The losses of the minibatches of an epoch as functions of their logits."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn.functional import one_hot

from ctsk._closed_form.softmax import log_softmax


@dataclass(frozen=True)
class _Part:
    """The rows of one kind: training rows, exemplars, or counterfactuals.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
    labels : Tensor of shape (n_rows, n_classes)
        Shares of the classes.
    minibatch : LongTensor of shape (n_rows,)
        Position of the minibatch to which each row belongs.
    weights : dict of str to Tensor of shape (n_rows,)
        Weights of the rows in the terms that they enter.
    """

    rows: torch.Tensor
    labels: torch.Tensor
    minibatch: torch.Tensor
    weights: dict


class LogitLoss(NamedTuple):
    r"""The loss of a minibatch as a function of the logits of its rows.

    Parameters
    ----------
    constant : Tensor of shape (n_rows, n_classes)
        Part of the slopes that does not depend on the logits.
    of_softmax : Tensor of shape (n_rows, 1)
        Factor of the softmax of the logits in the slopes.
    of_logits : Tensor of shape (n_rows, n_classes) or None, default=None
        Factor of the logits in the slopes; None is zero.
    """

    constant: torch.Tensor
    of_softmax: torch.Tensor
    of_logits: torch.Tensor | None = None

    def slopes(self, logits):
        """Return the slopes of the loss, of the shape of the logits."""
        slopes = torch.addcmul(self.constant, self.of_softmax, log_softmax(logits).exp_())
        return slopes if self.of_logits is None else slopes.addcmul_(self.of_logits, logits)

    def value(self, logits):
        """Return the loss, the integral of the slopes."""
        loss = (self.constant * logits).sum() + (self.of_softmax[:, 0] * logits.logsumexp(1)).sum()
        return loss if self.of_logits is None else loss + (self.of_logits * logits**2).sum() / 2


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
        self._lambdas = objective.lambdas
        self._n_minibatches = len(sizes)
        labels = _labels(X, y, n_classes, objective.label_smoothing)
        minibatch, shares = _shares(X, sizes, weights)
        shares = _of_classes(shares, y, objective.class_weight)
        self._parts = [_Part(X, labels, minibatch, {"classification": shares})]
        self._sizes = [sizes]
        if tuples is not None:
            minibatch, shares = _shares(X, tuple_sizes, tuples.weights)
            labels = _labels(X, tuples.targets, n_classes)
            if objective.uses_energies:
                for rows, sign in ((tuples.exemplars, 1), (tuples.counterfactuals, -1)):
                    by_term = {"divergence": sign * shares, "ridge": shares}
                    self._parts.append(_Part(rows, labels, minibatch, by_term))
            if objective.uses_nascent:
                labels = _labels(X, tuples.labels, n_classes)
                shares = _of_classes(shares, tuples.labels, objective.class_weight)
                by_term = {"adversarial": shares}
                self._parts.append(_Part(tuples.nascent, labels, minibatch, by_term))
            self._sizes += [tuple_sizes] * (len(self._parts) - 1)

    def minibatches(self):
        """Yield the rows of each minibatch and its loss.

        Yields
        ------
        rows : Tensor of shape (n_rows, n_columns)
            Training rows, and exemplars and counterfactuals if there are tuples.
        loss : LogitLoss
        """
        sizes = [sum(of_parts) for of_parts in zip(*self._sizes, strict=True)]
        columns = [[part.rows for part in self._parts]]
        columns += zip(*map(self._factors, self._parts), strict=True)
        columns = [self._interleaved(column).split(sizes) for column in columns]
        for rows, *factors in zip(*columns, strict=True):
            yield rows, LogitLoss(*factors)

    def terms(self, logits):
        """Return the terms of the loss of each minibatch.

        Parameters
        ----------
        logits : list of Tensor of shape (n_rows, n_classes)
            Of the rows of each minibatch.

        Returns
        -------
        terms : dict of str to Tensor of shape (n_minibatches,)
            The terms that enter the loss; 0 for minibatches without tuples.
        """
        terms = {}
        for part, outputs in zip(self._parts, self._separated(torch.cat(logits)), strict=True):
            values = self._values(part.labels, outputs)
            for name, weights in part.weights.items():
                if self._lambdas[name] > 0:
                    zeros = logits[0].new_zeros(self._n_minibatches)
                    term = terms.setdefault(name, zeros)
                    term.index_add_(0, part.minibatch, weights * values[name])
        return terms

    def _values(self, labels, logits):
        """Return what rows contribute to each term, apart from their weights."""
        entropies = -(labels * log_softmax(logits)).sum(dim=1)
        energies = -(labels * logits).sum(dim=1)
        values = entropies, energies, entropies, energies.square()
        return dict(zip(self._lambdas, values, strict=True))

    def _factors(self, part):
        """Return the factors of the slopes of the rows of a part; see `LogitLoss`."""
        zeros = torch.zeros_like(part.minibatch, dtype=part.rows.dtype)
        classification, divergence, adversarial, ridge = (
            weight * part.weights.get(name, zeros) for name, weight in self._lambdas.items()
        )
        entropy = classification + adversarial
        constant = -(entropy + divergence)[:, None] * part.labels
        factors = [constant, entropy[:, None]]
        # Without counterfactuals, the logits themselves have no factor.
        return factors if len(self._parts) == 1 else [*factors, 2 * ridge[:, None] * part.labels]

    def _interleaved(self, columns):
        """Return the rows of all parts in one tensor, ordered by minibatch."""
        if len(columns) == 1:
            return columns[0]
        pieces = [part.split(sizes) for part, sizes in zip(columns, self._sizes, strict=True)]
        return torch.cat([piece for pieces_of in zip(*pieces, strict=True) for piece in pieces_of])

    def _separated(self, rows):
        """Return the rows of each part, the inverse of `_interleaved`."""
        n_parts = len(self._parts)
        if n_parts == 1:
            return [rows]
        sizes = [size for of_minibatch in zip(*self._sizes, strict=True) for size in of_minibatch]
        pieces = rows.split(sizes)
        return [torch.cat(pieces[part::n_parts]) for part in range(n_parts)]


def _labels(like, classes, n_classes, smoothing=0.0):
    """Return the shares of the classes: one-hot, but for the share that is spread over all."""
    labels = one_hot(classes, n_classes).to(like)
    return (1 - smoothing) * labels + smoothing / n_classes if smoothing else labels


def _shares(like, sizes, weights):
    """Return the minibatch of each row, and its weight in a mean over the rows of the minibatch."""
    sizes = torch.as_tensor(sizes, device=like.device)
    minibatch = torch.arange(len(sizes), device=like.device).repeat_interleave(sizes)
    shares = (1 / sizes.to(like)).repeat_interleave(sizes)
    return minibatch, shares if weights is None else shares * weights


def _of_classes(shares, classes, class_weight):
    return shares if class_weight is None else shares * class_weight[classes]
