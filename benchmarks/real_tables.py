"""Do all real data sets fit, predict, explain and score as they come?

``CTSK_DATA_HOME`` names the folder of the data. The script fits the classifier with its default
parameters on rows of each set as ``fetch_*`` returns them, without any preparation: first on a
random split, of which it explains 200 test rows, then in 5-fold cross-validation with all scorers.
HELOC and GMSC are also fitted with their special values. A table shows the scores, the number of
NaN, the CPU seconds, and the warnings by class; standard error shows their texts. The script exits
with 1 if an error occurred, a figure is NaN, or a scorer alone disagrees with the same scorer in
``make_multimetric_scorer``, where all share one search::

    python benchmarks/real_tables.py [--rows 1000] [--dataset heloc gmsc]

The digits, which have 784 columns and ten classes, are trained for 20 epochs only.
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

# Name in the table: name of the loader, its parameters, and parameters of the classifier that are
# taken from the loaded Bunch.
SETS = {
    "adult": ("adult", {}, []),
    "california_housing": ("california_housing", {}, []),
    "compas": ("compas", {}, []),
    "credit_default": ("credit_default", {}, []),
    "german_credit": ("german_credit", {}, []),
    "gmsc": ("gmsc", {}, []),
    "gmsc, special values": ("gmsc", {}, ["special_values"]),
    "heloc": ("heloc", {}, []),
    "heloc, special values": ("heloc", {"keep_codes": True}, ["special_values"]),
    "mnist": ("mnist", {}, []),
}
EPOCHS_OF_MNIST = 20
N_EXPLAINED = 200
SCORERS = {
    "validity": validity_scorer,
    "neg_cost": neg_cost_scorer,
    "neg_implausibility": neg_implausibility_scorer,
    "neg_mmd": neg_mmd_scorer,
    "robust_accuracy": robust_accuracy_scorer,
}
MULTIMETRIC = make_multimetric_scorer({"accuracy": "accuracy", **SCORERS}, error_score="raise")


def load(name, n_rows):
    """Return rows and labels of a set, and the classifier that is fitted on them."""
    loader, options, passed = SETS[name]
    data = getattr(datasets, f"fetch_{loader}")(**options)
    X, y = data.data, data.target
    if 0 < n_rows < len(X):
        X, _, y, _ = train_test_split(X, y, train_size=n_rows, random_state=0)
    clf = CounterfactualTrainedClassifier(random_state=0, **{key: data[key] for key in passed})
    if name == "mnist":
        clf.set_params(max_epochs=EPOCHS_OF_MNIST)
    return X, y, clf


def evaluate_split(clf, X, y):
    """Fit, predict, explain and score on a random split; return the figures as a dict."""
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
    clf.fit(X, y)
    explanation = clf.explain(X_test[:N_EXPLAINED])
    shared = MULTIMETRIC(clf, X_test, y_test)
    alone = {name: scorer(clf, X_test, y_test) for name, scorer in SCORERS.items()}
    return {
        "accuracy": np.mean(clf.predict(X_test) == np.asarray(y_test)),
        "valid": explanation.valid.mean(),
        "cost": explanation.cost.mean(),
        "proba": clf.predict_proba(X_test).mean(),
        # A difference of 0 means that both agree; NaN in either remains NaN.
        **{name: abs(alone[name] - shared[name]) for name in SCORERS},
    }


def evaluate_folds(clf, X, y):
    """Return the scores of each fold as a dict of arrays."""
    # The folds are not stratified, so that they differ in their classes and rare categories.
    folds = KFold(5, shuffle=True, random_state=0)
    result = cross_validate(clf, X, y, cv=folds, scoring=MULTIMETRIC, error_score="raise")
    return {name: result[f"test_{name}"] for name in ("accuracy", *SCORERS)}


def report(name, n_rows):
    """Print the line of one set; return whether nothing failed."""
    start = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        # Python shows a repeated warning only once; the table counts each.
        warnings.simplefilter("always")
        try:
            X, y, clf = load(name, n_rows)
            split = evaluate_split(clf, X, y)
            scores = evaluate_folds(clf, X, y)
        except (ValueError, TypeError, RuntimeError):
            traceback.print_exc()
            print(f"{name:22} failed", flush=True)
            return False
    figures = [split["accuracy"], split["valid"], *map(np.mean, scores.values())]
    n_nan = sum(int(np.isnan(values).sum()) for values in [*split.values(), *scores.values()])
    differing = [scorer for scorer in SCORERS if split[scorer] > 0]
    by_class = Counter(warning.category.__name__ for warning in caught)
    issued = ", ".join(f"{count} {category}" for category, count in sorted(by_class.items()))
    print(
        f"{name:22}" + "".join(f"{figure:10.3f}" for figure in figures),
        f"{n_nan:5} {time.process_time() - start:5.0f}  {issued or 'none'}",
        flush=True,
    )
    for scorer in differing:
        print(f"    {scorer} alone differs from that of make_multimetric_scorer", flush=True)
    for text, count in Counter(str(warning.message) for warning in caught).items():
        print(f"    {name}, {count} times: {text}", file=sys.stderr, flush=True)
    return not n_nan and not differing


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000, help="rows of each set; 0 for all")
    loaders = sorted({loader for loader, _, _ in SETS.values()})
    parser.add_argument("--dataset", nargs="+", choices=loaders, default=loaders)
    args = parser.parse_args()
    heads = ["accuracy", "valid", "accuracy", "validity", "-cost", "-implaus.", "-MMD", "robust"]
    print(f"{'':22}{'random split':>20}{'mean over five folds':>60}")
    print(f"{'set':22}" + "".join(f"{head:>10}" for head in heads), "  NaN     s  warnings")
    names = [name for name, (loader, _, _) in SETS.items() if loader in args.dataset]
    # All lines come first, because a failure must not end the run.
    is_fine = [report(name, args.rows) for name in names]
    sys.exit(not all(is_fine))


if __name__ == "__main__":
    main()
