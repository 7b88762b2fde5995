"""Groups of rows: by column, by factual, or by row of the explanation."""

import numpy as np
import pandas as pd
import pytest

from ctsk.metrics import recourse_summary
from ctsk.metrics.groups import group_codes


@pytest.fixture(scope="module")
def X(loans):
    return loans[0].head(12)


@pytest.fixture(scope="module")
def explanation(fitted_loans, X):
    return fitted_loans.explain(X, T=2)


@pytest.fixture(scope="module")
def alternatives(fitted_loans, X):
    return fitted_loans.explain(X, T=2, n_alternatives=2)


LABELS = ["b", "a", "c"] * 4


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        np.array,
        pd.Series,
        pd.Index,
        pd.Categorical,
        lambda labels: np.array(labels, dtype=object),
        lambda labels: pd.Series(labels, dtype="string"),
        lambda labels: pytest.importorskip("polars").Series(labels),
    ],
    ids=["list", "tuple", "array", "Series", "Index", "Categorical", "objects", "text", "polars"],
)
def test_labels_are_matched_by_position_in_any_container(explanation, container):
    codes, index = group_codes(explanation, container(LABELS))
    assert index.tolist() == ["a", "b", "c"]
    assert index.name == "group"
    np.testing.assert_array_equal(codes, [1, 0, 2] * 4)


def test_a_series_names_the_index_and_categories_order_it(explanation):
    order = pd.CategoricalDtype(["c", "unused", "b", "a"])
    codes, index = group_codes(explanation, pd.Series(LABELS, name="region", dtype=order))
    assert index.tolist() == ["c", "b", "a"]
    assert index.name == "region"
    np.testing.assert_array_equal(codes, [1, 2, 0] * 4)


def test_labels_that_are_tuples_stay_labels(explanation):
    pairs = [(1, "b"), (0, "c"), (0, "a")]
    codes, index = group_codes(explanation, pd.Series(pairs * 4))
    assert index.nlevels == 1
    assert index.tolist() == [(0, "a"), (0, "c"), (1, "b")]
    np.testing.assert_array_equal(codes, [2, 1, 0] * 4)


@pytest.mark.parametrize("labels", [np.arange(12) % 2 == 0, np.arange(12) % 3, np.arange(12) / 2])
def test_labels_keep_their_dtype(explanation, labels):
    _, index = group_codes(explanation, labels)
    assert index.dtype == labels.dtype


@pytest.mark.parametrize("name", ["grade", "children", "owner"])
def test_a_name_stands_for_a_column_of_the_factuals(explanation, alternatives, X, name):
    codes, index = group_codes(explanation, name)
    assert index.name == name
    assert index[codes].tolist() == X[name].tolist()
    codes, index = group_codes(alternatives, name)
    assert index[codes].tolist() == X[name].repeat(2).tolist()
    assert recourse_summary(alternatives, name).equals(recourse_summary(alternatives, X[name]))


def test_the_categories_of_a_column_keep_their_order(fitted_loans, loans):
    explanation = fitted_loans.explain(loans[0].head(30), T=2)
    assert recourse_summary(explanation, "grade").index.tolist() == ["none", "school", "college"]


def test_columns_of_arrays_have_the_names_of_the_encoder(fitted_iris, iris):
    explanation = fitted_iris.explain(iris[0][:9], T=2)
    codes, index = group_codes(explanation, "x3")
    assert index.name == "x3"
    np.testing.assert_array_equal(index[codes], iris[0][:9, 3])


def test_labels_of_factuals_apply_to_all_of_their_alternatives(alternatives):
    codes, _ = group_codes(alternatives, LABELS)
    by_row, _ = group_codes(alternatives, np.repeat(LABELS, 2))
    np.testing.assert_array_equal(codes, np.repeat([1, 0, 2] * 4, 2))
    np.testing.assert_array_equal(by_row, codes)


def test_factuals_are_counted_in_the_order_in_which_they_appear(alternatives):
    rearranged = alternatives[[9, 4, 8, 0, 5, 1]]
    codes, index = group_codes(rearranged, ["fifth", "third", "first"])
    assert index[codes].tolist() == ["fifth", "third", "fifth", "first", "third", "first"]


