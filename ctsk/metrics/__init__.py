"""Metrics of explanations and of robustness, in module units."""

from ctsk.metrics._counterfactual import cost, redundancy, validity
from ctsk.metrics._plausibility import implausibility, maximum_mean_discrepancy
from ctsk.metrics._robustness import robust_accuracy

__all__ = [
    "cost",
    "implausibility",
    "maximum_mean_discrepancy",
    "redundancy",
    "robust_accuracy",
    "validity",
]
