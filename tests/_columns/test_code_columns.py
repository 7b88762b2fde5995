import re
import warnings

import numpy as np
import pandas as pd
import pytest

from ctsk._columns.code_columns import warn_of_codes, warn_of_dummies
from ctsk.exceptions import ColumnKindWarning


def drawn(codes, n_rows=500, seed=0):
    return np.random.default_rng(seed).choice(np.array(codes, dtype=float), n_rows)


def text_of(warn, names, values):
    """The only warning, or "" if there is none."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn(names, values)
    assert len(caught) <= 1
    assert all(warning.category is ColumnKindWarning for warning in caught)
    return str(caught[0].message) if caught else ""


def codes_named(column):
    return text_of(warn_of_codes, ["column"], np.asarray(column, dtype=float)[:, None])


CODES = {
    "branches": [101, 205, 307],
    "few": [1, 2, 4, 7],
    "unknown is 9": [1, 2, 3, 9],
    "no value is negative": [-9, -8, 1, 2, 3],
    "industries": [11, 21, 22, 23, 31, 42, 44, 51, 52],
    "dwellings": [20, 30, 40, 45, 50, 60, 70, 75, 80, 85, 90, 120, 160, 180, 190],
    "postal codes": [10115, 20095, 50667, 80331],
    "zero is a code, too": [0, 101, 205, 307],
}
AMOUNTS = {
    "ratings": range(6),
    "steps of 5": [0, 5, 10],
    "steps of 12": [12, 24, 36, 48, 60],
    "one step absent": [12, 24, 36, 60],
    "cylinders": [3, 4, 5, 6, 8],
    "doses": [0, 25, 50, 100],
    "two values": [101, 307],
    "powers of two": [16, 32, 64, 128, 256],
    "round amounts": [1_000, 2_000, 5_000, 10_000, 20_000],
    "zero or substantial": [0, 20, 21, 22, 23],
    "rounded": [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 30, 40],
    "months": [3, 6, 9, 12, 18, 24, 36, 48, 60],
    "years in steps": [2008, 2012, 2016, 2020],
    "not whole": [1.5, 2, 4, 7],
    "not finite": [101, 205, 307, np.inf],
    "many": np.arange(20) ** 2 + 100,
}


@pytest.mark.parametrize("name", CODES)
def test_irregular_gaps_between_frequent_whole_numbers_are_codes(name):
    message = codes_named(drawn(CODES[name], 2_000))
    assert "'column'" in message
    assert "categorical_features" in message


@pytest.mark.parametrize("name", AMOUNTS)
def test_regular_gaps_are_those_of_amounts(name):
    assert codes_named(drawn(AMOUNTS[name], 2_000)) == ""


def test_missing_numbers_and_a_rare_typing_error_do_not_hide_codes():
    column = drawn(CODES["branches"])
    column[::7] = np.nan
    column[1] = 150
    assert "(101, 205, 307)" in codes_named(column)


@pytest.mark.parametrize("n_rows", [20, 50, 200, 1_000, 5_000])
def test_counts_of_any_sample_size_are_no_codes(n_rows):
    rng = np.random.default_rng(n_rows)
    draws = [
        lambda: rng.poisson(rng.uniform(0.1, 8), n_rows),
        lambda: rng.negative_binomial(rng.uniform(0.3, 3), rng.uniform(0.2, 0.7), n_rows),
        lambda: rng.geometric(0.3, n_rows),
        lambda: rng.zipf(2.5, n_rows).clip(max=50),
        lambda: rng.integers(18, 37, n_rows),
        lambda: rng.binomial(12, 0.4, n_rows) + 6,
    ]
    columns = np.array([draw() for _ in range(20) for draw in draws], dtype=float).T
    assert text_of(warn_of_codes, list(range(columns.shape[1])), columns) == ""


def test_a_rare_value_missing_at_the_upper_end_of_counts_is_no_gap():
    counts = np.repeat([0, 1, 2, 3, 5, 8, 13, 20], [5_000, 900, 200, 40, 9, 5, 2, 1])
    assert codes_named(counts) == ""


def test_modes_that_lie_apart_are_no_codes():
    # Years of education: many people leave after 9 or 10 years, few after 11 or 12.
    years = np.repeat([8, 9, 10, 13, 14], [3, 20, 15, 12, 3])
    assert codes_named(years) == ""


def test_special_values_of_counts_are_named():
    late = np.repeat([0, 1, 2, 3, 4, 96, 98], [5_000, 700, 200, 60, 9, 5, 264])
    message = codes_named(late)
    assert "(3, 98)" in message
    assert "special_values" in message


def test_a_few_rows_tell_nothing_about_codes():
    assert codes_named(drawn(CODES["branches"], 15)) == ""
    assert codes_named([np.nan] * 50) == ""
    assert text_of(warn_of_codes, [], np.empty((50, 0))) == ""


def test_one_warning_names_at_most_ten_columns_of_codes_and_ten_values():
    values = np.column_stack([drawn(np.arange(14) ** 2 + 101, 5_000, seed) for seed in range(12)])
    message = text_of(warn_of_codes, [f"code{i:02}" for i in range(12)], values)
    assert len(re.findall(r"'code\d\d' \((?:\d+, ){10}\.\.\.\)", message)) == 10
    assert "'code09'" in message and "code10" not in message


def test_the_order_of_rows_does_not_change_the_warnings():
    rng = np.random.default_rng(0)
    # The first thousand rows alone look like amounts, whole numbers and constant flags.
    codes = np.sort(drawn(CODES["industries"], 3_000))
    fractions = np.r_[np.tile([101.0, 205.0, 307.0], 900), np.full(300, 0.5)]
    is_red = np.r_[np.zeros(2_000), np.ones(1_000)]
    almost = np.where(np.arange(3_000) == 2_999, 1.0, 1 - is_red)
    values = np.column_stack([codes, fractions, is_red, 1 - is_red, codes, almost, is_red])
    names = ["code", "fraction", "is_red", "is_green", "other", "almost", "again"]
    for warn in (warn_of_codes, warn_of_dummies):
        expected = text_of(warn, names, values)
        assert expected
        assert "fraction" not in expected and "almost" not in expected
        for _ in range(3):
            assert text_of(warn, names, rng.permutation(values)) == expected


@pytest.mark.parametrize("dtype", [bool, int, float])
def test_dummies_of_a_category_are_named_as_a_group(dtype):
    words = pd.Series(drawn(range(4))).map(dict(enumerate(["red", "green", "blue", "black"])))
    raw = pd.DataFrame({"amount": drawn(range(100)), "colour": words, "is_new": drawn([0, 1])})
    X = pd.get_dummies(raw[["amount", "is_new", "colour"]], dtype=dtype).astype(float)
    assert (
        "one_hot_groups={'colour': ['colour_black', 'colour_blue', 'colour_green', 'colour_red']}"
        in text_of(warn_of_dummies, list(X), X.to_numpy())
    )


def test_adjacent_groups_are_separate_and_named_differently():
    sizes, shades = drawn(range(3), seed=1), drawn(range(3), seed=2)
    first = (sizes[:, None] == range(3)).astype(float)
    second = (shades[:, None] == range(3)).astype(float)
    names = ["x0", "x1", "x2", "a.b", "a.c", "a.d"]
    message = text_of(warn_of_dummies, names, np.hstack([first, second]))
    assert "one_hot_groups={'group_1': ['x0', 'x1', 'x2'], 'a': ['a.b', 'a.c', 'a.d']}" in message
    message = text_of(warn_of_dummies, list(range(6)), np.hstack([first, second]))
    assert "one_hot_groups={'group_1': [0, 1, 2], 'group_2': [3, 4, 5]}" in message


def test_groups_with_the_same_prefix_get_different_names():
    flags = drawn([0, 1])
    names = ["is_a", "is_b", "other", "is_c", "is_d"]
    values = np.column_stack([flags, 1 - flags, np.arange(500.0), flags, 1 - flags])
    message = text_of(warn_of_dummies, names, values)
    assert "{'group_1': ['is_a', 'is_b'], 'group_2': ['is_c', 'is_d']}" in message


def test_the_dummy_of_a_category_that_no_row_has_stays_in_its_group():
    flags = drawn([0, 1])
    values = np.column_stack([np.zeros(500), flags, np.zeros(500), 1 - flags, np.zeros(500)])
    assert "['b', 'c', 'd']" in text_of(warn_of_dummies, list("abcde"), values)


RED = drawn([0, 1])
NO_GROUPS = {
    "independent flags": [RED, drawn([0, 1], seed=3)],
    "none in one row": [RED, np.where(np.arange(500) == RED.argmin(), 0, 1 - RED)],
    "two in one row": [RED, np.where(np.arange(500) == RED.argmax(), 1, 1 - RED)],
    "missing": [RED, np.where(np.arange(500) == 5, np.nan, 1 - RED)],
    "not adjacent": [RED, drawn(range(9)), 1 - RED],
    "constant": [np.ones(500), np.zeros(500)],
    "not flags": [RED + 0.5, 0.5 - RED],
    "twos": [2 * RED, 1 - 2 * RED],
}


@pytest.mark.parametrize("name", NO_GROUPS)
def test_columns_of_which_not_exactly_one_is_1_are_no_group(name):
    columns = np.column_stack(NO_GROUPS[name])
    assert text_of(warn_of_dummies, list("abc")[: columns.shape[1]], columns) == ""


def test_a_few_rows_tell_nothing_about_dummies():
    assert text_of(warn_of_dummies, ["a", "b"], np.column_stack([RED, 1 - RED])[:19]) == ""
    assert text_of(warn_of_dummies, ["a", "b"], np.column_stack([RED, 1 - RED])[:20]) != ""
    assert text_of(warn_of_dummies, [], np.empty((50, 0))) == ""


def test_a_large_group_is_abbreviated():
    values = (drawn(range(30), 3_000)[:, None] == range(30)).astype(float)
    message = text_of(warn_of_dummies, [f"c_{i:02}" for i in range(30)], values)
    assert "{'c': ['c_00', 'c_01'," in message
    assert "'c_09', ...]}" in message
    assert "c_10" not in message
