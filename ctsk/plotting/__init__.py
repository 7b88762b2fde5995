"""Displays that plot results with matplotlib."""

from ctsk.plotting.pareto import ParetoFrontDisplay

__all__ = ["ParetoFrontDisplay"]
