"""Data sets for counterfactual explanations, real and drawn."""

from ctsk.datasets.adult import fetch_adult
from ctsk.datasets.california_housing import fetch_california_housing
from ctsk.datasets.compas import fetch_compas
from ctsk.datasets.credit_default import fetch_credit_default
from ctsk.datasets.german_credit import fetch_german_credit
from ctsk.datasets.gmsc import fetch_gmsc
from ctsk.datasets.heloc import fetch_heloc
from ctsk.datasets.mnist import fetch_mnist
from ctsk.datasets.synthetic import (
    make_circles_like,
    make_linearly_separable,
    make_loan,
    make_moons_like,
    make_overlapping,
)

__all__ = [
    "fetch_adult",
    "fetch_california_housing",
    "fetch_compas",
    "fetch_credit_default",
    "fetch_german_credit",
    "fetch_gmsc",
    "fetch_heloc",
    "fetch_mnist",
    "make_circles_like",
    "make_linearly_separable",
    "make_loan",
    "make_moons_like",
    "make_overlapping",
]
