"""Figure 5: how accurate are the models under attack?

The table contains the accuracy on the test rows under FGSM and PGD (40 steps, random start) for
increasing epsilon in module units, for conventional training (BL), counterfactual training (CT),
the adversarial loss alone (AR), and the contrastive divergence with its ridge (CD)::

    python benchmarks/paper/figure5.py
    python benchmarks/paper/figure5.py --dataset mnist --seed 0 1 2

A PGD step is 2.5 epsilon / 40, whereas the paper uses 0.01. The command does not use rounds,
because it attacks all test rows.
"""

from experiment import main
from models import train
from protocol import split

from ctsk.metrics import robust_accuracy

MODELS = ("BL", "CT", "AR", "CD")
EPSILONS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1)


def outcome(name, seed, n_rounds, step_size):
    """Return the accuracy of each model under each attack."""
    X, y = split(name, seed).test
    models = {model: train(name, seed, model, step_size=step_size) for model in MODELS}
    return [
        {
            "model": model,
            "attack": attack,
            "epsilon": epsilon,
            "accuracy": robust_accuracy(clf, X, y, epsilon=epsilon, attack=attack, n_restarts=1),
        }
        for model, clf in models.items()
        for attack in ("fgsm", "pgd")
        for epsilon in EPSILONS
    ]


if __name__ == "__main__":
    main("figure5", keys=["attack", "model", "epsilon"], quantities=["accuracy"])
