import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk.exceptions import OtherConstraintsWarning

CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
NUMBERS, WORDS = ["age", "income"], ["job", "home"]
LOG = FunctionTransformer(np.log1p, np.expm1)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    n_rows = 300
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n_rows),
            "income": rng.gamma(2, 20_000, n_rows),
            "job": rng.choice(["cook", "nurse", "pilot"], n_rows),
            "home": pd.Series(rng.choice(["own", "rent"], n_rows)).mask(rng.random(n_rows) < 0.05),
            "note": rng.choice(["late", "paid"], n_rows),
        },
        index=rng.permutation(n_rows),
    )
    score = X["income"] / 4e4 + (X["job"] == "pilot") - 0.5 * (X["home"] == "rent")
    return X, (score + rng.normal(0, 0.3, n_rows) > 1).map({True: "yes", False: "no"}).to_numpy()


def classifier(**parameters):
    # Larger minibatches and steps than by default: these tests fit many networks.
    settings = {"max_epochs": 20, "batch_size": 100, "lr": 0.03, "random_state": 0}
    return CounterfactualTrainedClassifier(**{**settings, **CONVENTIONAL, **parameters})


def prepared(numbers=None, words=None, **parameters):
    """A pipeline of one ColumnTransformer and the classifier; the column 'note' is dropped."""
    numbers, words = numbers or StandardScaler(), words or OneHotEncoder(sparse_output=False)
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("words", words, WORDS)])
    return make_pipeline(columns, classifier(standardize=False, **parameters))


@pytest.fixture(scope="module")
def pipeline(data):
    """Do not refit: shared by all tests."""
    return prepared(MinMaxScaler()).fit(*data)


def test_pipeline_equals_coding_inside_the_estimator_when_the_weights_are_the_same(data):
    X, y = data[0].drop(columns="note"), data[1]
    inside = classifier().fit(X, y)
    outside = prepared(max_epochs=1).fit(X, y)
    outside[-1].net_.module_.load_state_dict(inside.net_.module_.state_dict())
    expected, found = inside.explain(X, tau=0.9), ctsk.explain(outside, X, tau=0.9)
    assert expected.valid.mean() > 0.9
    pd.testing.assert_frame_equal(found.counterfactual, expected.counterfactual, rtol=1e-5)
    for name in ("counterfactual_encoded", "proba", "cost"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-5)
    for name in ("target", "valid", "mature", "n_iter", "reason"):
        assert_array_equal(getattr(found, name), getattr(expected, name))


PREPARATIONS = {
    "min-max, one-hot": (MinMaxScaler(), None),
    "robust, one-hot without the first": (
        RobustScaler(),
        OneHotEncoder(drop="first", sparse_output=False),
    ),
    "largest absolute value, ordinal": (MaxAbsScaler(), OrdinalEncoder(encoded_missing_value=-1)),
    "logarithm and scaler, target": (make_pipeline(LOG, StandardScaler()), TargetEncoder()),
    "power": (PowerTransformer(), None),
    "quantile": (QuantileTransformer(n_quantiles=50, output_distribution="normal"), None),
    "PCA behind a scaler": (make_pipeline(StandardScaler(), PCA(2)), None),
    "imputers": (
        make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()),
        make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(sparse_output=False)),
    ),
    "selection": (
        None,
        make_pipeline(OneHotEncoder(sparse_output=False), SelectKBest(k=3)),
    ),
    "clipped": (MinMaxScaler(clip=True), None),
    "logarithm without its inverse": (
        make_pipeline(FunctionTransformer(np.log1p), StandardScaler()),
        None,
    ),
    "columns exchanged": (
        make_pipeline(FunctionTransformer(lambda X: X[["income", "age"]]), StandardScaler()),
        None,
    ),
    "ordinal bins": (
        make_pipeline(
            KBinsDiscretizer(5, encode="ordinal", quantile_method="averaged_inverted_cdf"),
            StandardScaler(),
        ),
        None,
    ),
    "reversed": (
        make_pipeline(FunctionTransformer(np.negative, np.negative), StandardScaler()),
        None,
    ),
}


