from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctsk._columns.constraints import Box
from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators import GenericGenerator, SearchResult
from ctsk.generators.result import Batch, Record, check_result, rows_at_once


@given(seed=st.integers(0, 2**16), epsilon=st.floats(0.01, 3), scale=st.floats(0.1, 1e4))
def test_nascent_row_of_a_jump_is_the_last_point_of_the_line_inside_the_ball(seed, epsilon, scale):
    random = torch.Generator().manual_seed(seed)
    factuals, moves = torch.randn(2, 20, 3, generator=random)
    factuals = scale * factuals
    # Some rows do not move at all, and some features never do.
    moves[:, 0], moves[::5] = 0, 0
    counterfactuals = factuals + moves
    result = SearchResult.of_jumps(
        factuals, counterfactuals, torch.ones(20, dtype=torch.bool), T=4, epsilon=epsilon
    )
    distances, lengths = (
        (rows - factuals).abs().amax(dim=1) for rows in (result.nascent, counterfactuals)
    )
    assert (distances < epsilon).all()
    is_inside = lengths < 0.999 * epsilon
    assert torch.equal(result.nascent[is_inside], counterfactuals[is_inside])
    # A rounding error of the factual may hide the rest of the way to the sphere.
    rest = 1e-4 * epsilon + 1e-6 * scale
    assert (distances >= torch.clamp(lengths, max=epsilon) - rest).all()
    assert torch.equal(result.nascent[:, 0], factuals[:, 0])


def test_path_of_a_jump_leaves_the_factual_in_the_last_step():
    factuals, counterfactuals = torch.zeros(3, 1), torch.tensor([[1.0], [2.0], [0.0]])
    mature, n_iter = torch.tensor([True, False, True]), torch.tensor([1, 3, 0])
    result = SearchResult.of_jumps(
        factuals, counterfactuals, mature, T=3, n_iter=n_iter, return_path=True
    )
    assert result.path[..., 0].tolist() == [[0, 1, 1, 1], [0, 0, 0, 2], [0, 0, 0, 0]]
    assert result.nascent is result.refused is result.unfinished is None


def test_row_of_a_jump_takes_one_step_if_it_moves():
    factuals, counterfactuals = torch.zeros(2, 2), torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    result = SearchResult.of_jumps(factuals, counterfactuals, torch.ones(2).bool(), T=3)
    assert result.n_iter.tolist() == [0, 1]


GROUPS = OneHotGroups(2)


def random_batch(lower, *, by_row=True, n_codes=2):
    """Return a batch whose upper bounds are 1; without costs by row, it lacks codes, too."""
    random = torch.Generator().manual_seed(0)
    n_rows, n_columns = lower.shape
    shape = n_rows, n_columns
    return Batch(
        idx=torch.randperm(2 * n_rows, generator=random)[:n_rows],
        codes=torch.randn(n_rows, n_codes, generator=random) if by_row else None,
        states=torch.randn(shape, generator=random),
        factuals=torch.randn(shape, generator=random),
        targets=torch.arange(n_rows),
        box=Box(lower, torch.ones(shape), GROUPS),
        costs=torch.rand(shape if by_row else n_columns, generator=random),
        earlier=torch.randn(n_rows, 3, n_columns, generator=random) if by_row else None,
    )


def tensors(batch):
    """Return all tensors of a batch by name, as lists."""
    named = {field.name: getattr(batch, field.name) for field in fields(Batch)}
    box = named.pop("box")
    named |= {"lower": box.lower, "upper": box.upper}
    return {name: None if value is None else value.tolist() for name, value in named.items()}


def rows_of(batch, idx):
    """Return what `tensors` returns of some rows; costs of one dimension belong to all rows."""
    is_shared = {"costs": batch.costs.ndim == 1}
    return {
        name: values if values is None or is_shared.get(name) else [values[i] for i in idx]
        for name, values in tensors(batch).items()
    }


@pytest.mark.parametrize("by_row", [True, False])
def test_parts_of_a_batch_hold_each_row_once_and_everything_that_belongs_to_it(by_row):
    batch = random_batch(torch.zeros(5, 2), by_row=by_row)
    assert [tensors(part) for part in batch.split(2)] == [
        rows_of(batch, idx) for idx in ([0, 1], [2, 3], [4])
    ]
    mask = torch.tensor([True, False, False, True, True])
    assert tensors(batch.select(mask)) == rows_of(batch, [0, 3, 4])
    assert tensors(batch.at_positions(torch.tensor([4, 1]))) == rows_of(batch, [4, 1])


@pytest.mark.parametrize("n_rows", [5, 6])
def test_a_batch_of_few_rows_is_its_only_part(n_rows):
    batch = random_batch(torch.zeros(5, 2))
    assert batch.split(n_rows) == [batch]


@pytest.mark.parametrize("by_row", [True, False])
def test_parts_of_a_batch_are_put_together_again(by_row):
    batch = random_batch(torch.zeros(5, 2), by_row=by_row)
    assert tensors(Batch.concatenate(batch.split(2))) == tensors(batch)
    assert Batch.concatenate([batch]) is batch


