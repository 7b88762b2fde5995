"""Other training methods in the same protocol, which isolate the effect of the objective.

Each is a conventional classifier with the same architecture, optimizer, epochs and minibatches but
another loss, unless its docstring states otherwise. Once fitted, it explains and predicts like any
`CounterfactualTrainedClassifier`. Methods for other modalities have no estimator: Polyjuice writes
sentences, and counterfactual generative networks compose images.
"""

from rivals.adversarial import PGDClassifier, TRADESClassifier
from rivals.augmented import AugmentedClassifier, CounterfactualAdversarialClassifier
from rivals.base import CONVENTIONAL, EPSILON, RivalClassifier, setting
from rivals.boosted_trees import BoostedTreesClassifier
from rivals.counternet import CounterNetClassifier
from rivals.deep_ensemble import DeepEnsembleClassifier
from rivals.energy_based import JEMClassifier
from rivals.gradient_supervision import GradientSupervisionClassifier
from rivals.recourse_aware import RecourseAwareClassifier
from rivals.regularized import (
    LabelRidgeClassifier,
    LogitPenaltyClassifier,
    MildPGDClassifier,
    MixupClassifier,
    NoiseClassifier,
)
from rivals.variants import FineTunedClassifier, UnmaskedClassifier

__all__ = [
    "AugmentedClassifier",
    "BoostedTreesClassifier",
    "CONVENTIONAL",
    "CounterNetClassifier",
    "CounterfactualAdversarialClassifier",
    "DeepEnsembleClassifier",
    "EPSILON",
    "FineTunedClassifier",
    "GradientSupervisionClassifier",
    "JEMClassifier",
    "LabelRidgeClassifier",
    "LogitPenaltyClassifier",
    "MildPGDClassifier",
    "MixupClassifier",
    "NoiseClassifier",
    "PGDClassifier",
    "RecourseAwareClassifier",
    "RivalClassifier",
    "TRADESClassifier",
    "UnmaskedClassifier",
    "setting",
]
