import copy
from dataclasses import replace

import pytest
import torch
from simple_generators import Minimal, TowardCenter
from sklearn.base import clone

from ctsk import (
    BaseGenerator,
    ECCCoGenerator,
    GenericGenerator,
    REVISEGenerator,
)
from ctsk.generators import SearchResult, check_generator

SMALL = {"n_latent": 8, "hidden_layer_sizes": (32,), "max_iter": 500}


@pytest.mark.parametrize(
    "generator",
    [
        GenericGenerator(),
        GenericGenerator(distance="mad", lambda_cost=0.01),
        GenericGenerator(lambda_gravity=0.2),
        ECCCoGenerator(),
        ECCCoGenerator(schedule="constant", lambda_energy=0.1),
        REVISEGenerator(**SMALL),
    ],
    ids=repr,
)
def test_our_generators_keep_the_contract(generator):
    check_generator(generator)


class Shifted(Minimal):
    """Searches from a place beside each row."""

    def encode(self, rows):
        return rows + 0.1

    def decode(self, codes):
        return codes


@pytest.mark.parametrize("generator", [Minimal(), Shifted(), TowardCenter()], ids=repr)
def test_generators_of_others_keep_it_too(generator):
    check_generator(generator)


class NoStep(Minimal):
    def __init__(self, weight=1.0):
        self.weight = weight


class Meddling(Minimal):
    def __init__(self, step_size=0.2):
        self.step_size = 2 * step_size


class OneNumber(Minimal):
    def penalty(self, step):
        return super().penalty(step).mean()


class Together(Minimal):
    def penalty(self, step):
        return super().penalty(step) * len(step.rows)


class Restless(Minimal):
    def encode(self, rows):
        return rows + torch.randn_like(rows)

    def decode(self, codes):
        return codes


class Deaf(Minimal):
    def encode(self, rows):
        return rows

    def decode(self, codes):
        return codes.detach()


class Narrow(Shifted):
    def decode(self, codes):
        return codes[:, :-1]


class Halved(Minimal):
    def encode(self, rows):
        return rows[::2]

    def decode(self, codes):
        return codes


class Forgetful(Minimal):
    def learn(self, reference):
        self.mean = reference.rows.mean(dim=0)
        return self


class Ungrateful(Minimal):
    def learn(self, reference):
        self.mean_ = reference.rows.mean(dim=0)


class Careless(Minimal):
    def learn(self, reference):
        self.center_ = torch.randn(len(reference.rows[0]))
        return self

    def penalty(self, step):
        return (step.rows - self.center_).square().sum(dim=1)


class Lazy(Minimal):
    def penalty(self, step):
        return 1e6 * super().penalty(step)

    def search(self, model, factuals, *args, **settings):
        return super().search(model, factuals, *args, **{**settings, "T": 0})


class NoSlope(Minimal):
    def penalty(self, step):
        return (step.rows - step.factuals).square().sum(dim=1).sqrt()


class NotANumber(Minimal):
    def penalty(self, step):
        return super().penalty(step) * float("nan")


class SharedCosts(Minimal):
    """Multiplies matrices, which fails if each row has its own costs."""

    def penalty(self, step):
        return (step.rows - step.factuals).abs() @ step.costs


class FirstCosts(Minimal):
    """Adds up the costs of all rows."""

    def penalty(self, step):
        return super().penalty(step) * step.costs.sum()


class Training(Minimal):
    """Trains the model while it searches."""

    def search(self, model, *args, **settings):
        result = super().search(model, *args, **settings)
        with torch.no_grad():
            model[0].bias.add_(1e-3)
        return result


class Backward(Minimal):
    """Leaves gradients on the model."""

    def search(self, model, factuals, *args, **settings):
        model(factuals).sum().backward()
        return super().search(model, factuals, *args, **settings)


class Timeless(TowardCenter):
    default_T = None


class Changed(TowardCenter):
    """Changes the result of a sound search."""

    def search(self, *args, **settings):
        return replace(super().search(*args, **settings), **self.changes(*args, **settings))


class Trespassing(Changed):
    def changes(self, model, factuals, targets, box, **settings):
        return {"counterfactuals": box.upper + 1}


class Relaxed(Changed):
    def changes(self, model, factuals, targets, box, **settings):
        return {"counterfactuals": (box.lower + box.upper) / 2}


class Manifold(Changed):
    """Sets all categories that may be reached."""

    def changes(self, *args, **settings):
        model, factuals, targets, box = args
        found = TowardCenter.search(self, *args, **settings).counterfactuals
        for columns in box.groups.slices:
            found[:, columns] = box.upper[:, columns]
        return {"counterfactuals": found}


class Boastful(Changed):
    def changes(self, model, factuals, targets, box, **settings):
        return {"mature": torch.ones(len(factuals), dtype=torch.bool)}


class Unborn(Changed):
    def changes(self, *args, **settings):
        return {"nascent": None}


class Distant(Changed):
    def changes(self, model, factuals, *args, **settings):
        return {"nascent": factuals + 1}


class Pathless(Changed):
    def changes(self, *args, **settings):
        return {"path": None}


class Endless(Changed):
    def changes(self, model, factuals, *args, T, **settings):
        return {"n_iter": torch.full((len(factuals),), T + 1)}


class Headstrong(TowardCenter):
    """Never asks whether a state is accepted."""

    def search(self, *args, accept=None, **settings):
        return super().search(*args, **settings)


