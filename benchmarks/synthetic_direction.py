"""Does counterfactual training make explanations more plausible, as the paper says?

Trains a conventional model (BL) and a counterfactually trained one (CT) on the
paper's four synthetic data sets with its settings, explains test rows by ECCCo, and
prints how much closer CT's valid counterfactuals are to test rows of their target
class, with the accuracy of both. Every seed makes its own data and its own models::

    python benchmarks/synthetic_direction.py [--seeds 5] [--step-size 0.25 0.1]

The paper prints a search step of 0.25, its authors' code takes 0.1, in training and
in evaluation alike: both are run.
"""

import argparse

import numpy as np
from joblib import Parallel, delayed
from sklearn.datasets import make_blobs, make_circles, make_moons

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator
from ctsk.metrics import implausibility

N_TRAIN, N_VALIDATION, N_TEST = 3_000, 600, 900
N_ROWS = N_TRAIN + N_VALIDATION + N_TEST
# data set: how it is made, tau, lambda_reg
DATA = {
    "linearly separable": (
        lambda seed: make_blobs(N_ROWS, 2, centers=2, cluster_std=0.5, random_state=seed),
        0.5,
        0.01,
    ),
    "circles": (
        lambda seed: make_circles(N_ROWS, noise=0.15, factor=0.01, random_state=seed),
        0.5,
        0.5,
    ),
    "moons": (lambda seed: make_moons(N_ROWS, noise=0.1, random_state=seed), 0.9, 0.25),
    "overlapping": (
        lambda seed: make_blobs(N_ROWS, 2, centers=2, cluster_std=2.0, random_state=seed),
        0.5,
        0.25,
    ),
}
ENERGIES = (0.1, 0.5, 1, 5, 10)
CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}


def mean_implausibility(clf, X, y, step_size):
    """Mean over valid counterfactuals of all test rows and the five energy weights."""
    distances = []
    for lambda_energy in ENERGIES:
        generator = ECCCoGenerator(step_size=step_size, lambda_cost=0, lambda_energy=lambda_energy)
        explanation = clf.explain(X, generator=generator, T=50, tau=0.95)
        for label in clf.classes_:
            found = explanation.valid & (explanation.target == label)
            if found.any():
                distances.append(implausibility(explanation.counterfactual[found], X[y == label]))
    return np.concatenate(distances).mean() if distances else np.nan


def run(name, seed, step_size):
    make, tau, lambda_reg = DATA[name]
    X, y = make(seed)
    train, test = slice(N_TRAIN), slice(N_TRAIN + N_VALIDATION, None)
    judged = {}
    for model, lambdas in {"BL": CONVENTIONAL, "CT": {"lambda_reg": lambda_reg}}.items():
        clf = CounterfactualTrainedClassifier(
            standardize=False,
            batch_size=30,
            tau=tau,
            generator=ECCCoGenerator(step_size=step_size),
            random_state=seed,
            **lambdas,
        ).fit(X[train], y[train])
        accuracy = clf.score(X[test], y[test])
        mature = np.mean([epoch["mature_share"] for epoch in clf.history_])
        judged[model] = accuracy, mean_implausibility(clf, X[test], y[test], step_size), mature
    return judged


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--step-size", type=float, nargs="+", default=[0.25, 0.1])
    args = parser.parse_args()
    for step_size in args.step_size:
        print(f"search step {step_size}")
        print(f"{'':20}IP of BL  IP of CT    change   acc. BL  acc. CT  mature  change by seed")
        for name in DATA:
            report(name, args.seeds, args.jobs, step_size)


def report(name, n_seeds, n_jobs, step_size):
    runs = Parallel(n_jobs)(delayed(run)(name, seed, step_size) for seed in range(n_seeds))
    (acc_bl, ip_bl, _), (acc_ct, ip_ct, mature) = (
        np.array([judged[model] for judged in runs]).T for model in ("BL", "CT")
    )
    change = 100 * (ip_ct / ip_bl - 1)
    print(
        f"{name:20}{ip_bl.mean():8.3f}{ip_ct.mean():10.3f}{change.mean():9.1f}%"
        f"{acc_bl.mean():10.3f}{acc_ct.mean():9.3f}{mature.mean():8.0%}"
        f"  {' '.join(f'{value:.0f}%' for value in change)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
