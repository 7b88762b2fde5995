"""Does a hostile file execute code, crash the reader, or damage a model without being noticed?

The script stores two small classifiers of columns of every kind, one of which sees quantiles, and
damages their files at random: bits are flipped, bytes are cut, repeated and inserted, in the files
and in the archive; entries of the archive become links, climb out of the folder, occur twice or are
compressed; pickles take the place of files; JSON has keys twice, is nested deeply, or holds NaN.
After such damage, the file has to be rejected, unless the model is the same in spite of it, as
after a change of a date in an archive.

A second part of the files has right digests, as somebody makes them who knows the format: parts of
the document are replaced by hostile values, exchanged and deleted, and headers claim terabytes.
Such a file has to be rejected, or to be a model that works: only a signature tells that it is
another one. Nothing may enter an unpickler; any other error than that of a damaged file is a crash.

Certificates are tampered with in digests, rows and probabilities, half of them with a new digest of
the certificate. The stand-alone script has to reject all of them.

Tables of every dtype, shape, index and container are tried by ``hostile_inputs.py``. Fits are
killed at random moments, and resumed, by ``hostile_kills.py``::

    python benchmarks/hostile.py [--part models kills inputs] [--files 100000] [--first 0]
                                 [--certificates 1000] [--kills 50]
"""

import argparse
import json
import pickle
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from hostile_files import (
    DAMAGES,
    EDITS,
    TAMPERINGS,
    attempt,
    check_certificate,
    signed,
    state_text,
    written,
)
from hostile_inputs import report, try_inputs
from hostile_kills import try_kills

import ctsk

PARTS = ("inputs", "kills", "models")
# Seconds after which an attempt to load a small model counts as hanging.
HANGS = 20


class UnpicklerEntered(BaseException):
    """An unpickler was entered, which could execute code."""


def refuse(*args, **kwargs):
    raise UnpicklerEntered


def small_model(standardize):
    """Return a classifier of columns of every kind, and its training rows."""
    rng = np.random.default_rng(0)
    n_rows = 100
    grades = pd.CategoricalDtype(["none", "school", "college"], ordered=True)
    north = rng.integers(0, 2, n_rows)
    X = pd.DataFrame(
        {
            "income": rng.gamma(3, 1_000, n_rows).round(2),
            "children": rng.integers(0, 5, n_rows),
            "debt": np.where(rng.random(n_rows) < 0.2, -9, rng.integers(0, 50, n_rows) / 10),
            "grade": pd.Series(rng.choice(grades.categories, n_rows)).astype(grades),
            "job": pd.Series(rng.choice(["cook", "nurse"], n_rows)).mask(rng.random(n_rows) < 0.1),
            "owner": rng.random(n_rows) < 0.4,
            "north": north,
            "south": 1 - north,
        }
    )
    X.loc[::11, "debt"] = np.nan
    y = np.where(X["income"] / 3_000 + X["owner"] - X["children"] / 3 > 0.6, "granted", "refused")
    clf = ctsk.CounterfactualTrainedClassifier(
        hidden_layer_sizes=(4,),
        # Behind a ReLU, a feature may have no influence at all on some rows.
        activation="tanh",
        standardize=standardize,
        special_values={"debt": -9},
        one_hot_groups=[["north", "south"]],
        mutability={"children": "none"},
        generator=ctsk.GenericGenerator(distance="mad"),
        max_epochs=4,
        lr=0.05,
        random_state=0,
    )
    return clf.fit(X, y), X


def try_files(models, rows, folder, n_files, first):
    """Load hostile files; return the number of outcomes by kind of the attempt.

    `models` are pairs of the files of a model and its state as text, and take turns.
    """
    outcomes = Counter()
    for number in range(first, first + n_files):
        chance = random.Random(number)
        files, original = models[number % len(models)]
        kind = chance.choice([*DAMAGES, *DAMAGES, *EDITS])
        path = folder / "hostile"
        written(path, kind(files, chance))
        start = time.monotonic()
        try:
            outcome = attempt(path, original, rows)
        except UnpicklerEntered:
            outcome = "executed"
        except Exception as error:  # noqa: BLE001
            outcome = "crash"
            print(f"{kind.__name__}, seed {number}: {type(error).__name__}: {error}", flush=True)
        if time.monotonic() - start > HANGS:
            outcome = "hang"
        if outcome == "edited" and kind in DAMAGES:
            outcome = "unnoticed"
            print(f"{kind.__name__}, seed {number}: the damage is not noticed", flush=True)
        outcomes[outcome] += 1
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return outcomes


def try_certificates(clf, rows, folder, n_certificates, first):
    """Check certificates that were tampered with; return the number of those accepted."""
    explanation = clf.explain(rows.head(8), mutability={"children": "none"})
    certificate = ctsk.certificate(clf, explanation)
    if check_certificate(json.loads(certificate), folder):
        raise SystemExit("The certificate is rejected before anybody has tampered with it.")
    n_accepted = 0
    for number in range(first, first + n_certificates):
        chance, tampered = random.Random(number), json.loads(certificate)
        tampering = TAMPERINGS[number % len(TAMPERINGS)]
        tampering(tampered, chance)
        tampered = signed(tampered) if chance.random() < 0.5 else tampered
        if not check_certificate(tampered, folder):
            n_accepted += 1
            print(f"{tampering.__name__}, seed {number}: accepted", flush=True)
    return n_accepted


def try_models(n_files, n_certificates, first):
    """Try hostile files and certificates of two models, and print the outcomes."""
    models, n_accepted = [], 0
    n_each = n_certificates // 2
    with tempfile.TemporaryDirectory() as name:
        for standardize in (True, "quantile"):
            clf, rows = small_model(standardize)
            folder = Path(name, str(standardize))
            ctsk.save(clf, folder, resume=True)
            models.append(({p.name: p.read_bytes() for p in folder.iterdir()}, state_text(clf)))
            n_accepted += try_certificates(clf, rows, folder, n_each, first)
        # From here on, nothing may enter an unpickler.
        for unpickler in ("load", "loads", "Unpickler", "_Unpickler"):
            setattr(pickle, unpickler, refuse)
        torch.load = np.load = refuse
        outcomes = try_files(models, rows, Path(name), n_files, first)
    print(
        f"damaged or malicious model files tried {n_files:,} / code executed "
        f"{outcomes['executed']} / crashes {outcomes['crash']} / hangs {outcomes['hang']} / damage "
        f"unnoticed {outcomes['unnoticed']}"
    )
    print(
        f"of these, rejected {outcomes['rejected']:,}, the same model in spite of the damage "
        f"{outcomes['unchanged']:,}, edited with right digests to another model that works "
        f"{outcomes['edited']:,}"
    )
    print(
        f"certificates tampered in digest, rows or probabilities {2 * n_each:,} / "
        f"accepted {n_accepted}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--certificates", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="seed of the first attempt")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    if "inputs" in options.part:
        report(try_inputs())
    if "kills" in options.part:
        try_kills(options.kills, options.first)
    # It comes last, because it leaves this process without an unpickler.
    if "models" in options.part:
        try_models(options.files, options.certificates, options.first)


if __name__ == "__main__":
    main()
