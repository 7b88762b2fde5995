"""Do constraints hold on the rows handed back, whatever the columns and the constraints?

Fits models on random columns of every kind (numbers of six dtypes, booleans, strings,
ordered and unordered categoricals, missing categories; arrays and DataFrames; float32 and
float64; two and three classes; all generators; a quarter of them behind the scalers and
encoders of a pipeline), asks each for explanations under random
constraints in every form that `explain` takes, one or several per row, sparse or not, and
checks every cell handed back against what was asked, with equality. An example is one
call: some rows and their constraints.
Then, so that the promise is not bought by doing nothing, conventional models on numeric
columns without constraints (tau 0.5, T 100): the share of valid rows::

    python benchmarks/promise.py [--models 320] [--examples 20000]
"""

import argparse
import random
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from random_schemas import (
    CONVENTIONAL,
    random_model,
    random_pipeline,
    random_request,
    unconstrained_model,
    violations,
)

import ctsk
from ctsk.exceptions import (
    InertDivergenceWarning,
    OtherConstraintsWarning,
    PoorReconstructionWarning,
)


def constrained(n_models, n_examples):
    """Print how many examples broke their constraints, and how many rows are valid."""
    n_broken, n_rows, n_moved, n_valid, start = 0, 0, 0, 0, time.perf_counter()
    kinds = Counter()
    for seed in range(n_models):
        chance = random.Random(seed)
        lambdas = CONVENTIONAL if seed % 4 == 0 else {}
        kind = random_pipeline if seed % 4 == 1 else random_model
        model = kind(chance, max_epochs=5, lr=0.02, n_counterfactuals=30, **lambdas)
        kinds[type(_last(model.clf).generator_).__name__] += 1
        for _ in range(len(range(seed, n_examples, n_models))):
            rows, given, words, domains = random_request(chance, model)
            tau, T = chance.choice([0.5, 0.6, 0.9]), chance.choice([10, 60])
            explanation = ctsk.explain(model.clf, rows, tau=tau, T=T, **given)
            broken = violations(model, rows, explanation, words, domains)
            for line in broken:
                print(f"model {seed}: {line}")
            n_broken += bool(broken)
            n_rows += len(explanation)
            kinds["several alternatives"] += explanation.n_alternatives > 1
            kinds["sparse"] += given["sparse"]
            moved = explanation.counterfactual_encoded != explanation.factual_encoded
            n_moved += moved.any(axis=1).sum()
            n_valid += explanation.valid.sum()
        if sys.stderr.isatty():
            print(f"\r{seed + 1}/{n_models} models", end="", file=sys.stderr)
    seconds = time.perf_counter() - start
    print(
        f"{n_examples} examples, {n_rows} rows, {n_models} models: {n_broken} violations, "
        f"{n_moved / n_rows:.1%} of the rows moved, {n_valid / n_rows:.1%} valid, {seconds:.0f} s"
    )
    print("models and examples by kind: " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()))


def _last(model):
    return model[-1] if isinstance(model, Pipeline) else model


def free(n_models):
    """Print the share of valid rows of conventional models without constraints."""
    valid, reasons = [], []
    for seed in range(n_models):
        model = unconstrained_model(random.Random(seed))
        explanation = model.clf.explain(model.X, tau=0.5, T=100)
        valid.append(explanation.valid.mean())
        reasons.extend(reason for reason in explanation.reason[~explanation.valid])
    print(
        f"no constraints, {n_models} conventional models: {np.mean(valid):.1%} of the rows valid "
        f"(the least of a model {min(valid):.0%}); the {len(reasons)} others:"
    )
    for reason, n in Counter(str(reason).split(" on ")[0] for reason in reasons).most_common():
        print(f"  {n} {reason}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=int, default=320)
    parser.add_argument("--examples", type=int, default=20_000)
    args = parser.parse_args()
    for expected in (InertDivergenceWarning, OtherConstraintsWarning, PoorReconstructionWarning):
        warnings.simplefilter("ignore", expected)
    constrained(args.models, args.examples)
    free(args.models)


if __name__ == "__main__":
    main()
