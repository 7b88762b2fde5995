import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk._explaining import pipelines
from ctsk._explaining.pipelines import check_names

CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
LOG = FunctionTransformer(np.log1p)
NUMBERS = ["age", "income"]
pytestmark = pytest.mark.filterwarnings("ignore::ctsk.exceptions.OtherConstraintsWarning")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    n_rows = 300
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n_rows),
            "income": rng.gamma(2, 20_000, n_rows),
            "job": rng.choice(["cook", "nurse", "pilot"], n_rows),
        }
    )
    score = X["income"] / 4e4 + (X["job"] == "pilot") + rng.normal(0, 0.3, n_rows)
    return X, (score > 1).astype(int)


def classifier(**parameters):
    # Larger minibatches and steps than by default: these tests fit many networks.
    settings = {"max_epochs": 20, "batch_size": 100, "lr": 0.03, "random_state": 0}
    return CounterfactualTrainedClassifier(**{**settings, **CONVENTIONAL, **parameters})


def prepared(numbers, words=None, **parameters):
    words = words or OneHotEncoder(sparse_output=False)
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("words", words, ["job"])])
    return make_pipeline(columns, classifier(**parameters))


def check_explanation(fitted, X, **settings):
    """Check that the pipeline judges, rows are found, and ages only rise; return the rows."""
    explanation = ctsk.explain(fitted, X, T=60, mutability={"age": "increase"}, **settings)
    found = explanation.counterfactual
    assert explanation.valid.mean() > 0.8
    assert_array_equal(fitted.predict_proba(found), explanation.proba)
    assert (found.dtypes == X.dtypes).all()
    assert (found["age"] >= X["age"]).all()
    return found


# --- independence of X ---

PREPARATIONS = {
    "PCA": make_pipeline(StandardScaler(), PCA(2)),
    "power, PCA": make_pipeline(PowerTransformer(), PCA(2)),
    "logarithm": make_pipeline(LOG, StandardScaler()),
    "quantile": QuantileTransformer(n_quantiles=50),
    "nothing": "passthrough",
}


@pytest.fixture(scope="module", params=PREPARATIONS.values(), ids=PREPARATIONS)
def pipeline(request, data):
    """A pipeline of each preparation. The tests share it, so do not refit it."""
    numbers = "passthrough" if request.param == "passthrough" else clone(request.param)
    return prepared(numbers).fit(*data)


def test_a_row_is_explained_alone_as_in_a_batch(data, pipeline):
    X, _ = data
    together = ctsk.explain(pipeline, X.head(3), T=60).counterfactual
    for row in range(2):
        alone = ctsk.explain(pipeline, X.iloc[[row]], T=60).counterfactual
        # The float32 products of a batch differ from those of a row in the last bits. The search
        # takes further steps while they gain 1e-6 of a standard deviation, and these bits may
        # decide on a few of the last steps.
        assert_allclose(alone[NUMBERS], together[NUMBERS].iloc[[row]], rtol=1e-5)
        assert_array_equal(alone["job"], together["job"].iloc[[row]])


def test_model_depends_on_columns_and_dtypes_of_x_only(data, pipeline):
    X, _ = data
    inner = pipeline[-1]._explainable()
    other = X.head(2).assign(age=[-7, 3], income=[1e9, np.nan], job="unheard of")
    first, second = (pipelines.model_of(pipeline, inner, rows) for rows in (X, other))
    for name in ("center", "scale"):
        assert_array_equal(getattr(first.encoder, name), getattr(second.encoder, name))
    assert_array_equal(first.module[0].weight, second.module[0].weight)
    assert_array_equal(first.module[0].bias, second.module[0].bias)


# --- samplers ---


class Sampler(BaseEstimator):
    """Like a sampler of imbalanced-learn: neither transform nor inverse."""

    def fit_resample(self, X, y):
        return X, y


