from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ctsk.metrics import recourse_summary
from ctsk.plotting import RecourseSummaryDisplay

OUTCOMES = ["found", "open", "impossible"]


@pytest.fixture(scope="module")
def refused(fitted_loans, loans):
    """Explanation with all three outcomes: every third row is proven impossible, or open."""
    X, _ = loans
    rows = X[fitted_loans.predict(X) == "refused"].dropna().head(40)
    explanation = fitted_loans.explain(rows, "granted")
    outcomes = np.resize(["optimal", "impossible", "open", "optimal"], 40).astype(object)
    is_found = outcomes == "optimal"
    return replace(explanation, valid=is_found, mature=is_found, proof=outcomes)


def bars(ax):
    return [[(bar.get_x(), bar.get_width()) for bar in container] for container in ax.containers]


def test_the_panels_show_costs_with_intervals_and_stacked_shares(refused, assert_inside):
    summary = recourse_summary(refused, "owner")
    assert len(summary) == 2
    assert (summary[OUTCOMES] > 0).all(axis=None)
    display = RecourseSummaryDisplay.from_explanation(refused, "owner")
    costs, shares = display.ax_
    assert_array_equal(costs.lines[0].get_xdata(), summary["cost"])
    intervals = [segment[:, 0] for segment in costs.collections[0].get_segments()]
    assert_array_equal(intervals, summary[["cost_low", "cost_high"]])
    drawn = np.array(bars(shares))
    assert_allclose(drawn[:, :, 1], summary[OUTCOMES].T)
    starts = summary[OUTCOMES].cumsum(axis=1) - summary[OUTCOMES]
    assert_allclose(drawn[:, :, 0], starts.T, atol=1e-15)
    assert [label.get_text() for label in costs.get_yticklabels()] == ["False", "True"]
    assert costs.get_xlabel() == "median cost\n(95% interval)"
    assert_inside(display.figure_)


def test_a_second_model_joins_the_groups_of_the_first(refused, assert_inside):
    cheaper = refused[refused.valid]
    first = RecourseSummaryDisplay.from_explanation(cheaper, "owner", name="a")
    limit = first.ax_[0].get_xlim()[1]
    second = RecourseSummaryDisplay.from_explanation(
        refused, "owner", name="b", ax=first.ax_, confidence_level=0.5
    )
    costs, shares = second.ax_
    assert list(first.ax_) == [costs, shares]
    texts = [label.get_text() for label in costs.get_yticklabels()]
    assert texts == ["False, a", "True, a", "False, b", "True, b"]
    # The bars of a group are next to each other, and no two overlap.
    heights = sorted((bar.get_y(), bar.get_y() + bar.get_height()) for bar in shares.containers[0])
    heights += [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in shares.containers[3]]
    heights.sort()
    assert all(end < start for (_, end), (start, _) in zip(heights, heights[1:], strict=False))
    assert costs.lines[0].get_marker() != costs.lines[1].get_marker()
    assert costs.get_xlim()[0] == 0
    assert limit <= costs.get_xlim()[1]
    assert_inside(second.figure_)


def test_the_axis_of_costs_grows_with_a_more_expensive_model(refused):
    summary = recourse_summary(refused)
    display = RecourseSummaryDisplay(summary=summary).plot()
    tenfold = summary.copy()
    tenfold[["cost", "cost_low", "cost_high"]] *= 10
    RecourseSummaryDisplay(summary=tenfold).plot(ax=display.ax_)
    low, high = display.ax_[0].get_xlim()
    assert low == 0
    assert high > tenfold["cost_high"].max()


def test_groups_in_which_nothing_is_found_have_no_point(refused):
    lost = refused[~refused.mature]
    assert len(lost) == 20
    display = RecourseSummaryDisplay.from_explanation(lost, np.arange(len(lost)) % 2)
    assert len(display.ax_[0].lines[0].get_xdata()) == 0
    assert_array_equal(np.array(bars(display.ax_[1]))[0, :, 1], [0, 0])
    # The axes are occupied all the same.
    display = RecourseSummaryDisplay.from_explanation(refused, np.arange(40) % 2, ax=display.ax_)
    assert len(display.ax_[0].get_yticks()) == 4


def test_narrow_intervals_beside_their_median_are_plotted(refused):
    summary = recourse_summary(refused).assign(cost=1.0, cost_low=1.1, cost_high=1.2)
    display = RecourseSummaryDisplay(summary=summary).plot()
    assert_array_equal(display.ax_[0].collections[0].get_segments()[0][:, 0], [1.1, 1.2])


def test_other_groups_and_a_fourth_summary_are_errors(refused):
    display = RecourseSummaryDisplay.from_explanation(refused, "owner")
    with pytest.raises(ValueError, match="ax shows other groups than this summary"):
        RecourseSummaryDisplay.from_explanation(refused, "grade", ax=display.ax_)
    display.plot(ax=display.ax_).plot(ax=display.ax_)
    with pytest.raises(ValueError, match="ax shows 3 summaries already"):
        display.plot(ax=display.ax_)


def test_plot_returns_the_display_on_the_axes_of_the_user(refused):
    figure, axes = plt.subplots(1, 2)
    display = RecourseSummaryDisplay.from_explanation(refused, ax=axes)
    assert list(display.ax_) == list(axes)
    assert display.plot() is display
    figure, ax = plt.subplots()
    assert display.plot(ax=ax).figure_ is figure
    assert len(display.ax_) == 2


def test_invalid_explanations_are_errors(refused):
    with pytest.raises(ValueError, match="explanation has no rows"):
        RecourseSummaryDisplay.from_explanation(refused[[]])
    with pytest.raises(TypeError, match="explanation is a DataFrame"):
        RecourseSummaryDisplay.from_explanation(refused.factual)
    with pytest.raises(ValueError, match="groups is 'height'"):
        RecourseSummaryDisplay.from_explanation(refused, "height")
