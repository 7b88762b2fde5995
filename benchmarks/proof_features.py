"""Random features of every kind, and what their cells may become at what cost.

Nothing here uses the package's own constraints, grids or costs: these are computed from the
documentation alone. A number without a grid is enumerated on a fine one; all other enumerations
are complete.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

N_TRAIN = 60
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
        others = [cell for cell in reach(own, word, domain) if not are_equal(cell, own)]
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
        if any(are_equal(cell, other) for other in cells):
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
            is_other = np.array([not are_equal(cell, own) for cell in cells])
            return is_other * np.array(missed) * (1.0 if cost is None else cost)
        mean, scale = self.amounts.mean(), self.amounts.std() or 1.0
        cost = 1 / scale if cost is None else cost
        places = np.array([mean if self.is_state(cell) else cell for cell in cells])
        # A gap or a code that the training rows do not have is no state, but the mean.
        states = np.array([str(cell) if self.is_observed(cell) else "" for cell in cells])
        return cost * (np.abs(places - places[0]) + scale * (states != states[0]))

    def is_observed(self, cell):
        """Return whether a cell is a gap or a code, and in the training rows, too."""
        observed = self.data.to_numpy(dtype=float)
        return self.is_state(cell) and bool(
            np.isnan(observed).any() if math.isnan(cell) else np.isin(cell, observed)
        )


def are_equal(one, other):
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
