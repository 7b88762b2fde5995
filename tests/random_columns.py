"""Random columns of every kind, and rows to explain whose cells may be absent from training rows.

A column holds what a user knows of it: its cells in the training rows, its categories, its
special values and its resolution. Its grid and its range are recomputed here from these alone.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, reduce
from math import gcd

import numpy as np
import pandas as pd

NUMERIC = ("float64", "float32", "int64", "int8", "Int64", "Float32")
CATEGORICAL = ("bool", "boolean", "category", "ordered", "str", "object")
# What scikit-learn's encoders accept: neither nullable booleans nor text among numbers.
ENCODABLE = (*NUMERIC, "bool", "category", "ordered", "str")
SHAPES = ("real", "real", "whole", "flag", "steps")
SPECIAL_VALUES = (-9.0, -8.0, -7.0)
STEPS = (0.01, 0.5, 100)
NOVEL_WORD, NOVEL_CODE = "novel", 5.5
# What columns and rows may hold in addition to ordinary cells of training rows.
EVERYTHING = frozenset(
    {
        "gaps",
        "empty columns",
        "integers as floats",
        "special values",
        "resolutions",
        "unknown categories",
        "outside",
    }
)
LEAST_DISTINCT = 20


@dataclass(frozen=True)
class Column:
    """One column of the rows that a model is trained on."""

    name: str
    data: pd.Series
    # What the benchmark counts: "whole floats", "flags", "gaps", ...
    kinds: tuple = ()
    # In their order; with the unobserved categories, but without the missing one.
    categories: list | None = None
    ordered: bool = False
    # Numbers that are not amounts; the training rows need not hold any of them.
    special: tuple = ()
    # A step, None for no grid, or "auto" for the step of the training amounts.
    resolution: object = "auto"
    # The number of the group of dummies that the column belongs to.
    group: int | None = None

    @cached_property
    def amounts(self):
        """The numbers of the training rows that are neither missing nor special."""
        numbers = self.data.to_numpy(dtype=float, na_value=np.nan)
        return numbers[~np.isnan(numbers) & ~np.isin(numbers, self.special)]

    @cached_property
    def observed_special(self):
        numbers = self.data.to_numpy(dtype=float, na_value=np.nan)
        return tuple(value for value in self.special if (numbers == value).any())

    @cached_property
    def range(self):
        """The observed range, which is empty if no training row holds an amount."""
        return self.amounts.min(initial=np.inf), self.amounts.max(initial=-np.inf)

    @cached_property
    def is_integral(self):
        return pd.api.types.is_integer_dtype(self.data.dtype)

    @cached_property
    def pair(self):
        """The two values of a column whose training amounts have no others; else None."""
        distinct = set(self.amounts.tolist())
        return distinct if self.resolution == "auto" and len(distinct) == 2 else None

    @cached_property
    def step(self):
        """The step whose multiples the column holds, as a Fraction; None without one."""
        if isinstance(self.resolution, (int, float)):
            step = Fraction(repr(self.resolution))
        else:
            step = common_step(self.amounts, self.precision) if self.resolution else None
        # A column of integers holds no other numbers.
        return step or (Fraction(1) if self.is_integral else None)

    @property
    def precision(self):
        """The floating-point type whose numbers the column holds."""
        return precision_of(self.data.dtype)

    @property
    def has_grid(self):
        return self.group is not None or bool(self.pair or self.step)

    def may_hold(self, number, dtype):
        """Return whether a number is on the column's grid, exactly."""
        if self.group is not None:
            return number in (0, 1)
        if (self.is_integral or dtype.kind in "iu") and number % 1 != 0:
            return False
        if self.pair:
            return number in self.pair
        if not self.step:
            return True
        # The decimal nearest to the number, rounded to a float once, is the number itself.
        multiple = round(Fraction(number) / self.step) * self.step
        return float(precision_of(dtype)(float(multiple))) == number


def precision_of(dtype):
    """Return the floating-point type of NumPy for a dtype, which may be one of pandas."""
    return np.float32 if str(dtype).lower() == "float32" else np.float64


