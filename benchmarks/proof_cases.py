"""Random small models and rows, of which all admissible rows can be enumerated.

Nothing here uses the package's own constraints, grids or costs: what a cell may become and what
that costs is computed from the documentation alone. A number without a grid is enumerated on a
fine one, so that the cheapest row of the enumeration is an upper bound of the optimum; all other
enumerations are complete.
"""

import contextlib
import math
import random
import warnings
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from ctsk import CounterfactualTrainedClassifier
from ctsk.exceptions import UnknownValueWarning, UnobservedDomainWarning

N_TRAIN, N_ROWS = 60, 2
TAUS = (0.3, 0.5, 0.75, 0.95)
# Numbers between the ends of an open domain that an enumeration considers.
FARTHEST = 12.0
NUMERIC = ("steps", "whole", "bytes", "flag", "float", "float32", "gaps", "codes", "constant")
KINDS = (*NUMERIC, "words", "grades", "boolean", "dummies")
CODE = 3.0


@dataclass
class Feature:
    """One feature: its training cells, and what its cells may become.

    Parameters
    ----------
    name, kind : str
    data : Series, or DataFrame of the columns of dummies
    step : float or None
        Distance between two numbers that the column can hold; None for all numbers.
    numbers : tuple of float or None
        The only numbers that the column can hold, if there are two.
    categories : list or None
    special : tuple of float
    odd : list
        Cells other than those of the training rows that a factual may have.
    """

    name: str
    kind: str
    data: pd.Series
    step: float | None = None
    numbers: tuple | None = None
    categories: list | None = None
    special: tuple = ()
    odd: list = field(default_factory=list)

    @cached_property
    def amounts(self):
        """The numbers of the training rows that are neither missing nor special."""
        cells = self.data.to_numpy(dtype=float)
        return cells[~np.isnan(cells) & ~np.isin(cells, self.special)]

    def is_complete(self, word, domain):
        """Return whether all cells that a row may have are enumerated."""
        if word == "none" or self.categories is not None or self.numbers is not None:
            return True
        low, high = self._bounds(domain[0] if isinstance(domain, list) else domain)
        return low == high or (self.step is not None and -FARTHEST <= low <= high <= FARTHEST)

    def is_state(self, cell):
        """Return whether a cell of a number is missing or special."""
        return isinstance(cell, float) and (math.isnan(cell) or cell in self.special)

    def cells(self, own, word, domain):
        """Return the cells that a row with a cell of its own may have.

        Parameters
        ----------
        own : object
            The cell of the factual.
        word, domain : str, and "auto", None, pair or list
            Mutability and domain in force.
        """
        if word == "none":
            return [own]
        reach = self._categories if self.categories is not None else self._numbers
        others = [cell for cell in reach(own, word, domain) if not _are_equal(cell, own)]
        return [own, *others]

    def _categories(self, own, word, domain):
        observed = set(self.data.dropna()) if self.kind != "dummies" else set(self.categories)
        reached = observed if domain == "auto" else set(domain)
        cells = [category for category in self.categories if category in reached]
        if word == "both":
            return cells
        # A cell without a place in the order has no direction.
        if own not in self.categories:
            return []
        rank, sign = self.categories.index, 1 if word == "increase" else -1
        return [cell for cell in cells if (rank(cell) - rank(own)) * sign > 0]

    def _numbers(self, own, word, domain):
        listed = domain[1:] if isinstance(domain, list) else []
        pair = domain[0] if isinstance(domain, list) else domain
        if self.is_state(own) and word != "both":
            return []
        numbers = [number for number in self._held(pair) if number not in self.special]
        if word != "both":
            sign = 1 if word == "increase" else -1
            return [number for number in numbers if (number - own) * sign > 0]
        return [*numbers, *listed]

    def admits(self, own, cell, word, domain):
        """Return whether a row with a cell of its own may have another cell."""
        cells = self.cells(own, word, domain)
        if any(_are_equal(cell, other) for other in cells):
            return True
        pair = domain[0] if isinstance(domain, list) else domain
        is_fixed = word == "none" or (self.is_state(own) and word != "both")
        is_listed = self.categories is not None or self.numbers is not None
        if is_listed or is_fixed or self.is_state(cell):
            return False
        # A number between or beyond those that are enumerated.
        low, high = self._bounds(pair)
        is_right = word == "both" or (cell > own) == (word == "increase")
        is_held = self.kind != "float32" or float(np.float32(cell)) == cell
        is_held &= self.step is None or cell % self.step == 0
        return bool(low <= cell <= high and is_right and is_held)

    def _bounds(self, pair):
        """Return the ends of a domain; infinite on an open side."""
        if isinstance(pair, str):
            return float(self.amounts.min()), float(self.amounts.max())
        low, high = pair or (None, None)
        return -np.inf if low is None else low, np.inf if high is None else high

    def _held(self, pair):
        """Return numbers within a domain that the column can hold; finely if it holds all."""
        low, high = np.clip(self._bounds(pair), -FARTHEST, FARTHEST).tolist()
        if self.numbers is not None:
            return [number for number in self.numbers if low <= number <= high]
        if self.step is not None:
            first, last = math.ceil(low / self.step - 1e-9), math.floor(high / self.step + 1e-9)
            return [self.step * count for count in range(first, last + 1)]
        numbers = np.linspace(low, high, 41)
        if self.kind == "float32":
            numbers = numbers.astype(np.float32).astype(float)
        return [number for number in numbers.tolist() if low <= number <= high]

    def prices(self, own, cells, cost):
        """Return what each of some cells costs.

        A change of a number costs the distance times `cost`, and a change of category `cost`. To
        leave or reach a state costs a standard deviation, beside the distance from the mean. An
        unknown category is the average one.
        """
        if self.categories is not None:
            shares = self.data.value_counts(normalize=True) if self.kind != "dummies" else {}
            is_average = self.kind != "dummies" and own not in self.categories
            # A missing category is one of its own if the training rows contain any.
            is_average = is_average and not self.data.isna().any()
            missed = [1 - shares.get(cell, 0.0) if is_average else 1.0 for cell in cells]
            is_other = np.array([not _are_equal(cell, own) for cell in cells])
            return is_other * np.array(missed) * (1.0 if cost is None else cost)
        mean, scale = self.amounts.mean(), self.amounts.std() or 1.0
        cost = 1 / scale if cost is None else cost
        places = np.array([mean if self.is_state(cell) else cell for cell in cells])
        # A gap or a code that the training rows do not have is no state, but the mean.
        states = np.array([str(cell) if self._is_observed(cell) else "" for cell in cells])
        return cost * (np.abs(places - places[0]) + scale * (states != states[0]))

    def _is_observed(self, cell):
        observed = self.data.to_numpy(dtype=float)
        return self.is_state(cell) and bool(
            np.isnan(observed).any() if math.isnan(cell) else np.isin(cell, observed)
        )


