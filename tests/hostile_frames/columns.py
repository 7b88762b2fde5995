"""Columns of every dtype that pandas has, alone and with gaps."""

import datetime
import decimal
import pathlib

import numpy as np
import pandas as pd

from hostile_frames.case import (
    FLAGS,
    GAPS,
    N_ROWS,
    NUMBERS,
    WORDS,
    Case,
    cycle,
    names_of,
    objects,
    translation,
    with_column,
)

try:
    import pyarrow as pa
except ImportError:
    pa = None

WITH_GAPS = np.where(GAPS, np.nan, NUMBERS)
WORDS_WITH_GAPS = [None if gap else word for word, gap in zip(WORDS, GAPS, strict=True)]
FLAGS_WITH_GAPS = [None if gap else bool(flag) for flag, gap in zip(FLAGS, GAPS, strict=True)]
# Flags have an order, that of False and True; flags among objects have none.
ORDERED_FLAGS = pd.Categorical(FLAGS.astype(str), ["False", "True"], ordered=True)
ORDERED_FLAGS_WITH_GAPS = pd.Categorical(
    [None if flag is None else str(flag) for flag in FLAGS_WITH_GAPS],
    ["False", "True"],
    ordered=True,
)

NO_KIND = r"Column 'x' of X has dtype .* neither a number nor a category; derive numbers"
AS_FLOAT = r"Column 'x' of X holds decimal.Decimal objects.*\.astype\(float\)"
TO_NUMERIC = r"Column 'x' of X holds numbers as objects.*pandas\.to_numeric"
DATES = r"Column 'x' of X holds dates or times.*Derive numbers"
NO_CATEGORY = r"Column 'x' of X holds values that cannot be categories.*\.astype\(str\)"
INFINITE = r"Input X contains infinity in feature 'x' \(first in row \d+\).*clip it or drop"
TOO_LARGE = r"Input X contains a value too large for float32.*feature 'x'.*rescale"
IDENTIFIER = r"Column 'x' of X holds \d+ different values.*Drop the column"
BIG_ENDIAN = r"Column 'x' of X has dtype >.., of whose order of bytes .*astype\('"
SPARSE = r"Column 'x' of X has dtype Sparse.*\.sparse\.to_dense\(\)"


def integers():
    """Whole numbers in every dtype that holds them."""
    dtypes = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
    dtypes += ["float16", "float32", "float64", "longdouble"]
    dtypes += ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"]
    dtypes += ["Float32", "Float64"]
    if pa:
        dtypes += [f"{t}[pyarrow]" for t in ("int8", "int16", "int32", "int64", "uint8", "uint16")]
        dtypes += [f"{t}[pyarrow]" for t in ("uint32", "uint64", "halffloat", "float", "double")]
    for dtype in dtypes:
        yield Case("number", dtype, lambda d=dtype: with_column(pd.Series(NUMBERS).astype(d)))
    for dtype in (">i2", ">i4", ">u8", ">f4", ">f8"):
        # pandas keeps the order of bytes of an array.
        yield Case(
            "number of big-endian bytes",
            dtype,
            lambda d=dtype: with_column(pd.Series(NUMBERS.astype(d))),
            error=BIG_ENDIAN,
        )
    dtypes = ["float16", "float32", "float64", "longdouble"]
    dtypes += ["Int8", "Int64", "UInt8", "UInt64", "Float32", "Float64"]
    if pa:
        dtypes += ["int8[pyarrow]", "uint64[pyarrow]", "float[pyarrow]", "double[pyarrow]"]
    for dtype in dtypes:
        yield Case(
            "number with gaps",
            dtype,
            lambda d=dtype: with_column(pd.Series(WITH_GAPS).astype(d), WITH_GAPS),
        )
    nan_inside = pd.arrays.FloatingArray(WITH_GAPS.copy(), np.zeros(N_ROWS, dtype=bool))
    yield Case(
        "number with gaps", "NaN in Float64", lambda: with_column(pd.Series(nan_inside), WITH_GAPS)
    )
    if pa:
        array = pd.arrays.ArrowExtensionArray(pa.array(WITH_GAPS))
        yield Case(
            "number with gaps", "NaN in arrow", lambda: with_column(pd.Series(array), WITH_GAPS)
        )