@pytest.mark.parametrize("preparation", PREPARATIONS.values(), ids=PREPARATIONS)
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.OtherConstraintsWarning")
def test_constraints_hold_in_the_pipelines_units_and_the_pipeline_judges(data, preparation):
    X, y = data
    fitted = prepared(*preparation).fit(X, y)
    X = X.head(40)
    free = ctsk.explain(fitted, X)
    assert free.valid.mean() > 0.8
    assert_array_equal(fitted.predict_proba(free.counterfactual), free.proba)
    assert_array_equal(fitted.predict(free.counterfactual), free.prediction)
    assert_array_equal(free.target == free.prediction, free.valid)

    for generator in ("nearest", "eccco"):
        found = ctsk.explain(
            fitted,
            X,
            T=25,
            generator=generator,
            mutability={"age": "increase", "home": "none"},
            domain={"income": (5_000, 60_000), "job": ["cook", "nurse"]},
        ).counterfactual
        assert (found.dtypes == X.dtypes).all()
        assert found.index.equals(X.index)
        assert (found["age"] >= X["age"]).all()
        assert found["home"].equals(X["home"])
        assert found["note"].equals(X["note"])
        assert ((found["job"] == X["job"]) | found["job"].isin(["cook", "nurse"])).all()
        assert (found["income"] >= np.minimum(5_000, X["income"])).all()
        assert (found["income"] <= np.maximum(60_000, X["income"])).all()
        assert not found[NUMBERS].isna().any(axis=None)
    # A gradient, the second of the two, moves all features that may, whatever they cost.
    assert (found["age"] > X["age"]).any()
    assert (found["income"] != X["income"]).any()


def test_categories_flip_and_a_missing_one_is_never_reached(data, pipeline):
    X, _ = data
    found = ctsk.explain(pipeline, X, T=60).counterfactual
    assert (found["job"] != X["job"]).any()
    assert not (found["home"].isna() & X["home"].notna()).any()


@pytest.mark.filterwarnings("ignore:The whole numbers of these columns")
@pytest.mark.filterwarnings("ignore:In every row exactly one")
def test_constraints_of_the_training_hold_without_being_told_again(data):
    X, y = data
    columns = ColumnTransformer(
        [("n", StandardScaler(), NUMBERS), ("w", OneHotEncoder(sparse_output=False), WORDS)],
    ).set_output(transform="pandas")
    mutability = {"n__age": "decrease", "w__job_cook": "none", "w__job_nurse": "none"}
    mutability["w__job_pilot"] = "none"
    clf = classifier(standardize=False, mutability=mutability, domain={"n__income": (-1, 1)})
    explanation = ctsk.explain(make_pipeline(columns, clf).fit(X, y), X, T=60)
    found = explanation.counterfactual
    assert (found["age"] <= X["age"]).all()
    assert_array_equal(found["job"], X["job"])
    assert (found["home"].fillna("") != X["home"].fillna("")).any()
    center, scale = X["income"].mean(), X["income"].std(ddof=0)
    assert (found["income"] <= np.maximum(X["income"], center + scale + 1e-6)).all()
    assert (found["income"] >= np.minimum(X["income"], center - scale - 1e-6)).all()


def test_numbers_that_were_never_negative_do_not_become_so(data):
    X, y = data[0].assign(income=data[0]["income"] - data[0]["income"].min()), data[1]
    for numbers in (StandardScaler(), make_pipeline(SimpleImputer(), RobustScaler())):
        fitted = prepared(numbers).fit(X, y)
        found = ctsk.explain(fitted, X, "no", tau=0.99, T=100).counterfactual
        assert found["income"].min() == 0


