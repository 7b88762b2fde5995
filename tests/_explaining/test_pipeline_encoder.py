"""Domains and grids of numbers that enter a pipeline, in X's units."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

import ctsk
from ctsk import CounterfactualTrainedClassifier, REVISEGenerator
from ctsk._explaining import pipelines
from ctsk._explaining.pipeline_encoder import shortened

CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
pytestmark = pytest.mark.filterwarnings("ignore::ctsk.exceptions.OtherConstraintsWarning")

SCALERS = {
    "nothing": FunctionTransformer(),
    "scaler": StandardScaler(),
    "falling": make_pipeline(MinMaxScaler(), FunctionTransformer(lambda X: -3 * X)),
    "logarithm": make_pipeline(FunctionTransformer(np.log1p), StandardScaler()),
    "falling curve": FunctionTransformer(lambda X: 1 / (1 + X / 100)),
    "power": PowerTransformer(),
    "imputer, scaler": make_pipeline(SimpleImputer(), StandardScaler()),
}


@pytest.fixture(scope="module")
def data():
    """Whole numbers and decimals as floats, a flag as floats, hundreds as integers."""
    rng = np.random.default_rng(0)
    n_rows = 400
    X = pd.DataFrame(
        {
            "hours": rng.integers(18, 80, n_rows).astype(float),
            "grade": rng.integers(2, 60, n_rows) / 10,
            "flag": (rng.random(n_rows) < 0.5).astype(float),
            "loan": rng.integers(3, 90, n_rows) * 100,
        }
    )
    score = X["hours"] / 18 + X["grade"] / 1.7 + 2 * X["flag"] + X["loan"] / 2500
    return X, (score + rng.normal(0, 0.3, n_rows) > score.median()).astype(int)


def classifier(**parameters):
    # Larger minibatches and steps than by default: these tests fit many networks.
    settings = {"max_epochs": 20, "batch_size": 100, "lr": 0.03, "random_state": 0}
    return CounterfactualTrainedClassifier(**{**settings, **CONVENTIONAL, **parameters})


@pytest.fixture(scope="module", params=SCALERS)
def scaler(request):
    return request.param


@pytest.fixture(scope="module")
def scaled(scaler, data):
    """A classifier behind each of the scalers. The tests share it, so do not refit it."""
    return make_pipeline(clone(SCALERS[scaler]), classifier()).fit(*data)


def test_the_inferred_domain_is_exactly_the_observed_range(data, scaled):
    X, _ = data
    model = pipelines.model_of(scaled, scaled[-1]._explainable(), X)
    assert_array_equal(model.constraints.low, X.min())
    assert_array_equal(model.constraints.high, X.max())
    found = ctsk.explain(scaled, X.head(30), tau=0.999, T=100).counterfactual
    assert (found >= X.min()).all(axis=None)
    assert (found <= X.max()).all(axis=None)
    assert (found == X.max()).any(axis=None)


def test_numbers_of_many_digits_stay_in_the_observed_range_to_the_last(data, scaler):
    X, y = data
    rng = np.random.default_rng(0)
    X = X.assign(hours=X["hours"] + rng.random(len(X)), flag=X["flag"].map({0: 1 / 3, 1: np.pi}))
    fitted = make_pipeline(clone(SCALERS[scaler]), classifier()).fit(X, y)
    # A gradient leads to the bounds, also where the cheapest row lies before them.
    found = ctsk.explain(fitted, X.head(60), tau=0.999, generator="eccco", T=100).counterfactual
    assert found["hours"].between(X["hours"].min(), X["hours"].max()).all()
    assert_allclose(found["hours"].max(), X["hours"].max())
    is_larger = found["flag"] > 1
    assert_allclose(found["flag"], np.where(is_larger, np.pi, 1 / 3))
    assert (is_larger != (X["flag"].head(60) > 1)).any()


def test_a_bound_is_hit_exactly_and_what_moved_lies_inside(data, scaler, scaled):
    X, _ = data
    low, high = 29.999, 61.3
    explanation = ctsk.explain(
        scaled, X.head(100), tau=0.999, T=100, domain={"hours": (low, high), "grade": (0.7, 3.3)}
    )
    for name, ends in {"hours": (low, high), "grade": (0.7, 3.3)}.items():
        before, after = X[name].head(100), explanation.counterfactual[name]
        assert (after.between(*ends) | (after == before)).all()
        assert (after != before).any()
    on_grid = scaler == "nothing"
    assert (explanation.counterfactual["hours"] == (61 if on_grid else high)).any()


def test_reference_rows_show_the_grid_of_numbers(data, scaled):
    X, _ = data
    explanation = ctsk.explain(scaled, X.head(60), T=60, X_reference=X)
    found = explanation.counterfactual
    assert explanation.valid.mean() > 0.8
    assert (found["hours"] % 1 == 0).all()
    assert_array_equal(found["grade"], found["grade"].round(1))
    assert found["flag"].isin([0, 1]).all()
    assert (found["loan"] % 100 == 0).all()
    assert (found.dtypes == X.dtypes).all()


def test_two_values_and_integers_need_no_reference_rows(data, scaled):
    X, _ = data
    found = ctsk.explain(scaled, X.head(60), T=60).counterfactual
    assert found["flag"].isin([0, 1]).all()
    assert (found["flag"] != X["flag"].head(60)).any()
    assert found["loan"].dtype == X["loan"].dtype


def test_numbers_that_arrive_unchanged_are_on_the_classifiers_grid(data):
    X, y = data
    clf = classifier(resolution={"hours": 5, "grade": None})
    fitted = make_pipeline(FunctionTransformer(), clf).fit(X, y)
    found = ctsk.explain(fitted, X.head(60), T=60, X_reference=X).counterfactual
    moved = found["hours"] != X["hours"].head(60)
    assert moved.any()
    assert (found["hours"][moved] % 5 == 0).all()
    assert (found["grade"] != found["grade"].round(1)).any()


def test_a_classifier_without_resolutions_infers_none_from_reference_rows(data):
    X, y = data
    fitted = make_pipeline(StandardScaler(), classifier(resolution=None)).fit(X, y)
    found = ctsk.explain(fitted, X.head(60), T=60, X_reference=X).counterfactual
    assert (found["hours"] % 1 != 0).any()
    assert found["loan"].dtype == X["loan"].dtype


def test_reference_rows_show_the_range_of_numbers_that_are_mixed(data):
    X, y = data
    fitted = make_pipeline(StandardScaler(), PCA(2), classifier()).fit(X, y)
    inner = fitted[-1]._explainable()
    alone = pipelines.model_of(fitted, inner, X)
    assert not np.isfinite(alone.constraints.low).any()
    model = pipelines.model_of(fitted, inner, X, X)
    assert_array_equal(model.constraints.low, X.min())
    assert_array_equal(model.constraints.high, X.max())
    found = ctsk.explain(fitted, X.head(60), T=60, tau=0.99, X_reference=X).counterfactual
    assert ((found >= X.min()) & (found <= X.max())).all(axis=None)
    assert found["flag"].isin([0, 1]).all()


def test_few_reference_rows_do_not_narrow_the_domain(data):
    X, y = data
    fitted = make_pipeline(StandardScaler(), classifier()).fit(X, y)
    model = pipelines.model_of(fitted, fitted[-1]._explainable(), X, X.head(5))
    assert_array_equal(model.constraints.low, X.min())


def test_a_constant_in_the_place_of_gaps_is_no_end_of_the_range(data):
    X, y = data
    X = X[["hours", "grade"]].mask(np.arange(len(X))[:, None] % 4 == [0, 1])
    imputer = SimpleImputer(strategy="constant", fill_value=-7)
    fitted = make_pipeline(imputer, StandardScaler(), classifier()).fit(X, y)
    inner = fitted[-1]._explainable()
    for reference in (None, X):
        model = pipelines.model_of(fitted, inner, X, reference)
        assert_array_equal(model.constraints.low, X.min())
        assert_array_equal(model.constraints.high, X.max())


def test_domains_in_the_classifiers_units_are_mapped_exactly(data):
    X, y = data
    scaler = StandardScaler().fit(X)
    low, high = scaler.transform(
        pd.DataFrame([[20, 0.4, 0, 300], [70, 5.3, 1, 800]], columns=X.columns)
    )
    clf = classifier(domain={i: (low[i], high[i]) for i in range(4)})
    fitted = make_pipeline(StandardScaler(), clf).fit(X, y)
    model = pipelines.model_of(fitted, fitted[-1]._explainable(), X)
    assert_array_equal(model.constraints.low, [20, 0.4, 0, 300])
    assert_array_equal(model.constraints.high, [70, 5.3, 1, 800])


@pytest.mark.parametrize("generator", [None, REVISEGenerator(max_iter=100)])
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.PoorReconstructionWarning")
def test_factuals_outside_the_domain_stay_or_go_inside(data, generator):
    X, y = data
    steps = QuantileTransformer(n_quantiles=50), classifier()
    fitted, factual = make_pipeline(*steps).fit(X, y), X.head(100)
    found = ctsk.explain(
        fitted, factual, generator=generator, X_reference=X, domain={"hours": (40, 60)}
    ).counterfactual["hours"]
    was_inside, moved = factual["hours"].between(40, 60), found != factual["hours"]
    assert (found.between(40, 60) | ~moved).all()
    assert moved[~was_inside].any()


def test_decimals_come_back_where_only_rounding_parts_them_from_a_number():
    rng = np.random.default_rng(0)
    decimals = np.array([0.0, 18, -1, 0.1, 1e6, 12345.678])
    center = 35_000.123
    mapped = ((decimals - center) / 17.3) * 17.3 + center
    assert_array_equal(shortened(mapped, 1e-14 * (np.abs(mapped) + center)), decimals)
    noise = rng.normal(size=1000)
    assert_allclose(shortened(noise, 1e-14 * np.ones(1000)), noise, atol=1e-14)
    assert (shortened(noise, 1e-14 * np.ones(1000)) != noise).mean() < 0.01
