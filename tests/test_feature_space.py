import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsk._constraints import Constraints
from ctsk._feature_space import FeatureSpace, column_dtypes, like

X = np.random.default_rng(0).normal([0.0, 100.0, 5.0], [1.0, 30.0, 0.0], size=(50, 3))
NAMES = ["a", "b", "constant"]


def test_standardized_columns_have_mean_0_and_deviation_1_and_constants_scale_1():
    rows = FeatureSpace.fit(X, NAMES, standardize=True).encode(X)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(rows[:, :2].std(axis=0), 1)
    assert not rows[:, 2].any()


def test_without_standardize_rows_are_x():
    space = FeatureSpace.fit(X, NAMES, standardize=False)
    np.testing.assert_array_equal(space.encode(X), X)
    np.testing.assert_array_equal(space.decode(X), X)


def test_inferred_domain_is_three_sigma_widened_to_the_data():
    rows = np.append(np.zeros(99), 50.0)[:, None]
    low, high = FeatureSpace.fit(rows, ["x"], standardize=True).domain
    assert low[0] == pytest.approx(0.5 - 3 * rows.std())
    assert high[0] == 50.0 > 0.5 + 3 * rows.std()


def test_decode_inverts_encode():
    space = FeatureSpace.fit(X, NAMES, standardize=True)
    np.testing.assert_allclose(space.decode(space.encode(X)), X, rtol=1e-12)


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
    values = factuals.astype(np.float64)
    center = values.mean()
    constraints = Constraints(
        low=np.array([center - width]),
        high=np.array([center + width]),
        may_rise=np.array([rise]),
        may_fall=np.array([fall]),
    )
    space = FeatureSpace.fit(values, ["x"], standardize=True)
    encoded = space.encode(values).astype(np.float32)
    moved = encoded + rng.normal(size=encoded.shape).astype(np.float32) * rng.integers(
        0, 2, (30, 1)
    )
    moved[0] = np.nan
    lower, upper = constraints.box(values)
    handed = space.hand_over(moved, encoded, values, (lower, upper), [np.dtype(dtype)])
    assert (handed >= lower).all()
    assert (handed <= upper).all()
    np.testing.assert_array_equal(handed, handed.astype(dtype).astype(np.float64))
    unmoved = (moved == encoded) | np.isnan(moved)
    np.testing.assert_array_equal(handed[unmoved], values[unmoved])


def test_integers_are_rounded_to_the_nearest_inside_the_box():
    space = FeatureSpace(["n"], center=np.zeros(1), scale=np.ones(1), domain=None)
    box = np.full((4, 1), 0.0), np.full((4, 1), 3.5)
    rows, factuals = np.array([[1.4], [1.6], [3.4], [9.0]]), np.full((4, 1), 1.0)
    handed = space.hand_over(rows, np.zeros((4, 1)), factuals, box, [np.dtype(int)])
    assert handed[:, 0].tolist() == [1.0, 2.0, 3.0, 3.0]


def test_like_keeps_container_index_dtypes_and_the_bits_that_did_not_change():
    huge = 2**60 + 1
    frame = pd.DataFrame(
        {
            "id": pd.Series([huge, huge, huge], dtype="int64"),
            "share": pd.Series([0.1, 0.2, 0.3], dtype="float32"),
            "age": pd.Series([1, 2, 3], dtype="Int64"),
            "member": [True, False, True],
        }
    ).set_axis(["p", "q", "r"])
    values = frame.astype(float).to_numpy()
    values[1] = [huge, 0.5, 7, 1]
    copy = like(frame, values)
    expected = frame.copy()
    expected.loc["q", ["share", "age", "member"]] = [0.5, 7, True]
    pd.testing.assert_frame_equal(copy, expected)
    assert frame.loc["q", "age"] == 2


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_like_keeps_the_dtype_of_an_array(dtype):
    rows = np.arange(6, dtype=dtype).reshape(3, 2)
    values = rows.astype(float)
    values[2, 1] = 9
    copy = like(rows, values)
    assert copy.dtype == dtype
    np.testing.assert_array_equal(copy, values)
    assert rows[2, 1] == 5


def test_lists_and_objects_count_as_floats():
    assert column_dtypes([[1, 2]]) == [np.dtype(float)] * 2
    assert column_dtypes(np.array([[1, 2]], dtype=object)) == [np.dtype(float)] * 2
    assert column_dtypes(np.array([["1", "2"]])) == [np.dtype(float)] * 2
    assert like([[1, 2]], np.array([[1.5, 2.0]])).tolist() == [[1.5, 2.0]]
