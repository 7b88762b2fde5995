"""Mixed-integer linear programs of levers and of ReLU networks; see ``exact.py``."""

import contextlib
import os

import numpy as np
from exact_levers import ZERO
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack
from torch import nn

# Relative distance to the lower bound at which the solver stops.
GAP = 1e-3


class Program:
    """A mixed-integer linear program, to which variables and rows are added.

    Parameters
    ----------
    upper : ndarray of shape (n_variables,)
        Upper bounds of the first variables; the lower bounds are 0.
    is_integer : bool ndarray of shape (n_variables,)
    """

    def __init__(self, upper, is_integer):
        self.upper = np.asarray(upper, dtype=float)
        self.is_integer = np.asarray(is_integer, dtype=bool)
        self.blocks, self.low, self.high = [], [], []

    def __len__(self):
        """Return the number of variables."""
        return len(self.upper)

    def add_variables(self, upper, *, is_integer=False):
        """Add variables between 0 and some upper bounds, and return their positions."""
        first = len(self)
        self.upper = np.append(self.upper, upper)
        self.is_integer = np.append(self.is_integer, np.full(len(upper), is_integer))
        return np.arange(first, len(self))

    def add_rows(self, coefficients, low, high):
        """Add ``low <= coefficients @ variables <= high``.

        Variables beyond the width of the coefficients have the coefficient 0.
        """
        n_rows = len(coefficients)
        self.blocks.append(csr_array(coefficients))
        self.low.append(np.broadcast_to(low, n_rows).astype(float))
        self.high.append(np.broadcast_to(high, n_rows).astype(float))

    def minimize(self, objective, time_limit):
        """Return the solver's result, in which the status tells what is proven."""
        # The solver does not accept a program without any variable.
        if not len(self):
            self.add_variables(np.zeros(1))
        for block in self.blocks:
            block.resize((block.shape[0], len(self)))
        rows = LinearConstraint(
            vstack(self.blocks, format="csr"), np.concatenate(self.low), np.concatenate(self.high)
        )
        with _silent_output():
            return milp(
                padded(objective, len(self)),
                constraints=rows,
                integrality=self.is_integer,
                bounds=Bounds(0, self.upper),
                options={"time_limit": time_limit, "mip_rel_gap": GAP},
            )


def add_choices(program, levers):
    """Add the rows by which levers exclude or require each other."""
    n_levers = len(levers.upper)
    for feature in np.unique(levers.feature[levers.is_category]):
        program.add_rows((levers.feature == feature)[None].astype(float), -np.inf, 1)
    for entry, extent in levers.entries:
        # Beyond a gap, a number moves on only if it has jumped over the gap.
        if extent is not None:
            coefficients = np.zeros((1, n_levers))
            coefficients[0, extent], coefficients[0, entry] = 1, -levers.upper[extent]
            program.add_rows(coefficients, -np.inf, 0)
        # Jumps in both directions would end in the middle of a step.
        opposite = (levers.feature == levers.feature[entry]) & (
            levers.moves[levers.feature[entry]] * levers.moves[levers.feature[entry], entry] < 0
        )
        coefficients = opposite / np.maximum(levers.upper, ZERO)
        # Two levers of the other direction sum to at most 2.
        coefficients[entry] = max(opposite.sum(), 1)
        program.add_rows(coefficients[None], -np.inf, coefficients[entry])


def add_counts(program, levers):
    """Add a binary for each feature that is 1 if it changes; return the coefficients of all."""
    features = np.unique(levers.feature)
    counters = program.add_variables(np.ones(len(features)), is_integer=True)
    coefficients = np.zeros((len(levers.upper), len(program)))
    for feature, counter in zip(features, counters, strict=True):
        idx = np.flatnonzero(levers.feature == feature)
        coefficients[idx, idx] = 1
        coefficients[idx, counter] = -levers.upper[idx]
    if len(features):
        program.add_rows(coefficients, -np.inf, 0)
    counts = np.zeros(len(program))
    counts[counters] = 1
    return counts


def _flattened(module):
    """Yield the layers of nested sequences, each as often as it is used."""
    if not isinstance(module, nn.Sequential):
        yield module
        return
    for layer in module:
        yield from _flattened(layer)


def layers_of(module):
    """Return the weights and biases between the ReLUs of a network, in float64.

    Raises
    ------
    ValueError
        If the network is not a chain of linear layers and ReLUs.
    """
    layers, follows_linear = [], False
    for layer in _flattened(module):
        if isinstance(layer, nn.Identity | nn.Dropout | nn.Flatten):
            continue
        if isinstance(layer, nn.Linear):
            weights = layer.weight.detach().cpu().double().numpy()
            n_outputs = len(weights)
            bias = np.zeros(n_outputs) if layer.bias is None else layer.bias.detach().cpu().numpy()
            bias = bias.astype(np.float64)
            # Without a ReLU between them, two linear layers are one.
            if follows_linear:
                first_weights, first_bias = layers.pop()
                weights, bias = weights @ first_weights, weights @ first_bias + bias
            layers.append((weights, bias))
            follows_linear = True
        elif isinstance(layer, nn.ReLU) and follows_linear:
            follows_linear = False
        else:
            raise ValueError(f"The exact search knows no layer {type(layer).__name__} here.")
    if not follows_linear:
        raise ValueError("The exact search needs a network whose last layer is linear.")
    return layers


def add_network(program, layers, levers, factual, target, limits):
    """Add the hidden units of a network.

    Returns
    -------
    constants : ndarray of shape (n_classes - 1,)
    slopes : ndarray of shape (n_classes - 1, n_variables)
        The differences between the other logits and the target's, as functions of the variables.
    """
    weights, bias = layers[0]
    constants, slopes = weights @ factual + bias, weights @ levers.moves
    fall, rise = levers.unit_bounds(slopes, *limits)
    low, high = constants + fall, constants + rise
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
        program.add_rows(coefficients, -np.inf, most)

    # An output is at least its function, unless the program pushes it up anyway.
    floored = signs[unsettled] <= 0
    if floored.any():
        coefficients = slopes[unsettled[floored]].copy()
        coefficients[np.arange(floored.sum()), outputs[floored]] -= 1
        program.add_rows(coefficients, -np.inf, -constants[unsettled[floored]])
    # It is at most its function if its switch is on, and 0 if it is off.
    if is_capped.any():
        units, columns = unsettled[is_capped], outputs[is_capped]
        add(units, columns, -low[units], slopes[units], constants[units] - low[units])
        add(units, columns, -high[units], np.zeros_like(slopes[units]), 0.0)
    return new_constants, new_slopes


def padded(array, n_columns):
    """Return an array with columns of zeros at its end."""
    widths = [(0, 0)] * (array.ndim - 1) + [(0, n_columns - array.shape[-1])]
    return np.pad(array, widths)


@contextlib.contextmanager
def _silent_output():
    """Suppress what HiGHS now and then writes to the standard output of the process."""
    kept = os.dup(1)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
