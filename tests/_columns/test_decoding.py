import numpy as np
import pandas as pd
import pytest
from encoders import GAPS, MIXED, X, fit
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsk._columns.constraints import Box, Constraints
from ctsk._columns.decoding import Decoder
from ctsk._columns.rows import Rows

DTYPES = [np.float64, np.float32, np.float16, np.int64, np.int8, np.uint8, np.bool_]


@given(
    seed=st.integers(0, 2**16),
    dtype=st.sampled_from(DTYPES),
    rise=st.booleans(),
    fall=st.booleans(),
    width=st.sampled_from([0.0, 0.1, 1.0, 5.0]),
)
@settings(max_examples=200)
def test_values_handed_over_are_representable_and_inside_the_box(seed, dtype, rise, fall, width):
    rng = np.random.default_rng(seed)
    factuals = rng.uniform(0, 2 if dtype == np.bool_ else 100, size=(30, 1)).astype(dtype)
    encoder, values = fit(factuals)
    center = values.mean()
    constraints = Constraints(
        low=np.array([center - width]),
        high=np.array([center + width]),
        may_rise=np.array([rise]),
        may_fall=np.array([fall]),
        groups=encoder.groups,
    )
    encoded = encoder.encode(factuals).astype(np.float32)
    moved = encoded + rng.normal(size=encoded.shape).astype(np.float32) * rng.integers(
        0, 2, (30, 1)
    )
    moved[0] = np.nan
    box = constraints.box(values)
    rows = Rows.read(factuals, encoder.schema)
    handed = Decoder(encoder, encoded, rows, box).decode(moved).values
    assert (handed >= box.lower).all()
    assert (handed <= box.upper).all()
    np.testing.assert_array_equal(handed, handed.astype(dtype).astype(np.float64))
    unmoved = (moved == encoded) | np.isnan(moved)
    np.testing.assert_array_equal(handed[unmoved], values[unmoved])


def test_integers_are_rounded_to_the_nearest_inside_the_box():
    encoder, _ = fit(np.array([[0], [2], [5]]), standardize=False)
    box = Box(np.full((4, 1), 0.0), np.full((4, 1), 3.5), encoder.groups)
    encoded = np.array([[1.4], [1.6], [3.4], [9.0]])
    factuals = Rows.read(np.full((4, 1), 1.0), encoder.schema)
    handed = Decoder(encoder, np.zeros((4, 1)), factuals, box).decode(encoded).values
    assert handed[:, 0].tolist() == [1.0, 2.0, 3.0, 3.0]


def test_category_handed_over_is_the_largest_of_those_that_may_be_reached(mixed):
    encoder, values = mixed
    box = Constraints.free(*encoder.domain, encoder.groups).box(encoder.expand(values))
    factual_rows = encoder.encode_values(values)
    found = factual_rows.copy()
    found[0, 2:5] = [0.2, 0.5, 0.3]
    found[1, 2:5] = [0.1, 0.2, 0.7]  # towards a missing value, which is no way out
    rows = Rows.read(MIXED, encoder.schema)
    handed = Decoder(encoder, factual_rows, rows, box).decode(found).values
    assert handed[:, 0].tolist() == [1.0, 1.0, 2.0, 0.0]
    np.testing.assert_array_equal(handed[:, 1:], values[:, 1:])


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int32, np.int8])
def test_integers_at_the_ends_of_their_dtype_do_not_wrap_around(dtype):
    encoder, _ = fit(np.array([[0], [2], [5]]), standardize=False)
    box = Box(np.full((2, 1), -1e20), np.full((2, 1), 1e20), encoder.groups)
    factuals = Rows.read(np.full((2, 1), 1, dtype=dtype), encoder.schema)
    rows = Decoder(encoder, np.ones((2, 1)), factuals, box).decode(np.array([[1e20], [-1e20]]))
    assert rows.container.dtype == dtype
    high, low = rows.container[:, 0].tolist()
    assert high > 0.99 * np.iinfo(dtype).max
    assert low == np.iinfo(dtype).min


def test_a_gap_is_left_for_a_number_of_the_grid_or_kept_bit_for_bit(gaps):
    encoder, rows = gaps
    factual_encoded = encoder.encode_values(rows.values)
    found = factual_encoded.copy()
    found[2, 2:4] = [1, 0]
    box = Constraints.free(*encoder.domain, encoder.groups).box(encoder.expand(rows.values))
    after = Decoder(encoder, factual_encoded, rows, box).decode(found).container
    pd.testing.assert_frame_equal(after, GAPS.assign(a=[1.0, 3.0, 4.0, 8.0]))


