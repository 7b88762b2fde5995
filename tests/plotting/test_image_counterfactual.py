from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits

from ctsk import CounterfactualTrainedClassifier
from ctsk.plotting import ImageCounterfactualDisplay


@pytest.fixture(scope="module")
def digits():
    """Explanation of six digits of 8 x 8 pixels."""
    X, y = load_digits(return_X_y=True)
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, lr=0.01, max_epochs=5, random_state=0
    ).fit(X, y)
    return clf.explain(X[:6], generator="generic", tau=0.5, T=100)


def test_each_line_shows_factual_counterfactual_and_difference(digits, assert_inside):
    display = ImageCounterfactualDisplay.from_explanation(digits, rows=[1, 4])
    assert display.ax_.shape == (2, 3)
    for line, row in zip(display.ax_, (1, 4), strict=True):
        factual = digits.factual[row].reshape(8, 8)
        counterfactual = digits.counterfactual[row].reshape(8, 8)
        expected = [factual, counterfactual, counterfactual - factual]
        for ax, image in zip(line, expected, strict=True):
            assert_array_equal(ax.images[0].get_array(), image)
    assert_inside(display.figure_)


def test_differences_share_a_symmetric_scale_and_images_another(digits):
    display = ImageCounterfactualDisplay.from_explanation(digits)
    assert len(display.ax_) == 4
    largest = np.abs(digits.counterfactual - digits.factual)[:4].max()
    assert {ax.images[0].get_clim() for ax in display.ax_[:, 2]} == {(-largest, largest)}
    values = np.stack([digits.factual[:4], digits.counterfactual[:4]])
    limits = {ax.images[0].get_clim() for ax in display.ax_[:, :2].ravel()}
    assert limits == {(values.min(), values.max())}


def test_titles_name_the_predicted_classes_and_their_probability(digits):
    changed = replace(
        digits,
        factual_prediction=np.array([0, 1, 2, 3, 4, 5]),
        prediction=np.array([7, 7, 8, 3, 4, 5]),
        target=np.array([7, 9, 8, 3, 4, 5]),
        valid=np.array([True, False, False, True, True, True]),
        proba=np.tile([0.75, 0.25], (6, 1)),
    )
    display = ImageCounterfactualDisplay.from_explanation(changed, rows=[0, 1, 2])
    titles = [[ax.get_title() for ax in line] for line in display.ax_]
    assert titles == [
        ["factual\n0", "counterfactual\n7 (75%)", "difference\n"],
        ["1", "7 (75%), not 9", ""],
        ["2", "8 (75%), invalid", ""],
    ]


def test_images_may_be_unchanged(digits):
    unchanged = replace(digits, counterfactual_rows=digits.factual_rows)
    display = ImageCounterfactualDisplay.from_explanation(unchanged, rows=0)
    low, high = display.ax_[0, 2].images[0].get_clim()
    assert low == -high < 0


def test_images_need_not_be_square(digits, assert_inside):
    display = ImageCounterfactualDisplay.from_explanation(digits, shape=(4, 16), rows=[0])
    assert display.ax_[0, 0].images[0].get_array().shape == (4, 16)
    assert_inside(display.figure_)


def test_plot_returns_the_display_on_the_axes_of_the_user(digits):
    _, axes = plt.subplots(2, 3)
    display = ImageCounterfactualDisplay.from_explanation(digits, rows=[0, 1], ax=axes)
    assert_array_equal(display.ax_, axes)
    figure, ax = plt.subplots()
    assert display.plot(ax=ax) is display
    assert display.figure_ is figure
    assert display.ax_.shape == (2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (3, 5)}, r"shape is \(3, 5\), which is 15 pixels"),
        ({"shape": 8}, "shape is 8; it must be a height and a width"),
        ({"shape": (8, 8, 1)}, "it must be a height and a width"),
        ({"shape": (-8, -8)}, "it must be a height and a width"),
        ({"rows": [6]}, "positions of rows of explanation, from 0 to 5"),
        ({"rows": []}, "positions of rows of explanation"),
        ({"rows": [0.5]}, "positions of rows of explanation"),
        ({"rows": [[0, 1]]}, "positions of rows of explanation"),
        ({"rows": [True, False]}, "positions of rows of explanation"),
        ({"ax": [None] * 2}, "ax holds 2 axes, but the plot has 12 panels"),
    ],
)
def test_invalid_arguments_are_errors(digits, arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageCounterfactualDisplay.from_explanation(digits, **arguments)


def test_tables_are_errors(fitted, diabetes, fitted_loans, loans):
    explanation = fitted.explain(diabetes[0].head(2))
    with pytest.raises(ValueError, match="10 features are no square image"):
        ImageCounterfactualDisplay.from_explanation(explanation)
    explanation = fitted_loans.explain(loans[0].dropna().head(2))
    with pytest.raises(ValueError, match=r"categorical features \('grade', 'job', 'owner'\)"):
        ImageCounterfactualDisplay.from_explanation(explanation)
    with pytest.raises(ValueError, match="explanation has no rows"):
        ImageCounterfactualDisplay.from_explanation(explanation[[]])
