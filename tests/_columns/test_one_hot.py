import pickle

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


@pytest.mark.parametrize(
    "sizes",
    [(50,), (4, 4, 4), (3, 2, 4, 1, 2), (90, 70, 3)],
    ids=["one", "equal", "narrow", "wide"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_projection_does_not_depend_on_the_support_it_starts_from(sizes, dtype):
    rng = np.random.default_rng(0)
    groups = OneHotGroups(1, sizes, (False,) * len(sizes))
    rows = torch.tensor(rng.normal(size=(30, groups.n_columns)), dtype=dtype)
    # A fraction allows a category as much as 1 does.
    allowed = torch.tensor(rng.choice([0, 0.3, 1], size=rows.shape), dtype=dtype)
    firsts = torch.tensor([columns.start for columns in groups.slices])
    allowed[:, firsts] = 1
    support = allowed * torch.tensor(rng.integers(0, 2, size=rows.shape))
    support[:, firsts] = 0.5
    projected = groups.project(rows, allowed, support=support)
    assert projected.dtype == dtype
    for columns in groups.slices:
        for row, mask, found in zip(
            rows[:, columns], allowed[:, columns], projected[:, columns], strict=True
        ):
            expected = projection_by_sorting(row.double().numpy(), mask.numpy() > 0)
            np.testing.assert_allclose(found, expected, atol=8 * torch.finfo(dtype).eps)


def test_projection_of_huge_weights_is_finite():
    rows = torch.tensor([[0.0, 1e30, -1e30, 0.0, 1e9, 1e9]])
    projected = GROUPS.project(rows, torch.ones(1, 6), support=torch.ones(1, 6))
    assert projected.isfinite().all()
    assert projected.min() >= 0


def test_rows_are_projected_into_a_new_tensor():
    rows, allowed = torch.randn(5, 6), torch.ones(5, 6)
    before = rows.clone()
    GROUPS.project(rows, allowed, support=allowed)
    GROUPS.relative(rows, allowed)
    assert torch.equal(rows, before)
    assert torch.equal(allowed, torch.ones(5, 6))


def test_no_rows_are_projected_to_no_rows():
    assert GROUPS.project(torch.empty(0, 6), torch.empty(0, 6)).shape == (0, 6)


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


@pytest.mark.parametrize("sizes", [(4, 4), (3, 2, 4, 1), (90, 70)])
def test_of_equal_weights_the_first_category_is_hardened(sizes):
    rng = np.random.default_rng(0)
    groups = OneHotGroups(1, sizes, (False,) * len(sizes))
    # Few different weights, so that most groups have ties.
    rows = rng.integers(0, 4, size=(50, groups.n_columns)) / 4
    expected = np.zeros_like(rows)
    expected[:, 0] = rows[:, 0]
    for columns in groups.slices:
        first = rows[:, columns].argmax(axis=1)
        expected[np.arange(50), columns.start + first] = 1
    np.testing.assert_array_equal(groups.harden(torch.tensor(rows)), expected)


def test_relative_gradients_say_which_category_gains_on_the_present_mix():
    groups = OneHotGroups(1, (3, 2), (False, False))
    rows = torch.tensor([[9.0, 0.5, 0.5, 0.0, 1.0, 0.0]])
    gradients = torch.tensor([[7.0, 1.0, 3.0, 10.0, 4.0, -1.0]])
    relative = groups.relative(gradients, rows)
    assert relative.tolist() == [[7.0, -1.0, 1.0, 8.0, 0.0, -5.0]]
    shifted = gradients + torch.tensor([0.0, 5.0, 5.0, 5.0, -2.0, -2.0])
    torch.testing.assert_close(groups.relative(shifted, rows), relative)


@pytest.mark.parametrize("sizes", [(3, 2), (2, 2, 5), (90, 70, 3)])
def test_few_rows_are_hardened_like_many(sizes):
    groups = OneHotGroups(1, sizes)
    # Few distinct weights, so that there are ties.
    rows = torch.randint(3, (200, groups.n_columns), generator=torch.Generator().manual_seed(0))
    rows = rows.float()
    single = torch.cat([groups.harden(row[None]) for row in rows])
    assert torch.equal(single, groups.harden(rows))


def test_pickles_of_groups_hold_no_tables():
    groups = OneHotGroups(1, (3, 2))
    pickled = pickle.dumps(groups)
    rows = torch.rand(2, 6)
    groups.harden(rows)
    assert pickle.dumps(groups) == pickled
    assert pickle.loads(pickled).slices == groups.slices
