"""The derivatives of the logits of any module with respect to rows."""

import torch

from ctsk._closed_form.perceptron import Perceptron


def derivatives_of(module):
    """Return the derivatives of a module, in closed form if they are known.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    derivatives : Perceptron or Autograd
    """
    return Perceptron(module) if Perceptron.accepts(module) else Autograd(module)


class Autograd:
    """The forward and the backward pass of any module, by automatic differentiation.

    The methods are those of `Perceptron`.

    Parameters
    ----------
    module : torch.nn.Module
    """

    def __init__(self, module):
        self.module = module

    def forward(self, rows):
        """Compute the logits of rows; see `Perceptron.forward`."""
        rows = rows.detach().requires_grad_()
        with torch.enable_grad():
            logits = self.module(rows)
        return logits.detach(), (rows, logits)

    def logits(self, rows):
        """Compute the logits of rows; see `Perceptron.logits`."""
        with torch.no_grad():
            return self.module(rows)

    def row_gradients(self, trace, slopes, direct):
        """Return the gradients of a loss with respect to rows; see `Perceptron.row_gradients`."""
        rows, logits = trace
        return torch.autograd.grad(logits, rows, slopes)[0].add_(direct)
