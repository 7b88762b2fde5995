"""How much does the generator matter in training? The paper's fifth question.

Trains on the four synthetic data sets with the paper's settings, once for each generator
and once conventionally (BL), and explains test rows by one and the same search, ECCCo
under the paper's protocol, whatever the model was trained with. Prints, per generator
used in training, the mean distance of valid counterfactuals to test rows of their
target class (IP), their distance to the factual, the share of valid ones, the share that
matured in training, accuracy, and the time of a fit, as a multiple of BL's; then whether
the paper's claim held: ECCCo best, Generic close behind, REVISE last::

    python benchmarks/generators.py [--seeds 5] [--step-size 0.25 0.1]

Every seed makes its own data and its own models. The step is that of the search, in
training and in evaluation; for REVISE it counts in units of the code. A difference between
two generators counts if it is more than two standard errors over the seeds.
"""

import argparse
import time

import numpy as np
from joblib import Parallel, delayed
from synthetic_direction import CONVENTIONAL, DATA, ENERGIES, N_TRAIN, N_VALIDATION

from ctsk import (
    CounterfactualTrainedClassifier,
    ECCCoGenerator,
    GenericGenerator,
    REVISEGenerator,
)
from ctsk.metrics import implausibility

GENERATORS = {"ECCCo": ECCCoGenerator, "Generic": GenericGenerator, "REVISE": REVISEGenerator}
COLUMNS = ("IP", "cost", "validity", "mature", "accuracy", "time")
# Generic is close to ECCCo if it gives away at most this share of ECCCo's gain over BL.
CLOSE = 0.25


def judged(clf, X, y, step_size):
    """IP and cost of valid counterfactuals, and the share of valid ones, over five energies."""
    distances, costs, valid = [], [], []
    for lambda_energy in ENERGIES:
        generator = ECCCoGenerator(step_size=step_size, lambda_cost=0, lambda_energy=lambda_energy)
        explanation = clf.explain(X, generator=generator, T=50, tau=0.95)
        valid.append(explanation.valid.mean())
        costs.append(explanation.cost[explanation.valid])
        for label in clf.classes_:
            found = explanation.valid & (explanation.target == label)
            if found.any():
                distances.append(implausibility(explanation.counterfactual[found], X[y == label]))
    return [np.concatenate(part).mean() for part in (distances, costs)] + [np.mean(valid)]


def run(name, seed, step_size):
    """Outcomes of all models on one data set, by model, in the order of `COLUMNS`."""
    make, tau, lambda_reg = DATA[name]
    X, y = make(seed)
    train, test = slice(N_TRAIN), slice(N_TRAIN + N_VALIDATION, None)
    outcomes = {}
    for model in ("BL", *GENERATORS):
        settings = CONVENTIONAL if model == "BL" else {"lambda_reg": lambda_reg}
        clf = CounterfactualTrainedClassifier(
            standardize=False,
            batch_size=30,
            tau=tau,
            generator=GENERATORS.get(model, GenericGenerator)(step_size=step_size),
            random_state=seed,
            **settings,
        )
        start = time.perf_counter()
        clf.fit(X[train], y[train])
        seconds = time.perf_counter() - start
        mature = np.mean([epoch["mature_share"] for epoch in clf.history_])
        accuracy = clf.score(X[test], y[test])
        outcomes[model] = [*judged(clf, X[test], y[test], step_size), mature, accuracy, seconds]
    return outcomes


def report(name, seeds, jobs, step_size):
    runs = Parallel(jobs)(delayed(run)(name, seed, step_size) for seed in range(seeds))
    table = {model: np.array([outcome[model] for outcome in runs]) for model in runs[0]}
    seconds = table["BL"][:, -1].copy()
    for outcomes in table.values():
        outcomes[:, -1] /= seconds
    ip = {model: outcomes[:, 0] for model, outcomes in table.items()}
    for model, outcomes in table.items():
        numbers = "".join(f"{value:10.3f}" for value in outcomes.mean(axis=0))
        change = 100 * (ip[model] / ip["BL"] - 1)
        spread = f"{change.mean():+8.1f}% ({change.min():+.0f} to {change.max():+.0f})"
        print(f"{name:20}{model:8}{numbers}{'' if model == 'BL' else spread}")
    (behind, error), (last, last_error) = (
        difference(ip[model], ip["ECCCo"]) for model in ("Generic", "REVISE")
    )
    gain = max(-difference(ip["ECCCo"], ip["BL"])[0], 0)
    held = {
        "ECCCo not behind Generic": behind >= -2 * error,
        "Generic close": abs(behind) <= max(CLOSE * gain, 2 * error),
        "REVISE behind ECCCo": last > 2 * last_error,
    }
    print(
        f"{name:20}IP of Generic - ECCCo {behind:+.3f} +- {error:.3f}, of REVISE - ECCCo "
        f"{last:+.3f} +- {last_error:.3f}. "
        + ", ".join(f"{part}: {'yes' if told else 'no'}" for part, told in held.items())
        + f". The claim {'held' if all(held.values()) else 'did not hold'}.",
        flush=True,
    )


def difference(one, other):
    """Mean over seeds of a difference, and its standard error."""
    return (one - other).mean(), (one - other).std(ddof=1) / np.sqrt(len(one))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--step-size", type=float, nargs="+", default=[0.25, 0.1])
    args = parser.parse_args()
    for step_size in args.step_size:
        print(f"search step {step_size}")
        print(f"{'':28}" + "".join(f"{column:>10}" for column in COLUMNS) + "   IP against BL")
        for name in DATA:
            report(name, args.seeds, args.jobs, step_size)


if __name__ == "__main__":
    main()
