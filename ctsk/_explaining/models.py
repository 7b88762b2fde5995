"""Fitted models in the form that a search explains."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ctsk._columns.constraints import Constraints
from ctsk._columns.encoder import Encoder
from ctsk._torch.copies import kept_copy
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import chunk_size, chunks, device_of, heads_of
from ctsk.generators import BaseGenerator


def softmax(logits):
    """Return class probabilities: the same bits as `scipy.special.softmax`, in less time."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class ExplainableModel:
    """A fitted model in the form that a search explains, independent of any X.

    Parameters
    ----------
    module : torch.nn.Module
        Maps module rows to logits.
    classes : ndarray of shape (n_classes,)
        Class labels in the order of the logits.
    read : callable
        Reads X, in the user's units and container, as `Rows`; raises a ValueError if the
        model does not accept it. With ``warn=False``, it does not warn of values that the
        training rows did not have.
    predict_proba : callable
        The judge, which maps `Rows` to probabilities of shape (n_rows, n_classes), NaN
        for rows that the model rejects.
    encoder : Encoder
        The map between X's units and module units.
    constraints : Constraints
        Constraints in the user's units.
    feature_costs : ndarray of shape (n_features,)
        Cost per unit of X, or per change of category.
    generator, tau : BaseGenerator, float
        Defaults of the search. A `tau` of None stands for the decision of a model whose
        threshold is not one half.
    learned : tuple of BaseGenerator
        Generators that have learned in the units of `encoder`.
    precision : float, default=float64's
        Machine epsilon in which the judge computes logits.
    curved : tuple of str, default=()
        Names of features whose map to the module is no straight line, so that `module` and
        `encoder` are the judge up to the precision of a table only.
    head_predictions : callable or None, default=None
        Maps `Rows` to the position of the class that each head of an ensemble predicts, as an
        ndarray of shape (n_rows, n_heads). None for a module without heads.
    link : classifier or None, default=None
        What a wrapped binary model makes of the margin of the module, (n_rows, 1): the same
        wrapper around a `MarginClassifier`. Its predictions and probabilities are monotone
        functions of the margin. None if the softmax of the logits is the probability.
    decide : callable or None, default=None
        Maps probabilities to the positions of the predicted classes. None stands for the
        largest probability.
    """

    module: torch.nn.Module
    classes: np.ndarray
    read: Callable
    predict_proba: Callable
    encoder: Encoder
    constraints: Constraints
    feature_costs: np.ndarray
    generator: BaseGenerator
    tau: float | None
    learned: tuple
    precision: float = float(np.finfo(np.float64).eps)
    curved: tuple = ()
    head_predictions: Callable | None = None
    link: Any = None
    decide: Callable | None = None

    def predictions(self, proba):
        """Return the positions of the classes that are predicted with some probabilities."""
        return proba.argmax(axis=1) if self.decide is None else self.decide(proba)


class Judge:
    """Class probabilities of rows by a float64 copy of a module.

    Parameters
    ----------
    module : torch.nn.Module
        Maps module rows to logits; a copy of it is used, see `kept_copy`.
    encoder : Encoder
        The map from X's units to module units.
    """

    def __init__(self, module, encoder):
        # Float64 makes the rounding errors of a batch negligible, so that a row has the same
        # prediction in any chunk.
        self.module = kept_copy(module, torch.float64)
        self.device = device_of(self.module)
        self.encoder = encoder

    def logits(self, rows):
        """Return the logits of `Rows`; ndarray of shape (n_rows, n_classes)."""
        return self._in_chunks(self.module, rows)

    def predict_proba(self, rows):
        """Return the softmax of the logits; ndarray of shape (n_rows, n_classes)."""
        return softmax(self.logits(rows))

    @property
    def head_predictions(self):
        """The function that returns the predictions of the heads; None without heads."""
        heads = heads_of(self.module)
        return None if heads is None else lambda rows: self._in_chunks(heads, rows).argmax(axis=2)

    def _in_chunks(self, function, rows):
        """Apply a function of encoded rows in chunks, which bound the memory."""
        # The largest chunk, rather than the number of rows, determines the cost of one pass.
        n_at_once = chunk_size(self.encoder.groups.n_columns)
        with one_thread_if_small(self.module, min(len(rows), n_at_once)):
            parts = []
            for chunk in chunks(len(rows), n_at_once):
                encoded = self.encoder.encode_values(rows.values[chunk])
                encoded = torch.as_tensor(encoded, device=self.device)
                parts.append(function(encoded).detach().cpu().numpy())
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