def test_categories_that_reach_the_classifier_are_coded_there(data):
    X, y = data
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), NUMBERS), ("words", "passthrough", WORDS)],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    clf = classifier(standardize=False, mutability={"home": "none"}, domain={"job": ["cook"]})
    fitted = make_pipeline(columns, clf).fit(X, y)
    found = ctsk.explain(fitted, X, T=60).counterfactual
    assert found["home"].equals(X["home"])
    assert ((found["job"] == X["job"]) | (found["job"] == "cook")).all()
    assert (found["job"] != X["job"]).any()


def test_order_is_that_of_a_pandas_categorical_or_of_an_ordinal_encoder(data):
    X, y = data
    order = ["nurse", "cook", "pilot"]
    rank = {job: i for i, job in enumerate(order)}
    coders = {
        "encoder": (X, OrdinalEncoder(categories=[order])),
        "dtype": (
            X.astype({"job": pd.CategoricalDtype(order, ordered=True)}),
            OneHotEncoder(sparse_output=False),
        ),
    }
    for rows, encoder in coders.values():
        columns = ColumnTransformer([("n", StandardScaler(), NUMBERS), ("w", encoder, ["job"])])
        fitted = make_pipeline(columns, classifier(standardize=False)).fit(rows, y)
        with pytest.warns(OtherConstraintsWarning, match="'job'"):
            found = ctsk.explain(fitted, rows, T=60, mutability={"job": "increase"}).counterfactual
        risen = found["job"].astype(str).map(rank) - rows["job"].astype(str).map(rank)
        assert (risen >= 0).all()
        assert (risen > 0).any()


def test_constraints_other_than_those_of_the_training_are_warned_of(data, pipeline, recwarn):
    X, _ = data
    ctsk.explain(pipeline, X.head(3))
    ctsk.explain(pipeline, X.head(3), mutability={"age": "both"}, domain={"job": "auto"})
    assert not recwarn
    with pytest.warns(OtherConstraintsWarning, match="mutability or domain of 'age', 'job' is not"):
        ctsk.explain(
            pipeline, X.head(3), mutability=[{"age": "none"}, {}, {}], domain={"job": ["cook"]}
        )


def test_costs_are_per_unit_of_what_goes_in(data, pipeline):
    X, _ = data
    costs = {"age": 2.0, "income": 0.001, "job": 5.0, "home": 3.0}
    explanation = ctsk.explain(pipeline, X, T=60, feature_costs=costs)
    found = explanation.counterfactual
    expected = 2 * (found["age"] - X["age"]).abs() + 0.001 * (found["income"] - X["income"]).abs()
    expected += 5 * (found["job"] != X["job"])
    expected += 3 * (found["home"].fillna("") != X["home"].fillna(""))
    np.testing.assert_allclose(explanation.cost, expected)


def without_gap(cell):
    return "" if pd.isna(cell) else cell


def test_path_leads_through_the_pipelines_units(data, pipeline):
    X = data[0].head(5)
    explanation = ctsk.explain(pipeline, X, T=30, return_path=True)
    assert explanation.path.shape == (5, 31, 5)
    for step, rows in ((0, X), (-1, explanation.counterfactual)):
        assert_array_equal(
            pd.DataFrame(explanation.path[:, step]).map(without_gap).to_numpy(),
            rows.astype(object).map(without_gap).to_numpy(),
        )


def test_arrays_pass_through_pipelines(iris):
    X, y = iris
    fitted = make_pipeline(StandardScaler(), classifier(standardize=False)).fit(X, y)
    explanation = ctsk.explain(fitted, X, T=60)
    assert type(explanation.counterfactual) is np.ndarray
    assert explanation.valid.mean() > 0.9
    assert_array_equal(fitted.predict_proba(explanation.counterfactual), explanation.proba)


def test_parts_of_an_array_are_chosen_by_index_slice_mask_or_function(iris):
    X, y = iris
    columns = ColumnTransformer(
        [
            ("first", StandardScaler(), slice(0, 2)),
            ("third", MinMaxScaler(), [False, False, True, False]),
            ("fourth", "drop", [-1]),
        ]
    )
    fitted = make_pipeline(columns, classifier()).fit(X, y)
    explanation = ctsk.explain(fitted, X, T=60)
    assert explanation.valid.mean() > 0.9
    assert_array_equal(explanation.counterfactual[:, 3], X[:, 3])


