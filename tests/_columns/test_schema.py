from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ctsk._columns.schema import Schema
from ctsk.exceptions import UnknownValueWarning

GRADES = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
FRAME = pd.DataFrame(
    {
        "text": pd.Series(["b", "a", "b"], dtype="str"),
        "mixed": pd.Series(["x", None, 3], dtype="object"),
        "grade": pd.Series(["mid", "low", "mid"], dtype=GRADES),
        "flag": [True, False, True],
        "maybe": pd.Series([True, None, False], dtype="boolean"),
        "number": [1.5, 2.5, 3.5],
        "count": pd.Series([1, 2, 3], dtype="int16"),
    }
).set_axis(["p", "q", "r"])
CATEGORICAL = np.array([True, True, True, True, True, False, False])


@pytest.fixture
def schema():
    return Schema.fit(FRAME, list(FRAME), CATEGORICAL)


def test_categories_are_sorted_declared_or_two_valued_and_missing_comes_last(schema):
    known = {FRAME.columns[i]: categories.values for i, categories in schema.categories.items()}
    assert known == {
        "text": ("a", "b"),
        "mixed": (3, "x", None),
        "grade": ("low", "mid", "high"),
        "flag": (False, True),
        "maybe": (False, True, None),
    }


def test_ordered_are_ordered_pandas_categoricals_and_booleans(schema):
    ordered = [FRAME.columns[i] for i, known in schema.categories.items() if known.ordered]
    assert ordered == ["grade", "flag", "maybe"]


def test_reachable_is_what_was_observed_and_not_missing(schema):
    reachable = {i: known.reachable.tolist() for i, known in schema.categories.items()}
    assert reachable[2] == [True, True, False]
    assert reachable[1] == [True, True, False]


def test_values_are_numbers_and_positions_of_categories(schema):
    values = schema.read(FRAME)
    assert values.dtype == np.float64
    assert values.tolist() == [
        [1, 1, 1, 1, 1, 1.5, 1],
        [0, 2, 0, 0, 2, 2.5, 2],
        [1, 0, 1, 1, 0, 3.5, 3],
    ]


def test_integers_are_told_from_floats(schema):
    assert schema.integral.tolist() == [False] * 6 + [True]


def test_written_rows_keep_container_index_and_dtypes(schema):
    values = schema.read(FRAME)
    after = values.copy()
    after[0] = [0, 0, 2, 0, 0, 9.5, 7]
    copy = schema.write(FRAME, values, after)
    expected = FRAME.copy()
    expected["text"] = pd.Series(["a", "a", "b"], dtype="str", index=FRAME.index)
    expected["mixed"] = pd.Series([3, None, 3], dtype=object, index=FRAME.index)
    expected["grade"] = pd.Series(["high", "low", "mid"], dtype=GRADES, index=FRAME.index)
    expected["flag"] = [False, False, True]
    expected["maybe"] = pd.Series([False, None, False], dtype="boolean", index=FRAME.index)
    expected["number"] = [9.5, 2.5, 3.5]
    expected["count"] = pd.Series([7, 2, 3], dtype="int16", index=FRAME.index)
    pd.testing.assert_frame_equal(copy, expected)
    np.testing.assert_array_equal(schema.read(copy), after)
    assert FRAME.loc["p", "count"] == 1


