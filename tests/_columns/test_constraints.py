import numpy as np
import pytest
import torch

from ctsk._columns.constraints import Box, Constraints
from ctsk._columns.one_hot import OneHotGroups

CONSTRAINTS = Constraints(
    low=np.array([-1.0, -1.0, -1.0, -1.0]),
    high=np.array([1.0, 1.0, 1.0, np.inf]),
    may_rise=np.array([True, True, False, False]),
    may_fall=np.array([True, False, True, False]),
    groups=OneHotGroups(4),
)
CATEGORIES = OneHotGroups(0, (4,), (True,))
ONE_HOT = np.eye(4)


def of_category(reachable=(1, 1, 1, 0), rise=True, fall=True):
    """Constraints of one category of three ordered values, and the missing one."""
    return Constraints(
        low=np.zeros(4),
        high=np.array(reachable, dtype=float),
        may_rise=np.full(4, rise),
        may_fall=np.full(4, fall),
        groups=CATEGORIES,
    )


def test_box_is_domain_cut_by_mutability():
    box = CONSTRAINTS.box(np.array([[0.5, 0.5, 0.5, 0.5]]))
    assert box.lower.tolist() == [[-1.0, 0.5, -1.0, 0.5]]
    assert box.upper.tolist() == [[1.0, 1.0, 0.5, 0.5]]


def test_factual_outside_the_domain_may_stay_or_come_back():
    box = CONSTRAINTS.box(np.array([[3.0, 3.0, -3.0, -3.0]]))
    assert box.lower.tolist() == [[-1.0, 3.0, -3.0, -3.0]]
    assert box.upper.tolist() == [[3.0, 3.0, -3.0, -3.0]]


@pytest.mark.parametrize(
    ("constraints", "expected"),
    [
        pytest.param(
            of_category(),
            [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]],
            id="free: all but the missing one",
        ),
        pytest.param(
            of_category((0, 1, 0, 0)),
            [[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]],
            id="one may be reached, and the factual's own kept",
        ),
        pytest.param(
            of_category(rise=True, fall=False),
            [[1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
            id="may only rise; what is missing has no order and stays",
        ),
        pytest.param(
            of_category(rise=False, fall=True),
            [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]],
            id="may only fall; what is missing has no order and stays",
        ),
        pytest.param(of_category(rise=False, fall=False), ONE_HOT, id="immutable"),
    ],
)
def test_reachable_categories_follow_from_domain_and_mutability(constraints, expected):
    box = constraints.box(ONE_HOT)
    np.testing.assert_array_equal(box.upper, expected)
    alone = np.sum(expected, axis=1) == 1
    np.testing.assert_array_equal(box.lower, ONE_HOT * alone[:, None])


def test_constraints_of_rows_differ_by_row():
    free = np.ones((2, 1), dtype=bool)
    constraints = Constraints(
        low=np.array([[0.0], [5.0]]),
        high=np.array([[1.0], [9.0]]),
        may_rise=free,
        may_fall=free,
        groups=OneHotGroups(1),
    )
    box = constraints.box(np.array([[0.5], [6.0]]))
    assert box.lower.tolist() == [[0.0], [5.0]]
    assert constraints.select([1]).box(np.array([[6.0]])).upper.tolist() == [[9.0]]
    assert CONSTRAINTS.select([1]) is CONSTRAINTS


@pytest.mark.parametrize(
    ("constraints", "rows"),
    [
        pytest.param(CONSTRAINTS, np.random.default_rng(0).normal(size=(20, 4)), id="numbers"),
        pytest.param(of_category((1, 0, 1, 0), rise=False), ONE_HOT, id="categories"),
    ],
)
def test_box_is_the_same_in_numpy_and_torch(constraints, rows):
    tensors = constraints.to_tensors(dtype=torch.float64, device="cpu").box(torch.tensor(rows))
    box = constraints.box(rows)
    np.testing.assert_array_equal(box.lower, tensors.lower.numpy())
    np.testing.assert_array_equal(box.upper, tensors.upper.numpy())


@pytest.mark.parametrize(
    ("rise", "fall", "exemplar", "expected"),
    [
        pytest.param(False, False, 2.0, 1.0, id="immutable, exemplar above"),
        pytest.param(False, False, 0.0, 1.0, id="immutable, exemplar below"),
        pytest.param(False, True, 2.0, 1.0, id="may only fall, exemplar above"),
        pytest.param(False, True, 0.0, 0.0, id="may only fall, exemplar below"),
        pytest.param(True, False, 0.0, 1.0, id="may only rise, exemplar below"),
        pytest.param(True, False, 2.0, 2.0, id="may only rise, exemplar above"),
        pytest.param(True, True, 2.0, 2.0, id="free"),
    ],
)
def test_exemplar_is_protected_where_moving_towards_it_is_forbidden(rise, fall, exemplar, expected):
    constraints = Constraints(
        low=torch.tensor([-9.0]),
        high=torch.tensor([9.0]),
        may_rise=torch.tensor([rise]),
        may_fall=torch.tensor([fall]),
        groups=OneHotGroups(1),
    )
    counterfactuals = torch.tensor([[1.0]])
    box = constraints.box(counterfactuals)
    protected = constraints.protect(torch.tensor([[exemplar]]), counterfactuals, box)
    assert protected.item() == expected


@pytest.mark.parametrize(
    ("factual", "exemplar", "protected"),
    [
        pytest.param(0, 2, False, id="may rise to the exemplar's"),
        pytest.param(2, 0, True, id="may not fall to the exemplar's"),
        pytest.param(1, 3, True, id="a missing value cannot be reached"),
        pytest.param(1, 1, False, id="the factual's own"),
    ],
)
def test_exemplars_category_is_protected_where_the_factual_cannot_reach_it(
    factual, exemplar, protected
):
    constraints = of_category(rise=True, fall=False).to_tensors(dtype=torch.float64, device="cpu")
    rows = torch.eye(4, dtype=torch.float64)
    box = constraints.box(rows[[factual]])
    found = constraints.protect(rows[[exemplar]], rows[[factual]], box)
    assert torch.equal(found, rows[[factual if protected else exemplar]])


def test_box_of_some_rows():
    box = Box(np.arange(6.0).reshape(3, 2), np.arange(6.0).reshape(3, 2) + 1, OneHotGroups(2))
    part = box.select([2, 0])
    assert part.lower.tolist() == [[4.0, 5.0], [0.0, 1.0]]
    assert part.upper.tolist() == [[5.0, 6.0], [1.0, 2.0]]
