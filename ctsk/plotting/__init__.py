"""Displays that plot results with matplotlib."""

from ctsk.plotting.counterfactual import CounterfactualDisplay
from ctsk.plotting.image_counterfactual import ImageCounterfactualDisplay
from ctsk.plotting.pareto import ParetoFrontDisplay
from ctsk.plotting.recourse import RecourseDisplay
from ctsk.plotting.recourse_summary import RecourseSummaryDisplay
from ctsk.plotting.robustness import RobustnessDisplay
from ctsk.plotting.training_history import TrainingHistoryDisplay

__all__ = [
    "CounterfactualDisplay",
    "ImageCounterfactualDisplay",
    "ParetoFrontDisplay",
    "RecourseDisplay",
    "RecourseSummaryDisplay",
    "RobustnessDisplay",
    "TrainingHistoryDisplay",
]
