"""From what users call a generator to one that is ready to learn."""

import pickle

from sklearn.base import clone

from ctsk.generators.eccco import ECCCoGenerator
from ctsk.generators.generic import GenericGenerator
from ctsk.generators.revise import REVISEGenerator

SHORTCUTS = {"generic": GenericGenerator, "eccco": ECCCoGenerator, "revise": REVISEGenerator}


def new_generator(generator):
    """Return an unfitted generator of its own; a ValueError if a parameter is out of range.

    Parameters
    ----------
    generator : str or BaseGenerator
        A string is a key of `SHORTCUTS`.

    Returns
    -------
    generator : BaseGenerator
    """
    generator = SHORTCUTS[generator]() if isinstance(generator, str) else clone(generator)
    generator._validate_params()
    return generator


def are_alike(generator, other):
    """Whether two generators have the same parameters, so that they learn the same."""
    if type(generator) is not type(other):
        return False
    return pickle.dumps(generator.get_params()) == pickle.dumps(other.get_params())
