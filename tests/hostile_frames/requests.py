"""Constraints in every form, and rows that differ from those of the training."""

import decimal
import fractions

import numpy as np
import pandas as pd

from hostile_frames.case import (
    AGES,
    FLAGS,
    GAPS,
    N_ROWS,
    NUMBERS,
    REGIONS,
    Case,
    Trial,
    canonical,
    objects,
)

try:
    import narwhals
    import polars as pl
except ImportError:
    narwhals = pl = None
try:
    import pyarrow as pa
except ImportError:
    pa = None

N_EXPLAINED = 5
QUERY = canonical().iloc[:N_EXPLAINED].set_axis(list("pqrst"))
# Mutability, domain and costs, each in one plain form.
WORDS = ["none", "both", "increase", "none", "decrease"]
PLAIN = {
    "mutability": {"mutability": [{"x": word, "age": "none"} for word in WORDS]},
    "domain": {"domain": {"x": (3.0, 20.0), "age": (20.0, None)}},
    "feature_costs": {"feature_costs": {"x": 2.0, "age": 0.5, "region": 1.0}},
}


def asked(parameter, value):
    """Return a trial of one parameter of explain, and of its plain form."""
    return Trial(
        canonical(),
        query=QUERY,
        twin_X=canonical(),
        twin_query=QUERY,
        explain_settings={parameter: value},
        twin_explain_settings=PLAIN[parameter],
    )


def mutabilities():
    """Yield mutabilities in every form."""
    table = pd.DataFrame({"x": WORDS, "age": "none"}, index=QUERY.index)
    as_array = np.array([["none", word, "both"] for word in WORDS])
    kinds = {
        "frame": table,
        "frame in another order": table.iloc[[3, 1, 4, 0, 2]],
        "frame of another order of columns": table[["age", "x"]],
        "frame of categories": table.astype("category"),
        "frame of string": table.astype("string"),
        "frame of objects": table.astype(object),
        "frame with gaps": table.assign(region=None),
        "array": as_array,
        "array of objects": as_array.astype(object),
        "nested lists": as_array.tolist(),
        "StringDType": as_array.astype(np.dtypes.StringDType()),
        "list of dicts of indices": [{1: word, 0: "none"} for word in WORDS],
        "list of dicts of NumPy's indices": [{np.int64(1): w, np.int8(0): "none"} for w in WORDS],
        "NumPy's str": [{"x": np.str_(word), "age": np.str_("none")} for word in WORDS],
    }
    if pl and narwhals:
        kinds["polars"] = pl.DataFrame({"x": WORDS, "age": ["none"] * 5})
    if pa and narwhals:
        kinds["pyarrow"] = pa.table({"x": WORDS, "age": ["none"] * 5})
    for name, value in kinds.items():
        yield Case("mutability", name, lambda v=value: asked("mutability", v))
    refused = {
        "frame of another index": (table.reset_index(drop=True), "index of mutability"),
        "frame of duplicate labels": (table.set_axis(list("ppqrs")), "index of mutability"),
        "frame of an unknown column": (table.assign(z="none"), "feature 'z', which X does not"),
        "frame of duplicate columns": (table[["x", "x"]], "twice"),
        "too few rows": (table.iloc[:3], "mutability has shape"),
        "no word": (table.assign(x=1), "mutability of feature 'x'"),
        "flags": (table.assign(x=True), "mutability of feature 'x'"),
        "bytes": ({"x": b"none"}, "mutability of feature 'x'"),
        "a flag as index": ({True: "none"}, "feature True, which X does not have"),
        "a float as index": ({1.0: "none"}, "feature 1.0, which X does not have"),
        "a negative index": ({-1: "none"}, "feature -1, which X does not have"),
        "None as name": ({None: "none"}, "feature None, which X does not have"),
        "set": ({"none"}, "mutability"),
        "text": ("none", "mutability"),
        "3-d": (as_array[:, :, None], "mutability"),
        "increase of a category": ({"region": "increase"}, "categories have no order"),
        "generator": ((word for word in WORDS), "mutability"),
    }
    for name, (value, error) in refused.items():
        yield Case("no mutability", name, lambda v=value: asked("mutability", v), error)


