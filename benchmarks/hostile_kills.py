"""Does a fit that is killed at any moment resume with equal bits?

A process fits a small table with `checkpoint_dir` and is killed by ``kill -9``. Seven of ten kills
come at a random moment of a random epoch. The others hit the writing of a checkpoint: half of the
file is written, or it is about to get its name, or has just got it. A new process calls the same
fits again. It has to train exactly the epochs that no checkpoint contains, and to end with the
weights, the optimizer, the random state, the history, the encoder, the predictions and the
explanations of a fit that nobody has killed.

The script ``benchmarks/hostile.py`` runs it, and so does this one, which can also measure how much
longer a fit takes with a `checkpoint_dir`::

    python benchmarks/hostile_kills.py [--kills 50] [--first 0]
    python benchmarks/hostile_kills.py --overhead
"""

import argparse
import functools
import hashlib
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from hostile_files import in_order

import ctsk
from ctsk._storing.state import fitted_state
from ctsk._training.net import CounterfactualNet

# Where a kill that does not come at a random moment hits the writing of a checkpoint.
AT_WRITING = ("half written", "before its name", "after its name")
# Number of times that a fit may end before it is killed, in a row.
MOST_MISSES = 20


class Normalized(torch.nn.Module):
    """A module with running statistics, and with dropout from the global random state."""

    # A checkpoint belongs to a class by its name, whether this file is run or imported.
    __module__ = "hostile_kills"

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(n_features, 8),
            torch.nn.BatchNorm1d(8),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.2),
            torch.nn.Linear(8, n_classes),
        )

    def forward(self, rows):
        """Return logits."""
        return self.layers(rows)


SHARED = {"max_epochs": 12, "lr": 0.05, "n_counterfactuals": 100, "random_state": 0}
FITS = {
    "default": SHARED,
    "stopped early": {**SHARED, "max_epochs": 40, "early_stopping": True, "n_iter_no_change": 3},
    "module": {**SHARED, "module": Normalized, "lr_schedule": "cosine"},
    "quantiles": {
        **SHARED,
        "standardize": "quantile",
        "optimizer": functools.partial(torch.optim.SGD, momentum=0.9),
        "dropout": 0.2,
        "burn_in": 0.3,
    },
}


def table():
    """Return rows with categories and gaps, their labels, and their weights."""
    rng = np.random.default_rng(0)
    n_rows = 200
    X = pd.DataFrame(
        {
            "income": rng.gamma(3, 1_000, n_rows).round(2),
            "children": rng.integers(0, 5, n_rows),
            "job": rng.choice(["cook", "nurse", "pilot"], n_rows),
            "owner": rng.random(n_rows) < 0.4,
        }
    )
    X.loc[::11, "income"] = np.nan
    score = X["income"].fillna(2_000) / 3_000 + X["owner"] - X["children"] / 3
    y = np.where(score + rng.normal(0, 0.2, n_rows) > 0.6, "granted", "refused")
    return X, y, rng.uniform(0.5, 2, n_rows)


def outcome_of(clf, X):
    """Return a digest of all that a fit determines."""
    explanation = clf.explain(X.head(10), T=10)
    parts = {
        "fitted": fitted_state(vars(clf)),
        "proba": clf.predict_proba(X),
        "counterfactuals": explanation.counterfactual.to_dict("list"),
        "cost": explanation.cost,
    }
    with np.printoptions(threshold=10**9, floatmode="unique"):
        return hashlib.sha256(repr(in_order(parts)).encode()).hexdigest()


def fit(name, folder):
    """Fit the table; return the outcome."""
    X, y, weights = table()
    n_trained, run_single_epoch = [], CounterfactualNet.run_single_epoch

    def counting(net, iterator, training, **settings):
        n_trained.append(training)
        return run_single_epoch(net, iterator, training, **settings)

    clf = ctsk.CounterfactualTrainedClassifier(**FITS[name], checkpoint_dir=folder)
    started = time.monotonic()
    CounterfactualNet.run_single_epoch = counting
    try:
        clf.fit(X, y, sample_weight=weights)
        seconds = time.monotonic() - started
    finally:
        CounterfactualNet.run_single_epoch = run_single_epoch
    return {
        "digest": outcome_of(clf, X),
        "n_epochs": clf.n_iter_,
        "n_trained": sum(n_trained),
        "seconds": seconds,
    }


def fit_to_be_killed(name, folder, writing, begun):
    """Fit the table in a process that others kill, or that kills itself at the writing of a file.

    `writing` is None, or one of `AT_WRITING` and the number of the checkpoint.
    """
    warnings.simplefilter("ignore", UserWarning)
    if writing is not None:
        _die_at_writing(*writing)
    begun.send(True)
    fit(name, folder)


