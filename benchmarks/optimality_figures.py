"""Figures of the rows that a search returns, with and without a proven optimum."""

import numpy as np

from ctsk.metrics import (
    cost,
    maximum_mean_discrepancy,
    nearest_neighbor_distance,
    transfer_validity,
)

# Rows of the target class with which a search is compared.
N_COMPARED = 1_000


def is_found(explanation):
    """Return which rows are valid and mature, so that they reach tau."""
    return explanation.valid & explanation.mature


def ratios_to(proven, explanation):
    """Return the figures of a search that refer to the proven optima."""
    return ratios_of_costs(proven, is_found(explanation), explanation.cost)


def ratios_of_costs(proven, has_found, costs):
    """Return the figures that refer to the proven optima, of rows found and their costs."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = costs / proven.cost
    return {
        "exists": proven.proof == "optimal",
        "is_open": proven.proof == "open",
        "is_found": has_found,
        "ratio": ratio,
    }


def quality(case, explanation, seconds):
    """Return the figures of a search that need no optimum."""
    valid = explanation[explanation.valid]
    encoded, weights = valid.counterfactual_encoded, valid.encoder.column_weights
    near, discrepancies = np.full(len(valid), np.nan), []
    for label in np.unique(valid.target):
        observed, idx = case.observed(label), np.flatnonzero(valid.target == label)
        near[idx] = nearest_neighbor_distance(encoded[idx], observed, weights=weights)
        if len(idx) > 1:
            compared = observed[:N_COMPARED]
            discrepancies.append(maximum_mean_discrepancy(encoded[idx], compared))
    return {
        "rows/s": [len(explanation) / seconds],
        "changes": cost(valid, norm="n_changed"),
        "5 nearest": near,
        "MMD": [np.mean(discrepancies)] if discrepancies else [np.nan],
        "transfer": [transfer_validity(explanation, case.second)],
    }


def fewest(proven, explanation):
    """Return how the numbers of changes compare with the proven minimum."""
    n_changes = cost(explanation, norm="n_changed")
    minimum = cost(proven, norm="n_changed")
    is_least = n_changes <= minimum
    figures = ratios_to(proven, explanation)
    # Costs are compared where both have the fewest changes.
    figures["ratio"] = np.where(is_least, figures["ratio"], np.nan)
    counts = figures["exists"] & figures["is_found"]
    return {
        **figures,
        "fewest": np.where(counts, is_least, np.nan),
        "least": np.where(figures["exists"], minimum, np.nan),
    }
