"""All measurements of one model in one record."""

from models import train
from protocol import split
from rounds import compare, judge

from ctsk.metrics import robust_accuracy

EPSILON = 0.1
# Keys of the record that `portrait` returns.
REDUCED = ("IP", "IP* 5.0", "IP* median")
QUANTITIES = ["accuracy", "robust", "validity", *(f"{measure} reduction" for measure in REDUCED)]


def portrait(name, seed, n_rounds, step_size, variant, **parameters):
    """Return accuracies, validity and reductions against BL of a model of `models.train`."""
    settings = {"n_rounds": n_rounds, "step_size": step_size}
    bl = judge(name, seed, "BL", **settings)
    rounds = judge(name, seed, variant, **settings, **parameters)
    clf = train(name, seed, variant, step_size=step_size, **parameters)
    X, y = split(name, seed).test
    return {
        "accuracy": clf.score(X, y),
        "robust": robust_accuracy(clf, X, y, epsilon=EPSILON, attack="pgd", n_restarts=1),
        **rounds[["IP", "cost", "validity"]].mean(),
        **{
            f"{measure} reduction": compare(bl, rounds, measure).get("reduction")
            for measure in REDUCED
        },
    }
