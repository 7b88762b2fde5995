"""Constraints hold on the returned rows, for every kind of column and every form of constraint."""

import functools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from promise_checks import violations
from random_schemas import (
    random_model,
    random_pipeline,
    random_request,
    unconstrained_model,
)

import ctsk

N_MODELS = 25


@functools.cache
def model(kind, number):
    return kind(random.Random(number), max_epochs=2, lr=0.05, n_counterfactuals=30)


@functools.cache
def conventional_model(number):
    return unconstrained_model(random.Random(number))


@given(
    kind=st.sampled_from([random_model, random_model, random_pipeline]),
    number=st.integers(0, N_MODELS - 1),
    chance=st.randoms(use_true_random=False),
)
@settings(max_examples=50)
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.ColumnKindWarning")
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.OtherConstraintsWarning")
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.UnobservedDomainWarning")
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.PoorReconstructionWarning")
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.UnknownValueWarning")
def test_promise_holds_on_the_rows_returned_whatever_the_columns_and_constraints(
    kind, number, chance
):
    fitted = model(kind, number)
    rows, arguments, mutability, domains = random_request(chance, fitted)
    tau = chance.choice([0.5, 0.6, 0.9])
    explanation = ctsk.explain(fitted.clf, rows, tau=tau, T=12, **arguments)
    problems = violations(fitted, rows, explanation, mutability, domains, arguments["max_changes"])
    assert problems == []


@pytest.mark.filterwarnings("ignore::ctsk.exceptions.ColumnKindWarning")
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.PoorReconstructionWarning")
def test_without_constraints_the_nearest_search_makes_every_row_of_a_conventional_model_valid():
    for seed in range(15):
        conventional = conventional_model(seed)
        explanation = conventional.clf.explain(conventional.X, tau=0.5)
        assert explanation.valid.all()


@pytest.mark.filterwarnings("ignore::ctsk.exceptions.ColumnKindWarning")
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.PoorReconstructionWarning")
def test_without_constraints_gradients_make_nine_rows_in_ten_valid_and_the_others_have_a_reason():
    valid = []
    for seed in range(10):
        conventional = conventional_model(seed)
        explanation = conventional.clf.explain(conventional.X, generator=None, tau=0.5, T=100)
        valid.extend(explanation.valid)
        assert (explanation.valid | (explanation.reason != None)).all()  # noqa: E711
    assert sum(valid) >= 0.9 * len(valid)
