"""Labels and weights of rows in every container and dtype."""

import datetime
import decimal
import enum

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from hostile_frames.case import FLAGS, GAPS, LABELS, N_ROWS, Case, Trial, canonical

try:
    import pyarrow as pa
except ImportError:
    pa = None
try:
    import polars as pl
except ImportError:
    pl = None

# Positions among three classes, and the same as plain words in the same order.
CODES = np.where(np.array(LABELS) == "granted", 2, FLAGS)
WORDS = [f"c{code}" for code in CODES]


def of(values):
    """Return one of three values per row, in a list."""
    return [values[code] for code in CODES]


class Grade(enum.Enum):
    """Members of an enum have no order."""

    A = 1
    B = 2
    C = 3


def with_labels(y, twin=None):
    """Return a trial of labels, and of plain words in the same order."""
    return Trial(canonical(), y, twin_X=canonical(), twin_y=WORDS if twin is None else twin)


def label_cases():
    """Yield labels of every kind."""
    few = pd.Categorical(of(["b", "a", "c"]), ["c", "b", "a", "unused"], ordered=True)
    words = np.array(WORDS)
    kinds = {
        "list of text": WORDS,
        "tuple": tuple(WORDS),
        "array of text": words,
        "array of objects": words.astype(object),
        "array of StringDType": words.astype(np.dtypes.StringDType()),
        "reversed array": words[::-1].copy()[::-1],
        "column": words[:, None],
        "Series": pd.Series(WORDS),
        "Series of another index": pd.Series(WORDS, index=range(N_ROWS, 0, -1)),
        "Series of duplicate labels": pd.Series(WORDS, index=[0] * N_ROWS),
        "Index": pd.Index(WORDS),
        "DataFrame of one column": pd.DataFrame({"y": WORDS}),
        "string": pd.Series(WORDS, dtype="string"),
        "category": pd.Series(pd.Categorical(WORDS)),
        "Categorical": pd.Categorical(WORDS),
        "category of int": pd.Series(pd.Categorical(CODES)),
        "Int64": pd.Series(CODES, dtype="Int64"),
        "Int8 array": pd.array(CODES, dtype="Int8"),
        "Float64": pd.Series(CODES, dtype="Float64"),
        "torch": torch.tensor(CODES),
        "list of int": CODES.tolist(),
        "list of NumPy's int": list(CODES),
        "range of objects": np.array(CODES.tolist(), dtype=object),
        "negative": CODES - 1,
        "end of int64": np.iinfo(np.int64).max - 2 + CODES,
        "end of uint64": np.iinfo(np.uint64).max - np.uint64(2) + CODES.astype(np.uint64),
        "whole floats": CODES.astype(np.float64),
        "list of whole floats": CODES.astype(np.float64).tolist(),
        "masked without gaps": np.ma.masked_array(CODES, mask=np.zeros(N_ROWS, dtype=bool)),
        "read-only": np.array(CODES),
        "combining characters": of(["e", "e\u0301", "\u00e9"]),
        "right to left": of(["a", "\u202ea", "\u202eb"]),
        "datetime64": pd.Series(of(list(pd.date_range("2020", periods=3)))),
        "timedelta64": pd.Series(of(list(pd.timedelta_range("1D", periods=3)))),
        "the empty string": of(["", " ", "a"]),
        "long": of(["a" * 9_999, "a" * 10_000, "b" * 10_000]),
    }
    kinds["read-only"].flags.writeable = False
    for dtype in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
        kinds[dtype] = CODES.astype(dtype)
    for dtype in ("float16", "float32", "longdouble", ">i4", ">f8"):
        kinds[dtype] = CODES.astype(dtype)
    if pl:
        kinds |= {"polars": pl.Series(WORDS), "polars int": pl.Series(CODES)}
    if pa:
        kinds |= {"arrow int": pa.array(CODES), "arrow text": pa.array(WORDS)}
        kinds |= {"string[pyarrow]": pd.Series(WORDS, dtype="string[pyarrow]")}
        kinds |= {"int64[pyarrow]": pd.Series(CODES, dtype="int64[pyarrow]")}
    for name, y in kinds.items():
        yield Case("y", name, lambda y=y: with_labels(y))
    order = [{"a": 0, "b": 1, "c": 2}[label] for label in few]
    yield Case(
        "y", "ordered category with unused ones",
        lambda: with_labels(pd.Series(few), [f"c{i}" for i in order]),
    )  # fmt: skip
    flags = [f"f{int(flag)}" for flag in FLAGS]
    two = {"bool": FLAGS, "list of bool": FLAGS.tolist(), "boolean": pd.array(FLAGS)}
    if pa:
        two |= {"bool[pyarrow]": pd.Series(FLAGS, dtype="bool[pyarrow]")}
    for name, y in two.items():
        yield Case("y", name, lambda y=y: with_labels(y, flags))


