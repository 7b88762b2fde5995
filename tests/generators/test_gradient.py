import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsk import ECCCoGenerator, GenericGenerator, REVISEGenerator
from ctsk._columns.constraints import Box
from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators import result as results_of_searches

GENERATORS = [
    pytest.param(GenericGenerator(), id="generic"),
    pytest.param(ECCCoGenerator(), id="eccco"),
]


def search(generator, model, factuals, targets, lower=-1e3, upper=1e3, groups=None, **settings):
    """Search in a box, all features at the same cost."""
    lower, upper = (torch.as_tensor(bound).expand_as(factuals) for bound in (lower, upper))
    box = Box(lower, upper, groups or OneHotGroups(factuals.shape[1]))
    costs = settings.pop("costs", torch.ones_like(factuals[0]))
    return generator.search(model, factuals, targets, box, costs=costs, **settings)


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def path_by_hand(generator, W, b, x, target, lower, upper, costs, *, tau, T):
    """Section "search" of the design for one row and a linear model, in NumPy."""
    path = [x]
    scale = max(1, round(T / 25))
    for t in range(1, T + 1):
        state = path[-1]
        logits = W @ state + b
        proba = softmax(logits[None])[0]
        if proba[target] >= tau:
            break
        gradient = W.T @ (proba - np.eye(len(b))[target])
        gradient = gradient + generator.lambda_cost * costs * np.sign(state - x)
        if isinstance(generator, ECCCoGenerator):
            phi = scale / 10 * (scale + t) ** -0.9
            slope = 1 + 2e-3 * -logits[target]
            gradient = gradient + generator.lambda_energy * phi * slope * -W[target]
        step = generator.step_size * gradient
        if isinstance(generator.max_step, float):
            # A column at its bound does not move, however steep it is.
            is_held = (gradient < 0) & (state >= upper) | (gradient > 0) & (state <= lower)
            largest = np.abs(step[~is_held]).max(initial=0)
            step *= generator.max_step / max(generator.max_step, largest)
        path.append(np.clip(state - step, lower, upper))
    return np.array(path)


@pytest.mark.parametrize(
    "generator",
    [
        *GENERATORS,
        pytest.param(GenericGenerator(max_step=0.05), id="generic, capped"),
        pytest.param(ECCCoGenerator(max_step=0.2), id="eccco, capped"),
    ],
)
@pytest.mark.parametrize("T", [5, 60])
def test_every_step_equals_the_formula(linear, generator, T):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    targets = rng.integers(0, 2, size=20)
    lower, upper = X - rng.uniform(0, 2, X.shape), X + rng.uniform(0, 2, X.shape)
    costs = rng.uniform(0, 50, size=3)
    result = search(
        generator,
        linear,
        torch.tensor(X),
        torch.tensor(targets),
        torch.tensor(lower),
        torch.tensor(upper),
        costs=torch.tensor(costs),
        tau=0.9,
        T=T,
        return_path=True,
    )
    W, b = linear.weight.detach().numpy(), linear.bias.detach().numpy()
    for i, path in enumerate(result.path.numpy()):
        row = X[i], targets[i], lower[i], upper[i]
        hand = path_by_hand(generator, W, b, *row, costs, tau=0.9, T=T)
        n_iter = result.n_iter[i].item()
        assert n_iter == len(hand) - 1
        np.testing.assert_allclose(path[: n_iter + 1], hand, rtol=1e-10, atol=1e-12)
        np.testing.assert_array_equal(path[n_iter:], np.tile(path[n_iter], (T + 1 - n_iter, 1)))
        np.testing.assert_array_equal(path[-1], result.counterfactuals[i])
        assert result.mature[i] == (softmax((W @ hand[-1] + b)[None])[0, targets[i]] >= 0.9)


@pytest.mark.parametrize("generator", GENERATORS)
def test_row_that_is_mature_already_takes_no_step(linear, generator):
    factuals = torch.tensor([[9.0, -9.0, 0.0]], dtype=torch.float64)
    result = search(generator, linear, factuals, torch.tensor([0]), tau=0.9, T=5, epsilon=0.3)
    assert result.n_iter.item() == 0
    assert result.mature.item()
    assert torch.equal(result.counterfactuals, factuals)
    assert torch.equal(result.nascent, factuals)