def common_step(amounts, precision):
    """Return the largest of 1, 2, 5 times a power of ten that divides all amounts, or None.

    Fewer than 20 distinct amounts show no other step than that of whole numbers, and one
    shows none.
    """
    # Sums of decimals miss the decimal by a few units in the last place.
    digits = 6 if precision is np.float32 else 12
    decimals = [Decimal(f"{amount:.{digits}g}") for amount in amounts]
    errors = np.abs(np.array([float(decimal) for decimal in decimals]) - amounts)
    if (errors > 4 * np.spacing(np.abs(amounts).astype(precision))).any():
        return None
    if len(set(decimals)) < LEAST_DISTINCT:
        is_whole = len(set(decimals)) > 1 and all(decimal % 1 == 0 for decimal in decimals)
        return Fraction(1) if is_whole else None
    divisor = reduce(_common_divisor, map(Fraction, decimals), Fraction(0))
    candidates = [Fraction(10) ** e * factor for e in range(-9, 9) for factor in (1, 2, 5)]
    return max(step for step in candidates if divisor % step == 0)


def _common_divisor(a, b):
    """Return the greatest common divisor of two fractions."""
    return Fraction(
        gcd(a.numerator * b.denominator, b.numerator * a.denominator),
        a.denominator * b.denominator,
    )


def random_column(random, name, kinds, n_rows, holds=EVERYTHING):
    """Draw a column whose dtype is among `kinds`; `holds` is a subset of `EVERYTHING`."""
    kind = random.choice(kinds)
    rng = np.random.default_rng(random.randrange(2**16))
    if kind in NUMERIC:
        return _random_numbers(random, rng, name, kind, n_rows, holds)
    if kind in ("bool", "boolean"):
        data = pd.Series(rng.random(n_rows) < 0.5)
        return Column(name, _some_missing(data.astype(kind), random, rng), (), [False, True], True)
    values = {"object": ["a", "b", 3, 7], "code": [0.0, 1.0, 2.5, 9.0]}.get(
        kind, ["low", "mid", "high", "top", "over"]
    )[: random.randint(1, 5)]
    data = pd.Series(np.array(values, dtype=object)[rng.integers(len(values), size=n_rows)])
    if kind == "code":
        return Column(name, data.astype(float), (), sorted(set(data)))
    if kind in ("category", "ordered"):
        declared = [*values, "unseen"] if random.random() < 0.5 else values
        data = data.astype(pd.CategoricalDtype(declared, ordered=kind == "ordered"))
        return Column(name, _some_missing(data, random, rng), (), declared, kind == "ordered")
    data = _some_missing(data.astype(kind), random, rng)
    observed = sorted({value for value in data if not pd.isna(value)}, key=str)
    return Column(name, data, (), observed)


def _random_numbers(random, rng, name, dtype, n_rows, holds):
    """Draw a column of numbers, which may have gaps and special values."""
    is_integral = "int" in dtype.lower()
    shape, kinds = random.choice(SHAPES), []
    scale = random.choice([0.1, 1.0, 20.0])
    # Far from zero, float32 has few digits: it could not hold the digits of most numbers.
    far = 1e6 if dtype in ("float64", "int64", "Int64") else 0.0
    numbers = rng.normal(random.choice([0.0, 0.0, 3 * scale, far]), scale, n_rows)
    if shape == "flag":
        numbers = rng.integers(2, size=n_rows) + float(random.choice([0, 0, 1]))
        kinds.append("flags")
    elif shape == "steps" and not is_integral:
        step = random.choice(STEPS)
        # A product that is rounded once, as a file has it, or twice, as arithmetic leaves it.
        counts = rng.normal(random.choice([0, 60]), 20, n_rows).round()
        numbers = counts * step if random.random() < 0.5 else counts / round(1 / step, 2)
        kinds.append("steps")
    elif shape == "whole" or is_integral:
        numbers = (20 * numbers).round() if shape == "steps" else numbers.round()
        kinds += ["whole floats"] if not is_integral else []
    numbers = numbers.clip(-100, 100) if dtype == "int8" else numbers
    special, resolution = (), "auto"
    if "special values" in holds and random.random() < 0.25:
        special = SPECIAL_VALUES[: random.randint(1, 3)]
        held = rng.choice(special, size=n_rows)
        numbers = np.where(rng.random(n_rows) < random.choice([0.0, 0.2]), held, numbers)
        kinds.append("special values")
    if "resolutions" in holds and random.random() < 0.2:
        resolution = random.choice([1, 2, 5, None] if is_integral else [0.01, 0.05, 0.3, 1, None])
        kinds.append("resolution by the user")
    data = pd.Series(numbers.astype(dtype.lower())).astype(dtype)
    if "gaps" in holds and dtype not in ("int64", "int8") and random.random() < 0.3:
        share = random.choice([0.15, 0.15, 0.15, 1.0 if "empty columns" in holds else 0.15])
        data = data.mask(rng.random(n_rows) < share)
    return Column(name, data, tuple(kinds), special=special, resolution=resolution)


