"""How many rows per second does the default search explain, and what did a change cost?

The script fits the default classifier, by conventional and by counterfactual training, on each data
set. It explains 1,000 test rows on one thread and prints the rows per second. With another checkout
of the package, both explain the same rows by the same stored model in turn, each in a process of
its own::

    python benchmarks/nearest_speed.py [--against PATH] [--data adult heloc] [--rows 1000]
                                       [--taus 0.5 0.75] [--pairs 5] [--real]

``--real`` takes all numbers as real numbers. Otherwise, integers remain integers, and numbers are
rounded like those of the training rows, which takes longer. Seconds are those of the processor.

Columns that compare the checkouts: ``time``, the median ratio of the seconds, this checkout divided
by the other one; ``same``, the share of the rows that are equal to the bit; ``cost``, the ratio of
the mean costs of the rows that both find; and ``found``, the share of the rows that reach `tau`,
and its difference to that of the other checkout.
"""

import argparse
import itertools
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import train_test_split

import ctsk
from ctsk import datasets

TABLES = {
    "adult": datasets.fetch_adult,
    "california": datasets.fetch_california_housing,
    "credit_default": datasets.fetch_credit_default,
    "gmsc": datasets.fetch_gmsc,
    "heloc": datasets.fetch_heloc,
}
CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
MODELS = {"conventional": CONVENTIONAL, "counterfactual": {}}
# So many training rows suffice, and keep a fit to some seconds.
N_TRAINING = 4_000


def store(folder, name, args):
    """Fit and store the models of a data set, and the rows that are explained."""
    X, y = TABLES[name](return_X_y=True)
    X, rows, y, _ = train_test_split(
        X, y, train_size=N_TRAINING, test_size=args.rows, random_state=0
    )
    if args.real:
        numbers = X.select_dtypes("number").columns
        X, rows = (part.astype(dict.fromkeys(numbers, np.float64)) for part in (X, rows))
    rows.to_pickle(folder / f"{name}.pkl")
    resolution = None if args.real else "auto"
    for model, weights in MODELS.items():
        clf = ctsk.CounterfactualTrainedClassifier(
            **weights, resolution=resolution, n_counterfactuals=100, random_state=0
        )
        ctsk.save(clf.fit(X, y), folder / f"{name}-{model}.zip")


def answer(folder):
    """Explain what each line of the input names; print the file of each result."""
    torch.set_num_threads(1)
    cases = {}
    for line in sys.stdin:
        name, model, tau, output = line.split()
        if (name, model) not in cases:
            rows = pickle.loads((folder / f"{name}.pkl").read_bytes())
            cases[name, model] = ctsk.load(folder / f"{name}-{model}.zip"), rows
        clf, rows = cases[name, model]
        # Other jobs of the machine change the time of the processor less than that of the clock.
        start = time.process_time()
        found = clf.explain(rows, tau=float(tau))
        seconds = time.process_time() - start
        is_found = found.valid & found.mature
        values = found.counterfactual_encoded
        np.savez(output, seconds=seconds, values=values, cost=found.cost, is_found=is_found)
        print(output, flush=True)


class Checkout:
    """A checkout of the package, in a process of its own.

    Parameters
    ----------
    path : Path
        The folder that contains the package.
    folder : Path
        The folder of the stored models, for which results are written as well.
    """

    def __init__(self, path, folder):
        self.output = folder / f"{id(self)}.npz"
        # With one thread from the start, no setting of the package has an effect.
        environment = {**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--answer", str(folder)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def explain(self, *case):
        """Return the arrays of the result for a data set, a model and a tau."""
        print(*case, self.output, file=self.process.stdin, flush=True)
        if not self.process.stdout.readline():
            raise RuntimeError("A process has ended; its error is printed above.")
        with np.load(self.output) as arrays:
            return dict(arrays)

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def line_of(checkouts, case, args):
    """Return the figures of a case, those that compare two checkouts included."""
    for checkout in checkouts:
        # The first run loads the model, and fills caches.
        checkout.explain(*case)
    runs = [[checkout.explain(*case) for checkout in checkouts] for _ in range(args.pairs)]
    mine = runs[-1][0]
    seconds = statistics.median(run[0]["seconds"] for run in runs)
    line = f"{args.rows / seconds:8.0f} {mine['is_found'].mean():8.3f}"
    if len(checkouts) == 1:
        return line
    other = runs[-1][1]
    ratio = statistics.median(run[0]["seconds"] / run[1]["seconds"] for run in runs)
    both = mine["is_found"] & other["is_found"]
    cost = mine["cost"][both].mean() / other["cost"][both].mean()
    same = np.all(mine["values"] == other["values"], axis=1).mean()
    difference = mine["is_found"].mean() - other["is_found"].mean()
    return f"{line} {difference:+8.4f} {ratio:8.3f} {same:8.3f} {cost:9.5f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--against", type=Path, help="folder of another checkout of the package")
    parser.add_argument("--data", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--taus", type=float, nargs="+", default=[0.5, 0.75])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--real", action="store_true", help="take all numbers as real numbers")
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.answer:
        answer(args.answer)
        return
    torch.set_num_threads(1)
    heads = ["rows/s", "found"] + (["", "time", "same", "cost"] if args.against else [])
    print(f"{'data':15}{'model':15}  tau" + " ".join(f"{head:>8}" for head in heads))
    paths = [Path(ctsk.__file__).parents[1]] + ([args.against.resolve()] if args.against else [])
    with tempfile.TemporaryDirectory() as folder:
        checkouts = [Checkout(path, Path(folder)) for path in paths]
        for name in args.data:
            store(Path(folder), name, args)
            for model, tau in itertools.product(MODELS, args.taus):
                figures = line_of(checkouts, (name, model, tau), args)
                print(f"{name:15}{model:15}{tau:5g}{figures}", flush=True)
        for checkout in checkouts:
            checkout.close()


if __name__ == "__main__":
    main()
