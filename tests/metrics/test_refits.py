import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.schema import Schema
from ctsk.metrics import stability
from ctsk.metrics.refits import _code_cells, _code_states


def test_confident_counterfactuals_outlive_refits_more_often(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=30, lr=0.01, random_state=0
    ).fit(X, y)
    X, y = X[::2], y[::2]
    bold, timid = clf.explain(X, tau=0.99), clf.explain(X, tau=0.5)
    shares = [stability(clf, explanation, X, y, n_refits=4) for explanation in (bold, timid)]
    assert np.nanmean(shares[0]) > np.nanmean(shares[1])
    np.testing.assert_array_equal(np.isnan(shares[0]), ~bold.valid)
    assert set(shares[0][bold.valid]) <= {0, 0.25, 0.5, 0.75, 1}
    np.testing.assert_array_equal(stability(clf, bold, X, y, n_refits=4), shares[0])


def test_pipelines_are_refitted_whole(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(max_epochs=10, lr=0.01, random_state=0)
    fitted = make_pipeline(StandardScaler(), clf).fit(X, y)
    before = fitted.predict_proba(X)
    shares = stability(fitted, ctsk.explain(fitted, X[::3], T=60), X, y, n_refits=2)
    assert np.nanmean(shares) > 0.3
    np.testing.assert_array_equal(fitted.predict_proba(X), before)


def rare_jobs():
    """A table of 80 rows in which three categories, one of them missing, occur once."""
    rng = np.random.default_rng(0)
    job = rng.choice(["cook", "nurse"], 80).astype(object)
    job[[5, 60]] = "pilot", None
    code = rng.integers(0, 3, 80)
    code[40] = 7
    X = pd.DataFrame({"income": rng.normal(size=80), "job": job, "code": code})
    return X, X["income"] + (job == "nurse") > 0.5


CONTAINERS = {
    "object": lambda X: X,
    "str": lambda X: X.astype({"job": "str"}).assign(job=lambda X: X["job"].fillna("none")),
    "string": lambda X: X.astype({"job": "string"}),
    "category": lambda X: X.astype({"job": "category", "code": "category"}),
    "ndarray": lambda X: X.assign(job=X["job"].map({"cook": 0, "nurse": 1}).fillna(2)).to_numpy(
        dtype=float
    ),
}


@pytest.mark.parametrize("convert", CONTAINERS.values(), ids=CONTAINERS)
def test_a_category_of_a_single_row_is_known_to_every_refit(convert):
    X, y = rare_jobs()
    X = convert(X)
    clf = CounterfactualTrainedClassifier(
        categorical_features=[1, 2], lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=3,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    shares = stability(clf, clf.explain(X, T=40, tau=0.5), X, y, n_refits=8)
    assert np.isfinite(shares).any()


def test_a_pipeline_knows_the_categories_that_it_encodes_itself():
    X, y = rare_jobs()
    X["job"] = X["job"].fillna("none")
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=3, random_state=0
    )
    encoder = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["job", "code"]), remainder="passthrough"
    )
    pipeline = make_pipeline(encoder, clf).fit(X, y)
    explanation = ctsk.explain(pipeline, X, T=40, tau=0.5)
    assert np.isfinite(stability(pipeline, explanation, X, y, n_refits=8)).any()


def test_samples_gain_only_the_categories_that_they_lack(monkeypatch):
    X, y = rare_jobs()
    sizes = []
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=1, random_state=0
    ).fit(X, y)
    fit = CounterfactualTrainedClassifier.fit

    def recording(self, X, y):
        assert {"pilot", None} <= {None if pd.isna(job) else job for job in X["job"]}
        sizes.append(len(X))
        return fit(self, X, y)

    monkeypatch.setattr(CounterfactualTrainedClassifier, "fit", recording)
    stability(clf, clf.explain(X.head(3), T=2), X, y, n_refits=6)
    # The code 7 occurs once as well, but the estimator treats it as a number.
    assert set(sizes) == {80, 81, 82}


def test_all_missing_values_are_one_category():
    cells = [None, "cook", np.nan, float("nan"), pd.NA, "cook", "nurse"]
    np.testing.assert_array_equal(_code_cells(cells), [0, 1, 0, 0, 0, 1, 2])


def test_an_amount_is_no_special_value_even_if_that_is_zero():
    schema = Schema(["a"], {}, np.zeros(1, bool), special_values={0: (0.0,)})
    np.testing.assert_array_equal(_code_states([5.0, 0.0, np.nan, 7.0], schema, 0), [0, 1, 2, 0])


def test_a_gap_and_a_special_value_of_a_single_row_are_known_to_every_refit(monkeypatch):
    X, y = rare_jobs()
    X = pd.DataFrame({"amount": np.arange(len(X)) + 0.5, "other": np.arange(len(X)) % 7 + 0.5})
    X.loc[3, "amount"], X.loc[5, "amount"] = np.nan, -9.0
    clf = CounterfactualTrainedClassifier(
        special_values={"amount": [-9]}, lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=1,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    fit = CounterfactualTrainedClassifier.fit

    def checking(self, X, y):
        assert X["amount"].isna().any()
        assert (X["amount"] == -9).any()
        return fit(self, X, y)

    explanation = clf.explain(X.head(3), T=2)
    monkeypatch.setattr(CounterfactualTrainedClassifier, "fit", checking)
    stability(clf, explanation, X, y, n_refits=6)


def test_stability_is_nan_where_the_counterfactual_is_not_valid(fitted_iris, iris):
    explanation = fitted_iris.explain(iris[0][:5], mutability=["none"] * 4)
    assert not explanation.valid.any()
    assert np.isnan(stability(fitted_iris, explanation, *iris, n_refits=1)).all()


def test_every_refit_has_a_random_state_of_its_own(fitted_iris, iris, monkeypatch):
    seeds = []
    fit = CounterfactualTrainedClassifier.fit

    def recording(self, X, y):
        seeds.append(self.random_state)
        return fit(self.set_params(lambda_div=0, lambda_adv=0, max_epochs=1), X, y)

    monkeypatch.setattr(CounterfactualTrainedClassifier, "fit", recording)
    explanation = fitted_iris.explain(iris[0][:3])
    stability(fitted_iris, explanation, *iris, n_refits=3)
    stability(fitted_iris, explanation, *iris, n_refits=3)
    assert seeds[:3] == seeds[3:]
    assert len(set(seeds)) == 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_refits": 0}, "'n_refits' parameter of stability must be an int in the range"),
        ({"explanation": np.zeros((3, 4))}, "'explanation' parameter"),
        ({"estimator": "clf"}, "'estimator' parameter"),
        ({"y": np.zeros(149)}, "inconsistent numbers of samples"),
        ({"X": np.zeros((150, 3))}, "X has 3 features, but the explained rows have 4"),
    ],
)
def test_invalid_parameter_is_named(fitted_iris, iris, params, message):
    defaults = {
        "estimator": fitted_iris,
        "explanation": fitted_iris.explain(iris[0][:3]),
        "X": iris[0],
        "y": iris[1],
    }
    with pytest.raises(ValueError, match=message):
        stability(**{**defaults, **params})
