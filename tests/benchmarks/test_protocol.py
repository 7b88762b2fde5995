"""The settings of the paper that the package does not share."""

import models
import numpy as np
import pandas as pd
import pytest
from protocol import PROTOCOLS, Split, split, three_sigma_domain


@pytest.fixture
def columns():
    rng = np.random.default_rng(0)
    debt = rng.normal(-5, 2, 400)
    return {
        "centered": rng.normal(1, 1, 400),
        # Three standard deviations reach beyond zero, which no row does.
        "positive": rng.exponential(2, 400),
        "negative": -rng.exponential(3, 400),
        # No row of the first column comes close to three standard deviations; one of the second
        # lies far beyond them.
        "even": rng.uniform(10, 20, 400),
        "outlier": np.append(debt[1:], 60),
        "whole": rng.integers(0, 9, 400),
        "constant": np.full(400, 7.0),
    }


def expected(x):
    """Return the domain of one column by the formula, case by case."""
    mean = sum(x) / len(x)
    sd = (sum((x - mean) ** 2) / len(x)) ** 0.5
    low, high = mean - 3 * sd, mean + 3 * sd
    if all(x >= 0):
        low = max(low, 0)
    if all(x <= 0):
        high = min(high, 0)
    return min(low, *x), max(high, *x)


def test_domain_is_three_deviations_widened_to_the_rows_and_cut_at_zero(columns):
    domain = three_sigma_domain(pd.DataFrame(columns))
    assert domain == {name: pytest.approx(expected(x)) for name, x in columns.items()}
    assert domain["positive"][0] == domain["negative"][1] == 0
    assert domain["even"][0] < 10 < 20 < domain["even"][1]
    assert domain["outlier"][1] == 60
    assert domain["constant"] == (7, 7)


def test_domain_of_an_array_is_given_by_index(columns):
    X = np.column_stack(list(columns.values()))
    assert three_sigma_domain(X) == dict(
        enumerate(three_sigma_domain(pd.DataFrame(columns)).values())
    )


def test_domain_leaves_categories_to_the_classifier(columns):
    word = pd.Series(["a", "b"] * 200, dtype="category")
    assert three_sigma_domain(pd.DataFrame(columns).assign(word=word)) == three_sigma_domain(
        pd.DataFrame(columns)
    )


@pytest.mark.parametrize("variant", models.VARIANTS)
def test_every_variant_is_fitted_with_the_domain_of_its_training_rows(variant):
    X, y = split("moons", 0).train
    clf = models.untrained("moons", 0, variant, max_epochs=2)
    assert clf.domain == three_sigma_domain(X)
    low, high = np.array([expected(x) for x in X.T]).T
    clf.fit(X[:300], y[:300])
    assert clf.constraints_.low == pytest.approx(low)
    assert clf.constraints_.high == pytest.approx(high)


def test_images_keep_the_domain_of_their_pixels(monkeypatch):
    rows, labels = np.zeros((3, 784)), np.arange(3)
    black = Split((rows, labels), (rows, labels), (rows, labels))
    monkeypatch.setattr(models, "split", lambda name, seed: black)
    assert models.untrained("mnist", 0, "CT").domain == PROTOCOLS["mnist"].training["domain"]
