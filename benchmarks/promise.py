"""Do the returned rows keep the constraints, whatever the columns and the constraints?

The script fits models on random columns of every kind: numbers of six dtypes, booleans, strings,
ordered and unordered categories, missing categories; arrays and DataFrames; float32 and float64;
two and three classes; all generators. A quarter of the models stand behind the scalers and encoders
of a pipeline. Each model explains random rows under random constraints in every form that
``explain`` accepts, with one or several counterfactuals per row, sparse or not. Every returned cell
is compared with the constraints, without a tolerance. One call of ``explain`` is an example.

Returning the rows as they are would break no constraint. Therefore, the script also explains
conventional models on numeric columns without constraints (tau 0.5, T 100), and prints the share of
valid rows::

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
    """Print how many examples violate their constraints, and how many rows are valid."""
    start = time.perf_counter()
    n_broken = n_rows = n_moved = n_valid = 0
    kinds = Counter()
    for seed in range(n_models):
        rng = random.Random(seed)
        # A quarter of the models are conventional, a quarter stand in a pipeline.
        lambdas = CONVENTIONAL if seed % 4 == 0 else {}
        make_model = random_pipeline if seed % 4 == 1 else random_model
        model = make_model(rng, max_epochs=5, lr=0.02, n_counterfactuals=30, **lambdas)
        kinds[type(_classifier_of(model.clf).generator_).__name__] += 1
        # The examples are dealt out evenly, one to each model in turn.
        for _ in range(len(range(seed, n_examples, n_models))):
            rows, settings, mutability, domains = random_request(rng, model)
            tau = rng.choice([0.5, 0.6, 0.9])
            T = rng.choice([10, 60])
            explanation = ctsk.explain(model.clf, rows, tau=tau, T=T, **settings)
            broken = violations(model, rows, explanation, mutability, domains)
            for line in broken:
                print(f"model {seed}: {line}")
            n_broken += bool(broken)
            n_rows += len(explanation)
            kinds["several alternatives"] += explanation.n_alternatives > 1
            kinds["sparse"] += settings["sparse"]
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


def _classifier_of(model):
    return model[-1] if isinstance(model, Pipeline) else model


def free(n_models):
    """Print the share of valid rows of conventional models without constraints."""
    valid, reasons = [], []
    for seed in range(n_models):
        model = unconstrained_model(random.Random(seed))
        explanation = model.clf.explain(model.X, tau=0.5, T=100)
        valid.append(explanation.valid.mean())
        reasons.extend(explanation.reason[~explanation.valid])
    print(
        f"no constraints, {n_models} conventional models: {np.mean(valid):.1%} of the rows valid "
        f"(lowest share of a model {min(valid):.0%}); reasons of the {len(reasons)} others:"
    )
    for kind, n in Counter(reason.kind.value for reason in reasons).most_common():
        print(f"  {n} {kind}")


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
