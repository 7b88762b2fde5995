"""Networks of linear layers and ReLUs: their weights, and their units in a program."""

import numpy as np
from torch import nn

from ctsk._explaining.calibrated_nets import CalibratedNets
from ctsk._explaining.foreign_models import Logits, Unscaled
from ctsk._explaining.pipeline_map import AffineMap
from ctsk._explaining.proof.program import padded

# Layers that change nothing in inference. Rows have one dimension, which nothing is flattened to.
_WITHOUT_EFFECT = nn.Identity | nn.Dropout | nn.Flatten


class UnsupportedLayerError(ValueError):
    """A network has a layer that is not piecewise linear, or that is unknown.

    Parameters
    ----------
    layer : str
        What the network has.
    """

    def __init__(self, layer):
        super().__init__(layer)
        self.layer = layer


def layers_of(module):
    """Return the weights and biases between the ReLUs of a network, in float64.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    layers : list of pairs of ndarrays
        Weights of shape (n_outputs, n_inputs) and biases of shape (n_outputs,).

    Raises
    ------
    UnsupportedLayerError
        If the network is not a chain of linear layers and ReLUs.
    """
    layers, ends_with_relu = [], True
    for layer in _chain(module):
        if isinstance(layer, nn.ReLU):
            if not layers:
                raise UnsupportedLayerError("ReLU before any linear layer")
            ends_with_relu = True
            continue
        weights, bias = layer
        # Without a ReLU between them, two linear layers are one.
        if not ends_with_relu:
            first_weights, first_bias = layers.pop()
            weights, bias = weights @ first_weights, weights @ first_bias + bias
        layers.append((weights, bias))
        ends_with_relu = False
    if ends_with_relu:
        raise UnsupportedLayerError("ReLU as its last layer" if layers else "no linear layer")
    return layers


def _chain(module):
    """Yield the ReLUs of a network, and weights and biases of its linear layers."""
    if isinstance(module, _WITHOUT_EFFECT):
        return
    if _computes_like(module, nn.ReLU):
        yield module
    elif _computes_like(module, nn.Linear):
        weights = _numbers(module.weight)
        yield weights, np.zeros(len(weights)) if module.bias is None else _numbers(module.bias)
    elif _computes_like(module, nn.Sequential):
        for layer in module:
            yield from _chain(layer)
    elif isinstance(module, AffineMap):
        yield _numbers(module.weight).T, _numbers(module.bias)
    elif isinstance(module, Unscaled):
        columns = module.columns.cpu().numpy()
        scale, center = _numbers(module.scale), _numbers(module.center)
        yield np.diag(scale)[columns], center[columns]
    elif isinstance(module, Logits):
        yield from _logits(module)
    elif isinstance(module, CalibratedNets):
        raise UnsupportedLayerError(
            "calibrators of several networks or classes (one network remains with ensemble=False, "
            "and more than two classes need method='temperature')"
        )
    else:
        raise UnsupportedLayerError(type(module).__name__)


def _logits(module):
    """Yield the layers of a module whose output is converted to one logit per class."""
    if module.are_probabilities:
        raise UnsupportedLayerError("softmax")
    layers = layers_of(module.module)
    *hidden, (weights, bias) = layers
    # A single logit is that of class 1 against 0, whose own logit is 0.
    if len(bias) == 1:
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.append(0.0, bias)
    for layer in hidden:
        yield layer
        yield nn.ReLU()
    yield weights, bias


def _computes_like(module, kind):
    """Return whether a module is of a kind, the computation of which it does not override."""
    return isinstance(module, kind) and type(module).forward is kind.forward


def _numbers(tensor):
    return tensor.detach().cpu().double().numpy()


def logits_of(layers, row):
    """Return the logits of a row, or of rows along the first axis."""
    (*hidden, (weights, bias)), outputs = layers, row
    for first_weights, first_bias in hidden:
        outputs = np.maximum(outputs @ first_weights.T + first_bias, 0)
    return outputs @ weights.T + bias


