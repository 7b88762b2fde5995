import numpy as np
import pandas as pd
import pytest

from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema
from ctsk._columns.user_entries import entries_by_feature, entries_by_row

NAMES = ["age", "wage", "job"]


def rows_of(n_rows, names=NAMES):
    frame = pd.DataFrame(np.zeros((n_rows, len(names))), columns=names)
    return Rows.read(frame, Schema.fit(frame, names, np.zeros(len(names), dtype=bool)))


def entry_of(pairs, row, feature):
    """Entries that are in force for one row and feature."""
    return [
        entries[feature]
        for idx, entries in pairs
        if feature in entries and (idx is ... or row in idx)
    ]


@pytest.mark.parametrize(
    "spec",
    [
        {"*": "none", "wage": "increase"},
        {"wage": "increase", "*": "none"},
        {1: "increase", "*": "none"},
        pd.Series({"*": "none", "wage": "increase"}),
    ],
    ids=["first", "last", "by index", "Series"],
)
def test_a_star_stands_for_all_features_that_are_not_named_in_any_order(spec):
    entries = entries_by_feature(spec, NAMES, "mutability")
    assert entries == {0: "none", 1: "increase", 2: "none"}


def test_a_star_beside_all_features_stands_for_none():
    spec = {"age": "none", "*": "increase", "wage": "both", "job": "both"}
    expected = {0: "none", 1: "both", 2: "both"}
    assert entries_by_feature(spec, NAMES, "mutability") == expected


@pytest.mark.parametrize("names", [["age", "*", "job"], ["*", 7, 8]], ids=["words", "mixed"])
def test_a_star_that_is_also_a_column_is_an_error_unless_both_readings_agree(names):
    with pytest.raises(ValueError, match=r"mutability has the key '\*'.*also a column.*[Rr]ename"):
        entries_by_feature({"*": "none", names[2]: "both"}, names, "mutability")
    in_full = {names[0]: "none", names[1]: "both", names[2]: "increase"}
    expected = {0: "none", 1: "both", 2: "increase"}
    assert entries_by_feature(in_full, names, "mutability") == expected
    assert entries_by_feature({names[2]: "none"}, names, "mutability") == {2: "none"}


def test_a_star_differs_between_dicts_of_rows():
    spec = [{"*": "none", "age": "both"}, None, {"job": "decrease"}, {"*": "increase"}]
    pairs = entries_by_row(spec, NAMES, "mutability", rows_of(4))
    in_force = [[entry_of(pairs, row, feature) for feature in range(3)] for row in range(4)]
    assert in_force == [
        [["both"], ["none"], ["none"]],
        [[], [], []],
        [[], [], ["decrease"]],
        [["increase"]] * 3,
    ]


def test_the_column_star_of_a_table_stands_for_the_other_features():
    table = pd.DataFrame({"*": ["none", None, "none"], "wage": ["both", "increase", None]})
    pairs = entries_by_row(table, NAMES, "mutability", rows_of(3))
    in_force = [[entry_of(pairs, row, feature) for feature in range(3)] for row in range(3)]
    # A missing entry of a column that is named keeps the default.
    assert in_force == [
        [["none"], ["both"], ["none"]],
        [[], ["increase"], []],
        [["none"], [], ["none"]],
    ]


def test_a_table_that_names_a_feature_twice_is_an_error():
    table = pd.DataFrame([["none", "both"]], columns=["age", "age"])
    with pytest.raises(ValueError, match="mutability names a feature twice: 'age', 'age'"):
        entries_by_row(table, NAMES, "mutability", rows_of(1))


def test_rows_with_equal_entries_are_constrained_together():
    names = [f"x{i}" for i in range(300)]
    # Equal dicts with lists, which cannot be hashed, in another order of the keys.
    spec = [{"*": "auto", "x7": ["a", "b"]}, {"x7": ["a", "b"], "*": "auto"}] * 500
    pairs = entries_by_row(spec, names, "domain", rows_of(1_000, names))
    assert len(pairs) == 300
    assert all(idx.tolist() == list(range(1_000)) for idx, _ in pairs)


def test_entries_that_only_look_alike_are_kept_apart():
    spec = [{"age": entry} for entry in ([0, 1], (0, 1), np.array([0, 1]), "auto", None)]
    pairs = entries_by_row(spec, NAMES, "domain", rows_of(5))
    assert len(pairs) == 5
    assert [type(entries[0]) for _, entries in pairs] == [list, tuple, np.ndarray, str, type(None)]


def test_an_error_about_a_name_mentions_the_star_where_it_is_valid():
    with pytest.raises(ValueError, match=r"index from 0 to 2, or '\*' for all features that"):
        entries_by_feature({"wages": 1}, NAMES, "feature_costs")


def test_a_flag_is_no_index():
    with pytest.raises(ValueError, match="feature True, which X does not have"):
        entries_by_feature({True: "none"}, NAMES, "mutability")


def test_rows_of_a_frame_without_index_are_matched_by_position():
    pl = pytest.importorskip("polars", reason="polars is not installed")
    pytest.importorskip("narwhals", reason="narwhals is not installed")
    rows = rows_of(3)
    rows = Rows.read(rows.table.set_axis(["r", "p", "q"]), rows.schema)
    table = pl.DataFrame({NAMES[0]: ["none", "both", "increase"]})
    pairs = entries_by_row(table, NAMES, "mutability", rows)
    entries = [entry_of(pairs, row, 0) for row in range(3)]
    assert entries == [["none"], ["both"], ["increase"]]
