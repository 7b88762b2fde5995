import numpy as np
import pandas as pd
import pytest

from ctsk._columns.constraints import Constraints
from ctsk._columns.encoder import Encoder
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema
from ctsk._columns.user_constraints import check_categorical, check_constraints, check_costs

FRAME = pd.DataFrame(
    {
        "age": [20.0, 30.0, 40.0],
        "job": ["cook", "nurse", None],
        "grade": pd.Categorical(["low", "mid", "low"], ["low", "mid", "high"], ordered=True),
        "owner": [True, False, True],
    }
)
NAMES = list(FRAME)
CATEGORICAL = np.array([False, True, True, True])


@pytest.fixture(scope="module")
def encoder():
    schema = Schema.fit(FRAME, NAMES, CATEGORICAL)
    return Encoder.fit(Rows.read(FRAME, schema), standardize=True)


def check(encoder, mutability=None, domain=None, n_rows=None):
    default = Constraints.free(*encoder.domain, encoder.groups)
    rows = None if n_rows is None else Rows.read(FRAME, encoder.schema).select(slice(n_rows))
    return check_constraints(mutability, domain, encoder, default, rows)


def of(encoder, array, name):
    """What an array says of the columns of one feature."""
    return array[..., encoder.feature_slices[NAMES.index(name)]].tolist()


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
    ],
)
def test_bad_categorical_features_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        check_categorical(given, NAMES, FRAME)


def test_arrays_hold_numbers_unless_told():
    names = ["x0", "x1"]
    assert not check_categorical("from_dtype", names, np.zeros((2, 2))).any()
    assert check_categorical([1], names, np.zeros((2, 2))).tolist() == [False, True]


def test_costs_default_to_one_per_standard_deviation_and_per_change(encoder):
    costs = check_costs(None, encoder)
    np.testing.assert_allclose(costs, [1 / FRAME["age"].std(ddof=0), 1, 1, 1])
    named = check_costs({"age": 0.5, "job": 3}, encoder)
    np.testing.assert_allclose(named, [0.5, 3, 1, 1])
    np.testing.assert_allclose(check_costs([1, 2, 3, 0], encoder), [1, 2, 3, 0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"age": -1}, "feature_costs of feature 'age' is -1"),
        ({"age": "much"}, "feature_costs of feature 'age' is 'much'"),
        ({"age": np.inf}, "feature_costs of feature 'age' is inf"),
        ({"wage": 1}, "feature_costs names the feature 'wage'.*Did you mean 'age'"),
        ([1, 2], "feature_costs must be a dict by feature"),
    ],
)
def test_bad_costs_are_refused_by_feature(encoder, given, message):
    with pytest.raises(ValueError, match=message):
        check_costs(given, encoder)


def test_mutability_reaches_all_columns_of_a_feature(encoder):
    constraints = check(encoder, {"job": "none", "grade": "increase", "owner": "decrease"})
    assert of(encoder, constraints.may_rise, "job") == [False] * 3
    assert of(encoder, constraints.may_rise, "grade") == [True] * 3
    assert of(encoder, constraints.may_fall, "grade") == [False] * 3
    assert of(encoder, constraints.may_rise, "owner") == [False] * 2
    assert of(encoder, constraints.may_fall, "owner") == [True] * 2
    assert of(encoder, constraints.may_rise, "age") == [True]


def test_domain_of_a_category_lists_what_may_be_reached(encoder):
    # Unless told otherwise, what was observed: 'high' was not, a missing value is no way out.
    assert of(encoder, check(encoder).high, "grade") == [1, 1, 0]
    assert of(encoder, check(encoder).high, "job") == [1, 1, 0]
    given = {"grade": ["high", "low"], "job": None, "owner": np.array([True]), "age": (None, 5)}
    constraints = check(encoder, domain=given)
    assert of(encoder, constraints.high, "grade") == [1, 0, 1]
    assert of(encoder, constraints.high, "job") == [1, 1, 0]
    assert of(encoder, constraints.high, "owner") == [0, 1]
    assert (of(encoder, constraints.low, "age"), of(encoder, constraints.high, "age")) == (
        [-np.inf],
        [5],
    )
    assert of(encoder, check(encoder, domain={"grade": "auto"}).high, "grade") == [1, 1, 0]


@pytest.mark.parametrize(
    ("mutability", "domain", "message"),
    [
        ({"job": "increase"}, None, "mutability of feature 'job'.*no order.*ordered pandas"),
        ({"age": "up"}, None, "mutability of feature 'age' is 'up'"),
        (None, {"job": ["pilot"]}, "domain of feature 'job' holds 'pilot'.*'cook', 'nurse'"),
        (None, {"job": [None]}, "domain of feature 'job' holds None.*cannot be reached"),
        (None, {"grade": ("low", "high")}, "domain of feature 'grade'.*a list of categories"),
        (None, {"job": "cook"}, "domain of feature 'job' is 'cook'.*a list of categories"),
        (None, {"job": 3}, "domain of feature 'job' is 3.*a list of categories"),
        (None, {"age": [1, 2, 3]}, "domain of feature 'age'.*a pair"),
        (None, {"age": (2, 1)}, "domain of feature 'age'.*low must not be greater"),
    ],
)
def test_bad_constraint_is_refused_by_feature(encoder, mutability, domain, message):
    with pytest.raises(ValueError, match=message):
        check(encoder, mutability, domain)


