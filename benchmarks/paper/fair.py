"""What does counterfactual training gain at equal cost, and what do cheaper methods gain?

Each model is explained at ten probabilities, by the search for the cheapest counterfactual
("nearest") and by ECCCo with steps of at most 0.05. Measures are compared with those of the
conventional model of the best epoch at the median costs that this model pays for probabilities of
0.75 and 0.9, over test rows for which both models have a counterfactual (``equal_cost.py``)::

    python benchmarks/paper/fair.py --dataset moons
    python benchmarks/paper/fair.py --dataset heloc --seeds 0 1

"gain" is the reduction in percent of "IP5", the mean l1 distance to the 5 nearest training rows of
the target class, and of "IP", the mean distance to all of them. For "MMD", the discrepancy from
them, for the shares of counterfactuals that independent gradient-boosted trees ("transfer") and an
independent conventional net ("transfer to net") accept, and for "cost / optimum", it is the
difference from the conventional model. "empty" is the number of seeds for which the other model
never has the cost of the conventional one. "accuracy" is that of test rows. Controls, and rivals
whose sources compare or do not state weights, have the strongest setting that loses at most half a
point of validation accuracy ("within"); other rivals have the settings of their sources. If
treecf is installed, "boosted trees" are explained by its proven counterfactuals, which count as
"nearest".
"""

from functools import partial

import fair_models
import kept
import numpy as np
import pandas as pd
from equal_cost import TAUS, Curve, Measure, compare, mean_of
from experiment import main, over_seeds
from fair_models import rows_of
from protocol import HELOC, SYNTHETIC, TABULAR
from rivals.boosted_trees import BoostedTreesClassifier, is_available
from rounds import take
from sklearn.metrics import log_loss

from ctsk import ECCCoGenerator
from ctsk._torch.networks import MLP
from ctsk.metrics import implausibility, maximum_mean_discrepancy, nearest_neighbor_distance

# Test rows of each label that are explained, and those of them whose cheapest counterfactual is
# proven, within some seconds each.
N_EXPLAINED, N_PROVEN, TIME_LIMIT = 100, 5, 0.5
# Training rows of a class with which the discrepancy compares.
N_COMPARED = 1_000
# Largest change of a column in a step of ECCCo.
MAX_STEP = 0.05
KEYS = ["model", "search", "tau", "measure"]


def outcome(name, seed, n_rounds, step_size, model):
    """Compare one model with the conventional one."""
    if model == fair_models.TREES and name in fair_models.WITHOUT_TREES:
        return []
    clf, strength, is_within = fair_models.chosen(name, seed, model, step_size)
    reference, *_ = fair_models.chosen(name, seed, fair_models.REFERENCE, step_size)
    curves, others = (curves_of(name, seed, c, step_size) for c in (reference, clf))
    fitted, seconds = fair_models.fitted(name, seed, clf)
    X, y = rows_of(name, seed).test
    known = {"model": model, "strength": strength, "within": is_within, "seconds": seconds}
    known |= {"accuracy": fitted.score(X, y), "log loss": log_loss(y, fitted.predict_proba(X))}
    measures = measures_of(name, seed, fitted.encoder_)
    return [
        {**known, "search": search, **record}
        for search in others
        for record in compare(curves[search], others[search], measures)
    ]


def settings_of_outcome(name, seed, n_rounds, step_size, model):
    """Return what a stored outcome depends on, apart from the arguments."""
    method = fair_models.MODELS[model]
    compared = [(model, strength) for strength in method.grid] + [(fair_models.REFERENCE, 1)]
    described = [
        kept.description(fair_models.untrained(name, seed, *pair, step_size)) for pair in compared
    ]
    return described, _settings_of_curves(), N_COMPARED


def explained_rows(name, seed):
    """Return test rows, equally many of each label, and another label as the target of each."""
    X, y = rows_of(name, seed).test
    random = np.random.default_rng([seed, 7])
    order = random.permutation(len(y))
    classes = np.unique(y)
    idx = np.concatenate([order[y[order] == label][:N_EXPLAINED] for label in classes])
    # Labels are shifted by one to all of their number less one, so that none maps to itself.
    shifts = random.integers(1, len(classes), size=len(idx))
    targets = classes[(np.searchsorted(classes, y[idx]) + shifts) % len(classes)]
    return take(X, idx), targets


def observed_rows(name, seed, encoder):
    """Return the training rows of each class in module units."""
    X, y = rows_of(name, seed).train
    encoded = encoder.encode(X)
    return {label: encoded[y == label] for label in np.unique(y)}


def _settings_of_curves(*_):
    return fair_models.N_VALIDATION, TAUS, N_EXPLAINED, N_PROVEN, TIME_LIMIT, MAX_STEP


@kept.MODELS.cache(settings=_settings_of_curves)
def curves_of(name, seed, clf, step_size):
    """Return what both searches find under the model of a classifier, which is not fitted."""
    clf, _ = fair_models.fitted(name, seed, clf)
    X, targets = explained_rows(name, seed)
    optima = proven_costs(clf, X, targets)
    judges = fair_models.judges(name, seed, step_size)
    observed = observed_rows(name, seed, clf.encoder_)
    found = {}
    for optimum, tau in zip(optima, TAUS, strict=True):
        for search, explanation in explained(clf, X, targets, tau, step_size).items():
            found.setdefault(search, []).append(measured(explanation, optimum, judges, observed))
    return {search: stacked(parts) for search, parts in found.items()}


