"""What is true of the models, and what of the search? Table III, Figure 6 and the baselines again.

The paper explains by ECCCo within 50 steps. Here, the rounds of the paper are explained by
"nearest", which searches for the cheapest counterfactual. The table contains the share of rows that
are predicted as their target ("validity"), the means over valid counterfactuals of IP, IP* and the
cost, and the reductions of IP and IP* relative to conventional training (BL). For 500 test rows
that are explained up to the decision, at a probability of 0.5, it contains the share of valid rows,
IP, the mean distance to the 5 nearest rows of the target class ("IP5") and the median cost.

The columns of "proof" describe 50 test rows, 25 of each predicted class, at the probability that
the search of the paper has to reach (0.95, and 0.5 with the protected feature immutable). They
contain the shares of rows for which ECCCo (mean over its five weights of the energy) and "nearest"
reach it; and for which, after at most one second of proof each, a counterfactual that reaches it is
known ("exists"), is proven not to exist ("impossible"), or neither ("open"). "optimal" is the share
whose cheapest counterfactual is proven. "impossible at 0.5" is the share of rows that are proven to
have no valid counterfactual at all. "ECCCo / nearest" is the median ratio of the costs of rows that
both searches reach, and "nearest / cheapest" that of rows whose optimum is proven. "ECCCo IP5" and
"nearest IP5" are means over rows that both searches reach::

    python benchmarks/paper/cheapest.py
    python benchmarks/paper/cheapest.py --part PGD TRADES JEM augmented --seed 0
"""

import numpy as np
from experiment import main
from models import protection, train
from protocol import split
from rounds import ENERGIES, TAU, TAU_PROTECTED, T, compare, judge, take

from ctsk import ECCCoGenerator
from ctsk.metrics import implausibility, nearest_neighbor_distance

MODELS = {
    "BL": ("BL", False),
    "CT": ("CT", False),
    "BL protected": ("BL", True),
    "CT protected": ("CT", True),
    **{variant: (variant, False) for variant in ("AR", "CD", "PGD", "TRADES", "JEM", "augmented")},
}
# Numbers of rows of each predicted class that are explained at the decision, and proven.
N_DECIDED, N_PROVEN = 250, 25
# Limit of the proof of a row, in seconds.
TIME_LIMIT = 1.0
DECISION = 0.5
QUANTITIES = [
    *("validity", "IP", "IP* 5.0", "cost", "IP reduction", "IP* 5.0 reduction"),
    *("decision validity", "decision IP", "decision IP5", "decision cost"),
    *("ECCCo", "nearest", "exists", "impossible", "open", "optimal", "impossible at 0.5"),
    *("ECCCo / nearest", "nearest / cheapest", "ECCCo IP5", "nearest IP5"),
]


def outcome(name, seed, n_rounds, step_size, model):
    """Return what the searches and the proof find for one model."""
    variant, protected = MODELS[model]
    how = {"protected": protected, "step_size": step_size}
    settings = {**how, "n_rounds": n_rounds, "explainer": "nearest"}
    bl, rounds = judge(name, seed, "BL", **settings), judge(name, seed, variant, **settings)
    masked = protected if variant != "BL" else False
    clf = train(name, seed, variant, **{**how, "protected": masked})
    X, y = split(name, seed).test
    encoded = clf.encoder_.encode(X)
    observed = {label: encoded[y == label] for label in clf.classes_}
    mutability = protection(name, protected)
    rows = sample(clf, X, seed, N_DECIDED)
    decided = clf.explain(*rows, tau=DECISION, mutability=mutability)
    found = decided[decided.valid]
    proven = proofs(
        clf,
        *sample(clf, X, seed, N_PROVEN),
        observed,
        step_size=step_size,
        tau=TAU_PROTECTED if protected else TAU,
        mutability=mutability,
    )
    reductions = {
        f"{measure} reduction": compare(bl, rounds, measure).get("reduction")
        for measure in ("IP", "IP* 5.0")
    }
    record = {
        "model": model,
        **rounds[["validity", "IP", "IP* 5.0", "cost"]].mean(),
        **reductions,
        "decision validity": decided.valid.mean(),
        "decision IP": distance(found, observed, implausibility),
        "decision IP5": distance(found, observed, nearest_neighbor_distance),
        "decision cost": np.median(found.cost) if len(found) else np.nan,
        **proven,
    }
    return [record]


def proofs(clf, rows, target, observed, *, step_size, tau, mutability):
    """Return what ECCCo, "nearest" and the proof find for some rows."""
    how = {"tau": tau, "mutability": mutability}
    common = {"step_size": step_size, "max_step": None, "lambda_cost": 0}
    by_eccco = [
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
    proven = clf.explain(rows, target, **how, prove=True, time_limit=TIME_LIMIT)
    is_impossible, is_optimal = proven.proof == "impossible", proven.proof == "optimal"
    pairs = [(eccco, eccco.mature & nearest.mature) for eccco in by_eccco]
    local = nearest_neighbor_distance
    return {
        "ECCCo": np.mean([eccco.mature for eccco in by_eccco]),
        "nearest": nearest.mature.mean(),
        "exists": proven.mature.mean(),
        "impossible": is_impossible.mean(),
        "open": (~proven.mature & ~is_impossible).mean(),
        "optimal": is_optimal.mean(),
        "impossible at 0.5": never_valid(clf, rows, target, proven.valid, mutability),
        "ECCCo / nearest": mean([median_ratio(eccco, nearest, both) for eccco, both in pairs]),
        "nearest / cheapest": median_ratio(nearest, proven, nearest.mature & is_optimal),
        "ECCCo IP5": mean([distance(eccco[both], observed, local) for eccco, both in pairs]),
        "nearest IP5": mean([distance(nearest[both], observed, local) for _, both in pairs]),
    }


def sample(clf, X, seed, n_rows):
    """Return test rows, equally many of each predicted class, and the other class of each."""
    predictions = clf.predict(X)
    order = np.random.default_rng([seed, 6]).permutation(len(X))
    idx = np.concatenate([order[predictions[order] == label][:n_rows] for label in clf.classes_])
    other = np.where(predictions[idx] == clf.classes_[0], *clf.classes_[::-1])
    return take(X, idx), other


def never_valid(clf, rows, target, valid, mutability):
    """Return the share of rows that are proven to have no valid counterfactual."""
    idx = np.flatnonzero(~valid)
    if not len(idx):
        return 0.0
    how = {"tau": DECISION, "mutability": mutability, "prove": True, "time_limit": TIME_LIMIT}
    return (clf.explain(take(rows, idx), target[idx], **how).proof == "impossible").sum() / len(
        rows
    )


def mean(values):
    """Return the mean of the values that are not NaN, or NaN if all are."""
    known = [value for value in values if not np.isnan(value)]
    return np.mean(known) if known else np.nan


def median_ratio(search, other, rows):
    """Return the median of the ratio of two costs over some rows."""
    return np.median(search.cost[rows] / other.cost[rows]) if rows.any() else np.nan


def distance(explanation, observed, measure):
    """Return the mean of a measure of implausibility, with rows of the targets in `observed`."""
    encoded = explanation.counterfactual_encoded
    by_class = [
        measure(encoded[explanation.target == label], rows)
        for label, rows in observed.items()
        if (explanation.target == label).any()
    ]
    return np.concatenate(by_class).mean() if by_class else np.nan


if __name__ == "__main__":
    parts = [(model,) for model in MODELS]
    main("cheapest", others=(), keys=["model"], quantities=QUANTITIES, parts=parts)
