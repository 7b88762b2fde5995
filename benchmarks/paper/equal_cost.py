"""The quality of counterfactuals of two models at equal cost.

A model whose counterfactuals move farther finds them nearer to the data, so that measures at equal
probability favor models of flat logits. Here, each model is explained at several probabilities,
which makes its measures a function of the cost. The functions of two models are compared at the
same costs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Probabilities at which each model is explained.
TAUS = tuple(np.arange(50, 100, 5) / 100)
# Probabilities whose costs under the conventional model are the costs of the comparison.
TAUS_COMPARED = (0.75, 0.9)
# Medians and means over fewer rows count as unknown.
LEAST_ROWS = 10


@dataclass(frozen=True)
class Curve:
    """What a search finds for the same rows under one model, at each of `TAUS`.

    Parameters
    ----------
    is_found : bool ndarray of shape (n_taus, n_rows)
        Whether the counterfactual of a row reaches the probability.
    cost : ndarray of shape (n_taus, n_rows)
    values : dict of str to ndarray of shape (n_taus, n_rows)
        Measures of each counterfactual; NaN where one is not known.
    encoded : ndarray of shape (n_taus, n_rows, n_columns)
        Counterfactuals in module units.
    """

    is_found: np.ndarray
    cost: np.ndarray
    values: dict
    encoded: np.ndarray


@dataclass(frozen=True)
class Measure:
    """A measure of the counterfactuals of some rows.

    Parameters
    ----------
    summarize : callable
        Maps a curve, the position of a tau and the positions of rows to a number.
    is_relative : bool
        Whether two models are compared by the reduction in percent; otherwise, by the difference
        "other - conventional".
    """

    summarize: Callable
    is_relative: bool


def mean_of(name):
    """Return a function that averages a measure of each row, as far as it is known."""

    def summarize(curve, position, rows):
        values = curve.values[name][position, rows]
        known = values[~np.isnan(values)]
        return known.mean() if len(known) else np.nan

    return summarize


def compare(conventional, other, measures):
    """Compare two models at the costs of the first one.

    Only rows count whose counterfactuals reach the probability under both models, because a mean
    over other rows favors the model that finds fewer.

    Parameters
    ----------
    conventional, other : Curve
        Of the same rows and targets.
    measures : dict of str to Measure

    Returns
    -------
    records : list of dict
        For each of `TAUS_COMPARED` and each measure: "cost", the median cost of the conventional
        model; "conventional" and "other", the measures of both models at this cost; "gain", the
        reduction in percent or the difference; and "rows", the number of rows at this tau. The
        measure of the other model is NaN if it never has this cost.
    """
    pairs = [np.flatnonzero(both) for both in conventional.is_found & other.is_found]
    costs = np.array([_median(other.cost[k, rows]) for k, rows in enumerate(pairs)])
    points = {
        name: np.array([_summary(measure, other, k, rows) for k, rows in enumerate(pairs)])
        for name, measure in measures.items()
    }
    records = []
    for tau in TAUS_COMPARED:
        position = TAUS.index(tau)
        rows = pairs[position]
        cost = _median(conventional.cost[position, rows])
        for name, measure in measures.items():
            first = _summary(measure, conventional, position, rows)
            second = interpolated(costs, points[name], cost)
            record = {"tau": tau, "measure": name, "cost": cost, "rows": len(rows)}
            record |= {"conventional": first, "other": second}
            records.append({**record, "gain": gain(first, second, measure.is_relative)})
    return records


def interpolated(costs, values, cost):
    """Return a measure at a cost, by linear interpolation between known costs.

    Parameters
    ----------
    costs, values : ndarray of shape (n_taus,)
        Points of the function, in any order; those with NaN are left out.
    cost : float

    Returns
    -------
    value : float
        NaN if the cost is outside the range of the known costs.
    """
    is_known = ~np.isnan(costs) & ~np.isnan(values)
    costs, values = costs[is_known], values[is_known]
    if np.isnan(cost) or not len(costs) or not costs.min() <= cost <= costs.max():
        return np.nan
    # The rows differ between probabilities, so that a higher one may have a lower median cost.
    order = np.argsort(costs, kind="stable")
    return float(np.interp(cost, costs[order], values[order]))


def gain(conventional, other, is_relative):
    """Return the reduction in percent, or the difference "other - conventional"."""
    if not is_relative:
        return other - conventional
    return 100 * (1 - other / conventional) if conventional else np.nan


def _summary(measure, curve, position, rows):
    return measure.summarize(curve, position, rows) if len(rows) >= LEAST_ROWS else np.nan


def _median(values):
    return float(np.median(values)) if len(values) >= LEAST_ROWS else np.nan