def test_rows_that_cannot_move_take_no_step_and_come_last():
    # A row can move if one of its columns can.
    lower = torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.5]])
    batch = random_batch(lower)
    parts = [(part.targets.tolist(), n_steps) for part, n_steps in batch.parts(2, T=7)]
    assert parts == [([1, 3], 7), ([4], 7), ([0, 2], 0)]


@pytest.mark.parametrize(("bound", "n_steps"), [(0.0, 7), (1.0, 0)])
def test_rows_of_one_kind_are_one_part(bound, n_steps):
    # Not every module can evaluate a part without rows.
    parts = random_batch(torch.full((3, 2), bound)).parts(10, T=7)
    assert [(part.targets.tolist(), steps) for part, steps in parts] == [([0, 1, 2], n_steps)]


def test_a_batch_at_other_states_is_the_same_otherwise():
    batch = random_batch(torch.zeros(3, 2))
    moved = batch.at(batch.states + 1, batch.codes - 1)
    expected = tensors(batch) | {
        "states": (batch.states + 1).tolist(),
        "codes": (batch.codes - 1).tolist(),
    }
    assert tensors(moved) == expected


def test_results_of_parts_are_put_together():
    parts = [
        SearchResult(torch.full((n, 2), float(n)), torch.ones(n).bool(), torch.arange(n))
        for n in (2, 3)
    ]
    merged = SearchResult.concatenate(parts)
    assert merged.counterfactuals[:, 1].tolist() == [2, 2, 3, 3, 3]
    assert merged.mature.tolist() == [True] * 5
    assert merged.n_iter.tolist() == [0, 1, 0, 1, 2]
    assert merged.nascent is merged.refused is merged.path is merged.unfinished is None


def test_a_record_holds_the_last_state_of_each_row_and_the_last_one_near_its_factual():
    factuals = torch.zeros(3, 2)
    batch = replace(
        random_batch(torch.zeros(2, 2)),
        idx=torch.tensor([2, 0]),
        factuals=factuals[:2],
        states=torch.tensor([[1.0, -2.0], [0.5, 0.0]]),
    )
    record = Record(factuals, T=3, epsilon=1.0, return_path=True)
    record.advance(batch, 1)
    record.mature(torch.tensor([0]), batch.states[1:], 1)
    record.stop(torch.tensor([2]), batch.states[:1], torch.tensor([True]), 3)
    result = record.result(None)
    assert result.counterfactuals.tolist() == [[0.5, 0], [0, 0], [1, -2]]
    # The state of row 2 differs by more than epsilon in one column.
    assert result.nascent.tolist() == [[0.5, 0], [0, 0], [0, 0]]
    assert result.mature.tolist() == [True, False, False]
    assert result.refused.tolist() == [False, False, True]
    assert result.n_iter.tolist() == [1, 0, 3]
    assert result.path.shape == (3, 4, 2)
    assert result.path[2].tolist() == [[0, 0], [1, -2], [1, -2], [1, -2]]
    assert result.path[1].tolist() == [[0, 0]] * 4


def test_a_state_at_the_distance_epsilon_is_not_nascent():
    factuals = torch.zeros(1, 2)
    batch = random_batch(torch.zeros(1, 2))
    batch = replace(
        batch, idx=torch.tensor([0]), factuals=factuals, states=torch.tensor([[1.0, 0.0]])
    )
    record = Record(factuals, T=1, epsilon=1.0, return_path=False)
    record.advance(batch, 1)
    result = record.result(None)
    assert result.nascent.tolist() == [[0, 0]]
    assert result.path is None


@pytest.mark.parametrize("result", [None, torch.zeros(2, 3)])
def test_a_search_that_returns_something_else_is_a_type_error(result):
    with pytest.raises(TypeError, match=f"GenericGenerator returned a {type(result).__name__};"):
        check_result(result, GenericGenerator(), torch.zeros(2, 3))


@pytest.mark.parametrize("name", ["counterfactuals", "mature", "n_iter"])
def test_a_result_of_another_shape_is_an_error_that_names_it(name):
    parts = {
        "counterfactuals": torch.zeros(2, 3),
        "mature": torch.zeros(2).bool(),
        "n_iter": torch.zeros(2).long(),
    }
    check_result(SearchResult(**parts), GenericGenerator(), torch.zeros(2, 3))
    parts[name] = parts[name][:1]
    with pytest.raises(ValueError, match=f"returned {name} of shape .1,.* the shape must be .2,"):
        check_result(SearchResult(**parts), GenericGenerator(), torch.zeros(2, 3))


def test_wide_tables_of_categories_are_searched_in_parts_on_a_cpu():
    groups, cpu = OneHotGroups(0, (2_000, 3_000)), torch.device("cpu")
    assert rows_at_once(groups, cpu) == 200
    assert rows_at_once(GROUPS, cpu) == np.inf
    assert rows_at_once(groups, torch.device("cuda")) == np.inf
    assert rows_at_once(OneHotGroups(0, (3_000_000,)), cpu) == 1
