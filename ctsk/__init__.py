"""Counterfactual training for scikit-learn.

The package provides a neural classifier that generates counterfactual explanations of its
own predictions during training and feeds them back into its loss, so that the explanations
of the fitted model are plausible and actionable. It also explains fitted pipelines, torch
modules and skorch classifiers.
"""

from ctsk import datasets, exceptions, generators, metrics, model_selection, plotting
from ctsk._classifier import CounterfactualTrainedClassifier
from ctsk._explain import explain
from ctsk._explaining.explanation import Explanation
from ctsk._onnx import to_onnx
from ctsk._persistence import certificate, load, save
from ctsk._sufficient_changes import sufficient_changes
from ctsk._version import __version__  # noqa: F401
from ctsk.generators import (
    BaseGenerator,
    ECCCoGenerator,
    GenericGenerator,
    GradientGenerator,
    NearestGenerator,
    REVISEGenerator,
)

__all__ = [
    "BaseGenerator",
    "CounterfactualTrainedClassifier",
    "ECCCoGenerator",
    "Explanation",
    "GenericGenerator",
    "GradientGenerator",
    "NearestGenerator",
    "REVISEGenerator",
    "certificate",
    "datasets",
    "exceptions",
    "explain",
    "generators",
    "load",
    "metrics",
    "model_selection",
    "plotting",
    "save",
    "sufficient_changes",
    "to_onnx",
]
