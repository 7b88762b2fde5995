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
CATEGORIES = OneHotGroups(0, (4,), ordered=(True,), missing=(True,))
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


def harden(box, states, factuals):
    tensors = box.to_tensors(dtype=torch.float64, device="cpu")
    return tensors.harden(torch.as_tensor(states), torch.as_tensor(factuals)).numpy()


def test_a_number_ends_in_its_domain_or_where_it_started_never_in_the_gap():
    constraints = Constraints.free(np.array([40.0]), np.array([60.0]), OneHotGroups(1))
    factuals = np.array([[10.0], [10.0], [10.0], [90.0], [90.0], [50.0]])
    box = constraints.box(factuals)
    assert box.lower[:, 0].tolist() == [10, 10, 10, 40, 40, 40]
    states = np.array([[24.9], [25.0], [45.0], [80.0], [70.0], [41.0]])
    assert harden(box, states, factuals)[:, 0].tolist() == [10, 40, 45, 90, 60, 41]
    # The states of the search themselves are left alone.
    assert states[0, 0] == 24.9


def test_rows_inside_their_domain_need_no_hardening():
    constraints = Constraints.free(np.array([40.0]), np.array([60.0]), OneHotGroups(1))
    box = constraints.box(np.array([[40.0], [60.0]]))
    assert box.low is None
    assert not box.hardens


# One number of mean 5 that may be -9 or missing: columns number, "a number", -9, missing.
STATES = OneHotGroups(1, (3,), numbers=(0,))
NUMBER, SPECIAL, MISSING = [3.0, 1, 0, 0], [5.0, 0, 1, 0], [5.0, 0, 0, 1]


def of_number(low=0.0, high=10.0, special=0, rise=True, fall=True):
    """Constraints of one number with two states."""
    return Constraints(
        low=np.array([low, 0, 0, 0]),
        high=np.array([high, 1, special, 0]),
        may_rise=np.full(4, rise),
        may_fall=np.full(4, fall),
        groups=STATES,
        fill=np.array([5.0, 0, 0, 0]),
    )


@pytest.mark.parametrize(
    ("constraints", "expected"),
    [
        pytest.param(of_number(), [[1, 0, 0], [1, 1, 0], [1, 0, 1]], id="states may be left"),
        pytest.param(
            of_number(special=1), [[1, 1, 0], [1, 1, 0], [1, 1, 1]], id="a listed one is reached"
        ),
        pytest.param(of_number(fall=False), np.eye(3), id="one way: no state is left"),
        pytest.param(of_number(rise=False, fall=False), np.eye(3), id="immutable"),
    ],
)
def test_states_of_a_number_may_be_left_and_are_never_reached(constraints, expected):
    factuals = np.array([NUMBER, SPECIAL, MISSING])
    box = constraints.box(factuals)
    np.testing.assert_array_equal(box.upper[:, 1:], expected)
    # A number that must stay missing has no room.
    is_held = np.array(expected).sum(axis=1) == 1
    has_room = box.lower[1:, 0] < box.upper[1:, 0]
    np.testing.assert_array_equal(has_room, ~is_held[1:])


def test_a_number_has_a_value_exactly_where_it_has_no_state():
    factuals = np.array([MISSING, MISSING, NUMBER])
    box = of_number().box(factuals)
    states = np.array([[8.0, 0.4, 0, 0.6], [8.0, 0.6, 0, 0.4], [8.0, 1, 0, 0]])
    expected = [[5, 0, 0, 1], [8, 1, 0, 0], [8, 1, 0, 0]]
    assert harden(box, states, factuals).tolist() == expected


def test_a_gap_whose_fill_lies_outside_the_domain_is_left_for_the_domain():
    factuals = np.array([MISSING])
    box = of_number(low=7.0).box(factuals)
    assert harden(box, np.array([[5.0, 1, 0, 0]]), factuals).tolist() == [[7, 1, 0, 0]]
    assert harden(box, np.array([[6.9, 0, 0, 1]]), factuals).tolist() == [[5, 0, 0, 1]]


def test_an_unknown_category_stays_until_a_state_is_more_than_half_way_to_another():
    groups = OneHotGroups(0, (3,))
    high = np.array([1.0, 1.0, 0.0])
    shares = np.array([[0.5, 0.3, 0.2]] * 3)
    box = Constraints.free(np.zeros(3), high, groups).box(shares)
    assert box.upper.tolist() == [[1, 1, 1]] * 3
    states = np.array([[0.74, 0.26, 0.0], [0.76, 0.24, 0.0], [0.0, 0.1, 0.9]])
    assert harden(box, states, shares).tolist() == [[0.5, 0.3, 0.2], [1, 0, 0], [0.5, 0.3, 0.2]]


def test_an_unknown_category_that_may_not_move_is_a_point():
    groups = OneHotGroups(0, (3,))
    fixed = np.zeros(3, dtype=bool)
    shares = np.array([[0.5, 0.3, 0.2]])
    box = Constraints(np.zeros(3), np.ones(3), fixed, fixed, groups).box(shares)
    assert box.lower.tolist() == box.upper.tolist() == shares.tolist()
    # No category may be reached, and the bounds of what moves do not cross.
    assert box.low.tolist() == box.high.tolist() == [[0, 0, 0]]


def test_dummies_are_reached_by_their_own_rise_and_left_by_their_own_fall():
    constraints = Constraints(
        low=np.zeros(3),
        high=np.array([1.0, 1.0, 1.0]),
        may_rise=np.array([True, False, True]),
        may_fall=np.array([True, True, False]),
        groups=OneHotGroups(0, (3,)),
    )
    expected = [[1, 0, 1], [1, 1, 1], [0, 0, 1]]
    assert constraints.box(np.eye(3)).upper.tolist() == expected


def test_protection_takes_over_the_number_of_a_state_that_could_not_be_reached():
    constraints = of_number().to_tensors(dtype=torch.float64, device="cpu")
    factuals = torch.tensor([NUMBER, MISSING], dtype=torch.float64)
    exemplars = torch.tensor([MISSING, NUMBER], dtype=torch.float64)
    box = constraints.box(factuals)
    protected = constraints.protect(exemplars, factuals, box)
    # A number cannot become missing; what is missing may become a number.
    assert protected.tolist() == [NUMBER, NUMBER]
