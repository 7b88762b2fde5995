"""Do the returned rows keep the constraints, whatever the columns and the constraints?

The script fits models on random columns of every kind: numbers of six dtypes, with gaps, special
values, whole numbers among floats, flags and resolutions; booleans, strings, ordered and unordered
categories, missing categories, groups of dummies; arrays and DataFrames; two and three classes; all
generators. A quarter of the models follow the scalers and encoders of a pipeline. Each model
explains random rows, some of which hold gaps, categories or amounts that were not in the training
rows, under random constraints in every form that ``explain`` accepts. The search is mostly the
nearest one, at three values of ``lambda_data``, and otherwise ECCCo, Generic or that of the
training; with one or several counterfactuals per row, sparse or not, with ``max_changes`` of 1 to
3 or without. Every returned cell is compared with the constraints, without a tolerance. One call
of ``explain`` is an example.

Returning the rows as they are would break no constraint. Therefore, the script prints the share of
valid rows by kind of the columns, of the rows and of the search, and it explains conventional
models on numeric columns without constraints (tau 0.5; T 100 for the generator of the training)::

    python benchmarks/promise.py [--models 320] [--examples 20000] [--first-model 0]
                                 [--jobs 1]
"""

import argparse
import random
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.pipeline import Pipeline

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from promise_checks import kinds_of_rows, violations
from random_schemas import (
    CONVENTIONAL,
    random_model,
    random_pipeline,
    random_request,
    unconstrained_model,
)

import ctsk
from ctsk.exceptions import (
    ColumnKindWarning,
    InertDivergenceWarning,
    OtherConstraintsWarning,
    PoorReconstructionWarning,
    UnboundedEnergyWarning,
    UnknownValueWarning,
    UnobservedDomainWarning,
)

EXPECTED_WARNINGS = (
    ColumnKindWarning,
    InertDivergenceWarning,
    OtherConstraintsWarning,
    PoorReconstructionWarning,
    UnboundedEnergyWarning,
    UnknownValueWarning,
    UnobservedDomainWarning,
)


class Counts:
    """Numbers of examples, violations, rows, moved rows and valid rows, by kind."""

    def __init__(self):
        self.by_kind = {}

    def add(self, kinds, explanation, is_broken):
        """Count one example, of which `kinds` holds a set of kinds for each row explained."""
        moved = explanation.counterfactual_encoded != explanation.factual_encoded
        results = np.column_stack([moved.any(axis=1), explanation.valid]).astype(int)
        results = results.reshape(len(kinds), -1, 2)
        for kind in set().union(*kinds):
            of_kind = results[[kind in kinds_of_row for kinds_of_row in kinds]]
            n_rows = of_kind.shape[0] * of_kind.shape[1]
            counts = np.array([1, is_broken, n_rows, *of_kind.sum(axis=(0, 1))])
            self.by_kind[kind] = self.by_kind.get(kind, 0) + counts

    def merge(self, other):
        """Add the counts of other examples."""
        for kind, counts in other.by_kind.items():
            self.by_kind[kind] = self.by_kind.get(kind, 0) + counts

    def print(self):
        """Print a line for each kind."""
        names = ["kind", "examples", "violations", "rows", "moved", "valid"]
        print("{:32} {:>9} {:>11} {:>8} {:>7} {:>7}".format(*names))
        for kind, counts in sorted(self.by_kind.items()):
            n_examples, n_broken, n_rows, n_moved, n_valid = counts.tolist()
            print(
                f"{kind:32} {n_examples:9d} {n_broken:11d} {n_rows:8d} {n_moved / n_rows:7.1%} "
                f"{n_valid / n_rows:7.1%}"
            )


