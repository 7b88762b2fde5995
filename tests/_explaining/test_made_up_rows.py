"""Numbers that are made up for a column are those that its dtype can hold."""

import numpy as np
import pytest

from ctsk._explaining.made_up_rows import MadeUpRows


@pytest.mark.parametrize(
    ("dtype", "numbers", "expected"),
    [
        (np.float64, [1.2, 1.4], [1.2, 1.4]),
        (np.int64, [1.2, 5.4], [1, 5]),
        # Two numbers that round to one are kept apart, also at the end of the dtype.
        (np.int64, [1.2, 1.4], [1, 2]),
        (np.int8, [126.6, 300.0], [127, 126]),
        (np.bool_, [0.2, 0.9], [0, 1]),
        (np.bool_, [3.0, 4.0], [1, 0]),
    ],
)
def test_numbers_fit_the_dtype_of_their_column_and_stay_distinct(dtype, numbers, expected):
    rows = MadeUpRows(["x"], [np.dtype(dtype)], is_frame=True)
    assert rows.fitting(0, np.array(numbers)).tolist() == expected
