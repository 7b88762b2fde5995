"""How long do whole grid searches take, and does a second worker halve the time?

The grids are searched by ``GridSearchCV``, without a refit:

- *search* and *penalties* are those of the paper: 45 settings for each of three generators, and
  conventional training once, on the 3,000 training rows of Moons. The scores are those of the 600
  validation rows. Only ECCCo has a weight of the energy; in the place of its five values, the other
  generators have five seeds, so that they are fitted as often as in the paper.
- *heloc* has 24 candidates and three folds of 1,667 rows of HELOC.

Each score consists of the accuracy, and of the implausibility and the validity of the
counterfactuals of at most 1,000 rows, which share one search (ECCCo, 50 steps). For each grid, the
script first compares ``--n-jobs`` workers with one on a few of the candidates, in alternating
order. Then it prints the time of the whole grid, the time of the processor that the workers used,
which hardly depends on what else the machine does, and the largest memory of a worker::

    python benchmarks/grid_speed.py [--grid search penalties heloc] [--n-jobs 2] [--pairs 3]

One grid takes one command, such as ``--grid search --pairs 0``.
"""

import argparse
import os
import pickle
import platform
import resource
import statistics
import sys
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.model_selection import GridSearchCV, ParameterGrid, PredefinedSplit

sys.path.insert(0, str(Path(__file__).resolve().parent / "paper"))

from grids import GENERATORS, GRIDS
from models import STEP_SIZE, untrained
from protocol import split
from rivals import CONVENTIONAL

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_heloc
from ctsk.metrics import make_multimetric_scorer, neg_implausibility_scorer, validity_scorer

SCORING = make_multimetric_scorer(
    {
        "accuracy": "accuracy",
        "neg_implausibility": neg_implausibility_scorer,
        "validity": validity_scorer,
    }
)
HELOC_GRID = {
    "lambda_div": [0.1, 1.0],
    "lambda_adv": [0.1, 0.5],
    "lambda_reg": [0.01, 0.1, 0.5],
    "tau": [0.5, 0.9],
}
N_ROWS_OF_HELOC, N_FOLDS = 5_000, 3
# Number of candidates that are compared with one worker and with several.
N_COMPARED = 8
PACKAGES = ("ctsk", "torch", "scikit-learn", "skorch", "joblib", "numpy")


@dataclass(frozen=True)
class Grid:
    """A grid, its rows and splits, and the seconds that it may take on two cores."""

    estimator: CounterfactualTrainedClassifier
    candidates: list
    X: Any
    y: Any
    cv: Any
    allowed: int

    def search(self, candidates, n_jobs):
        """Return the fitted search, and the seconds that it took."""
        search = GridSearchCV(
            self.estimator, candidates, scoring=SCORING, refit=False, cv=self.cv, n_jobs=n_jobs
        )
        start = time.perf_counter()
        search.fit(self.X, self.y)
        return search, time.perf_counter() - start

    def sample(self):
        """Return a few candidates, evenly spaced, so that all generators are among them."""
        candidates = list(ParameterGrid(self.candidates))
        positions = np.linspace(0, len(candidates) - 1, N_COMPARED).round().astype(int)
        return [{name: [v] for name, v in candidates[i].items()} for i in positions]


def paper_grid(settings):
    """Return a grid of the paper."""
    parts = split("moons", seed=0)
    X, y = (np.concatenate(pair) for pair in zip(parts.train, parts.validation, strict=True))
    # Rows that are marked by -1 are never tested.
    fold = np.repeat([-1, 0], [len(parts.train[1]), len(parts.validation[1])])
    candidates = [{name: [value] for name, value in CONVENTIONAL.items()}]
    for title, generator in GENERATORS.items():
        values = {"generator": [generator(step_size=STEP_SIZE)], **settings}
        energies = values.pop("lambda_energy", [])
        if title == "eccco" and energies:
            values["generator__lambda_energy"] = energies
        elif energies:
            values["random_state"] = list(range(len(energies)))
        candidates.append(values)
    estimator = untrained("moons", 0, "CT", n_counterfactuals=1_000, max_epochs=100)
    return Grid(estimator, candidates, X, y, PredefinedSplit(fold), allowed=600)


