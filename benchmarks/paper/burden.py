"""Who bears the burden of recourse?

The models are trained on Adult with the constraints of ``fetch_adult``. Education can only
increase, its rank, which holds the same information, is immutable, and missing values cannot be
reached. For each sex and race, the table contains the share of rows that the model rejects. For the
rejected rows, it contains the share without recourse (no valid counterfactual within 200 steps),
and the median cost, in module units, and median number of changed features of the others::

    python benchmarks/paper/burden.py
"""

import numpy as np
from experiment import main
from models import train
from protocol import recourse_constraints, split

from ctsk import ECCCoGenerator
from ctsk.datasets import fetch_adult
from ctsk.metrics import cost

N_STEPS = 200
TAU = 0.5


def explained(name, seed, step_size, model):
    """Return a model, the test rows, which of them it rejects, and the explanation of those."""
    favorable = fetch_adult().favorable
    data = split(name, seed)
    constraints = recourse_constraints(data.train[0])
    X, _ = data.test
    clf = train(name, seed, model, step_size=step_size, **constraints)
    refused = clf.predict(X) != favorable
    explanation = clf.explain(
        X[refused],
        favorable,
        generator=ECCCoGenerator(step_size=step_size, max_step=None),
        T=N_STEPS,
        tau=TAU,
    )
    return clf, X, refused, explanation


def outcome(name, seed, n_rounds, step_size):
    """Return the burden by model and group."""
    records = []
    for model in ("BL", "CT"):
        _, X, refused, explanation = explained(name, seed, step_size, model)
        moved, changed = cost(explanation), cost(explanation, norm="n_changed")
        for attribute in ("sex", "race"):
            for group in X[attribute].unique():
                mine = (X[attribute] == group).to_numpy()
                theirs = mine[refused]
                valid = theirs & explanation.valid
                records.append(
                    {
                        "model": model,
                        "group": group,
                        "rows": mine.sum(),
                        "refused": refused[mine].mean(),
                        "without recourse": 1 - explanation.valid[theirs].mean(),
                        "median cost": np.median(moved[valid]) if valid.any() else np.nan,
                        "median changes": np.median(changed[valid]) if valid.any() else np.nan,
                    }
                )
    return records


if __name__ == "__main__":
    quantities = ["rows", "refused", "without recourse", "median cost", "median changes"]
    main("burden", data=["adult"], others=(), keys=["model", "group"], quantities=quantities)
