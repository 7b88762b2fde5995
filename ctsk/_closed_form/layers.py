"""A model as its first layer and a chain of others, whose derivatives are written out."""

from dataclasses import dataclass

import torch
from torch import nn

from ctsk._torch.networks import Dropout

# Activation functions, and their derivatives as functions of their values, which these overwrite.
# The values of a ReLU are not negative, so that their sign is the derivative.
_ACTIVATIONS = {
    nn.Identity: (torch.clone, lambda values: values.fill_(1)),
    nn.Sigmoid: (torch.sigmoid, lambda values: values.addcmul_(values, values, value=-1)),
    nn.Tanh: (torch.tanh, lambda values: values.square_().neg_().add_(1)),
    nn.ReLU: (torch.relu, torch.Tensor.sign_),
}


def split(model):
    """Return the first linear layer of a model, and the other layers.

    A change of one column changes the output of the first layer by a multiple of one column of
    its weights, so that many single changes cost little more than the other layers. The identity
    takes the place of the layer in a model that does not begin with one.
    """
    if _is_plain(model, nn.Sequential) and len(model) > 0 and _is_plain(model[0], nn.Linear):
        # A slice of a subclass of Sequential would be built by the constructor of the subclass.
        return model[0], nn.Sequential(*list(model)[1:])
    return nn.Identity(), model


def _is_plain(module, *kinds):
    """Return whether a module is of a kind, and computes nothing else."""
    # An override or a hook may compute anything.
    has_hooks = isinstance(module, nn.Module) and (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )
    computes_like = (
        isinstance(module, kind) and type(module).forward is kind.forward for kind in kinds
    )
    return any(computes_like) and not has_hooks


class Linear:
    """The parameters of a linear layer.

    Parameters
    ----------
    layer : torch.nn.Linear
    """

    def __init__(self, layer):
        # Views of the parameters and of their gradients, which last as long as the buffers.
        self.weight, self.bias = layer.weight.detach(), layer.bias.detach()[:, None]
        self.transposed = self.weight.t()
        self.gradients = layer.weight.grad, layer.bias.grad

    @staticmethod
    def accepts(layer):
        """Return whether a layer is linear and has parameters of its own."""
        if not _is_plain(layer, nn.Linear):
            return False
        # A parametrization of torch computes the weights from others.
        names = {name for name, part in layer._parameters.items() if part is not None}
        return names == {"weight", "bias"}

    def forward(self, inputs):
        """Return the outputs; inputs and outputs have a column for each row of X."""
        return torch.addmm(self.bias, self.weight, inputs)

    def backward(self, slopes):
        """Return the slopes with respect to the inputs from those with respect to the outputs."""
        return self.transposed @ slopes

    def compute_gradients(self, inputs, slopes):
        """Overwrite the gradients of the parameters, which must exist."""
        of_weight, of_bias = self.gradients
        torch.mm(slopes, inputs.t(), out=of_weight)
        torch.sum(slopes, dim=1, out=of_bias)


@dataclass
class Trace:
    """What a forward pass leaves for one backward pass.

    Parameters
    ----------
    values : list of Tensor
        The value of each activation function.
    masks : list of Tensor or None
        The factors of the dropout that follows each activation function.
    inputs : list of Tensor
        The input of the linear layer that follows.
    """

    values: list
    masks: list
    inputs: list


class Chain:
    r"""Activation functions and linear layers in turn, with gradients in closed form.

    Units come first in memory, and rows second: each row of X is a column of the arrays below,
    because products and sums of few units and many rows are faster in this order.

    Parameters
    ----------
    links : list of (Module, Dropout or None, Linear)
        Each activation function, the dropout after it, and the linear layer after both.

    Notes
    -----
    Let :math:`z_0` be the inputs of the chain, and

    .. math::

        z_l = W_l \, a_l + b_l, \qquad a_l = f(z_{l-1}) \odot m_l,

    where :math:`m_l` are the factors of the dropout. If :math:`s_l` are the slopes of a loss with
    respect to :math:`z_l`, then [1]_

    .. math::

        \frac{\partial L}{\partial W_l} = s_l a_l^T, \qquad
        \frac{\partial L}{\partial b_l} = s_l 1, \qquad
        s_{l-1} = (W_l^T s_l) \odot m_l \odot f'(z_{l-1})

    References
    ----------
    .. [1] Rumelhart, Hinton and Williams, "Learning representations by back-propagating
       errors", Nature, 1986.
    """

    def __init__(self, links):
        self._links = [
            (*_ACTIVATIONS[type(activation)], dropout, Linear(linear))
            for activation, dropout, linear in links
        ]

    @classmethod
    def of(cls, layers):
        """Return the chain of some layers, or None if they are no chain.

        Parameters
        ----------
        layers : iterable of Module
        """
        # Dropout does nothing outside of training, where only that of ctsk is known: others draw
        # from the random state of the process.
        kept = [
            layer for layer in layers if layer.training or not _is_plain(layer, nn.Dropout, Dropout)
        ]
        links = []
        while kept:
            activation = kept.pop(0)
            dropout = kept.pop(0) if kept and _is_plain(kept[0], Dropout) else None
            linear = kept.pop(0) if kept else None
            is_activation = type(activation) in _ACTIVATIONS and _is_plain(
                activation, *_ACTIVATIONS
            )
            if not (is_activation and Linear.accepts(linear)):
                return None
            links.append((activation, dropout, linear))
        return cls(links)

    def forward(self, outputs):
        """Return the output of the last layer.

        Parameters
        ----------
        outputs : Tensor of shape (n_units, n_rows)
            Inputs of the first activation function.

        Returns
        -------
        outputs : Tensor of shape (n_outputs, n_rows)
        trace : Trace
        """
        trace = Trace([], [], [])
        for activation, _, dropout, linear in self._links:
            values = activation(outputs)
            mask = None if dropout is None else dropout.mask(values.t()).t()
            inputs = values if mask is None else values * mask
            trace.values.append(values)
            trace.masks.append(mask)
            trace.inputs.append(inputs)
            outputs = linear.forward(inputs)
        return outputs, trace

    def backward(self, slopes, trace, has_gradients=False):
        """Return the slopes with respect to the inputs of the chain.

        Parameters
        ----------
        slopes : Tensor of shape (n_outputs, n_rows)
            Slopes of a loss with respect to the outputs.
        trace : Trace
        has_gradients : bool, default=False
            Whether the gradients of the parameters are computed on the way.

        Returns
        -------
        slopes : Tensor of shape (n_units, n_rows)
        """
        for depth in range(len(self._links) - 1, -1, -1):
            _, derivative, _, linear = self._links[depth]
            if has_gradients:
                linear.compute_gradients(trace.inputs[depth], slopes)
            slopes = linear.backward(slopes)
            if trace.masks[depth] is not None:
                slopes *= trace.masks[depth]
            # The values are not needed any more, so that their derivatives overwrite them.
            slopes *= derivative(trace.values[depth])
        return slopes
