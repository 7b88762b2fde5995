"""How much does tuning gain, and how much do several scorers cost?

The benchmark repeats the following on a sample of 2,000 rows of California housing: it splits the
sample, searches a grid over lambda_div, lambda_adv, lambda_reg, tau and T in a pipeline with a
scaler, computes the accuracy and three scores of counterfactuals, chooses the most plausible
candidate whose accuracy is within 0.02 of the best one, and compares this candidate with the
default parameters on the held-out half. It also counts the searches for counterfactuals::

    python benchmarks/tuning.py [--splits 5]
"""

import argparse
import time
from unittest import mock

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_california_housing
from ctsk.metrics import (
    make_multimetric_scorer,
    neg_cost_scorer,
    neg_implausibility_scorer,
    validity_scorer,
)
from ctsk.model_selection import BestWithinTolerance

STEP = "counterfactualtrainedclassifier__"
GRID = {
    "lambda_div": [0.1, 1.0],
    "lambda_adv": [0.1, 0.5],
    "lambda_reg": [0.01, 0.1],
    "tau": [0.5, 0.9],
    "T": [15, 30],
}
SCORING = make_multimetric_scorer(
    {
        "accuracy": "accuracy",
        "neg_implausibility": neg_implausibility_scorer,
        "validity": validity_scorer,
        "neg_cost": neg_cost_scorer,
    }
)
TOLERANCE = 0.02
CV = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--splits", type=int, default=5)
    args = parser.parse_args()
    X = fetch_california_housing().frame.sample(2_000, random_state=0)
    y = X.pop("target")
    clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0)
    model = make_pipeline(StandardScaler(), clf)
    grid = {STEP + name: values for name, values in GRID.items()}
    n_improved = 0
    for split in range(args.splits):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.5, stratify=y, random_state=split
        )
        choice = BestWithinTolerance(tolerance=TOLERANCE)
        explain = CounterfactualTrainedClassifier.explain
        start = time.perf_counter()
        with mock.patch.object(
            CounterfactualTrainedClassifier, "explain", autospec=True, side_effect=explain
        ) as counted:
            search = GridSearchCV(model, grid, scoring=SCORING, refit=choice, cv=CV)
            search.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        models = {"default": clone(model).fit(X_train, y_train), "chosen": search.best_estimator_}
        scores = {name: SCORING(fitted, X_test, y_test) for name, fitted in models.items()}
        default, chosen = scores["default"], scores["chosen"]
        is_more_plausible = chosen["neg_implausibility"] > default["neg_implausibility"]
        n_improved += is_more_plausible and chosen["accuracy"] >= default["accuracy"] - TOLERANCE
        n_candidates = len(search.cv_results_["params"])
        params = {name.removeprefix(STEP): value for name, value in search.best_params_.items()}
        for name, values in scores.items():
            listed = ", ".join(f"{key} {value:.3f}" for key, value in values.items())
            print(f"split {split}, {name}: {listed}")
        print(
            f"split {split}: chosen {params} of {n_candidates} candidates in {CV} folds, "
            f"{counted.call_count} searches, {seconds:.0f} s",
            flush=True,
        )
    print(
        f"more plausible than the default at an accuracy within {TOLERANCE}: "
        f"{n_improved} of {args.splits} splits"
    )


if __name__ == "__main__":
    main()
