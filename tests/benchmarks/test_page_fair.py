"""The section on equal cost says what its table says."""

import numpy as np
import page_fair
import pandas as pd
import pytest


@pytest.fixture
def table():
    lines = [
        # model, search, data, gain, from, to, seeds, empty
        ("conventional", "nearest", "moons", 0.0, 0.0, 0.0, 5, 0),
        ("CT", "nearest", "moons", -30.0, -40.0, -20.0, 5, 0),
        ("CT", "nearest", "GMSC", 7.0, -1.0, 15.0, 5, 1),
        ("CT", "ECCCo", "moons", 15.04, 10.0, 20.0, 5, 0),
        ("CT", "ECCCo", "GMSC", np.nan, np.nan, np.nan, 1, 1),
    ]
    names = ["model", "search", "data", "gain", "from", "to", "seeds", "empty"]
    found = pd.DataFrame(lines, columns=names).assign(measure="IP5", tau=0.9)
    found = found.assign(accuracy=0.9, strength=0.3, seconds=12.4)
    # Figures of another probability must not appear.
    return pd.concat([found, found.assign(tau=0.75, gain=99.0)])


def test_gains_stand_by_search_with_intervals_and_dashes_for_empty_cells(table):
    text = page_fair.gains(table)
    assert "By nearest: reduction of the distance to the 5 nearest rows, %" in text
    assert '"CT", "-30.0 [-40.0, -20.0]", "7.0 [-1.0, 15.0]"' in text
    assert '"CT", "15.0 [10.0, 20.0]", "–"' in text
    assert "99" not in text and "conventional" not in text
    assert "By ECCCo: cost divided" not in text


def test_sentences_go_by_the_interval_and_count_empty_cells(table):
    first, second = page_fair.nearer(table).splitlines()
    assert first.startswith(
        "- CT, by nearest: nearer on none; farther on moons; undecided on 1 of "
    )
    assert "2 sets. 1 of 10 runs" in first
    assert second.startswith("- CT, by ECCCo: nearer on moons; farther on none;")


def test_accuracies_stand_once_for_each_model(table):
    text = page_fair.accuracies(table)
    assert text.count('"conventional", "0.900", "–"') == 1
    assert text.count('"CT", "0.900", "0.900"') == 1
    assert '"CT", "12", "12"' in text


def test_data_sets_are_listed_with_their_seeds(table):
    assert page_fair.seeds(table) == "moons (5), GMSC (5)."
