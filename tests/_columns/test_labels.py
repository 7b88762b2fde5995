"""Labels are sorted, or rejected by row and type; they become positions of classes."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from ctsk._columns.labels import check_labels, check_target, check_two_classes, encode_labels


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


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize(
    "container", [list, pd.Series, lambda labels: np.array(labels, dtype=object)]
)
def test_the_first_missing_label_is_named_in_any_container(container, missing):
    with pytest.raises(ValueError, match="the label of row 1 is missing .2 in all.. Drop these"):
        check_labels(container(["a", missing, "b", missing]))
    check_labels(container(["a", "b"]))


def test_labels_become_positions_of_classes():
    labels = np.array(["c", "a", "b", "a"])
    positions = encode_labels(labels, np.array(["a", "b", "c"]), "y", "")
    assert positions.tolist() == [2, 0, 1, 0]


def test_the_first_unknown_label_is_named_with_its_row():
    with pytest.raises(ValueError, match=r"^y holds the label 9 \(row 1\).*\(0, 1\)\. Drop it\.$"):
        encode_labels(np.array([0, 9, 8]), np.array([0, 1]), "y", "Drop it.")


def test_a_classifier_needs_two_classes():
    check_two_classes(np.array([0, 1]), 5)
    with pytest.raises(ValueError, match="y holds 1 class .n_samples=5.; .*at least two"):
        check_two_classes(np.array([0]), 5)


SCORES = np.array([[0.5, 0.2, 0.3], [-1.0, -3.0, -2.0], [1.0, 4.0, 2.0]])


def test_the_target_of_a_row_is_its_runner_up_by_default():
    scores = SCORES.copy()
    assert check_target(None, np.array([4, 5, 6]), scores).tolist() == [2, 2, 2]
    assert check_target(None, np.array([4, 5]), scores[:, :2]).tolist() == [1, 1, 0]
    # The scores are the caller's.
    np.testing.assert_array_equal(scores, SCORES)


@pytest.mark.parametrize("target", [5, [5, 5, 5], np.array(5)])
def test_one_label_is_the_target_of_all_rows(target):
    assert check_target(target, np.array([4, 5, 6]), SCORES).tolist() == [1, 1, 1]


def test_each_row_can_have_a_target_of_its_own():
    assert check_target([6, 4, 5], np.array([4, 5, 6]), SCORES).tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([4, 5], r"target has shape \(2,\) for 3 rows"),
        ([[4], [5], [6]], r"target has shape \(3, 1\) for 3 rows"),
        (7, "target holds the label 7 .row 0., which is not one of the classes .4, 5, 6"),
    ],
)
def test_invalid_targets_are_rejected(target, message):
    with pytest.raises(ValueError, match=message):
        check_target(target, np.array([4, 5, 6]), SCORES)