@given(
    seed=st.integers(0, 2**16),
    epsilon=st.floats(0.05, 2.0),
    step_size=st.sampled_from([0.05, 0.25, 2.0]),
)
@settings(max_examples=60)
def test_nascent_is_the_last_state_inside_the_epsilon_ball(seed, epsilon, step_size):
    rng = np.random.default_rng(seed)
    # A quadratic bowl between two classes makes paths turn back into the ball.
    W = torch.tensor(rng.normal(size=(3, 2)))

    def model(rows):
        return rows @ W.T + torch.sin(3 * rows) @ W.T

    factuals = torch.tensor(rng.normal(size=(15, 2)))
    result = search(
        ECCCoGenerator(step_size=step_size),
        model,
        factuals,
        torch.tensor(rng.integers(0, 3, size=15)),
        tau=0.9,
        T=12,
        epsilon=epsilon,
        return_path=True,
    )
    for i, x in enumerate(factuals.numpy()):
        path = result.path[i, : result.n_iter[i] + 1].numpy()
        inside = np.flatnonzero(np.abs(path - x).max(axis=1) < epsilon)
        np.testing.assert_array_equal(result.nascent[i], path[inside[-1]])


@given(seed=st.integers(0, 2**16))
@settings(max_examples=30)
def test_states_never_leave_their_box(seed):
    rng = np.random.default_rng(seed)
    W = torch.tensor(rng.normal(scale=3, size=(2, 4)))
    factuals = torch.tensor(rng.normal(size=(10, 4)))
    width = torch.tensor(rng.uniform(0, 1, size=(10, 4)) * rng.integers(0, 2, size=(10, 4)))
    lower, upper = factuals - width, factuals + width
    result = search(
        ECCCoGenerator(),
        lambda rows: rows @ W.T,
        factuals,
        torch.tensor(rng.integers(0, 2, size=10)),
        lower,
        upper,
        tau=0.9,
        T=10,
        return_path=True,
    )
    assert (result.path >= lower[:, None]).all()
    assert (result.path <= upper[:, None]).all()
    fixed = width == 0
    assert torch.equal(result.counterfactuals[fixed], factuals[fixed])


@pytest.mark.parametrize("generator", GENERATORS)
def test_rows_do_not_influence_each_other(linear, generator):
    factuals = torch.randn(8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 1] * 4)
    arguments = {"tau": 0.9, "T": 20, "epsilon": 0.3}
    together = search(generator, linear, factuals, targets, **arguments)
    for i in range(8):
        row = factuals[i : i + 1]
        alone = search(generator, linear, row, targets[i : i + 1], **arguments)
        torch.testing.assert_close(alone.counterfactuals[0], together.counterfactuals[i])
        torch.testing.assert_close(alone.nascent[0], together.nascent[i])
        assert alone.n_iter[0] == together.n_iter[i]


def test_finished_rows_leave_the_batch(linear):
    seen = []

    def model(rows):
        seen.append(len(rows))
        return linear(rows)

    factuals = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None].repeat(1, 3)
    targets = torch.zeros(9, dtype=torch.int64)
    result = search(GenericGenerator(), model, factuals, targets, tau=0.7, T=40)
    # A row is seen at every step up to its last, and a finished one once more, to judge it.
    last = int(result.n_iter.max())
    assert seen == [int((result.n_iter >= t).sum()) for t in range(last + 1)]
    assert seen[-1] < 9


@pytest.mark.parametrize("generator", GENERATORS)
def test_row_whose_box_is_a_point_takes_no_step(linear, generator):
    factuals = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None].repeat(1, 3)
    targets = linear(factuals).argmin(dim=1)
    can_move = torch.arange(9) % 3 > 0
    reach = can_move.float()[:, None]
    n_calls = 0

    def count(module, inputs, output):
        nonlocal n_calls
        n_calls += len(output)

    with linear.register_forward_hook(count):
        bounds = {"lower": factuals - reach, "upper": factuals + reach}
        result = search(generator, linear, factuals, targets, tau=0.999999, T=50, **bounds)
    assert n_calls == can_move.sum() * 51 + (~can_move).sum()
    assert result.n_iter.tolist() == torch.where(can_move, 50, 0).tolist()
    assert torch.equal(result.counterfactuals[~can_move], factuals[~can_move])
    assert result.unfinished.idx.tolist() == list(range(len(factuals)))


def test_row_that_is_turned_down_goes_on_searching(linear):
    factuals = torch.tensor([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0]], dtype=torch.float64)
    targets = torch.tensor([1, 1])

    def accept(states, rows):
        assert len(states) == len(rows)
        return states[:, 0] < -2.0

    arguments = {"tau": 0.6, "T": 200}
    eager = search(GenericGenerator(), linear, factuals, targets, **arguments)
    strict = search(GenericGenerator(), linear, factuals, targets, accept=accept, **arguments)
    assert (eager.counterfactuals[:, 0] > -2.0).all()
    assert (strict.counterfactuals[:, 0] < -2.0).all()
    assert (strict.n_iter > eager.n_iter).all()
    assert strict.mature.all()
    assert not strict.refused.any()


