"""Is a model that saw its rows in chunks as good as one that was fitted on all of them?

``CTSK_DATA_HOME`` names the folder of the data. For each data set and seed, a random fifth of the
rows is held out for the test. One model is fitted on the other rows at once. A second one passes
over them in chunks, one call of ``partial_fit`` for each chunk and epoch, as over a file that does
not fit in memory; its scales, categories and domains are those of the first chunk. Epochs, batches
and searches per epoch are the same. The table shows log loss and accuracy on the test rows, the
share of 500 test rows with a valid counterfactual, and the difference between the two models of a
seed: its mean, and its standard error over the seeds. It is written to ``results/partial_fit.csv``,
unless ``--quick`` is given::

    python benchmarks/partial_fit.py [--data adult gmsc ...] [--seeds 0 1 2] [--chunks 10] [--quick]
"""

import argparse
import warnings
from pathlib import Path

import machine
import numpy as np
import pandas as pd
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_adult, fetch_gmsc

RESULTS = Path(__file__).parent / "results"
# Data sets and settings. The standard deviation of long tails depends on the outliers of a chunk,
# unlike quantiles.
DATA = {
    "adult": (fetch_adult, {}),
    "gmsc": (fetch_gmsc, {}),
    "gmsc, quantiles": (fetch_gmsc, {"standardize": "quantile"}),
}
# Searches in an epoch over all rows, and rows that are explained.
N_COUNTERFACTUALS, N_EXPLAINED = 1_000, 500


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--chunks", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="2,000 rows, no file")
    args = parser.parse_args()
    # Short trainings are not mature, of which users are warned.
    warnings.simplefilter("ignore", UserWarning)
    print(machine.describe())
    lines = []
    for name in args.data:
        pairs = [pair(name, seed, args) for seed in args.seeds]
        lines += [{"data": name, **line} for line in summary(pairs)]
        print(pd.DataFrame(lines).query("data == @name").to_string(index=False), flush=True)
    if not args.quick:
        keep(pd.DataFrame(lines))


def keep(lines):
    """Write lines to the file, replacing those of the same data sets."""
    path = RESULTS / "partial_fit.csv"
    if path.exists():
        known = pd.read_csv(path)
        lines = pd.concat([known[~known["data"].isin(lines["data"])], lines])
    lines.to_csv(path, index=False, float_format="%.5g")


def pair(name, seed, args):
    """Return the scores of both models for one seed."""
    fetch, settings = DATA[name]
    bunch = fetch()
    X, y = bunch.data, bunch.target
    if args.quick:
        X, y = X[:2_000], y[:2_000]
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=seed)
    at_once = classifier(seed, args.epochs, N_COUNTERFACTUALS, settings)
    at_once.fit(X_train, y_train)
    chunked = classifier(seed, args.epochs, N_COUNTERFACTUALS // args.chunks, settings)
    for _ in range(args.epochs):
        for chunk in np.array_split(np.arange(len(X_train)), args.chunks):
            rows, labels = X_train.iloc[chunk], y_train.iloc[chunk]
            chunked.partial_fit(rows, labels, classes=np.unique(y))
    return [scores(clf, X_test, y_test) for clf in (at_once, chunked)]


def classifier(seed, epochs, n_counterfactuals, settings):
    """Return an untrained classifier."""
    return CounterfactualTrainedClassifier(
        max_epochs=epochs,
        batch_size=200,
        n_counterfactuals=n_counterfactuals,
        early_stopping=False,
        random_state=seed,
        **settings,
    )


def scores(clf, X, y):
    """Return the scores of a classifier on test rows."""
    return {
        "log loss": log_loss(y, clf.predict_proba(X)),
        "accuracy": clf.score(X, y),
        "valid": clf.explain(X[:N_EXPLAINED]).valid.mean(),
    }


def summary(pairs):
    """Return a line for each score: its means, and the mean difference with its error."""
    for score in pairs[0][0]:
        at_once, chunked = np.array([[line[score] for line in pair] for pair in pairs]).T
        differences = chunked - at_once
        # A single difference has no spread.
        spread = differences.std(ddof=1) if len(pairs) > 1 else np.nan
        yield {
            "score": score,
            "fit": at_once.mean(),
            "partial_fit": chunked.mean(),
            "difference": differences.mean(),
            "standard error": spread / np.sqrt(len(pairs)),
        }


if __name__ == "__main__":
    main()
