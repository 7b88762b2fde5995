"""What is true of the models, and what of the search? Table III, Figure 6 and the baselines again.

The paper explains by ECCCo within 50 steps. Here, the same test rows are explained by "nearest",
which searches for the cheapest counterfactual, in as many rounds. The table contains the share of
rows that are predicted as their target ("validity"), the means over valid counterfactuals of IP,
IP* and the cost, and the reductions of IP and IP* relative to conventional training (BL).

The other columns describe 50 test rows, 25 of each predicted class, at the probability that the
search of the paper has to reach (0.95, and 0.5 with the protected feature immutable). They contain
the shares of rows for which ECCCo (mean over its five weights of the energy) and "nearest" reach
it; and for which, after at most two seconds of proof each, a counterfactual that reaches it is
known ("exists"), is proven not to exist ("impossible"), or neither ("open"). "optimal" is the share
whose cheapest counterfactual is proven. "impossible at 0.5" is the share of rows that are proven to
have no valid counterfactual at all. "ECCCo / nearest" is the median ratio of the costs of rows that
both searches reach, and "nearest / cheapest" that of rows whose optimum is proven. "IP5" is the
mean distance to the 5 nearest rows of the target class, over rows that both searches reach::

    python benchmarks/paper/cheapest.py
    python benchmarks/paper/cheapest.py --part PGD TRADES JEM augmented --seed 0
"""

import numpy as np
from experiment import main
from models import protection, train
from protocol import split
from rounds import ENERGIES, TAU, TAU_PROTECTED, T, compare, judge, take

from ctsk import ECCCoGenerator
from ctsk.metrics import nearest_neighbor_distance

# Number of rows of each predicted class that are proven, and the limit for each, in seconds.
N_PROVEN = 25
TIME_LIMIT = 2.0
MODELS = {
    "BL": ("BL", False),
    "CT": ("CT", False),
    "BL protected": ("BL", True),
    "CT protected": ("CT", True),
    **{variant: (variant, False) for variant in ("AR", "CD", "PGD", "TRADES", "JEM", "augmented")},
}
QUANTITIES = [
    *("validity", "IP", "IP* 5.0", "cost", "IP reduction", "IP* 5.0 reduction"),
    *("ECCCo", "nearest", "exists", "impossible", "open", "optimal", "impossible at 0.5"),
    *("ECCCo / nearest", "nearest / cheapest", "ECCCo IP5", "nearest IP5"),
]


def outcome(name, seed, n_rounds, step_size, model):
    """Return what the search and the proof find for one model."""
    variant, protected = MODELS[model]
    how = {"protected": protected, "step_size": step_size}
    settings = {**how, "n_rounds": n_rounds, "explainer": "nearest"}
    bl, rounds = judge(name, seed, "BL", **settings), judge(name, seed, variant, **settings)
    masked = protected if variant != "BL" else False
    clf = train(name, seed, variant, **{**how, "protected": masked})
    return [
        {
            "model": model,
            **rounds[["validity", "IP", "IP* 5.0", "cost"]].mean(),
            **{
                f"{measure} reduction": compare(bl, rounds, measure).get("reduction")
                for measure in ("IP", "IP* 5.0")
            },
            **proofs(clf, name, seed, step_size, protected),
        }
    ]


def proofs(clf, name, seed, step_size, protected):
    """Return what ECCCo, "nearest" and the proof find for a sample of test rows."""
    X, y = split(name, seed).test
    rows, target = sample(clf, X, seed)
    how = {
        "tau": TAU_PROTECTED if protected else TAU,
        "mutability": protection(name, protected),
    }
    common = {"step_size": step_size, "max_step": None, "lambda_cost": 0}
    eccco = [
        clf.explain(
            rows,
            target,
            generator=ECCCoGenerator(**common, lambda_energy=weight),
            T=T,
            **how,
        )
        for weight in ENERGIES
    ]
    nearest = clf.explain(rows, target, **how)
    proof = {"prove": True, "time_limit": TIME_LIMIT}
    proven = clf.explain(rows, target, **how, **proof)
    is_impossible = proven.proof == "impossible"
    # Rows that cannot reach a high probability may still be predicted as their target.
    unreached = np.flatnonzero(~proven.valid)
    n_invalid = 0
    if len(unreached):
        again = {**how, **proof, "tau": TAU_PROTECTED}
        lowered = clf.explain(take(rows, unreached), target[unreached], **again)
        n_invalid = (lowered.proof == "impossible").sum()
    is_optimal = proven.proof == "optimal"
    encoded = clf.encoder_.encode(X)
    by_class = {label: encoded[y == label] for label in clf.classes_}
    return {
        "ECCCo": np.mean([search.mature for search in eccco]),
        "nearest": nearest.mature.mean(),
        "exists": proven.mature.mean(),
        "impossible": is_impossible.mean(),
        "open": (~proven.mature & ~is_impossible).mean(),
        "optimal": is_optimal.mean(),
        "impossible at 0.5": n_invalid / len(proven),
        "ECCCo / nearest": mean(
            [median_ratio(search, nearest, search.mature & nearest.mature) for search in eccco]
        ),
        "nearest / cheapest": median_ratio(nearest, proven, nearest.mature & is_optimal),
        "ECCCo IP5": mean([local(search, nearest, by_class) for search in eccco]),
        "nearest IP5": mean([local(nearest, search, by_class) for search in eccco]),
    }


def sample(clf, X, seed):
    """Return test rows, equally many of each predicted class, and the other class of each."""
    predictions = clf.predict(X)
    order = np.random.default_rng([seed, 6]).permutation(len(X))
    idx = np.concatenate([order[predictions[order] == label][:N_PROVEN] for label in clf.classes_])
    other = np.where(predictions[idx] == clf.classes_[0], *clf.classes_[::-1])
    return take(X, idx), other


def mean(values):
    """Return the mean of the values that are not NaN, or NaN if all are."""
    known = [value for value in values if not np.isnan(value)]
    return np.mean(known) if known else np.nan


def median_ratio(search, other, rows):
    """Return the median of the ratio of two costs over some rows."""
    return np.median(search.cost[rows] / other.cost[rows]) if rows.any() else np.nan


def local(search, other, by_class):
    """Return the mean distance to the 5 nearest rows, over rows that both searches reach."""
    both = search.mature & other.mature
    distances = [
        nearest_neighbor_distance(
            search.counterfactual_encoded[both & (search.target == label)], rows
        )
        for label, rows in by_class.items()
        if (both & (search.target == label)).any()
    ]
    return np.concatenate(distances).mean() if distances else np.nan


if __name__ == "__main__":
    main(
        "cheapest",
        others=(),
        keys=["model"],
        quantities=QUANTITIES,
        parts=[(model,) for model in MODELS],
    )
