"""Categories of any type, in the same order in every process."""

import pandas as pd
import pytest

from ctsk._columns.categories import fit_categories


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