def refused_labels():
    """Yield labels that no classifier can learn."""
    with_gap = WORDS.copy()
    with_gap[3] = None
    unknown = r"Unknown label type.*y (has|holds).*\.astype\(str\)"
    missing = r"y contains NaN"
    kinds = {
        "continuous": (np.linspace(0, 1, N_ROWS), r"Unknown label type.*continuous"),
        "continuous Float64": (pd.array(np.linspace(0, 1, N_ROWS)), r"Unknown label type"),
        "NaN": (np.where(GAPS, np.nan, CODES), missing),
        "NaN in float32": (np.where(GAPS, np.nan, CODES).astype(np.float32), missing),
        "infinite": (np.where(GAPS, np.inf, CODES), r"y contains infinity"),
        "None in a list": (with_gap, missing + r".*row 3"),
        "None in a tuple": (tuple(with_gap), missing),
        "NA in Int64": (pd.array(np.where(GAPS, None, CODES), dtype="Int64"), missing),
        "NA in boolean": (pd.array(np.where(GAPS, None, FLAGS), dtype="boolean"), missing),
        "NaN in a category": (pd.Categorical(with_gap), missing),
        "NaN in an Index": (pd.Index(with_gap), missing),
        "masked": (np.ma.masked_array(CODES, mask=GAPS), r"y is a masked array"),
        "one class": (["a"] * N_ROWS, r"y holds 1 class"),
        "None": (None, r"requires y"),
        "too few": (WORDS[:-1], r"inconsistent numbers of samples.*\[60, 59\]"),
        "too many": (WORDS + ["c0"], r"inconsistent numbers of samples.*\[60, 61\]"),
        "empty": ([], r"inconsistent numbers of samples|y "),
        "two columns": (np.column_stack([CODES, CODES]), r"y should be a 1d array|multioutput"),
        "two columns of a frame": (pd.DataFrame({"a": WORDS, "b": WORDS}), r"y should be a 1d"),
        "lists": ([["a"], ["b", "c"]] * 30, r"y "),
        "sets": (of([{1}, {2}, {3}]), r"y |label"),
        "3-d": (CODES[:, None, None], r"y should be a 1d array|dim"),
        "0-d": (np.array(1), r"y should be a 1d array|y |Singleton"),
        "text alone": ("abc", r"y should be a 1d array|y |inconsistent"),
        "generator": ((label for label in WORDS), r"y |Expected sequence"),
        "dict": (dict(enumerate(WORDS)), r"y |Expected|inconsistent"),
        "set": (set(WORDS), r"y |Expected|inconsistent"),
        "sparse": (sparse.csr_array(CODES[:, None]), r"[Ss]parse|y "),
        "bytes": (np.array(WORDS).astype(bytes), r"labels represented as bytes.*Convert"),
        "complex": (CODES + 1j, r"Complex data not supported|y |label"),
        "dates": (of(list(pd.date_range("2020", periods=3))), unknown),
        "date objects": (of([datetime.date(2020, 1, day) for day in (1, 2, 3)]), unknown),
        "periods": (pd.Series(of(list(pd.period_range("2020", periods=3, freq="M")))), unknown),
        "intervals": (pd.cut(pd.Series(CODES), [-1, 0, 1, 2]), unknown),
        "Decimal": (of([decimal.Decimal(1), decimal.Decimal(2), decimal.Decimal(3)]), unknown),
        "text and numbers": (
            np.array(of(["a", 1, "b"]), dtype=object),
            r"y holds text and.*astype",
        ),
        "text and numbers in a Series": (pd.Series(of(["a", 1, "b"])), r"y holds text and.*astype"),
        "text and bytes": (of(["a", b"a", "b"]), r"y holds text and.*bytes.*astype"),
        "tuples": (of([("a", 1), ("a", 2), ("b", 1)]), r"y |label"),
        "Enum": (of(list(Grade)), unknown),
        "objects": (of([object(), object(), object()]), unknown),
        "structured": (np.array([(1, 2)] * N_ROWS, dtype="i4,i4"), r"y |[Ll]abel"),
    }
    for name, (y, error) in kinds.items():
        yield Case("no labels", name, lambda y=y: Trial(canonical(), y), error)