def test_parts_of_a_frame_are_chosen_by_dtype_and_the_remainder_passes(data):
    X, y = data
    columns = ColumnTransformer(
        [
            (
                "words",
                OneHotEncoder(sparse_output=False),
                make_column_selector(dtype_exclude="number"),
            )
        ],
        remainder="passthrough",
    )
    fitted = make_pipeline(columns, classifier()).fit(X, y)
    assert ctsk.explain(fitted, X, T=60).valid.mean() > 0.9


def test_classifier_and_finished_search_are_explained_too(data, pipeline):
    X, y = data
    raw = X[NUMBERS]
    clf = classifier(max_epochs=5).fit(raw, y)
    pd.testing.assert_frame_equal(
        ctsk.explain(clf, raw, "yes").counterfactual, clf.explain(raw, "yes").counterfactual
    )
    name = pipeline.steps[-1][0]
    search = GridSearchCV(pipeline, {f"{name}__tau": [0.6]}, cv=2).fit(X, y)
    assert ctsk.explain(search, X.head(), T=60).mature.any()


@pytest.mark.parametrize(
    "model", [LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression()), "model"]
)
def test_other_models_are_refused(data, model):
    with pytest.raises(TypeError, match="it must be a CounterfactualTrainedClassifier, a torch"):
        ctsk.explain(model, data[0])


@pytest.mark.parametrize(
    ("numbers", "words", "message"),
    [
        (KBinsDiscretizer(3, strategy="uniform"), None, "Step.*numbers'.*KBinsDiscretizer, cannot"),
        (
            make_pipeline(StandardScaler(), OrdinalEncoder(handle_unknown="use_encoded_value",
                                                           unknown_value=-1)),
            None,
            "Step 'columntransformer__numbers__ordinalencoder'.*encodes as a category what",
        ),
        (
            FunctionTransformer(lambda X: X.mul(X["age"], axis=0), abs, check_inverse=False),
            None,
            "FunctionTransformer, cannot be inverted.*maps several columns.* nonlinearly",
        ),
        (
            None,
            make_pipeline(OrdinalEncoder(encoded_missing_value=9), LOG),
            "FunctionTransformer, cannot be inverted",
        ),
    ],
    ids=["bins", "coded number", "product", "curved category"],
)  # fmt: skip
def test_step_that_cannot_be_inverted_is_named_with_a_remedy(data, numbers, words, message):
    fitted = prepared(numbers, words, max_epochs=1).fit(*data)
    with pytest.raises(ValueError, match=message) as error:
        ctsk.explain(fitted, data[0].head(3))
    assert "CounterfactualTrainedClassifier" in str(error.value)


def test_feature_that_is_used_in_two_ways_is_refused(data):
    X, y = data
    twice = {
        "curves": [("log", LOG, ["income"]), ("raw", "passthrough", ["income"])],
        "kinds": [
            ("code", OneHotEncoder(sparse_output=False), ["age"]),
            ("raw", "passthrough", ["age"]),
        ],
    }
    for parts in twice.values():
        fitted = make_pipeline(ColumnTransformer(parts), classifier(max_epochs=1)).fit(X, y)
        with pytest.raises(ValueError, match="'(income|age)' reaches the classifier in two ways"):
            ctsk.explain(fitted, X.head(3))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: X[X.columns[::-1]], "columns of X are .*fitted with"),
        (lambda X: X.to_numpy(), "X has no column names"),
        (lambda X: X.assign(job="pirate"), "Column 'job'.*unknown category 'pirate'"),
    ],
    ids=["order", "array", "unknown category"],
)
def test_rows_that_were_not_fitted_are_refused(data, pipeline, spoil, message):
    with pytest.raises(ValueError, match=message):
        ctsk.explain(pipeline, spoil(data[0].head(3)))


