"""How long does a single row take, once everything is warm?

The script fits conventional and counterfactually trained models of Adult, as a DataFrame with its
categories, and of California housing, as an array. It prints the median milliseconds of CPU time
(one thread) of one row of the test data, for

- ``predict_proba``;
- ``explain`` by each search, and by ECCCo if the row is also written to the user's container;
- beside it, the logits of the encoded row by a bare forward pass of torch, and the probabilities of
  scikit-learn's ``MLPClassifier`` with the same hidden layer, for the encoded row, and for the row
  itself in a pipeline that encodes it.

Each call sees another row. With ``--against``, the same models and rows also run in a process that
imports ctsk from another checkout, by turns of ten rows, and the medians of the paired ratios are
printed::

    python benchmarks/one_row.py [--rows 100] [--train 5000] [--against CHECKOUT]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import torch
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import ctsk
from ctsk.datasets import fetch_adult, fetch_california_housing

MODELS = {"BL": {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}, "CT": {}}
SEARCHES = ["generic", "eccco", "nearest"]
WRITTEN = "eccco, row written"
TASKS = ["predict_proba", *(f"explain by {name}" for name in SEARCHES), f"explain by {WRITTEN}"]
PEERS = ["torch, encoded row", "MLPClassifier, encoded row", "MLPClassifier, pipeline"]
# Number of rows that a process measures before it is the turn of the other one.
BLOCK = 10


def tables(n_train):
    """Return training rows, their labels and other rows, by the name of the data set."""
    adult, income = fetch_adult(return_X_y=True)
    california, price = fetch_california_housing(return_X_y=True)
    pairs = {"Adult, DataFrame": (adult, income), "California, array": (california.values, price)}
    parts = {}
    for name, (X, y) in pairs.items():
        X_train, X_test, y_train, _ = train_test_split(
            X, y, train_size=n_train, random_state=0, stratify=y
        )
        parts[name] = X_train, y_train, X_test
    return parts


def prepare(folder, n_train, n_rows):
    """Store models, peers and rows in a folder, from which each process reads them."""
    for name, (X, y, X_test) in tables(n_train).items():
        rows = [X_test[i : i + 1] for i in range(n_rows + BLOCK)]
        settings = {"hidden_layer_sizes": (32,), "early_stopping": True, "random_state": 0}
        encoder = StandardScaler()
        if hasattr(X, "columns"):
            others = make_column_selector(dtype_exclude="number")
            encoder = make_column_transformer(
                (encoder, make_column_selector(dtype_include="number")),
                (OneHotEncoder(handle_unknown="ignore"), others),
            )
        pipeline = make_pipeline(encoder, MLPClassifier(**settings)).fit(X, y)
        for kind, weights in MODELS.items():
            clf = ctsk.CounterfactualTrainedClassifier(**weights, random_state=0).fit(X, y)
            encoded = MLPClassifier(**settings).fit(clf.encoder_.encode(X), y)
            case = folder / f"{name}, {kind}"
            case.mkdir()
            ctsk.save(clf, case / "model")
            joblib.dump((rows, pipeline, encoded), case / "rest")


def functions(folder):
    """Return functions of the position of a row, by the name of the task."""
    clf = ctsk.load(folder / "model")
    rows, pipeline, mlp = joblib.load(folder / "rest")
    encoded = [clf.encoder_.encode(row) for row in rows]
    tensors = [torch.as_tensor(row, dtype=torch.float32) for row in encoded]

    def logits(i):
        with torch.no_grad():
            return clf.net_.module_(tensors[i])

    def explain(name):
        return lambda i: clf.explain(rows[i], generator=name)

    return {
        "predict_proba": lambda i: clf.predict_proba(rows[i]),
        **{f"explain by {name}": explain(name) for name in SEARCHES},
        f"explain by {WRITTEN}": lambda i: clf.explain(rows[i], generator="eccco").counterfactual,
        PEERS[0]: logits,
        PEERS[1]: lambda i: mlp.predict_proba(encoded[i]),
        PEERS[2]: lambda i: pipeline.predict_proba(rows[i]),
    }


def serve(folder):
    """Measure what the standard input asks for: lines of a case, a task and a row."""
    torch.set_num_threads(1)
    cases = {case.name: functions(case) for case in sorted(folder.iterdir())}
    print("ready", flush=True)
    for line in sys.stdin:
        case, task, start = json.loads(line)
        function = cases[case][task]
        print(
            json.dumps([milliseconds(function, i) for i in range(start, start + BLOCK)]), flush=True
        )


def milliseconds(function, *args):
    # The time of the process, because other processes may take turns on the same core.
    start = time.process_time()
    function(*args)
    return 1e3 * (time.process_time() - start)


class Server:
    """A process that imports ctsk from a checkout and measures one block of rows at a time."""

    def __init__(self, checkout, folder):
        path = os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, "--serve", str(folder)],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.process.stdout.readline()

    def measure(self, case, task, start):
        """Return the milliseconds of each row of a block."""
        self.process.stdin.write(json.dumps([case, task, start]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def measure(servers, case, n_rows):
    """Return the milliseconds of each server, task and row."""
    times = [{task: [] for task in TASKS + PEERS} for _ in servers]
    for task in TASKS + PEERS:
        for start in range(0, n_rows + BLOCK, BLOCK):
            # The order alternates, so that neither always runs in a warmer cache.
            turn = list(zip(servers, times, strict=True))[:: -1 if start % (2 * BLOCK) else 1]
            for server, measured in turn:
                measured[task] += server.measure(case, task, start)
    # The first block warms up.
    return [{task: ms[BLOCK:] for task, ms in measured.items()} for measured in times]


def report(case, times):
    print(case)
    ours, *others = times
    for task, ms in ours.items():
        line = f"  {task:32} {statistics.median(ms):8.3f} ms"
        for theirs in others:
            ratios = [a / b for a, b in zip(ms, theirs[task], strict=True)]
            line += f"   against {statistics.median(theirs[task]):8.3f} ms"
            line += f"   paired ratio {statistics.median(ratios):.3f}"
        print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--train", type=int, default=5_000)
    parser.add_argument("--against", type=Path, help="folder of another checkout")
    parser.add_argument("--serve", type=Path, help="measure in this process")
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
        return
    root = Path(ctsk.__file__).parent.parent
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), args.train, args.rows)
        servers = [Server(root, folder)]
        if args.against:
            servers.append(Server(args.against.resolve(), folder))
        for case in sorted(path.name for path in Path(folder).iterdir()):
            report(case, measure(servers, case, args.rows))
        for server in servers:
            server.close()


if __name__ == "__main__":
    main()