def _are_equal(one, other):
    return one == other or (pd.isna(one) and pd.isna(other))


def random_feature(rng, name, kind):
    """Draw a feature of one kind."""
    n, draw = N_TRAIN, np.random.default_rng(rng.randrange(2**32))
    if kind == "words":
        words = ["a", "b", "c", "d"][: rng.randint(2, 4)]
        data = pd.Series(draw.choice(words, n), dtype=object)
        if rng.random() < 0.3:
            data = data.mask(draw.random(n) < 0.15)
        return Feature(
            name, kind, data, categories=sorted(data.dropna().unique()), odd=["new", None]
        )
    if kind == "grades":
        grades = pd.CategoricalDtype(["low", "mid", "high", "top"], ordered=True)
        data = pd.Series(draw.choice(grades.categories[:3], n)).astype(grades)
        return Feature(name, kind, data, categories=list(grades.categories), odd=["top", None])
    if kind == "boolean":
        return Feature(name, kind, pd.Series(draw.random(n) < 0.5), categories=[False, True])
    if kind == "dummies":
        codes = draw.permutation(np.arange(n) % 3)
        data = pd.DataFrame({f"{name}_{code}": (codes == code).astype(int) for code in range(3)})
        return Feature(name, kind, data, categories=[0, 1, 2])
    if kind == "constant":
        return Feature(name, kind, pd.Series(np.ones(n)), odd=[2.0, -1.0])
    if kind in ("float", "float32"):
        data = pd.Series(
            draw.normal(0, rng.choice([0.2, 1.0, 3.0]), n)
            .clip(-6, 6)
            .astype("float32" if kind == "float32" else "float64")
        )
        return Feature(name, kind, data, odd=[-8.0, 8.0, math.nan])
    return _random_grid(rng, draw, name, kind)


def _random_grid(rng, draw, name, kind):
    """Draw a feature of numbers with a grid."""
    n, odd = N_TRAIN, [-9.0, 9.0, 0.3, 2.75, math.nan]
    if kind == "flag":
        numbers = float(rng.choice([0, 1])), float(rng.choice([2, 4]))
        data = pd.Series(draw.choice(numbers, n))
        return Feature(name, kind, data, numbers=numbers, odd=odd)
    if kind in ("whole", "bytes"):
        data = pd.Series(draw.integers(0, 7, n), dtype="int64" if kind == "whole" else "int8")
        return Feature(name, kind, data, step=1.0, odd=[-4, 11])
    if kind == "codes":
        codes = (CODE, -1.0)[: rng.randint(1, 2)]
        data = pd.Series(draw.integers(0, 8, n).astype(float))
        data = data.where(data != CODE, 5.0)
        data = data.where(draw.random(n) > 0.25, draw.choice(codes, n))
        if rng.random() < 0.5:
            data = data.mask(draw.random(n) < 0.15)
        return Feature(name, kind, data, step=1.0, special=codes, odd=[*odd, CODE])
    step = rng.choice([0.5, 0.25])
    data = pd.Series((draw.normal(0, 1.2, n) / step).round() * step)
    if kind == "gaps":
        data = data.mask(draw.random(n) < 0.2)
    return Feature(name, kind, data, step=step, odd=odd)


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
        return sum(not _are_equal(own, cell) for own, cell in pairs)

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
    arguments = {
        "tau": rng.choice(TAUS),
        "target": rng.choice([None, *range(n_classes)]),
        # After few rounds, the nearest search leaves more to the proof.
        "T": rng.choice([1, 3, 30]),
        "sparse": rng.random() < 0.25,
        "max_changes": rng.choice([None, None, None, None, 1, 2]),
        "mutability": [_by_column(features, row) for row in words],
        "domain": [_by_column(features, row, is_domain=True) for row in domains],
    }
    costs = [None] * n_features
    if rng.random() < 0.4:
        costs = [rng.choice([None, 0.0, 0.2, 3.0]) for _ in features]
        arguments["feature_costs"] = {
            name: cost
            for feature, cost in zip(features, costs, strict=True)
            for name in _columns(feature)
            if cost is not None
        }
    names = {*kinds, f"{n_classes} classes", f"hidden {hidden}", f"tau {arguments['tau']}"}
    names |= {"sparse"} if arguments["sparse"] else set()
    names |= {"max_changes"} if arguments["max_changes"] else set()
    names |= {"feature_costs"} if "feature_costs" in arguments else set()
    return Case(clf, features, rows, words, domains, costs, arguments, ("all", *sorted(names)))


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
    observed = [code for code in feature.special if feature._is_observed(code)]
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
