"""Is the permutation test of the MMD valid, and do the metrics use little memory?

The benchmark prints the share of 1,000 tests at the 5% level that reject the hypothesis when both
samples come from the same distribution (3 to 7% is expected), and when one sample is shifted by
half a standard deviation. It then prints the time and the additional peak memory of the
implausibility and the MMD between 20,000 and 20,000 rows::

    python benchmarks/mmd.py [--runs 1000]
"""

import argparse
import resource
import time

import numpy as np

from ctsk.metrics import implausibility, maximum_mean_discrepancy


def is_rejected(shift, seed):
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(30, 4)), rng.normal(shift, size=(30, 4))
    return maximum_mean_discrepancy(X, Y, n_permutations=99, random_state=seed)[1] <= 0.05


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=1_000)
    args = parser.parse_args()
    for shift in (0.0, 0.5):
        share = np.mean([is_rejected(shift, seed) for seed in range(args.runs)])
        print(f"shift {shift}: rejects at 5% in {share:.1%} of {args.runs} runs")
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 20_000, 10))
    for metric in (implausibility, maximum_mean_discrepancy):
        before, start = peak_megabytes(), time.perf_counter()
        metric(X, Y)
        print(
            f"{metric.__name__} of 20,000 and 20,000 rows: {time.perf_counter() - start:.1f} s, "
            f"{peak_megabytes() - before:.0f} MB of additional peak memory "
            f"({peak_megabytes():.0f} MB in total)"
        )


if __name__ == "__main__":
    main()
