"""Cells of columns: dates, and objects of Python of any type."""

import datetime
import decimal
import enum
import fractions
import pathlib

import numpy as np
import pandas as pd

from hostile_frames.case import (
    FLAGS,
    GAPS,
    N_ROWS,
    NUMBERS,
    Case,
    cycle,
    names_of,
    translation,
    with_column,
)

try:
    import pyarrow as pa
except ImportError:
    pa = None

WITH_GAPS = np.where(GAPS, np.nan, NUMBERS)

NO_KIND = r"Column 'x' of X has dtype .* neither a number nor a category; derive numbers"
AS_FLOAT = r"Column 'x' of X holds decimal.Decimal objects.*\.astype\(float\)"
TO_NUMERIC = r"Column 'x' of X holds numbers as objects.*pandas\.to_numeric"
DATES = r"Column 'x' of X holds dates or times.*Derive numbers"
NO_CATEGORY = r"Column 'x' of X holds values that cannot be categories.*\.astype\(str\)"
INFINITE = r"Input X contains infinity in feature 'x' \(first in row \d+\).*clip it or drop"
TOO_LARGE = r"Input X contains a value too large for float32.*feature 'x'.*rescale"
IDENTIFIER = r"Column 'x' of X holds \d+ different values.*Drop the column"
SPARSE = r"Column 'x' of X has dtype Sparse.*\.sparse\.to_dense\(\)"


def dates():
    """Dates, times, periods and intervals, which hold no numbers."""
    start = pd.Series(pd.date_range("2020", periods=N_ROWS))
    columns = {
        f"datetime64[{unit}]": start.astype(f"datetime64[{unit}]")
        for unit in ("s", "ms", "us", "ns")
    }
    columns["datetime64[ns, UTC]"] = start.dt.tz_localize("UTC")
    columns["datetime64[ns, +05:45]"] = start.dt.tz_localize("Asia/Kathmandu")
    columns["datetime64 with gaps"] = start.mask(GAPS)
    for unit in ("s", "ns"):
        columns[f"timedelta64[{unit}]"] = (start - start[0]).astype(f"timedelta64[{unit}]")
    for frequency in ("D", "M"):
        columns[f"period[{frequency}]"] = start.dt.to_period(frequency)
    columns["interval"] = pd.Series(pd.interval_range(0, N_ROWS))
    columns["interval of dates"] = pd.Series(pd.interval_range(start[0], periods=N_ROWS))
    if pa:
        for kind in (
            pa.timestamp("ns"), pa.timestamp("s", "UTC"), pa.date32(), pa.date64(),
            pa.time32("s"), pa.time64("us"), pa.duration("ns"),
        ):  # fmt: skip
            few = [0, 86_400_000, 172_800_000] if kind == pa.date64() else [0, 1, 2]
            array = pa.array(cycle(few)[0], pa.int64())
            if kind in (pa.date32(), pa.time32("s")):
                array = array.cast(pa.int32())
            array = pd.arrays.ArrowExtensionArray(array.cast(kind))
            columns[f"arrow {kind}"] = pd.Series(array)
    for name, column in columns.items():
        yield Case("date", name, lambda c=column: with_column(c), NO_KIND)
    cells = {
        "Timestamp": list(start),
        "datetime": [stamp.to_pydatetime() for stamp in start],
        "date": [stamp.date() for stamp in start],
        "time": [datetime.time(i % 24, i % 60) for i in range(N_ROWS)],
        "timedelta": [datetime.timedelta(i) for i in range(N_ROWS)],
        "datetime64": list(start.to_numpy()),
        "Period": list(start.dt.to_period("D")),
        "three dates": cycle([datetime.date(2020, 1, day) for day in (1, 2, 3)])[0],
        "dates of two zones": [
            stamp.tz_localize("UTC" if i % 2 else "Asia/Tokyo") for i, stamp in enumerate(start)
        ],
    }
    for name, column in cells.items():
        yield Case("date as object", name, lambda c=column: with_column(c), DATES)


class Color(enum.Enum):
    """Members of an enum are categories."""

    RED = 1
    BLUE = 2


class Equal:
    """Compares like an array, with itself and with everything else."""

    def __eq__(self, other):
        """Return an array, as array-likes do."""
        return np.array([True, False])

    __hash__ = object.__hash__


class Unequal:
    """Equals nothing, not even itself."""

    def __eq__(self, other):
        """Return False."""
        return False

    __hash__ = object.__hash__


class Failing:
    """Fails when it is compared, printed or hashed."""

    def __eq__(self, other):
        """Fail."""
        raise RuntimeError("no comparison")

    def __hash__(self):
        """Fail."""
        raise TypeError("unhashable type: 'Failing'")


