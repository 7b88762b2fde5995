import torch
from hypothesis import given
from hypothesis import strategies as st

from ctsk.generators import SearchResult


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