class SamplingPipeline(Pipeline):
    """Like a pipeline of imbalanced-learn: it cannot be sliced at a sampler."""

    def fit(self, X, y):
        for _, step in self.steps[:-1]:
            if not hasattr(step, "fit_resample"):
                X = step.fit_transform(X, y)
        self.steps[-1][1].fit(X, y)
        return self

    def _iter(self, with_final=True, filter_passthrough=True):
        steps = super()._iter(with_final, filter_passthrough)
        return (step for step in steps if not hasattr(step[2], "fit_resample"))

    def __getitem__(self, key):
        raise TypeError("cannot be sliced")


@pytest.mark.parametrize("place", [0, 1])
def test_samplers_act_in_fit_only(data, place):
    X, y = data[0][NUMBERS].astype(float), data[1]
    steps = [("scale", StandardScaler()), ("clf", classifier())]
    plain = Pipeline(steps).fit(X, y)
    steps.insert(place, ("sample", Sampler()))
    sampling = SamplingPipeline(steps).fit(X, y)
    pd.testing.assert_frame_equal(
        ctsk.explain(sampling, X.head(9), X_reference=X).counterfactual,
        ctsk.explain(plain, X.head(9), X_reference=X).counterfactual,
    )


# --- columns that are dropped ---


SELECTIONS = {
    "logarithm": make_pipeline(LOG, SelectKBest(k=1)),
    "power": make_pipeline(StandardScaler(), PowerTransformer(), SelectKBest(k=1)),
    "variance": make_pipeline(LOG, VarianceThreshold(0.3)),
    "column transformer": ColumnTransformer([("income", LOG, ["income"])]),
}
DTYPES = ["float64", "float32", "int16", "Int64", "Float32", "bool"]


@pytest.mark.parametrize(
    ("selection", "dtype"),
    [
        *(("column transformer", dtype) for dtype in DTYPES),
        *(
            (selection, dtype)
            for selection in ("logarithm", "power", "variance")
            for dtype in ("int16", "Float32")
        ),
    ],
)
def test_a_number_that_the_pipeline_drops_comes_back_bit_for_bit(data, selection, dtype):
    X, y = data
    rng = np.random.default_rng(1)
    # Neither correlated with the target nor of much variance, so that it is dropped.
    noise = pd.Series(rng.integers(0, 2, len(X))).astype(dtype)
    X = pd.DataFrame({"noise": noise, "income": X["income"]})
    steps = clone(SELECTIONS[selection]), StandardScaler(), classifier(max_epochs=6)
    fitted = make_pipeline(*steps).fit(X, X["income"] > 3e4)
    explanation = ctsk.explain(fitted, X.head(8), T=60)
    assert explanation.valid.all()
    pd.testing.assert_series_equal(explanation.counterfactual["noise"], X["noise"].head(8))


def test_what_the_pipeline_drops_may_have_any_dtype(data):
    X, y = data
    others = {
        "when": pd.Timestamp("2026-01-01"),
        "lists": [[1, 2]] * len(X),
        "grade": pd.Categorical(["a"] * len(X)),
        "flag": pd.array([True] * len(X), dtype="boolean"),
        "period": pd.Period("2026-01"),
    }
    X = X.assign(**others)
    columns = ColumnTransformer([("numbers", StandardScaler(), NUMBERS)])
    fitted = make_pipeline(FunctionTransformer(), columns, classifier()).fit(X, y)
    found = ctsk.explain(fitted, X.head(), T=60).counterfactual
    pd.testing.assert_frame_equal(found[list(others)], X[list(others)].head())


# --- unions, weights, sparse rows ---


def test_weights_of_parts_scale_their_columns(data):
    X, y = data
    parts = [("numbers", StandardScaler(), NUMBERS), ("words", OneHotEncoder(), ["job"])]
    weighted = ColumnTransformer(parts, transformer_weights={"numbers": -3.0}, sparse_threshold=0)
    union = FeatureUnion(
        [("same", StandardScaler()), ("half", StandardScaler()), ("none", "drop")],
        transformer_weights={"half": 0.5},
    )
    check_explanation(make_pipeline(weighted, classifier()).fit(X, y), X.head(40))
    found = check_explanation(
        make_pipeline(union, classifier()).fit(X[NUMBERS], y), X[NUMBERS].head(40)
    )
    assert (found["income"] != X["income"].head(40)).any()


