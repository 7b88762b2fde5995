"""All that is measured of one model, in one line."""

from models import train
from protocol import split
from rounds import compare, judge

from ctsk.metrics import robust_accuracy

EPSILON = 0.1
# What `portraits` returns.
REDUCED = ("IP", "IP* 5.0", "IP* median")
QUANTITIES = ["accuracy", "robust", "validity", *(f"{measure} reduction" for measure in REDUCED)]


def portraits(name, seed, variants, n_rounds, step_size, **parameters):
    """Return a record for each model: accuracies, validity and reductions against BL."""
    settings = {"n_rounds": n_rounds, "step_size": step_size}
    bl = judge(name, seed, "BL", **settings)
    X, y = split(name, seed).test
    records = []
    for variant in variants:
        how = {} if variant == "BL" else parameters
        clf = train(name, seed, variant, step_size=step_size, **how)
        rounds = judge(name, seed, variant, **settings, **how)
        attack = {"epsilon": EPSILON, "attack": "pgd", "n_restarts": 1}
        records.append(
            {
                "model": variant,
                "accuracy": clf.score(X, y),
                "robust": robust_accuracy(clf, X, y, **attack),
                **rounds[["IP", "cost", "validity"]].mean(),
                **{
                    f"{measure} reduction": compare(bl, rounds, measure).get("reduction")
                    for measure in REDUCED
                },
            }
        )
    return records
