import itertools
import re
from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ctsk import CounterfactualTrainedClassifier
from ctsk._explaining.recourse import Option, Recourse
from ctsk._explaining.wording import Change
from ctsk.plotting import RecourseDisplay

matplotlib.use("agg")

WIDTHS = pytest.mark.parametrize("width", [400, 900])
CONTENT = Recourse(
    prediction="refused", target="granted", prediction_probability="68.3%",
    target_probability="31.6%", required="75%", is_already=False, is_reached=False, options=[],
    n_not_found=0, unchanged=["housing", "job"], immutable=["age", "sex"], proof=None,
)  # fmt: skip
LONG = "a name that is so long that it has to be wrapped wherever it is shown " * 3


def options(n_options, n_changes, name="credit amount"):
    changes = [
        Change(
            f"{name} {i}", f"{1234.5 + i} DM", f"{i}.125 DM", "1234.375 DM less", -1, 1 / (i + 2)
        )
        if i % 3
        else Change(f"{name} {i}", "no checking account", "200 DM or more, or a salary", share=0.3)
        for i in range(n_changes)
    ]
    return [Option(changes, "76.1%", number != 2) for number in range(n_options)]


CASES = {
    "one": replace(CONTENT, options=options(1, 2)),
    "three": replace(CONTENT, options=options(3, 5)),
    "thirty changes": replace(CONTENT, options=options(1, 30)),
    "many features": replace(
        CONTENT,
        options=options(3, 3),
        unchanged=[f"feature {i}" for i in range(60)],
        immutable=[f"fixed, {i}" for i in range(11)],
    ),
    "long names": replace(
        CONTENT, options=options(2, 4, LONG), unchanged=[LONG], immutable=[LONG], target=LONG
    ),
    "one word": replace(CONTENT, options=options(3, 2, "x" * 300)),
    "formula": replace(CONTENT, options=options(1, 2, "$a_b^{c$ <i>\\frac{}"), target="$"),
    "nothing": replace(CONTENT, is_already=True, is_reached=True),
    "not found": replace(CONTENT, n_not_found=1),
    "impossible": replace(CONTENT, proof="impossible"),
}


