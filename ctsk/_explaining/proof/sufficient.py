"""Which sets of features suffice for a counterfactual, with proof."""

import itertools
from dataclasses import dataclass, replace

import joblib
import numpy as np
import torch
from sklearn.utils import gen_batches

from ctsk._explaining.chunk_search import ChunkSearch
from ctsk._explaining.proof.optimum import cheapest
from ctsk._explaining.proof.prover import (
    ProgressLine,
    best_accepted,
    problems,
    provable_layers,
    words,
)
from ctsk._torch.utils import chunk_size, inference_copy


@dataclass(frozen=True)
class Sufficiency:
    """What is proven of a row of which only some features change.

    Parameters
    ----------
    row : int
        Position of the row.
    features : tuple of int
        The features that may change.
    proof : {"optimal", "impossible", "open"}
    cost : float
        Cost of the counterfactual; infinite if none is known.
    lower_bound : float
    values : ndarray of shape (n_features,)
        The counterfactual, or the factual if none is known.
    """

    row: int
    features: tuple
    proof: str
    cost: float
    lower_bound: float
    values: np.ndarray


def find_sufficient(request, max_size):
    """Find out, for each row and each small set of features, whether its changes suffice.

    Parameters
    ----------
    request : Request
    max_size : int
        Largest number of features of a set; those that only change together count as one.

    Returns
    -------
    found : list of Sufficiency
        The sets of which no subset suffices, by row, size and cost.
    """
    layers = provable_layers(request.model)
    searcher = inference_copy(request.model.module, torch.float32)
    found = []
    for rows in gen_batches(len(request.rows), chunk_size(request.model.encoder.groups.n_columns)):
        chunk = ChunkSearch(request, searcher, rows)
        of_chunk = _of_chunk(chunk, layers, max_size)
        found += [replace(result, row=rows.start + result.row) for result in of_chunk]
    return sorted(found, key=lambda result: (result.row, len(result.features), result.cost))


def _of_chunk(chunk, layers, max_size):
    """Return what is proven of the sets of features of the rows of a chunk."""
    n_rows = len(chunk.rows)
    shares, is_predicted = chunk.judge(chunk.rows, np.arange(n_rows))
    # A factual that reaches the target needs no change.
    idx = np.flatnonzero(~(is_predicted & (shares >= chunk.request.tau)))
    units = _movable_units(chunk)
    sufficient = {row: [] for row in idx.tolist()}
    found = []
    for size in range(1, max_size + 1):
        # The rows of each set, because the bounds of all rows are computed at once.
        rows_of = {}
        for row in sufficient:
            for chosen in itertools.combinations(units[row], size):
                if not any(set(smaller) <= set(chosen) for smaller in sufficient[row]):
                    rows_of.setdefault(chosen, []).append(row)
        for chosen, result in _asked(chunk, layers, rows_of):
            found.append(result)
            if np.isfinite(result.cost):
                sufficient[result.row].append(chosen)
    return found


def _movable_units(chunk):
    """Return, for each row, the units of features of which any may change."""
    units = chunk.rows.schema.units
    return [np.unique(units[is_movable]).tolist() for is_movable in chunk.movable()]


def _asked(chunk, layers, rows_of):
    """Yield sets of units, and what is proven of a row if only their features change.

    Parameters
    ----------
    chunk : ChunkSearch
    layers : list of pairs of ndarrays
    rows_of : dict of tuple of int to list of int
        The rows of each set of units.
    """
    request, units = chunk.request, chunk.rows.schema.units
    keys = [(chosen, row) for chosen, rows in rows_of.items() for row in rows]
    if not keys:
        return
    optima = _optima(chunk, layers, rows_of, ProgressLine(len(keys), request.verbose, "sets"))
    idx = np.array([row for _, row in keys])
    values, costs = chunk.rows.values[idx], np.full(len(keys), np.inf)
    states = [state for optimum in optima for state in optimum.rows]
    if states:
        owners = np.repeat(np.arange(len(keys)), [len(optimum.rows) for optimum in optima])
        found, best = best_accepted(chunk, np.stack(states), idx[owners], owners)
        values[found], costs[found] = best, request.costs(best, values[found])
    bounds = np.array([optimum.lower_bound for optimum in optima])
    proofs = words(np.isfinite(costs), costs, bounds)
    for number, (chosen, row) in enumerate(keys):
        features = tuple(np.flatnonzero(np.isin(units, chosen)).tolist())
        figures = proofs[number], costs[number], bounds[number], values[number]
        yield chosen, Sufficiency(row, features, *figures)


def _optima(chunk, layers, rows_of, progress):
    """Return the optimum of each row of each set of units."""
    request, units = chunk.request, chunk.rows.schema.units

    def tasks():
        for chosen, rows in rows_of.items():
            held = np.broadcast_to(~np.isin(units, chosen), (len(rows), len(units)))
            problem_of = problems(chunk, layers, np.array(rows), held)
            for position in range(len(rows)):
                yield joblib.delayed(cheapest)(problem_of(position), time_limit=request.time_limit)

    optima = []
    for optimum in joblib.Parallel(request.n_jobs, return_as="generator")(tasks()):
        optima.append(optimum)
        progress.advance(1)
    progress.end(is_interrupted=False)
    return optima