def _die_at_writing(kind, number):
    """Let the process kill itself when it writes a checkpoint for the n-th time."""
    n_calls, fsync, replace = [], os.fsync, os.replace

    def is_due(name):
        n_calls.append(name)
        return n_calls.count(name) == number

    def dying_fsync(descriptor):
        if kind == "half written" and is_due("fsync"):
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)

    def dying_replace(source, target):
        is_last = kind != "half written" and is_due("replace")
        if not is_last or kind == "after its name":
            replace(source, target)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync, os.replace = dying_fsync, dying_replace


def finished(fits):
    """Return the outcomes of fits, pairs of a name and a folder, in a new process nobody kills."""
    arguments = [sys.executable, __file__, "--fits", json.dumps(fits)]
    text = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def killed(name, folder, chance, reference):
    """Kill a fit; return whether that succeeded before its end."""
    # A fork saves the seconds of the imports. Every epoch is written once, the last one at the end.
    forking = multiprocessing.get_context("fork")
    receiver, sender = forking.Pipe(duplex=False)
    writing = None
    if chance.random() < 0.3:
        writing = chance.choice(AT_WRITING), chance.randint(1, reference["n_epochs"])
    process = forking.Process(target=fit_to_be_killed, args=(name, folder, writing, sender))
    process.start()
    receiver.recv()
    if writing is None:
        # Epochs are waited for, because the load of the machine changes how long they take.
        epoch = chance.randrange(reference["n_epochs"])
        while process.is_alive() and n_stored(folder) < epoch:
            time.sleep(0.002)
        time.sleep(chance.random() * reference["seconds"] / reference["n_epochs"])
        process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def n_stored(folder):
    """Return the number of epochs in the checkpoint of a folder."""
    paths = list(folder.glob("[!.]*.zip"))
    if not paths:
        return 0
    with zipfile.ZipFile(paths[0]) as archive:
        return len(json.loads(archive.read("checkpoint.json"))["history"])


def try_kills(n_kills, first=0):
    """Kill fits and resume them; return the number of kills and of resumes with equal bits."""
    with tempfile.TemporaryDirectory() as name:
        whole = [(fit_name, str(Path(name, "whole", fit_name))) for fit_name in FITS]
        references = dict(zip(FITS, finished(whole), strict=True))
        fits, epochs = [], []
        for number in range(first, first + n_kills):
            chance = random.Random(number)
            fit_name = list(FITS)[number % len(FITS)]
            for attempt in range(MOST_MISSES):
                folder = Path(name, f"{number}-{attempt}")
                if killed(fit_name, folder, chance, references[fit_name]):
                    break
            else:
                raise RuntimeError(f"the fit {fit_name!r} ended before each of its kills")
            fits.append((fit_name, str(folder)))
            epochs.append(n_stored(folder))
        n_equal = 0
        for (fit_name, _), n, outcome in zip(fits, epochs, finished(fits), strict=True):
            reference = references[fit_name]
            is_equal = outcome["digest"] == reference["digest"]
            # A fit that begins anew would be equal, too.
            is_resumed = outcome["n_trained"] == reference["n_epochs"] - n
            n_equal += is_equal and is_resumed
            if not (is_equal and is_resumed):
                print(f"{fit_name}, resumed after {n} epochs: {outcome}", flush=True)
    n_early = epochs.count(0)
    print(f"kills survived {n_kills} / bit-equal resumes {n_equal}")
    print(
        f"of these, killed before the first checkpoint {n_early}, after it {n_kills - n_early}, "
        f"there at {np.median([n for n in epochs if n] or [0]):.0f} stored epochs (median)",
        flush=True,
    )
    return n_kills, n_equal


def measure_overhead(n_repeats=7):
    """Print how much longer a fit takes with a checkpoint after each epoch."""
    X, y, _ = table()
    for n_copies in (1, 100):
        rows, labels = pd.concat([X] * n_copies, ignore_index=True), np.tile(y, n_copies)
        seconds = {False: [], True: []}
        for _ in range(n_repeats):
            for has_checkpoint, times in seconds.items():
                with tempfile.TemporaryDirectory() as folder:
                    clf = ctsk.CounterfactualTrainedClassifier(
                        max_epochs=20,
                        early_stopping=False,
                        random_state=0,
                        checkpoint_dir=folder if has_checkpoint else None,
                    )
                    started = time.monotonic()
                    clf.fit(rows, labels)
                    times.append(time.monotonic() - started)
        plain, stored = np.median(seconds[False]), np.median(seconds[True])
        print(
            f"{len(rows):,} rows: seconds of a fit of 20 epochs without checkpoint_dir "
            f"{plain:.2f} / with it {stored:.2f} / milliseconds per epoch "
            f"{(stored - plain) / 20 * 1000:.0f}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="seed of the first kill")
    parser.add_argument("--overhead", action="store_true")
    # A process that the script itself starts.
    parser.add_argument("--fits", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    if options.fits:
        for name, folder in json.loads(options.fits):
            print(json.dumps(fit(name, folder)), flush=True)
    elif options.overhead:
        measure_overhead()
    else:
        try_kills(options.kills, options.first)


if __name__ == "__main__":
    main()