def constrained(first_model, n_models, n_examples, n_jobs):
    """Print how many examples violate their constraints, and how many rows are valid."""
    start, counts = time.perf_counter(), Counts()
    # The examples are distributed evenly over the models.
    shares = (len(range(seed, n_examples, n_models)) for seed in range(n_models))
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(of_model)(first_model + i, n) for i, n in enumerate(shares)
    )
    for seed, (counts_of_model, broken) in enumerate(results, start=first_model):
        counts.merge(counts_of_model)
        for line in broken:
            print(f"model {seed}: {line}", flush=True)
        if sys.stderr.isatty():
            print(f"\r{seed + 1 - first_model}/{n_models} models", end="", file=sys.stderr)
    print(f"{n_models} models, {time.perf_counter() - start:.0f} s")
    counts.print()


def of_model(seed, n_examples):
    """Return the counts of the examples of one model, and its violations as text."""
    counts, lines, rng = Counts(), [], random.Random(seed)
    with warnings.catch_warnings():
        for expected in EXPECTED_WARNINGS:
            warnings.simplefilter("ignore", expected)
        # A quarter of the models are conventional, and a quarter are the end of a pipeline.
        lambdas = CONVENTIONAL if seed % 4 == 0 else {}
        make_model = random_pipeline if seed % 4 == 1 else random_model
        model = make_model(rng, max_epochs=5, lr=0.02, n_counterfactuals=30, **lambdas)
        for _ in range(n_examples):
            rows, settings, mutability, domains = random_request(rng, model)
            tau, T = rng.choice([0.5, 0.6, 0.9]), rng.choice([10, 30])
            explanation = ctsk.explain(model.clf, rows, tau=tau, T=T, **settings)
            limit = settings["max_changes"]
            broken = violations(model, rows, explanation, mutability, domains, limit)
            lines += broken
            of_example = _kinds_of_example(model, settings)
            kinds = [kinds | of_example for kinds in kinds_of_rows(model, rows, domains)]
            counts.add(kinds, explanation, bool(broken))
    return counts, lines


def _kinds_of_example(model, settings):
    """Return the kinds that all rows of an example have in common."""
    kinds = {"all", _name_of_search(model, settings["generator"])}
    kinds |= {"several alternatives"} if settings.get("n_alternatives", 1) > 1 else set()
    kinds |= {"max_changes"} if settings["max_changes"] is not None else set()
    return kinds | ({"sparse"} if settings["sparse"] else set())


def _name_of_search(model, generator):
    """Return the name of the generator that explains, which None leaves to the training."""
    if generator is None:
        clf = model.clf[-1] if isinstance(model.clf, Pipeline) else model.clf
        generator = clf.generator_
    if isinstance(generator, str):
        return generator
    name = type(generator).__name__.removesuffix("Generator").lower()
    lambda_data = getattr(generator, "lambda_data", 0)
    return f"{name}, lambda_data={lambda_data}" if lambda_data else name


def free(n_models):
    """Print the shares of valid rows of conventional models without constraints."""
    searches = {
        "nearest": {"generator": "nearest"},
        "generator of the training": {"generator": None, "T": 100},
    }
    models = [unconstrained_model(random.Random(seed)) for seed in range(n_models)]
    for name, settings in searches.items():
        valid, reasons = [], []
        for model in models:
            explanation = model.clf.explain(model.X, tau=0.5, **settings)
            valid.append(explanation.valid.mean())
            reasons.extend(explanation.reason[~explanation.valid])
        print(
            f"no constraints, {n_models} conventional models, {name}: {np.mean(valid):.1%} of the "
            f"rows valid (lowest share of a model {min(valid):.0%}); reasons of the "
            f"{len(reasons)} others:"
        )
        for kind, n in Counter(reason.kind.value for reason in reasons).most_common():
            print(f"  {n} {kind}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=int, default=320)
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--first-model", type=int, default=0, help="seed of the first model")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    constrained(args.first_model, args.models, args.examples, args.jobs)
    with warnings.catch_warnings():
        for expected in EXPECTED_WARNINGS:
            warnings.simplefilter("ignore", expected)
        free(args.models)


if __name__ == "__main__":
    main()
