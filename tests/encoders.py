"""Encoders of small tables, which the tests of several files share."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ctsk._columns.encoder import Encoder
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema

X = np.random.default_rng(0).normal([0.0, 100.0, 5.0], [1.0, 30.0, 0.0], size=(50, 3))
MIXED = pd.DataFrame(
    {
        "job": ["cook", "nurse", None, "cook"],
        "income": [10.0, 20.0, 30.0, 40.0],
        "owner": [True, False, False, True],
        "age": [20, 30, 40, 50],
    }
)
GAPS = pd.DataFrame({"a": [1.0, 3.0, np.nan, 8.0], "b": [2.5, -9.0, 4.5, 0.25]})


def fit(X, *, standardize=True, categorical=None):
    """Return the space of X, and X as values."""
    categorical = np.zeros(X.shape[1], bool) if categorical is None else np.array(categorical)
    names = list(X.columns) if hasattr(X, "columns") else [f"x{i}" for i in range(X.shape[1])]
    rows = Rows.read(X, Schema.fit(X, names, categorical), warn=False)
    rows = replace(rows, schema=rows.schema.with_states(rows.values))
    return Encoder.fit(rows, standardize=standardize), rows.values
