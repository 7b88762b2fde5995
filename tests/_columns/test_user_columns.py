import numpy as np
import pandas as pd
import pytest

from ctsk._columns.schema import Schema
from ctsk._columns.user_columns import (
    check_categorical,
    check_groups,
    check_resolution,
    check_special_values,
)

FRAME = pd.DataFrame(
    {
        "age": [20.0, 30.0, 40.0],
        "job": ["cook", "nurse", None],
        "grade": pd.Categorical(["low", "mid", "low"], ["low", "mid", "high"], ordered=True),
        "owner": [True, False, True],
    }
)
NAMES = list(FRAME)
NUMBERS = pd.DataFrame({"age": [20, 30], "share": [0.5, 0.25], "job": ["cook", "nurse"]})
SCHEMA = Schema.fit(NUMBERS, list(NUMBERS), np.array([False, False, True]))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("from_dtype", [False, True, True, True]),
        (None, [False] * 4),
        (["job", 3], [False, True, False, True]),
        ([0], [True, False, False, False]),
        ([True, False, False, False], [True, False, False, False]),
        ([], [False] * 4),
    ],
    ids=str,
)
def test_categorical_features_by_dtype_name_index_or_mask(given, expected):
    assert check_categorical(given, NAMES, FRAME).tolist() == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["work"], "categorical_features names the feature 'work'"),
        ([7], "categorical_features names the feature 7"),
        ([True, False], "categorical_features is a mask of 2 entries.*4 features"),
        (["*"], r"categorical_features names the feature '\*'.*index from 0 to 3\.$"),
    ],
)
def test_bad_categorical_features_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        check_categorical(given, NAMES, FRAME)


def test_arrays_hold_numbers_unless_told():
    names = ["x0", "x1"]
    assert not check_categorical("from_dtype", names, np.zeros((2, 2))).any()
    assert check_categorical([1], names, np.zeros((2, 2))).tolist() == [False, True]


@pytest.mark.parametrize(
    "groups", [{"color": ["red", "blue"]}, [["red", "blue"]], [[2, 0]], {"color": ("red", 0)}]
)
def test_groups_are_lists_of_columns_named_or_not(groups):
    dummies = check_groups(groups, ["blue", "age", "red"], np.zeros(3, dtype=bool))
    assert dummies == ((2, 0),)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([["red", "green"]], "one_hot_groups names the feature 'green'"),
        ([["red"]], "at least two columns"),
        (["red"], "list of at least two columns"),
        ([{"red", "blue"}], "list of at least two columns"),
        ({"color": frozenset(["red", "blue"])}, "list of at least two columns"),
        ({("red", "blue"), ("age", "owner")}, "one_hot_groups is a set, which has no order"),
        ([["red", "red"]], "'red' twice"),
        ([["red", "blue"], ["blue", "age"]], "'blue' twice"),
        ([["red", "owner"]], "'owner', also listed in categorical_features"),
    ],
)
def test_groups_that_cannot_be_are_refused_by_their_columns(groups, message):
    names = ["blue", "age", "red", "owner"]
    with pytest.raises(ValueError, match=message):
        check_groups(groups, names, np.array([False, False, False, True]))


def test_special_values_are_floats_by_feature_without_doubles():
    special = check_special_values({"age": [-9, -8, -9], "share": np.float32(-1)}, SCHEMA)
    assert special == {0: (-9.0, -8.0), 1: (-1.0,)}
    assert check_special_values({"age": np.array(-9)}, SCHEMA) == {0: (-9.0,)}


@pytest.mark.parametrize(
    ("special_values", "message"),
    [
        ({"ages": [-9]}, "special_values names the feature 'ages'.*Did you mean 'age'"),
        ({"*": [-9]}, "special_values has no entry '\\*'.* Name the columns"),
        ({"age": ["missing"]}, "'age' contains 'missing'"),
        ({"age": [np.nan]}, "'age' contains nan.*state of its own"),
        ({"age": [True]}, "'age' contains True"),
        ({"age": np.array("missing")}, "'age' is .*a number or a list of numbers"),
        ({"age": [3], 0: [4]}, "special_values names a feature twice: 'age'"),
        ({"age": [], 0: [4]}, "special_values names a feature twice: 'age'"),
        ({"job": [-9]}, "'job', which is not a numeric feature"),
    ],
)
def test_special_values_that_cannot_be_are_refused_by_feature(special_values, message):
    with pytest.raises(ValueError, match=message):
        check_special_values(special_values, SCHEMA)


def test_resolution_is_a_step_by_feature_and_otherwise_inferred():
    assert check_resolution("auto", SCHEMA) == {}
    assert check_resolution(None, SCHEMA) == {0: None, 1: None}
    assert check_resolution({"share": 0.25, "age": "auto"}, SCHEMA) == {1: 0.25}


def test_a_star_in_resolution_stands_for_the_numbers_that_can_have_it():
    assert check_resolution({"*": None, "share": 0.25}, SCHEMA) == {0: None, 1: 0.25}
    assert check_resolution({"*": 0.25}, SCHEMA) == {1: 0.25}
    assert check_resolution({"*": 5}, SCHEMA) == {0: 5, 1: 5}


@pytest.mark.parametrize(
    ("resolution", "message"),
    [
        ({"shares": 1}, "resolution names the feature 'shares'.*Did you mean 'share'"),
        ({"share": 0}, "'share' is 0; it must be a positive finite number"),
        ({"share": "fine"}, "'share' is 'fine'"),
        ({"age": 0.5}, "'age' is 0.5, but the column holds integers"),
        ({"job": 1}, "'job', which is not a numeric feature"),
    ],
)
def test_resolutions_that_cannot_be_are_refused_by_feature(resolution, message):
    with pytest.raises(ValueError, match=message):
        check_resolution(resolution, SCHEMA)