def rounding_error(layers, row, precision):
    """Return a bound of the rounding error of the logits of a row in a floating-point dtype.

    Parameters
    ----------
    layers : list of pairs of ndarrays
    row : ndarray of shape (n_columns,)
        The largest absolute value of each column.
    precision : float
        The machine epsilon of the dtype.
    """
    # Each sum of n products has an error of at most n epsilons, relative to the sum of their
    # absolute values, which grow from layer to layer.
    sizes, n_sums = np.abs(row), 0
    for weights, bias in layers:
        n_sums += weights.shape[1] + 1
        sizes = np.abs(weights) @ sizes + np.abs(bias)
    return n_sums * precision * sizes.max()


def add_network(program, layers, levers, factual, target, limits):
    """Add the hidden units of a network to a program.

    Parameters
    ----------
    program : Program
        Its first variables are the levers.
    layers : list of pairs of ndarrays
    levers : Levers
    factual : ndarray of shape (n_columns,)
    target : int
        The class to reach.
    limits : pair
        The largest cost, and the largest number of changes or None; see `Levers.unit_bounds`.

    Returns
    -------
    constants : ndarray of shape (n_classes - 1,)
    slopes : ndarray of shape (n_classes - 1, n_variables)
        The differences between the other logits and the target's, as functions of the variables.
    """
    weights, bias = layers[0]
    constants, slopes = weights @ factual + bias, weights @ levers.moves
    fall, rise = levers.unit_bounds(slopes, *limits)
    # The precision of these sums must not exclude a row at a bound.
    precision = 1e-9 * (1 + np.abs(constants))
    low, high = constants + fall - precision, constants + rise + precision
    others = np.delete(np.arange(len(layers[-1][1])), target)
    for depth, (weights, bias) in enumerate(layers[1:], start=1):
        signs = np.zeros(len(constants))
        # With two classes, the last hidden layer acts on the margin in one direction per unit.
        if depth == len(layers) - 1 and len(others) == 1:
            signs = np.sign(weights[target] - weights[others[0]])
        constants, slopes = _add_relus(program, constants, slopes, (low, high), signs)
        constants, slopes = weights @ constants + bias, weights @ slopes
        # Interval arithmetic bounds the next layer.
        low, high = np.maximum(low, 0), np.maximum(high, 0)
        low, high = (
            bias + np.minimum(weights * low, weights * high).sum(axis=1),
            bias + np.maximum(weights * low, weights * high).sum(axis=1),
        )
    return constants[others] - constants[target], slopes[others] - slopes[target]


def _add_relus(program, constants, slopes, bounds, signs):
    """Add the ReLUs of some linear functions of the variables.

    Parameters
    ----------
    program : Program
    constants : ndarray of shape (n_units,)
    slopes : ndarray of shape (n_units, n_variables)
    bounds : pair of ndarrays of shape (n_units,)
        Lower and upper bounds of the functions.
    signs : ndarray of shape (n_units,)
        1 if the program only gains by a larger output, -1 if by a smaller one, 0 if unknown.

    Returns
    -------
    constants, slopes : ndarrays
        The outputs, as functions of the variables, to which some are added.
    """
    low, high = bounds
    unsettled = np.flatnonzero((low < 0) & (high > 0))
    outputs = program.add_variables(high[unsettled])
    is_capped = signs[unsettled] >= 0
    switches = program.add_variables(np.ones(is_capped.sum()), is_integer=True)
    slopes = padded(slopes, len(program))
    is_active = low >= 0
    new_constants = np.where(is_active, constants, 0.0)
    new_slopes = slopes * is_active[:, None]
    new_slopes[unsettled, outputs] = 1

    def add(units, columns, switch_coefficients, signed_slopes, most):
        """Add rows ``output + coefficient * switch - slopes <= most``."""
        coefficients = -signed_slopes
        coefficients[np.arange(len(units)), columns] += 1
        coefficients[np.arange(len(units)), switches] += switch_coefficients
        program.add_rows(coefficients, most)

    # An output is at least its function, unless the program pushes it up anyway.
    floored = signs[unsettled] <= 0
    if floored.any():
        coefficients = slopes[unsettled[floored]].copy()
        coefficients[np.arange(floored.sum()), outputs[floored]] -= 1
        program.add_rows(coefficients, -constants[unsettled[floored]])
    # It is at most its function if its switch is on, and 0 if it is off.
    if is_capped.any():
        units, columns = unsettled[is_capped], outputs[is_capped]
        add(units, columns, -low[units], slopes[units], constants[units] - low[units])
        add(units, columns, -high[units], np.zeros_like(slopes[units]), 0.0)
    return new_constants, new_slopes
