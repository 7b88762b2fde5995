"""Are the models robust to stronger attacks than those of the paper?

The table contains the accuracy within epsilon 0.1 (maximum norm, module units, numeric columns
only) under PGD with ten restarts, under PGD on the margin with ten restarts, and under the worst of
these, FGSM and noise. For the synthetic sets, it also contains the median l2 distance to an error
found by the attack of Carlini and Wagner (foolbox), for up to 100 test rows that are predicted
correctly. This attack searches in the same range for all columns, so it is not run on data sets
whose columns have long tails::

    python benchmarks/paper/attacks.py

AutoAttack has no implementation for two logits of tabular rows. Its ingredients, PGD with restarts
on the cross-entropy and on the margin, are the first two columns.
"""

import foolbox
import numpy as np
import torch
from experiment import main
from models import train
from protocol import SYNTHETIC, split
from rounds import take

from ctsk._torch.threads import one_thread_if_small
from ctsk.metrics import robust_accuracy

MODELS = ("BL", "CT", "AR", "CD", "PGD", "TRADES")
N_RESTARTS, N_ATTACKED = 10, 100


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
        distance = carlini_wagner(clf, X, y) if name in SYNTHETIC else np.nan
        accuracies["accuracy"] = clf.score(X, y)
        records.append({"model": model, **accuracies, "distance": distance})
    return records


def carlini_wagner(clf, X, y):
    """Return the median l2 distance to an error, in module units."""
    right = np.flatnonzero(clf.predict(X) == y)[:N_ATTACKED]
    rows = torch.as_tensor(clf.encoder_.encode(take(X, right)), dtype=torch.float32)
    labels = torch.as_tensor(np.searchsorted(clf.classes_, y[right]))
    bounds = rows.min().item() - 1, rows.max().item() + 1
    module = clf.net_.module_.eval()
    attacked = foolbox.PyTorchModel(module, bounds=bounds, device="cpu")
    # Rows far from the boundary are only reached if an error weighs more than the distance to it,
    # so foolbox's default of 0.001 is too small for initial_const.
    attack = foolbox.attacks.L2CarliniWagnerAttack(
        steps=200, stepsize=0.05, binary_search_steps=6, initial_const=1.0
    )
    with one_thread_if_small(module, len(rows)):
        _, found, success = attack(attacked, rows, labels, epsilons=None)
    distances = (found - rows).norm(dim=1)
    return float(np.median(distances.masked_fill(~success, torch.inf).numpy()))


if __name__ == "__main__":
    quantities = ["accuracy", "pgd", "margin", "worst", "distance"]
    main("attacks", keys=["model"], quantities=quantities)
