import functools

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator, GenericGenerator
from ctsk.generators.shortcuts import learn_alike, new_generator


class Weighted(GenericGenerator):
    """A generator with one more parameter, of any kind."""

    def __init__(self, weigh=None, step_size=0.25, lambda_cost=0.001):
        super().__init__(step_size=step_size, lambda_cost=lambda_cost)
        self.weigh = weigh


def double(x):
    return 2 * x


class Incomparable:
    def __eq__(self, other):
        raise TypeError("cannot be compared")


ALIKE = {
    "numpy scalar and float": (np.float64(0.25), 0.25),
    "float32 and float": (np.float32(0.25), 0.25),
    "int and numpy int": (3, np.int8(3)),
    "nan": (float("nan"), np.float64("nan")),
    "arrays": (np.arange(2000.0), np.arange(2000.0)),
    "arrays with nan": (np.array([1, np.nan]), np.array([1, np.nan])),
    "tensors": (torch.arange(3), torch.arange(3)),
    "nested": ({"a": [1, (np.ones(2), "b")]}, {"a": [1, (np.ones(2), "b")]}),
    "estimators": (LogisticRegression(C=2), LogisticRegression(C=np.float64(2))),
    "functions": (double, double),
    "partials": (functools.partial(double, x=1), functools.partial(double, x=1)),
    "sets": ({1, 2}, {2, 1}),
    "none": (None, None),
}
DIFFERENT = {
    "numbers": (0.25, 0.26),
    "number and string": (1, "1"),
    "number and none": (0, None),
    "number and array": (1.0, np.ones(1)),
    "arrays": (np.arange(2000.0), np.where(np.arange(2000) == 1000, 5, np.arange(2000.0))),
    "dtypes": (np.ones(2), np.ones(2, dtype=int)),
    "array and tensor": (np.ones(2), torch.ones(2, dtype=torch.float64)),
    "tensors": (torch.zeros(2), torch.tensor([0.0, 1.0])),
    "lengths": ([1, 2], [1, 2, 3]),
    "keys": ({"a": 1}, {"b": 1}),
    "estimators": (LogisticRegression(C=2), LogisticRegression(C=3)),
    "functions": (double, lambda x: 2 * x),
    "partials": (functools.partial(double, x=1), functools.partial(double, x=2)),
    "frames": (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]})),
    "frames of other labels": (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
    "incomparable": (Incomparable(), Incomparable()),
}


@pytest.mark.parametrize(("value", "other"), ALIKE.values(), ids=list(ALIKE))
def test_equal_parameters_make_generators_alike(value, other):
    assert learn_alike(Weighted(value), Weighted(other))


@pytest.mark.parametrize(("value", "other"), DIFFERENT.values(), ids=list(DIFFERENT))
def test_parameters_that_differ_or_cannot_be_compared_make_generators_different(value, other):
    assert not learn_alike(Weighted(value), Weighted(other))
    assert not learn_alike(Weighted(other), Weighted(value))


def test_generators_of_different_classes_are_different():
    assert learn_alike(GenericGenerator(), GenericGenerator())
    assert not learn_alike(GenericGenerator(), ECCCoGenerator())
    assert not learn_alike(GenericGenerator(), Weighted())


@pytest.mark.parametrize(
    "weigh", [lambda x: x, torch.nn.Linear(1, 1), [lambda x: x]], ids=["lambda", "module", "list"]
)
def test_generator_that_cannot_be_pickled_trains_again(iris, weigh):
    clf = CounterfactualTrainedClassifier(
        max_epochs=1, warm_start=True, generator=Weighted(weigh), random_state=0
    )
    assert clf.fit(*iris).fit(*iris).partial_fit(*iris).n_iter_ == 3


def test_generator_learns_again_only_if_its_parameters_have_changed(iris):
    generator = GenericGenerator(distance="mad", lambda_cost=np.float64(0.5))
    clf = CounterfactualTrainedClassifier(
        max_epochs=1, warm_start=True, generator=generator, random_state=0
    ).fit(*iris)
    deviations = clf.generator_.deviations_
    clf.set_params(generator=GenericGenerator(distance="mad", lambda_cost=0.5)).fit(*iris)
    assert clf.generator_.deviations_ is deviations
    clf.set_params(generator__lambda_cost=0.6).fit(*iris)
    assert clf.generator_.deviations_ is not deviations


def test_new_generator_is_a_copy_with_valid_parameters():
    generator = GenericGenerator(lambda_cost=2)
    assert new_generator(generator) is not generator
    assert new_generator(generator).lambda_cost == 2
    assert isinstance(new_generator("eccco"), ECCCoGenerator)
    with pytest.raises(ValueError, match="lambda_cost"):
        new_generator(GenericGenerator(lambda_cost=-1))
