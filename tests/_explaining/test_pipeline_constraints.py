"""Constraints of a pipeline: dropped columns, dummies, special values, trained constraints."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

import ctsk
from ctsk import (
    CounterfactualTrainedClassifier,
    ECCCoGenerator,
    GenericGenerator,
    REVISEGenerator,
)
from ctsk._explaining import pipelines
from ctsk.exceptions import OtherConstraintsWarning

CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
COLORS = ["red", "green", "blue"]
GENERATORS = [GenericGenerator(), ECCCoGenerator(), REVISEGenerator(max_iter=200)]
pytestmark = [
    pytest.mark.filterwarnings("ignore::ctsk.exceptions.PoorReconstructionWarning"),
    pytest.mark.filterwarnings("ignore::ctsk.exceptions.OtherConstraintsWarning"),
]


def classifier(**parameters):
    # Larger minibatches and steps than by default: these tests fit many networks.
    settings = {"max_epochs": 30, "batch_size": 100, "lr": 0.04, "random_state": 0}
    return CounterfactualTrainedClassifier(**{**settings, **CONVENTIONAL, **parameters})


def model_of(fitted, X):
    return pipelines.model_of(fitted, fitted[-1]._explainable(), X)


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "b"])
    return X, (X["a"] + X["b"] > 0).astype(int)


# --- columns that the pipeline drops ---


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda g: type(g).__name__)
def test_dropped_columns_come_back_bit_for_bit_whatever_is_said_of_them(numbers, generator):
    X, y = numbers
    n_rows = len(X)
    dropped = {
        "number": np.random.default_rng(1).integers(10**8, 10**9, n_rows) + 0.1,
        "integer": np.arange(n_rows) + 2**60,
        "text": [f"n{i}" for i in range(n_rows)],
        "date": pd.date_range("2026-01-01", periods=n_rows),
        "gap": np.where(np.arange(n_rows) % 2, np.nan, 1.0),
        "category": pd.Categorical(["x"] * n_rows),
    }
    X = X.assign(**dropped)
    columns = ColumnTransformer([("n", StandardScaler(), ["a", "b"])])
    fitted = make_pipeline(columns, classifier(generator=generator)).fit(X, y)
    settings = [
        {},
        {
            "mutability": dict.fromkeys(dropped, "increase"),
            "domain": {"number": (1e8, 1e9), "gap": (0, 1)},
            "feature_costs": {"number": 1e9, "text": 5.0},
        },
    ]
    found = [
        ctsk.explain(fitted, X.head(8), X_reference=X, **given).counterfactual for given in settings
    ]
    pd.testing.assert_frame_equal(found[0][list(dropped)], X[list(dropped)].head(8))
    pd.testing.assert_frame_equal(*found)
    assert (found[0]["a"] != X["a"].head(8)).any()


# --- dummies ---


@pytest.fixture(scope="module")
def colors():
    """A number and a color, as dummies of their own dtype."""
    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=300)
    X = pd.DataFrame((codes[:, None] == np.arange(3)).astype(float), columns=COLORS)
    X.insert(1, "size", rng.normal(20, 5, 300))
    score = (X["size"] - 20) / 5 + 2 * X["blue"] + rng.normal(0, 0.3, 300)
    return X, (score > 1).astype(int)


@pytest.mark.parametrize("dtype", [float, int, bool])
@pytest.mark.parametrize("generator", GENERATORS, ids=lambda g: type(g).__name__)
def test_dummies_that_arrive_unchanged_hold_one_category(colors, generator, dtype):
    X, y = colors
    X = X.astype(dict.fromkeys(COLORS, dtype))
    columns = ColumnTransformer([("n", StandardScaler(), ["size"])], remainder="passthrough")
    clf = classifier(one_hot_groups=[[1, 2, 3]], generator=generator)
    fitted = make_pipeline(columns, clf).fit(X, y)
    explanation = ctsk.explain(fitted, X.head(60), T=60, X_reference=X)
    found = explanation.counterfactual
    assert explanation.valid.mean() > 0.8
    assert (found[COLORS].sum(axis=1) == 1).all()
    assert found[COLORS].isin([0, 1]).all(axis=None)
    assert (found[COLORS] != X[COLORS].head(60)).any(axis=None)
    assert (found.dtypes == X.dtypes).all()
    assert_array_equal(fitted.predict_proba(found), explanation.proba)


def test_constraints_of_dummies_hold(colors):
    X, y = colors
    clf = classifier(one_hot_groups={"color": COLORS}, domain={"green": (0, 0)})
    fitted = make_pipeline(FunctionTransformer(), clf).fit(X, y)
    moved = ctsk.explain(fitted, X, T=60).counterfactual != X
    assert moved["blue"].any()
    assert not (moved["green"] & (X["green"] == 0)).any()
    fixed = {"mutability": dict.fromkeys(COLORS, "none")}
    assert not (ctsk.explain(fitted, X, **fixed).counterfactual != X)[COLORS].any(axis=None)


def test_dummies_in_a_pipeline_are_those_of_the_classifier_alone(colors):
    X, y = colors
    clf = classifier(one_hot_groups=[COLORS]).fit(X, y)
    fitted = make_pipeline(FunctionTransformer(), clf).fit(X, y)
    found, expected = ctsk.explain(fitted, X.head(40)), clf.explain(X.head(40))
    pd.testing.assert_frame_equal(found.counterfactual, expected.counterfactual, rtol=1e-5)
    assert_allclose(found.cost, expected.cost, rtol=1e-4)


# --- special values ---


@pytest.fixture(scope="module")
def burdens():
    """A burden of 0 to 100, or -9 without a record and NaN if unknown; and a number."""
    rng = np.random.default_rng(0)
    burden = pd.Series(rng.integers(0, 101, 400).astype(float))
    burden = burden.mask(rng.random(400) < 0.1, -9).mask(rng.random(400) < 0.1)
    X = pd.DataFrame({"burden": burden, "income": rng.normal(50, 10, 400)})
    score = X["income"] / 10 - 5 - burden.fillna(80).where(burden != -9, 120) / 40
    return X, (score > score.median()).astype(int)


def coded(domain, **parameters):
    columns = ColumnTransformer(
        [("n", StandardScaler(), ["income"])],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    clf = classifier(special_values={"burden": -9}, domain=domain, **parameters)
    return make_pipeline(columns, clf)


def test_special_values_of_the_classifier_may_stay_or_be_left_and_are_never_reached(burdens):
    X, y = burdens
    fitted = coded({}).fit(X, y)
    model = model_of(fitted, X)
    assert_array_equal(model.encoder.schema.states[0], [-9, np.nan])
    assert_array_equal(model.constraints.low[:1], [0])
    explanation = ctsk.explain(fitted, X, T=60)
    assert explanation.valid.mean() > 0.8
    assert_array_equal(fitted.predict_proba(explanation.counterfactual), explanation.proba)
    # The cheapest way may leave no state, unless the income is fixed.
    held = ctsk.explain(fitted, X, T=60, mutability={"income": "none"})
    before = X["burden"]
    for is_state in (lambda column: column == -9, pd.isna):
        for after in (explanation.counterfactual["burden"], held.counterfactual["burden"]):
            assert not (is_state(after) & ~is_state(before)).any()
            assert after[is_state(before) & ~is_state(after)].between(0, 100).all()
        assert (is_state(before) & ~is_state(held.counterfactual["burden"])).any()


def test_a_special_value_that_a_domain_lists_may_be_reached(burdens):
    X, y = burdens
    # Who has no record is accepted.
    y = (X["burden"] == -9).astype(int)
    trained = coded({"burden": [(0, 100), -9]}).fit(X, y)
    given = coded({}).fit(X, y)
    some = X[X["burden"] >= 0].head(40)
    for fitted, domain in ((trained, None), (given, {"burden": [(0, 100), -9]})):
        found = ctsk.explain(fitted, some, 1, T=60, domain=domain).counterfactual["burden"]
        assert (found == -9).any()
        assert ((found == -9) | found.between(0, 100)).all()
    found = ctsk.explain(given, some, 1, T=60).counterfactual["burden"]
    assert found.between(0, 100).all()


def test_immutable_states_stay(burdens):
    X, y = burdens
    for word in ("none", "increase"):
        fitted = coded({}, mutability={"burden": word}).fit(X, y)
        found = ctsk.explain(fitted, X, T=60).counterfactual["burden"]
        is_state = X["burden"].isna() | (X["burden"] == -9)
        assert_array_equal(found[is_state], X["burden"][is_state])
        assert (found[~is_state] >= X["burden"][~is_state]).all()


def test_constraints_of_the_training_are_no_reason_for_a_warning(burdens, recwarn):
    X, y = burdens
    fitted = coded({"burden": [(0, 90), -9]}).fit(X, y)
    ctsk.explain(fitted, X.head(5))
    assert not [warning for warning in recwarn if warning.category is OtherConstraintsWarning]


# --- costs, and curves ---


@pytest.fixture(scope="module")
def rates():
    """Positive numbers, of which a classifier behind a pipeline sees the inverse."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"rate": rng.uniform(1, 20, 120), "other": rng.uniform(1, 20, 120)})
    return X, (1 / X["rate"] + 0.1 / X["other"] > 0.15).astype(int)


