"""Generators: the algorithms that search for counterfactuals."""

from ctsk.generators.base import BaseGenerator
from ctsk.generators.check import check_generator
from ctsk.generators.eccco import ECCCoGenerator
from ctsk.generators.generic import GenericGenerator
from ctsk.generators.inputs import Reference, Step
from ctsk.generators.revise import REVISEGenerator

__all__ = [
    "BaseGenerator",
    "ECCCoGenerator",
    "GenericGenerator",
    "REVISEGenerator",
    "Reference",
    "Step",
    "check_generator",
]
