"""Does the search flip categories, and how long does Adult take from its raw columns?

Trains on all 32,561 rows of Adult (age, race, sex and native country immutable), explains
all of them, and prints the time of both. Then, for 5,000 rows and the same model, the share
of the valid counterfactuals that change a category: as searched here, on the simplex over the
categories, and when every step is hardened to one category::

    python benchmarks/categories.py
"""

import time
from unittest import mock

from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.one_hot import OneHotGroups
from ctsk.datasets import fetch_adult

IMMUTABLE = ["age", "race", "sex", "native_country"]
project = OneHotGroups.project


def hardened_project(self, rows, allowed):
    """Leave the simplex for its nearest corner at once."""
    return self.harden(project(self, rows, allowed))


def report(way, clf, X):
    explanation = clf.explain(X)
    valid = explanation.valid
    changes = explanation.changes()
    words = X.select_dtypes(exclude="number").columns
    flipped = changes.loc[changes["feature"].isin(words), "row"].unique()
    share = X.index[valid].isin(flipped).mean()
    print(
        f"{way:26} {valid.mean():.1%} valid, {explanation.mature.mean():.1%} mature; "
        f"{share:.1%} of the valid change a category"
    )


def main():
    X, y = fetch_adult(return_X_y=True)
    clf = CounterfactualTrainedClassifier(
        mutability=dict.fromkeys(IMMUTABLE, "none"),
        n_counterfactuals=5_000,
        batch_size=1_000,
        max_epochs=100,
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
    some = X.sample(5_000, random_state=0)
    report("on the simplex:", clf, some)
    with mock.patch.object(OneHotGroups, "project", hardened_project):
        report("hardened at every step:", clf, some)


if __name__ == "__main__":
    main()
