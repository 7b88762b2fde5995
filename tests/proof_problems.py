"""Small problems of a proof, which brute force can solve."""

import itertools
from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from ctsk._columns.constraints import Box
from ctsk._columns.one_hot import OneHotGroups
from ctsk._explaining.proof.network import logits_of
from ctsk._explaining.proof.optimum import RowProblem

LOW, HIGH, SPACING = -2.0, 2.0, 0.25


def random_problem(seed, hidden=(4,), n_classes=2, tau=0.9, target=0, spacing=SPACING, **settings):
    rng = np.random.default_rng(seed)
    sizes = 2, *hidden, n_classes
    layers = [
        (2 * rng.normal(size=(n_outputs, n_inputs)), rng.normal(size=n_outputs))
        for n_inputs, n_outputs in itertools.pairwise(sizes)
    ]
    box = Box(np.full((1, 2), LOW), np.full((1, 2), HIGH), OneHotGroups(2))
    problem = RowProblem(
        layers,
        factual=np.array([0.5, -1.0]),
        box=box,
        costs=np.array([1.0, 0.7]),
        target=target,
        tau=tau,
        grids=(np.zeros(2), np.full(2, spacing)),
    )
    return replace(problem, **settings)


def reaches(problem, rows):
    """Return which rows reach the target, computed in numpy."""
    logits = logits_of(problem.layers, rows)
    others = np.delete(logits, problem.target, axis=1)
    log_odds = logits[:, problem.target] - logsumexp(others, axis=1)
    is_first = logits[:, problem.target] >= others.max(axis=1)
    return is_first & (log_odds >= np.log(problem.tau / (1 - problem.tau)))


def enumerated(problem, spacing=SPACING):
    """Return the rows of a grid that reach the target, their costs, and numbers of changes."""
    values = np.arange(LOW, HIGH + spacing / 2, spacing)
    rows = np.array(list(itertools.product(values, values)))
    rows = rows[reaches(problem, rows)]
    moves = np.abs(rows - problem.factual)
    return rows, moves @ problem.costs, (moves > 1e-9).sum(axis=1)
