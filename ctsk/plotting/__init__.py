"""Displays: what there is to see, for matplotlib."""

from ctsk.plotting.pareto import ParetoFrontDisplay

__all__ = ["ParetoFrontDisplay"]
