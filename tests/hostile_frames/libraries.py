"""DataFrames of polars and pyarrow, with columns of every dtype."""

import datetime
import decimal

import numpy as np
import pandas as pd

from hostile_frames.case import (
    AGES,
    FLAGS,
    GAPS,
    LABELS,
    N_ROWS,
    NUMBERS,
    REGIONS,
    WORDS,
    Case,
    Trial,
    canonical,
)
from hostile_frames.columns import (
    FLAGS_WITH_GAPS,
    ORDERED_FLAGS,
    ORDERED_FLAGS_WITH_GAPS,
    WORDS_WITH_GAPS,
    flag_text,
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

WITH_GAPS = np.where(GAPS, np.nan, NUMBERS)
WHOLE = NUMBERS.astype(int).tolist()
WHOLE_WITH_GAPS = [None if gap else number for number, gap in zip(WHOLE, GAPS, strict=True)]
SETTINGS = {"mutability": {"age": "none"}}
IN_ORDER = ["north", "south", "west"]
DATES = [datetime.date(2020, 1, 1 + i % 28) for i in range(N_ROWS)]
MOMENTS = [datetime.datetime(2020, 1, 1 + i % 28) for i in range(N_ROWS)]
TIMES = [datetime.time(i % 24) for i in range(N_ROWS)]
DECIMALS = list(map(decimal.Decimal, WHOLE))
REFUSED = r"Column 'x' of X"


def from_polars(column, twin=None, **trial):
    """Return a trial of a DataFrame of polars with one hostile column."""
    X = pl.DataFrame({"age": AGES, "x": column, "region": REGIONS})
    return Trial(X, twin_X=canonical(NUMBERS if twin is None else twin), settings=SETTINGS, **trial)


def polars_frames():
    """Yield the dtypes and forms of polars."""
    numeric = [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64]
    numeric += [pl.Float32, pl.Float64, pl.Int128]
    numeric += [getattr(pl, name) for name in ("UInt128", "Float16") if hasattr(pl, name)]
    for dtype in numeric:
        column = pl.Series(NUMBERS).cast(dtype)
        yield Case("polars", f"{dtype}", lambda c=column: from_polars(c))
        with_gaps = pl.Series(WHOLE_WITH_GAPS).cast(dtype)
        yield Case("polars", f"{dtype} with gaps", lambda c=with_gaps: from_polars(c, WITH_GAPS))
    both = pl.Series([None if i == 5 else float(v) for i, v in enumerate(WITH_GAPS)])
    without_fifth = np.where(np.arange(N_ROWS) == 5, np.nan, WITH_GAPS)
    yield Case("polars", "null and NaN", lambda: from_polars(both, without_fifth))
    decimals = pl.Series(DECIMALS, dtype=pl.Decimal(12, 2))
    yield Case("polars", "Decimal", lambda: from_polars(decimals), REFUSED)
    text = {
        "String": (pl.Series(WORDS.tolist()), WORDS),
        "String with gaps": (pl.Series(WORDS_WITH_GAPS), WORDS_WITH_GAPS),
        "Categorical": (pl.Series(WORDS.tolist(), dtype=pl.Categorical), WORDS),
        "Categorical with gaps": (
            pl.Series(WORDS_WITH_GAPS, dtype=pl.Categorical), WORDS_WITH_GAPS
        ),
        "Enum": (
            pl.Series(WORDS.tolist(), dtype=pl.Enum(IN_ORDER)),
            pd.Categorical(WORDS, IN_ORDER, ordered=True),
        ),
        "Enum with gaps": (
            pl.Series(WORDS_WITH_GAPS, dtype=pl.Enum(IN_ORDER)),
            pd.Categorical(WORDS_WITH_GAPS, IN_ORDER, ordered=True),
        ),
    }  # fmt: skip
    for name, (column, twin) in text.items():
        yield Case("polars", name, lambda c=column, t=twin: from_polars(c, t))
    yield Case(
        "polars", "Boolean",
        lambda: from_polars(pl.Series(FLAGS), ORDERED_FLAGS, translate=flag_text),
    )  # fmt: skip
    yield Case(
        "polars", "Boolean with gaps",
        lambda: from_polars(
            pl.Series(FLAGS_WITH_GAPS), ORDERED_FLAGS_WITH_GAPS, translate=flag_text
        ),
    )  # fmt: skip
    nothing = pd.Categorical([None] * N_ROWS)
    yield Case("polars", "Null", lambda: from_polars(pl.Series([None] * N_ROWS), nothing))
    yield Case(
        "polars", "Int64 of gaps",
        lambda: from_polars(pl.Series([None] * N_ROWS, dtype=pl.Int64), np.full(N_ROWS, np.nan)),
    )  # fmt: skip
    refused = {
        "Date": pl.Series(DATES),
        "Datetime": pl.Series(MOMENTS),
        "Datetime with a zone": pl.Series(MOMENTS).dt.replace_time_zone("Europe/Amsterdam"),
        "Datetime in ms": pl.Series(MOMENTS, dtype=pl.Datetime("ms")),
        "Duration": pl.Series(MOMENTS) - MOMENTS[0],
        "Time": pl.Series(TIMES),
        "List": pl.Series([[1], [2]] * 30),
        "Array": pl.Series([[1, 2], [2, 3]] * 30, dtype=pl.Array(pl.Int64, 2)),
        "Struct": pl.Series([{"a": 1}, {"a": 2}] * 30),
        "Object": pl.Series([{1}, {2}] * 30, dtype=pl.Object),
        "infinite": pl.Series(np.where(GAPS, np.inf, NUMBERS)),
    }
    for name, column in refused.items():
        error = r"infinity in feature 'x'" if name == "infinite" else REFUSED
        yield Case("polars", name, lambda c=column: from_polars(c), error)
    binary = pl.Series([word.encode() for word in WORDS])
    yield Case("polars", "Binary", lambda: from_polars(
        binary, WORDS, translate=lambda c: c.decode() if isinstance(c, bytes) else c))  # fmt: skip
    whole = pl.DataFrame({"age": AGES, "x": NUMBERS, "region": REGIONS})
    forms = {
        "chunks": pl.concat([whole[:20], whole[20:]], rechunk=False),
        "slice": pl.concat([whole, whole])[N_ROWS:],
        "every second row": pl.concat([whole, whole]).sort("age", maintain_order=True)[::2],
    }
    for name, X in forms.items():
        own_twin = pd.DataFrame(X.to_dict(as_series=False))
        yield Case("polars", name, lambda X=X, t=own_twin: Trial(X, twin_X=t, settings=SETTINGS))
    yield Case(
        "polars", "LazyFrame", lambda: Trial(whole.lazy()), r"X is a polars LazyFrame.*collect"
    )
    yield Case("polars", "Series", lambda: Trial(whole["age"]), r"X is a polars Series")
    yield Case("polars", "0 rows", lambda: Trial(whole[:0], []), r"0 sample|no rows")
    yield Case(
        "polars", "0 columns", lambda: Trial(pl.DataFrame(), []), r"X has no columns|0 sample"
    )
    yield Case("polars", "y", lambda: Trial(whole, pl.Series(LABELS), canonical(), LABELS))
    yield Case("polars", "labels", lambda: Trial(
        whole.rename({"x": "", "age": "a\n"}), twin_X=canonical(),
        settings={"mutability": ["none", "both", "both"]},
        twin_settings=SETTINGS))  # fmt: skip


def from_arrow(column, twin=None, **trial):
    """Return a trial of a table of pyarrow with one hostile column."""
    X = pa.table({"age": AGES, "x": column, "region": REGIONS})
    return Trial(X, twin_X=canonical(NUMBERS if twin is None else twin), settings=SETTINGS, **trial)


def arrow_tables():
    """Yield the types and forms of pyarrow."""
    numeric = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16()]
    numeric += [pa.uint32(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()]
    for kind in numeric:
        column = pa.array(NUMBERS).cast(kind)
        yield Case("pyarrow", str(kind), lambda c=column: from_arrow(c))
        with_gaps = pa.array(WHOLE_WITH_GAPS, pa.float64()).cast(kind)
        yield Case("pyarrow", f"{kind} with gaps", lambda c=with_gaps: from_arrow(c, WITH_GAPS))
    words = pa.array(WORDS.tolist())
    text = {
        "string": (words, WORDS),
        "string with gaps": (pa.array(WORDS_WITH_GAPS), WORDS_WITH_GAPS),
        "large_string": (words.cast(pa.large_string()), WORDS),
        "dictionary": (words.dictionary_encode(), WORDS),
        "dictionary with gaps": (
            pa.array(WORDS_WITH_GAPS).dictionary_encode(), WORDS_WITH_GAPS
        ),
        "chunks": (pa.chunked_array([WORDS[:20].tolist(), WORDS[20:].tolist()]), WORDS),
        "chunks of dictionaries": (
            pa.chunked_array([words[:20].dictionary_encode(), words[20:].dictionary_encode()]),
            WORDS,
        ),
    }  # fmt: skip
    for name, (column, twin) in text.items():
        yield Case("pyarrow", name, lambda c=column, t=twin: from_arrow(c, t))
    yield Case("pyarrow", "string_view", lambda: from_arrow(words.cast(pa.string_view()), WORDS))
    yield Case(
        "pyarrow", "bool", lambda: from_arrow(pa.array(FLAGS), ORDERED_FLAGS, translate=flag_text)
    )
    yield Case(
        "pyarrow", "bool with gaps",
        lambda: from_arrow(
            pa.array(FLAGS_WITH_GAPS), ORDERED_FLAGS_WITH_GAPS, translate=flag_text
        ),
    )  # fmt: skip
    nothing = pd.Categorical([None] * N_ROWS)
    yield Case("pyarrow", "null", lambda: from_arrow(pa.nulls(N_ROWS), nothing))
    binary = pa.array([word.encode() for word in WORDS])
    yield Case("pyarrow", "binary", lambda: from_arrow(
        binary, WORDS, translate=lambda c: c.decode() if isinstance(c, bytes) else c))  # fmt: skip
    refused = {
        "decimal": pa.array(DECIMALS).cast(pa.decimal128(12, 2)),
        "date": pa.array(DATES),
        "timestamp": pa.array(MOMENTS),
        "timestamp with a zone": pa.array(MOMENTS, pa.timestamp("us", "UTC")),
        "time": pa.array(TIMES),
        "duration": pa.array(WHOLE, pa.duration("s")),
        "list": pa.array([[1], [2]] * 30),
        "struct": pa.array([{"a": 1}, {"a": 2}] * 30),
        "map": pa.array([[("a", 1)], [("b", 2)]] * 30, pa.map_(pa.string(), pa.int64())),
        "month_day_nano": pa.array([(1, 2, 3)] * N_ROWS, pa.month_day_nano_interval()),
    }
    for name, column in refused.items():
        yield Case("pyarrow", name, lambda c=column: from_arrow(c), REFUSED)
    whole = pa.table({"age": AGES, "x": NUMBERS, "region": REGIONS})
    forms = {
        "chunked table": pa.concat_tables([whole.slice(0, 20), whole.slice(20)]),
        "slice": pa.concat_tables([whole, whole]).slice(N_ROWS),
        "metadata": whole.replace_schema_metadata({"a": "b"}),
        "of pandas": pa.Table.from_pandas(canonical()),
    }
    for name, X in forms.items():
        yield Case("pyarrow", name, lambda X=X: Trial(X, twin_X=canonical(), settings=SETTINGS))
    batch = whole.to_batches()[0]
    yield Case(
        "pyarrow", "RecordBatch", lambda: Trial(batch), r"X is a pyarrow RecordBatch.*to_pandas"
    )
    reader = whole.to_reader()
    yield Case(
        "pyarrow", "reader", lambda: Trial(reader), r"X is a RecordBatchReader.*pandas.DataFrame"
    )
    yield Case("pyarrow", "array", lambda: Trial(pa.array(NUMBERS)), r"X is a pyarrow DoubleArray")
    yield Case("pyarrow", "0 rows", lambda: Trial(whole.slice(0, 0), []), r"0 sample|no rows")
    yield Case("pyarrow", "0 columns", lambda: Trial(whole.select([]), LABELS), r"X has no columns")
    twice = pa.table([AGES, NUMBERS], names=["a", "a"])
    yield Case(
        "pyarrow", "duplicate names", lambda: Trial(twice), r"X has 2 columns named 'a'|X .*'a'"
    )
    yield Case("pyarrow", "y", lambda: Trial(whole, pa.array(LABELS), canonical(), LABELS))
    chunked = pa.chunked_array([LABELS])
    yield Case("pyarrow", "y in chunks", lambda: Trial(whole, chunked, canonical(), LABELS))


def cases():
    """Yield the cases of the libraries that are installed."""
    if pl:
        yield from polars_frames()
    if pa and narwhals:
        yield from arrow_tables()
