"""Statistics of training rows whose numbers are as small as floats can be."""

import numpy as np

from ctsk._columns.training_statistics import number_statistics


def test_a_spread_without_a_finite_reciprocal_counts_as_none():
    subnormal = np.arange(5.0)[:, None] * 5e-324
    with np.errstate(all="raise", under="ignore"):
        scale = number_statistics(subnormal)[1]
    assert scale == 1.0
    tiny = np.arange(5.0)[:, None] * 1e-300
    scale = number_statistics(tiny)[1]
    np.testing.assert_allclose(scale, np.std(np.arange(5)) * 1e-300)
