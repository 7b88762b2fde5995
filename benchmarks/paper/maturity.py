"""How many counterfactuals mature while a model trains?

The table contains the share of searches that reach tau in each epoch, for counterfactual training
(CT) and for the contrastive divergence with its ridge (CD). If the share is close to zero, the
divergence has no effect::

    python benchmarks/paper/maturity.py
"""

from experiment import main
from models import train

EPOCHS = (1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)


def outcome(name, seed, n_rounds, step_size):
    """Return the share and the mean number of steps of each epoch."""
    records = []
    for model in ("CT", "CD"):
        history = train(name, seed, model, step_size=step_size).history_
        records += [
            {
                "model": model,
                "epoch": epoch,
                "mature": history[epoch - 1]["mature_share"],
                "steps": history[epoch - 1]["mean_n_iter"],
            }
            for epoch in EPOCHS
        ]
    return records


if __name__ == "__main__":
    main("maturity", keys=["model", "epoch"], quantities=["mature", "steps"])
