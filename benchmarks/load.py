"""Does one fitted estimator serve many threads and processes, for long, and large tables?

The script has four parts, each of which prints a line or two; ``--part`` selects some of them.

- *workers*: 16 threads at once, forked processes and spawned processes predict, explain (by the
  nearest search, by ECCCo, with proof, and a pipeline), save and load. All answers must have the
  bits of those that one thread has given before. The parent has computed on two threads of OpenMP
  before the fork, and a large module, which uses both, is among the questions.
- *soak*: fit, explain, save and load in turn for some minutes. Memory (the resident set after a
  garbage collection), threads and open files are compared between the first and the last minute.
- *rows*: a million rows are explained, and a tenth of them; what the call needs at its peak beyond
  its input, a copy of it, and its result must not grow.
- *wide*: the same for 4,096 rows of 5,000 columns.

Memory, threads and open files are read from ``/proc``, which Linux has::

    python benchmarks/load.py [--part workers soak rows wide] [--minutes 10] [--rows 1000000]
"""

import argparse
import ctypes
import dataclasses
import gc
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import make_classification

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from simultaneous import answers, answers_in_processes, large_model, small_models

import ctsk

N_THREADS, N_PROCESSES = 16, 4
# Seconds after which workers count as hanging.
HANGS = 1_800


def check_workers(options):
    """Compare the answers of threads and processes with those of one thread."""
    # As on a machine where torch chooses two threads by itself: the setting of the parent is that
    # which a forked process inherits.
    torch.set_num_threads(2)
    models = (*small_models(), *large_model())
    serial = answers(models)
    with ThreadPoolExecutor(N_THREADS) as pool:
        in_threads = list(pool.map(answers, [models] * N_THREADS))
    report(f"{N_THREADS} threads", serial, in_threads)
    for method in ("fork", "spawn"):
        try:
            found = answers_in_processes(models, method, N_PROCESSES, HANGS)
        except multiprocessing.TimeoutError:
            raise SystemExit(f"{N_PROCESSES} processes ({method}): they hang") from None
        report(f"{N_PROCESSES} processes ({method})", serial, found)


def report(workers, serial, found):
    differing = {kind for result in found for kind in serial if result[kind] != serial[kind]}
    n_equal = sum(result == serial for result in found)
    print(
        f"{workers}: {n_equal} of {len(found)} have the bits of one thread"
        + (f"; others differ in {sorted(differing)}" if differing else ""),
        flush=True,
    )


def check_soak(options):
    """Fit, explain, save and load for some minutes; compare the last minute with the first."""
    X, y = make_classification(200, 8, random_state=0)
    minutes, n_cycles, start = [], 0, time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        while (elapsed := (time.monotonic() - start) / 60) < options.minutes:
            cycle(X, y, Path(name), seed=n_cycles)
            n_cycles += 1
            gc.collect()
            minutes.append((elapsed, resident_megabytes(), n_threads(), n_open_files()))
    length = min(1, options.minutes / 2)
    first = [state[1:] for state in minutes if state[0] < length]
    last = [state[1:] for state in minutes if state[0] >= options.minutes - length]
    print(f"soak of {options.minutes:g} minutes, {n_cycles} cycles, first and last minute:")
    for k, (figure, unit) in enumerate((("memory", " MB"), ("threads", ""), ("open files", ""))):
        before, after = (statistics.median(state[k] for state in part) for part in (first, last))
        print(f"  {figure} {before:,.0f}{unit} and {after:,.0f}{unit}", flush=True)


def cycle(X, y, folder, seed):
    """Fit, explain, save and load a small model."""
    clf = ctsk.CounterfactualTrainedClassifier(
        max_epochs=3, n_counterfactuals=50, random_state=seed
    )
    clf.fit(X, y)
    clf.explain(X[:10], T=10)
    clf.explain(X[:10], T=10, generator="eccco")
    clf.explain(X[:2], prove=True)
    ctsk.save(clf, folder / "model")
    ctsk.load(folder / "model").explain(X[:5], T=10)
    ctsk.save(clf, folder / "model.zip")
    ctsk.load(folder / "model.zip").predict(X)


def check_rows(options):
    """Compare the memory that the explanation of all rows needs with that of a tenth of them."""
    for n_rows in (options.rows // 10, options.rows):
        measure(n_rows, 10)


def check_wide(options):
    """Print the memory that the explanation of a wide table needs."""
    measure(4_096, 5_000)


def measure(n_rows, n_columns):
    """Explain rows in a process of its own, whose peak of memory is that of the call."""
    command = [sys.executable, __file__, "--explain", str(n_rows), str(n_columns)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    print(
        subprocess.run(command, check=True, env=environment, text=True, capture_output=True).stdout
    )


def explain(n_rows, n_columns):
    """Explain rows; print the speed, and the memory beyond the input and the result."""
    X, y = make_classification(
        3_000, n_columns, n_informative=10, n_redundant=0, random_state=0, shuffle=False
    )
    clf = ctsk.CounterfactualTrainedClassifier(max_epochs=5, n_counterfactuals=100, random_state=0)
    clf.fit(X, y)
    rows = np.random.default_rng(0).choice(X, n_rows)
    clf.explain(rows[:100])
    release()
    before = resident_megabytes()
    # Linux then starts to measure the peak of the resident set anew.
    Path("/proc/self/clear_refs").write_text("5")
    start = time.monotonic()
    explanation = clf.explain(rows)
    seconds = time.monotonic() - start
    above = peak_megabytes() - before
    result, size = n_bytes(explanation, {id(rows)}) / 2**20, rows.nbytes / 2**20
    print(
        f"{n_rows:,} rows of {n_columns:,} columns: {n_rows / seconds:,.0f} rows/s, "
        f"{explanation.valid.mean():.1%} valid; result {result:,.0f} MB, peak "
        f"{above - result - size:,.0f} MB above the input ({size:,.0f} MB), a copy and the result",
        flush=True,
    )


def n_bytes(value, known):
    """Return the size of all arrays of an explanation, each counted once."""
    if id(value) in known:
        return 0
    known.add(id(value))
    if isinstance(value, np.ndarray):
        # A view keeps the whole array.
        return value.nbytes if value.base is None else n_bytes(value.base, known)
    if dataclasses.is_dataclass(value) or hasattr(value, "__dict__"):
        return sum(n_bytes(part, known) for part in vars(value).values())
    if isinstance(value, (list, tuple)):
        return sum(n_bytes(part, known) for part in value)
    return 0


def release():
    """Return memory that is free to the system."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def resident_megabytes():
    n_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return n_pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_megabytes():
    """Return the largest resident set so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def n_threads():
    return len(os.listdir("/proc/self/task"))


def n_open_files():
    return len(os.listdir("/proc/self/fd"))


PARTS = {"workers": check_workers, "soak": check_soak, "rows": check_rows, "wide": check_wide}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--explain", type=int, nargs=2, help="explain so many rows and columns in this process"
    )
    options = parser.parse_args()
    # Small trainings are not mature, of which users are warned.
    warnings.simplefilter("ignore", UserWarning)
    if options.explain:
        explain(*options.explain)
        return
    for part in options.part:
        PARTS[part](options)


if __name__ == "__main__":
    main()