class Averaging(TowardCenter):
    """Moves every row by the mean move of its batch."""

    def search(self, model, factuals, targets, box, **settings):
        centers = self.centers_[targets]
        shifted = copy.copy(self)
        shifted.centers_ = self.centers_ + (factuals - centers).mean(dim=0)
        return TowardCenter.search(shifted, model, factuals, targets, box, **settings)


@pytest.mark.parametrize(
    ("generator", "message"),
    [
        ("generic", "is not an instance of a subclass of BaseGenerator"),
        (NoStep(), "no parameter step_size"),
        (OneNumber(), "one number per row"),
        (Together(), "Rows influence each other"),
        (Restless(), "encode returns different codes"),
        (Deaf(), "decode has no finite gradient"),
        (Narrow(), "decode returns shape"),
        (Halved(), "one code per row"),
        (Forgetful(), "end with an underscore"),
        (Ungrateful(), "learn does not return self"),
        (Careless(), "learn only, from reference.random"),
        (Lazy(), "moves no row"),
        (NoSlope(), "gradient of penalty is not finite, possibly at the factual"),
        (NotANumber(), "not finite"),
        (Training(), "changes the model"),
        (Backward(), "leaves gradients"),
        (SharedCosts(), "let the costs broadcast"),
        (FirstCosts(), "let the costs broadcast"),
        (Timeless(), "default_T is None"),
        (Trespassing(), "leave their box"),
        (Relaxed(), "no category or several categories"),
        (Manifold(), "no category or several categories"),
        (Boastful(), "mature whose target has not reached tau"),
        (Unborn(), "no nascent counterfactuals"),
        (Distant(), "not within epsilon"),
        (Pathless(), "no path of T"),
        (Endless(), "n_iter is not between 0 and T=20"),
        (Headstrong(), "that `accept` has rejected"),
        (Averaging(), "Rows influence each other"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseGenerator) else None,
)
def test_broken_generators_are_told_what_is_wrong(generator, message):
    with pytest.raises(AssertionError, match=message):
        check_generator(generator)


def test_constructor_that_does_more_than_store_is_refused():
    with pytest.raises(RuntimeError, match="Cannot clone"):
        check_generator(Meddling())


def test_encode_without_decode_is_an_error_that_says_so(iris, fitted_iris):
    class Half(Minimal):
        def encode(self, rows):
            return rows

    with pytest.raises(NotImplementedError, match="Half overrides encode, so it must override"):
        fitted_iris.explain(iris[0][:3], generator=Half())


def test_parameter_out_of_range_is_refused_by_the_contract():
    with pytest.raises(ValueError, match="step_size"):
        check_generator(Minimal(step_size=-1))


@pytest.mark.parametrize("keepdim", [True, None])
def test_penalty_of_another_shape_is_refused_wherever_it_is_used(iris, fitted_iris, keepdim):
    class Wide(Minimal):
        def penalty(self, step):
            moves = (step.rows - step.factuals).abs()
            return moves.sum() if keepdim is None else moves.sum(dim=1, keepdim=True)

    with pytest.raises(ValueError, match=r"penalty of Wide returned shape \(.*one number per row"):
        fitted_iris.explain(iris[0][:5], generator=Wide())


@pytest.mark.parametrize("use", ["explain", "fit"])
def test_gradient_generator_without_a_step_size_is_an_error_that_names_it(iris, fitted_iris, use):
    with pytest.raises(TypeError, match="NoStep has no step_size.*step_size=0.25"):
        if use == "explain":
            fitted_iris.explain(iris[0][:3], generator=NoStep())
        else:
            clone(fitted_iris).set_params(generator=NoStep()).fit(*iris)


class Bare(BaseGenerator):
    """Returns the counterfactuals alone."""

    def search(self, model, factuals, targets, box, **settings):
        return factuals


@pytest.mark.parametrize("use", ["check_generator", "explain", "fit"])
def test_search_that_returns_no_result_is_an_error_that_names_the_class(iris, fitted_iris, use):
    with pytest.raises(
        TypeError, match=r"search of Bare returned a Tensor.*SearchResult\.of_jumps"
    ):
        if use == "check_generator":
            check_generator(Bare())
        elif use == "explain":
            fitted_iris.explain(iris[0][:3], generator=Bare())
        else:
            clone(fitted_iris).set_params(generator=Bare()).fit(*iris)


class Short(BaseGenerator):
    """Returns one counterfactual, whatever the number of factuals."""

    def search(self, model, factuals, targets, box, *, T, **settings):
        return SearchResult.of_jumps(factuals[:1], factuals[:1], targets[:1] > 0, T=T)


@pytest.mark.parametrize("use", ["check_generator", "explain", "fit"])
def test_search_that_returns_too_few_rows_is_an_error_that_names_the_shapes(iris, fitted_iris, use):
    message = r"search of Short returned counterfactuals of shape \(1, .* the shape must be"
    with pytest.raises(ValueError, match=message):
        if use == "check_generator":
            check_generator(Short())
        elif use == "explain":
            fitted_iris.explain(iris[0][:3], generator=Short())
        else:
            clone(fitted_iris).set_params(generator=Short()).fit(*iris)


@pytest.mark.parametrize("use", ["explain", "fit"])
def test_learn_that_does_not_return_self_is_an_error_that_names_the_class(iris, fitted_iris, use):
    with pytest.raises(TypeError, match="learn of Ungrateful returned a NoneType.*return self"):
        if use == "explain":
            fitted_iris.explain(iris[0][:3], generator=Ungrateful(), X_reference=iris[0])
        else:
            clone(fitted_iris).set_params(generator=Ungrateful()).fit(*iris)
