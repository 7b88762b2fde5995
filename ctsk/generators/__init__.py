"""Generators: the algorithms that search for counterfactuals."""

from ctsk.generators.base import BaseGenerator
from ctsk.generators.check import check_generator
from ctsk.generators.eccco import ECCCoGenerator
from ctsk.generators.generic import GenericGenerator
from ctsk.generators.gradient import GradientGenerator
from ctsk.generators.inputs import Reference, Step
from ctsk.generators.nearest.generator import NearestGenerator
from ctsk.generators.result import SearchResult
from ctsk.generators.revise import REVISEGenerator

__all__ = [
    "BaseGenerator",
    "ECCCoGenerator",
    "GenericGenerator",
    "GradientGenerator",
    "NearestGenerator",
    "REVISEGenerator",
    "Reference",
    "SearchResult",
    "Step",
    "check_generator",
]


def __dir__():
    """List the public names, for tab completion: the modules that hold them are not public."""
    return __all__
