import pickle

import matplotlib.pyplot as plt
import pytest

from ctsk.plotting.style import add_legend_above


def extents(ax):
    """Return the extents of the axes, of the legend and of the title, in pixels."""
    ax.figure.canvas.draw()
    parts = ax.patch, ax.get_legend(), ax.title
    return [part.get_window_extent() for part in parts]


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
@pytest.mark.parametrize("entry_width", [1, 10])
def test_a_title_is_above_the_legend_and_inside_the_figure(layout, entry_width, assert_inside):
    figure, axes = plt.subplots(2, 2, figsize=(8, 8), layout=layout)
    for ax in axes.flat:
        for label in ("one", "two"):
            ax.plot([0, 1], label=label)
        add_legend_above(ax, entry_width)
        # The usual order: a display plots, and its user adds the title.
        ax.set_title("a title")
        panel, legend, title = extents(ax)
        assert legend.y0 >= panel.y1
        assert title.y0 > legend.y1
    assert_inside(figure)


def test_a_title_returns_to_the_axes_if_the_legend_is_removed():
    ax = plt.subplots()[1]
    ax.set_title("a title")
    ax.figure.canvas.draw()
    before = ax.title.get_window_extent().y0
    ax.plot([0, 1], label="one")
    add_legend_above(ax, 1)
    _, legend, title = extents(ax)
    assert title.y0 > legend.y1 > before
    ax.get_legend().remove()
    ax.figure.canvas.draw()
    assert ax.title.get_window_extent().y0 == pytest.approx(before)


def test_figures_with_a_legend_above_the_axes_are_pickled():
    ax = plt.subplots()[1]
    ax.plot([0, 1], label="one")
    add_legend_above(ax, 1)
    ax.set_title("a title")
    copied = pickle.loads(pickle.dumps(ax.figure)).axes[0]
    _, legend, title = extents(copied)
    assert title.y0 > legend.y1
