"""Invalid rows, labels, weights and targets are errors that name the remedy."""

import numpy as np
import pytest

from ctsk import CounterfactualTrainedClassifier

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
