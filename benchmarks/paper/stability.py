"""Do counterfactuals outlive the model that they were made for?

Three models are refitted, each on a bootstrap sample and with other initial weights. The table
contains the share of them that also predict a valid counterfactual as its target, for conventional
training (BL) and counterfactual training (CT), each judged by refits of its own kind::

    python benchmarks/paper/stability.py
"""

import numpy as np
from experiment import main
from models import train
from protocol import SYNTHETIC, split
from rounds import TAU, T, take

from ctsk import ECCCoGenerator
from ctsk.metrics import cost, stability

N_REFITS, N_EXPLAINED = 3, 300
# Adult takes longest, so it is only run if the command names it.
DATA = (*SYNTHETIC, "california_housing", "credit_default", "gmsc")


def outcome(name, seed, n_rounds, step_size):
    """Refit both models of one data set."""
    data = split(name, seed)
    X, _ = data.test
    rows = take(X, np.random.default_rng([seed, 4]).permutation(len(X))[:N_EXPLAINED])
    generator = ECCCoGenerator(step_size=step_size, max_step=None, lambda_cost=0)
    records = []
    for model in ("BL", "CT"):
        clf = train(name, seed, model, step_size=step_size)
        explanation = clf.explain(rows, generator=generator, T=T, tau=TAU)
        shares = stability(clf, explanation, *data.train, n_refits=N_REFITS, random_state=seed)
        records.append(
            {
                "model": model,
                "stability": np.nanmean(shares),
                "cost": cost(explanation)[explanation.valid].mean(),
                "validity": explanation.valid.mean(),
            }
        )
    return records


if __name__ == "__main__":
    quantities = ["stability", "cost", "validity"]
    main("stability", data=DATA, others=("adult", "mnist"), keys=["model"], quantities=quantities)