def explained(clf, X, targets, tau, step_size):
    """Return the explanations by both searches, or those of treecf as "nearest" for trees."""
    if isinstance(clf, BoostedTreesClassifier):
        return {"nearest": clf.explain(X, targets, tau=tau)}
    eccco = ECCCoGenerator(step_size=step_size, max_step=MAX_STEP)
    generators = {"nearest": "nearest", "ECCCo": eccco}
    return {
        search: clf.explain(X, targets, generator=generator, tau=tau)
        for search, generator in generators.items()
    }


def proven_costs(clf, X, targets):
    """Return the cost of the cheapest counterfactual at each tau, where it is proven, or NaN."""
    costs = np.full((len(TAUS), len(X)), np.nan)
    # Trees and other modules, such as an ensemble, have no proof of ours.
    if isinstance(clf, BoostedTreesClassifier) or not isinstance(clf.net_.module_, MLP):
        return costs
    idx = np.concatenate([np.flatnonzero(targets == t)[:N_PROVEN] for t in np.unique(targets)])
    for position, tau in enumerate(TAUS):
        proven = clf.explain(take(X, idx), targets[idx], tau=tau, prove=True, time_limit=TIME_LIMIT)
        is_optimal = proven.proof == "optimal"
        costs[position, idx[is_optimal]] = proven.cost[is_optimal]
    return costs


def measured(explanation, optimum, judges, observed):
    """Return the measurements of each row of an explanation, by their names."""
    encoded, targets = explanation.counterfactual_encoded, explanation.target
    nearest, distances = np.full((2, len(encoded)), np.nan)
    for label, rows in observed.items():
        is_target = targets == label
        if is_target.any():
            nearest[is_target] = nearest_neighbor_distance(encoded[is_target], rows)
            distances[is_target] = implausibility(encoded[is_target], rows)
    accepted = {
        name: (judge.predict(explanation.counterfactual) == targets).astype(float)
        for name, judge in judges.items()
    }
    # A row that is already predicted as its target has nothing to find.
    is_found = explanation.mature & ~explanation.already
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(is_found & (optimum > 0), explanation.cost / optimum, np.nan)
    values = {"IP5": nearest, "IP": distances, **accepted, "cost / optimum": ratio}
    return {"found": is_found, "cost": explanation.cost, "values": values, "encoded": encoded}


def stacked(parts):
    """Return the measurements at all probabilities as a curve."""
    names = parts[0]["values"]
    return Curve(
        np.stack([part["found"] for part in parts]),
        np.stack([part["cost"] for part in parts]),
        {name: np.stack([part["values"][name] for part in parts]) for name in names},
        np.stack([part["encoded"] for part in parts]).astype(np.float32),
    )


def measures_of(name, seed, encoder):
    """Return the measures of this question."""
    _, targets = explained_rows(name, seed)
    random = np.random.default_rng([seed, 8])
    compared = {
        label: rows[random.permutation(len(rows))[:N_COMPARED]]
        for label, rows in observed_rows(name, seed, encoder).items()
    }
    return {
        "IP5": Measure(mean_of("IP5"), True),
        "IP": Measure(mean_of("IP"), True),
        "MMD": Measure(partial(discrepancy, targets=targets, compared=compared), False),
        "transfer": Measure(mean_of("transfer"), False),
        "transfer to net": Measure(mean_of("transfer to net"), False),
        "cost / optimum": Measure(mean_of("cost / optimum"), False),
    }


def discrepancy(curve, position, rows, targets, compared):
    """Return the discrepancy between counterfactuals and training rows, as a mean over classes."""
    discrepancies = []
    for label, reference in compared.items():
        mine = rows[targets[rows] == label]
        # The estimate needs two rows.
        if len(mine) > 1:
            found = curve.encoded[position, mine].astype(float)
            discrepancies.append(max(maximum_mean_discrepancy(found, reference), 0.0))
    return np.mean(discrepancies) if discrepancies else np.nan


def table(by_seed, suffix):
    """Return means over seeds, with 95 % intervals of the gains, and the number of empty cells."""
    lines = []
    for (data, *key), runs in by_seed.groupby(["data", *KEYS], sort=False):
        spread = over_seeds(runs["gain"])
        known = {"data": data, **dict(zip(KEYS, key, strict=True))}
        known |= {"gain": spread["mean"], "from": spread["from"], "to": spread["to"]}
        known |= {"seeds": len(runs), "empty": int(runs["gain"].isna().sum())}
        means = runs[
            ["conventional", "other", "accuracy", "log loss", "strength", "seconds"]
        ].mean()
        lines.append({**known, **means, "within": runs["within"].all()})
    return pd.DataFrame(lines)


if __name__ == "__main__":
    models = [m for m in fair_models.MODELS if m != fair_models.TREES or is_available()]
    parts = [(model,) for model in models]
    data = (*SYNTHETIC, *TABULAR, *HELOC)
    main("fair", data=data, others=(), keys=KEYS, parts=parts)
