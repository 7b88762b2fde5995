from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.pandas import column, data_frames

from ctsk._columns.schema import Schema
from ctsk._explaining.wording import Wording, number_text, percent_text, threshold_text

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def wording(X, labels=None, units=None, **settings):
    categorical = np.array([dtype.kind not in "iuf" for dtype in X.dtypes])
    schema = Schema.fit(X, list(X.columns), categorical, **settings)
    return Wording(schema, ("no", "yes"), labels, units)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@given(number=FLOATS)
def test_a_printed_float_reads_back_as_the_same_value_of_its_dtype(dtype, number):
    number = np.clip(number, np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)
    text = number_text(number)
    assert dtype(text) == number
    assert set(text) <= set("0123456789.-")
    assert not text.endswith((".", ".0"))


@given(number=st.integers(-(2**63), 2**63 - 1))
def test_a_printed_integer_is_exact(number):
    assert int(number_text(np.int64(number))) == int(number_text(number)) == number


@given(before=FLOATS, after=FLOATS)
def test_from_and_difference_add_up_to_the_printed_number(before, after):
    change = wording(pd.DataFrame({"a": [0.5]})).change(0, before, after)
    size, word = change.difference.split()
    sign = {"more": 1, "less": -1}[word]
    assert change.direction == sign
    # Fractions are exact, whatever the number of digits.
    exact = [Decimal(text).as_integer_ratio() for text in (change.before, size, change.after)]
    (a, b), (c, d), (e, f) = exact
    assert (a * d + sign * c * b) * f == e * b * d


@given(share=st.floats(0, 1), n_decimals=st.integers(1, 4))
def test_a_percentage_is_never_more_than_the_probability_and_never_certain(share, n_decimals):
    text = percent_text(share, n_decimals)
    percent = Decimal(text.removeprefix("less than ").removesuffix("%"))
    exact = Decimal(share) * 100
    step = Decimal(10) ** -n_decimals
    if text.startswith("less than "):
        assert Decimal(repr(share)) * 100 < percent == step
    else:
        assert percent <= Decimal(repr(share)) * 100
        assert exact - percent < 2 * step
    assert percent < 100


@given(share=st.floats(1e-9, 1, exclude_max=True))
def test_a_threshold_is_printed_exactly(share):
    text, n_decimals = threshold_text(share)
    assert Decimal(text.removesuffix("%")) == Decimal(repr(share)) * 100
    assert n_decimals == max(-Decimal(text.removesuffix("%")).as_tuple().exponent, 0)


def test_words_for_what_is_no_amount():
    X = pd.DataFrame({"a": [1.0, -9.0], "job": ["cook", "nurse"], "flag": [True, False]})
    words = wording(X, special_values={0: (-9.0,)}, units={"a": "DM"})
    assert words.value(0, np.nan) == words.value(1, None) == words.value(1, pd.NA) == "not known"
    assert words.value(0, -9.0) == "no amount (code -9)"
    assert words.value(0, 3.5) == "3.5 DM"
    assert words.value(1, "cook") == "cook"
    assert [words.value(2, flag) for flag in (True, False)] == ["yes", "no"]
    assert words.change(0, np.nan, 3.0).difference == ""


def test_special_values_of_few_digits_are_no_amounts():
    X = pd.DataFrame({"a": np.array([1, 999.9], dtype=np.float32)})
    assert wording(X, special_values={0: (999.9,)}).value(0, X["a"][1]).startswith("no amount")


def test_labels_replace_names_and_values_and_a_labeled_number_has_no_difference():
    X = pd.DataFrame({"rate": [1, 4], "job": ["cook", None]})
    labels = {
        "rate": "rate of\n the loan",
        ("rate", 4): "low",
        ("job", None): "no record",
        ("job", "cook"): "chef",
        ("target", "no"): "refused",
    }
    words = wording(X, labels, {"rate": "steps"})
    assert words.name(0) == "rate of the loan"
    assert words.change(0, 1, 4).after == "low"
    assert words.change(0, 1, 4).difference == ""
    assert words.change(0, 1, 3).difference == "2 steps more"
    assert words.change(0, 1, 2).difference == "1 step more"
    assert words.value(1, None) == words.value(1, np.nan) == "no record"
    assert words.value(1, "cook") == "chef"
    assert [words.class_name(label) for label in ("no", "yes")] == ["refused", "yes"]


@pytest.mark.parametrize("unit", ["%", "percent"])
def test_a_difference_of_percentages_is_in_percentage_points(unit):
    words = wording(pd.DataFrame({"rate": [1.5, 2.5]}), units={"rate": unit})
    assert words.change(0, 50.0, 40.0).difference == "10 percentage points less"
    assert words.change(0, 50.0, 49.0).difference == "1 percentage point less"


@pytest.mark.parametrize(
    ("labels", "units", "message"),
    [
        ({"wage": "x"}, None, "labels names the feature 'wage'"),
        (None, {"wage": "x"}, "units names the feature 'wage'"),
        ({("wage", 1): "x"}, None, "labels names the feature 'wage'"),
        ({("job", "king"): "x"}, None, "labels names the value 'king' of feature 'job'.*'cook'"),
        ({("rate", "high"): "x"}, None, "value 'high' of feature 'rate', whose values are numbers"),
        ({("target", "maybe"): "x"}, None, "labels names the class 'maybe'.*'no', 'yes'"),
        ({"yes": "x"}, None, r"'yes', which is a class .* a pair: \('target', 'yes'\)"),
        ({"rate": 3}, None, r"labels\['rate'\] must be a string; got 3"),
        (None, {"rate": None}, r"units\['rate'\] must be a string"),
        (["rate"], None, "labels must be a dict of strings or None"),
    ],
)
def test_words_for_what_does_not_exist_are_rejected(labels, units, message):
    X = pd.DataFrame({"rate": [1, 4], "job": ["cook", "nurse"]})
    with pytest.raises(ValueError, match=message):
        wording(X, labels, units)


def test_an_index_names_a_feature_and_a_feature_may_be_named_target_or_by_a_tuple():
    X = pd.DataFrame({"target": [1, 2], "job": ["cook", "nurse"]})
    words = wording(X, {0: "aim", ("target", 1): "first"}, {1: "kg"})
    assert (words.name(0), words.value(0, 1), words.value(0, 2)) == ("aim", "first", "2")
    pairs = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", "x")]))
    words = wording(pairs, {("a", 1): "label", (("b", "x"), 2): "two"})
    assert [words.name(feature) for feature in (0, 1)] == ["label", "b / x"]
    assert words.value(1, 2) == "two"


@given(
    data=data_frames([column("n", elements=FLOATS)], index=st.just(pd.RangeIndex(2))),
    name=st.one_of(st.text(), st.integers(), st.tuples(st.text(), st.integers())),
    label=st.text(),
    unit=st.text(),
)
def test_any_name_label_and_unit_stays_on_one_line(data, name, label, unit):
    X = data.set_axis(pd.Index([name], tupleize_cols=False), axis=1)
    for words in (wording(X), wording(X, {name: label}, {name: unit})):
        change = words.change(0, *X.iloc[:, 0])
        for text in (change.name, change.before, change.after, change.difference):
            assert text == " ".join(text.split())
        assert Decimal(change.before.split(" ")[0]) == Decimal(number_text(X.iloc[0, 0]))
