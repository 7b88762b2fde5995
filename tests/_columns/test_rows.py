import numpy as np
import pandas as pd
import pytest

from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema

FRAME = pd.DataFrame(
    {"count": np.array([1, 2, 3], dtype="int16"), "job": ["cook", "nurse", "cook"]},
    index=["p", "q", "r"],
)


@pytest.fixture
def rows():
    return Rows.read(FRAME, Schema.fit(FRAME, list(FRAME), np.array([False, True])))


def test_rows_come_back_as_they_were_read(rows):
    pd.testing.assert_frame_equal(rows.container, FRAME)
    assert rows.values.tolist() == [[1, 0], [2, 1], [3, 0]]


@pytest.mark.parametrize(
    "idx", [[2, 0], slice(1, None), np.array([True, False, True])], ids=["list", "slice", "mask"]
)
def test_selected_rows_are_those_of_the_container(rows, idx):
    selected = rows.select(idx)
    expected = FRAME.loc[FRAME.index[idx]]
    pd.testing.assert_frame_equal(selected.container, expected)
    np.testing.assert_array_equal(selected.values, rows.values[idx])
    assert len(selected) == len(expected)


def test_other_values_are_written_in_the_container_of_the_selected_rows(rows):
    other = rows.select([2, 0]).with_values(np.array([[7.0, 1.0], [1.0, 0.0]]))
    expected = pd.DataFrame(
        {"count": pd.Series([7, 1], dtype="int16"), "job": ["nurse", "cook"]}
    ).set_axis(["r", "p"])
    pd.testing.assert_frame_equal(other.container, expected)
    pd.testing.assert_frame_equal(other.original, FRAME.loc[["r", "p"]])


def test_repeated_rows_are_told_apart_by_their_index(rows):
    repeated = rows.select([1, 0]).repeat(2)
    labels = [("q", 0), ("q", 1), ("p", 0), ("p", 1)]
    assert repeated.container.index.tolist() == labels
    assert repeated.values.tolist() == [[2, 1], [2, 1], [1, 0], [1, 0]]
    assert repeated.select([2]).container["count"].tolist() == [1]


def test_the_users_table_is_left_alone(rows):
    rows.with_values(np.zeros((3, 2))).container  # noqa: B018
    assert FRAME["count"].tolist() == [1, 2, 3]
