"""Random small models and rows, of which all admissible rows can be enumerated.

If a feature may hold any number, the cheapest row of the enumeration is an upper bound of the
optimum; see `proof_features`.
"""

import contextlib
import math
import random
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from proof_features import KINDS, N_TRAIN, are_equal, random_feature

from ctsk import CounterfactualTrainedClassifier
from ctsk.exceptions import UnknownValueWarning, UnobservedDomainWarning

N_ROWS = 2
TAUS = (0.3, 0.5, 0.75, 0.95)


@dataclass
class Case:
    """A fitted model, rows to explain, and the arguments of `explain`.

    Parameters
    ----------
    clf : CounterfactualTrainedClassifier
    features : list of Feature
    rows : DataFrame
    words, domains : list of list
        Mutability and domain in force, by row and feature.
    costs : list of float or None
        Cost of each feature; None for the default.
    arguments : dict
        Keyword arguments of `explain`.
    kinds : tuple of str
        What the benchmark counts.
    """

    clf: CounterfactualTrainedClassifier
    features: list
    rows: pd.DataFrame
    words: list
    domains: list
    costs: list
    arguments: dict
    kinds: tuple

    def own_cells(self, position):
        """Return the cells of a factual by feature."""
        return self.cells_of(self.rows, position)

    def cells_of(self, rows, position):
        """Return the cells of a row of a frame by feature."""
        cells = []
        for feature in self.features:
            if feature.kind == "dummies":
                codes = rows[list(feature.data.columns)].iloc[position]
                cells.append(int(codes.to_numpy().argmax()))
                continue
            cell = rows[feature.name].iloc[position]
            missing = math.nan if feature.categories is None else None
            cells.append(missing if pd.isna(cell) else cell)
            if feature.categories is None:
                cells[-1] = float(cells[-1])
        return cells

    def of_features(self, position):
        """Yield feature, own cell, mutability, domain and cost of each feature of a factual."""
        words, domains = self.words[position], self.domains[position]
        yield from zip(
            self.features, self.own_cells(position), words, domains, self.costs, strict=True
        )

    def admits(self, position, cells):
        """Return whether the constraints of a factual admit cells."""
        features = zip(self.of_features(position), cells, strict=True)
        return all(f.admits(own, cell, *limits) for (f, own, *limits, _), cell in features)

    def cost(self, position, cells):
        """Return what the cells of a row cost."""
        features = zip(self.of_features(position), cells, strict=True)
        return sum(f.prices(own, [own, cell], cost)[1] for (f, own, *_, cost), cell in features)

    def n_changes(self, position, cells):
        """Return how many features of a row have changed."""
        pairs = zip(self.own_cells(position), cells, strict=True)
        return sum(not are_equal(own, cell) for own, cell in pairs)

    def enumerate(self, position):
        """Return all admissible rows of a factual, what they cost, and how many features change."""
        options, prices = [], []
        for feature, own, word, domain, cost in self.of_features(position):
            options.append(feature.cells(own, word, domain))
            prices.append(feature.prices(own, options[-1], cost))
        codes = [codes.ravel() for codes in np.meshgrid(*map(np.arange, map(len, options)))]
        frame = {}
        for feature, cells, code in zip(self.features, options, codes, strict=True):
            if feature.kind == "dummies":
                for number, name in enumerate(feature.data.columns):
                    frame[name] = pd.Series(np.array(cells)[code] == number).astype(int)
            else:
                dtype = self.rows[feature.name].dtype
                frame[feature.name] = (
                    pd.Series(cells, dtype=dtype).take(code).reset_index(drop=True)
                )
        costs = sum(price[code] for price, code in zip(prices, codes, strict=True))
        n_changes = sum(code > 0 for code in codes)
        return pd.DataFrame(frame)[list(self.rows.columns)], costs, n_changes

    def is_complete(self, position):
        """Return whether the enumeration of a factual holds all admissible rows."""
        features = self.of_features(position)
        return all(feature.is_complete(*limits) for feature, _, *limits, _ in features)


def random_case(seed):
    """Return the random case of a seed."""
    rng = random.Random(seed)
    n_features = rng.randint(2, 3)
    kinds = [rng.choice(KINDS) for _ in range(n_features)]
    # Too many rows to enumerate.
    while sum(kind in ("float", "float32") for kind in kinds) > 2 or set(kinds) == {"constant"}:
        kinds = [rng.choice(KINDS) for _ in range(n_features)]
    features = [random_feature(rng, f"f{i}", kind) for i, kind in enumerate(kinds)]
    n_classes, hidden = rng.choice([2, 2, 3]), rng.choice([(6,), (6,), (5, 4), ()])
    clf = _random_model(rng, features, n_classes, hidden)
    rows = _random_rows(rng, features)
    words, domains = (
        [[draw(rng, feature) for feature in features] for _ in range(N_ROWS)]
        for draw in (_random_word, _random_domain)
    )
    if rng.random() < 0.6:
        words, domains = [words[0]] * N_ROWS, [domains[0]] * N_ROWS
    costs = [None] * n_features
    if rng.random() < 0.4:
        costs = [rng.choice([None, 0.0, 0.2, 3.0]) for _ in features]
    arguments = _random_arguments(rng, features, n_classes, costs)
    arguments["mutability"] = [_by_column(features, row) for row in words]
    arguments["domain"] = [_by_column(features, row, is_domain=True) for row in domains]
    names = {*kinds, f"{n_classes} classes", f"hidden {hidden}", f"tau {arguments['tau']}"}
    names |= {"sparse"} if arguments["sparse"] else set()
    names |= {"max_changes"} if arguments["max_changes"] else set()
    names |= {"feature_costs"} if "feature_costs" in arguments else set()
    return Case(clf, features, rows, words, domains, costs, arguments, ("all", *sorted(names)))


