"""Forward and backward passes of a multilayer perceptron, without a graph."""

from dataclasses import dataclass

import torch
from torch import nn

from ctsk._torch.networks import MLP, Dropout

# Activation functions and their derivatives as functions of their values; both overwrite their
# argument. The values of a ReLU are not negative, so that their sign is the derivative.
_ACTIVATIONS = {
    nn.Identity: (lambda inputs: inputs, lambda values: values.fill_(1)),
    nn.Sigmoid: (torch.sigmoid_, lambda values: values.addcmul_(values, values, value=-1)),
    nn.Tanh: (torch.tanh_, lambda values: values.square_().neg_().add_(1)),
    nn.ReLU: (torch.relu_, torch.Tensor.sign_),
}


class _Layer:
    """A linear layer, and what stands between it and the next one.

    Parameters
    ----------
    linear : torch.nn.Linear
    """

    def __init__(self, linear):
        # Views of the parameters and of their gradients, which last as long as the buffers.
        self.weight, self.bias = linear.weight.detach(), linear.bias.detach()[:, None]
        self.transposed = self.weight.t()
        self.gradients = linear.weight.grad, linear.bias.grad
        self.activation = self.derivative = self.dropout = None


@dataclass
class Trace:
    """What a forward pass leaves for one backward pass.

    Parameters
    ----------
    inputs : list of Tensor
        The input of each linear layer, which is the value of the activation before it unless
        there is dropout.
    values : list of Tensor
        The value of each activation.
    masks : list of Tensor or None
        The factors of the dropout that follows each activation.
    """

    inputs: list
    values: list
    masks: list


class Perceptron:
    r"""The forward and the backward pass of a multilayer perceptron.

    Both run under ``torch.no_grad``. Layers come first in memory, and rows second: each row is a
    column of the arrays below, because products and sums of few units and many rows are faster in
    this order.

    Parameters
    ----------
    module : MLP
        In training mode, dropout is applied, with masks from the generator of the module. Its
        parameters may change in place; other tensors must not take their place.

    Notes
    -----
    Let the columns of :math:`a_0` be the rows, and :math:`a_l = f(z_l) \odot m_l` with
    :math:`z_l = W_l a_{l-1} + b_l`, where :math:`m_l` are the factors of the dropout. The logits
    are the last :math:`z_l`. If :math:`s_l` are the slopes of the loss with respect to
    :math:`z_l`, those of the parameters and of the layer before are [1]_

    .. math::

        \frac{\partial L}{\partial W_l} = s_l a_{l-1}^T, \qquad
        \frac{\partial L}{\partial b_l} = s_l 1, \qquad
        s_{l-1} = (W_l^T s_l) \odot m_{l-1} \odot f'(z_{l-1})

    References
    ----------
    .. [1] Rumelhart, Hinton and Williams, "Learning representations by back-propagating
       errors", Nature, 1986.
    """

    def __init__(self, module):
        self._is_training = module.training
        self._layers = []
        for part in module:
            if isinstance(part, nn.Linear):
                self._layers.append(_Layer(part))
            elif isinstance(part, Dropout):
                self._layers[-1].dropout = part
            else:
                self._layers[-1].activation, self._layers[-1].derivative = _ACTIVATIONS[type(part)]

    @staticmethod
    def accepts(module):
        """Return whether a module is an `MLP` as it was built."""
        # A subclass may compute something else, and so may the hooks of a user.
        return type(module) is MLP and not any(map(_has_hooks, module.modules()))

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
        trace = Trace([rows.t()], [], [])
        for layer in self._layers:
            values = torch.addmm(layer.bias, layer.weight, trace.inputs[-1])
            if layer.activation is None:
                break
            layer.activation(values)
            mask = None
            if layer.dropout is not None and self._is_training:
                mask = layer.dropout.mask(values.t()).t()
            trace.values.append(values)
            trace.masks.append(mask)
            trace.inputs.append(values if mask is None else values * mask)
        return values.t(), trace

    def compute_gradients(self, trace, slopes):
        """Overwrite the gradients of all parameters, which must exist.

        Parameters
        ----------
        trace : Trace
        slopes : Tensor of shape (n_rows, n_classes)
            Slopes of the loss with respect to the logits.
        """
        for layer, inputs, layer_slopes in self._backward(trace, slopes):
            of_weight, of_bias = layer.gradients
            torch.mm(layer_slopes, inputs.t(), out=of_weight)
            torch.sum(layer_slopes, dim=1, out=of_bias)

    def row_gradients(self, trace, slopes, direct):
        """Return the gradients of a loss, a function of the logits and of the rows themselves.

        Parameters
        ----------
        trace : Trace
        slopes : Tensor of shape (n_rows, n_classes)
            Slopes of the loss with respect to the logits.
        direct : Tensor of shape (n_rows, n_columns)
            Slopes of the loss with respect to the rows, at the same logits.

        Returns
        -------
        gradients : Tensor of shape (n_rows, n_columns)
        """
        *_, (layer, _, layer_slopes) = self._backward(trace, slopes)
        # The rows of the result come first in memory, as those of the search.
        return torch.addmm(direct, layer_slopes.t(), layer.weight)

    def _backward(self, trace, slopes):
        """Yield the layers from the last to the first, with their inputs and slopes."""
        slopes = slopes.t()
        yield self._layers[-1], trace.inputs[-1], slopes
        for depth in range(len(self._layers) - 2, -1, -1):
            layer = self._layers[depth]
            slopes = self._layers[depth + 1].transposed @ slopes
            if trace.masks[depth] is not None:
                slopes *= trace.masks[depth]
            # The values are not needed any more, so that their derivative overwrites them.
            slopes *= layer.derivative(trace.values[depth])
            yield layer, trace.inputs[depth], slopes


def _has_hooks(part):
    return bool(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks)