def flags():
    """Booleans in every dtype."""
    dtypes = ["bool", "boolean"] + ["bool[pyarrow]"] * bool(pa)
    for dtype in dtypes:
        yield Case(
            "flag", dtype, lambda d=dtype: with_column(pd.Series(FLAGS).astype(d), ORDERED_FLAGS,
                                                       translate=flag_text),
        )  # fmt: skip
    for dtype in dtypes[1:]:
        yield Case(
            "flag",
            f"{dtype} with gaps",
            lambda d=dtype: with_column(
                pd.Series(FLAGS_WITH_GAPS, dtype=d), ORDERED_FLAGS_WITH_GAPS, translate=flag_text
            ),
        )
    words = [str(flag) for flag in FLAGS]
    yield Case(
        "flag", "object", lambda: with_column(FLAGS.tolist(), words, translate=flag_text)
    )  # fmt: skip
    numpy_flags = [np.bool_(flag) for flag in FLAGS]
    yield Case(
        "flag", "NumPy's bool as object",
        lambda: with_column(numpy_flags, words, translate=flag_text),
    )  # fmt: skip
    with_gaps = [None if flag is None else str(flag) for flag in FLAGS_WITH_GAPS]
    yield Case(
        "flag", "object with gaps",
        lambda: with_column(FLAGS_WITH_GAPS, with_gaps, translate=flag_text),
    )  # fmt: skip


def named(dtype):
    """Return the name of a dtype; pandas has two whose name is that of arrow's text."""
    return dtype if isinstance(dtype, str) else f"ArrowDtype of {dtype}"


def flag_text(cell):
    return str(cell) if isinstance(cell, bool | np.bool_) else cell


class Word(str):
    """A subclass of text."""