def test_a_part_of_weight_zero_does_not_reach_the_classifier(data):
    X, y = data[0][NUMBERS], data[1]
    columns = ColumnTransformer(
        [("age", "passthrough", ["age"]), ("income", StandardScaler(), ["income"])],
        transformer_weights={"age": 0.0},
    )
    fitted = make_pipeline(columns, classifier()).fit(X, y)
    found = ctsk.explain(fitted, X.head(9), T=60).counterfactual
    assert_array_equal(found["age"], X["age"].head(9))


def test_sparse_rows_between_steps_are_explained(data):
    X, y = data
    words = [f"v{i}" for i in np.random.default_rng(0).integers(0, 20, len(X))]
    X = X.assign(word=words)
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), NUMBERS), ("words", OneHotEncoder(), ["job", "word"])]
    )
    fitted = make_pipeline(columns, classifier()).fit(X, y)
    assert columns.fit(X).sparse_output_
    check_explanation(fitted, X.head(40))


# --- bounds: inferred, or given by the user ---


def test_a_domain_that_equals_the_inferred_one_is_still_the_users(data):
    X, y = data[0][["income"]] - data[0]["income"].min(), data[1]
    inferred = make_pipeline(StandardScaler(), classifier()).fit(X, y)
    low, high = (bound.item() for bound in inferred[-1].encoder_.domain)
    given = make_pipeline(StandardScaler(), classifier(domain={0: (low, high)})).fit(X, y)
    for fitted, is_inferred in ((inferred, True), (given, False)):
        model = pipelines.model_of(fitted, fitted[-1]._explainable(), X)
        assert_array_equal(model.constraints.low, [0.0])
        assert_array_equal(model.constraints.is_inferred, [is_inferred])


def test_explanations_through_a_curve_are_pickled_without_its_function(data):
    X, y = data
    fitted = prepared(FunctionTransformer(lambda X: np.log1p(X))).fit(X, y)
    explanation = ctsk.explain(fitted, X.head(3))
    copy = pickle.loads(pickle.dumps(explanation))
    assert_array_equal(copy.counterfactual_encoded, explanation.counterfactual_encoded)


# --- transformers that the package has never heard of ---


class Squash(TransformerMixin, BaseEstimator):
    """A monotone curve without an inverse."""

    def fit(self, X, y=None):
        self.center_, self.scale_ = np.mean(X, axis=0), np.std(X, axis=0)
        return self

    def transform(self, X):
        return np.arctan((np.asarray(X) - np.asarray(self.center_)) / np.asarray(self.scale_))


class MeanEncoder(TransformerMixin, BaseEstimator):
    """Encodes text columns by the mean target, and passes on all others."""

    def fit(self, X, y):
        words = X.columns[[dtype.kind == "O" for dtype in X.dtypes]]
        self.means_ = {name: y.groupby(X[name].astype(str)).mean() for name in words}
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        return self

    def transform(self, X):
        means = {name: X[name].astype(str).map(mean) for name, mean in self.means_.items()}
        return X.assign(**means).astype(float)


class Mix(TransformerMixin, BaseEstimator):
    """A linear projection."""

    def fit(self, X, y=None):
        self.weight_ = np.array([[1.0, 0.5, -1.0], [0.2, -1.0, 0.3]])
        return self

    def transform(self, X):
        return np.asarray(X) @ self.weight_


@pytest.mark.parametrize(
    "numbers",
    [Squash(), make_pipeline(Squash(), StandardScaler()), make_pipeline(StandardScaler(), Mix())],
    ids=["curve", "curve and scaler", "mixture"],
)
def test_unlisted_transformers_of_numbers_are_followed(data, numbers):
    X, y = data
    fitted = prepared(numbers).fit(X, y)
    check_explanation(fitted, X.head(60))
    # A gradient moves all features, also those that are not worth their cost.
    found = check_explanation(fitted, X, generator="eccco")
    assert (found["age"] > X["age"]).any()
    assert (found["job"] != X["job"]).any()


