import pytest
import torch

from ctsk import ECCCoGenerator, GenericGenerator, GradientGenerator, REVISEGenerator
from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators import Reference, Step
from ctsk.generators.slopes import differentiated_penalty, entropy_slopes

GROUPS = OneHotGroups(4)


def draws(*shape, seed):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def reference():
    return Reference(draws(30, 4, seed=0), torch.arange(30) % 3, 3, GROUPS, torch.Generator())


@pytest.fixture
def step():
    factuals, moves = draws(6, 4, seed=1), draws(6, 4, seed=2)
    # Some columns have not moved.
    moves[:, 1] = 0
    return Step(
        factuals + moves, factuals, torch.arange(6) % 3, draws(6, seed=3), draws(4, seed=4).abs(),
        t=3, T=10,
    )  # fmt: skip


@pytest.mark.parametrize(
    "generator",
    [
        ECCCoGenerator(lambda_cost=0.3, lambda_energy=2.0),
        ECCCoGenerator(schedule="constant"),
        GenericGenerator(lambda_cost=0.3),
        GenericGenerator(lambda_cost=0.3, distance="mad", lambda_gravity=0.7),
        REVISEGenerator(lambda_cost=0.3),
    ],
)
def test_slopes_that_are_written_out_agree_with_autograd(generator, step):
    if not isinstance(generator, REVISEGenerator):
        generator.learn(reference())
    written = type(generator)._penalty_slopes
    assert written is not GradientGenerator._penalty_slopes
    for ours, theirs in zip(
        written(generator, step), differentiated_penalty(generator, step), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_gravity_has_no_slope_at_the_centroid(step):
    generator = GenericGenerator(lambda_cost=0, lambda_gravity=1.0).learn(reference())
    at_center = Step(
        generator.centroids_[step.targets], step.factuals, step.targets, step.energies,
        step.costs, step.t, step.T,
    )  # fmt: skip
    assert not generator._penalty_slopes(at_center)[0].any()


def test_a_subclass_that_overrides_the_penalty_alone_gets_the_slopes_of_its_own(step):
    class Squared(ECCCoGenerator):
        def penalty(self, step):
            return step.rows.square().sum(dim=1) + 2 * step.energies

    of_rows, of_energies = Squared()._penalty_slopes(step)
    torch.testing.assert_close(of_rows, 2 * step.rows)
    torch.testing.assert_close(of_energies, torch.full_like(step.energies, 2))


@pytest.mark.parametrize("value", ["constant", "rows", "energies"])
def test_a_penalty_need_not_depend_on_rows_or_energies(step, value):
    class Partial(GradientGenerator):
        step_size = 0.1

        def penalty(self, step):
            terms = {"rows": step.rows.sum(dim=1), "energies": step.energies}
            return terms.get(value, torch.ones_like(step.energies))

    of_rows, of_energies = Partial()._penalty_slopes(step)
    assert torch.equal(of_rows, torch.full_like(step.rows, value == "rows"))
    assert torch.equal(of_energies, torch.full_like(step.energies, value == "energies"))


def test_slopes_of_the_cross_entropy_are_softmax_minus_target():
    logits, targets, factors = draws(5, 3, seed=0), torch.tensor([0, 1, 2, 0, 1]), draws(5, seed=1)
    leaf = logits.clone().requires_grad_()
    chosen = leaf[torch.arange(5), targets]
    loss = torch.nn.functional.cross_entropy(leaf, targets, reduction="sum") - factors @ chosen
    (expected,) = torch.autograd.grad(loss, leaf)
    torch.testing.assert_close(entropy_slopes(logits.log_softmax(1), targets, factors), expected)