def inverse(numbers):
    return 1 / numbers


@pytest.mark.parametrize("generator", ["nearest", "eccco"])
def test_a_domain_behind_a_decreasing_curve_is_that_of_the_numbers_before_it(rates, generator):
    X, y = rates
    clf = classifier(domain={"rate": (0.1, 0.25)}, resolution=None)
    pipeline = make_pipeline(FunctionTransformer(inverse), clf).fit(X, y)
    # Before the curve, the domain is the interval from 4 to 10.
    rows = X[(X["rate"] < 4) | (X["rate"] > 10)]
    explanation = ctsk.explain(pipeline, rows, X_reference=X, tau=0.5, generator=generator)
    before, after = rows["rate"], explanation.counterfactual["rate"]
    moved = before != after
    assert moved.any()
    low, high = np.minimum(before, 4), np.maximum(before, 10)
    assert ((after >= low * (1 - 1e-6)) & (after <= high * (1 + 1e-6))).all()
    assert (np.abs(after - 7)[moved] < np.abs(before - 7)[moved]).all()
    # The decision changes inside of the domain, at about 6.7, and not at one of its ends.
    assert after[moved].between(4.1, 9.9).any()


@pytest.mark.parametrize(("word", "sign"), [("increase", -1), ("decrease", 1)])
def test_a_direction_behind_a_decreasing_curve_is_the_opposite_one_before_it(rates, word, sign):
    X, y = rates
    clf = classifier(mutability={"rate": word, "other": "none"}, resolution=None)
    pipeline = make_pipeline(FunctionTransformer(inverse), clf).fit(X, y)
    explanation = ctsk.explain(pipeline, X, X_reference=X, tau=0.5)
    changes = sign * (explanation.counterfactual["rate"] - X["rate"])
    assert (changes >= 0).all()
    assert (changes > 0).any()


def test_costs_of_the_classifier_hold_in_the_units_that_reach_it(rates):
    X, y = rates
    clf = classifier(feature_costs={"rate": 3.0}, resolution=None)
    scaler = MinMaxScaler().set_output(transform="pandas")
    pipeline = make_pipeline(scaler, clf).fit(X, y)
    explanation = ctsk.explain(pipeline, X.head(30), X_reference=X, tau=0.5)
    steps = scaler.transform(explanation.counterfactual) - scaler.transform(X.head(30))
    costs = [3.0, 1 / scaler.transform(X)["other"].std(ddof=0)]
    assert_allclose(explanation.cost, np.abs(steps) @ costs, rtol=1e-4)
