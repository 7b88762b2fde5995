"""How do the time and memory of ``explain`` grow with the number of rows?

The script explains 10,000 and then 100,000 rows of 20 features, each in a process of its own, and
prints the ratios of the times and of the peak memory. Memory is the resident set of the process,
most of which are libraries; therefore, the memory before the call is printed as well::

    python benchmarks/explain_scaling.py [--pairs 5]
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
from sklearn.datasets import make_classification

from ctsk import CounterfactualTrainedClassifier

N_FEATURES = 20


def explain(n_rows):
    """Print the seconds of the call, the peak MB after and before it, and the valid share."""
    X, y = make_classification(5_000, N_FEATURES, n_informative=10, random_state=0)
    clf = CounterfactualTrainedClassifier(max_epochs=5, random_state=0).fit(X, y)
    rows = np.random.default_rng(0).choice(X, n_rows)
    clf.explain(rows[:100])
    before = peak_megabytes()
    start = time.perf_counter()
    explanation = clf.explain(rows)
    seconds = time.perf_counter() - start
    print(seconds, peak_megabytes(), before, explanation.valid.mean())


def peak_megabytes():
    """Return the peak of the resident set; Linux reports it in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(n_rows):
    command = [sys.executable, __file__, "--rows", str(n_rows)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [float(figure) for figure in output.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rows", type=int, help="explain this many rows in this process")
    args = parser.parse_args()
    if args.rows:
        explain(args.rows)
        return
    times, memories = [], []
    for _ in range(args.pairs):
        small, large = measure(10_000), measure(100_000)
        print(
            "10,000 rows: {:.2f} s, {:.0f} MB ({:.0f} before), {:.0%} valid".format(*small),
            end="   ",
        )
        print(
            "100,000 rows: {:.2f} s, {:.0f} MB ({:.0f} before), {:.0%} valid".format(*large),
            flush=True,
        )
        times.append(large[0] / small[0])
        memories.append(large[1] / small[1])
    print(f"median ratio of times: {statistics.median(times):.2f} (allowed 12)")
    print(f"median ratio of peak memory: {statistics.median(memories):.2f} (allowed 1.2)")


if __name__ == "__main__":
    main()