def test_row_that_is_never_accepted_is_not_mature(linear):
    factuals = torch.zeros(1, 3, dtype=torch.float64)
    result = search(
        GenericGenerator(),
        linear,
        factuals,
        torch.tensor([1]),
        tau=0.6,
        T=10,
        accept=lambda states, rows: torch.zeros(len(rows), dtype=torch.bool),
    )
    assert not result.mature.item()
    assert result.refused.item()
    assert result.n_iter.item() == 10


def test_coordinate_that_overflows_stays_where_it_was():
    def model(rows):
        steep = torch.stack([rows[:, 0] * 1e38, -rows[:, 0] * 1e38], dim=1)
        return steep + torch.stack([rows[:, 1], -rows[:, 1]], dim=1)

    factuals = torch.tensor([[-1.0, 0.0]])
    result = search(
        GenericGenerator(step_size=1e3),
        model,
        factuals,
        torch.tensor([0]),
        -torch.inf,
        torch.inf,
        tau=0.9,
        T=5,
    )
    assert result.counterfactuals.isfinite().all()


@pytest.mark.parametrize("generator", GENERATORS)
def test_search_changes_neither_model_nor_factuals(linear, generator):
    factuals = torch.zeros(4, 3, dtype=torch.float64)
    before = [weights.clone() for weights in linear.parameters()]
    search(generator, linear, factuals, torch.tensor([0, 1, 0, 1]), tau=0.9, T=5)
    assert not factuals.any()
    assert not factuals.requires_grad
    for weights, old in zip(linear.parameters(), before, strict=True):
        assert torch.equal(weights, old)
        assert weights.grad is None


@pytest.mark.parametrize(
    ("generator", "name"),
    [
        (GenericGenerator(step_size=0), "step_size"),
        (GenericGenerator(lambda_cost=-1), "lambda_cost"),
        (ECCCoGenerator(lambda_energy=-1), "lambda_energy"),
        (GenericGenerator(max_step=0), "max_step"),
        (ECCCoGenerator(max_step=-0.1), "max_step"),
        (ECCCoGenerator(max_step="none"), "max_step"),
        (REVISEGenerator(max_step=0), "max_step"),
    ],
)
def test_parameter_out_of_range_is_refused_by_name(linear, generator, name):
    factuals = torch.zeros(1, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match=name):
        search(generator, linear, factuals, torch.tensor([1]), tau=0.9, T=5)


# Two numbers, then a category of three.
GROUPS = OneHotGroups(2, (3,), (False,))


def category_model(rows):
    """Only the third category and the second number speak for class 1."""
    weights = torch.tensor([0.0, 0.1, -0.5, -0.2, 1.5], dtype=rows.dtype)
    return torch.stack([-(rows @ weights), rows @ weights], dim=1)


@pytest.mark.parametrize("generator", GENERATORS)
def test_category_is_searched_on_the_simplex_and_returned_hard(generator):
    factuals = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    lower = torch.tensor([-1e3, -1e3, 0.0, 0.0, 0.0], dtype=torch.float64)
    upper = torch.tensor([1e3, 1e3, 1.0, 1.0, 1.0], dtype=torch.float64)
    result = search(
        generator, category_model, factuals, torch.tensor([1]), lower, upper, GROUPS,
        tau=0.9, T=60, return_path=True,
    )  # fmt: skip
    relaxed = result.path[0, 1 : result.n_iter.item(), 2:]
    assert ((relaxed > 0) & (relaxed < 1)).any()
    torch.testing.assert_close(result.path[0, :, 2:].sum(dim=1), torch.ones(61).double())
    assert result.mature.item()
    assert result.counterfactuals[0, 2:].tolist() == [0.0, 0.0, 1.0]
    judged = torch.softmax(category_model(result.counterfactuals), dim=1)[0, 1]
    assert judged >= 0.9


def test_category_that_may_not_be_reached_gets_no_weight():
    factuals = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    lower = torch.tensor([-1e3, -1e3, 0.0, 0.0, 0.0], dtype=torch.float64)
    upper = torch.tensor([1e3, 1e3, 1.0, 1.0, 0.0], dtype=torch.float64)
    result = search(
        GenericGenerator(), category_model, factuals, torch.tensor([1]), lower, upper, GROUPS,
        tau=0.9, T=20, return_path=True,
    )  # fmt: skip
    assert not result.path[..., 4].any()
    assert result.path[..., 3].any()


