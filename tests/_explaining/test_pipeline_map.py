"""Gaps, constants of imputers and unknown categories in rows that enter a pipeline."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

import ctsk
from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator, NearestGenerator
from ctsk._explaining import pipelines
from ctsk._torch.utils import inference_copy
from ctsk.exceptions import UnknownValueWarning

CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
NUMBERS = ["age", "income"]
pytestmark = pytest.mark.filterwarnings("ignore::ctsk.exceptions.OtherConstraintsWarning")


@pytest.fixture(scope="module")
def data():
    """Incomes of which every fifth is missing, ages, and words."""
    rng = np.random.default_rng(0)
    n_rows = 300
    income = pd.Series(rng.gamma(2, 20_000, n_rows) + 5_000)
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n_rows).astype(float),
            "income": income.mask(np.arange(n_rows) % 5 == 0),
            "job": rng.choice(["cook", "nurse", "pilot"], n_rows),
        }
    )
    score = income / 4e4 + X["age"] / 80 + (X["job"] == "pilot") - 1.5 * X["income"].isna()
    return X, (score + rng.normal(0, 0.3, n_rows) > score.median()).astype(int)


def classifier(**parameters):
    # Larger minibatches and steps than by default: these tests fit many networks.
    settings = {"max_epochs": 40, "batch_size": 100, "lr": 0.04, "random_state": 0}
    return CounterfactualTrainedClassifier(**{**settings, **CONVENTIONAL, **parameters})


def model_of(fitted, X, X_reference=None):
    return pipelines.model_of(fitted, fitted[-1]._explainable(), X, X_reference)


def check_module(model, X):
    """Check that the module of a search sees rows as the pipeline does."""
    rows = model.read(X, warn=False)
    encoded = torch.as_tensor(model.encoder.encode_values(rows.values))
    with torch.no_grad():
        proba = inference_copy(model.module, torch.float64)(encoded).softmax(dim=1)
    # The table of a curve is accurate to a few thousandths.
    assert_allclose(proba, model.predict_proba(rows), atol=1e-3)


# --- gaps ---

IMPUTERS = {
    "mean": SimpleImputer(),
    "mean and indicator": SimpleImputer(add_indicator=True),
    "constant": SimpleImputer(strategy="constant", fill_value=-1.0),
    "constant and indicator": SimpleImputer(strategy="constant", fill_value=0, add_indicator=True),
    "union": FeatureUnion([("fill", SimpleImputer()), ("gap", MissingIndicator())]),
    "function": FunctionTransformer(lambda X: X.fillna(-1.0)),
    "classifier": FunctionTransformer(),
    "scaler, classifier": StandardScaler(),
    "scaler, mean, PCA": make_pipeline(StandardScaler(), SimpleImputer(), PCA(2)),
    "indicator, PCA": make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), PCA(2)),
    "logarithm, median": make_pipeline(FunctionTransformer(np.log1p), SimpleImputer()),
    "zero for missing": make_pipeline(
        FunctionTransformer(lambda X: X.fillna(0.0)), SimpleImputer(missing_values=0)
    ),
}


@pytest.fixture(scope="module", params=IMPUTERS.values(), ids=IMPUTERS)
def imputed(request, data):
    """A classifier behind each of the imputers. The tests share it, so do not refit it."""
    X, y = data
    return make_pipeline(clone(request.param), StandardScaler(), classifier()).fit(X[NUMBERS], y)


def test_gaps_may_stay_or_be_left_and_are_never_reached(data, imputed):
    X = data[0][NUMBERS]
    model = model_of(imputed, X)
    check_module(model, X.head(40))
    explanation = ctsk.explain(imputed, X.head(30), T=60, X_reference=X)
    found, before = explanation.counterfactual, X.head(30)
    assert explanation.valid.mean() > 0.6
    assert_array_equal(imputed.predict_proba(found), explanation.proba)
    is_gap = before["income"].isna()
    assert found["income"][~is_gap].notna().all()
    # The cheapest way may be another one, unless the age is fixed.
    held = ctsk.explain(
        imputed, X.head(30), T=60, X_reference=X, mutability={"age": "none"}
    ).counterfactual
    assert held["income"][~is_gap].notna().all()
    left = held["income"][is_gap].dropna()
    assert len(left)
    assert left.between(X["income"].min(), X["income"].max()).all()


def test_a_row_with_a_gap_is_explained_alone_as_in_a_batch(data, imputed):
    X = data[0][NUMBERS]
    together = ctsk.explain(imputed, X.head(3), T=60).counterfactual
    for row in range(2):
        alone = ctsk.explain(imputed, X.iloc[[row]], T=60).counterfactual
        # The float32 products of a batch differ from those of a row in the last bits. The search
        # takes further steps while they gain 1e-6 of a standard deviation, and these bits may
        # decide on a few of the last steps.
        assert_allclose(alone / X.std(), together.iloc[[row]] / X.std(), rtol=0, atol=1e-5)


def test_a_gap_that_the_classifier_codes_is_a_state_of_the_pipeline(data):
    X, y = data
    X = X[NUMBERS]
    fitted = make_pipeline(FunctionTransformer(), classifier()).fit(X, y)
    model, inner = model_of(fitted, X), fitted[-1].encoder_
    assert_array_equal(model.encoder.schema.states[1], inner.schema.states[1])
    assert_allclose(model.encoder.fill, inner.fill)
    assert_array_equal(model.constraints.high[2:], [1, 0])
    assert [type(generator) for generator in model.learned] == [ECCCoGenerator, NearestGenerator]
    pd.testing.assert_frame_equal(
        ctsk.explain(fitted, X.head(20)).counterfactual,
        fitted[-1].explain(X.head(20)).counterfactual,
        rtol=1e-5,
    )


def test_a_gap_that_the_pipeline_rejects_is_named(data):
    X, y = data
    numbers = X[NUMBERS].fillna(0.0)
    fitted = make_pipeline(StandardScaler(), PCA(2), classifier(max_epochs=1)).fit(numbers, y)
    gap = numbers.mask(np.arange(len(X))[:, None] == [2, 7])
    with pytest.raises(ValueError, match="no number in feature 'age' .first in row 2.*SimpleImp"):
        ctsk.explain(fitted, gap)


def test_a_gap_that_the_classifier_has_never_seen_is_warned_of_once(data):
    X, y = data
    full = X[NUMBERS].fillna(20_000.0)
    fitted = make_pipeline(StandardScaler(), classifier()).fit(full, y)
    with pytest.warns(UnknownValueWarning, match="'income' holds nan") as caught:
        found = ctsk.explain(fitted, X[NUMBERS].head(20)).counterfactual
    assert len(caught) == 1
    assert found["income"][X["income"].head(20).notna()].notna().all()


def test_gaps_of_imputers_that_look_at_other_features_are_explained(data):
    X, y = data
    fitted = make_pipeline(KNNImputer(), StandardScaler(), classifier()).fit(X[NUMBERS], y)
    explanation = ctsk.explain(fitted, X[NUMBERS].head(30), T=60)
    assert explanation.valid.mean() > 0.8
    is_new = explanation.counterfactual.isna() & explanation.factual.notna()
    assert not is_new.any(axis=None)


def test_gaps_of_nullable_columns_keep_their_dtype(data):
    X, y = data
    X = X[NUMBERS].assign(income=X["income"].round().astype("Int64"))
    fitted = make_pipeline(SimpleImputer(), StandardScaler(), classifier()).fit(X, y)
    explanation = ctsk.explain(fitted, X.head(30), T=60)
    assert explanation.counterfactual["income"].dtype == "Int64"
    assert explanation.valid.mean() > 0.8


# --- constants that stand for gaps ---

CONSTANTS = {
    "imputer": (SimpleImputer(strategy="constant", fill_value=30_000), 30_000),
    "end of the range": (SimpleImputer(strategy="constant", fill_value=-1), -1),
    "nested": (
        make_pipeline("passthrough", SimpleImputer(strategy="constant", fill_value=0)),
        0,
    ),
    "part": (
        ColumnTransformer(
            [("i", SimpleImputer(strategy="constant", fill_value=0), ["income"])],
            remainder="passthrough",
        ),
        0,
    ),
    "scaled before": (
        make_pipeline(
            FunctionTransformer(lambda X: X / 1000),
            SimpleImputer(strategy="constant", fill_value=-1),
        ),
        -1000,
    ),
    "fillna": (FunctionTransformer(lambda X: X.fillna(-1)), -1),
}


@pytest.mark.parametrize(("imputer", "constant"), CONSTANTS.values(), ids=CONSTANTS)
def test_constants_in_place_of_gaps_are_never_reached(data, imputer, constant):
    X, y = data[0][NUMBERS], data[1]
    # Who has a gap is accepted, so that the constant is what a search looks for.
    y = X["income"].isna().astype(int)
    fitted = make_pipeline(imputer, StandardScaler(), classifier(max_epochs=40)).fit(X, y)
    model = model_of(fitted, X)
    assert_allclose(model.encoder.schema.special_values[1], [constant])
    assert_allclose(model.encoder.fill[1], constant, atol=1e-6)
    some = X.dropna().head(40)
    for given in ({}, {"domain": {"income": (constant, 80_000)}, "tau": 0.99}):
        found = ctsk.explain(fitted, some, 1, T=60, **given).counterfactual
        assert (found["income"] != constant).all()
    # A factual at the constant keeps it, or leaves it.
    at = some.assign(income=float(constant))
    found = ctsk.explain(fitted, at, 0, T=60).counterfactual
    check_module(model, at)
    assert (found["income"] != constant).any()


def test_a_median_is_an_amount_although_it_is_the_minimum(data):
    X, y = data
    gains = pd.DataFrame({"gain": X["income"].where(X["age"] > 60, 0.0), "age": X["age"]})
    gains = gains.mask(np.arange(len(X))[:, None] % 7 == [0, -1])
    fitted = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), classifier())
    model = model_of(fitted.fit(gains, y), gains)
    assert model.encoder.schema.special_values == {}
    assert model.encoder.observed[0][0] == 0


@pytest.mark.parametrize("marker", [0, -1, -9, 99])
def test_a_number_that_an_imputer_takes_for_missing_is_no_amount(data, marker):
    X, y = data
    X = X[NUMBERS].fillna(marker)
    imputer = SimpleImputer(missing_values=marker, add_indicator=True)
    fitted = make_pipeline(imputer, StandardScaler(), classifier()).fit(X, y)
    check_module(model_of(fitted, X), X.head(40))
    explanation = ctsk.explain(fitted, X, T=60)
    found = explanation.counterfactual
    assert explanation.valid.mean() > 0.8
    assert (found["income"] != marker)[X["income"] != marker].all()
    with pytest.raises(ValueError, match="no number in feature 'income'"):
        ctsk.explain(fitted, X.head(3).assign(income=np.nan))


def test_a_word_that_an_imputer_takes_for_missing_is_never_reached(data):
    X, y = data
    words = X[["job"]].mask(np.arange(len(X))[:, None] % 5 == 0, "?")
    y = (words["job"] == "?").astype(int)
    imputer = SimpleImputer(missing_values="?", strategy="most_frequent")
    fitted = make_pipeline(imputer, OneHotEncoder(sparse_output=False), classifier()).fit(words, y)
    found = ctsk.explain(fitted, words, 1, T=60).counterfactual
    assert not ((found["job"] == "?") & (words["job"] != "?")).any()


# --- unknown categories ---

ENCODERS = {
    "one-hot": OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    "one-hot without the first": OneHotEncoder(
        handle_unknown="ignore", drop="first", sparse_output=False
    ),
    "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "target": TargetEncoder(),
    "classifier": "passthrough",
}


def with_words(encoder, data, **parameters):
    X, y = data
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer([("n", numbers, NUMBERS), ("w", encoder, ["job"])])
    columns.set_output(transform="pandas")
    return make_pipeline(columns, classifier(**parameters)).fit(X, y)


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
@pytest.mark.filterwarnings("ignore:In every row exactly one")
@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_unknown_categories_may_stay_or_be_left_and_are_never_reached(data, encoder):
    fitted = with_words(encoder, data)
    X = data[0].head(100)
    X = X.assign(job=X["job"].where(np.arange(len(X)) % 2 == 0, "pirate"))
    model = model_of(fitted, X)
    check_module(model, X.head(40))
    with pytest.warns(UnknownValueWarning, match="'job' holds 'pirate'") as caught:
        explanation = ctsk.explain(fitted, X, T=60, sparse=True)
    assert sum(warning.category is UnknownValueWarning for warning in caught) == 1
    found = explanation.counterfactual["job"]
    assert explanation.valid.mean() > 0.8
    was_unknown = X["job"] == "pirate"
    assert found[~was_unknown].isin(["cook", "nurse", "pilot"]).all()
    assert (found[was_unknown] == "pirate").any()
    assert found[was_unknown].isin(["cook", "nurse", "pilot"]).any()
    with pytest.warns(UnknownValueWarning):
        fixed = ctsk.explain(fitted, X, T=60, mutability={"job": "none"}).counterfactual
    assert_array_equal(fixed["job"], X["job"])


@pytest.mark.parametrize(
    ("encoder", "parameters"),
    [
        (OneHotEncoder(sparse_output=False), {}),
        (OrdinalEncoder(), {}),
        ("passthrough", {"handle_unknown": "error"}),
    ],
    ids=["one-hot", "ordinal", "classifier"],
)
@pytest.mark.filterwarnings("ignore:In every row exactly one")
@pytest.mark.parametrize("with_gap", [False, True])
def test_unknown_categories_that_the_pipeline_rejects_are_named(
    data, encoder, parameters, with_gap
):
    X, y = data
    X = X.assign(job=X["job"].mask(np.arange(len(X)) % 9 == 0)) if with_gap else X
    fitted = with_words(encoder, (X, y), max_epochs=1, **parameters)
    with pytest.raises(ValueError, match="Column 'job'.*unknown category 'pirate'"):
        ctsk.explain(fitted, X.head(3).assign(job="pirate"))
