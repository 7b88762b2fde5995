"""Generators: how counterfactuals are searched."""

from ctsk.generators._base import BaseGenerator
from ctsk.generators._eccco import ECCCoGenerator
from ctsk.generators._generic import GenericGenerator

SHORTCUTS = {"generic": GenericGenerator, "eccco": ECCCoGenerator}

__all__ = ["SHORTCUTS", "BaseGenerator", "ECCCoGenerator", "GenericGenerator"]