def texts():
    """Text in every dtype, and text of any kind."""
    dtypes = ["object", "string[python]", "str", "category"]
    if pa:
        dtypes += ["string[pyarrow]"]
        dtypes += [pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.large_string())]
        view = pd.ArrowDtype(pa.string_view())
        yield Case(
            "text",
            "string_view[pyarrow]",
            lambda: with_column(pd.Series(WORDS).astype(view)),
            r"Column 'x' of X has dtype string_view.*\.astype\(str\)",
        )
    for dtype in dtypes:
        yield Case(
            "text", str(dtype), lambda d=dtype: with_column(pd.Series(WORDS).astype(d), WORDS)
        )
        if dtype != "str":
            yield Case(
                "text with gaps",
                named(dtype),
                lambda d=dtype: with_column(pd.Series(WORDS_WITH_GAPS, dtype=d), WORDS_WITH_GAPS),
            )
    if pa:
        dictionary = pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))
        yield Case(
            "text", "arrow dictionary",
            lambda: with_column(pd.Series(WORDS).astype(dictionary), WORDS),
        )  # fmt: skip
    gaps = {"NaN": np.nan, "NA": pd.NA, "NaT": pd.NaT, "minus NaN": float("-nan")}
    for name, gap in gaps.items():
        cells = [gap if word is None else word for word in WORDS_WITH_GAPS]
        yield Case("text with gaps", name, lambda c=cells: with_column(c, WORDS_WITH_GAPS))
    gaps = [None, np.nan, pd.NA, pd.NaT]
    mixed = [gaps[i % 4] if word is None else word for i, word in enumerate(WORDS_WITH_GAPS)]
    yield Case("text with gaps", "four kinds of gaps", lambda: with_column(mixed, WORDS_WITH_GAPS))
    yield Case(
        "text", "a subclass of str", lambda: with_column([Word(word) for word in WORDS], WORDS)
    )
    yield Case("text", "NumPy's str", lambda: with_column([np.str_(word) for word in WORDS], WORDS))
    kinds = {
        "NUL": ["a\0", "a", "a\0b"],
        "lone surrogates": ["\ud800", "\udfff", "a"],
        "white space": [" ", "\t", "\n", "a ", "a"],
        "the empty string": ["", "a"],
        "combining characters": ["e\u0301", "\u00e9", "e"],
        "right to left": ["\u202eabc", "שלום", "abc"],
        "long": ["a" * 10_000, "a" * 9_999, "b" * 10_000],
        "emoji": ["👩‍👩‍👧", "👩", "🇦🇶"],
        "names of gaps": ["nan", "None", "NA", "<NA>"],
        "names of codes": ["-1", "0", "1"],
        "words and their upper case": ["a", "A", "ａ"],
    }
    for name, cells in kinds.items():
        cells, idx = cycle(sorted(cells))
        yield Case(
            "text", name,
            lambda c=cells, i=idx: with_column(c, names_of(i), translate=translation(c, i)),
        )  # fmt: skip
    raw, idx = cycle([b"", b"a", b"\xff"])
    yield Case(
        "text", "bytes", lambda: with_column(raw, names_of(idx), translate=translation(raw, idx))
    )
    if pa:
        binary = pd.ArrowDtype(pa.binary())
        yield Case(
            "text",
            "arrow binary",
            lambda: with_column(
                pd.Series(raw, dtype=binary), names_of(idx), translate=translation(raw, idx)
            ),
        )
    yield Case("text", "one word per row", lambda: with_column(names_of(range(N_ROWS))), IDENTIFIER)
    amounts = [f"{number:,.2f} EUR" for number in NUMBERS * 100]
    yield Case("text", "amounts", lambda: with_column(amounts), r"Column 'x'.*pandas\.to_numeric")
    digits = [f"{number:.0f}" for number in NUMBERS]
    yield Case("text", "digits", lambda: with_column(digits), r"Column 'x'.*pandas\.to_numeric")


def categories():
    """Category dtypes of categories of any kind."""
    kinds = {
        "int": [3, 1, 2],
        "whole float": [3.0, 1.0, 2.0],
        "float": [0.1, 0.2, 0.30000000000000004],
        "bool": [True, False],
        "beyond 2 ** 53": [2**53, 2**53 + 1, 2**53 + 2],
        "uint64": [2**64 - 1, 2**64 - 2, 0],
        "infinite": [np.inf, -np.inf, 0.0],
        "interval": list(pd.interval_range(0, 4)),
        "date": list(pd.date_range("2020", periods=3)),
        "date with a zone": list(pd.date_range("2020", periods=3, tz="Europe/Amsterdam")),
        "timedelta": list(pd.timedelta_range("1D", periods=3)),
        "period": list(pd.period_range("2020", periods=3, freq="M")),
        "Decimal": [decimal.Decimal("1.10"), decimal.Decimal("1.2"), decimal.Decimal(3)],
        "date object": [datetime.date(2020, 1, day) for day in (1, 2, 3)],
        "mixed": ["a", 1, 2.5, (1, 2)],
        "tuple": [("a", 1), ("a", 2), ("b", 1)],
        "bytes": [b"a", b"b"],
        "complex": [1j, 2j, 3 + 0j],
        "path": [pathlib.Path("a"), pathlib.Path("b")],
    }
    for name, values in kinds.items():
        for ordered in (False, True):
            yield Case(
                "category",
                f"{name}, {'ordered' if ordered else 'unordered'}",
                lambda v=values, o=ordered: categorical(v, o),
            )
    yield Case("category", "int with gaps", lambda: categorical([3, 1, 2], True, n_gaps=5))
    yield Case("category", "interval with gaps", lambda: categorical(
        list(pd.interval_range(0, 4)), True, n_gaps=5))  # fmt: skip
    yield Case(
        "category",
        "unused",
        lambda: with_column(
            pd.Series(pd.Categorical(WORDS, ["zoo", "north", "south", "west", "east"])),
            pd.Categorical(WORDS, ["zoo", "north", "south", "west", "east"]),
        ),
    )
    values = list(map(str, range(1_001)))
    yield Case(
        "category", "1,001",
        lambda: with_column(pd.Series(pd.Categorical(cycle(values)[0], values, ordered=True))),
        r"Column 'x' of X has 1001 categories; at most 1000.*group its rare categories",
    )  # fmt: skip
    if pa:
        arrow = pd.Series(WORDS).astype("string[pyarrow]").astype("category")
        yield Case("category", "of arrow text", lambda: with_column(arrow, pd.Categorical(WORDS)))


