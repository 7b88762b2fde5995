from types import SimpleNamespace

import numpy as np
import pandas as pd
from numpy.testing import assert_array_equal

from ctsk.plotting import ParetoFrontDisplay


def test_plot_shows_the_candidates_the_front_and_the_chosen_one():
    search = SimpleNamespace(
        cv_results_={
            "params": [{"T": i} for i in range(3)],
            "mean_test_accuracy": np.array([0.9, 0.8, 0.7]),
            "mean_test_neg_implausibility": np.array([-5.0, -3.0, -4.0]),
        },
        best_index_=1,
    )
    display = ParetoFrontDisplay.from_search(search)
    front, chosen = display.ax_.lines
    assert_array_equal(front.get_xydata(), [[0.9, -5.0], [0.8, -3.0]])
    assert_array_equal(chosen.get_xydata(), [[0.8, -3.0]])
    assert len(display.ax_.collections[0].get_offsets()) == 3
    assert display.ax_.get_xlabel() == "accuracy"
    assert ParetoFrontDisplay.from_search(search, ax=display.ax_).figure_ is display.figure_


def test_plot_returns_the_display_without_a_ring_if_nothing_is_chosen(assert_inside):
    scores = pd.DataFrame({"accuracy": [0.9, 0.8], "neg_implausibility": [-5.0, -3.0]})
    display = ParetoFrontDisplay(scores=scores, front=scores)
    assert display.plot() is display
    assert len(display.ax_.lines) == 1
    assert_inside(display.figure_)
