"""Displays: what there is to see, for matplotlib."""

from ctsk.plotting._pareto import ParetoFrontDisplay

__all__ = ["ParetoFrontDisplay"]
