import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def no_open_figures():
    """Close the figures of each test: matplotlib warns if many are open."""
    yield
    plt.close("all")


@pytest.fixture
def assert_inside():
    """Return a function that fails if a part of a figure is cut."""

    def check(figure):
        figure.canvas.draw()
        box = figure.get_tightbbox()
        # In inches. The tolerance is a pixel, for the widths of lines.
        assert min(box.x0, box.y0) >= -0.01
        assert np.all(np.array([box.x1, box.y1]) <= figure.get_size_inches() + 0.01)

    return check
