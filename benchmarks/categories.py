"""Does the search change categories, and how long does it take on the raw columns of Adult?

The script trains on all 32,561 rows of Adult with immutable age, race, sex and native country,
explains all of them, and prints the time of both. Then it explains a sample of the rows by the same
model and prints the share of the valid counterfactuals that change a category, once with the search
of the package, on the simplex over the categories, and once with a search that hardens every step
to one category::

    python benchmarks/categories.py [--rows 5000] [--epochs 100]
"""

import argparse
import time
from unittest import mock

from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.one_hot import OneHotGroups
from ctsk.datasets import fetch_adult

IMMUTABLE = ["age", "race", "sex", "native_country"]
project = OneHotGroups.project


def hardened_project(self, encoded, allowed):
    """Project on the nearest corner of the simplex."""
    return self.harden(project(self, encoded, allowed))


def report(search, clf, X):
    """Print the shares of valid and mature rows, and of those that change a category."""
    explanation = clf.explain(X)
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
    args = parser.parse_args()
    X, y = fetch_adult(return_X_y=True)
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
    clf.explain(X)
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