def test_settings_and_targets_are_checked_as_by_the_classifier(data, pipeline):
    X = data[0].head(3)
    for given, message in [
        ({"tau": 2.0}, "'tau'"),
        ({"mutability": {"job": "increase"}}, "mutability of feature 'job'.*no order"),
        ({"mutability": {"numbers__age": "none"}}, "names the feature 'numbers__age'"),
        ({"target": "maybe"}, "target holds the label 'maybe'"),
    ]:
        with pytest.raises(ValueError, match=message):
            ctsk.explain(pipeline, X, **given)


@pytest.fixture(scope="module")
def orders():
    """A number and an ordered category that decides; words with gaps."""
    rng = np.random.default_rng(1)
    n_rows = 200
    order = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
    X = pd.DataFrame(
        {
            "number": rng.gamma(2, 1, n_rows) + 0.1,
            "count": rng.poisson(0.4, n_rows) + 1,
            "rank": pd.Series(rng.choice(order.categories, n_rows)).astype(order),
            "word": rng.choice(["a", "b", "c"], n_rows),
        }
    )
    return X, (X["rank"].cat.codes + (X["word"] != "a") + rng.normal(0, 0.3, n_rows) > 1).astype(
        int
    )


def coded(columns, **parameters):
    return make_pipeline(
        ColumnTransformer(
            [("w", OneHotEncoder(sparse_output=False), columns)], remainder="passthrough"
        ),
        classifier(**parameters),
    )


def test_an_order_that_lacks_known_categories_is_none(orders):
    X, y = orders
    fitted = coded(["rank", "word"]).fit(X, y)
    some = X[X["rank"] != "high"].assign(rank=lambda X: X["rank"].cat.remove_unused_categories())
    with pytest.raises(ValueError, match="mutability of feature 'rank'.*no order"):
        ctsk.explain(fitted, some, mutability={"rank": "decrease"})


def test_order_of_categories_is_the_classifiers_where_it_codes_them(orders):
    X, y = orders
    free = ["number", "count", "rank"]
    clf = classifier(domain={"word": ["a", "b"]}, mutability=dict.fromkeys(free, "none"))
    fitted = make_pipeline("passthrough", clf).fit(X, y)
    other = X.astype({"word": pd.CategoricalDtype(["c", "b", "a"], ordered=True)})
    found = ctsk.explain(fitted, other, 1, T=60).counterfactual["word"].astype(str)
    assert ((found == X["word"]) | found.isin(["a", "b"])).all()
    assert (found != X["word"]).any()


def test_feature_that_arrives_twice_is_fixed_if_it_is_fixed_once(orders):
    X, y = orders
    twice = ColumnTransformer(
        [("p", "passthrough", ["word", "number"]), ("q", "passthrough", ["word"])]
    ).set_output(transform="pandas")
    fitted = make_pipeline(twice, classifier(mutability={"q__word": "none"})).fit(X, y)
    assert_array_equal(ctsk.explain(fitted, X).counterfactual["word"], X["word"])


def test_trained_domain_holds_behind_an_imputer(orders):
    X, y = orders
    words = X[["word"]].assign(other=X["rank"].astype(object))
    imputer = SimpleImputer(strategy="most_frequent").set_output(transform="pandas")
    fitted = make_pipeline(imputer, classifier(domain={"word": ["b"]})).fit(words, y)
    found = ctsk.explain(fitted, words.mask(words == "c"), T=60).counterfactual["word"]
    before = words["word"].mask(words["word"] == "c")
    assert ((found == before) | (found == "b") | (found.isna() & before.isna())).all()


