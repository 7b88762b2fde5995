"""Indexes of rows, and labels of columns, of every kind."""

import enum

import numpy as np
import pandas as pd

from hostile_frames.case import (
    FLAGS,
    GAPS,
    N_ROWS,
    REGIONS,
    Case,
    Trial,
    canonical,
    objects,
)
from hostile_frames.containers import FIXED, named


class Side(enum.Enum):
    """Members of an enum as labels."""

    A = 1
    B = 2
    C = 3


def indexes():
    """Indexes of rows of every kind."""
    numbers = np.arange(N_ROWS)
    days = pd.date_range("2020", periods=N_ROWS, tz="UTC")
    kinds = {
        "range with a step": pd.RangeIndex(10, 10 + 3 * N_ROWS, 3),
        "words": pd.Index([f"id {i}" for i in numbers]),
        "duplicates": pd.Index(numbers // 2),
        "one label": pd.Index(["a"] * N_ROWS),
        "unsorted": pd.Index(numbers[::-1] * 7 % 61),
        "floats with NaN": pd.Index(np.where(GAPS, np.nan, numbers)),
        "flags": pd.Index(FLAGS),
        "named": pd.Index(numbers, name="person"),
        "named like a column": pd.Index(numbers, name="x"),
        "named alternative": pd.Index(numbers, name="alternative"),
        "named by a tuple": pd.Index(numbers, name=("a", 1)),
        "objects": pd.Index([("a",), None, 1.5, "b"] * 15, tupleize_cols=False),
        "dates": days,
        "dates in reverse": days[::-1],
        "durations": days - days[0],
        "periods": pd.period_range("2020", periods=N_ROWS, freq="D"),
        "intervals": pd.interval_range(0, N_ROWS),
        "categories": pd.CategoricalIndex(REGIONS),
        "Int64 with NA": pd.Index(pd.array([None, 1, 2] * 20, dtype="Int64")),
        "string": pd.Index([f"{i}" for i in numbers], dtype="string"),
        "two levels": pd.MultiIndex.from_arrays([REGIONS, numbers]),
        "two named levels": pd.MultiIndex.from_arrays([REGIONS, numbers], names=["region", "id"]),
        "a level named alternative": pd.MultiIndex.from_arrays(
            [REGIONS, numbers], names=["alternative", None]
        ),
        "two levels with duplicates": pd.MultiIndex.from_arrays([REGIONS, FLAGS]),
        "three levels with NaN": pd.MultiIndex.from_arrays(
            [np.where(GAPS, np.nan, numbers), REGIONS, days]
        ),
    }
    for name, index in kinds.items():
        yield Case("index", name, lambda i=index: named(canonical().set_axis(i)))
        yield Case(
            "index", f"{name}, 2 alternatives",
            lambda i=index: named(
                canonical().set_axis(i), explain_settings={"n_alternatives": 2}
            ),
        )  # fmt: skip


def labels():
    """Labels of columns of every kind."""
    kinds = {
        "numbers": [0, 1, 2],
        "numbers in another order": [2, 0, 1],
        "range": pd.RangeIndex(3),
        "floats": [0.5, 1.5, np.inf],
        "flags and None": [True, False, None],
        "a level with NaN": pd.MultiIndex.from_tuples([("a", 1.0), ("a", np.nan), ("b", 1.0)]),
        "the empty string": ["", " ", "  "],
        "tuples": pd.Index([("a", 1), ("a", 2), ("b", 1)], tupleize_cols=False),
        "two levels": pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]),
        "two named levels": pd.MultiIndex.from_tuples(
            [("a", "p"), ("a", "q"), ("b", "p")], names=["first", "second"]
        ),
        "dates": pd.date_range("2020", periods=3),
        "intervals": pd.interval_range(0, 3),
        "categories": pd.CategoricalIndex(["a", "b", "c"]),
        "string": pd.Index(["a", "b", "c"], dtype="string"),
        "bytes": [b"a", b"b", b"c"],
        "enums": list(Side),
        "combining characters": ["e\u0301", "\u00e9", "e"],
        "right to left": ["\u202eabc", "שלום", "abc"],
        "NUL and newline": ["a\0", "a\nb", "a\tb"],
        "emoji": ["👩‍👩‍👧", "👩", "🇦🇶"],
        "lone surrogates": pd.Index(["\ud800", "\udfff", "a"], dtype=object),
        "long": ["a" * 10_000, "a" * 9_999, "b" * 10_000],
        "names of an array": ["x2", "x0", "x1"],
        "star": ["*", "**", "* "],
        "words of ours": ["factual", "counterfactual", "alternative"],
        "words of changes": ["row", "feature", "share"],
        "words of pandas": ["index", "level_0", "columns"],
        "attributes": ["iloc", "shape", "__class__"],
        "format strings": ["%s", "{0}", "{x!r:>{9}}"],
        "HTML": ["<script>", "&amp;", "</td>"],
        "quotes": ["'", '"', "\\"],
        "subclass of str": [np.str_("a"), np.str_("b"), np.str_("c")],
        "named": pd.Index(["a", "b", "c"], name="features"),
        "named like a column": pd.Index(["a", "b", "c"], name="a"),
    }
    for name, columns in kinds.items():
        yield Case("label", name, lambda c=columns: labeled(c))
    refused = {
        "duplicates": (["a", "b", "a"], r"X has 2 columns named 'a'.*rename"),
        "all alike": ([0, 0, 0], r"X has 3 columns named 0"),
        "NaN": ([np.nan, 1.5, 2.5], r"X has 1 columns named nan.*Name all columns"),
        "NaN and words": ([np.nan, "a", "b"], r"X has 1 columns named nan.*Name all columns"),
        "NaT": ([pd.NaT, *pd.date_range("2020", periods=2)], r"X has 1 columns named NaT"),
        "duplicate NaN": ([np.nan, np.nan, 1], r"X has 2 columns named nan"),
        "duplicate None": (objects([None, None, 1]), r"X has 2 columns named None"),
        "words and numbers": (["a", 1, "b"], r"[Ff]eature names.*string"),
        "1 and True": (pd.Index([1, True, 2], dtype=object), r"X has 2 columns named"),
    }
    for name, (columns, error) in refused.items():
        yield Case("label", name, lambda c=columns: labeled(c), error)


def labeled(columns):
    """Return a trial of the plain table with other labels."""
    X = canonical().set_axis(columns, axis=1)
    return Trial(X, twin_X=canonical(), settings=FIXED)


def cases():
    """Yield the cases of this module."""
    yield from indexes()
    yield from labels()
