"""Do the models withstand stronger attacks than the paper's?

Accuracy within epsilon 0.1 (maximum norm, module units, numbers only) under PGD with ten
restarts, under PGD on the margin with ten restarts, and under the worst of these, FGSM and
noise; and the median l2 distance to the next error that Carlini and Wagner's attack finds
(foolbox, up to 300 test rows that are predicted right; 0 for one it does not move)::

    python benchmarks/paper/attacks.py

AutoAttack has no implementation that takes two logits of tabular rows; its ingredients, PGD
with restarts on the cross-entropy and on the margin, are the first two columns.
"""

from functools import partial

import foolbox
import numpy as np
import torch
from experiment import averages, main
from models import train
from protocol import SYNTHETIC, split
from rounds import take

from ctsk.metrics import robust_accuracy

MODELS = ("BL", "CT", "AR", "CD", "PGD", "TRADES")
N_RESTARTS, N_ATTACKED = 10, 300
# All features are numbers, which is what foolbox can attack.
DATA = (*SYNTHETIC, "california_housing", "credit_default", "gmsc")


def outcome(name, seed, n_rounds, step_size):
    """Attack all models of one data set."""
    X, y = split(name, seed).test
    records = []
    for model in MODELS:
        clf = train(name, seed, model, step_size=step_size)
        accuracies = {
            attack: robust_accuracy(clf, X, y, attack=attack, n_restarts=N_RESTARTS)
            for attack in ("pgd", "margin", "worst")
        }
        told = {"accuracy": clf.score(X, y), **accuracies, "distance": carlini_wagner(clf, X, y)}
        records.append({"model": model, **told})
    return records


def carlini_wagner(clf, X, y):
    """Return the median l2 distance to an error, in module units."""
    right = np.flatnonzero(clf.predict(X) == y)[:N_ATTACKED]
    rows = torch.as_tensor(clf.feature_space_.encode(take(X, right)), dtype=torch.float32)
    labels = torch.as_tensor(np.searchsorted(clf.classes_, y[right]))
    bounds = rows.min().item() - 1, rows.max().item() + 1
    attacked = foolbox.PyTorchModel(clf.net_.module_.eval(), bounds=bounds, device="cpu")
    attack = foolbox.attacks.L2CarliniWagnerAttack(steps=300, binary_search_steps=6)
    _, found, success = attack(attacked, rows, labels, epsilons=None)
    distances = (found - rows).norm(dim=1)
    return distances.masked_fill(~success, torch.inf).median().item()


if __name__ == "__main__":
    quantities = ["accuracy", "pgd", "margin", "worst", "distance"]
    table = partial(averages, keys=["model"], quantities=quantities)
    main("attacks", __doc__, outcome, table, data=DATA, keys=["model"])
