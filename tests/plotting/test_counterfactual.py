from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.quiver import Quiver
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import make_moons_like
from ctsk.plotting import CounterfactualDisplay


@pytest.fixture(scope="module")
def moons():
    X, y = make_moons_like(100, random_state=0)
    return pd.DataFrame(X, columns=["width", "height"]), np.where(y == 0, "low", "up")


@pytest.fixture(scope="module")
def model(moons):
    return CounterfactualTrainedClassifier(
        lambda_div=0,
        lambda_adv=0,
        lambda_reg=0,
        lr=0.05,
        max_epochs=10,
        early_stopping=False,
        random_state=0,
    ).fit(*moons)


@pytest.fixture(scope="module")
def explanation(model, moons):
    """Counterfactuals of one class, three of which are not valid."""
    X, y = moons
    explanation = model.explain(X[y == "low"].head(20), "up")
    return replace(explanation, valid=explanation.valid & (np.arange(20) >= 3))


@pytest.fixture(scope="module")
def loan_explanation(fitted_loans, loans):
    return fitted_loans.explain(loans[0].head(30))


def points_of(ax):
    """Return the offsets of all scattered points by the label in the legend."""
    parts = [part for part in ax.collections if type(part) is PathCollection]
    return {part.get_label(): np.asarray(part.get_offsets()) for part in parts}


def arrows_of(ax):
    """Return the starts and the ends of all arrows."""
    parts = [part for part in ax.collections if isinstance(part, Quiver)]
    starts = np.concatenate([np.column_stack([part.X, part.Y]) for part in parts])
    lengths = np.concatenate([np.column_stack([part.U, part.V]) for part in parts])
    return starts, starts + lengths


def test_arrows_lead_from_factuals_to_counterfactuals(explanation, assert_inside):
    display = CounterfactualDisplay.from_explanation(explanation)
    factual, counterfactual = (
        part.to_numpy() for part in (explanation.factual, explanation.counterfactual)
    )
    # Valid ones are plotted first.
    order = np.argsort(~explanation.valid, kind="stable")
    starts, ends = arrows_of(display.ax_)
    assert_array_equal(starts, factual[order])
    assert_allclose(ends, counterfactual[order], rtol=1e-12)
    points = points_of(display.ax_)
    assert list(points) == ["factual", "counterfactual", "not valid"]
    assert_array_equal(points["factual"], factual)
    assert_array_equal(points["counterfactual"], counterfactual[3:])
    assert_array_equal(points["not valid"], counterfactual[:3])
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("width", "height")
    assert_inside(display.figure_)


def test_the_background_is_the_probability_of_the_target(explanation, model, moons, assert_inside):
    X, y = moons
    display = CounterfactualDisplay.from_explanation(
        explanation, estimator=model, X=X, y=y, features=["height", "width"], grid_resolution=7
    )
    heights, widths, response = display.surface
    assert_allclose(np.diff(heights, 2), 0, atol=1e-12)
    assert heights[0] < X["height"].min() and X["height"].max() < heights[-1]
    expected = [
        [model.predict_proba(pd.DataFrame({"width": [w], "height": [h]}))[0, 1] for h in heights]
        for w in widths
    ]
    assert_allclose(response, expected, rtol=1e-12)
    mesh = display.ax_.collections[0]
    assert_array_equal(np.asarray(mesh.get_array()), response)
    assert mesh.colorbar.ax.get_ylabel() == "probability of class up"
    points = points_of(display.ax_)
    for label in ("low", "up"):
        assert_array_equal(points[f"class {label}"], X.loc[y == label, ["height", "width"]])
    assert_inside(display.figure_)


def test_with_several_targets_the_background_is_the_predicted_class(model, moons):
    X, _ = moons
    display = CounterfactualDisplay.from_explanation(
        model.explain(X.head(10)), estimator=model, grid_resolution=5
    )
    x, y, response = display.surface
    grid = pd.DataFrame([(a, b) for b in y for a in x], columns=X.columns)
    assert_array_equal(model.classes_[response.ravel()], model.predict(grid))
    assert {"predicted low", "predicted up"} < set(points_of(display.ax_))


def test_arrays_and_pipelines_are_plotted_in_the_units_of_X(moons):
    X, y = moons[0].to_numpy() * 1000, moons[1]
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=5, random_state=0
    )
    pipeline = make_pipeline(StandardScaler(), clf).fit(X, y)
    explanation = ctsk.explain(pipeline, X[:5], X_reference=X)
    display = CounterfactualDisplay.from_explanation(explanation, estimator=pipeline, X=X)
    assert_array_equal(display.factual, X[:5])
    assert_array_equal(points_of(display.ax_)["observed row"], X)
    assert display.ax_.get_xlabel() == "x0"


