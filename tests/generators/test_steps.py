import torch

from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators.steps import confine, finite, free, held_back, shortened

LOWER, UPPER = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[1.0, 1.0, 1.0]])


def test_columns_are_held_back_only_where_a_descent_would_leave_the_box():
    states, gradients = torch.tensor([[0.0, 1.0, 1.0]]), torch.tensor([[2.0, 2.0, -2.0]])
    assert held_back(states, gradients, LOWER, UPPER).tolist() == [[True, False, True]]
    assert free(gradients, states, LOWER, UPPER, OneHotGroups(3)).tolist() == [[0.0, 2.0, 0.0]]


def test_a_move_is_shortened_as_a_whole_and_only_if_a_column_exceeds_the_cap():
    states = torch.zeros(2, 3)
    moved = torch.tensor([[0.4, -0.2, 0.1], [0.1, -0.2, 0.1]])
    expected = torch.tensor([[0.2, -0.1, 0.05], [0.1, -0.2, 0.1]])
    torch.testing.assert_close(shortened(moved, states, 0.2), expected)


def test_only_coordinates_that_overflow_stay():
    states = torch.tensor([[1.0, 2.0, 3.0]])
    moved = torch.tensor([[torch.inf, 5.0, torch.nan]])
    assert finite(moved, states).tolist() == [[1.0, 5.0, 3.0]]


def test_rows_are_confined_to_bounds_and_categories_to_the_simplex():
    groups = OneHotGroups(1, (2,), (False,))
    rows, states = torch.tensor([[3.0, 0.9, 0.5]]), torch.tensor([[0.5, 1.0, 0.0]])
    # The nearest point of the simplex takes the same from both weights.
    expected = torch.tensor([[1.0, 0.7, 0.3]])
    torch.testing.assert_close(confine(rows, states, LOWER, UPPER, groups), expected)