def assert_readable(figure):
    """Raise an AssertionError if text leaves the figure or covers other text."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = [t for t in figure.findobj(matplotlib.text.Text) if t.get_text() and t.get_visible()]
    texts = [text for text in texts if text.axes is None or text in text.axes.texts]
    assert texts
    boxes = [text.get_window_extent(renderer) for text in texts]
    for text, box in zip(texts, boxes, strict=True):
        assert box.x0 >= 0 and box.y0 >= 0, text  # noqa: PT018
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, text  # noqa: PT018
    for (text, box), (other, box_of_other) in itertools.combinations(
        zip(texts, boxes, strict=True), 2
    ):
        # Descenders may touch the ascenders of the next line.
        overlap = box.intersection(box, box_of_other)
        assert overlap is None or min(overlap.width, overlap.height) < 2, (text, other)


def words(display):
    return " ".join(text.get_text() for text in display.ax_.texts)


@WIDTHS
@pytest.mark.parametrize("case", CASES)
def test_no_text_leaves_the_figure_or_covers_other_text(case, width):
    with plt.rc_context({"figure.figsize": (width / 100, 3), "figure.dpi": 100}):
        display = RecourseDisplay(recourse=CASES[case]).plot()
    assert display.figure_.bbox.width == width
    assert_readable(display.figure_)
    plt.close(display.figure_)


@WIDTHS
@pytest.mark.parametrize("height", [220, 500])
@pytest.mark.parametrize("case", CASES)
def test_axes_of_any_size_hold_the_whole_picture(case, width, height):
    figure, ax = plt.subplots(figsize=(width / 100, height / 100), dpi=100)
    display = RecourseDisplay(recourse=CASES[case]).plot(ax=ax)
    assert (display.ax_, display.figure_) == (ax, figure)
    assert_readable(figure)
    frame = ax.get_window_extent()
    for text in ax.texts:
        box = text.get_window_extent()
        assert frame.y0 - 1 <= box.y0 and box.y1 <= frame.y1 + 1  # noqa: PT018
    plt.close(figure)


def test_alternatives_are_side_by_side_in_a_wide_figure_and_stacked_in_a_narrow_one():
    tops = {}
    for width in (4, 9):
        with plt.rc_context({"figure.figsize": (width, 3)}):
            display = RecourseDisplay(recourse=CASES["three"]).plot()
        titles = [t for t in display.ax_.texts if t.get_text().startswith("Option")]
        tops[width] = [title.get_position()[1] for title in titles]
        plt.close(display.figure_)
    assert len(set(tops[9])) == 1
    assert tops[4] == sorted(set(tops[4]))
    assert len(tops[4]) == 3


def test_what_does_not_fit_is_counted():
    text = words(RecourseDisplay(recourse=CASES["thirty changes"]).plot())
    assert "and 22 smaller changes" in text
    text = words(RecourseDisplay(recourse=CASES["many features"]).plot())
    assert "and 50 others" in text
    assert re.search(r"and 1 other\b", text)
    plt.close("all")


def test_long_names_leave_room_for_the_number_of_the_others():
    names = [f"number_of_revolving_trades_with_balance_{i}" for i in range(12)]
    recourse = replace(CASES["three"], unchanged=names, immutable=names)
    text = words(RecourseDisplay(recourse=recourse).plot())
    unchanged, immutable = text.split("Cannot change")
    assert f"and {12 - unchanged.count('number_of')} others" in unchanged
    assert f"and {12 - immutable.count('number_of')} others" in immutable
    assert "…" not in text
    plt.close("all")


def test_a_long_name_is_broken_behind_an_underscore():
    name = "months_since_the_most_recent_inquiry_without_those_of_the_last_seven_days"
    change = Change(name, "1", "2", "1 more", 1, 1.0)
    recourse = replace(CONTENT, options=[Option([change], "80%", True)])
    with plt.rc_context({"figure.figsize": (3, 3)}):
        display = RecourseDisplay(recourse=recourse).plot()
    parts = [t.get_text() for t in display.ax_.texts if set(t.get_text()) & set("_")]
    assert len(parts) > 1
    assert all(part.endswith("_") for part in parts[:-1])
    assert "".join(parts) == name
    plt.close("all")


def test_direction_does_not_depend_on_color_and_immutable_features_are_gray_and_in_italics():
    changes = [Change("a", "1", "2", "1 more", 1, 0.5), Change("b", "2", "1", "1 less", -1, 0.5)]
    recourse = replace(CONTENT, options=[Option(changes, "80%", True)])
    display = RecourseDisplay(recourse=recourse).plot()
    assert "▲ 1 more" in words(display)
    assert "▼ 1 less" in words(display)
    (fixed,) = [t for t in display.ax_.texts if t.get_text().startswith("Cannot change")]
    assert fixed.get_style() == "italic"
    assert len(set(matplotlib.colors.to_rgb(fixed.get_color()))) == 1
    plt.close("all")


def test_picture_says_what_the_explanation_holds(fitted, diabetes):
    X = diabetes[0][fitted.predict(diabetes[0]) == "fast"].head(4)
    explanation = fitted.explain(X, "slow", n_alternatives=2)
    labels = {"bmi": "body mass index", ("target", "fast"): "fast progression"}
    display = explanation.plot(2, labels=labels, units={"bmi": "kg/m²"})
    text = words(display)
    assert "Now: fast progression" in text
    assert "Cannot change: age, sex" in text
    for line in explanation[4:6].changes().to_dict("records"):
        assert labels.get(line["feature"], line["feature"]) in text
        assert f"{line['from']:g}" in text
    with pytest.raises(IndexError, match="from 0 to 3"):
        RecourseDisplay.from_explanation(explanation, 9)
    with pytest.raises(ValueError, match="units names the feature 'wage'"):
        explanation.plot(units={"wage": "DM"})
    plt.close("all")


def test_no_recourse_is_claimed_where_none_was_found():
    text = words(RecourseDisplay(recourse=CASES["not found"]).plot())
    assert "No permitted changes were found that lead to granted" in text
    assert "With the changes" not in text
    text = words(RecourseDisplay(recourse=CASES["impossible"]).plot())
    assert "It is proven that no permitted changes lead to granted" in text
    assert "Nothing has to change" in words(RecourseDisplay(recourse=CASES["nothing"]).plot())
    plt.close("all")


@WIDTHS
def test_picture_of_columns_of_every_kind_is_readable(fitted_loans, loans, width):
    X, _ = loans
    rows = X[X["job"].isna()].head(2)
    explanation = fitted_loans.explain(rows, n_alternatives=3)
    with plt.rc_context({"figure.figsize": (width / 100, 3), "figure.dpi": 100}):
        assert_readable(explanation.plot(1, units={"income": "EUR"}).figure_)
    plt.close("all")


def test_many_features_of_a_real_search_are_readable():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 30)), columns=[f"measurement {i}" for i in range(30)])
    y = X.sum(axis=1) > 0
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=20, random_state=0
    ).fit(X, y)
    explanation = clf.explain(X[~clf.predict(X)].head(1), True, generator="eccco")
    display = explanation.plot()
    assert_readable(display.figure_)
    assert "and 22 smaller changes" in words(display)
    plt.close("all")
