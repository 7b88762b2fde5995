from dataclasses import replace

import numpy as np
import pytest
from encoders import GAPS, MIXED, fit

from ctsk._columns.encoder import Encoder
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema


@pytest.fixture
def mixed():
    return fit(MIXED, categorical=[True, False, True, False])


@pytest.fixture
def gaps():
    schema = Schema.fit(GAPS, ["a", "b"], np.zeros(2, bool), special_values={1: (-9.0,)})
    rows = Rows.read(GAPS, schema, warn=False)
    rows = replace(rows, schema=schema.with_states(rows.values))
    return Encoder.fit(rows, standardize=True), rows
