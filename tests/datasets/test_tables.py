import hashlib

import numpy as np
import pandas as pd
import pytest

from ctsk.datasets.tables import Feature, Table, csv_file, fetch

TEXT = b"""age,income,share,grade,color,months,target
30,1000,0.5,2,red,-7,0
40,,0.25,1,,3,1
50,3000,1.0,2,blue,-8,0
60,4000,0.1,3,red,5,1
70,5000,0.30000000000000004,1,blue,6,0
80,6000,0.7,1,red,7,0
20,7000,0.1,2,blue,8,0
"""
FEATURES = {
    "age": Feature("none", (0, 120)),
    "income": Feature(domain=(0, None)),
    "share": Feature(),
    "grade": Feature(
        "increase", ["middle", "high"], {"3": "low", "1": "middle", "2": "high"}, ordered=True
    ),
    "color": Feature(categories=...),
    "months": Feature("increase", (0, None), special_values=(-8, -7)),
}
COMPLETE = [3, 4, 5, 6]


@pytest.fixture
def loaded(tmp_path):
    """Load the toy table."""

    def load(text=TEXT, continuous_target=None, **options):
        digest = hashlib.sha256(text).hexdigest()
        table = Table(
            csv_file("toy", digest, lambda _: text, "Ask Toy and Co."),
            FEATURES,
            target_names=["refused", "granted"],
            favorable=1,
            descr="Toys.",
            codes={-7: "condition not met", -8: "not usable"},
            continuous_target=continuous_target,
        )
        return fetch(table, tmp_path, **options)

    return load


def test_columns_have_the_kinds_that_are_described(loaded):
    X = loaded().data
    assert X["age"].dtype == "int64"
    assert X["income"].dtype == X["share"].dtype == X["months"].dtype == "float64"
    assert X["grade"].cat.categories.tolist() == ["low", "middle", "high"]
    assert X["grade"].cat.ordered
    assert X["color"].cat.categories.tolist() == ["blue", "red"]
    assert not X["color"].cat.ordered
    assert X["grade"].tolist()[:4] == ["high", "middle", "high", "low"]
    assert X["color"].isna().tolist() == [False, True] + 5 * [False]
    assert X["share"].tolist()[4] == 0.30000000000000004


def test_codes_are_missing_numbers_with_a_reason_beside_them(loaded):
    data = loaded()
    assert data.data["months"].isna().tolist() == [True, False, True, False, False, False, False]
    assert data.codes["months"].tolist()[::2][:2] == ["condition not met", "not usable"]
    assert data.codes["months"].notna().sum() == 2
    assert data.codes["age"].isna().all()
    assert data.codes.index.equals(data.data.index)
    assert data.codes.columns.equals(data.data.columns)
    assert data.special_values == {}


@pytest.mark.parametrize("as_frame", [True, False])
def test_kept_codes_are_named_and_leave_integers(loaded, as_frame):
    data = loaded(keep_codes=True, as_frame=as_frame)
    months = data.data["months"] if as_frame else data.data[:, 5]
    assert months.tolist() == [-7, 3, -8, 5, 6, 7, 8]
    assert months.dtype == ("int64" if as_frame else "float64")
    assert data.special_values == {"months" if as_frame else 5: [-8, -7]}
    pd.testing.assert_frame_equal(data.codes, loaded().codes)


def test_rows_with_kept_codes_are_dropped_like_rows_with_gaps(loaded):
    dropped = loaded(drop_missing=True, keep_codes=True)
    pd.testing.assert_frame_equal(dropped.frame, loaded(drop_missing=True).frame)


def test_number_that_is_a_code_of_another_column_is_an_amount(loaded):
    text = TEXT.replace(b"30,1000", b"-7,1000")
    assert loaded(text).data["age"][0] == -7


def test_bunch_says_what_is_known(loaded):
    data = loaded()
    assert data.target.tolist() == [0, 1, 0, 1, 0, 0, 0]
    assert data.target.dtype == "int64"
    assert data.target.name == "target"
    assert list(data.frame.columns) == [*FEATURES, "target"]
    assert data.feature_names == list(FEATURES)
    assert data.categorical_features == ["grade", "color"]
    assert data.mutability == {"age": "none", "grade": "increase", "months": "increase"}
    assert data.domain == {
        "age": (0, 120),
        "income": (0, None),
        "grade": ["middle", "high"],
        "months": (0, None),
    }
    assert (data.target_names, data.favorable, data.DESCR) == (["refused", "granted"], 1, "Toys.")


def test_what_a_user_does_to_a_bunch_stays_in_that_bunch(loaded):
    data = loaded(keep_codes=True)
    data.mutability["age"] = "both"
    data.feature_names.clear()
    data.target_names.clear()
    data.domain["grade"].clear()
    data.special_values["months"].clear()
    again = loaded(keep_codes=True)
    assert again.mutability["age"] == "none"
    assert again.feature_names
    assert again.target_names
    assert again.domain["grade"]
    assert again.special_values["months"]