def domains():
    """Yield domains in every form."""
    pairs = np.full((N_EXPLAINED, 3, 2), np.nan)
    pairs[:, 1], pairs[:, 0, 0] = (3, 20), 20
    kinds = {
        "lists": {"x": [3, 20], "age": [20, None]},
        "arrays": {"x": np.array([3, 20]), "age": (20, None)},
        "NumPy's numbers": {"x": (np.int8(3), np.float32(20)), "age": (np.float16(20), None)},
        "Fraction": {"x": (fractions.Fraction(3), fractions.Fraction(20)), "age": (20, np.inf)},
        "infinite": {"x": (3, 20), "age": (20, np.inf)},
        "indices": {1: (3, 20), 0: (20, None)},
        "Series of pairs": pd.Series({"x": (3, 20), "age": (20, None)}),
        "array by row": pairs,
        "array of float32": pairs.astype(np.float32),
        "list of dicts": [{"x": (3, 20), "age": (20, None)}] * N_EXPLAINED,
    }
    for name, value in kinds.items():
        yield Case("domain", name, lambda v=value: asked("domain", v))
    error = "domain of feature 'x'"
    refused = {
        "reversed": ((20, 3), error),
        "NaN": ((np.nan, 3), error),
        "text": (("3", "20"), error),
        "Decimal": ((decimal.Decimal(3), decimal.Decimal(20)), error),
        "dates": ((pd.Timestamp("2020"), None), error),
        "complex": ((1j, 2), error),
        "three": ((1, 2, 3), error),
        "set": ({3, 20}, error),
        "number": (3, error),
        "word": ("all", error),
        "between two numbers": ((3.2, 3.8), error),
        "nothing finite": ((np.inf, np.inf), error),
        "NA": ((pd.NA, 3), error),
    }
    for name, (value, message) in refused.items():
        yield Case("no domain", name, lambda v=value: asked("domain", {"x": v}), message)
    listed = {
        "tuple": ("coast", "inland"),
        "number": 3,
        "word": "coast",
        "unknown": ["desert"],
        "empty": [],
        "dict": {"coast": 1},
        "None": ["coast", None],
        "NaN": ["coast", np.nan],
        "unhashable": [["coast"]],
    }
    for name, value in listed.items():
        yield Case(
            "no domain", f"{name} of a category",
            lambda v=value: asked("domain", {"region": v}), "domain of feature 'region'",
        )  # fmt: skip
    for name, value in {
        "set": {"coast"},
        "array": np.array(["coast"]),
        "Index": pd.Index(["coast"]),
        "Series": pd.Series(["coast"]),
        "Categorical": pd.Categorical(["coast"]),
        "iterator": iter(["coast"]),
        "dict keys": {"coast": 1}.keys(),
    }.items():
        yield Case(
            "domain", f"{name} of categories",
            lambda v=value: Trial(
                canonical(), query=QUERY, twin_X=canonical(), twin_query=QUERY,
                explain_settings={"domain": {"region": v}},
                twin_explain_settings={"domain": {"region": ["coast"]}},
            ),
        )  # fmt: skip


def costs():
    """Yield costs in every form."""
    kinds = {
        "Series": pd.Series({"x": 2.0, "age": 0.5, "region": 1.0}),
        "Series of Float64": pd.Series({"x": 2.0, "age": 0.5, "region": 1.0}, dtype="Float64"),
        "list": [0.5, 2, True],
        "array": np.array([0.5, 2, 1], dtype=np.float32),
        "Fraction": {"x": fractions.Fraction(2), "age": fractions.Fraction(1, 2), 2: 1},
    }
    for name, value in kinds.items():
        yield Case("costs", name, lambda v=value: asked("feature_costs", v))
    for name, value in {
        "negative": -1,
        "NaN": np.nan,
        "infinite": np.inf,
        "NA": pd.NA,
        "None": None,
        "text": "2",
        "complex": 1j,
        "Decimal": decimal.Decimal(1),
        "list": [1],
    }.items():
        yield Case(
            "no costs", name, lambda v=value: asked("feature_costs", {"x": v}),
            "feature_costs of feature 'x'",
        )  # fmt: skip


def later(query, twin=None, **trial):
    """Return a trial of rows that differ from those of the training."""
    return Trial(canonical(), query=query, twin_X=canonical(), twin_query=twin, **trial)


