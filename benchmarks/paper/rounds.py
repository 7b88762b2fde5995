"""The paper's evaluation: in each round, test rows are drawn, explained and measured."""

import kept
import numpy as np
import pandas as pd
from models import STEP_SIZE, protection, settings, train
from protocol import PROTOCOLS, split
from sklearn.metrics.pairwise import euclidean_distances

from ctsk import ECCCoGenerator, GenericGenerator, NearestGenerator, REVISEGenerator
from ctsk.metrics import implausibility, maximum_mean_discrepancy

N_ROUNDS = 100
ENERGIES = (0.1, 0.5, 1, 5, 10)
T = 50
# Probabilities at which a search stops: by default, and with protected features, where the cost is
# measured.
TAU, TAU_PROTECTED = 0.95, 0.5
# Number of target rows with which the discrepancy compares, as in the authors' code.
N_COMPARED = 100
_N_FOR_MEDIAN = 1_000
PLAUSIBILITY = ("IP", "IP* 0.5", "IP* 5.0", "IP* median")
MEASURES = (*PLAUSIBILITY, "cost", "validity")


def _settings(name, seed, variant, *, protected=False, step_size=STEP_SIZE, **parameters):
    """Return the parameters of the model that `judge` measures, and those of its searches."""
    parameters = {n: v for n, v in parameters.items() if n not in ("n_rounds", "explainer", "part")}
    how = {"protected": protected, "step_size": step_size, **parameters}
    return settings(name, seed, variant, **how), ENERGIES, T, TAU, TAU_PROTECTED, N_COMPARED


@kept.MODELS.cache(settings=_settings)
def judge(
    name,
    seed,
    variant,
    *,
    protected=False,
    n_rounds=N_ROUNDS,
    step_size=STEP_SIZE,
    explainer="eccco",
    part="test",
    **parameters,
):
    """Measure the explanations of a model of `models.train`, round by round.

    Parameters
    ----------
    name, seed, variant, step_size, **parameters
        See `models.train`.
    protected : bool or tuple
        Features that are immutable both in training and in the explanations; see `models.train`.
    n_rounds : int
    explainer : {"eccco", "generic", "revise", "nearest"}
        Generator of the explanations. ECCCo runs five searches, one for each weight of the energy.
        The step of REVISE is a step in its latent space. The paper does not have "nearest", which
        searches for the cheapest counterfactuals until their cost no longer decreases.
    part : {"test", "train"}
        Rows to draw and to compare with.

    Returns
    -------
    rounds : DataFrame of n_rounds rows
        The classes "factual" and "target"; "validity"; and "IP", "IP* 0.5", "IP* 5.0",
        "IP* median" and "cost", which are means over valid counterfactuals and then over searches.
    """
    # Conventional training ignores constraints, so one model serves all of them.
    masked = protected if variant != "BL" else False
    clf = train(name, seed, variant, protected=masked, step_size=step_size, **parameters)
    data = split(name, seed)
    X, y = getattr(data, part)
    drawn = draw(clf, X, seed, n_rounds, PROTOCOLS[name].n_rows)
    asked = [np.column_stack([rows, np.full(len(rows), target)]) for _, target, rows in drawn]
    pairs, places = np.unique(np.concatenate(asked), axis=0, return_inverse=True)
    places = np.split(places.ravel(), np.cumsum([len(part) for part in asked])[:-1])
    observed = Observed(clf.encoder_.encode(X), y, seed)
    searches = [
        observed.measure(
            clf.explain(
                take(X, pairs[:, 0]),
                clf.classes_[pairs[:, 1]],
                generator=generator,
                T=None if explainer == "nearest" else T,
                tau=TAU_PROTECTED if protected else TAU,
                mutability=protection(name, protected),
                X_reference=data.train[0] if generator.must_learn else None,
            )
        )
        for generator in _generators(explainer, step_size)
    ]
    return pd.DataFrame(
        {
            "factual": clf.classes_[factual],
            "target": clf.classes_[target],
            **_mean([search.of_round(place, clf.classes_[target]) for search in searches]),
        }
        for (factual, target, _), place in zip(drawn, places, strict=True)
    )


def _generators(explainer, step_size):
    if explainer == "nearest":
        return [NearestGenerator()]
    common = {"step_size": step_size, "max_step": None, "lambda_cost": 0}
    if explainer == "generic":
        return [GenericGenerator(**common)]
    if explainer == "revise":
        return [REVISEGenerator(**common)]
    return [ECCCoGenerator(**common, lambda_energy=weight) for weight in ENERGIES]