def python_objects():
    """Objects of Python in a column."""
    numbers = {
        "int": (list(map(int, NUMBERS)), TO_NUMERIC),
        "float": (list(map(float, NUMBERS)), TO_NUMERIC),
        "int and float": ([int(n) if n % 2 else float(n) for n in NUMBERS], TO_NUMERIC),
        "NumPy's int8": (list(map(np.int8, NUMBERS)), TO_NUMERIC),
        "NumPy's float32 with gaps": (list(map(np.float32, WITH_GAPS)), TO_NUMERIC),
        "int beyond 64 bits": ([int(n) * 10**30 for n in NUMBERS], TO_NUMERIC),
        "Decimal": (list(map(decimal.Decimal, NUMBERS)), AS_FLOAT),
        "Decimal with NaN": (list(map(decimal.Decimal, WITH_GAPS)), AS_FLOAT),
        "Fraction": (list(map(fractions.Fraction, NUMBERS)), TO_NUMERIC),
        "complex": (
            [complex(n, 1) for n in NUMBERS],
            r"Column 'x' of X holds complex numbers.*real numbers",
        ),
        "0-dimensional arrays": (list(map(np.array, NUMBERS)), NO_CATEGORY),
    }
    for name, (cells, error) in numbers.items():
        yield Case("number as object", name, lambda c=cells: with_column(c), error)
    refused = {
        "list": [[1], [2]],
        "dict": [{"a": 1}, {}],
        "set": [{1}, set()],
        "array": [np.zeros(2), np.ones(2)],
        "DataFrame": [pd.DataFrame({"a": [1]})] * 2,
        "unhashable": [Failing(), Failing()],
        "a list among words": ["a", "b", ["c"]],
        "bytearray": [bytearray(b"a"), bytearray(b"b")],
        "equal like an array": [Equal(), Equal()],
        "equal to nothing": [Unequal(), Unequal()],
    }
    for name, cells in refused.items():
        yield Case("object", name, lambda c=cells: with_column(cycle(c)[0]), NO_CATEGORY)
    accepted = {
        "tuple": [(1, 2), (1, 3)],
        "nested tuple": [((1,), ()), ((2,), ())],
        "frozenset": [frozenset("a"), frozenset("b")],
        "path": [pathlib.Path("a"), pathlib.Path("b")],
        "Enum": [Color.RED, Color.BLUE],
        "Interval": [pd.Interval(0, 1), pd.Interval(1, 2)],
        "class": [dict, list],
        "range": [range(2), range(3)],
        "Ellipsis": [..., NotImplemented],
        "word and number": ["a", "b", 1],
        "word and flag": ["a", "b", True],
        "word and tuple": ["a", ("b",)],
        "two numbers": [0, 1],
        "unordered sets": [frozenset("a"), frozenset("b"), frozenset("ab")],
        "two Decimals": [decimal.Decimal("0.10"), decimal.Decimal("0.2")],
        "zero and minus zero": [0.0, -0.0, "a"],
        "True, 1 and 1.0": [True, 1, 1.0, "a"],
    }
    for name, values in accepted.items():
        yield Case("object", name, lambda v=values: with_objects(v))
    if pa:
        arrow = {
            "list": pa.array([[1], [2]] * 30),
            "struct": pa.array([{"a": 1}, {"a": 2}] * 30),
            "map": pa.array([[("a", 1)], [("b", 2)]] * 30, pa.map_(pa.string(), pa.int64())),
            "fixed-size list": pa.array([[1, 2], [3, 4]] * 30, pa.list_(pa.int64(), 2)),
        }
        for name, array in arrow.items():
            column = pd.Series(pd.arrays.ArrowExtensionArray(array))
            yield Case(
                "object", f"arrow {name}", lambda c=column: with_column(c), r"Column 'x' of X"
            )
        cents = pa.array(list(map(decimal.Decimal, NUMBERS))).cast(pa.decimal128(12, 2))
        decimals = pd.Series(pd.arrays.ArrowExtensionArray(cents))
        yield Case("number as object", "arrow decimal", lambda: with_column(decimals), AS_FLOAT)
    yield Case(
        "object", "complex128", lambda: with_column(pd.Series(NUMBERS + 1j)), NO_KIND
    )  # fmt: skip
    yield Case(
        "object", "complex64", lambda: with_column(pd.Series(NUMBERS).astype("complex64")), NO_KIND
    )
    for dtype in (float, int, bool, object):
        yield Case(
            "object",
            f"sparse {dtype.__name__}",
            lambda d=dtype: with_column(pd.Series(FLAGS).astype(pd.SparseDtype(d))),
            SPARSE,
        )


def with_objects(values):
    """Return a trial of objects; the categories are in the order of the plain words."""
    cells, idx = cycle(values)
    # The first of equal objects stands for all of them, and those without an order come as in X.
    appearance = list(dict.fromkeys(cells))
    try:
        order = sorted(appearance)
        is_total = all(a < b for a, b in zip(order[:-1], order[1:], strict=True))
    except TypeError:
        is_total = False
    if not is_total:
        order = sorted(
            appearance,
            key=lambda cell: (type(cell).__name__, str(cell) if is_legible(cell) else ""),
        )
    idx = [order.index(cell) for cell in cells]
    return with_column(cells, names_of(idx), translate=translation(cells, idx))


def is_legible(cell):
    return isinstance(cell, str | tuple | int | float | decimal.Decimal)


def cases():
    """Yield the cases of this module."""
    yield from dates()
    yield from python_objects()
