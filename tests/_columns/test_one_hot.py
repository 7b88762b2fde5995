import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsk._columns.one_hot import OneHotGroups

GROUPS = OneHotGroups(n_numeric=1, sizes=(3, 2), missing=(False, True))


def projection_by_sorting(v, allowed):
    """Project on the simplex over the allowed entries by the sorting formula, in NumPy."""
    projected = np.zeros_like(v)
    descending = np.sort(v[allowed])[::-1]
    thresholds = (np.cumsum(descending) - 1) / np.arange(1, len(descending) + 1)
    threshold = thresholds[np.flatnonzero(descending > thresholds)[-1]]
    projected[allowed] = np.maximum(v[allowed] - threshold, 0)
    return projected


def test_slices_lie_behind_the_numeric_columns():
    assert GROUPS.slices == [slice(1, 4), slice(4, 6)]
    assert GROUPS.n_columns == 6
    assert len(GROUPS) == 2


def test_membership_tells_the_group_of_each_column():
    membership = GROUPS.membership(torch.zeros(1, dtype=torch.float64))
    assert membership.dtype == torch.float64
    assert membership.tolist() == [[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]]


@given(
    seed=st.integers(0, 2**16),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    scale=st.sampled_from([0.1, 1.0, 30.0]),
)
@settings(max_examples=100)
def test_projection_is_the_nearest_point_of_the_simplex_over_the_allowed(seed, sizes, scale):
    rng = np.random.default_rng(seed)
    groups = OneHotGroups(2, tuple(sizes), (False,) * len(sizes))
    rows = rng.normal(scale=scale, size=(20, groups.n_columns))
    allowed = rng.integers(0, 2, size=rows.shape).astype(float)
    for columns in groups.slices:
        allowed[:, columns.start] = 1
    projected = groups.project(torch.tensor(rows), torch.tensor(allowed)).numpy()
    np.testing.assert_array_equal(projected[:, :2], rows[:, :2])
    for columns in groups.slices:
        for row, mask, found in zip(
            rows[:, columns], allowed[:, columns], projected[:, columns], strict=True
        ):
            expected = projection_by_sorting(row, mask == 1)
            np.testing.assert_allclose(found, expected, atol=1e-12 * scale)


@pytest.mark.parametrize("method", ["project", "harden"])
def test_without_groups_rows_are_as_they_were(method):
    rows = torch.randn(3, 2)
    arguments = (torch.ones(3, 2),) if method == "project" else ()
    assert torch.equal(getattr(OneHotGroups(2), method)(rows, *arguments), rows)


def test_hardening_leaves_one_category_in_each_group_and_numbers_alone():
    rows = torch.tensor([[0.7, 0.2, 0.5, 0.3, 0.4, 0.6], [-9.0, 1.0, 0.0, 0.0, 1.0, 0.0]])
    assert GROUPS.harden(rows).tolist() == [
        [pytest.approx(0.7), 0, 1, 0, 0, 1],
        [-9.0, 1, 0, 0, 1, 0],
    ]


def test_relative_gradients_say_which_category_gains_on_the_present_mix():
    groups = OneHotGroups(1, (3, 2), (False, False))
    rows = torch.tensor([[9.0, 0.5, 0.5, 0.0, 1.0, 0.0]])
    gradients = torch.tensor([[7.0, 1.0, 3.0, 10.0, 4.0, -1.0]])
    relative = groups.relative(gradients, rows)
    assert relative.tolist() == [[7.0, -1.0, 1.0, 8.0, 0.0, -5.0]]
    shifted = gradients + torch.tensor([0.0, 5.0, 5.0, 5.0, -2.0, -2.0])
    torch.testing.assert_close(groups.relative(shifted, rows), relative)
