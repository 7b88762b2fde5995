"""Displays that plot results with matplotlib."""

from ctsk.plotting.pareto import ParetoFrontDisplay
from ctsk.plotting.recourse import RecourseDisplay

__all__ = ["ParetoFrontDisplay", "RecourseDisplay"]