@pytest.mark.parametrize("with_gaps", [True, False])
def test_a_constant_that_stands_for_missing_is_no_way_out(orders, with_gaps):
    X, y = orders
    words = X[["word"]].mask(np.arange(len(X))[:, None] % 5 == 0) if with_gaps else X[["word"]]
    # Whoever has a gap is accepted.
    y = words["word"].isna().astype(int) if with_gaps else y
    constant = SimpleImputer(strategy="constant", fill_value="MISSING")
    fitted = make_pipeline(constant, OneHotEncoder(sparse_output=False), classifier()).fit(words, y)
    explanation = ctsk.explain(fitted, words.dropna(), 1, T=60)
    assert set(explanation.counterfactual["word"]) <= {"a", "b", "c"}


def test_two_kinds_of_missing_values_are_refused(orders):
    X, y = orders
    words = X[["word"]].astype(object)
    words.iloc[:2, 0] = [None, np.nan]
    fitted = make_pipeline(OneHotEncoder(sparse_output=False), classifier(max_epochs=1)).fit(
        words, y
    )
    with pytest.raises(ValueError, match="Missing values of 'word' came as None and as NaN"):
        ctsk.explain(fitted, words)


@pytest.mark.parametrize(
    ("curve", "domain"),
    [
        (FunctionTransformer(np.log, np.exp), (-1, None)),
        (FunctionTransformer(np.log, np.exp), (0, None)),
        (PowerTransformer("box-cox"), (0, None)),
        (PowerTransformer("box-cox"), "auto"),
        (QuantileTransformer(n_quantiles=20), "auto"),
    ],
)
@pytest.mark.filterwarnings("ignore::ctsk.exceptions.OtherConstraintsWarning")
def test_bounds_may_lie_where_a_curve_is_not_defined(orders, curve, domain):
    X, _ = orders
    numbers = X[["number"]]
    fitted = make_pipeline(curve, classifier()).fit(numbers, numbers["number"] > 1.5)
    explanation = ctsk.explain(fitted, numbers, T=100, domain={"number": domain})
    assert explanation.valid.mean() > 0.95
    assert (explanation.counterfactual["number"] >= 0).all()


def test_one_end_that_a_curve_cannot_undo_leaves_the_other(orders):
    X, y = orders
    power = PowerTransformer(standardize=False).fit(X[["number"]])
    assert power.lambdas_[0] < 0  # so that no number is beyond -1 / lambda
    end = power.transform(pd.DataFrame({"number": [0.5]})).item()
    clf = classifier(domain={0: (end, 9.0)})
    fitted = make_pipeline(PowerTransformer(standardize=False), clf).fit(X[["number"]], y)
    found = ctsk.explain(fitted, X[["number"]], T=60, tau=0.9).counterfactual["number"]
    assert (found >= np.minimum(X["number"], 0.5 - 1e-9)).all()


def test_a_row_that_the_pipeline_does_not_take_is_not_handed_out(orders):
    X, _ = orders
    counts = X[["count"]]
    fitted = make_pipeline(FunctionTransformer(np.log, np.exp), classifier(max_epochs=60)).fit(
        counts, (counts["count"] > 1).astype(int)
    )
    with pytest.warns(OtherConstraintsWarning):
        explanation = ctsk.explain(
            fitted, counts.head(60), 0, tau=0.99999, T=30, domain={"count": (0, None)}
        )
    assert (explanation.counterfactual["count"] >= 1).all()
    assert_array_equal(fitted.predict_proba(explanation.counterfactual), explanation.proba)
    assert (explanation.mature | (explanation.reason != None)).all()  # noqa: E711


def test_tied_quantiles_and_large_or_single_precision_numbers_are_followed(orders):
    X, y = orders
    rng = np.random.default_rng(0)
    frames = {
        "ties": (X[["count"]].astype(float), QuantileTransformer(n_quantiles=50)),
        "milliseconds": (1.7e12 + X[["number"]] * 1e10, StandardScaler()),
        "nanoseconds": ((1.7e18 + X[["number"]] * 1e15).astype(np.int64), StandardScaler()),
        "years": (
            (2010 + rng.normal(size=X[["number"]].shape) / 2 + 0 * X[["number"]]).astype(
                np.float32
            ),
            StandardScaler(),
        ),
    }
    for rows, transformer in frames.values():
        target = rows.iloc[:, 0] > rows.iloc[:, 0].median()
        fitted = make_pipeline(transformer, classifier(max_epochs=40)).fit(rows, target)
        explanation = ctsk.explain(fitted, rows, T=60)
        assert explanation.valid.mean() > 0.9
        assert (explanation.counterfactual.dtypes == rows.dtypes).all()