def test_complete_rows_keep_their_numbers_and_their_integers(loaded):
    data = loaded(drop_missing=True)
    assert data.data.index.tolist() == data.target.index.tolist() == COMPLETE
    assert data.codes.index.tolist() == COMPLETE
    assert data.data["income"].tolist() == [4000, 5000, 6000, 7000]
    assert data.data["income"].dtype == data.data["months"].dtype == "int64"
    assert data.data["share"].dtype == "float64"


def test_balancing_keeps_the_smaller_class_and_the_order_and_goes_by_the_seed(loaded):
    drawn = {tuple(loaded(balance=True, random_state=seed).data.index) for seed in range(20)}
    assert len(drawn) > 1
    for rows in drawn:
        assert len(rows) == 4
        assert {1, 3} < set(rows)
        assert list(rows) == sorted(rows)
    first, second = (loaded(balance=True, random_state=0) for _ in range(2))
    pd.testing.assert_frame_equal(first.frame, second.frame)


def test_balancing_comes_after_dropping(loaded):
    data = loaded(balance=True, drop_missing=True, random_state=0)
    assert sorted(data.target) == [0, 1]
    assert set(data.data.index) <= set(COMPLETE)


def test_return_X_y_returns_what_the_bunch_holds(loaded):
    X, y = loaded(return_X_y=True)
    data = loaded()
    pd.testing.assert_frame_equal(X, data.data)
    pd.testing.assert_series_equal(y, data.target)


def test_arrays_hold_positions_of_categories_and_go_by_index(loaded):
    data = loaded(as_frame=False)
    nan = np.nan
    assert data.data.dtype == np.float64
    np.testing.assert_array_equal(data.data[0], [30, 1000, 0.5, 2, 1, nan])
    np.testing.assert_array_equal(data.data[1], [40, nan, 0.25, 1, nan, 3])
    assert data.target.tolist() == [0, 1, 0, 1, 0, 0, 0]
    assert data.frame is None
    assert data.categories == {3: ["low", "middle", "high"], 4: ["blue", "red"]}
    assert data.categorical_features == [3, 4]
    assert data.mutability == {0: "none", 3: "none", 5: "increase"}
    assert data.domain == {0: (0, 120), 1: (0, None), 3: [1.0, 2.0], 5: (0, None)}


@pytest.mark.parametrize("as_frame", [True, False])
def test_continuous_target_is_split_at_the_median_of_all_rows(loaded, as_frame):
    values = [5.0, 1.0, 3.0, 3.0, 4.0, 2.0, 9.0]
    head, *lines = TEXT.decode().splitlines()
    lines = [
        f"{line.rpartition(',')[0]},{value}" for line, value in zip(lines, values, strict=True)
    ]
    text = "\n".join([head, *lines, ""]).encode()
    data = loaded(text, "height", as_frame=as_frame)
    assert list(data.target) == [1, 0, 0, 0, 1, 0, 1]
    assert list(data.height) == values
    complete = loaded(text, "height", as_frame=as_frame, drop_missing=True)
    assert list(complete.target) == [0, 1, 0, 1]
    assert list(complete.height) == values[3:]


def test_words_of_a_table_are_labels_and_units(tmp_path):
    text, features = TEXT, dict(FEATURES)
    features["income"] = Feature(label="monthly income", unit="DM", words={1000: "a thousand"})
    features["color"] = Feature(categories=..., words={"red": "red as a rose"})
    features["months"] = Feature(special_values=(-8, -7), unit="months")
    digest = hashlib.sha256(text).hexdigest()
    table = Table(
        csv_file("toy", digest, lambda _: text, ""), features,
        target_names=["refused", "granted"], favorable=1, descr="",
        codes={-7: "condition not met", -8: "not usable"},
    )  # fmt: skip
    data = fetch(table, keep_codes=True, download_if_missing=True, data_home=tmp_path)
    assert data.labels == {
        ("target", 0): "refused",
        ("target", 1): "granted",
        "income": "monthly income",
        ("income", 1000): "a thousand",
        ("color", "red"): "red as a rose",
        ("months", -8): "not usable",
        ("months", -7): "condition not met",
    }
    assert data.units == {"income": "DM", "months": "months"}
    assert ("months", -8) not in fetch(table, data_home=tmp_path).labels
    arrays = fetch(table, keep_codes=True, as_frame=False, data_home=tmp_path)
    assert arrays.labels[(4, 1.0)] == "red as a rose"
    assert arrays.labels[1] == "monthly income"
    assert arrays.labels[(5, -8)] == "not usable"
    assert arrays.labels["target", 1] == "granted"
    assert arrays.units == {1: "DM", 5: "months"}
