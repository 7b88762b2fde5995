import numpy as np
import pandas as pd
import pytest

from ctsk._columns.constraints import Constraints
from ctsk._columns.encoder import Encoder
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema
from ctsk._columns.user_constraints import (
    check_constraints,
    check_costs,
    check_inferred_domains,
)
from ctsk.exceptions import UnknownValueWarning, UnobservedDomainWarning

FRAME = pd.DataFrame(
    {
        "age": [20.0, 30.5, 40.0],
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
    return array[..., encoder.feature_columns[NAMES.index(name)]].tolist()


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
    given = {"grade": ["high", "low"], "job": None, "owner": np.array([True]), "age": (None, 25)}
    constraints = check(encoder, domain=given)
    assert of(encoder, constraints.high, "grade") == [1, 0, 1]
    assert of(encoder, constraints.high, "job") == [1, 1, 0]
    assert of(encoder, constraints.high, "owner") == [0, 1]
    assert (of(encoder, constraints.low, "age"), of(encoder, constraints.high, "age")) == (
        [-np.inf],
        [25],
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


def encoder_of(frame, categorical=(), unread=frozenset()):
    names = list(frame)
    schema = Schema.fit(frame, names, np.isin(names, categorical))
    schema = Schema(names, schema.categories, schema.integral, unread)
    return Encoder.fit(Rows.read(frame, schema), standardize=True)


def test_a_star_constrains_the_features_that_are_not_named(encoder):
    constraints = check(encoder, {"*": "none", "age": "increase"})
    assert of(encoder, constraints.may_rise, "age") == [True]
    assert constraints.may_rise.sum() == 1
    assert not constraints.may_fall.any()


def test_a_star_of_a_row_leaves_the_other_rows_alone(encoder):
    constraints = check(encoder, [{"age": "both", "*": "none"}, None, {}], n_rows=3)
    assert of(encoder, constraints.may_rise, "age") == [[True]] * 3
    assert not constraints.may_rise[0, 1:].any()
    assert constraints.may_rise[1:].all()


def test_a_star_of_costs_spares_the_features_that_are_named(encoder):
    assert check_costs({"job": 3, "*": 0.5}, encoder).tolist() == [0.5, 3, 0.5, 0.5]
    assert check_costs(pd.Series({"*": 2.0}), encoder).tolist() == [2] * 4


def test_a_star_frees_or_restores_the_domain_of_every_kind(encoder):
    free = check(encoder, domain={"*": None, "owner": [True]})
    assert (free.low[0], free.high[0]) == (-np.inf, np.inf)
    # A missing value is never reached; all categories are, whether observed or not.
    assert of(encoder, free.high, "job") == [1, 1, 0]
    assert of(encoder, free.high, "grade") == [1, 1, 1]
    assert of(encoder, free.high, "owner") == [0, 1]
    restored = check_constraints(None, {"*": "auto"}, encoder, free)
    np.testing.assert_array_equal(restored.low, encoder.domain[0])
    np.testing.assert_array_equal(restored.high, encoder.domain[1])
    assert restored.is_inferred.all()


@pytest.mark.parametrize(
    ("mutability", "domain", "message"),
    [
        ({"*": "increase"}, None, "mutability of feature 'job' is 'increase'.*Give it 'both'"),
        ({"*": "up", "age": "both"}, None, "mutability of feature 'job' is 'up'"),
        (
            None,
            {"*": (0, 100)},
            "domain of feature 'job' is .*; the entry of a category must be a list",
        ),
        (None, {"*": ["cook"], "age": None}, "domain of feature 'grade' holds 'cook'"),
        (
            None,
            {"*": ["cook"]},
            "domain of feature 'age' is .*; the entry of a number must be a pair",
        ),
    ],
)
def test_a_star_that_a_feature_cannot_take_is_an_error_that_names_it(
    encoder, mutability, domain, message
):
    with pytest.raises(ValueError, match=message):
        check(encoder, mutability, domain)


def test_a_star_that_suits_all_features_that_are_not_named_is_valid(encoder):
    constraints = check(encoder, {"*": "increase", "job": "none"}, {"*": ["mid"], "age": None,
                        "job": None, "owner": "auto"})  # fmt: skip
    assert of(encoder, constraints.may_rise, "grade") == [True] * 3
    assert of(encoder, constraints.may_fall, "owner") == [False] * 2
    assert of(encoder, constraints.high, "grade") == [0, 1, 0]


def test_a_star_is_harmless_for_features_that_the_model_ignores():
    frame = pd.DataFrame({"age": [20.0, 30.5, 40.0], "note": [0.0, 0.0, 0.0]})
    ignoring = encoder_of(frame, unread={1})
    default = Constraints.free(*ignoring.domain, ignoring.groups)
    constraints = check_constraints(
        {"*": "increase"}, {"*": (25, 30)}, ignoring, default, Rows.read(frame, ignoring.schema)
    )
    # What a caller says of an ignored feature is ignored as well.
    assert constraints.may_fall.tolist() == [False, True]
    assert (constraints.low[0], constraints.high[0]) == (25, 30)
    assert constraints.low[1] == ignoring.domain[0][1]


@pytest.mark.parametrize("entry", [[], np.array([]), set()], ids=["list", "array", "set"])
def test_a_domain_without_a_category_is_an_error(encoder, entry):
    with pytest.raises(ValueError, match="domain of feature 'job' lists no category.*'none'"):
        check(encoder, domain={"job": entry})
    with pytest.raises(ValueError, match=r"domain of feature 'job' \(row 1\) lists no category"):
        check(encoder, domain=[None, {"job": entry}, {"job": ["cook"]}], n_rows=3)


def test_a_feature_without_any_value_may_have_all_categories_or_the_inferred_ones():
    empty = encoder_of(pd.DataFrame({"job": [None, None]}, dtype=object), categorical=["job"])
    default = Constraints.free(*empty.domain, empty.groups)
    for entry in (None, "auto"):
        assert check_constraints(None, {"job": entry}, empty, default).high.tolist() == [0]


def test_a_category_may_be_listed_twice(encoder):
    constraints = check(encoder, domain={"job": ["cook", "cook"]})
    assert of(encoder, constraints.high, "job") == [1, 0, 0]


@pytest.mark.parametrize("bounds", [(0.2, 0.8), (2.5, 2.5), [1.1, 1.9]], ids=str)
def test_a_domain_without_a_whole_number_is_an_error_on_an_integer_column(bounds):
    frame = pd.DataFrame({"children": [0, 1, 4], "income": [0.0, 1.5, 4.0]})
    whole = encoder_of(frame)
    default = Constraints.free(*whole.domain, whole.groups)
    low, high = bounds
    message = rf"domain of feature 'children' is \({low}, {high}\), which holds none.*whole numbers"
    with pytest.raises(ValueError, match=message):
        check_constraints(None, {"children": bounds}, whole, default)
    # A float can take any number; an open side or a bound itself holds a whole number.
    check_constraints(None, {"income": bounds}, whole, default)
    for valid in [(0.5, 1), (1, 1), (0.5, None), (None, 0.5), (-0.5, 0.5), None, "auto"]:
        check_constraints(None, {"children": valid}, whole, default)
    with pytest.raises(ValueError, match=r"domain of feature 'children' \(row 2\) is"):
        check_constraints(
            None, [None, {}, {"children": bounds}], whole, default, Rows.read(frame, whole.schema)
        )


@pytest.mark.parametrize("entry", [(np.inf, None), (None, -np.inf), (np.inf, np.inf)], ids=str)
def test_a_domain_without_a_finite_number_is_an_error(encoder, entry):
    with pytest.raises(ValueError, match="domain of feature 'age' is .*inf"):
        check(encoder, domain={"age": entry})


# The observed ages are 20, 30 and 40.
@pytest.mark.parametrize("entry", [(240, 480), (41, None), (None, 19.9), (0, 0)], ids=str)
def test_a_domain_that_holds_no_training_value_is_warned_of(encoder, entry):
    low, high = np.array(entry, dtype=float)
    low, high = np.nan_to_num(low, nan=-np.inf), np.nan_to_num(high, nan=np.inf)
    message = rf"wrong unit\?\): 'age': domain \({low:g}, {high:g}\), observed 20 to 40\."
    with pytest.warns(UnobservedDomainWarning, match=message) as caught:
        constraints = check(encoder, domain={"age": entry})
    assert len(caught) == 1
    assert (constraints.low[0], constraints.high[0]) == (low, high)


# An error if a warning is issued.
@pytest.mark.parametrize(
    "entry", [(40, 99), (0, 20), (21, 22), (40 + 1e-9, 99), None, "auto", (None, None)], ids=str
)
def test_a_domain_within_or_at_the_end_of_the_observed_range_is_not_warned_of(encoder, entry):
    check(encoder, domain={"age": entry})


def test_one_warning_names_at_most_ten_features():
    wide = encoder_of(pd.DataFrame({f"x{i}": [0.0, 0.5, 1.0] for i in range(12)}))
    default = Constraints.free(*wide.domain, wide.groups)
    with pytest.warns(UnobservedDomainWarning) as caught:
        check_constraints(None, {"*": (5, 6), "x0": (0, 1)}, wide, default)
    (warning,) = caught
    text = str(warning.message)
    assert "'x0'" not in text
    assert text.count("observed 0 to 1") == 10
    assert "'x10': domain (5, 6), observed 0 to 1; ..." in text
    assert "'x11'" not in text


def test_the_warning_names_the_first_row_whose_domain_holds_no_training_value(encoder):
    domains = [None, {"age": (25, 30)}, {"age": (240, 480)}]
    with pytest.warns(UnobservedDomainWarning, match=r"'age' \(row 2\): domain \(240, 480\)"):
        check(encoder, domain=domains, n_rows=3)
    with pytest.warns(UnobservedDomainWarning, match="'age': domain"):
        check(encoder, [{"job": "none"}, {}, {}], {"age": (240, 480)}, n_rows=3)


def test_only_new_domains_that_have_an_effect_are_warned_of(encoder):
    with pytest.warns(UnobservedDomainWarning):
        fitted = check(encoder, domain={"age": (240, 480)})
    # An immutable feature does not move, whatever its domain.
    check(encoder, {"age": "none"}, {"age": (240, 480)})
    check(encoder, [{"age": "none"}] * 3, {"age": (240, 480)}, n_rows=3)
    # The fit has warned of its own domain already.
    check_constraints({"job": "none"}, {"job": None}, encoder, fitted)
    check_constraints(None, {"age": (240, 480)}, encoder, fitted)


@pytest.mark.parametrize("unknown", [(-np.inf, np.inf), (np.nan, np.nan)], ids=str)
def test_an_observed_range_that_is_unknown_is_not_warned_of(unknown):
    frame = pd.DataFrame({"age": [20.0, 30.5, 40.0]})
    mixed = encoder_of(frame)
    mixed.observed = tuple(np.array([bound]) for bound in unknown)
    default = Constraints.free(*mixed.domain, mixed.groups)
    check_constraints(None, {"age": (240, 480)}, mixed, default)


def test_a_fit_warns_once_of_unknown_categories_beside_known_ones(encoder):
    domain = {"job": iter(["pilot", "cook"]), "grade": ["low", "top"]}
    message = "'job' lists 'pilot'; 'grade' lists 'top'"
    with pytest.warns(UnknownValueWarning, match=message) as caught:
        constraints = check(encoder, domain=domain)
    assert len(caught) == 1
    assert of(encoder, constraints.high, "job") == [1, 0, 0]
    assert of(encoder, constraints.high, "grade") == [1, 0, 0]


def test_unknown_categories_are_errors_without_a_known_one_and_in_explain(encoder):
    message = "domain of feature 'job' holds 'pilot', which is not one"
    with pytest.raises(ValueError, match=message):
        check(encoder, domain={"job": ["pilot", "judge"]})
    with pytest.raises(ValueError, match=message):
        check(encoder, domain={"job": ["pilot", "cook"]}, n_rows=3)
    with pytest.raises(ValueError, match="a missing value cannot be reached"):
        check(encoder, domain={"job": ["cook", None]})


def test_a_domain_may_list_declared_special_values_that_no_row_holds():
    frame = pd.DataFrame({"debt": [-9.0, 1.5, 3.0], "age": [20.0, 30.5, 40.0]})
    special_values = {0: (-9.0, -8.0), 1: (-7.0,)}
    schema = Schema.fit(frame, list(frame), np.zeros(2, bool), special_values=special_values)
    schema = schema.with_states(frame.to_numpy())
    special = Encoder.fit(Rows.read(frame, schema), standardize=True)
    default = Constraints.free(*special.domain, special.groups)
    domain = {"debt": ["auto", -8, -9], "age": [(0, 50), -7]}
    constraints = check_constraints(None, domain, special, default)
    assert constraints.high[special.feature_columns[0]].tolist() == [3, 1, 1]
    assert constraints.high[special.feature_columns[1]].tolist() == [50]
    message = r"'debt' lists -1. .*which are -9\.0, -8\.0; declare others in special_values"
    with pytest.raises(ValueError, match=message):
        check_constraints(None, {"debt": ["auto", -9, -1]}, special, default)


def test_a_step_without_a_multiple_in_the_inferred_domain_is_an_error():
    frame = pd.DataFrame({"a": [2.6, 3.1, 7.0], "gap": [np.nan] * 3, "b": [1.0, 0.5, 3.0]})
    schema = Schema.fit(frame, list(frame), np.zeros(3, bool)).with_states(frame.to_numpy())
    rows = Rows.read(frame, schema)
    coarse = Encoder.fit(rows, standardize=True, steps={0: 100, 1: 100, 2: 1})
    default = Constraints.free(*coarse.domain, coarse.groups, is_inferred=True)

    def check_domains(mutability=None, domain=None):
        constraints = check_constraints(mutability, domain, coarse, default)
        check_inferred_domains(constraints, coarse)

    message = "resolution of feature 'a' is 100, but its training values, 2.6 to 7, hold no"
    for domain in (None, "auto", {"a": "auto"}):
        with pytest.raises(ValueError, match=message):
            check_domains(domain=domain)
    check_domains(domain={"a": (0, 200)})
    check_domains(mutability={"a": "none"})


@pytest.mark.parametrize("bounds", [(2, 3), (0.2, 0.8), (-3, -1), (None, -1)], ids=str)
def test_a_domain_of_a_dummy_that_holds_neither_0_nor_1_is_an_error(bounds):
    frame = pd.DataFrame({"c_x": [0, 1, 0], "c_y": [1, 0, 1]})
    schema = Schema.fit(frame, list(frame), np.zeros(2, bool), dummies=((0, 1),))
    coded = Encoder.fit(Rows.read(frame, schema), standardize=True)
    default = Constraints.free(*coded.domain, coded.groups)
    with pytest.raises(ValueError, match=r"domain of feature 'c_x' is .*can take \(0 and 1\)"):
        check_constraints(None, {"c_x": bounds}, coded, default)
    for valid in [(0, 0), (1, 1), (0.5, None), None, "auto"]:
        check_constraints(None, {"c_x": valid}, coded, default)