def test_at_most_max_rows_are_plotted(explanation):
    display = CounterfactualDisplay.from_explanation(explanation, max_rows=3)
    assert_array_equal(display.factual, explanation.factual.to_numpy()[[0, 10, 19]])
    assert "factual (3 of 20)" in points_of(display.ax_)


def test_rows_that_change_in_other_features_only_have_a_marker_of_their_own(fitted, diabetes):
    explanation = fitted.explain(diabetes[0].head(10))
    # Both are immutable.
    display = CounterfactualDisplay.from_explanation(explanation, features=("age", "sex"))
    points = points_of(display.ax_)
    assert_array_equal(points["no change on these axes"], diabetes[0][["age", "sex"]].head(10))
    assert "counterfactual" not in points


def test_categories_have_ticks_and_bands(loan_explanation, loans, assert_inside):
    X, y = loans
    display = CounterfactualDisplay.from_explanation(
        loan_explanation, X=X, y=y, features=("job", "income")
    )
    names = ["cook", "nurse", "pilot", "missing"]
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == names
    for part, rows in (
        (display.factual, loan_explanation.factual),
        (display.counterfactual, loan_explanation.counterfactual),
        (display.data, X),
    ):
        codes = rows["job"].fillna("missing").map(names.index)
        # Every row is inside of the band of its category.
        assert np.abs(part[:, 0] - codes).max() < 0.5
        assert_array_equal(part[:, 1], rows["income"])
    kept = (
        loan_explanation.factual_rows.values[:, 3]
        == loan_explanation.counterfactual_rows.values[:, 3]
    )
    assert kept.any()
    assert_array_equal(display.factual[kept, 0], display.counterfactual[kept, 0])
    assert_inside(display.figure_)


def test_the_background_of_a_category_has_a_band_for_each(loans):
    X, y = loans[0][["job", "income"]].dropna(), loans[1].loc[loans[0]["job"].notna()]
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=3, random_state=0
    ).fit(X, y)
    display = CounterfactualDisplay.from_explanation(
        clf.explain(X.head(5), "granted"), estimator=clf, grid_resolution=4
    )
    codes, incomes, response = display.surface
    assert_array_equal(codes, [0, 1, 2])
    grid = [{"job": job, "income": v} for v in incomes for job in ("cook", "nurse", "pilot")]
    expected = clf.predict_proba(pd.DataFrame(grid))[:, 0].reshape(4, 3)
    assert_allclose(response, expected, rtol=1e-12)


def test_a_projection_is_that_of_the_encoded_rows(loan_explanation, loans, assert_inside):
    X, y = loans
    encoder = loan_explanation.encoder
    encoded = encoder.encode(X)
    center = encoded.mean(axis=0)
    _, singular_values, components = np.linalg.svd(encoded - center, full_matrices=False)
    display = CounterfactualDisplay.from_explanation(loan_explanation, X=X, y=y, features="pca")
    for part, rows in (
        (display.data, encoded),
        (display.factual, loan_explanation.factual_encoded),
        (display.counterfactual, loan_explanation.counterfactual_encoded),
    ):
        # The signs of components are arbitrary.
        assert_allclose(np.abs(part), np.abs((rows - center) @ components[:2].T), atol=1e-9)
    share = singular_values[0] ** 2 / (singular_values**2).sum()
    assert display.ax_.get_xlabel() == f"principal component 1 ({share:.0%} of variance)"
    assert_inside(display.figure_)


def test_without_X_the_explanation_determines_the_projection(loan_explanation):
    encoded = np.concatenate(
        [loan_explanation.factual_encoded, loan_explanation.counterfactual_encoded]
    )
    display = CounterfactualDisplay.from_explanation(loan_explanation, features="pca")
    projected = np.concatenate([display.factual, display.counterfactual])
    _, singular_values, _ = np.linalg.svd(encoded - encoded.mean(axis=0), full_matrices=False)
    assert_allclose((projected**2).sum(axis=0), singular_values[:2] ** 2)