def _random_arguments(rng, features, n_classes, costs):
    """Draw the arguments of `explain` other than constraints."""
    arguments = {
        "tau": rng.choice(TAUS),
        "target": rng.choice([None, *range(n_classes)]),
        # After few rounds, the nearest search leaves more to the proof.
        "T": rng.choice([1, 3, 30]),
        "sparse": rng.random() < 0.25,
        "max_changes": rng.choice([None, None, None, None, 1, 2]),
    }
    by_column = {
        name: cost
        for feature, cost in zip(features, costs, strict=True)
        for name in _columns(feature)
        if cost is not None
    }
    return {**arguments, "feature_costs": by_column} if by_column else arguments


def _random_model(rng, features, n_classes, hidden):
    """Fit a model for a few epochs, and scale its weights, so that it is no trivial one."""
    X = pd.concat([feature.data for feature in features], axis=1)
    X.columns = [name for feature in features for name in _columns(feature)]
    draw = np.random.default_rng(rng.randrange(2**32))
    codes = [
        feature.data.iloc[:, 0] if feature.kind == "dummies" else feature.data
        for feature in features
    ]
    codes = np.column_stack([pd.factorize(code, sort=True)[0] for code in codes]).astype(float)
    scores = np.sin(codes @ draw.normal(size=codes.shape[1])) + 0.2 * draw.normal(size=len(X))
    y = scores.argsort().argsort() * n_classes // len(X)
    settings = {
        "one_hot_groups": [list(f.data.columns) for f in features if f.kind == "dummies"],
        "special_values": {f.name: list(f.special) for f in features if f.special},
        "resolution": {
            f.name: None if f.step is None else f.step for f in features if _has_step(f)
        },
    }
    clf = CounterfactualTrainedClassifier(
        hidden,
        activation=rng.choice(["relu", "relu", "identity"]),
        lambda_div=0,
        lambda_adv=0,
        lambda_reg=0,
        lr=0.03,
        max_epochs=rng.choice([1, 5, 20]),
        random_state=rng.randrange(2**16),
        **settings,
    ).fit(X, y)
    with torch.no_grad():
        factor = rng.choice([1.5, 3.0, 6.0])
        for weights in clf.net_.module_.parameters():
            weights.mul_(factor)
    return clf


def _has_step(feature):
    return feature.kind in ("steps", "gaps", "codes", "float", "float32", "constant")


def _columns(feature):
    return list(feature.data.columns) if feature.kind == "dummies" else [feature.name]


def _random_rows(rng, features):
    """Draw training rows, a few cells of which are replaced by odd ones."""
    positions = [rng.randrange(N_TRAIN) for _ in range(N_ROWS)]
    columns = {}
    for feature in features:
        cells = feature.data.iloc[positions].reset_index(drop=True)
        if feature.kind == "dummies":
            columns |= dict(cells.items())
            continue
        for position in range(N_ROWS):
            if feature.odd and rng.random() < 0.25:
                cells[position] = rng.choice(feature.odd)
        columns[feature.name] = cells.astype(feature.data.dtype)
    return pd.DataFrame(columns)


def _random_word(rng, feature):
    if feature.categories is not None and feature.kind not in ("grades", "boolean"):
        return rng.choice(["both"] * 5 + ["none"])
    return rng.choice(["both"] * 5 + ["increase", "decrease", "none"])


def _random_domain(rng, feature):
    """Draw a domain that holds at least one training value."""
    if rng.random() < 0.6 or feature.kind == "dummies":
        return "auto"
    if feature.categories is not None:
        reached = [c for c in feature.categories if rng.random() < 0.6]
        return reached or feature.categories[:1]
    inner = float(rng.choice(feature.amounts.tolist()))
    low, high = inner - rng.choice([0.0, 0.8, 3.0]), inner + rng.choice([0.0, 0.8, 3.0])
    pair = rng.choice([None, (None, high), (low, None), (low, high), (low, high), (low, high)])
    observed = [code for code in feature.special if feature.is_observed(code)]
    listed = [code for code in observed if rng.random() < 0.5]
    return [rng.choice(["auto", pair or "auto"]), *listed] if listed else pair


def _by_column(features, entries, *, is_domain=False):
    """Return the entries of features as a dict by column."""
    return {
        name: entry
        for feature, entry in zip(features, entries, strict=True)
        for name in _columns(feature)
        if not (is_domain and feature.kind == "dummies")
    }


@contextlib.contextmanager
def expected_warnings():
    """Suppress the warnings of odd cells."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownValueWarning)
        warnings.simplefilter("ignore", UnobservedDomainWarning)
        yield


def explained(case):
    """Return the explanation of a case with proof."""
    with expected_warnings():
        return case.clf.explain(case.rows, prove=True, **case.arguments)
