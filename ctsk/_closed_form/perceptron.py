"""Forward and backward passes of a multilayer perceptron, without a graph."""

import torch
from torch import nn

from ctsk._closed_form.layers import Chain, Linear, split


class Perceptron:
    """The logits of a multilayer perceptron, and their derivatives in closed form; see `Chain`.

    Parameters
    ----------
    module : torch.nn.Module
        Its parameters may change in place; other tensors must not take their place.
    """

    def __init__(self, module):
        first, others = split(module)
        self._first, self._chain = Linear(first), Chain.of(others)

    @staticmethod
    def accepts(module):
        """Return whether a module is a sequence of linear layers and known activation functions."""
        first, others = split(module)
        if not Linear.accepts(first) or Chain.of(others) is None:
            return False
        # A layer that occurs twice would have two gradients.
        n_linear = sum(isinstance(layer, nn.Linear) for layer in module)
        return len(set(module.parameters())) == 2 * n_linear

    def forward(self, rows):
        """Compute the logits of rows.

        Parameters
        ----------
        rows : Tensor of shape (n_rows, n_columns)

        Returns
        -------
        logits : Tensor of shape (n_rows, n_classes)
        trace : tuple
            What the backward pass needs. It serves one of them only.
        """
        inputs = rows.t()
        outputs, trace = self._chain.forward(self._first.forward(inputs))
        return outputs.t(), (inputs, trace)

    def logits(self, rows):
        """Compute the logits of rows, of which no derivatives are needed."""
        return self.forward(rows)[0]

    def compute_gradients(self, trace, slopes):
        """Overwrite the gradients of all parameters, which must exist.

        Parameters
        ----------
        trace : tuple
        slopes : Tensor of shape (n_rows, n_classes)
            Slopes of the loss with respect to the logits.
        """
        inputs, of_chain = trace
        slopes = self._chain.backward(slopes.t(), of_chain, has_gradients=True)
        self._first.compute_gradients(inputs, slopes)

    def row_gradients(self, trace, slopes, direct):
        """Return the gradients of a loss, a function of the logits and of the rows themselves.

        Parameters
        ----------
        trace : tuple
        slopes : Tensor of shape (n_rows, n_classes)
            Slopes of the loss with respect to the logits.
        direct : Tensor of shape (n_rows, n_columns)
            Slopes of the loss with respect to the rows, at the same logits.

        Returns
        -------
        gradients : Tensor of shape (n_rows, n_columns)
        """
        slopes = self._chain.backward(slopes.t(), trace[1])
        # The rows of the result come first in memory, as those of the search.
        return torch.addmm(direct, slopes.t(), self._first.weight)
