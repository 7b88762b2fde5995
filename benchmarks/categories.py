"""What do categories cost in training, and does the search change them?

The script first times an epoch of counterfactual training against an epoch of conventional
training (all weights of the objective 0), in turns, on five columns of 10, 100, 300 and 900
categories with 3,000 rows, and on Adult. The search costs most in the first epochs, in which no
row becomes mature, so the ratio of the first two epochs and that of all epochs are printed.

Then it trains on all 32,561 rows of Adult with immutable age, race, sex and native country,
explains all of them, and prints the time of both. Finally, it explains a sample of the rows by the
same model and prints the share of the valid counterfactuals that change a category, once with the
search of the package, on the simplex over the categories, and once with a search that hardens every
step to one category::

    python benchmarks/categories.py [--rows 5000] [--epochs 100] [--timed-epochs 20] [--cost-only]
"""

import argparse
import time
from unittest import mock

import numpy as np
import pandas as pd
from skorch.callbacks import EpochTimer

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator
from ctsk._columns.one_hot import OneHotGroups
from ctsk.datasets import fetch_adult

IMMUTABLE = ["age", "race", "sex", "native_country"]
CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
N_ROUNDS = 3
project = OneHotGroups.project


def hardened_project(self, *args, **kwargs):
    """Project on the nearest corner of the simplex."""
    return self.harden(project(self, *args, **kwargs))


def categorical_table(n_categories):
    """Return five columns of random categories and a number, which alone decides the label."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {f"c{i}": [f"v{k}" for k in rng.integers(0, n_categories, 3_000)] for i in range(5)}
    )
    X["x"] = rng.normal(size=3_000)
    return X, X["x"] > 0


def seconds_of_epochs(X, y, n_epochs, **weights):
    """Return the seconds of each epoch of a fit with default settings."""
    clf = CounterfactualTrainedClassifier(
        max_epochs=n_epochs, callbacks=[EpochTimer()], random_state=0, **weights
    )
    return clf.fit(X, y).history_[:, "dur"]


def report_cost(table, X, y, n_epochs):
    """Print the seconds of an epoch of both kinds of training, and their ratio."""
    # Both kinds of training take turns, so that a busy machine slows down both of them.
    rounds = [
        (seconds_of_epochs(X, y, n_epochs), seconds_of_epochs(X, y, n_epochs, **CONVENTIONAL))
        for _ in range(N_ROUNDS)
    ]
    # The median over the rounds, epoch by epoch.
    counterfactual, conventional = np.median(rounds, axis=0)
    first, all_epochs = (counterfactual[:n].mean() / conventional.mean() for n in (2, n_epochs))
    print(
        f"{table:20} conventional {conventional.mean():.3f} s, counterfactual "
        f"{counterfactual.mean():.3f} s an epoch, ratio {all_epochs:.1f} ({n_epochs} epochs); "
        f"first two epochs {counterfactual[:2].mean():.3f} s, ratio {first:.1f}",
        flush=True,
    )


def report(search, clf, X):
    """Print the shares of valid and mature rows, and of those that change a category."""
    # The search of the training: its steps are neither shortened nor more numerous.
    explanation = clf.explain(X, generator=ECCCoGenerator(max_step=None), T=clf.T)
    valid = explanation.valid
    changes = explanation.changes()
    categorical = X.select_dtypes(exclude="number").columns
    changed = changes.loc[changes["feature"].isin(categorical), "row"].unique()
    share = X.index[valid].isin(changed).mean()
    print(
        f"{search:26} {valid.mean():.1%} valid, {explanation.mature.mean():.1%} mature; "
        f"{share:.1%} of the valid rows change a category"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--timed-epochs", type=int, default=20)
    parser.add_argument("--cost-only", action="store_true")
    args = parser.parse_args()
    # The first fit of a process pays for imports.
    seconds_of_epochs(*categorical_table(10), 1)
    for n_categories in (10, 100, 300, 900):
        table = categorical_table(n_categories)
        report_cost(f"5 x {n_categories} categories", *table, args.timed_epochs)
    X, y = fetch_adult(return_X_y=True)
    report_cost("Adult", X, y, args.timed_epochs)
    if args.cost_only:
        return
    clf = CounterfactualTrainedClassifier(
        mutability=dict.fromkeys(IMMUTABLE, "none"),
        n_counterfactuals=5_000,
        batch_size=1_000,
        max_epochs=args.epochs,
        random_state=0,
    )
    start = time.perf_counter()
    clf.fit(X, y)
    fitted = time.perf_counter()
    clf.explain(X, generator=ECCCoGenerator(max_step=None), T=clf.T)
    explained = time.perf_counter()
    print(
        f"Adult, {len(X)} rows: fit {fitted - start:.0f} s, explain {explained - fitted:.1f} s, "
        f"both {explained - start:.0f} s; accuracy on the training rows {clf.score(X, y):.3f}"
    )
    sample = X.sample(args.rows, random_state=0)
    report("on the simplex:", clf, sample)
    with mock.patch.object(OneHotGroups, "project", hardened_project):
        report("hardened at every step:", clf, sample)


if __name__ == "__main__":
    main()