def mismatches():
    """Yield rows to predict that differ in columns, dtypes, container and index."""
    table = canonical()
    refused = {
        "permuted": (table[["x", "age", "region"]], "(order|must match).*"),
        "missing column": (table[["age", "region"]], r"(missing|lacks).*"),
        "extra column": (table.assign(z=1.0), r"unseen|unknown"),
        "renamed": (table.rename(columns={"x": "X"}), r"missing|lacks|unseen"),
        "names of another case": (table.rename(columns=str.upper), r"missing|unseen"),
        "numbers as names": (table.set_axis(range(3), axis=1), r"lacks|columns of X"),
        "text for numbers": (table.assign(x="a"), r"Column 'x' of X was numeric.*to_numeric"),
        "dates for numbers": (
            table.assign(x=pd.date_range("2020", periods=N_ROWS)), r"Column 'x' of X has dtype"
        ),
        "complex for numbers": (table.assign(x=NUMBERS + 1j), r"Column 'x' of X has dtype"),
        "lists for numbers": (table.assign(x=[[1.0]] * N_ROWS), r"Column 'x' of X was numeric"),
        "infinite": (table.assign(x=np.where(GAPS, np.inf, NUMBERS)), r"infinity in feature 'x'"),
        "lists for words": (table.assign(region=[["coast"]] * N_ROWS), r"Column 'region' of X"),
        "sparse column": (
            table.assign(x=pd.Series(NUMBERS).astype(pd.SparseDtype(float))), r"Column 'x'.*sparse"
        ),
        "text in an array": (table.to_numpy(), r"X holds text.*DataFrame"),
        "two columns of an array": (np.column_stack([AGES, NUMBERS]), r"X has 2 features"),
        "no rows": (table.iloc[:0], r"0 sample|no rows"),
        "an array of one row": (np.array([1.0, 2.0, 3.0]), r"Expected 2D array"),
    }  # fmt: skip
    for name, (query, error) in refused.items():
        yield Case("other rows", name, lambda q=query: later(q), error)
    number_texts = [f"{number:.0f}" for number in NUMBERS]
    kinds = {
        "numbers as text": table.assign(x=number_texts),
        "numbers as objects": table.assign(x=NUMBERS.astype(int).astype(object)),
        "numbers as Decimal": table.assign(x=objects(list(map(decimal.Decimal, NUMBERS)))),
        "numbers as categories": table.assign(x=pd.Categorical(NUMBERS)),
        "numbers as int8": table.assign(x=NUMBERS.astype(np.int8)),
        "numbers as Int16": table.assign(x=pd.array(NUMBERS, dtype="Int16")),
        "words as categories": table.assign(region=pd.Categorical(REGIONS)),
        "words as ordered categories": table.assign(
            region=pd.Categorical(REGIONS, ["inland", "sea", "coast"], ordered=True)
        ),
        "words as string": table.assign(region=pd.array(REGIONS, dtype="string")),
        "words as objects": table.assign(region=np.array(REGIONS, dtype=object)),
        "another index": table.set_axis(pd.MultiIndex.from_arrays([REGIONS, FLAGS])),
    }  # fmt: skip
    translated = dict(zip(number_texts, NUMBERS, strict=True))
    for name, query in kinds.items():
        yield Case(
            "rows of another dtype", name,
            lambda q=query: later(
                q, table, translate=lambda cell: translated.get(cell, cell), keeps_dtypes=False
            ),
        )  # fmt: skip
    if pl and narwhals:
        yield Case("rows of another dtype", "polars", lambda: later(pl.from_dict(
            {"age": AGES, "x": NUMBERS, "region": REGIONS}), table))  # fmt: skip
    if pa and narwhals:
        yield Case("rows of another dtype", "pyarrow", lambda: later(pa.table(
            {"age": AGES, "x": NUMBERS, "region": REGIONS}), table))  # fmt: skip
    unknown = table.assign(region=["desert", *REGIONS[1:]])
    dated = table.assign(region=pd.date_range("2020", periods=N_ROWS))
    for name, query in {"an unknown category": unknown, "dates for words": dated}.items():
        yield Case(
            "rows of another dtype", name, lambda q=query: Trial(table, query=q, keeps_dtypes=False)
        )
    yield Case(
        "other rows", "an unknown category, rejected",
        lambda: later(unknown, settings={"handle_unknown": "error"}),
        r"Column 'region' of X holds the unknown category 'desert' \(row 0\)",
    )  # fmt: skip


def cases():
    """Yield the cases of this module."""
    for table in (mutabilities, domains, costs, mismatches):
        yield from table()
