"""Who bears the burden of recourse?

The models are trained on Adult with the constraints of ``fetch_adult``. Education can only
increase, its rank, which holds the same information, is immutable, and missing values cannot be
reached. For each sex and race, the table contains the share of rows that the model rejects. For the
rejected rows, it contains the share without recourse (no valid counterfactual within 200 steps of
ECCCo), and the median cost, in module units, and median number of changed features of the others.

It also contains what is true of the model, whatever ECCCo finds: the share of rejected rows for
which "nearest" finds no counterfactual, and, for 50 rejected rows of each group, the shares that
have recourse ("exists"), that have none ("impossible") and for which neither is known ("open"), the
share whose cheapest counterfactual is proven, and its median cost and mean number of changes. These
costs are `Explanation.cost`, in which a change of category counts 1 (2 in the others); "ECCCo /
nearest" is the median ratio of the two, over rows for which both find a counterfactual::

    python benchmarks/paper/burden.py
"""

import numpy as np
from experiment import main
from models import train
from protocol import recourse_constraints, split

from ctsk import ECCCoGenerator
from ctsk.datasets import fetch_adult
from ctsk.metrics import cost, recourse_summary

N_STEPS = 200
N_PROVEN = 50
TAU = 0.5


def outcome(name, seed, n_rounds, step_size):
    """Return the burden by model and group."""
    favorable = fetch_adult().favorable
    data = split(name, seed)
    constraints = recourse_constraints(data.train[0])
    X, _ = data.test
    records = []
    for model in ("BL", "CT"):
        clf = train(name, seed, model, step_size=step_size, **constraints)
        refused = clf.predict(X) != favorable
        rows = X[refused]
        generator = ECCCoGenerator(step_size=step_size, max_step=None)
        explanation = clf.explain(rows, favorable, generator=generator, T=N_STEPS, tau=TAU)
        nearest = clf.explain(rows, favorable, tau=TAU)
        moved, changed = cost(explanation), cost(explanation, norm="n_changed")
        for attribute in ("sex", "race"):
            proven = proofs(clf, rows, favorable, attribute, seed)
            for group in X[attribute].unique():
                mine = (X[attribute] == group).to_numpy()
                theirs = mine[refused]
                valid = theirs & explanation.valid
                both = valid & nearest.valid
                records.append(
                    {
                        "model": model,
                        "group": group,
                        "rows": mine.sum(),
                        "refused": refused[mine].mean(),
                        "without recourse": 1 - explanation.valid[theirs].mean(),
                        "median cost": np.median(moved[valid]) if valid.any() else np.nan,
                        "median changes": np.median(changed[valid]) if valid.any() else np.nan,
                        "nearest without": 1 - nearest.valid[theirs].mean(),
                        "nearest cost": np.median(nearest.cost[theirs & nearest.valid]),
                        "ECCCo / nearest": np.median(explanation.cost[both] / nearest.cost[both]),
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
    is_optimal = (explanation.proof == "optimal").astype(float)
    groups = sample[attribute].to_numpy()
    return {
        group: {
            "proven rows": line["n_rows"],
            "exists": line["found"],
            "impossible": line["impossible"],
            "open": line["open"],
            "optimal": is_optimal[groups == group].mean(),
            "proven cost": line["cost"],
            "proven changes": line["n_changes"],
        }
        for group, line in summary.iterrows()
    }


if __name__ == "__main__":
    quantities = [
        *("rows", "refused", "without recourse", "median cost", "median changes"),
        *("nearest without", "nearest cost", "ECCCo / nearest", "proven rows", "exists"),
        *("impossible", "open", "optimal", "proven cost", "proven changes"),
    ]
    main("burden", data=["adult"], others=(), keys=["model", "group"], quantities=quantities)