def categorical(values, ordered, n_gaps=0):
    """Return a trial of categories, and words in the same order as its twin."""
    cells, idx = cycle(values)
    codes = np.where(np.arange(N_ROWS) < n_gaps, -1, idx)
    dtype = pd.CategoricalDtype(pd.Index(values, tupleize_cols=False), ordered=ordered)
    column = pd.Series(pd.Categorical.from_codes(codes, dtype=dtype))
    twin = pd.Categorical.from_codes(codes, list(names_of(range(len(values)))), ordered=ordered)
    return with_column(column, twin, translate=translation(cells, idx))


def few_values():
    """Columns without information: no value, one value, or one in a single row."""
    empty = {
        "float64": pd.Series(np.full(N_ROWS, np.nan)),
        "float32": pd.Series(np.full(N_ROWS, np.nan, dtype=np.float32)),
        "Int64": pd.Series([pd.NA] * N_ROWS, dtype="Int64"),
        "Float32": pd.Series([pd.NA] * N_ROWS, dtype="Float32"),
    }
    nothing = {
        "object": objects([None] * N_ROWS),
        "object of NaN": objects([np.nan] * N_ROWS),
        "object of NaT": objects([pd.NaT] * N_ROWS),
        "string": pd.Series([pd.NA] * N_ROWS, dtype="string[python]"),
        "boolean": pd.Series([pd.NA] * N_ROWS, dtype="boolean"),
        "category": pd.Series(pd.Categorical([None] * N_ROWS)),
        "category with categories": pd.Series(pd.Categorical([None] * N_ROWS, ["a", "b"])),
    }
    if pa:
        empty["int64[pyarrow]"] = pd.Series([None] * N_ROWS, dtype="int64[pyarrow]")
        nothing["string[pyarrow]"] = pd.Series([None] * N_ROWS, dtype="string[pyarrow]")
        nothing["null[pyarrow]"] = pd.Series([None] * N_ROWS, dtype=pd.ArrowDtype(pa.null()))
    for name, column in empty.items():
        yield Case("all missing", name, lambda c=column: with_column(c, np.full(N_ROWS, np.nan)))
    for name, column in nothing.items():
        twin = pd.Categorical([None] * N_ROWS)
        if name == "boolean":
            twin = pd.Categorical([None] * N_ROWS, ["False", "True"], ordered=True)
        elif name == "category with categories":
            twin = pd.Categorical([None] * N_ROWS, ["a", "b"])
        yield Case("all missing", name, lambda c=column, t=twin: with_column(c, t))
    constants = {
        "int64": (np.ones(N_ROWS, dtype=np.int64), np.ones(N_ROWS)),
        "float16": (np.full(N_ROWS, 2, dtype=np.float16), np.full(N_ROWS, 2.0)),
        "zero": (np.zeros(N_ROWS), np.zeros(N_ROWS)),
        "word": (np.full(N_ROWS, "a", dtype=object), np.full(N_ROWS, "a", dtype=object)),
        "word and gaps": (
            np.where(GAPS, None, "a"),
            pd.Categorical(np.where(GAPS, None, "a")),
        ),
        "number and gaps": (np.where(GAPS, np.nan, 3), np.where(GAPS, np.nan, 3)),
        "one number": (np.where(np.arange(N_ROWS) == 5, 3, np.nan),) * 2,
        "one other number": (np.where(np.arange(N_ROWS) == 5, 3.0, 7.0),) * 2,
    }
    for name, (column, twin) in constants.items():
        yield Case("one value", name, lambda c=column, t=twin: with_column(pd.Series(c), t))


