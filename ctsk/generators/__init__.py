"""Generators: how counterfactuals are searched."""

from ctsk.generators._base import BaseGenerator, Reference, Step
from ctsk.generators._contract import check_generator
from ctsk.generators._eccco import ECCCoGenerator
from ctsk.generators._generic import GenericGenerator
from ctsk.generators._resolve import SHORTCUTS
from ctsk.generators._revise import REVISEGenerator

__all__ = [
    "SHORTCUTS",
    "BaseGenerator",
    "ECCCoGenerator",
    "GenericGenerator",
    "REVISEGenerator",
    "Reference",
    "Step",
    "check_generator",
]
