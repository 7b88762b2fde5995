"""The checks of the promise find every violation, and nothing else."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from promise_checks import (
    _broken_groups,
    _judged_wrongly,
    _misordered,
    _not_apart,
    _problem,
    _too_many_changes,
)
from random_columns import Column

CLASSIFIER = SimpleNamespace(clf=None)
REAL = Column("real", pd.Series([0.123456789, 1.0, 7.987654321]))
WHOLE = Column("whole", pd.Series([0.0, 1.0, 2.0, 9.0, np.nan]))
INTEGER = Column("integer", pd.Series([0, 1, 2, 9]))
FLAG = Column("flag", pd.Series([1.0, 2.0, 1.0]))
HALVES = Column("halves", pd.Series(np.arange(30) / 2 + 0.5))
CENTS = Column("cents", pd.Series(np.arange(30, dtype=np.float32) / np.float32(100)))
THIRDS = Column("by the user", pd.Series([0.3, 5.0]), resolution=0.3)
CODED = Column("coded", pd.Series([-9.0, 0.5, 6.25, 1.0]), special=(-9.0, -8.0))
GRADE = Column("grade", pd.Series(["low", "mid", None]), (), ["low", "mid", "high"], True)
NAN = float("nan")


@pytest.mark.parametrize(
    ("column", "before", "after", "word", "domain", "problem"),
    [
        (REAL, 1.0, 1.0, "none", (5, 6), None),
        (REAL, 1.0, 1.0000001, "none", None, "moved"),
        (REAL, 0.0, -0.0, "both", None, "a zero changed its sign"),
        (REAL, 1.0, NAN, "both", None, "became missing"),
        (REAL, 1.0, np.inf, "both", None, "not finite"),
        (REAL, 1.0, 2.0, "increase", "auto", None),
        (REAL, 1.0, 0.5, "increase", "auto", "moved the wrong way"),
        (REAL, 1.0, 2.0, "decrease", "auto", "moved the wrong way"),
        (REAL, NAN, 2.0, "both", "auto", None),
        (REAL, NAN, 2.0, "increase", "auto", "no direction"),
        (REAL, 9.0, 8.5, "both", "auto", "outside the domain"),
        (REAL, 9.0, 7.987654321, "both", "auto", None),
        (REAL, 1.0, 7.9876543, "both", "auto", "near the bound"),
        (REAL, 1.0, 3.0, "both", (None, 2.5), "outside the domain"),
        (WHOLE, 0.0, 3.0, "both", "auto", None),
        (WHOLE, 0.5, 0.75, "both", "auto", "off the grid"),
        (WHOLE, 0.5, 0.5, "both", "auto", None),
        (INTEGER, 1.0, 2.5, "both", None, "off the grid"),
        (FLAG, 1.0, 2.0, "both", None, None),
        (FLAG, 1.0, 3.0, "both", None, "off the grid"),
        (HALVES, 1.0, 1.5, "both", "auto", None),
        (HALVES, 1.0, 1.25, "both", "auto", "off the grid"),
        (CENTS, 0.0, float(np.float32(0.07)), "both", "auto", None),
        (CENTS, 0.0, 0.07, "both", "auto", "off the grid"),
        (THIRDS, 0.3, 0.9, "both", "auto", None),
        (THIRDS, 0.3, 3 * 0.3, "both", "auto", "off the grid"),
        (CODED, -9.0, 1.5, "both", "auto", None),
        (CODED, -9.0, 1.5, "increase", "auto", "no direction"),
        (CODED, 1.0, -9.0, "both", (-20, 5), "reached a special value"),
        (CODED, 1.0, -9.0, "both", [(0, 5), -9], None),
        (CODED, 1.0, -8.0, "both", [(0, 5), -9], "reached a special value"),
        (CODED, 1.0, -9.0, "decrease", [(0, 5), -9], "no direction"),
        (GRADE, "low", "mid", "increase", "auto", None),
        (GRADE, "mid", "low", "increase", "auto", "moved the wrong way"),
        (GRADE, "low", "high", "both", "auto", "not a category that was observed"),
        (GRADE, "low", "high", "both", ["high"], None),
        (GRADE, "low", "mid", "both", ["high"], "not a category that may be reached"),
        (GRADE, "low", "top", "both", None, "not a category that may be reached"),
        (GRADE, "novel", "mid", "both", None, None),
        (GRADE, "novel", "mid", "increase", None, "without a place in the order"),
        (GRADE, None, "mid", "increase", None, "without a place in the order"),
        (GRADE, "low", None, "both", None, "became missing"),
        (GRADE, None, NAN, "none", None, "moved"),
    ],
)
def test_a_cell_is_right_or_its_problem_is_named(column, before, after, word, domain, problem):
    dtype = column.data.dtype
    found = _problem(CLASSIFIER, column, before, after, word, domain, dtype)
    assert found is None if problem is None else problem in found


def test_a_group_of_dummies_needs_exactly_one_1():
    columns = [Column(f"d{i}", pd.Series([0, 1]), group=0) for i in range(3)]
    rows = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [2, -1, 0]])
    problems = list(_broken_groups(SimpleNamespace(columns=columns), rows))
    assert [problem.split(":")[0] for problem in problems] == ["row 1", "row 2", "row 3"]


def test_more_changes_than_allowed_are_found_and_a_group_of_dummies_counts_once():
    dummies = [Column(f"d{i}", pd.Series([0, 1]), group=0) for i in range(2)]
    columns = [REAL, GRADE, *dummies]
    before = [[1.0, None, 0, 1]] * 4
    after = [[1.0, None, 1, 0], [2.0, None, 1, 0], [NAN, "low", 0, 1], [2.0, "low", 1, 0]]
    problems = list(_too_many_changes(columns, before, after, 1))
    assert [problem.split(":")[0] for problem in problems] == ["row 1", "row 2", "row 3"]
    assert "['group 0', 'real'] changed" in problems[0]
    assert len(list(_too_many_changes(columns, before, after, 2))) == 1
    assert not list(_too_many_changes(columns, before, after, None))


def explanation_of(places, *, valid=True, mature=True, cost=None, reason=None):
    """Return an explanation with a single factual, whose alternatives are at places of a line."""
    n_rows = len(places)
    return SimpleNamespace(
        n_alternatives=n_rows,
        encoder=SimpleNamespace(column_weights=np.ones(1)),
        counterfactual_encoded=np.array(places)[:, None],
        cost=np.array(places if cost is None else cost),
        valid=np.broadcast_to(valid, n_rows),
        mature=np.broadcast_to(mature, n_rows),
        reason=np.array([None] * n_rows if reason is None else reason, dtype=object),
        prediction=np.ones(n_rows),
        target=np.ones(n_rows),
    )


@pytest.mark.parametrize(
    ("settings", "is_sorted"),
    [
        ({"cost": [1, 2, 3]}, True),
        ({"cost": [1, 3, 2]}, False),
        ({"cost": [2, 1, 1], "mature": [True, False, False]}, True),
        ({"cost": [2, 1, 1], "mature": [False, True, True]}, False),
        ({"cost": [3, 2, 1], "mature": [True, False, True], "valid": [True, True, False]}, True),
        ({"cost": [3, 2, 1], "mature": [True, False, True], "valid": [True, False, True]}, False),
    ],
)
def test_alternatives_in_another_order_than_that_of_their_costs_are_found(settings, is_sorted):
    problems = list(_misordered(explanation_of([0.0, 1.0, 2.0], **settings)))
    assert len(problems) == (0 if is_sorted else 1)


NEAR = "too near to an earlier alternative: ..."


@pytest.mark.parametrize(
    ("places", "valid", "reason", "problem"),
    [
        ([0, 0.2, 0.4], [True, True, True], [None] * 3, None),
        ([0, 0.2, 0.25], [True, True, True], [None] * 3, "1 and 2 of a row are valid"),
        ([0, 0.2, 0.25], [True, True, False], [None, None, NEAR], None),
        ([0, 0.2, 0.4], [True, True, False], [None, None, NEAR], "2 of a row is called a copy"),
        ([0, 0.2, 0.25], [True, False, False], [None, "no", NEAR], "2 of a row is called a copy"),
    ],
)
def test_valid_copies_and_false_copies_are_found(places, valid, reason, problem):
    problems = list(_not_apart(explanation_of(places, valid=valid, reason=reason)))
    assert len(problems) == (0 if problem is None else 1)
    assert problem is None or problem in problems[0]


@pytest.mark.parametrize(
    ("valid", "reason", "problems"),
    [
        ([True, True], [None, None], []),
        ([True, False], [None, NEAR], []),
        ([True, False], [None, "flipped back"], ["valid is not"]),
        ([True, True], [None, NEAR], ["valid is not", "row 1"]),
        ([True, True], [None, "flipped back"], ["row 1"]),
    ],
)
def test_validity_that_is_not_that_of_the_prediction_is_found(valid, reason, problems):
    explanation = explanation_of([0.0, 1.0], valid=valid, reason=reason)
    explanation.counterfactual = explanation.counterfactual_encoded
    explanation.proba = np.ones((2, 1))
    clf = SimpleNamespace(
        predict_proba=lambda rows: np.ones((len(rows), 1)), predict=lambda rows: np.ones(len(rows))
    )
    found = list(_judged_wrongly(clf, explanation))
    assert len(found) == len(problems)
    assert all(text.startswith(start) for text, start in zip(found, problems, strict=True))