def test_a_gap_that_training_did_not_have_is_the_mean_and_is_left_by_moving():
    encoder, _ = fit(X[:, :1])
    rows = Rows.read(np.full((2, 1), np.nan), encoder.schema, warn=False)
    encoded = encoder.encode_values(rows.values)
    np.testing.assert_allclose(encoded, 0, atol=1e-12)
    box = Constraints.free(*encoder.domain, encoder.groups).box(encoder.expand(rows.values))
    found = encoded + [[0.0], [0.5]]
    after = Decoder(encoder, encoded, rows, box).decode(found).values[:, 0]
    assert np.isnan(after[0])
    assert after[1] == pytest.approx(X[:, 0].mean() + 0.5 * X[:, 0].std())


def test_an_unknown_category_is_the_training_shares_and_keeps_its_cell(mixed):
    encoder, _ = mixed
    flags = pd.DataFrame({"job": ["cook", "nurse", "cook", "cook"]})
    encoder, _ = fit(flags, categorical=[True])
    rows = Rows.read(pd.DataFrame({"job": ["pilot"] * 2}), encoder.schema, warn=False)
    encoded = encoder.encode_values(rows.values)
    assert encoded.tolist() == [[0.75, 0.25]] * 2
    box = Constraints.free(*encoder.domain, encoder.groups).box(encoder.expand(rows.values))
    after = Decoder(encoder, encoded, rows, box).decode(np.array([[0.75, 0.25], [0, 1]]))
    assert after.container["job"].tolist() == ["pilot", "nurse"]


@pytest.mark.parametrize("n_steps", [0, 1, 2])
def test_a_number_at_a_bound_of_the_search_is_exactly_the_bound(n_steps):
    """Sums of a search may miss the bound by a few units in the last place."""
    encoder, _ = fit(X[:, :1] * 1e-3 + 12345.678)
    low, high = 12345.6712345, 12345.7654321
    factuals = Rows.read(np.full((2, 1), 12345.7), encoder.schema)
    box = Constraints.free(np.array([low]), np.array([high]), encoder.groups).box(factuals.values)
    module_box = encoder.encode_box(box)
    encoded = encoder.encode_values(factuals.values).astype(np.float32)
    found = np.array([module_box.lower[0], module_box.upper[0]]).astype(np.float32)
    for _ in range(n_steps):
        found = np.nextafter(found, encoded)
    numbers = Decoder(encoder, encoded, factuals, box).decode(found).values[:, 0]
    assert numbers.tolist() == [low, high]


def test_a_number_that_is_not_at_a_bound_is_not_the_bound():
    encoder, _ = fit(X[:, :1])
    factuals = Rows.read(np.zeros((2, 1)), encoder.schema)
    box = Constraints.free(np.array([-1.0]), np.array([np.inf]), encoder.groups).box(
        factuals.values
    )
    encoded = encoder.encode_values(factuals.values).astype(np.float32)
    found = np.array([[encoder.encode_box(box).lower[0, 0] + 1e-5], [1e6]]).astype(np.float32)
    numbers = Decoder(encoder, encoded, factuals, box).decode(found).values[:, 0]
    assert -1 < numbers[0] < -1 + 1e-4
    assert np.isfinite(numbers[1])


def test_multiples_are_those_of_the_precision_of_the_rows():
    hundredths = (np.arange(40) / 100).astype(np.float32)[:, None]
    encoder, _ = fit(hundredths)
    rows = Rows.read(np.array([[0.1]]), encoder.schema)
    box = Constraints.free(*encoder.domain, encoder.groups).box(rows.values)
    encoded = encoder.encode_values(rows.values)
    after = Decoder(encoder, encoded, rows, box).decode(encoder.encode_values(np.array([[0.2101]])))
    assert after.values.tolist() == [[0.21]]


def test_states_of_some_rows_are_decoded_like_those_of_all(gaps):
    encoder, rows = gaps
    encoded = encoder.encode_values(rows.values)
    box = Constraints.free(*encoder.domain, encoder.groups).box(encoder.expand(rows.values))
    decoder = Decoder(encoder, encoded, rows, box)
    states = encoded.copy()
    states[:, :2] += np.random.default_rng(0).normal(size=(4, 2))
    states[2, 2:4] = [1, 0]
    for rounding in ("nearest", "toward", "away", None):
        whole = decoder.decode(states, rounding=rounding).values
        for idx in (np.array([2, 0]), np.array([3]), slice(1, 3)):
            part = decoder.decode(states[idx], idx, rounding=rounding).values
            np.testing.assert_array_equal(part, whole[idx])


def test_an_infinite_bound_holds_back_no_state():
    encoder, values = fit(X[:, :1])
    rows = Rows.read(values[:2], encoder.schema)
    box = Box(np.full((2, 1), -np.inf), np.full((2, 1), np.inf), encoder.groups)
    encoded = encoder.encode_values(rows.values)
    states = np.array([[1e300], [-np.inf]])
    decoded = Decoder(encoder, encoded, rows, box).decode(states).values
    np.testing.assert_allclose(decoded[0], encoder.to_x_units(states)[0])
    # A value that overflows counts as one that did not move.
    assert decoded[1] == values[1]
