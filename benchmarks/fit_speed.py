"""Is ``fit`` as fast as a bare torch loop, and does it compute the same?

The script runs ``fit`` and ``bare_loop.train`` alternately on the same rows with the same random
draws, on one thread. It prints the median ratio of the paired times, and the largest difference
between the weights after three epochs. It also prints the share of the prototypes, which serve the
default search of ``explain``, in the time of a conventional fit of 10,000 rows, the shortest one::

    python benchmarks/fit_speed.py [--pairs 15] [--epochs 20]
"""

import argparse
import statistics
import time
from dataclasses import dataclass

import numpy as np
import torch
from bare_loop import train
from sklearn.datasets import make_classification
from sklearn.utils import check_random_state

from ctsk import CounterfactualTrainedClassifier, NearestGenerator
from ctsk.datasets import fetch_adult, fetch_california_housing
from ctsk.generators import Reference


@dataclass(frozen=True)
class Case:
    """A training that is timed, and the ratio of times that is allowed."""

    name: str
    batch_size: int
    n_rows: int
    n_counterfactuals: int
    lambdas: tuple
    allowed: float
    module: object = None


class OwnModule(torch.nn.Module):
    """The same network, of a class that ctsk does not know."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.hidden = torch.nn.Linear(n_features, 32)
        self.output = torch.nn.Linear(32, n_classes)

    def forward(self, X):
        """Return the logits."""
        return self.output(torch.relu(self.hidden(X)))


PAPER, CONVENTIONAL = (0.5, 0.25, 0.1), (0.0, 0.0, 0.0)
CASES = [
    Case("counterfactual, batch 30", 30, 3_000, 1_000, PAPER, 0.35),
    Case("counterfactual, batch 1,000", 1_000, 30_000, 5_000, PAPER, 0.7),
    Case("conventional, batch 30", 30, 3_000, 1_000, CONVENTIONAL, 0.4),
    Case("a module of one's own, batch 30", 30, 3_000, 1_000, PAPER, 1.15, OwnModule),
]


def data(n_rows):
    X, y = make_classification(n_rows, 30, n_informative=10, flip_y=0.1, random_state=0)
    return X, y


def fit(X, y, epochs, case):
    lambdas = dict(zip(("lambda_div", "lambda_adv", "lambda_reg"), case.lambdas, strict=True))
    # The bare loop has neither held-out rows nor a decay of the weights.
    clf = CounterfactualTrainedClassifier(
        **lambdas,
        max_epochs=epochs,
        batch_size=case.batch_size,
        n_counterfactuals=case.n_counterfactuals,
        early_stopping=False,
        weight_decay=0.0,
        module=case.module,
        random_state=0,
    )
    return clf.fit(X, y)


def bare(clf, X, y, epochs, case):
    """Run the bare loop with the scaling and the seed of `clf`."""
    encoder = clf.encoder_
    low, high = (
        torch.as_tensor(encoder.to_module_units(bound), dtype=torch.float32)
        for bound in encoder.domain
    )
    return train(
        torch.as_tensor(encoder.encode(X), dtype=torch.float32),
        torch.as_tensor(y),
        low=low,
        high=high,
        epochs=epochs,
        batch_size=case.batch_size,
        n_counterfactuals=case.n_counterfactuals,
        lambdas=case.lambdas,
        seed=int(check_random_state(0).randint(2**31 - 1)),
    )


def seconds(function, *args):
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def largest_difference(case):
    X, y = data(case.n_rows)
    clf = fit(X, y, 3, case)
    model, _ = bare(clf, X, y, 3, case)
    pairs = zip(clf.net_.module_.parameters(), model.parameters(), strict=True)
    return max((ours - theirs).abs().max().item() for ours, theirs in pairs)


def share_of_prototypes(fetch):
    """Return the median share of the prototypes in the time of conventional fits."""
    X, y = fetch(return_X_y=True)
    X, y = X.iloc[:10_000], y.iloc[:10_000]
    clf = CounterfactualTrainedClassifier(lambda_div=0, lambda_adv=0, lambda_reg=0, random_state=0)
    shares = []
    for _ in range(3):
        whole = seconds(clf.fit, X, y)
        reference = Reference(
            rows=torch.as_tensor(clf.encoder_.encode(X), dtype=torch.float32),
            labels=torch.as_tensor(np.searchsorted(clf.classes_, y)),
            n_classes=len(clf.classes_),
            groups=clf.encoder_.groups,
            random=torch.Generator().manual_seed(0),
        )
        shares.append(seconds(NearestGenerator().learn, reference) / whole)
    return statistics.median(shares)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for case in CASES:
        print(
            f"{case.name}: {case.n_rows} rows, {case.n_counterfactuals} counterfactuals per epoch"
        )
        # The weights of a module of one's own start elsewhere.
        if case.module is None:
            difference = largest_difference(case)
            print(f"  largest difference between the weights after 3 epochs: {difference:.1e}")
        X, y = data(case.n_rows)
        sizes = args.epochs, case
        clf = fit(X, y, *sizes)
        bare(clf, X, y, *sizes)
        ratios, ours, theirs = [], [], []
        for i in range(args.pairs):
            # The order alternates, so that neither always runs in a warmer cache.
            runs = [(ours, fit, (X, y)), (theirs, bare, (clf, X, y))]
            for times, function, rows in runs if i % 2 else reversed(runs):
                times.append(seconds(function, *rows, *sizes))
            ratios.append(ours[-1] / theirs[-1])
        print(f"  fit {statistics.median(ours):.3f} s, bare loop {statistics.median(theirs):.3f} s")
        low, high = np.quantile(ratios, [0.25, 0.75])
        print(
            f"  median ratio of {args.pairs} pairs: {statistics.median(ratios):.3f} "
            f"(quartiles {low:.3f} to {high:.3f}; allowed {case.allowed})"
        )
    for fetch in (fetch_california_housing, fetch_adult):
        share = share_of_prototypes(fetch)
        print(f"prototypes in a conventional fit of {fetch.__name__[6:]}: {share:.2%} of the time")


if __name__ == "__main__":
    main()
