"""What do alternatives, sparse counterfactuals and a limit on changes bring?

The script explains held-out rows of California housing and Adult, for a conventional and a
counterfactually trained model and each generator, and prints

- for one counterfactual per row, dense, sparse and with at most three changes: the shares of valid
  and mature rows, and the median number of changed features and the median cost of the valid rows;
- the time in which the autoencoder of REVISE is trained, and its reconstruction error;
- for five counterfactuals per row, searched as alternatives, as sparse alternatives, and by five
  seeded restarts (the same search, started at the row plus normal noise of 0.3 or 1 standard
  deviations): the share of rows with five valid counterfactuals at pairwise l1 distances of at
  least 0.1 in module units; and, over these rows, the mean pairwise distance, the mean share of
  changed features that two counterfactuals have in common (Jaccard), and the mean cost::

    python benchmarks/recourse.py [--rows 500] [--epochs 100]
"""

import argparse
import itertools
import time

import numpy as np
import torch
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from ctsk import (
    CounterfactualTrainedClassifier,
    ECCCoGenerator,
    GenericGenerator,
    NearestGenerator,
    REVISEGenerator,
)
from ctsk.datasets import fetch_adult, fetch_california_housing
from ctsk.metrics import cost

FETCH = {"california_housing": fetch_california_housing, "adult": fetch_adult}
DATA = {
    "california_housing": {"mutability": {"longitude": "none", "latitude": "none"}},
    "adult": {"mutability": {"age": "none", "sex": "none", "race": "none"}},
}
MODELS = {"BL": {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}, "CT": {}}
GENERATORS = {
    "Nearest": NearestGenerator,
    "Generic": GenericGenerator,
    "ECCCo": ECCCoGenerator,
    "REVISE": REVISEGenerator,
}
# One counterfactual per row is searched in each of these modes.
SINGLE = {"dense": {}, "sparse": {"sparse": True}, "three changes": {"max_changes": 3}}
# Counterfactuals per row, the distance that makes two of them different, and steps of a search.
K = 5
MIN_DISTANCE = 0.1
T = 100


class Restarted(GenericGenerator):
    """Generic search that starts at a displaced row; a row is its own code."""

    def __init__(self, *, noise=1.0, seed=0, step_size=0.25, lambda_cost=0.001):
        super().__init__(step_size=step_size, lambda_cost=lambda_cost)
        self.noise = noise
        self.seed = seed

    def encode(self, rows):
        """Return the rows with noise, which is the same in every call."""
        random = torch.Generator().manual_seed(self.seed)
        return rows + self.noise * torch.randn(rows.shape, generator=random).to(rows)

    def decode(self, codes):
        """Return the codes, which are rows already."""
        return codes


def load(name, n_rows):
    X, y = FETCH[name](return_X_y=True)
    return train_test_split(X, y, test_size=n_rows, stratify=y, random_state=0)


def autoencoder(X, y):
    """Print how long the autoencoder of REVISE is trained, and how well it reconstructs rows."""
    clf = CounterfactualTrainedClassifier(generator=REVISEGenerator(), max_epochs=1, **MODELS["BL"])
    seconds = []
    # The time of the autoencoder is the difference between two fits, with and without it.
    for model in (clf, clone(clf).set_params(generator="generic")):
        start = time.perf_counter()
        model.fit(X, y)
        seconds.append(time.perf_counter() - start)
    print(
        f"    autoencoder of {len(X)} rows: {seconds[0] - seconds[1]:.1f} s, reconstruction error "
        f"{clf.generator_.reconstruction_error_:.2f}"
    )


def report_single(mode, clf, X, **settings):
    """Print validity, sparsity, cost and time of one counterfactual per row."""
    start = time.perf_counter()
    explanation = clf.explain(X, T=T, **settings)
    seconds = time.perf_counter() - start
    valid = explanation.valid
    print(
        f"    {mode:22}valid {valid.mean():6.1%}  "
        f"mature {explanation.mature.mean():6.1%}  median features changed "
        f"{np.median(cost(explanation, norm='n_changed')[valid]):.0f}  median cost "
        f"{np.median(explanation.cost[valid]):.2f}  {seconds:.1f} s"
    )


def report_several(search, explanations):
    """Print how different five counterfactuals per row are.

    They come from one explanation with alternatives, or from five explanations.
    """
    encoder = explanations[0].encoder

    def by_row(parts):
        """Return an array of shape (n_rows, K, ...)."""
        values = np.concatenate(parts)
        if len(explanations) == 1:
            return values.reshape(-1, K, *values.shape[1:])
        return values.reshape(K, -1, *values.shape[1:]).swapaxes(0, 1)

    encoded = by_row([e.counterfactual_encoded for e in explanations])
    moves = np.abs(encoded - by_row([e.factual_encoded for e in explanations]))
    valid = by_row([e.valid for e in explanations]).all(axis=1)
    costs = by_row([e.cost for e in explanations])
    # Shape (n_rows, K, n_features): whether any column of the feature moved.
    changed = np.stack(
        [moves[..., columns].max(axis=-1) > 1e-6 for columns in encoder.feature_columns], axis=-1
    )
    distances, overlaps = [], []
    for i, j in itertools.combinations(range(K), 2):
        distances.append(np.abs(encoded[:, i] - encoded[:, j]) @ encoder.column_weights)
        n_both = (changed[:, i] & changed[:, j]).sum(axis=1)
        n_either = (changed[:, i] | changed[:, j]).sum(axis=1)
        overlaps.append(n_both / np.maximum(n_either, 1))
    distances = np.stack(distances, axis=1)
    overlaps = np.stack(overlaps, axis=1)
    complete = valid & (distances.min(axis=1) >= MIN_DISTANCE)
    print(
        f"    {search:22}five found {complete.mean():6.1%}  "
        f"mean distance {distances[complete].mean():6.2f}  "
        f"features in common {overlaps[complete].mean():4.0%}  "
        f"mean cost {costs[complete].mean():.2f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=100)
    args = parser.parse_args()
    for (name, constraints), (model, lambdas) in itertools.product(DATA.items(), MODELS.items()):
        X, X_test, y, _ = load(name, args.rows)
        clf = CounterfactualTrainedClassifier(
            **constraints, **lambdas, max_epochs=args.epochs, random_state=0
        ).fit(X, y)
        for generator, kind in GENERATORS.items():
            print(f"{name}, {model}, explained by {generator}")
            settings = {"generator": kind(), "X_reference": X}
            if kind is REVISEGenerator:
                autoencoder(X, y)
            for mode, arguments in SINGLE.items():
                report_single(mode, clf, X_test, **arguments, **settings)
            for sparse in (False, True):
                explanation = clf.explain(X_test, T=T, n_alternatives=K, sparse=sparse, **settings)
                report_several("sparse alternatives" if sparse else "alternatives", [explanation])
        print(f"{name}, {model}, explained by Generic, restarted")
        for noise in (0.3, 1.0):
            restarts = [Restarted(noise=noise, seed=seed) for seed in range(K)]
            report_several(
                f"noise {noise}",
                [clf.explain(X_test, T=T, generator=g) for g in restarts],
            )


if __name__ == "__main__":
    main()