ROWS = [{"age": "none"}, None, {"grade": "decrease"}]


def test_a_list_of_dicts_constrains_each_row(encoder):
    constraints = check(encoder, ROWS, [None, {"age": (25, 35)}, {"job": ["cook"]}], n_rows=3)
    assert of(encoder, constraints.may_rise, "age") == [[False], [True], [True]]
    assert of(encoder, constraints.may_rise, "grade") == [[True] * 3, [True] * 3, [False] * 3]
    auto = of(encoder, check(encoder).low, "age")
    assert of(encoder, constraints.low, "age") == [auto, [25], auto]
    assert of(encoder, constraints.high, "job") == [[1, 1, 0], [1, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("container", [list, np.array, pd.DataFrame], ids=str)
def test_a_table_of_words_constrains_each_row(encoder, container):
    words = [["none", "both", "both", "both"], ["increase", "none", "both", "both"]]
    table = container(words)
    if container is pd.DataFrame:
        table.columns = NAMES
    constraints = check(encoder, table, n_rows=2)
    assert of(encoder, constraints.may_rise, "age") == [[False], [True]]
    assert of(encoder, constraints.may_fall, "age") == [[False], [False]]
    assert of(encoder, constraints.may_rise, "job") == [[True] * 3, [False] * 3]


def test_a_table_may_name_some_columns_only(encoder):
    table = pd.DataFrame({"age": ["none", "both"]})
    constraints = check(encoder, table, n_rows=2)
    assert of(encoder, constraints.may_rise, "age") == [[False], [True]]
    assert constraints.may_rise[:, 1:].all()


def test_an_array_of_bounds_constrains_each_row(encoder):
    bounds = np.full((2, 4, 2), np.nan)
    bounds[0, 0] = [10, 50]
    bounds[1, 0] = [np.nan, 30]
    constraints = check(encoder, domain=bounds, n_rows=2)
    assert of(encoder, constraints.low, "age") == [[10], [-np.inf]]
    assert of(encoder, constraints.high, "age") == [[50], [30]]
    assert of(encoder, constraints.high, "grade") == [[1, 1, 0]] * 2


@pytest.mark.parametrize(
    ("mutability", "domain", "message"),
    [
        ([{"age": "none"}], None, "mutability is a list of 1 entries.*each of the 3 rows"),
        ([{"age": "none"}, "both", None], None, "mutability is a list of 3.*some of them dicts"),
        ([{}, {"job": "decrease"}, {}], None, r"feature 'job' \(row 1\).*no order"),
        ([["none"] * 4] * 2, None, r"mutability has shape \(2, 4\).*takes \(3, 4\)"),
        ([["none"] * 3] * 3, None, r"mutability has shape \(3, 3\).*takes \(3, 4\)"),
        (None, [{}, {"wages": (0, 1)}, {}], "domain names the feature 'wages'"),
        (None, np.zeros((3, 2, 2)), r"domain has shape \(3, 2, 2\).*takes \(3, 4, 2\)"),
    ],
)
def test_bad_constraint_of_a_row_is_refused(encoder, mutability, domain, message):
    with pytest.raises(ValueError, match=message):
        check(encoder, mutability, domain, n_rows=3)


def test_a_series_goes_by_its_index(encoder):
    by_name = check(encoder, pd.Series({"job": "none", "age": "both"}))
    assert of(encoder, by_name.may_rise, "job") == [False] * 3
    assert of(encoder, by_name.may_rise, "age") == [True]
    in_order = check(encoder, pd.Series(["none", "both", "both", "both"]))
    assert of(encoder, in_order.may_rise, "age") == [False]
    assert check_costs(pd.Series({"grade": 7.0}), encoder)[2] == 7


def test_a_nested_list_of_bounds_and_a_table_with_gaps_keep_what_is_not_said(encoder):
    pairs = [[(0, None), (None, None), (None, None), (None, None)]] * 2
    constraints = check(encoder, domain=pairs, n_rows=2)
    assert of(encoder, constraints.low, "age") == [[0], [0]]
    assert of(encoder, constraints.high, "age") == [[np.inf], [np.inf]]
    table = pd.DataFrame({"age": ["none", None], "job": [np.nan, "none"]})
    constraints = check(encoder, table, n_rows=2)
    assert of(encoder, constraints.may_rise, "age") == [[False], [True]]
    assert of(encoder, constraints.may_rise, "job") == [[True] * 3, [False] * 3]


def test_an_error_in_a_table_names_the_row(encoder):
    table = pd.DataFrame({"age": ["none", "both", "sideways"]})
    with pytest.raises(ValueError, match=r"mutability of feature 'age' \(row 2\) is 'sideways'"):
        check(encoder, table, n_rows=3)