@pytest.mark.parametrize("per_row", [False, True], ids=["shared costs", "costs of rows"])
def test_search_in_parts_finds_what_a_search_at_once_finds(monkeypatch, per_row):
    factuals = torch.zeros(7, 5, dtype=torch.float64)
    factuals[:, 1], factuals[:, 2] = torch.linspace(-4, 12, 7), 1
    lower = torch.tensor([-1e3, -1e3, 0.0, 0.0, 0.0], dtype=torch.float64)
    upper = torch.tensor([1e3, 1e3, 1.0, 1.0, 0.0], dtype=torch.float64)
    costs = torch.linspace(0.5, 2, 35, dtype=torch.float64).reshape(7, 5)
    judged = {}

    def results(name):
        seen = judged[name] = set()

        def accept(states, idx):
            seen.update(idx.tolist())
            return idx != 5

        found = search(
            GenericGenerator(lambda_cost=0.1), category_model, factuals,
            torch.ones(7, dtype=torch.int64), lower, upper, GROUPS, tau=0.7, T=9,
            epsilon=0.4, accept=accept, costs=costs if per_row else costs[0], return_path=True,
            earlier=factuals[:, None] + 0.1, push=0.1,
        )  # fmt: skip
        unfinished = found.unfinished
        return [
            found.counterfactuals, found.mature, found.n_iter, found.nascent, found.refused,
            found.path, unfinished.idx, unfinished.states, unfinished.box.upper, unfinished.costs,
            unfinished.earlier,
        ]  # fmt: skip

    expected = results("at once")
    assert 0 < expected[1].sum() < 7
    # Ten entries are two rows, so the last part is a single row.
    monkeypatch.setattr(results_of_searches, "_CACHED", 10)
    for at_once, in_parts in zip(expected, results("in parts"), strict=True):
        torch.testing.assert_close(in_parts, at_once, rtol=0, atol=1e-12)
    assert judged["in parts"] == judged["at once"]


@pytest.mark.parametrize("per_row", [False, True], ids=["shared costs", "costs of rows"])
def test_costs_may_differ_between_rows(linear, per_row):
    rng = np.random.default_rng(0)
    factuals, targets = torch.tensor(rng.normal(size=(9, 3))), torch.tensor([0, 1, 1] * 3)
    costs = torch.tensor(rng.uniform(0, 99, size=(9, 3)))
    settings = {"tau": 0.9, "T": 25}
    if not per_row:
        costs = costs[:1].repeat(9, 1)
    together = search(GenericGenerator(), linear, factuals, targets, costs=costs, **settings)
    assert 0 < together.mature.sum()
    assert len(set(together.n_iter.tolist())) > 1
    for i in range(9):
        row = slice(i, i + 1)
        alone = search(
            GenericGenerator(), linear, factuals[row], targets[row], costs=costs[i], **settings
        )
        torch.testing.assert_close(alone.counterfactuals[0], together.counterfactuals[i])


def test_unfinished_rows_are_those_that_are_not_mature(linear):
    factuals = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None].repeat(1, 3)
    targets = torch.zeros(9, dtype=torch.int64)
    result = search(GenericGenerator(), linear, factuals, targets, tau=0.9, T=3)
    unfinished = result.unfinished
    assert unfinished.idx.tolist() == (~result.mature).nonzero()[:, 0].tolist() != []
    assert torch.equal(unfinished.states, result.counterfactuals[unfinished.idx])
    assert torch.equal(unfinished.factuals, factuals[unfinished.idx])
    assert not unfinished.states.requires_grad


