"""Containers, shapes, indexes and labels: the same numbers in every form that a table has."""

import array
import collections
import datetime
import mmap

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from hostile_frames.case import (
    AGES,
    FLAGS,
    GAPS,
    LABELS,
    N_ROWS,
    NUMBERS,
    REGIONS,
    Case,
    Trial,
    canonical,
)

ARRAY = np.column_stack([AGES, NUMBERS, FLAGS * 7.0 + NUMBERS % 5])
TWIN = pd.DataFrame(ARRAY, columns=["x0", "x1", "x2"])
FIXED = {"mutability": ["none", "both", "both"]}
NO_TABLE = r"X .*(2D|dim|table|DataFrame)"


def plain(X, twin=TWIN, **trial):
    """Return a trial of a container of numbers."""
    return Trial(X, twin_X=twin, **{"settings": FIXED, **trial})


class Array(np.ndarray):
    """A subclass of arrays."""


class WithArray:
    """Converts itself to an array."""

    def __init__(self, X):
        self.X = X

    def __array__(self, dtype=None, copy=None):
        """Return the array."""
        return np.array(self.X, dtype=dtype)


class Frame(pd.DataFrame):
    """A subclass of DataFrames."""

    @property
    def _constructor(self):
        return Frame


def memory_mapped():
    """Return an array in anonymous mapped memory."""
    mapped = np.frombuffer(mmap.mmap(-1, ARRAY.nbytes), dtype=np.float64).reshape(ARRAY.shape)
    mapped[:] = ARRAY
    return mapped


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def arrays():
    """Arrays of every memory layout and dtype."""
    masked = np.ma.masked_array(ARRAY, mask=np.zeros(ARRAY.shape, dtype=bool))
    masked_cells = np.ma.masked_array(ARRAY, mask=np.zeros(ARRAY.shape, dtype=bool))
    masked_cells[3, 1] = np.ma.masked
    records = np.rec.fromarrays(ARRAY.T, names="a,b,c")
    layouts = {
        "C": ARRAY.copy(),
        "Fortran": np.asfortranarray(ARRAY),
        "strided": np.repeat(ARRAY, 2, axis=1)[:, ::2],
        "reversed": ARRAY[::-1, ::-1][::-1, ::-1],
        "negative strides": ARRAY[::-1].copy()[::-1],
        "read-only": read_only(ARRAY),
        "mapped memory": memory_mapped(),
        "subclass": ARRAY.view(Array),
        "masked without gaps": masked,
        "list of lists": ARRAY.tolist(),
        "tuple of tuples": tuple(map(tuple, ARRAY.tolist())),
        "list of arrays": list(ARRAY),
        "list of array.array": [array.array("d", row) for row in ARRAY],
        "list of int and float": [[int(a), float(b), c] for a, b, c in ARRAY],
        "__array__": WithArray(ARRAY),
        "deque": collections.deque(ARRAY.tolist()),
        "memoryview": memoryview(ARRAY),
        "torch": torch.tensor(ARRAY),
        "torch float32": torch.tensor(ARRAY, dtype=torch.float32),
        "torch int64": torch.tensor(ARRAY, dtype=torch.int64),
        "torch with gradients": torch.tensor(ARRAY, requires_grad=True),
        "torch sparse": torch.tensor(ARRAY).to_sparse(),
        "torch bfloat16": torch.tensor(ARRAY).to(torch.bfloat16),
        "objects": ARRAY.astype(object),
        "text of numbers": ARRAY.astype(str),
        "StringDType of numbers": ARRAY.astype(str).astype(np.dtypes.StringDType()),
        "bytes of numbers": ARRAY.astype(bytes),
    }
    for name, X in layouts.items():
        yield Case("array", name, lambda X=X: plain(X))
    dtypes = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
    dtypes += ["float16", "float32", "longdouble", ">f8", ">i4", ">f4", ">u2"]
    for dtype in dtypes:
        yield Case("array", dtype, lambda d=dtype: plain(ARRAY.astype(d)))
    bits = np.column_stack([FLAGS, ~GAPS, NUMBERS > 20])
    yield Case("array", "bool", lambda: plain(bits, pd.DataFrame(bits * 1.0, columns=TWIN.columns)))
    gaps = np.where(GAPS[:, None], np.nan, ARRAY)
    twin = pd.DataFrame(gaps, columns=TWIN.columns)
    yield Case("array", "NaN", lambda: plain(gaps, twin))
    yield Case("array", "float32 with NaN", lambda: plain(gaps.astype(np.float32), twin))
    yield Case("array", "object with None", lambda: plain(
        np.where(GAPS[:, None], None, ARRAY.astype(object)), twin))  # fmt: skip
    yield Case("array", "lists with None", lambda: plain(
        np.where(GAPS[:, None], None, ARRAY.astype(object)).tolist(), twin))  # fmt: skip
    refused = {
        "masked": (masked_cells, r"X is a masked array.*\.filled\(np\.nan\)"),
        "matrix": (ARRAY.view(np.matrix), r"np\.matrix is not supported.*np\.asarray"),
        "structured": (np.array(records), r"X .*structured.*pandas\.DataFrame\(X\)"),
        "record": (records, r"X .*structured.*pandas\.DataFrame\(X\)"),
        "1-d": (NUMBERS, r"Expected 2D array.*[Rr]eshape"),
        "0-d": (np.array(1.0), r"Expected 2D array.*[Rr]eshape"),
        "3-d": (ARRAY[:, :, None], r"Found array with dim 3"),
        "0 rows": (ARRAY[:0], r"Found array with 0 sample"),
        "0 columns": (ARRAY[:, :0], r"0 feature\(s\).*minimum of 1"),
        "complex": (ARRAY + 1j, r"Complex data not supported"),
        "dates": (ARRAY.astype("datetime64[s]"), r"X has dtype datetime64.*Derive numbers"),
        "durations": (ARRAY.astype("timedelta64[s]"), r"X has dtype timedelta64.*Convert"),
        "void": (ARRAY.view("V8"), r"X .*void.*DataFrame"),
        "infinite": (np.where(GAPS[:, None], np.inf, ARRAY), r"infinity in feature 'x0'"),
        "too large": (ARRAY * 1e300, r"too large for float32.*'x0'"),
        "text": (np.where(GAPS[:, None], "a", ARRAY.astype(str)), r"X holds text.*DataFrame"),
        "objects of text": (
            np.where(GAPS[:, None], "a", ARRAY.astype(object)), r"X holds text.*DataFrame"
        ),
        "objects of lists": ([[[1], 2.0, 3.0]] * N_ROWS, r"X .*(dim 3|inhomogeneous|rows)"),
        "objects of dates": (
            [[datetime.date(2020, 1, 1), 2.0, 3.0]] * N_ROWS, r"X .*(date|number).*DataFrame"
        ),
        "ragged lists": ([[1.0], [2.0, 3.0]] * 30, r"X .*rows.*length"),
        "dict of lists": ({"a": [1.0, 2.0]}, r"X is a dict.*pandas\.DataFrame"),
        "generator": ((row for row in ARRAY.tolist()), r"X is a generator.*(list|DataFrame)"),
        "iterator": (iter(ARRAY.tolist()), r"X is a list_iterator.*(list|DataFrame)"),
        "set": ({1.0, 2.0}, r"X is a set.*(list|DataFrame)"),
        "text alone": ("abc", r"X is a str.*(list|DataFrame)"),
        "bytes alone": (b"abc", r"X is a bytes.*(list|DataFrame)"),
        "None": (None, r"X is a NoneType|X .*None"),
        "number": (3, r"Expected 2D array|X is a int"),
        "range": (range(3), r"Expected 2D array"),
        "Series": (pd.Series(NUMBERS), r"X is a Series"),
        "Index": (pd.Index(NUMBERS), r"Expected 2D array|X is a"),
        "pandas array": (pd.array(NUMBERS), r"Expected a 2-dimensional container.*DataFrame"),
        "Categorical": (pd.Categorical(REGIONS), r"X holds text.*DataFrame"),
        "list of Series": ([pd.Series(row) for row in ARRAY], r"X is a Series"),
        "groups": (canonical().groupby("region"), r"X holds text.*DataFrame"),
        "class": (pd.DataFrame, r"X is a type|X is a"),
        "torch complex": (torch.tensor(ARRAY + 1j), r"[Cc]omplex"),
    }  # fmt: skip
    for name, (X, error) in refused.items():
        yield Case("no table of numbers", name, lambda X=X: Trial(X), error)