def with_weights(weights, twin):
    """Return a trial of weights, and of the same in a list of floats."""
    return Trial(
        canonical(),
        twin_X=canonical(),
        fit_settings={"sample_weight": weights},
        twin_fit_settings={"sample_weight": twin},
    )


def weight_cases():
    """Yield weights of every kind."""
    values = (1.0 + np.arange(N_ROWS) % 3).tolist()
    kinds = {
        "tuple": tuple(values),
        "Series of another index": pd.Series(values, index=range(N_ROWS, 0, -1)),
        "Int64": pd.array(values, dtype="Int64"),
        "Float64 Series": pd.Series(values, dtype="Float64"),
        "object": np.array(values, dtype=object),
        "torch": torch.tensor(values),
        "text of numbers": list(map(str, values)),
        "int8": np.array(values).astype(np.int8),
        "float16": np.array(values).astype(np.float16),
        "longdouble": np.array(values).astype(np.longdouble),
        ">f8": np.array(values).astype(">f8"),
        "times 1e300": np.array(values) * 2.0**1000,
        "times 1e-300": np.array(values) * 2.0**-1000,
        "at the end of float64": np.array(values) * 2.0**1021,
        "category": pd.Series(values).astype("category"),
    }
    if pl:
        kinds["polars"] = pl.Series(values)
    if pa:
        kinds |= {
            "arrow": pa.array(values),
            "double[pyarrow]": pd.Series(values, dtype="double[pyarrow]"),
        }
    for name, weights in kinds.items():
        yield Case("weight", name, lambda w=weights: with_weights(w, values))
    yield Case("weight", "bool", lambda: with_weights(~GAPS, (~GAPS * 1.0).tolist()))
    yield Case("weight", "one number", lambda: with_weights(2.0, None), r"sample_weight|array")
    error = r"(sample_weight|weights?|[Ss]ample weights?)"
    refused = {
        "negative": np.array(values) - 2,
        "NaN": np.where(GAPS, np.nan, values),
        "infinite": np.where(GAPS, np.inf, values),
        "NA": pd.array(np.where(GAPS, None, values), dtype="Float64"),
        "all zero": np.zeros(N_ROWS),
        "all False": np.zeros(N_ROWS, dtype=bool),
        "two columns": np.column_stack([values, values]),
        "text": "balanced",
        "words": WORDS,
        "too few": values[:-1],
        "masked": np.ma.masked_array(values, mask=GAPS),
        "complex": np.array(values) + 1j,
        "dates": pd.Series(pd.date_range("2020", periods=N_ROWS)),
        "subnormal": np.full(N_ROWS, -5e-324),
    }
    for name, weights in refused.items():
        yield Case(
            "no weights",
            name,
            lambda w=weights: Trial(canonical(), fit_settings={"sample_weight": w}),
            error if name not in ("too few", "text") else r"inconsistent|sample_weight|weight",
        )


def cases():
    """Yield the cases of this module."""
    for table in (label_cases, refused_labels, weight_cases):
        yield from table()
