"""Categories of any type, in the same order in every process."""

import numpy as np
import pandas as pd
import pytest

from ctsk._columns.categories import codes_of, fit_categories


def known(cells):
    return list(fit_categories("x", pd.Series(cells, dtype=object)).values)


def test_values_with_an_order_are_sorted():
    assert known(["b", None, "a"]) == ["a", "b", None]
    assert known([(2, 1), (1, 2)]) == [(1, 2), (2, 1)]


def test_text_and_numbers_are_sorted_by_type():
    assert known([2, "b", 1, "a"]) == [1, 2, "a", "b"]


def test_objects_without_an_order_come_as_in_the_rows():
    # Sets are compared by inclusion, so that sorting them leaves any order.
    sets = [frozenset("ab"), frozenset("bc"), frozenset("a"), frozenset("b")]
    assert known(sets) == sets
    assert known([dict, list, int]) == [dict, list, int]


class Unequal:
    def __eq__(self, other):
        return False

    __hash__ = object.__hash__


class EqualLikeAnArray:
    def __eq__(self, other):
        raise ValueError("The truth value of an array is ambiguous")

    def __hash__(self):
        return 1


@pytest.mark.parametrize(
    "cell", [[1], {}, Unequal(), EqualLikeAnArray()], ids=lambda cell: type(cell).__name__
)
def test_values_without_hash_or_equality_are_no_categories(cell):
    other = type(cell)()
    with pytest.raises(ValueError, match=r"Column 'x' of X holds values that cannot be categories"):
        known([cell, other, "a"])


@pytest.mark.parametrize("has_gap", [False, True])
@pytest.mark.parametrize(
    ("cells", "declared"),
    [
        (["a", "c", "b"], ["c", "b", "a"]),
        (["a", "c"], ["x", "c", "a", "y", "b"]),
        ([1, 3, 2], [3, 1, 2]),
        ([0.5, 2.0], [2.0, 1.0, 0.5]),
        ([True, False], [True, False]),
        (["a", "z", "b"], ["z", "b", "a"]),
        ([], ["a", "b"]),
    ],
)
def test_codes_of_a_categorical_column_are_those_of_its_cells(cells, declared, has_gap):
    known = fit_categories("x", pd.Series([*sorted({*declared} - {"z"}), None], dtype=object))
    cells = [*cells, *[None] * has_gap]
    column = pd.Series(pd.Categorical(cells, categories=declared))
    codes, unknown = codes_of(column, "x", known)
    of_cells, unknown_cells = codes_of(column.astype(object), "x", known)
    np.testing.assert_array_equal(codes, of_cells)
    assert codes.dtype == of_cells.dtype
    assert list(unknown.items()) == list(unknown_cells.items()) == [("z", 1)] * ("z" in cells)


def test_a_gap_that_training_did_not_have_is_unknown_in_a_categorical_column():
    known = fit_categories("x", pd.Series(["a", "b"], dtype="category"))
    codes, unknown = codes_of(pd.Series(["b", None], dtype="category"), "x", known)
    assert (codes.tolist(), unknown) == ([1, -1], {None: 1})
