"""Figure 5: how accurate are the models under attack?

Accuracy on the test rows under FGSM and PGD (40 steps, random start) for growing attacks, in
module units: conventional training (BL), counterfactual training (CT), the adversarial loss
alone (AR), the contrastive divergence with its ridge (CD)::

    python benchmarks/paper/figure5.py
    python benchmarks/paper/figure5.py --dataset mnist --seed 0 1 2

A PGD step is 2.5 epsilon / 40, where the paper takes 0.01. There is nothing to draw by rounds:
all test rows are attacked.
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