def compare(conventional, other, measure):
    """Compare the measurements of a model with those of the conventional model.

    Returns
    -------
    comparison : dict
        "BL" and "other", the means over rounds; "reduction", that of the other model relative to BL
        in percent; "error", the standard deviation over rounds of the ratio in percent; "low" and
        "high", the 99 % interval over rounds of the difference to BL; and "star", whether this
        interval excludes zero.
    """
    bl, mine = conventional[measure].to_numpy(), other[measure].to_numpy()
    both = ~np.isnan(bl) & ~np.isnan(mine)
    if not both.any():
        return {"measure": measure}
    bl, mine = bl[both], mine[both]
    low, high = np.quantile(mine - bl, [0.005, 0.995])
    return {
        "measure": measure,
        "BL": bl.mean(),
        "other": mine.mean(),
        "reduction": 100 * (1 - mine.mean() / bl.mean()) if bl.any() else np.nan,
        "error": 100 * (mine[bl > 0] / bl[bl > 0]).std(),
        "low": low,
        "high": high,
        "star": not low <= 0 <= high,
    }


def draw(clf, X, seed, n_rounds, n_rows):
    """Draw, for each round, two classes and rows that the model predicts as the first one.

    For the same seed, the classes and the positions among the eligible rows are the same for all
    models.

    Returns
    -------
    rounds : list of (int, int, ndarray of shape (n_rows,))
        Factual and target class, as positions in ``clf.classes_``, and positions of rows of X.
    """
    rng = np.random.default_rng([seed, 1])
    predictions = np.searchsorted(clf.classes_, clf.predict(X))
    rounds = []
    for _ in range(n_rounds):
        factual, target = rng.permutation(len(clf.classes_))[:2]
        shares = rng.random(n_rows)
        rows = np.flatnonzero(predictions == factual)
        drawn = rows[(shares * len(rows)).astype(int)] if len(rows) else rows
        rounds.append((factual, target, drawn))
    return rounds


def take(X, rows):
    """Return the selected rows of a DataFrame or an array."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


class Observed:
    """Rows in module units with which counterfactuals are compared."""

    def __init__(self, rows, y, seed):
        rng = np.random.default_rng([seed, 2])
        sample = rows[rng.permutation(len(rows))[:_N_FOR_MEDIAN]]
        distances = euclidean_distances(sample)[np.triu_indices(len(sample), k=1)]
        self.length_scales = {"0.5": 0.5, "5.0": 5.0, "median": float(np.median(distances))}
        self.by_class = {label: rows[y == label] for label in np.unique(y)}
        self.compared = {
            label: mine[rng.permutation(len(mine))[:N_COMPARED]]
            for label, mine in self.by_class.items()
        }

    def measure(self, explanation):
        """Return the measurements of each counterfactual."""
        rows = explanation.counterfactual_encoded
        distances = np.full(len(rows), np.nan)
        for label, mine in self.by_class.items():
            found = explanation.valid & (explanation.target == label)
            if found.any():
                distances[found] = implausibility(rows[found], mine)
        moves = np.abs(rows - explanation.factual_encoded).sum(axis=1)
        return _Search(rows, explanation.valid, distances, moves, self)


class _Search:
    """Outcome of one search for all rows that any round draws."""

    def __init__(self, rows, valid, distances, moves, observed):
        self.rows, self.valid, self.distances, self.moves = rows, valid, distances, moves
        self.observed = observed

    def of_round(self, place, target):
        """Return the measurements of one round."""
        valid = place[self.valid[place]]
        known = dict.fromkeys(MEASURES, np.nan)
        known |= {"validity": self.valid[place].mean() if len(place) else np.nan}
        if len(valid):
            known |= {"IP": self.distances[valid].mean(), "cost": self.moves[valid].mean()}
        if len(valid) > 1:
            compared = self.observed.compared[target]
            for title, length_scale in self.observed.length_scales.items():
                mmd = maximum_mean_discrepancy(
                    self.rows[valid], compared, length_scale=length_scale
                )
                known[f"IP* {title}"] = max(mmd, 0.0)
        return known


def _mean(measures):
    """Return the mean over the searches that found valid counterfactuals."""
    return pd.DataFrame(measures).mean().to_dict()
