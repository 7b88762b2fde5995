"""Labels are sorted by scikit-learn, or rejected by their row and type."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from ctsk._columns.labels import check_labels


@pytest.mark.parametrize(
    "y",
    [
        (None, "a", "b"),
        pd.Categorical([None, "a", "b"]),
        pd.Index([None, "a", "b"], dtype=object),
        pd.array([None, 1, 2], dtype="Int64"),
        pd.Series([pd.NaT, *pd.date_range("2020", periods=2)]),
    ],
    ids=["tuple", "Categorical", "Index", "Int64", "dates"],
)
def test_a_missing_label_is_rejected_in_every_container(y):
    with pytest.raises(ValueError, match=r"y contains NaN: the label of row 0 is missing \(1 in"):
        check_labels(y)


@pytest.mark.parametrize("label", [datetime.date(2020, 1, 1), decimal.Decimal(1), 1j, object()])
def test_labels_of_a_type_without_classes_are_rejected_by_row(label):
    message = rf"Unknown label type: y holds labels of type {type(label).__name__}, as in row 1"
    with pytest.raises(ValueError, match=message):
        check_labels([1, label])


def test_labels_of_text_and_numbers_have_no_order():
    with pytest.raises(ValueError, match=r"text and, as in row 1, labels of type int.*astype\(str"):
        check_labels(pd.Series(["a", 1, "b"]))


def test_masked_labels_are_rejected():
    with pytest.raises(ValueError, match="y is a masked array.*Drop the rows"):
        check_labels(np.ma.masked_array([0, 1], mask=[True, False]))


@pytest.mark.parametrize(
    ("y", "dtype"),
    [
        (np.array([2, 1], dtype=object), np.int64),
        (np.array([True, False], dtype=object), np.bool_),
        (np.array(["b", "a"], dtype=object), np.dtype("<U1")),
        (np.array(["b", "a"], dtype=np.dtypes.StringDType()), np.dtype("<U1")),
    ],
    ids=["int", "bool", "text", "StringDType"],
)
def test_arrays_of_objects_become_arrays_of_what_they_hold(y, dtype):
    labels = check_labels(y)
    assert labels.dtype == dtype
    assert labels.tolist() == y.tolist()


@pytest.mark.parametrize("y", [["a", "b"], np.array([1.5, 2.5]), pd.Series([1, 2]), None, "ab"])
def test_other_labels_are_left_as_they_are(y):
    assert check_labels(y) is y