@pytest.mark.filterwarnings("ignore:The whole numbers of these columns")
@pytest.mark.filterwarnings("ignore:In every row exactly one")
def test_functions_on_frames_keep_names_for_what_follows(orders):
    X, y = orders
    logarithm = FunctionTransformer(lambda X: X.pow(3), lambda X: X.pow(1 / 3), check_inverse=False)
    scaled = ColumnTransformer([("n", StandardScaler(), ["number"])], remainder="passthrough")
    numbers = X[["number", "count"]].astype(float)
    fitted = make_pipeline(logarithm, scaled, classifier()).fit(numbers, numbers["number"] > 2)
    assert ctsk.explain(fitted, numbers, T=100).valid.mean() > 0.9


def test_integers_are_those_of_the_training_too_where_nothing_lies_between(orders):
    X, y = orders
    counts = X[["count", "number"]]
    fitted = make_pipeline("passthrough", classifier()).fit(counts, counts["count"] > 1)
    found = ctsk.explain(fitted, counts.astype(float), T=60).counterfactual
    assert_array_equal(found["count"], found["count"].round())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: X[:0], "minimum of 1 is required"),
        (lambda X: X[:, :2], "2 features"),
        (lambda X: X[0], "Expected 2D array"),
        (lambda X: X.astype(object), "X is an array of object.*DataFrame"),
    ],
)
def test_arrays_that_are_no_rows_are_refused(iris, spoil, message):
    fitted = make_pipeline(StandardScaler(), classifier(max_epochs=1)).fit(*iris)
    with pytest.raises(ValueError, match=message):
        ctsk.explain(fitted, spoil(iris[0]))
    with pytest.raises(ValueError, match="X has no rows"):
        ctsk.explain(fitted, pd.DataFrame(iris[0]).head(0))


def test_pipeline_that_passes_arrays_on_is_explained(iris):
    fitted = make_pipeline("passthrough", classifier()).fit(*iris)
    assert ctsk.explain(fitted, iris[0], T=60).valid.mean() > 0.9


def test_dropped_columns_may_hold_anything(orders):
    X, y = orders
    X = X.assign(notes=[[1, 2]] * len(X), when=pd.Timestamp("2026-01-01"))
    kept = ColumnTransformer([("n", StandardScaler(), ["number", "count"])])
    fitted = make_pipeline(kept, classifier()).fit(X, y)
    found = ctsk.explain(fitted, X.head(), return_path=True)
    pd.testing.assert_frame_equal(
        found.counterfactual[["notes", "when"]], X[["notes", "when"]].head()
    )


def test_constraints_that_are_the_same_but_for_rounding_are_not_warned_of(data, recwarn):
    X, y = data
    numbers = X[NUMBERS].astype(float)
    scaler = StandardScaler().fit(numbers)
    low, high = scaler.transform(pd.DataFrame({"age": [18, 90], "income": [0, 60_000]}))
    clf = classifier(domain={i: (low[i], high[i]) for i in range(2)}, max_epochs=2)
    fitted = make_pipeline(scaler, clf).fit(numbers, y)
    ctsk.explain(fitted, numbers.head(), domain={"age": (18, 90), "income": (0, 60_000)})
    assert not recwarn


def test_what_is_said_of_dropped_columns_has_no_effect(data, pipeline, recwarn):
    X = data[0].head()
    said = {"mutability": {"note": "none"}, "domain": {"note": ["paid"]}}
    pd.testing.assert_frame_equal(
        ctsk.explain(pipeline, X, **said).counterfactual, ctsk.explain(pipeline, X).counterfactual
    )
    assert not recwarn