def sparse_matrices():
    """Sparse matrices of every format."""
    zeros = np.where(ARRAY > 5, ARRAY, 0)
    twin = pd.DataFrame(zeros, columns=TWIN.columns)
    for name in ("csr", "csc", "coo", "dok", "lil", "bsr", "dia"):
        for kind in ("array", "matrix"):
            make = getattr(sparse, f"{name}_{kind}")
            yield Case("sparse", f"{name}_{kind}", lambda m=make: plain(m(zeros), twin))
    twice = sparse.coo_array(
        (np.r_[zeros.ravel(), np.ones(3)], (np.r_[np.repeat(range(N_ROWS), 3), [0, 0, 0]],
                                            np.r_[np.tile(range(3), N_ROWS), [0, 1, 2]]))
    )  # fmt: skip
    wide = sparse.csr_array(zeros)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    unsorted = sparse.csr_array(zeros)
    unsorted.indices = unsorted.indices.copy()
    for row in range(N_ROWS):
        part = slice(unsorted.indptr[row], unsorted.indptr[row + 1])
        unsorted.indices[part] = unsorted.indices[part][::-1]
        unsorted.data[part] = unsorted.data[part][::-1]
    unsorted.has_sorted_indices = False
    kinds = {
        "entries twice": (twice, twice.toarray()),
        "explicit zeros": (sparse.csr_array(ARRAY) * 0 + sparse.csr_array(zeros), zeros),
        "int64 positions": (wide, zeros),
        "unsorted": (unsorted, zeros),
        "float32": (sparse.csr_array(zeros.astype(np.float32)), zeros),
        "int8": (sparse.csr_array(zeros.astype(np.int8)), zeros),
        "bool": (sparse.csr_array(zeros > 10), (zeros > 10) * 1.0),
        "NaN": (sparse.csr_array(np.where(GAPS[:, None], np.nan, zeros)),
                np.where(GAPS[:, None], np.nan, zeros)),
        "all zero": (sparse.csr_array(zeros * 0), zeros * 0),
    }  # fmt: skip
    for name, (X, dense) in kinds.items():
        own_twin = pd.DataFrame(dense, columns=TWIN.columns)
        yield Case("sparse", name, lambda X=X, t=own_twin: plain(X, t))
    refused = {
        "infinite": (sparse.csr_array(np.where(GAPS[:, None], np.inf, zeros)), "infinity.*'x0'"),
        "complex": (sparse.csr_array(zeros + 1j), "Complex data not supported"),
        "0 rows": (sparse.csr_array(zeros[:0]), "Found array with 0 sample"),
        "1-d": (sparse.coo_array(NUMBERS), r"(Expected 2D|X .*1-d|X .*dimension).*"),
    }
    for name, (X, error) in refused.items():
        yield Case("sparse", name, lambda X=X: Trial(X), error)


