"""Forward and backward passes of a multilayer perceptron, without a graph."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import linear

from ctsk._torch.networks import MLP, Dropout

# Activation functions, which may overwrite their argument, and their derivatives as functions of
# their value. The values of a ReLU are not negative, so that their sign is the derivative.
_ACTIVATIONS = {
    nn.Identity: (lambda inputs: inputs, torch.ones_like),
    nn.Sigmoid: (torch.sigmoid_, lambda values: values * (1 - values)),
    nn.Tanh: (torch.tanh_, lambda values: 1 - values.square()),
    nn.ReLU: (torch.relu_, torch.sign),
}


@dataclass
class _Layer:
    """The parameters of a linear layer, and what stands between it and the next one."""

    weight: nn.Parameter
    bias: nn.Parameter
    activation: type | None = None
    dropout: Dropout | None = None


@dataclass
class Trace:
    """What a forward pass leaves for the backward pass.

    Parameters
    ----------
    inputs : list of Tensor
        The input of each linear layer.
    derivatives : list of Tensor
        For each linear layer but the first one, the derivatives of its input with respect to
        the output of the linear layer before it.
    """

    inputs: list
    derivatives: list


class Perceptron:
    r"""The forward and the backward pass of a multilayer perceptron.

    Gradients are computed by the calling code under ``torch.no_grad``.

    Parameters
    ----------
    module : MLP
        In training mode, dropout is applied, with masks from the generator of the module.

    Notes
    -----
    Let :math:`a_0` be the rows and :math:`a_l = f(z_l) \odot m_l` with
    :math:`z_l = a_{l-1} W_l^T + b_l`, where :math:`m_l` is the mask of the dropout. The logits
    are the last :math:`z_l`. If :math:`s_l` are the slopes of the loss with respect to
    :math:`z_l`, those of the parameters and of the layer before are [1]_

    .. math::

        \frac{\partial L}{\partial W_l} = s_l^T a_{l-1}, \qquad
        \frac{\partial L}{\partial b_l} = \sum_i s_{l,i}, \qquad
        s_{l-1} = (s_l W_l) \odot f'(z_{l-1}) \odot m_{l-1}

    References
    ----------
    .. [1] Rumelhart, Hinton and Williams, "Learning representations by back-propagating
       errors", Nature, 1986.
    """

    def __init__(self, module):
        self.module = module
        self._layers = []
        for part in module:
            if isinstance(part, nn.Linear):
                self._layers.append(_Layer(part.weight, part.bias))
            elif isinstance(part, Dropout):
                self._layers[-1].dropout = part
            else:
                self._layers[-1].activation = type(part)

    @classmethod
    def of(cls, module):
        """Return the perceptron of a module, or None if the module is not a plain `MLP`.

        Parameters
        ----------
        module : torch.nn.Module
        """
        # A subclass may compute something else, and so may the hooks of a user. Frozen parameters
        # have no gradient to overwrite.
        if type(module) is not MLP or any(map(_has_hooks, module.modules())):
            return None
        return cls(module)

    def forward(self, rows):
        """Compute the logits of rows.

        Parameters
        ----------
        rows : Tensor of shape (n_rows, n_columns)

        Returns
        -------
        logits : Tensor of shape (n_rows, n_classes)
        trace : Trace
        """
        trace = Trace([], [])
        values = rows
        for layer in self._layers:
            trace.inputs.append(values)
            values = linear(values, layer.weight, layer.bias)
            if layer.activation is None:
                continue
            activation, derivative = _ACTIVATIONS[layer.activation]
            values = activation(values)
            slopes = derivative(values)
            if layer.dropout is not None and self.module.training:
                mask = layer.dropout.mask(values)
                values, slopes = values * mask, slopes * mask
            trace.derivatives.append(slopes)
        return values, trace

    def compute_gradients(self, trace, slopes):
        """Overwrite the gradients of all parameters, which must exist.

        Parameters
        ----------
        trace : Trace
        slopes : Tensor of shape (n_rows, n_classes)
            Slopes of the loss with respect to the logits.
        """
        for layer, inputs, layer_slopes in self._backward(trace, slopes):
            torch.mm(layer_slopes.t(), inputs, out=layer.weight.grad)
            torch.sum(layer_slopes, dim=0, out=layer.bias.grad)

    def row_gradients(self, trace, slopes):
        """Return the gradients of a loss with respect to the rows.

        Parameters
        ----------
        trace : Trace
        slopes : Tensor of shape (n_rows, n_classes)
            Slopes of the loss with respect to the logits.

        Returns
        -------
        gradients : Tensor of shape (n_rows, n_columns)
        """
        *_, (layer, _, layer_slopes) = self._backward(trace, slopes)
        return layer_slopes @ layer.weight

    def _backward(self, trace, slopes):
        """Yield the layers from the last to the first, with their inputs and slopes."""
        yield self._layers[-1], trace.inputs[-1], slopes
        # Each pair of neighboring layers, from the last one to the first one.
        for depth in range(len(self._layers) - 1, 0, -1):
            slopes = slopes @ self._layers[depth].weight
            slopes *= trace.derivatives[depth - 1]
            yield self._layers[depth - 1], trace.inputs[depth - 1], slopes


def _has_hooks(part):
    return bool(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks)
