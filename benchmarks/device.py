"""What does a GPU change: are results the same, and is it faster?

The script trains and explains on the CPU and on a GPU, side by side: a table of columns of every
kind, and rows of the size of MNIST images (784 numbers, ten classes), with the network of the paper
and with a wider one. It prints seconds of ``fit``, the share of equal predictions, rows per second
of ``explain``, and the rate and the peak memory of the device for many rows at once. Only
differences between lines of one run have a meaning. Without a GPU, it says so and stops::

    python benchmarks/device.py [--rows 1000000] [--quick]
    pytest tests/test_device.py
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
import torch

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator, NearestGenerator
from ctsk.exceptions import InertDivergenceWarning

DEVICES = ("cpu", "cuda")
GENERATORS = {"eccco": ECCCoGenerator(), "nearest": NearestGenerator()}
# Widths of the hidden layers, and the number of rows that are trained on.
IMAGES = {"images, 32 units": (32,), "images, 2,048 x 2 units": (2_048, 2_048)}
N_PIXELS, N_IMAGES, N_TABLE = 784, 3_000, 20_000
# Rows that are explained to compare the devices, and numeric columns of the large table.
N_COMPARED, N_COLUMNS = 500, 10


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows explained at once")
    parser.add_argument("--quick", action="store_true", help="few rows, a check of the script")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print("This machine has no GPU that torch can use: nothing is measured.")
        return
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name(0)}")
    share = 0.05 if args.quick else 1
    warnings.simplefilter("ignore", InertDivergenceWarning)
    # The first use of a GPU compiles and loads; it is not what is measured.
    trained(*table(200), device="cuda", max_epochs=1)
    compare("table, 32 units", *table(int(N_TABLE * share)), generators=("eccco", "nearest"))
    for title, sizes in IMAGES.items():
        how = {"hidden_layer_sizes": sizes, "batch_size": 1_000, "n_counterfactuals": 200}
        # The nearest counterfactual of an image is an adversarial example.
        compare(title, *images(int(N_IMAGES * share)), generators=("eccco",), **how)
    many_rows(int(args.rows * share))


def compare(title, X, y, generators, **parameters):
    """Print a line for each device."""
    models = {}
    for device in DEVICES:
        start = time.perf_counter()
        models[device] = trained(X, y, device=device, **parameters)
        line = {"fit, s": time.perf_counter() - start}
        rows = X[:N_COMPARED]
        for name in generators:
            generator = GENERATORS[name]
            models[device].explain(rows[:10], generator=generator)
            start = time.perf_counter()
            explanation = models[device].explain(rows, generator=generator)
            line[f"{name}, rows/s"] = len(rows) / (time.perf_counter() - start)
            line[f"{name}, valid"] = explanation.valid.mean()
        show(title, device, line)
    labels = [model.predict(X) for model in models.values()]
    print(f"{title}: equal predictions {np.mean(labels[0] == labels[1]):.4f}", flush=True)


def many_rows(n_rows):
    """Print the rate and the memory with which many rows of numbers are explained."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5_000, N_COLUMNS))
    y = (X @ rng.normal(size=N_COLUMNS) + rng.normal(0, 0.5, len(X)) > 0).astype(int)
    for device in DEVICES:
        clf = trained(X, y, device=device)
        for n in (n_rows // 10, n_rows):
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            rows = rng.normal(size=(n, N_COLUMNS))
            start = time.perf_counter()
            explanation = clf.explain(rows, generator=GENERATORS["eccco"])
            line = {"eccco, rows/s": n / (time.perf_counter() - start)}
            line["eccco, valid"] = explanation.valid.mean()
            if device == "cuda":
                line["device memory, MB"] = torch.cuda.max_memory_allocated() / 1e6
            show(f"{n} rows of {N_COLUMNS} numbers", device, line)


def trained(X, y, *, device, max_epochs=5, **parameters):
    how = {"max_epochs": max_epochs, "early_stopping": False, **parameters}
    return CounterfactualTrainedClassifier(device=device, random_state=0, **how).fit(X, y)


def table(n_rows):
    """Return a DataFrame of numbers, integers and categories, and two classes."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n_rows, 6)), columns=[f"number {i}" for i in range(6)])
    X["count"] = rng.integers(0, 10, n_rows)
    for name, n_categories in {"region": 5, "job": 15, "school": 40}.items():
        X[name] = pd.Series(rng.integers(0, n_categories, n_rows)).map(f"{name} {{}}".format)
    score = X["number 0"] - X["number 1"] + X["count"] / 5 + (X["region"] == "region 0")
    return X, (score + rng.normal(0, 0.5, n_rows) > score.median()).astype(int)


def images(n_rows):
    """Return noisy copies of ten random images, and their numbers."""
    rng = np.random.default_rng(0)
    patterns = rng.random((10, N_PIXELS))
    labels = rng.integers(0, 10, n_rows)
    return np.clip(patterns[labels] + rng.normal(0, 0.5, (n_rows, N_PIXELS)), 0, 1), labels


def show(title, device, line):
    figures = "  ".join(f"{name} {value:,.4g}" for name, value in line.items())
    print(f"{title:32}{device:6}{figures}", flush=True)


if __name__ == "__main__":
    main()