def test_unlisted_encoders_are_followed_where_dtype_or_reference_list_the_categories(data):
    X, y = data
    declared = X.astype({"job": "category"})
    for rows, given in ((declared, {}), (X, {"X_reference": X})):
        fitted = make_pipeline(MeanEncoder(), StandardScaler(), classifier()).fit(rows, y)
        found = check_explanation(fitted, rows.head(60), domain={"job": ["nurse"]}, **given)
        moved = found["job"] != rows["job"].head(60)
        assert moved.any()
        assert set(found["job"][moved]) == {"nurse"}


def test_text_whose_categories_nothing_lists_is_refused(data):
    X, y = data
    for rows in (X, X.astype({"job": object})):
        fitted = make_pipeline(MeanEncoder(), classifier(max_epochs=1)).fit(rows, y)
        with pytest.raises(ValueError, match="meanencoder.*'job'.*astype.*or pass X_reference"):
            ctsk.explain(fitted, rows.head(3))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda X: np.sin(np.asarray(X) / 100), "numbers'.*what it makes of 'age' rises and falls"),
        (lambda X: np.hstack([X, np.square(X)]), "'age' reaches the classifier in two ways"),
        (
            lambda X: np.asarray(X) * np.asarray(X)[:, ::-1],
            "numbers'.*several columns.*nonlinearly",
        ),
    ],
    ids=["wave", "square beside", "product"],
)
def test_transformers_that_cannot_be_inverted_are_named(data, function, message):
    X, y = data
    fitted = prepared(FunctionTransformer(function), max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=message):
        ctsk.explain(fitted, X.head(3))


@pytest.mark.parametrize(
    ("function", "sign"),
    [
        pytest.param(np.reciprocal, 1, id="1/x of positive numbers"),
        pytest.param(np.reciprocal, -1, id="1/x of negative numbers"),
        pytest.param(lambda X: np.log(np.abs(X)), 1, id="log|x| of positive numbers"),
        pytest.param(lambda X: 1 / np.square(X), 1, id="1/x^2 of positive numbers"),
    ],
)
def test_a_function_with_a_pole_is_followed_on_the_side_of_the_training_rows(function, sign):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(sign * (np.abs(rng.normal(size=(300, 2))) * 10 + 0.5), columns=["a", "b"])
    steps = FunctionTransformer(function), StandardScaler(), classifier(lr=0.02)
    pipeline = make_pipeline(*steps).fit(X, np.abs(X["a"]) > 5)
    explanation = ctsk.explain(pipeline, X.head(30), T=60)
    assert (explanation.counterfactual * sign > 0).all(axis=None)
    assert explanation.valid.mean() > 0.8


def test_a_step_that_fails_on_made_up_rows_is_refused_by_name(data, monkeypatch):
    X, y = data
    step = FunctionTransformer(lambda X: X * 2)
    pipeline = make_pipeline(step, classifier(max_epochs=1)).fit(X[NUMBERS], y)
    monkeypatch.setattr(step, "func", lambda X: X.is_of_another_library())
    with pytest.raises(ValueError, match="Step 'functiontransformer'.*cannot be inverted"):
        ctsk.explain(pipeline, X[NUMBERS].head(2))


@pytest.mark.parametrize("function", [np.abs, np.square], ids=["abs", "square"])
def test_rows_on_the_side_of_a_fold_that_is_not_followed_are_refused(function):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 2)), columns=["a", "b"])
    steps = FunctionTransformer(function), classifier(max_epochs=5)
    pipeline = make_pipeline(*steps).fit(X, np.abs(X["a"]) > 0.7)
    positive = X[(X > 0).all(axis=1)]
    assert (ctsk.explain(pipeline, positive.head(5)).counterfactual >= 0).all(axis=None)
    with pytest.raises(ValueError, match="feature 'a' on both sides.*row 0 of X"):
        ctsk.explain(pipeline, X[X["a"] < 0].head(3))


def test_an_array_needs_the_number_of_features_of_the_pipeline():
    pipeline = SimpleNamespace(n_features_in_=3)
    assert check_names(pipeline, np.zeros((2, 3))) == ["x0", "x1", "x2"]
    for n_features in (2, 4):
        with pytest.raises(ValueError, match=f"X has {n_features} features, .* with 3"):
            check_names(pipeline, np.zeros((2, n_features)))