def frames():
    """DataFrames of every shape."""
    table = canonical()
    read_only_columns = pd.DataFrame(
        {name: read_only(column.to_numpy()) for name, column in table.items()}, copy=False
    )
    wide = pd.DataFrame(
        {f"c{i}": NUMBERS * (i + 1) % 17 for i in range(300)} | {"age": AGES, "region": REGIONS}
    )
    parts = pd.concat([table.iloc[:20], table.iloc[20:]])
    no_duplicates = table.set_flags(allows_duplicate_labels=False)
    with_attrs = table.copy()
    with_attrs.attrs["source"] = {"a": [1]}
    kinds = {
        "subclass": Frame(table),
        "read-only": read_only_columns,
        "slice": pd.concat([table] * 3).reset_index(drop=True).iloc[N_ROWS : 2 * N_ROWS],
        "every second row": pd.concat([table, table]).sort_index(kind="stable").iloc[::2],
        "concatenated": parts,
        "no duplicate labels": no_duplicates,
        "with attrs": with_attrs,
        "column by column": table[["age"]].assign(x=table["x"], region=table["region"]),
        "transposed twice": table.T.T.infer_objects(),
    }  # fmt: skip
    for name, X in kinds.items():
        yield Case("frame", name, lambda X=X: named(X))
        yield Case(
            "frame", f"{name}, 2 alternatives",
            lambda X=X: named(X, explain_settings={"n_alternatives": 2}),
        )  # fmt: skip
    yield Case(
        "frame", "one column",
        lambda: Trial(table[["x"]], twin_X=table[["x"]].set_axis(["y"], axis=1),
                      twin_query=table[["x"]].set_axis(["y"], axis=1)),
    )  # fmt: skip
    yield Case("frame", "one category", lambda: Trial(table[["region"]]))
    yield Case("frame", "302 columns", lambda: Trial(wide, explain_settings={"T": 1}))
    yield Case("frame", "one row", lambda: Trial(table, query=table.iloc[[3]]))
    yield Case("frame", "two rows", lambda: Trial(table.iloc[[0, 3]], [LABELS[0], LABELS[3] + "b"]))
    for name, X, error in (
        ("0 rows", table.iloc[:0], r"0 sample\(s\)|no rows"),
        ("0 columns", table[[]], r"X has no columns"),
        ("0 rows and columns", pd.DataFrame(), r"X has no columns|no rows|0 sample"),
    ):
        yield Case("frame", name, lambda X=X: Trial(X, LABELS[: len(X)]), error)
        yield Case("frame", f"{name} to predict", lambda X=X: Trial(table, query=X), error)
    records = table.to_dict("records")
    twin = {
        "twin_X": table,
        "twin_query": table.iloc[[3]],
        "settings": {"mutability": {"age": "none"}},
    }
    yield Case("row", "dict", lambda: Trial(table, query=records[3], **twin))
    yield Case("row", "list of dicts", lambda: Trial(table, query=records[3:4], **twin))
    yield Case("row", "Series", lambda: Trial(table, query=table.iloc[3], **twin))
    ordered = collections.OrderedDict(reversed(records[3].items()))
    yield Case("row", "OrderedDict in another order", lambda: Trial(table, query=ordered, **twin))
    proxy = collections.ChainMap(records[3])
    yield Case("row", "ChainMap", lambda: Trial(table, query=proxy, **twin))
    as_text = {key: str(value) for key, value in records[3].items()}
    numbers = {str(value): value for value in records[3].values()}
    yield Case("row", "dict of text", lambda: Trial(
        table, query=as_text, translate=lambda cell: numbers.get(cell, cell), **twin))  # fmt: skip
    nested = {key: [value] for key, value in records[3].items()}
    yield Case("row", "dict of lists", lambda: Trial(table, query=nested), r"(Column|X).*'age'")
    yield Case(
        "row", "without a cell", lambda: Trial(table, query={"age": 30.0}),
        r"Row 0 of X lacks the columns 'x', 'region'",
    )  # fmt: skip
    gap = {**records[3], "x": None}
    query = canonical(np.where(np.arange(N_ROWS) == 3, np.nan, NUMBERS)).iloc[[3]]
    yield Case(
        "row", "dict with None", lambda: Trial(table, query=gap, **{**twin, "twin_query": query})
    )
    yield Case("row", "empty list", lambda: Trial(table, query=[]), r"Expected 2D array|X .*empty")


def named(X, **trial):
    """Return a trial of a table that has the columns of the plain one."""
    return Trial(X, twin_X=canonical(), settings={"mutability": {"age": "none"}}, **trial)


def cases():
    """Yield the cases of this module."""
    for table in (arrays, sparse_matrices, frames):
        yield from table()
