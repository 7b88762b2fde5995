"""Names of generators, fresh instances, and comparison of generators by their parameters."""

import functools
from collections.abc import Mapping

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone

from ctsk.generators.eccco import ECCCoGenerator
from ctsk.generators.generic import GenericGenerator
from ctsk.generators.nearest.generator import NearestGenerator
from ctsk.generators.revise import REVISEGenerator

SHORTCUTS = {
    "nearest": NearestGenerator,
    "generic": GenericGenerator,
    "eccco": ECCCoGenerator,
    "revise": REVISEGenerator,
}


def new_generator(generator):
    """Return a fresh generator that has not learned yet.

    Parameters
    ----------
    generator : str or BaseGenerator
        A string is a key of `SHORTCUTS`.

    Returns
    -------
    generator : BaseGenerator

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """
    generator = SHORTCUTS[generator]() if isinstance(generator, str) else clone(generator)
    generator._validate_params()
    return generator


def learn_alike(generator, other):
    """Return whether two generators learn the same from the same rows."""
    if type(generator) is not type(other):
        return False
    # Parameters that have no part in `learn` may differ.
    names = generator.learning_parameters
    return all(_are_equal(getattr(generator, name), getattr(other, name)) for name in names)


def _are_equal(value, other):
    """Compare two parameters as values; what cannot be compared is different.

    A wrong "different" costs only time, because the generator learns again; a wrong
    "equal" would keep what was learned under other parameters.
    """
    # Identity comes first: an object need not be equal to itself, and often nothing is changed.
    if value is other:
        return True
    # Arrays compare elementwise, so they need a comparison of their own.
    if isinstance(value, np.ndarray | torch.Tensor):
        return _are_equal_arrays(value, other)
    if isinstance(value, np.generic | bool | int | float | complex | str | bytes):
        # Scalars of NumPy and Python are compared by value, before types; NaN equals itself.
        return _is_true(value == other) or _is_true((value != value) & (other != other))
    if type(value) is not type(other):
        return False
    if isinstance(value, BaseEstimator):
        return _are_equal(value.get_params(deep=False), other.get_params(deep=False))
    if isinstance(value, functools.partial):
        # Copies of a partial are not equal to it, although their parts are.
        return _are_equal(
            (value.func, value.args, value.keywords), (other.func, other.args, other.keywords)
        )
    if isinstance(value, Mapping):
        return value.keys() == other.keys() and all(_are_equal(value[k], other[k]) for k in value)
    if isinstance(value, list | tuple):
        return len(value) == len(other) and all(map(_are_equal, value, other))
    try:
        return _is_true(value == other)
    except (TypeError, ValueError):
        # Data frames with different labels, for example, refuse the comparison.
        return False


def _are_equal_arrays(value, other):
    if isinstance(value, torch.Tensor) != isinstance(other, torch.Tensor):
        return False
    if isinstance(value, torch.Tensor):
        value, other = value.detach().cpu().numpy(), other.detach().cpu().numpy()
    # A change of precision changes what is learned, so equal values do not suffice.
    if not isinstance(other, np.ndarray) or value.dtype != other.dtype:
        return False
    return np.array_equal(value, other, equal_nan=value.dtype.kind in "fc")


def _is_true(comparison):
    """Return whether a comparison is one true value; data frames compare cell by cell."""
    return isinstance(comparison, bool | np.bool_) and bool(comparison)
