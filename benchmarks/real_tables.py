"""Do all real data sets fit, predict, explain and score as they come?

``CTSK_DATA_HOME`` names the folder of the data. The script fits the classifier with its default
parameters on rows of each set as ``fetch_*`` returns it, without any preparation: on a random split,
of which it explains 200 test rows, and in 5-fold cross-validation with every scorer, both alone and
in a scorer that shares the searches. HELOC and GMSC are also fitted with their special values. A
table shows the scores; the script exits with 1 if an error occurred, a score is NaN, or a scorer
alone disagrees with the shared one::

    python benchmarks/real_tables.py [--rows 2000] [--epochs 100] [--dataset heloc gmsc]

The digits, which have 784 columns and ten classes, are trained for a fifth of the epochs.
"""

import argparse
import sys
import time
import traceback
import warnings
from collections import Counter

import numpy as np
from sklearn.model_selection import KFold, cross_validate, train_test_split

from ctsk import CounterfactualTrainedClassifier, datasets
from ctsk.metrics import (
    make_multimetric_scorer,
    neg_cost_scorer,
    neg_implausibility_scorer,
    neg_mmd_scorer,
    robust_accuracy_scorer,
    validity_scorer,
)

# Name in the table: name of the loader, its parameters, and whether special values are passed.
SETS = {
    "adult": ("adult", {}, False),
    "california_housing": ("california_housing", {}, False),
    "compas": ("compas", {}, False),
    "credit_default": ("credit_default", {}, False),
    "german_credit": ("german_credit", {}, False),
    "gmsc": ("gmsc", {}, False),
    "gmsc, special values": ("gmsc", {}, True),
    "heloc": ("heloc", {}, False),
    "heloc, special values": ("heloc", {"keep_codes": True}, True),
    "mnist": ("mnist", {}, False),
}
SINGLE = {
    "validity": validity_scorer,
    "neg_cost": neg_cost_scorer,
    "neg_implausibility": neg_implausibility_scorer,
    "neg_mmd": neg_mmd_scorer,
    "robust_accuracy": robust_accuracy_scorer,
}
SHARED = make_multimetric_scorer({"accuracy": "accuracy", **SINGLE}, error_score="raise")
N_EXPLAINED = 200


def all_scores(estimator, X, y):
    """Compute all scores twice: with shared searches, and by each scorer alone."""
    scores = SHARED(estimator, X, y)
    alone = {f"{name} alone": scorer(estimator, X, y) for name, scorer in SINGLE.items()}
    return scores | alone


def evaluate(name, n_rows, epochs):
    """Fit, predict, explain and score one set; return its figures as a dict."""
    loader, options, is_special = SETS[name]
    data = getattr(datasets, f"fetch_{loader}")(**options)
    X, y = data.data, data.target
    if 0 < n_rows < len(X):
        X, _, y, _ = train_test_split(X, y, train_size=n_rows, random_state=0)
    clf = CounterfactualTrainedClassifier(
        special_values=data.special_values if is_special else None,
        max_epochs=max(1, epochs // 5) if loader == "mnist" else epochs,
        random_state=0,
    )
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
    clf.fit(X_train, y_train)
    explanation = clf.explain(X_test[:N_EXPLAINED])
    figures = {
        "split accuracy": clf.score(X_test, y_test),
        "split log loss": -np.log(clf.predict_proba(X_test).max(axis=1)).mean(),
        "split validity": explanation.valid.mean(),
        "split cost": explanation.cost.mean(),
    }
    # Folds that are not stratified differ in their classes and categories, as those of users do.
    folds = KFold(5, shuffle=True, random_state=0)
    result = cross_validate(clf, X, y, cv=folds, scoring=all_scores, error_score="raise")
    by_fold = {key: values for key, values in result.items() if key.startswith("test_")}
    return figures | {key.removeprefix("test_"): values for key, values in by_fold.items()}


def report(name, n_rows, epochs):
    """Print the line of one set; return whether nothing failed."""
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        # All of them: a user who refits sees a repeated warning each time.
        warnings.simplefilter("always")
        try:
            figures = evaluate(name, n_rows, epochs)
        except (ValueError, TypeError, RuntimeError):
            traceback.print_exc()
            print(f"{name:22} failed")
            return False
    n_nan = int(sum(np.isnan(values).sum() for values in figures.values()))
    differing = [
        key for key in SINGLE if not np.array_equal(figures[key], figures[f"{key} alone"], True)
    ]
    means = [np.mean(figures[key]) for key in ("accuracy", *SINGLE)]
    shares = [figures["split accuracy"], figures["split validity"]]
    issued = Counter(warning.category.__name__ for warning in caught)
    listed = ", ".join(f"{count} {category}" for category, count in sorted(issued.items()))
    print(
        f"{name:22}" + "".join(f"{value:10.3f}" for value in [*shares, *means]),
        f"{n_nan:5} {time.perf_counter() - start:6.0f}  {listed or 'none'}",
        flush=True,
    )
    for message, count in Counter(str(warning.message) for warning in caught).items():
        print(f"    {count} times: {message}", file=sys.stderr)
    if differing:
        print(f"    different alone: {', '.join(differing)}")
    return not n_nan and not differing


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=2_000, help="rows of each set; 0 for all")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--dataset", nargs="+", choices=sorted({set_[0] for set_ in SETS.values()}))
    args = parser.parse_args()
    heads = ["accuracy", "valid", "accuracy", "validity", "-cost", "-implaus.", "-MMD", "robust"]
    print(f"{'':22}{'random split':>20}  mean over five folds")
    print(f"{'set':22}" + "".join(f"{head:>10}" for head in heads), "  NaN      s  warnings")
    names = [name for name in SETS if not args.dataset or SETS[name][0] in args.dataset]
    sys.exit(not all([report(name, args.rows, args.epochs) for name in names]))


if __name__ == "__main__":
    main()
