"""Checks of X, y, labels and weights: by themselves, and in `fit` and `explain`."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.validation import (
    check_table,
    drop_rows_without_weight,
    naming_reference,
    refuse_values,
    undo_on_failure,
)

NAMES = ["age", "income"]
LARGEST = float(np.finfo(np.float32).max)


@pytest.mark.parametrize(
    "values", [[[0.0, np.nan], [-LARGEST, 1.0]], [[LARGEST, 0.0]], [[np.nan, np.nan]]]
)
def test_numbers_up_to_the_largest_float32_and_gaps_are_accepted(values):
    refuse_values(np.array(values), NAMES, "fit")


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("gap", [0.0, np.nan])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.inf, "contains infinity in feature 'income' .first in row 1.*fit needs.*: clip it"),
        (2 * LARGEST, "a value too large for float32 .inf. in feature 'income' .*: rescale"),
    ],
)
def test_the_first_infinite_or_too_large_number_is_named(sign, gap, value, message):
    values = np.array([[gap, 1.0], [0.0, sign * value], [sign * value, 2.0]])
    with pytest.raises(ValueError, match=message):
        refuse_values(values, NAMES, "fit")


def test_an_infinite_number_is_reported_before_one_that_is_too_large():
    with pytest.raises(ValueError, match="infinity in feature 'income'"):
        refuse_values(np.array([[1e300, 0.0], [0.0, np.inf]]), NAMES, "fit")


@pytest.mark.parametrize("other", [0.0, 1e300, np.inf])
def test_a_gap_is_named_first_where_none_is_allowed(other):
    values = np.array([[other, 0.0], [0.0, np.nan]])
    with pytest.raises(ValueError, match="NaN in feature 'income' .first in row 1.*SimpleImputer"):
        refuse_values(values, NAMES, "fit", allow_nan=False)


def test_attributes_are_restored_if_a_block_fails_and_kept_otherwise():
    estimator = SimpleNamespace(kept=1, deleted=2)
    with pytest.raises(KeyboardInterrupt), undo_on_failure(estimator):
        estimator.kept = 3
        estimator.new = 4
        del estimator.deleted
        raise KeyboardInterrupt
    assert vars(estimator) == {"kept": 1, "deleted": 2}
    with undo_on_failure(estimator):
        estimator.kept = 3
        estimator.new = 4
    assert vars(estimator) == {"kept": 3, "deleted": 2, "new": 4}


def test_rows_of_no_weight_are_left_out_and_the_mean_of_the_others_is_1():
    X = pd.DataFrame({"age": [1, 2, 3]}, index=[7, 8, 9])
    kept, y, weights = drop_rows_without_weight(X, np.array(["a", "b", "c"]), [3, 0, 1])
    pd.testing.assert_frame_equal(kept, X.loc[[7, 9]])
    assert y.tolist() == ["a", "c"]
    assert weights.tolist() == [1.5, 0.5]


@pytest.mark.parametrize("sample_weight", [None, [2.0, 2.0]])
def test_equal_weights_are_none(sample_weight):
    X, y = np.array([[1.0], [2.0]]), np.array([0, 1])
    kept, labels, weights = drop_rows_without_weight(X, y, sample_weight)
    assert (kept.tolist(), labels.tolist(), weights) == (X.tolist(), y.tolist(), None)


@pytest.mark.parametrize(
    ("sample_weight", "message"),
    [
        ([0, 0], "all rows|at least one non-zero"),
        ([1, -1], "Negative values"),
        ([1, np.nan], "NaN"),
        ([1, 1, 1], "inconsistent numbers of samples"),
    ],
)
def test_invalid_weights_are_rejected(sample_weight, message):
    with pytest.raises(ValueError, match=message):
        drop_rows_without_weight(np.ones((2, 1)), np.array([0, 1]), sample_weight)


def test_tables_keep_their_dtypes_and_gaps():
    whole = check_table(np.array([[1, 2]], dtype=np.int8))
    assert whole.dtype == np.int8
    gaps = check_table(sparse.csr_array([[0.0, np.nan]]))
    np.testing.assert_array_equal(gaps, [[0, np.nan]])
    X = pd.DataFrame({"age": [1], "job": ["cook"]})
    pd.testing.assert_frame_equal(check_table(X), X)


@pytest.mark.parametrize(
    ("empty", "message"),
    [
        (pd.DataFrame({"age": []}), r"^rows has no rows \(shape=\(0, 1\)\)"),
        (np.empty((0, 1)), "minimum of 1 is required"),
    ],
)
def test_a_table_without_rows_is_rejected(empty, message):
    with pytest.raises(ValueError, match=message):
        check_table(empty, name="rows")


def test_errors_about_reference_rows_name_the_parameter():
    with pytest.raises(ValueError, match="^X_reference cannot be used: too few rows$"):
        with naming_reference():
            raise ValueError("too few rows")


X = np.random.default_rng(0).normal(size=(12, 2))
Y = np.arange(12) % 2
INFINITE = np.where(np.arange(12)[:, None] == 3, np.inf, X)


def conventional():
    return CounterfactualTrainedClassifier(
        max_epochs=1, lambda_div=0, lambda_adv=0, lambda_reg=0, random_state=0
    )


@pytest.fixture(scope="module")
def clf():
    return conventional().fit(X, Y)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        # The first two are messages of scikit-learn in some of its versions.
        ((X, Y, np.zeros(12)), "(?i)sample.weight.* at least one"),
        ((X[:0], Y[:0]), "a minimum of 1 is required"),
        ((INFINITE, Y), r"in feature 'x0' \(first in row 3\)"),
        ((X, np.where(Y, "a", None)), "label of row 0 is missing .6 in all.. Drop these rows, or"),
        ((X, np.zeros(12)), "1 class .*a classifier needs at least two classes"),
        ((X.astype(str) + "m", Y), "X holds text .*Pass a DataFrame"),
    ],
)
def test_invalid_training_data_are_errors_and_leave_nothing_behind(args, message):
    clf = conventional()
    with pytest.raises(ValueError, match=message):
        clf.fit(*args)
    assert not hasattr(clf, "encoder_")


def test_rows_without_weight_are_left_out():
    weights = np.where(np.arange(12) < 8, 1.0, 0.0)
    weighted, fitted = conventional().fit(X, Y, weights), conventional().fit(X[:8], Y[:8])
    np.testing.assert_array_equal(weighted.encoder_.domain, fitted.encoder_.domain)


def test_an_unknown_label_names_its_row_the_classes_and_the_remedy(clf):
    with pytest.raises(ValueError, match=r"label 5 \(row 1\).*classes \(0, 1\).*warm_start=False"):
        conventional().set_params(warm_start=True).fit(X, Y).fit(X, np.where(Y, 5, 0))


@pytest.mark.parametrize("target", [np.zeros((12, 1)), np.zeros(3)])
def test_a_target_of_another_shape_is_an_error(clf, target):
    with pytest.raises(ValueError, match="target has shape .* for 12 rows of X. Pass None, one"):
        clf.explain(X, target)


def test_an_invalid_reference_is_named(clf):
    with pytest.raises(ValueError, match="X_reference cannot be used: .*'x0'"):
        clf.explain(X, generator="revise", X_reference=INFINITE)