def _some_missing(data, random, rng):
    if data.dtype == bool or random.random() < 0.6:
        return data
    return data.mask(rng.random(len(data)) < 0.1)


def random_dummies(random, group, n_rows, dtypes=("int64", "int8", "float64", "float32", "bool")):
    """Draw a group of columns of which each row has exactly one 1."""
    rng = np.random.default_rng(random.randrange(2**16))
    n_columns, dtype = random.randint(2, 4), random.choice(dtypes)
    # Perhaps no training row has the last category.
    n_observed = n_columns - (n_columns > 2 and random.random() < 0.3)
    codes = rng.permutation(np.arange(n_rows) % n_observed)
    return [
        Column(
            f"d{group}_{code}", pd.Series(codes == code).astype(dtype), ("dummies",), group=group
        )
        for code in range(n_columns)
    ]


def perturbed(random, column, cells, holds):
    """Return cells of training rows (Series), a few of which are replaced by unusual cells."""
    # Dummies that do not add up to one are an error.
    if column.group is not None:
        return cells
    values, dtype = cells.tolist(), cells.dtype
    odd = _odd_categories if column.categories is not None else _odd_numbers
    choices = odd(random, column, holds)
    if not choices or random.random() < 0.5:
        return cells
    changes = [(i, random.choice(choices)) for i in range(len(values)) if random.random() < 0.3]
    for i, cell in changes:
        values[i] = cell
    if hasattr(dtype, "categories"):
        categories = dict.fromkeys([*dtype.categories, *(cell for _, cell in changes)])
        known = [category for category in categories if not pd.isna(category)]
        dtype = pd.CategoricalDtype(known, ordered=dtype.ordered)
    elif dtype.kind in "iub" and isinstance(dtype, np.dtype) and pd.Series(values).isna().any():
        # NumPy's integers and Booleans have no missing value.
        as_floats = "integers as floats" in holds and random.random() < 0.5
        dtype = "boolean" if dtype.kind == "b" else "float64" if as_floats else "Int64"
    return pd.Series(values, index=cells.index, dtype=dtype)


def _odd_categories(random, column, holds):
    """Return a category that the training rows do not have, and a missing value."""
    if "unknown categories" not in holds:
        return []
    if str(column.data.dtype) in ("bool", "boolean"):
        return [None]
    return [NOVEL_CODE, np.nan] if column.data.dtype.kind == "f" else [NOVEL_WORD, None]


def _odd_numbers(random, column, holds):
    """Return a gap, special values, and numbers outside the range of the training rows."""
    low, high = column.range if len(column.amounts) else (0.0, 1.0)
    distance = (high - low + 1) * random.choice([1e-3, 0.1, 1.0])
    kind = int if column.is_integral else lambda number: float(column.precision(number))
    numbers = [kind(low - distance), kind(high + distance)] if "outside" in holds else []
    if str(column.data.dtype) == "int8":
        numbers = [min(max(number, -128), 127) for number in numbers]
    special = list(map(kind, column.special)) if "special values" in holds else []
    gap = np.nan if isinstance(column.data.dtype, np.dtype) else None
    return [*numbers, *special, *([gap] if "gaps" in holds else [])]
