"""Displays that plot results with matplotlib."""

from ctsk.plotting.counterfactual import CounterfactualDisplay
from ctsk.plotting.image_counterfactual import ImageCounterfactualDisplay
from ctsk.plotting.pareto import ParetoFrontDisplay

    "CounterfactualDisplay",
    "ImageCounterfactualDisplay",
    "ParetoFrontDisplay",
    "RecourseSummaryDisplay",
    "RobustnessDisplay",
    "TrainingHistoryDisplay",
]
__all__ = [
__all__ = ["ParetoFrontDisplay", "RecourseDisplay"]
from ctsk.plotting.recourse import RecourseDisplay
from ctsk.plotting.recourse_summary import RecourseSummaryDisplay
from ctsk.plotting.robustness import RobustnessDisplay
from ctsk.plotting.training_history import TrainingHistoryDisplay