def test_written_rows_keep_the_bits_of_what_did_not_move():
    huge = 2**60 + 1
    frame = pd.DataFrame(
        {
            "id": pd.Series([huge, huge, huge], dtype="int64"),
            "share": pd.Series([0.1, 0.2, 0.3], dtype="float32"),
            "age": pd.Series([1, 2, 3], dtype="Int64"),
        }
    )
    schema = Schema.fit(frame, list(frame), np.zeros(3, bool))
    values = schema.read(frame)
    after = values.copy()
    after[1, 1:] = [0.5, 7]
    expected = frame.copy()
    expected.loc[1, ["share", "age"]] = [0.5, 7]
    pd.testing.assert_frame_equal(schema.write(frame, values, after), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_written_array_keeps_its_dtype(dtype):
    rows = np.arange(6, dtype=dtype).reshape(3, 2)
    schema = Schema.fit(rows, ["x0", "x1"], np.zeros(2, bool))
    values = schema.read(rows)
    after = values.copy()
    after[2, 1] = 9
    copy = schema.write(rows, values, after)
    assert copy.dtype == dtype
    np.testing.assert_array_equal(copy, after)
    assert rows[2, 1] == 5


def test_lists_and_objects_count_as_floats():
    schema = Schema.fit(np.zeros((1, 2)), ["x0", "x1"], np.zeros(2, bool))
    for X in ([[1, 2]], np.array([[1, 2]], dtype=object), np.array([["1", "2"]])):
        assert schema.dtypes(X) == [np.dtype(float)] * 2
        assert schema.read(X).tolist() == [[1.0, 2.0]]
    before, after = np.array([[1.0, 2.0]]), np.array([[1.5, 2.0]])
    assert schema.write([[1, 2]], before, after).tolist() == [[1.5, 2.0]]


def test_category_dtype_that_lacks_a_known_category_gets_it():
    narrow = FRAME.assign(grade=pd.Categorical(["mid", "mid", "mid"]))
    schema = Schema.fit(FRAME, list(FRAME), CATEGORICAL)
    values = schema.read(narrow)
    after = values.copy()
    after[1, 2] = 2
    grade = schema.write(narrow, values, after)["grade"]
    assert grade.tolist() == ["mid", "high", "mid"]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("text", ["a", "zebra", "b"], "Column 'text'.*unknown category 'zebra' .row 1.*'a', 'b'"),
        ("text", ["a", "b", None], "Column 'text'.*a missing value .row 2."),
        ("text", ["a", "b", [1]], "Column 'text'.*cannot be categories"),
        ("grade", ["mid", "low", "top"], "Column 'grade'.*unknown category 'top'"),
        ("number", ["one", 2, 3], "Column 'number' of X was numeric.*pandas.to_numeric"),
    ],
)
def test_what_was_not_fitted_is_refused_by_column_value_and_row(schema, column, values, message):
    frame = FRAME.assign(**{column: pd.Series(values, dtype=object, index=FRAME.index)})
    with pytest.raises(ValueError, match=message):
        replace(schema, handle_unknown="error").read(frame)


def test_unknown_categories_are_minus_one_or_missing_where_that_is_known_with_one_warning(schema):
    frame = FRAME.assign(
        text=pd.Series(["a", "zebra", None], dtype=object, index=FRAME.index),
        mixed=pd.Series(["x", "new", None], dtype=object, index=FRAME.index),
    )
    with pytest.warns(UnknownValueWarning, match="'text' holds 'zebra', None; 'mixed' holds 'new'"):
        values = schema.read(frame)
    assert values[:, 0].tolist() == [0, -1, -1]
    assert values[:, 1].tolist() == [1, 2, 2]
    # What did not move keeps its own cell.
    after = values.copy()
    after[0, 5] = 9.0
    pd.testing.assert_frame_equal(
        schema.write(frame, values, after), frame.assign(number=[9.0, 2.5, 3.5])
    )


def test_states_are_the_special_values_and_gaps_that_training_rows_hold():
    frame = pd.DataFrame({"a": [1.0, -9.0, np.nan], "b": [1, 2, 3], "c": [-8.0, 1.0, 2.0]})
    schema = Schema.fit(
        frame, list("abc"), np.zeros(3, bool), special_values={0: (-9, -8), 2: (5,)}
    )
    schema = schema.with_states(schema.read(frame, warn=False))
    assert list(schema.states) == [0]
    assert schema.states[0][0] == -9
    assert np.isnan(schema.states[0][1])
    values = np.array([[-9.0, 1.0, 5.0], [0.0, np.nan, 0.0]])
    assert schema.is_state(values).tolist() == [[True, False, True], [False, True, False]]


def test_gaps_and_special_values_that_training_did_not_have_are_warned_of_once():
    schema = Schema(["a", "b"], {}, np.zeros(2, bool), special_values={0: (-9.0, -8.0)})
    schema = replace(schema, states={0: (-9.0,)})
    with pytest.warns(UnknownValueWarning, match="'a' holds -8.0, nan; 'b' holds nan") as caught:
        schema.read(np.array([[-9.0, 1.0], [-8.0, np.nan], [np.nan, 0.0]]))
    assert len(caught) == 1