def heloc_grid():
    table = fetch_heloc()
    X = table.data.sample(N_ROWS_OF_HELOC, random_state=0)
    estimator = CounterfactualTrainedClassifier(random_state=0)
    return Grid(estimator, [HELOC_GRID], X, table.target[X.index], N_FOLDS, allowed=90)


def usages(grid, n_jobs):
    """Return the seconds and the largest memory in MB of each worker, by its process."""
    # A task that waits leaves the next one to another worker.
    tasks = (delayed(usage)(grid.estimator, pause=0.1) for _ in range(4 * n_jobs))
    return {pid: figures for pid, *figures in Parallel(n_jobs)(tasks)}


def usage(estimator, pause):
    """Return the usage of a worker, which imports the package to unpickle the estimator."""
    time.sleep(pause)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return os.getpid(), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def compare_workers(grid, n_jobs, n_pairs):
    """Print how many times as fast several workers are as one."""
    candidates, ratios = grid.sample(), []
    for pair in range(n_pairs):
        seconds = {}
        for n in (1, n_jobs) if pair % 2 else (n_jobs, 1):
            _, seconds[n] = grid.search(candidates, n)
        ratios.append(seconds[1] / seconds[n_jobs])
    ratio = statistics.median(ratios)
    print(
        f"  {N_COMPARED} candidates: {n_jobs} workers are {ratio:.2f} times as fast as one "
        f"(median of {n_pairs} pairs, {min(ratios):.2f} to {max(ratios):.2f}); "
        f"efficiency {ratio / n_jobs:.0%}",
        flush=True,
    )


def measure(grid, n_jobs):
    """Search a whole grid; print its time and its memory."""
    before = usages(grid, n_jobs)
    search, seconds = grid.search(grid.candidates, n_jobs)
    after = usages(grid, n_jobs)
    processor = sum(used - before.get(pid, (0,))[0] for pid, (used, _) in after.items())
    results = search.cv_results_
    n_fits = len(results["params"]) * search.n_splits_
    n_bytes = len(pickle.dumps(grid.estimator))
    print(
        f"  {len(results['params'])} candidates x {search.n_splits_} splits = {n_fits} fits: "
        f"{seconds:.0f} s with {n_jobs} workers (allowed {grid.allowed}), "
        f"{seconds / n_fits:.2f} s per fit"
    )
    print(
        f"  processor {processor:.0f} s in all, {processor / n_jobs:.0f} s per worker; in a task, "
        f"fit {results['mean_fit_time'].mean():.2f} s, score "
        f"{results['mean_score_time'].mean():.2f} s"
    )
    for title, chosen in by_generator(results["params"]).items():
        print(f"    {title}: fit {results['mean_fit_time'][chosen].mean():.2f} s")
    print(
        f"  memory of a worker at most {max(memory for _, memory in after.values()):.0f} MB; "
        f"the estimator of a task is pickled in {n_bytes:,} bytes",
        flush=True,
    )


def by_generator(params):
    """Return the positions of the candidates of each generator."""
    positions = {}
    for i, candidate in enumerate(params):
        title = type(candidate["generator"]).__name__ if "generator" in candidate else "others"
        positions.setdefault(title, []).append(i)
    return positions


def machine():
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, load {load}; "
        f"Python {platform.python_version()}, {versions}"
    )


MAKERS = {
    "search": lambda: paper_grid(GRIDS["search"]),
    "penalties": lambda: paper_grid(GRIDS["penalties"]),
    "heloc": heloc_grid,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--grid", nargs="+", choices=MAKERS, default=list(MAKERS))
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=3)
    args = parser.parse_args()
    # Some candidates find few mature counterfactuals, of which users are warned. The variable
    # reaches the workers.
    warnings.simplefilter("ignore", UserWarning)
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning")
    torch.set_num_threads(1)
    print(machine())
    for name in args.grid:
        grid = MAKERS[name]()
        print(f"{name}:", flush=True)
        # The workers import the package before anything is measured.
        usages(grid, args.n_jobs)
        if args.pairs:
            compare_workers(grid, args.n_jobs, args.pairs)
        measure(grid, args.n_jobs)
    print(machine())


if __name__ == "__main__":
    main()
