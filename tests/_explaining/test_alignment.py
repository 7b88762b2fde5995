import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import OneHotEncoder

from ctsk import CounterfactualTrainedClassifier
from ctsk._explaining.alignment import alignment, with_all_ranges

SETTINGS = {
    "lambda_div": 0,
    "lambda_adv": 0,
    "lambda_reg": 0,
    "max_epochs": 1,
    "early_stopping": False,
    "special_values": {"amount": [-9]},
    "random_state": 0,
}


def table(seed, jobs, *, gaps, n_rows=120):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "amount": rng.gamma(2, 100 * (seed + 1), n_rows),
            "job": rng.choice(jobs, n_rows),
            "share": rng.normal(seed, 1 + seed, n_rows),
        }
    )
    if gaps:
        X.loc[:4, "share"] = np.nan
        X.loc[5:9, "amount"] = -9
    # Each category of the first table occurs.
    X.loc[: len(jobs) - 1, "job"] = jobs
    return X


def fitted(X, **settings):
    y = np.arange(len(X)) % 2
    return CounterfactualTrainedClassifier(**{**SETTINGS, **settings}).fit(X, y)._explainable()


@pytest.mark.parametrize("gaps", [(False, False), (True, True), (True, False)])
@pytest.mark.parametrize(
    "jobs",
    [
        (["cook", "nurse"], ["cook", "nurse"]),
        (["cook", "nurse"], ["baker", "cook", "nurse"]),
        (["cook", "nurse", "pilot"], ["nurse", "cook"]),
    ],
)
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.UnknownValueWarning")
def test_rows_of_one_encoder_become_those_of_another(gaps, jobs):
    tables = [table(i, jobs[i], gaps=gaps[i]) for i in range(2)]
    first, second = [fitted(X) for X in tables]
    affine = alignment(first.encoder, second.encoder)
    encoded = torch.as_tensor(first.encoder.encode(tables[0]))
    assert_allclose(affine(encoded).numpy(), second.encoder.encode(tables[0]), rtol=1e-9, atol=1e-9)


def test_one_hot_columns_are_aligned():
    jobs = np.random.default_rng(0).choice(["cook", "nurse", "pilot"], (120, 1))
    codes = OneHotEncoder(sparse_output=False).fit_transform(jobs)
    X = pd.DataFrame(codes, columns=["cook", "nurse", "pilot"])
    X.insert(0, "age", np.random.default_rng(1).normal(size=120))
    groups = {"one_hot_groups": {"job": ["cook", "nurse", "pilot"]}, "special_values": None}
    first, second = fitted(X.head(60), **groups), fitted(X.tail(60), **groups)
    affine = alignment(first.encoder, second.encoder)
    encoded = torch.as_tensor(first.encoder.encode(X))
    assert_allclose(affine(encoded).numpy(), second.encoder.encode(X), atol=1e-9)


def test_a_feature_of_another_kind_is_an_error():
    X = table(0, ["1", "2"], gaps=False)
    first = fitted(X.assign(job=X["job"].astype("category")))
    second = fitted(X.assign(job=X["job"].astype(float)))
    with pytest.raises(ValueError, match="feature 'job' for different kinds.*ensemble=False"):
        alignment(first.encoder, second.encoder)


def test_numbers_move_within_the_ranges_of_all_models():
    tables = [table(i, ["cook", "nurse"], gaps=False) for i in range(2)]
    domain = {"share": (-1, None)}
    models = [fitted(X, domain=domain) for X in tables]
    joined = with_all_ranges(models[0], models)
    amounts = pd.concat(tables)["amount"]
    ends = [amounts.min(), amounts.max()]
    assert_array_equal([joined.constraints.low[0], joined.constraints.high[0]], ends)
    assert_array_equal([joined.encoder.domain[0][0], joined.encoder.domain[1][0]], ends)
    assert_array_equal([joined.encoder.observed[0][0], joined.encoder.observed[1][0]], ends)
    # What the user has passed stays.
    assert_array_equal([joined.constraints.low[1], joined.constraints.high[1]], [-1, np.inf])
    # The first model itself is as it was.
    assert models[0].encoder.domain[1][0] == tables[0]["amount"].max()


def test_categories_that_may_be_reached_are_those_of_the_first_model():
    jobs = ["cook", "nurse"], ["baker", "cook", "nurse"]
    models = [fitted(table(i, jobs[i], gaps=False)) for i in range(2)]
    for first, last in (models, reversed(models)):
        joined, n_numeric = with_all_ranges(first, [first, last]), 2
        for bounds, own in (
            (joined.encoder.domain, first.encoder.domain),
            (joined.encoder.observed, first.encoder.observed),
            (
                (joined.constraints.low, joined.constraints.high),
                (first.constraints.low, first.constraints.high),
            ),
        ):
            for bound, own_bound in zip(bounds, own, strict=True):
                assert_array_equal(bound[n_numeric:], own_bound[n_numeric:])