@pytest.mark.parametrize("row", [[0, 0], [1, 1], [0.5, 0.5], [np.nan, 1], [2, -1]])
def test_a_group_that_does_not_hold_exactly_one_1_is_refused_by_its_row(row):
    schema = Schema(["red", "blue"], {}, np.zeros(2, bool), dummies=((0, 1),))
    with pytest.raises(ValueError, match=r"Row 1 of X \(1 in all\).*'red', 'blue'"):
        schema.read(np.array([[0.0, 1.0], row]))


@pytest.mark.parametrize(
    ("column", "categorical", "message"),
    [
        (pd.Series(["a", "b"]), False, "not among categorical_features"),
        (pd.Series(pd.to_datetime(["2026-01-01"] * 2)), False, "neither a number nor a category"),
        (pd.Series([1.0, 0.0], dtype="Sparse[float64]"), False, "sparse"),
        (pd.Series([[1], [2]]), True, "cannot be categories"),
        (pd.Series(range(1001)).astype(str), True, "1001 categories"),
    ],
    ids=["text", "date", "sparse", "list", "too many categories"],
)
def test_column_of_no_known_kind_is_refused_by_name(column, categorical, message):
    with pytest.raises(ValueError, match=f"Column 'c' of X.*{message}"):
        Schema.fit(pd.DataFrame({"c": column}), ["c"], np.array([categorical]))


def test_array_holds_categories_where_told():
    rows = np.array([[3.0, 0.5], [1.0, 0.5], [3.0, 0.5]])
    schema = Schema.fit(rows, ["x0", "x1"], np.array([True, False]))
    assert schema.categories[0].values == (1.0, 3.0)
    values = schema.read(rows)
    assert values[:, 0].tolist() == [1, 0, 1]
    after = values.copy()
    after[0, 0] = 0
    assert schema.write(rows, values, after).tolist() == [[1.0, 0.5], [1.0, 0.5], [3.0, 0.5]]


@pytest.mark.parametrize(
    "written",
    [
        lambda numbers: numbers.astype("category"),
        lambda numbers: numbers.astype("str"),
        lambda numbers: numbers.astype("string"),
        lambda numbers: numbers.map(str).astype(object),
        lambda numbers: numbers.map(lambda number: str(number).encode()),
        lambda numbers: numbers.map(lambda n: str(n) if n < 3 else n).astype(object),
    ],
    ids=["category", "str", "string", "object of strings", "bytes", "some strings"],
)
def test_numbers_that_come_as_categories_or_text_are_returned_as_numbers(schema, written):
    values = schema.read(FRAME)
    after = values.copy()
    after[1, 5:] = [7.25, 9]
    X = FRAME.assign(number=written(FRAME["number"]), count=written(FRAME["count"]))
    copy = schema.write(X, schema.read(X), after)
    assert copy["number"].tolist() == [1.5, 7.25, 3.5]
    assert copy["count"].tolist() == [1, 9, 3]


def test_integers_that_come_as_objects_are_returned_as_objects(schema):
    values = schema.read(FRAME)
    after = values.copy()
    after[1, 6] = 9
    counts = schema.write(FRAME.astype({"count": object}), values, after)["count"]
    assert counts.tolist() == [1, 9, 3]
    assert counts.dtype == object


def test_category_that_does_not_fit_the_dtype_widens_it():
    wide = pd.DataFrame({"code": [0, 300]})
    schema = Schema.fit(wide, ["code"], np.array([True]))
    narrow = pd.DataFrame({"code": np.array([0, 0], dtype=np.uint8)})
    copy = schema.write(narrow, np.zeros((2, 1)), np.array([[0.0], [1.0]]))
    assert copy["code"].tolist() == [0, 300]


def test_dtype_is_kept_where_it_holds_the_new_categories(schema):
    came = FRAME.assign(grade=FRAME["grade"].cat.remove_unused_categories())
    values = schema.read(came)
    after = values.copy()
    after[0, 2] = 0
    assert schema.write(came, values, after)["grade"].dtype == came["grade"].dtype


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_no_columns_or_two_of_one_name_are_refused(names):
    frame = pd.DataFrame(np.zeros((2, len(names))), columns=names)
    with pytest.raises(ValueError, match="0 feature|2 columns named 'a'"):
        Schema.fit(frame, names, np.zeros(len(names), bool))