def test_labels_of_all_explained_rows_are_selected_by_row(alternatives):
    selected = alternatives[5:9]
    labels = np.array(LABELS)
    with pytest.raises(
        ValueError, match=r"shape \(12,\), .* 4 rows of 3 factuals.*explanation.row"
    ):
        group_codes(selected, labels)
    codes, index = group_codes(selected, labels[selected.row])
    assert index[codes].tolist() == ["c", "b", "b", "a"]


@pytest.mark.parametrize(
    "groups",
    [["a"] * 11, ["a"] * 24, [], [["a", "b"]] * 12, np.ones((12, 1)), {"a": 1}],
    ids=["short", "long", "empty", "pairs", "column", "dict"],
)
def test_labels_of_another_shape_are_rejected(explanation, groups):
    with pytest.raises(ValueError, match="groups has shape .* 12 rows of 12 factuals. Pass one"):
        recourse_summary(explanation, groups)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize(
    "container", [list, pd.Series, lambda cells: np.array(cells, dtype=object)]
)
@pytest.mark.parametrize("label", ["a", 1])
def test_missing_labels_are_rejected(explanation, container, label, missing):
    groups = container([label] * 4 + [missing] + [label] * 6 + [missing])
    with pytest.raises(ValueError, match=r"lacks the label of row 4 .*\(2 in all\)\. Give these"):
        recourse_summary(explanation, groups)


def test_missing_cells_of_a_column_are_rejected(fitted_loans, loans):
    X = loans[0].head(40)
    explanation = fitted_loans.explain(X, T=2)
    row = np.flatnonzero(X["job"].isna())[0]
    with pytest.raises(ValueError, match=f"groups lacks the label of row {row} of explanation"):
        recourse_summary(explanation, "job")
    summary = recourse_summary(explanation, X["job"].fillna("missing"))
    assert summary.loc["missing", "n_rows"] == X["job"].isna().sum()


def test_unknown_columns_are_rejected(explanation):
    match = r"groups is 'sex', which is no column of the factuals \('income', 'children', .*Pass"
    with pytest.raises(ValueError, match=match):
        recourse_summary(explanation, "sex")


def test_alternatives_of_one_factual_share_a_label(alternatives):
    groups = np.repeat(LABELS, 2)
    groups[7] = "z"
    with pytest.raises(
        ValueError, match=r"another label for row 7 .*\(1 in all\)\. Pass one label"
    ):
        recourse_summary(alternatives, groups)


def test_labels_that_cannot_be_compared_are_rejected(explanation):
    with pytest.raises(TypeError, match="groups holds labels that cannot be compared .*unhashable"):
        recourse_summary(explanation, [["a"], ["a", "b"]] * 6)


def test_a_series_with_the_index_of_x_in_another_order_is_rejected(explanation, alternatives, X):
    labels = X["grade"]
    assert len(recourse_summary(explanation, labels)) == len(recourse_summary(alternatives, labels))
    firsts = alternatives[alternatives.alternative == 0]
    for several in (explanation, alternatives, firsts):
        with pytest.raises(ValueError, match=r"index of groups .* another order.*groups\.loc"):
            recourse_summary(several, labels.iloc[::-1])
    by_row = alternatives.factual["grade"]
    assert recourse_summary(alternatives, by_row).equals(recourse_summary(alternatives, labels))
    with pytest.raises(ValueError, match="another order"):
        recourse_summary(alternatives, by_row.iloc[::-1])
    # An index that does not refer to X is ignored.
    numbered = labels.iloc[::-1].set_axis(range(1_000, 1_012))
    codes, index = group_codes(explanation, numbered)
    assert index[codes].tolist() == labels.tolist()[::-1]


def test_an_index_without_duplicate_labels_is_no_obstacle(alternatives, X):
    labels = X["grade"].set_flags(allows_duplicate_labels=False)
    summary = recourse_summary(alternatives, labels)
    assert summary.equals(recourse_summary(alternatives, X["grade"]))