def extremes():
    """Numbers at the ends of what floats and integers hold."""
    refused = {
        "inf": (np.where(GAPS, np.inf, NUMBERS), INFINITE),
        "-inf": (np.where(GAPS, -np.inf, NUMBERS), INFINITE),
        "inf in float16": (np.where(GAPS, np.inf, NUMBERS).astype(np.float16), INFINITE),
        "1e308": (NUMBERS * 1e306, TOO_LARGE),
        "1e39": (NUMBERS * 1e38, TOO_LARGE),
        "longdouble beyond float64": (np.longdouble(10) ** 4_000 * NUMBERS, r"feature 'x'"),
    }
    for name, (column, error) in refused.items():
        yield Case("extreme number", name, lambda c=column: with_column(pd.Series(c)), error)
    if pa:
        arrow = pd.Series(np.where(GAPS, np.inf, NUMBERS)).astype("double[pyarrow]")
        yield Case("extreme number", "inf in arrow", lambda: with_column(arrow), INFINITE)
    nullable = pd.Series(np.where(GAPS, np.inf, NUMBERS)).astype("Float64")
    yield Case("extreme number", "inf in Float64", lambda: with_column(nullable), INFINITE)
    yield Case(
        "extreme number", "infinite object",
        lambda: with_column([float("inf") if g else n for n, g in zip(NUMBERS, GAPS, strict=True)]),
        TO_NUMERIC,
    )  # fmt: skip
    accepted = {
        "-0.0": np.where(NUMBERS == 0, -0.0, NUMBERS),
        "all -0.0": np.full(N_ROWS, -0.0),
        "subnormal": NUMBERS * 5e-324,
        "subnormal in float32": (NUMBERS * 1e-45).astype(np.float32),
        "1e-300": NUMBERS * 1e-300,
        "1e-40": NUMBERS * 1e-40,
        "near the end of float32": (NUMBERS - 20) * 1.7e37,
        "1e37 in float32": (NUMBERS * 8e36).astype(np.float32),
        "end of float16": (NUMBERS * 1_600).astype(np.float16),
        "neighbors of 1": 1 + NUMBERS * np.finfo(np.float64).eps,
        "one outlier of 1e30": np.where(np.arange(N_ROWS) == 5, 1e30, NUMBERS),
        "beyond 2 ** 53": 2**53 + NUMBERS.astype(np.int64),
        "end of int64": np.iinfo(np.int64).max - NUMBERS.astype(np.int64),
        "both ends of int64": np.where(FLAGS, np.iinfo(np.int64).max, np.iinfo(np.int64).min),
        "end of uint64": np.iinfo(np.uint64).max - NUMBERS.astype(np.uint64),
        "both ends of uint64": np.where(FLAGS, np.uint64(0), np.iinfo(np.uint64).max),
        "both ends of int8": np.where(FLAGS, np.int8(-128), np.int8(127)),
        "end of UInt64": pd.array(np.iinfo(np.uint64).max - NUMBERS.astype(np.uint64), "UInt64"),
    }
    for name, column in accepted.items():
        twin = np.asarray(column).astype(np.float64)
        is_precise = name in ("-0.0", "all -0.0") or column.dtype == np.float64
        yield Case(
            "extreme number",
            name,
            lambda c=column, t=twin, p=is_precise: with_column(pd.Series(c), t, has_twin_search=p),
        )


def cases():
    """Yield the cases of this module."""
    for table in (
        integers, flags, texts, categories, few_values, extremes,
    ):  # fmt: skip
        yield from table()