def test_periods_and_intervals_are_refused():
    for column in (
        pd.Series(pd.period_range("2026-01", periods=2)),
        pd.Series(pd.interval_range(0, 2)),
    ):
        with pytest.raises(ValueError, match="Column 'c' of X.*neither a number nor a category"):
            Schema.fit(pd.DataFrame({"c": column}), ["c"], np.array([True]))


def test_a_special_value_of_few_digits_that_is_reached_keeps_the_dtype():
    frame = pd.DataFrame({"a": np.array([1.5, 2.5], dtype=np.float32)})
    schema = Schema.fit(frame, ["a"], np.zeros(1, bool), special_values={0: (999.9,)})
    written = schema.write(frame, schema.read(frame), np.array([[999.9], [2.5]]))
    assert written["a"].dtype == np.float32
    assert schema.read(written, warn=False)[:, 0].tolist() == [999.9, 2.5]


def test_special_values_of_few_digits_are_those_of_the_user():
    frame = pd.DataFrame({"a": np.array([1.5, 999.9, 2.5], dtype=np.float32)})
    schema = Schema.fit(frame, ["a"], np.zeros(1, bool), special_values={0: (999.9,)})
    values = schema.read(frame, warn=False)
    assert values[:, 0].tolist() == [1.5, 999.9, 2.5]
    assert schema.with_states(values).states == {0: (999.9,)}


@pytest.mark.parametrize(
    ("dtype", "cell", "expected"),
    [
        ("uint8", -9.0, "int64"),
        ("int8", 300.0, "int64"),
        ("UInt8", -9.0, "Int64"),
        ("uint8[pyarrow]", -9.0, "int64[pyarrow]"),
        ("uint8", 9.0, "uint8"),
        ("uint8", 0.5, "float64"),
        ("uint64", -9.0, "float64"),
    ],
)
def test_integers_are_widened_to_integers_for_whole_cells(dtype, cell, expected):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    gap = 2 if dtype.islower() and "[" not in dtype else None
    frame = pd.DataFrame({"a": pd.Series([1, gap, 3], dtype=dtype)})
    schema = Schema.fit(frame, ["a"], np.zeros(1, bool)).with_states(np.array([[np.nan]]))
    before = schema.read(frame)
    after = before.copy()
    after[0] = cell
    written = schema.write(frame, before, after)["a"]
    assert str(written.dtype) == expected
    assert written[0] == cell
    assert written[2] == 3
    assert written.isna().tolist() == [False, gap is None, False]


def test_an_array_of_integers_is_widened_to_integers_for_whole_cells():
    X = np.array([[1, 2], [3, 4]], dtype=np.uint8)
    schema = Schema.fit(X, ["x0", "x1"], np.zeros(2, bool))
    written = schema.write(X, X.astype(float), np.array([[-9.0, 2.0], [3.0, 4.0]]))
    assert written.dtype == np.int64
    assert written.tolist() == [[-9, 2], [3, 4]]


@pytest.mark.parametrize("dtype", ["object", "category"])
def test_dummies_of_a_dtype_without_numbers_are_an_error_with_the_remedy(dtype):
    frame = pd.DataFrame({"c_x": [0, 1], "c_y": [1, 0]}).astype(dtype)
    message = rf"column 'c_x' of one_hot_groups has dtype {dtype}; convert it by .astype\(int\)"
    with pytest.raises(ValueError, match=message):
        Schema.fit(frame, list(frame), np.zeros(2, bool), dummies=((0, 1),))


@pytest.mark.parametrize("known", [[("a", 1), ("b", 2)], [False, True], [b"a", b"b"]], ids=str)
@pytest.mark.parametrize("dtype", ["str", "string", "category", object])
def test_a_column_that_cannot_hold_a_category_becomes_one_that_can(known, dtype):
    cells = pd.Series(known, dtype=object)
    schema = Schema.fit(pd.DataFrame({"x": cells}), ["x"], np.array([True]))
    foreign = pd.DataFrame({"x": pd.Series(["p", "q"], dtype=dtype)})
    before = np.full((2, 1), -1.0)
    written = schema.write(foreign, before, np.array([[-1.0], [1.0]]))
    assert written["x"].tolist() == ["p", known[1]]
