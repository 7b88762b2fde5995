"""Who has recourse, whatever ECCCo finds?

The models, rows and constraints are those of ``burden.py``. The table contains the shares of
rejected rows for which ECCCo finds no counterfactual within 200 steps, and for which the search for
the cheapest one ("nearest") finds none; the median cost of the latter search; and "ECCCo /
nearest", the median ratio of the costs of rows for which both find one. For 50 rejected rows of
each group (or all, if there are fewer), it contains the share that has recourse ("exists"), that is
proven to have none ("impossible") and for which neither is known ("open"); the share whose cheapest
counterfactual is proven ("optimal"); and its median cost and mean number of changed features. Costs
are `Explanation.cost`, in which a change of category counts 1 (2 in ``burden.py``)::

    python benchmarks/paper/recourse_proven.py
"""

import numpy as np
from burden import TAU, explained
from experiment import main

from ctsk.datasets import fetch_adult
from ctsk.metrics import recourse_summary

N_PROVEN = 50


def outcome(name, seed, n_rounds, step_size):
    """Return by model and group what the searches find and what is proven."""
    favorable = fetch_adult().favorable
    records = []
    for model in ("BL", "CT"):
        clf, X, refused, eccco = explained(name, seed, step_size, model)
        rows = X[refused]
        nearest = clf.explain(rows, favorable, tau=TAU)
        for attribute in ("sex", "race"):
            proven = proofs(clf, rows, favorable, attribute, seed)
            for group in X[attribute].unique():
                mine = (rows[attribute] == group).to_numpy()
                both = mine & eccco.valid & nearest.valid
                records.append(
                    {
                        "model": model,
                        "group": group,
                        "ECCCo finds none": 1 - eccco.valid[mine].mean(),
                        "nearest finds none": 1 - nearest.valid[mine].mean(),
                        "nearest cost": np.median(nearest.cost[mine & nearest.valid]),
                        "ECCCo / nearest": np.median(eccco.cost[both] / nearest.cost[both]),
                        **proven[group],
                    }
                )
    return records


def proofs(clf, rows, favorable, attribute, seed):
    """Return what is proven of some rejected rows of each group, as a dict by group."""
    rng = np.random.default_rng([seed, 5])
    shuffled = rows.iloc[rng.permutation(len(rows))]
    sample = shuffled.groupby(attribute, sort=False, observed=True).head(N_PROVEN)
    explanation = clf.explain(sample, favorable, tau=TAU, prove=True)
    summary = recourse_summary(explanation, attribute)
    groups = sample[attribute].to_numpy()
    return {
        group: {
            "rows proven": line["n_rows"],
            "exists": line["found"],
            "impossible": line["impossible"],
            "open": line["open"],
            "optimal": (explanation.proof[groups == group] == "optimal").mean(),
            "cheapest cost": line["cost"],
            "cheapest changes": line["n_changes"],
        }
        for group, line in summary.iterrows()
    }


if __name__ == "__main__":
    quantities = [
        *("ECCCo finds none", "nearest finds none", "nearest cost", "ECCCo / nearest"),
        *("rows proven", "exists", "impossible", "open", "optimal"),
        *("cheapest cost", "cheapest changes"),
    ]
    keys = ["model", "group"]
    main("recourse_proven", data=["adult"], others=(), keys=keys, quantities=quantities)
