"""How long does the proof of a row take, and how often does it end in time?

The models, data sets and rows are those of ``optimality.py``. Only the proof is timed, on one
thread, in the limits that the row of the default search sets; the search itself takes about a
millisecond for each row. The table is printed and written to ``results/proof_speed.csv``::

    python benchmarks/proof_speed.py [--setting real] [--data moons adult] [--rows 40]
                                     [--seeds 0 1] [--quick]

Settings:

- ``real``: all numbers real, one hidden layer of 32 units;
- ``whole``: numbers keep their inferred resolution, and integers are integers;
- ``sparse``: the fewest changes first;
- ``few``: two features may move, drawn for each row, so that many rows have no counterfactual;
- ``deep``: two hidden layers of 32 units;
- ``classes``: four classes, the quartiles of the median income in California.

Columns: number of rows that are proven ``optimal`` or ``impossible``, or are ``open`` after ten
seconds; the share that is proven ``within 5 s``; and the median, the 99 % quantile and the maximum
of the seconds per row. ``s if none`` is the median over the rows that are impossible. Seconds are
those of the processor: on an idle machine, they are those of the clock, and other jobs do not
change them much. The solver can only be limited by the clock, and is given three times as long.
"""

import argparse
import itertools
import time

import numpy as np
import pandas as pd
import torch
from optimality import few_movable
from optimality_cases import DATA, MODELS, TIME_LIMIT, Case, one_thread
from optimality_tables import keep, show

from ctsk import CounterfactualTrainedClassifier
from ctsk._explaining.chunk_search import ChunkSearch
from ctsk._explaining.proof.optimum import GAP, cheapest
from ctsk._explaining.proof.prover import problems, provable_layers
from ctsk._explaining.request import Settings, make_request
from ctsk._explaining.sparsify import n_changed_units
from ctsk._torch.utils import inference_copy
from ctsk.datasets import fetch_california_housing

SETTINGS = ("real", "whole", "sparse", "few", "deep", "classes")
TAUS = (0.5, 0.75)
# The column of which the quartiles are classes.
INCOME = "med_inc"
WITH_INTEGERS = ("california", "gmsc", "credit_default", "adult", "adult_recourse")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--setting", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--quick", action="store_true", help="few rows, no file")
    args = parser.parse_args()
    if args.quick:
        args.rows = min(args.rows, 8)
    for setting in args.setting:
        lines = []
        for data, model, tau in itertools.product(names_of(setting, args.data), MODELS, TAUS):
            parts = [proofs(setting, data, model, tau, seed, args.rows) for seed in args.seeds]
            names = {"setting": setting, "data": data, "model": model, "tau": tau}
            lines.append({**names, **summary(pd.concat(parts))})
            show(lines[-1:], header=len(lines) == 1)
            # What is done is kept if the command is interrupted.
            if not args.quick:
                keep("proof_speed", pd.DataFrame(lines[-1:]), args)


def names_of(setting, names):
    """Return the data sets of a setting."""
    if setting == "classes":
        return ["california"] if "california" in names else []
    # A whole number, or a feature to choose, is missing from synthetic rows.
    return [name for name in names if setting not in ("whole", "few") or name in WITH_INTEGERS]


def proofs(setting, data, model, tau, seed, n_rows):
    """Return what is proven of each row, and in how many seconds, as a DataFrame."""
    if setting == "classes":
        clf, X, target = quartiles(model, seed, n_rows)
        return timed(clf, X, target, Settings(tau=tau))
    how = {"hidden_layer_sizes": (32, 32)} if setting == "deep" else {}
    case = Case.of(data, seed, model, n_rows, is_whole=setting == "whole", **how)
    mutability = few_movable(case, 2, seed) if setting == "few" else None
    settings = Settings(tau=tau, mutability=mutability, sparse=setting == "sparse")
    return timed(case.clf, case.X, case.target, settings)


def quartiles(model, seed, n_rows):
    """Return a classifier of four classes, rows, and the next class as the target of each."""
    X = fetch_california_housing().data.astype(np.float64)
    y = pd.qcut(X.pop(INCOME), 4, labels=False).to_numpy()
    idx = np.random.default_rng(seed).permutation(len(y))
    X, y = X.iloc[idx].reset_index(drop=True), y[idx]
    off = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0} if model == "BL" else {}
    clf = CounterfactualTrainedClassifier(**off, resolution=None, random_state=seed)
    clf.fit(X[:5_000], y[:5_000])
    rows = X[5_000 : 5_000 + n_rows]
    return clf, rows, (clf.predict(rows) + 1) % 4


def timed(clf, X, target, settings):
    """Prove the counterfactuals of rows one by one, on one thread."""
    with one_thread():
        request = make_request(clf._explainable(), X, target, settings)
        searcher = inference_copy(request.model.module, torch.float32)
        rows = slice(0, len(X))
        chunk = ChunkSearch(request, searcher, rows)
        found = chunk.find(np.arange(len(X)))
        factuals = chunk.rows.values
        costs = request.costs(found.values, factuals)
        n_changes = n_changed_units(found.values, factuals, chunk.rows.schema.units)
        problem_of = problems(chunk, provable_layers(request.model), np.arange(len(X)))
        records = []
        for row in range(len(X)):
            known = None if found.reason[row] is not None else (costs[row], n_changes[row])
            problem = problem_of(row)
            start = time.process_time()
            optimum = cheapest(problem, known=known, time_limit=3 * TIME_LIMIT)
            seconds = time.process_time() - start
            best = np.inf if known is None else known[0]
            if optimum.rows:
                best = problem.cost(optimum.rows[0])
            is_optimal = best <= optimum.lower_bound * (1 + GAP) * (1 + 1e-9)
            word = "impossible" if optimum.is_impossible else "optimal" if is_optimal else "open"
            if seconds > TIME_LIMIT:
                word = "open"
            records.append({"proof": word, "seconds": seconds})
    return pd.DataFrame(records)


def summary(records):
    """Return the line of a table."""
    proof, seconds = records["proof"], records["seconds"]
    counts = {word: int((proof == word).sum()) for word in ("optimal", "impossible", "open")}
    return {
        **counts,
        "within 5 s": ((proof != "open") & (seconds <= 5)).mean(),
        "median s": seconds.median(),
        "99 % s": seconds.quantile(0.99),
        "max s": seconds.max(),
        "s if none": seconds[proof == "impossible"].median(),
    }


if __name__ == "__main__":
    main()
