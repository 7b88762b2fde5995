import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import make_moons_like
from ctsk.plotting import TrainingHistoryDisplay


class HeldOut(Callback):
    """Record a loss of held-out rows in every second epoch."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) % 2:
            net.history.record("valid_loss", 1 / len(net.history))


@pytest.fixture(scope="module")
def moons():
    return make_moons_like(100, random_state=0)


@pytest.fixture(scope="module")
def trained(moons):
    """Classifier with two conventional epochs, and with a loss of held-out rows."""
    return CounterfactualTrainedClassifier(
        lr=0.05,
        max_epochs=8,
        burn_in=0.25,
        tau=0.6,
        callbacks=[HeldOut()],
        early_stopping=False,
        random_state=0,
    ).fit(*moons)


@pytest.fixture(scope="module")
def conventional(moons):
    return CounterfactualTrainedClassifier(
        lambda_div=0,
        lambda_adv=0,
        lambda_reg=0,
        max_epochs=2,
        early_stopping=False,
        random_state=0,
    ).fit(*moons)


def test_the_lines_are_the_records_of_the_history(trained, assert_inside):
    display = TrainingHistoryDisplay.from_estimator(trained)
    loss, terms, share = display.ax_
    history = trained.history_
    assert_array_equal(loss.lines[0].get_xdata(), np.arange(1, 9))
    assert_array_equal(loss.lines[0].get_ydata(), history[:, "train_loss"])
    assert_array_equal(loss.lines[1].get_ydata()[::2], [1, 1 / 3, 1 / 5, 1 / 7])
    assert np.isnan(loss.lines[1].get_ydata()[1::2]).all()
    names = [line.get_label() for line in terms.lines]
    assert names == ["classification", "divergence", "adversarial", "ridge"]
    for line in terms.lines:
        assert_array_equal(line.get_ydata(), history[:, line.get_label()])
    # The conventional epochs have no counterfactuals.
    assert_array_equal(share.lines[0].get_ydata(), history[:, "mature_share"])
    assert np.isnan(share.lines[0].get_ydata()[:2]).all()
    assert [ax.get_ylabel() for ax in display.ax_] == ["loss", "unweighted term", "mature share"]
    assert share.get_xlabel() == "epoch"
    assert_inside(display.figure_)


def test_conventional_training_has_a_loss_only(conventional, assert_inside):
    display = TrainingHistoryDisplay.from_estimator(conventional)
    assert [ax.get_ylabel() for ax in display.ax_] == ["loss"]
    assert display.ax_[0].get_legend() is None
    assert_inside(display.figure_)


def test_fine_tuning_continues_the_lines(moons):
    clf = CounterfactualTrainedClassifier(
        lambda_div=0,
        lambda_adv=0,
        lambda_reg=0,
        max_epochs=2,
        early_stopping=False,
        random_state=0,
    ).fit(*moons)
    clf.set_params(lambda_adv=0.5).partial_fit(*moons)
    display = TrainingHistoryDisplay.from_estimator(clf)
    assert_array_equal(display.epochs, [1, 2, 3])
    assert list(display.terms) == ["classification", "adversarial"]
    assert_array_equal(np.isnan(display.terms["adversarial"]), [True, True, False])


def test_a_single_axes_is_divided(trained):
    figure, (left, right) = plt.subplots(1, 2)
    display = TrainingHistoryDisplay.from_estimator(trained, ax=left)
    assert display.figure_ is figure
    figure.canvas.draw()
    limit = right.get_position().x0
    assert all(ax.get_position().x1 < limit for ax in display.ax_)


def test_the_axes_of_the_user_are_used(trained):
    _, axes = plt.subplots(3, 1)
    display = TrainingHistoryDisplay.from_estimator(trained, ax=axes)
    assert list(display.ax_) == list(axes)
    assert display.plot(ax=list(axes)) is display


def test_a_wrong_number_of_axes_is_an_error(trained):
    with pytest.raises(ValueError, match="ax holds 2 axes, but the plot has 3 panels"):
        TrainingHistoryDisplay.from_estimator(trained, ax=plt.subplots(2)[1])


def test_axes_that_cannot_be_divided_are_an_error(trained):
    ax = plt.figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match="ax was not created by subplots"):
        TrainingHistoryDisplay.from_estimator(trained, ax=ax)


def test_other_models_are_errors(trained):
    with pytest.raises(TypeError, match="Pass the last step of the pipeline"):
        TrainingHistoryDisplay.from_estimator(make_pipeline(trained))
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(CounterfactualTrainedClassifier())
