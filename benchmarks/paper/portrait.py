"""All that is measured of one model, in one line."""

import numpy as np
from models import train
from protocol import split
from rounds import judge

from ctsk.metrics import robust_accuracy

EPSILON = 0.1
MEASURES = ("IP", "IP* 5.0", "IP* median", "cost")
# Quantities that `reductions` returns.
QUANTITIES = ["accuracy", "robust", "validity", *(f"{measure} reduction" for measure in MEASURES)]


def portrait(name, seed, variant, n_rounds, step_size, **parameters):
    """Return accuracy, accuracy under PGD, and means over the rounds of `rounds.judge`."""
    settings = {"step_size": step_size, **parameters}
    clf = train(name, seed, variant, **settings)
    rounds = judge(name, seed, variant, n_rounds=n_rounds, **settings)
    X, y = split(name, seed).test
    return {
        "accuracy": clf.score(X, y),
        "robust": robust_accuracy(clf, X, y, epsilon=EPSILON, attack="pgd", n_restarts=1),
        **rounds.mean(numeric_only=True)[["validity", *MEASURES]],
    }


def reductions(name, seed, variants, n_rounds, step_size, **parameters):
    """Return a record for each variant, with reductions against BL in per cent."""
    settings = n_rounds, step_size
    bl = portrait(name, seed, "BL", *settings)
    records = []
    for variant in variants:
        told = bl if variant == "BL" else portrait(name, seed, variant, *settings, **parameters)
        reduced = {
            f"{measure} reduction": 100 * (1 - told[measure] / bl[measure])
            if bl[measure]
            else np.nan
            for measure in MEASURES
        }
        records.append({"model": variant, **told, **reduced})
    return records
