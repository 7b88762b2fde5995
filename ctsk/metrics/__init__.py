"""Metrics of explanations and robustness in module units, and scorers based on them."""

from ctsk.metrics.counterfactual import cost, diversity, redundancy, validity
from ctsk.metrics.discrepancy import maximum_mean_discrepancy
from ctsk.metrics.faithfulness import energy_gap, unfaithfulness
from ctsk.metrics.multimetric import make_multimetric_scorer
from ctsk.metrics.plausibility import implausibility, nearest_neighbor_distance
from ctsk.metrics.recourse import recourse_summary
from ctsk.metrics.refits import stability
from ctsk.metrics.robustness import robust_accuracy
from ctsk.metrics.scorers import (
    make_counterfactual_scorer,
    neg_cost_scorer,
    neg_implausibility_scorer,
    neg_mmd_scorer,
    robust_accuracy_scorer,
    validity_scorer,
)
from ctsk.metrics.second_model import compare_implausibility, transfer_validity
from ctsk.metrics.sensitivity import feature_sensitivity, integrated_gradients

__all__ = [
    "compare_implausibility",
    "cost",
    "diversity",
    "energy_gap",
    "feature_sensitivity",
    "implausibility",
    "integrated_gradients",
    "make_counterfactual_scorer",
    "make_multimetric_scorer",
    "maximum_mean_discrepancy",
    "nearest_neighbor_distance",
    "neg_cost_scorer",
    "neg_implausibility_scorer",
    "neg_mmd_scorer",
    "recourse_summary",
    "redundancy",
    "robust_accuracy",
    "robust_accuracy_scorer",
    "stability",
    "transfer_validity",
    "unfaithfulness",
    "validity",
    "validity_scorer",
]


def __dir__():
    """List the public names, for tab completion: the modules that hold them are not public."""
    return __all__
