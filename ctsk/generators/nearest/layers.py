"""A model as its first layer and the others, which a search evaluates by themselves."""

import torch
from torch import nn

# Activation functions, and their derivatives as functions of their values.
_ACTIVATIONS = {
    nn.Identity: (lambda inputs: inputs, torch.ones_like),
    nn.ReLU: (torch.relu, torch.sign),
    nn.Sigmoid: (torch.sigmoid, lambda values: values * (1 - values)),
    nn.Tanh: (torch.tanh, lambda values: 1 - values.square()),
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
        module._forward_hooks or module._forward_pre_hooks
    )
    computes_like = (
        isinstance(module, kind) and type(module).forward is kind.forward for kind in kinds
    )
    return any(computes_like) and not has_hooks


class Chain:
    r"""Activation functions and linear layers in turn, with gradients in closed form.

    Parameters
    ----------
    pairs : list of (Module, Linear)
        Each activation function, and the linear layer after it.

    Notes
    -----
    A layer computes :math:`z_l = W_l f(z_{l-1}) + b_l`. The slopes :math:`s_l` of a loss with
    respect to :math:`z_l` are those of the layer before times

    .. math::

        s_{l-1} = (W_l^T s_l) \odot f'(z_{l-1})

    This takes about a half of the time of an autograd graph.
    """

    def __init__(self, pairs):
        self._weights = [(linear.weight, linear.bias) for _, linear in pairs]
        self._activations = [_ACTIVATIONS[type(activation)] for activation, _ in pairs]

    @classmethod
    def of(cls, layers):
        """Return the chain of some layers, or None if they are no chain."""
        # Dropout does nothing outside of training.
        layers = [layer for layer in layers if layer.training or not isinstance(layer, nn.Dropout)]
        pairs = list(zip(layers[::2], layers[1::2], strict=False))
        is_chain = all(
            type(activation) in _ACTIVATIONS
            and _is_plain(activation, *_ACTIVATIONS)
            and _is_plain(linear, nn.Linear)
            for activation, linear in pairs
        )
        return cls(pairs) if is_chain and pairs and len(layers) % 2 == 0 else None

    def forward(self, outputs):
        """Return the logits, and the derivatives of all activation functions."""
        derivatives = []
        layers = zip(self._activations, self._weights, strict=True)
        for (activation, derivative), (weight, bias) in layers:
            values = activation(outputs)
            derivatives.append(derivative(values))
            outputs = nn.functional.linear(values, weight, bias)
        return outputs, derivatives

    def backward(self, slopes, derivatives):
        """Return the slopes with respect to the outputs from those of the logits."""
        layers = zip(reversed(self._weights), reversed(derivatives), strict=True)
        for (weight, _), derivative in layers:
            slopes = (slopes @ weight).mul_(derivative)
        return slopes
