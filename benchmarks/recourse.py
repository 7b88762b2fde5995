"""Several ways out, and short ones: what do alternatives and the sparse pass bring?

On California housing and Adult, for a conventional and a counterfactually trained
model and each generator, explains held-out rows and prints

- one counterfactual per row, dense and sparse: the share of valid and mature rows, the
  median number of features that the valid ones change, and their median cost;
- how long REVISE's autoencoder takes to learn, and its reconstruction error;
- five per row, searched as alternatives, with and without the sparse pass, and by five
  seeded restarts (the same search from the row displaced by normal noise of 0.3 and of 1
  deviation): the share of rows with five valid ways of a pairwise l1 distance of at
  least 0.1 in module units, and over these rows the mean pairwise distance, the mean share
  of changed features that two ways have in common (Jaccard), and the cost of a way::

    python benchmarks/recourse.py [--rows 500]
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
GENERATORS = {"Generic": GenericGenerator, "ECCCo": ECCCoGenerator, "REVISE": REVISEGenerator}
K, APART, T = 5, 0.1, 100


class Restarted(GenericGenerator):
    """The generic search from a displaced row: what it moves is a row of its own."""

    def __init__(self, *, noise=1.0, seed=0, step_size=0.25, lambda_cost=0.001):
        super().__init__(step_size=step_size, lambda_cost=lambda_cost)
        self.noise = noise
        self.seed = seed

    def encode(self, rows):
        """Displace each row."""
        random = torch.Generator().manual_seed(self.seed)
        return rows + self.noise * torch.randn(rows.shape, generator=random).to(rows)

    def decode(self, codes):
        """Return the codes, which are rows."""
        return codes


def load(name, n_rows):
    X, y = FETCH[name](return_X_y=True)
    return train_test_split(X, y, test_size=n_rows, stratify=y, random_state=0)


def autoencoder(X, y):
    """Print how long REVISE takes to learn from all training rows, and how well it does."""
    clf = CounterfactualTrainedClassifier(generator=REVISEGenerator(), max_epochs=1, **MODELS["BL"])
    seconds = []
    for model in (clf, clone(clf).set_params(generator="generic")):
        start = time.perf_counter()
        model.fit(X, y)
        seconds.append(time.perf_counter() - start)
    print(
        f"    autoencoder of {len(X)} rows: {seconds[0] - seconds[1]:.1f} s, reconstruction error "
        f"{clf.generator_.reconstruction_error_:.2f}"
    )


def one(clf, X, **settings):
    start = time.perf_counter()
    explanation = clf.explain(X, T=T, **settings)
    seconds = time.perf_counter() - start
    valid = explanation.valid
    print(
        f"    {'sparse' if settings.get('sparse') else 'dense':22}valid {valid.mean():6.1%}  "
        f"mature {explanation.mature.mean():6.1%}  median features changed "
        f"{np.median(cost(explanation, norm='n_changed')[valid]):.0f}  median cost "
        f"{np.median(explanation.cost[valid]):.2f}  {seconds:.1f} s"
    )


def several(way, explanations):
    """Judge five ways out per row: an explanation with alternatives, or five explanations."""
    encoder = explanations[0].encoder
    shape = (-1, K) if len(explanations) == 1 else (K, -1)

    def by_row(parts):
        parts = np.concatenate(parts).reshape(*shape, *np.shape(parts[0])[1:])
        return parts if len(explanations) == 1 else np.swapaxes(parts, 0, 1)

    rows = by_row([e.counterfactual_encoded for e in explanations])
    valid = by_row([e.valid for e in explanations]).all(axis=1)
    moved = np.abs(rows - by_row([e.factual_encoded for e in explanations]))
    moved = np.stack(
        [moved[..., columns].max(axis=-1) > 1e-6 for columns in encoder.feature_slices],
        -1,
    )
    pairs = list(itertools.combinations(range(K), 2))
    apart = np.stack(
        [np.abs(rows[:, i] - rows[:, j]) @ encoder.column_weights for i, j in pairs], axis=1
    )
    common = np.stack(
        [
            (moved[:, i] & moved[:, j]).sum(1) / np.maximum((moved[:, i] | moved[:, j]).sum(1), 1)
            for i, j in pairs
        ],
        axis=1,
    )
    full = valid & (apart.min(axis=1) >= APART)
    costs = by_row([e.cost for e in explanations])
    print(
        f"    {way:22}five ways {full.mean():6.1%}  mean distance {apart[full].mean():6.2f}  "
        f"features in common {common[full].mean():4.0%}  mean cost {costs[full].mean():.2f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=500)
    args = parser.parse_args()
    for (name, constraints), (model, lambdas) in itertools.product(DATA.items(), MODELS.items()):
        X, X_test, y, _ = load(name, args.rows)
        clf = CounterfactualTrainedClassifier(**constraints, **lambdas, random_state=0).fit(X, y)
        for generator, kind in GENERATORS.items():
            print(f"{name}, {model}, explained by {generator}")
            given = {"generator": kind(), "X_reference": X}
            if kind is REVISEGenerator:
                autoencoder(X, y)
            for sparse in (False, True):
                one(clf, X_test, sparse=sparse, **given)
            for sparse in (False, True):
                explanation = clf.explain(X_test, T=T, n_alternatives=K, sparse=sparse, **given)
                several("sparse alternatives" if sparse else "alternatives", [explanation])
        print(f"{name}, {model}, explained by Generic, restarted")
        for noise in (0.3, 1.0):
            restarts = [Restarted(noise=noise, seed=seed) for seed in range(K)]
            several(
                f"noise {noise}",
                [clf.explain(X_test, T=T, generator=g) for g in restarts],
            )


if __name__ == "__main__":
    main()
