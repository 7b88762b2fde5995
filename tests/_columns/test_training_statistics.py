"""Statistics of training rows: of tiny numbers, and of states."""

from types import SimpleNamespace

import numpy as np

from ctsk._columns.training_statistics import category_shares, number_statistics


def test_a_spread_without_a_finite_reciprocal_counts_as_none():
    subnormal = np.arange(5.0)[:, None] * 5e-324
    with np.errstate(all="raise", under="ignore"):
        scale = number_statistics(subnormal)[1]
    assert scale == 1.0
    tiny = np.arange(5.0)[:, None] * 1e-300
    scale = number_statistics(tiny)[1]
    np.testing.assert_allclose(scale, np.std(np.arange(5)) * 1e-300)


def test_shares_count_numbers_and_each_state_apart():
    schema = SimpleNamespace(categories={}, states={0: (np.nan, -9.0)}, dummies=[])
    values = np.array([[1.0], [np.nan], [-9.0], [-9.0], [2.5]])
    # The first column stands for any number.
    np.testing.assert_allclose(category_shares(schema, values), [2 / 5, 1 / 5, 2 / 5])
    weights = np.array([1.0, 2.0, 0.5, 0.5, 4.0])
    np.testing.assert_allclose(category_shares(schema, values, weights), [5 / 8, 2 / 8, 1 / 8])
