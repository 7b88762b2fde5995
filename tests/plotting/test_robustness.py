import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression

from ctsk import CounterfactualTrainedClassifier
from ctsk.metrics import robust_accuracy
from ctsk.plotting import RobustnessDisplay


def test_the_curve_is_the_accuracy_under_attack(fitted_iris, iris, assert_inside):
    display = RobustnessDisplay.from_estimator(
        fitted_iris, *iris, epsilons=[0.5, 0.0, 0.2, 0.2], attack="noise", n_restarts=2
    )
    expected = [
        robust_accuracy(fitted_iris, *iris, epsilon=epsilon, attack="noise", n_restarts=2)
        for epsilon in (0.0, 0.2, 0.5)
    ]
    assert_array_equal(display.line_.get_xdata(), [0.0, 0.2, 0.5])
    assert_array_equal(display.line_.get_ydata(), expected)
    assert expected[0] == fitted_iris.score(*iris)
    assert display.line_.get_label() == "CounterfactualTrainedClassifier (noise)"
    assert "standard deviations" in display.ax_.get_xlabel()
    assert_inside(display.figure_)


def test_models_on_the_same_axes_differ_in_color_marker_and_line(fitted_iris, iris):
    first = RobustnessDisplay.from_estimator(fitted_iris, *iris, epsilons=[0, 0.1], name="a")
    second = RobustnessDisplay.from_estimator(
        fitted_iris, *iris, epsilons=[0, 0.1], name="b", attack="pgd", ax=first.ax_
    )
    assert first.ax_ is second.ax_
    assert list(second.ax_.lines) == [first.line_, second.line_]
    for attribute in ("color", "marker", "linestyle"):
        assert len({plt.getp(line, attribute) for line in second.ax_.lines}) == 2
    texts = [text.get_text() for text in second.ax_.get_legend().get_texts()]
    assert texts == ["a (fgsm)", "b (pgd)"]


def test_the_unit_of_models_that_do_not_standardize_is_that_of_X(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(
        standardize=False, lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=1, random_state=0
    ).fit(X, y)
    display = RobustnessDisplay.from_estimator(clf, X, y, epsilons=[0.1])
    assert "units of X" in display.ax_.get_xlabel()


def test_plot_returns_the_display_without_a_legend_if_there_is_no_name():
    _, ax = plt.subplots()
    display = RobustnessDisplay(epsilons=np.array([0.0, 0.1]), accuracies=np.array([1.0, 0.5]))
    assert display.plot(ax=ax) is display
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert ax.get_legend() is None


@pytest.mark.parametrize(
    ("epsilons", "message"),
    [
        ([], r"epsilons has shape \(0,\)"),
        ([[0.1, 0.2]], r"epsilons has shape \(1, 2\)"),
        (0.1, r"epsilons has shape \(\)"),
        ([-0.1], "'epsilon' parameter"),
        ([np.nan], "'epsilon' parameter"),
    ],
)
def test_invalid_epsilons_are_errors(fitted_iris, iris, epsilons, message):
    with pytest.raises(ValueError, match=message):
        RobustnessDisplay.from_estimator(fitted_iris, *iris, epsilons=epsilons)


def test_other_models_are_errors(iris):
    with pytest.raises(TypeError, match="estimator is a LogisticRegression"):
        RobustnessDisplay.from_estimator(LogisticRegression(), *iris)