@pytest.mark.parametrize("max_step", [0.01, 0.3])
@pytest.mark.parametrize("Generator", [GenericGenerator, ECCCoGenerator])
@given(seed=st.integers(0, 2**16))
@settings(max_examples=15)
def test_no_step_changes_a_column_by_more_than_max_step(Generator, max_step, seed):
    rng = np.random.default_rng(seed)
    groups = OneHotGroups(3, (4, 2), (False, False))
    # Steep logits, with an offset that all categories of a group share.
    weights = torch.tensor(rng.normal(scale=20, size=(3, 9)) + rng.normal(scale=50, size=(3, 1)))
    factuals = torch.tensor(rng.normal(size=(30, 9)))
    for columns in groups.slices:
        size = columns.stop - columns.start
        factuals[:, columns] = torch.eye(size).double()[rng.integers(0, size, 30)]
    upper = factuals + torch.tensor(rng.uniform(0, 1, size=(30, 9)) * rng.integers(0, 2, (30, 9)))
    lower = factuals - torch.tensor(rng.uniform(0, 1, size=(30, 9)))
    lower[:, 3:] = 0
    upper[:, 3:] = torch.maximum(factuals[:, 3:], (upper[:, 3:] > factuals[:, 3:]).double())
    result = search(
        Generator(max_step=max_step), lambda rows: rows @ weights.T, factuals,
        torch.tensor(rng.integers(0, 3, 30)), lower, upper, groups, tau=0.9, T=8, return_path=True,
    )  # fmt: skip
    changes = result.path.diff(dim=1).abs()
    assert changes.max() <= max_step * (1 + 1e-12)
    # Rows with a number that is free move by no less than half of the largest step.
    assert changes.max() > 0.5 * max_step
    for columns in groups.slices:
        sums = result.path[..., columns].sum(dim=-1)
        torch.testing.assert_close(sums, torch.ones_like(sums))


def test_capped_step_keeps_its_direction(linear):
    factuals = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 1] * 6)
    arguments = {"tau": 0.999, "T": 1, "return_path": True}
    whole, capped = (
        search(ECCCoGenerator(max_step=cap), linear, factuals, targets, **arguments).path.diff(
            dim=1
        )
        for cap in (None, 0.03)
    )
    lengths = whole.abs().amax(dim=2, keepdim=True)
    assert (lengths > 0.03).any()
    torch.testing.assert_close(capped, whole * (0.03 / lengths).clamp(max=1))


def test_feature_that_is_held_does_not_shorten_the_step_of_others():
    steep = torch.tensor([[1e3, 1.0], [-1e3, -1.0]], dtype=torch.float64)
    factuals = torch.tensor([[0.0, -5.0]], dtype=torch.float64)
    result = search(
        GenericGenerator(max_step=0.05), lambda rows: rows @ steep.T, factuals, torch.tensor([0]),
        torch.tensor([0.0, -9.0]), torch.tensor([0.0, 9.0]), tau=0.9, T=1, return_path=True,
    )  # fmt: skip
    torch.testing.assert_close(result.path[0, 1], torch.tensor([0.0, -4.95]).double())


def test_capped_coordinate_that_overflows_stays_and_lets_others_move():
    class Overflowing(GenericGenerator):
        def penalty(self, step):
            # The slope of the first column is infinite in float32.
            return -3 * (3e38 * step.rows[:, 0]) - step.rows[:, 1]

    result = search(
        Overflowing(max_step=0.05), lambda rows: rows * 0, torch.zeros(1, 2), torch.tensor([0]),
        -torch.inf, torch.inf, tau=0.9, T=3,
    )  # fmt: skip
    torch.testing.assert_close(result.counterfactuals, torch.tensor([[0.0, 0.15]]))


def test_auto_is_no_cap_in_a_search(linear):
    factuals = torch.randn(8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    arguments = {"tau": 0.9, "T": 20, "return_path": True}
    auto, none = (
        search(
            ECCCoGenerator(max_step=cap), linear, factuals, torch.tensor([0, 1] * 4), **arguments
        )
        for cap in ("auto", None)
    )
    assert torch.equal(auto.path, none.path)


@pytest.mark.parametrize("Generator", [GenericGenerator, ECCCoGenerator])
def test_cap_keeps_a_steep_model_from_leaping_past_its_class(Generator):
    def rings(rows):
        # Class 1 is the ring of radius 1 to 2; the logits are as steep as those of a
        # conventional model after many epochs.
        radius = rows.square().sum(dim=1).add(1e-12).sqrt()
        logit = 25 * (0.5 - (radius - 1.5).abs())
        return torch.stack([-logit, logit], dim=1)

    angles = torch.linspace(0, 6.28, 40, dtype=torch.float64)
    factuals = 0.6 * torch.stack([angles.cos(), angles.sin()], dim=1)
    targets = torch.ones(40, dtype=torch.int64)
    free, capped = (
        search(Generator(max_step=cap), rings, factuals, targets, tau=0.95, T=100)
        for cap in (None, 0.05)
    )
    assert capped.mature.all()
    assert free.mature.float().mean() < 0.9
    distance = (capped.counterfactuals - factuals).abs().sum(dim=1)
    assert distance.max() < 0.8