def test_rows_without_a_number_are_left_out(diabetes):
    X, y = diabetes[0][["bmi", "bp", "s5"]].copy(), diabetes[1]
    X.iloc[::3, 0] = np.nan
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=3, random_state=0
    ).fit(X, y)
    explanation = clf.explain(X.head(6), mutability={"bmi": "none"})
    display = CounterfactualDisplay.from_explanation(explanation, features=("bmi", "bp"), X=X, y=y)
    assert_array_equal(display.factual, X.iloc[[1, 2, 4, 5], :2])
    assert "factual (4 of 6)" in points_of(display.ax_)
    with pytest.raises(ValueError, match="No row of the explanation holds numbers"):
        CounterfactualDisplay.from_explanation(explanation[[0, 3]], features=("bmi", "bp"))


def test_plot_returns_the_display_on_the_axes_of_the_user(explanation, model, moons, assert_inside):
    figure, ax = plt.subplots()
    display = CounterfactualDisplay.from_explanation(
        explanation, estimator=model, X=moons[0], y=moons[1], ax=ax
    )
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert_inside(figure)
    assert display.plot() is display
    assert display.ax_ is not ax


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "features is None, but the explanation has 5 features"),
        ({"features": "income"}, "must be 'pca' or the names of two features"),
        ({"features": ("income",)}, "must be 'pca' or the names of two features"),
        ({"features": 3}, "must be 'pca' or the names of two features"),
        ({"features": ("income", "height")}, "features names the feature 'height'"),
        ({"features": ("income", 0)}, "features names 'income' twice"),
        ({"features": "pca", "y": [0]}, "X is None"),
        ({"features": "pca", "max_rows": 0}, "'max_rows' parameter"),
        ({"features": "pca", "grid_resolution": 1}, "'grid_resolution' parameter"),
    ],
)
def test_invalid_arguments_are_errors(loan_explanation, arguments, message):
    with pytest.raises(ValueError, match=message):
        CounterfactualDisplay.from_explanation(loan_explanation, **arguments)


def test_estimators_of_more_features_than_axes_are_errors(
    loan_explanation, fitted_loans, explanation, model
):
    with pytest.raises(ValueError, match="depend on more than the two axes, 'job' and 'income'"):
        CounterfactualDisplay.from_explanation(
            loan_explanation, estimator=fitted_loans, features=("job", "income")
        )
    with pytest.raises(ValueError, match="depend on more than the two axes"):
        CounterfactualDisplay.from_explanation(explanation, estimator=model, features="pca")


def test_estimators_that_predict_no_probabilities_of_the_target_are_errors(explanation, moons):
    X, y = moons
    with pytest.raises(TypeError, match="estimator is a LinearRegression"):
        CounterfactualDisplay.from_explanation(explanation, estimator=LinearRegression())
    other = LogisticRegression().fit(X, y == "low")
    with pytest.raises(ValueError, match="estimator does not know the class 'up'"):
        CounterfactualDisplay.from_explanation(explanation, estimator=other)
    with pytest.raises(ValueError, match="y holds the label 'low'"):
        CounterfactualDisplay.from_explanation(explanation, estimator=other, X=X, y=y)


def test_invalid_observed_rows_are_errors(explanation, moons):
    X, y = moons
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        CounterfactualDisplay.from_explanation(explanation, X=X, y=y[1:])
    with pytest.raises(ValueError, match="it lacks 'height'"):
        CounterfactualDisplay.from_explanation(explanation, X=X[["width"]])
    with pytest.raises(ValueError, match="X has 1 columns, but the explanation has 2 features"):
        CounterfactualDisplay.from_explanation(explanation, X=X[["width"]].to_numpy())


def test_long_lists_of_categories_are_errors():
    X = pd.DataFrame({"town": [f"town {i % 31}" for i in range(62)], "age": np.arange(62.0)})
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=1, random_state=0
    ).fit(X, np.arange(62) > 30)
    with pytest.raises(ValueError, match="names 'town', which has 31 categories; at most 30"):
        CounterfactualDisplay.from_explanation(clf.explain(X.head(2)), features=("town", "age"))


def test_rows_without_variance_have_no_projection(explanation):
    same = replace(explanation, counterfactual_rows=explanation.factual_rows)[[0]]
    with pytest.raises(ValueError, match="needs at least two columns, and rows that differ"):
        CounterfactualDisplay.from_explanation(same, features="pca")


def test_invalid_explanations_are_errors(explanation):
    with pytest.raises(ValueError, match="explanation has no rows"):
        CounterfactualDisplay.from_explanation(explanation[[]])
    with pytest.raises(TypeError, match="explanation is a DataFrame"):
        CounterfactualDisplay.from_explanation(explanation.factual)
