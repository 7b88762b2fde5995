"""Counterfactual training for scikit-learn.

Classifiers that are held accountable, while they train, for the counterfactual
explanations they will give.
"""

from ctsk import datasets, exceptions, generators, metrics, model_selection, plotting
from ctsk._classifier import CounterfactualTrainedClassifier
from ctsk._explain import explain
from ctsk._explaining.explanation import Explanation
from ctsk.generators import BaseGenerator, ECCCoGenerator, GenericGenerator, REVISEGenerator

__version__ = "0.1.0"

__all__ = [
    "BaseGenerator",
    "CounterfactualTrainedClassifier",
    "ECCCoGenerator",
    "Explanation",
    "GenericGenerator",
    "REVISEGenerator",
    "datasets",
    "exceptions",
    "explain",
    "generators",
    "metrics",
    "model_selection",
    "plotting",
]
