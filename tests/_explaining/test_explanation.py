import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer

import ctsk
from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator
from ctsk._explaining.failure_reasons import Reason, ReasonKind


@pytest.fixture(scope="module")
def explanation(fitted, diabetes):
    return fitted.explain(diabetes[0].sample(40, random_state=0), T=60)


def test_counterfactual_has_container_index_columns_and_dtypes_of_x(explanation):
    factual, counterfactual = explanation.factual, explanation.counterfactual
    assert isinstance(counterfactual, pd.DataFrame)
    assert counterfactual.index.equals(factual.index)
    assert counterfactual.columns.equals(factual.columns)
    assert (counterfactual.dtypes == factual.dtypes).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_array_in_array_out(fitted_iris, iris, dtype):
    X = (10 * iris[0]).astype(dtype)
    clf = CounterfactualTrainedClassifier(
        max_epochs=10, lr=0.01, n_counterfactuals=100, random_state=0
    ).fit(X, iris[1])
    counterfactual = clf.explain(X[::5]).counterfactual
    assert type(counterfactual) is np.ndarray
    assert counterfactual.dtype == dtype
    assert (counterfactual != X[::5]).any()


def test_everything_said_is_said_of_the_rows_returned(fitted, explanation):
    assert_array_equal(fitted.predict(explanation.counterfactual), explanation.prediction)
    assert_array_equal(fitted.predict(explanation.factual), explanation.factual_prediction)
    assert_array_equal(fitted.predict_proba(explanation.counterfactual), explanation.proba)
    assert_array_equal(explanation.valid, explanation.prediction == explanation.target)
    targets = np.searchsorted(fitted.classes_, explanation.target)
    assert_array_equal(explanation.mature, explanation.proba[np.arange(40), targets] >= 0.75)
    moved = explanation.counterfactual_encoded - explanation.factual_encoded
    np.testing.assert_allclose(explanation.cost, np.abs(moved).sum(axis=1))


def test_encoded_rows_are_in_module_units(fitted, explanation):
    rows = fitted.encoder_.encode(explanation.factual)
    assert_array_equal(explanation.factual_encoded, rows)


def test_search_stops_at_maturity_and_takes_at_most_t_steps(explanation):
    assert explanation.valid.mean() > 0.8
    assert (explanation.mature | (explanation.n_iter == 60)).all()
    assert (explanation.mature <= explanation.valid).all()


def test_immutable_features_never_move_and_one_way_features_move_one_way(explanation):
    factual, counterfactual = explanation.factual, explanation.counterfactual
    for name in ("age", "sex"):
        assert_array_equal(counterfactual[name], factual[name])
    assert (counterfactual["s3"] >= factual["s3"]).all()
    assert (counterfactual["s3"] > factual["s3"]).any()


def test_counterfactuals_stay_in_the_domain_or_come_back_to_it(fitted, diabetes):
    X = diabetes[0].head(60)
    middle = X["bmi"].median()
    counterfactual = fitted.explain(
        X, domain={"bmi": (middle, None), "bp": (None, 90)}
    ).counterfactual
    assert (counterfactual["bmi"] >= np.minimum(middle, X["bmi"])).all()
    assert (counterfactual["bp"] <= np.maximum(90, X["bp"])).all()


def test_immutable_column_outside_its_domain_stays_where_it_is(diabetes):
    X, y = diabetes
    clf = CounterfactualTrainedClassifier(
        mutability={"bmi": "none"}, domain={"bmi": (0, 1)}, max_epochs=10, random_state=0
    ).fit(X, y)
    assert_array_equal(clf.explain(X.head(30)).counterfactual["bmi"], X["bmi"].head(30))


def test_explain_overrides_named_constraints_and_keeps_the_others(fitted, diabetes):
    X = diabetes[0].head(60)
    changed = fitted.explain(X, mutability={"age": "both", 2: "none"}, T=60).counterfactual
    assert (changed["age"] != X["age"]).any()
    assert_array_equal(changed["bmi"], X["bmi"])
    assert_array_equal(changed["sex"], X["sex"])
    assert (changed["s3"] >= X["s3"]).all()
    assert_array_equal(fitted.explain(X).counterfactual["age"], X["age"])


def test_all_free_all_fixed(fitted, diabetes):
    X = diabetes[0].head(20)
    fixed = fitted.explain(X, mutability=["none"] * 10)
    pd.testing.assert_frame_equal(fixed.counterfactual, X)
    assert not fixed.cost.any()
    assert_array_equal(fixed.valid, fixed.factual_prediction == fixed.target)
    free = fitted.explain(X, mutability=["both"] * 10, domain=[None] * 10, T=200)
    assert free.valid.all()


def test_default_target_is_the_other_class_of_two(fitted, explanation):
    assert (explanation.target != explanation.factual_prediction).all()


def test_default_target_is_the_runner_up_of_many(fitted_iris, iris):
    explanation = fitted_iris.explain(iris[0])
    order = np.argsort(fitted_iris.predict_proba(iris[0]), axis=1)
    assert_array_equal(explanation.target, order[:, -2])


@pytest.mark.parametrize("per_row", [list, np.array, pd.Series], ids=["list", "array", "Series"])
def test_target_is_a_label_or_one_label_per_row(fitted, diabetes, per_row):
    X = diabetes[0].head(4)
    assert_array_equal(fitted.explain(X, "slow").target, ["slow"] * 4)
    wanted = ["slow", "fast", "fast", "slow"]
    explanation = fitted.explain(X, per_row(wanted))
    assert_array_equal(explanation.target, wanted)


def test_row_that_is_predicted_as_its_target_with_confidence_is_returned_as_it_is(fitted, diabetes):
    X, _ = diabetes
    sure = X[fitted.predict_proba(X)[:, 1] > 0.8]
    explanation = fitted.explain(sure, "slow")
    pd.testing.assert_frame_equal(explanation.counterfactual, sure)
    assert explanation.valid.all()
    assert not explanation.n_iter.any()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("medium", "target holds the label 'medium' .row 0.*not one of the classes"),
        (["slow", "fast", "medium"], "target holds the label 'medium' .row 2."),
        (["slow", "fast"], r"target has shape \(2,\) for 3 rows"),
        ([["slow"], ["fast"], ["fast"]], r"target has shape \(3, 1\)"),
        (1, "target holds the label 1 .row 0."),
    ],
)
def test_bad_target_is_refused(fitted, diabetes, target, message):
    with pytest.raises(ValueError, match=message):
        fitted.explain(diabetes[0].head(3), target)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mutability": 5}, "'mutability'"),
        ({"domain": 5}, "'domain'"),
        ({"domain": [None]}, "domain must be a dict by feature, such as {'age': .0, None.}, or"),
        ({"tau": 1.0}, "'tau'"),
        ({"T": 0}, "'T'"),
        ({"generator": "growing spheres"}, "generator"),
        ({"mutability": {"weight": "none"}}, "mutability names the feature 'weight'"),
        ({"domain": {"bmi": (30, 20)}}, "domain of feature 'bmi'.*low must not be greater"),
    ],
)
def test_bad_setting_is_refused(fitted, diabetes, arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted.explain(diabetes[0].head(3), **arguments)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda X: X.drop(columns="bmi"),
        lambda X: X.rename(columns={"bmi": "weight"}),
        lambda X: X[X.columns[::-1]],
        lambda X: X.to_numpy()[:, :4],
    ],
    ids=["missing column", "unknown column", "other order", "other width"],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_other_columns_than_fitted_are_refused(fitted, diabetes, spoil):
    with pytest.raises(ValueError, match="feature"):
        fitted.explain(spoil(diabetes[0].head(3)))


def test_settings_of_a_call_replace_those_of_the_estimator(fitted, diabetes):
    X = diabetes[0].head(30)
    assert fitted.explain(X, T=2).n_iter.max() == 2
    eager, patient = fitted.explain(X, tau=0.55, T=100), fitted.explain(X, tau=0.9, T=100)
    assert np.median(eager.cost) < np.median(patient.cost)
    strict = fitted.explain(X, generator=ECCCoGenerator(lambda_cost=2.0))
    assert strict.cost.mean() < fitted.explain(X, generator="eccco").cost.mean()


def test_explaining_leaves_the_estimator_as_it_was(fitted, diabetes):
    before = fitted.predict_proba(diabetes[0])
    attributes = set(vars(fitted))
    fitted.explain(diabetes[0].head(5), mutability={"age": "both"}, tau=0.6)
    assert set(vars(fitted)) == attributes
    assert_array_equal(fitted.predict_proba(diabetes[0]), before)


@pytest.mark.parametrize("generator", ["nearest", "eccco"])
def test_path_leads_from_the_factual_to_the_counterfactual(fitted, diabetes, generator):
    X = diabetes[0].head(12)
    explanation = fitted.explain(X, T=40, generator=generator, return_path=True)
    assert explanation.path.shape == (12, 41, 10)
    assert_array_equal(explanation.path[:, 0], X)
    assert_array_equal(explanation.path[:, -1], explanation.counterfactual)
    assert (explanation.path[:, :, :2] == X.to_numpy()[:, None, :2]).all()
    is_step = np.abs(np.diff(explanation.path, axis=1)).sum(axis=2) > 0
    last_step = (is_step * np.arange(1, 41)).max(axis=1)
    assert_array_equal(last_step, explanation.n_iter)
    # A gradient moves a row in every step, a round of nearest only when it finds a cheaper one.
    if generator == "eccco":
        assert_array_equal(is_step.sum(axis=1), explanation.n_iter)


def test_path_is_recorded_on_request_only(fitted, diabetes):
    assert fitted.explain(diabetes[0].head(2)).path is None


def test_integers_come_back_as_integers_and_are_judged_after_rounding(diabetes):
    X, y = diabetes
    X = X.assign(s1=X["s1"].astype(int), s6=X["s6"].astype("int32"), sex=X["sex"].astype("int8"))
    clf = CounterfactualTrainedClassifier(
        max_epochs=20, mutability={"s1": "decrease"}, n_counterfactuals=100, random_state=0
    ).fit(X, y)
    X = X[::4]
    # The cheapest rows change other features, unless these are fixed.
    others = dict.fromkeys(X.columns.drop(["s1", "s6", "sex"]), "none")
    free, held = clf.explain(X), clf.explain(X, mutability=others)
    for explanation in (free, held):
        found = explanation.counterfactual
        assert (found.dtypes == X.dtypes).all()
        assert (found["s1"] <= X["s1"]).all()
        assert_array_equal(clf.predict(found), explanation.prediction)
    # The search of rows that were rejected after rounding went on.
    assert free.valid.mean() > 0.9
    assert (found != X)[["s1", "s6", "sex"]].any().all()
    assert 0 < held.valid.sum()


def test_path_ends_at_the_rounded_counterfactual(diabetes):
    X, y = diabetes[0].astype(int), diabetes[1]
    clf = CounterfactualTrainedClassifier(max_epochs=10, n_counterfactuals=100, random_state=0).fit(
        X, y
    )
    explanation = clf.explain(X.head(20), return_path=True)
    assert_array_equal(explanation.path[:, -1], explanation.counterfactual)


def test_explanation_does_not_change_with_the_rows_it_was_made_for(fitted, diabetes):
    X = diabetes[0].head(5).copy()
    explanation = fitted.explain(X)
    X.iloc[:, :] = 0.0
    pd.testing.assert_frame_equal(explanation.factual, diabetes[0].head(5))


def test_every_kind_of_column_comes_back_as_it_went_in(fitted_loans, loans):
    X, _ = loans
    explanation = fitted_loans.explain(X, T=60)
    found = explanation.counterfactual
    assert explanation.valid.mean() > 0.9
    assert (found.dtypes == X.dtypes).all()
    assert found.index.equals(X.index)
    for column in X:
        assert (found[column].astype(object) != X[column].astype(object)).any()
    # A missing category may be left, but is no way out; 'doctor' was never observed.
    assert (found["job"].notna() & X["job"].isna()).any()
    assert not (found["job"].isna() & X["job"].notna()).any()
    assert "doctor" not in set(found["grade"])
    assert_array_equal(fitted_loans.predict_proba(found), explanation.proba)


def test_a_category_that_was_only_declared_is_reached_if_the_domain_says_so(fitted_loans, loans):
    X = loans[0].head(100)
    found = fitted_loans.explain(X, "granted", domain={"grade": ["doctor"]}).counterfactual
    assert (found["grade"] == "doctor").any()
    assert ((found["grade"] == "doctor") | (found["grade"] == X["grade"])).all()


def test_ordered_category_and_flag_move_one_way(fitted_loans, loans):
    X, _ = loans
    found = fitted_loans.explain(
        X, mutability={"grade": "increase", "owner": "decrease"}, T=60
    ).counterfactual
    assert (found["grade"] >= X["grade"]).all()
    assert (found["grade"] > X["grade"]).any()
    assert (found["owner"] <= X["owner"]).all()
    assert (found["owner"] < X["owner"]).any()


def test_each_row_may_have_constraints_of_its_own(fitted_loans, loans):
    X = loans[0].head(3)
    frozen = dict.fromkeys(X.columns, "none")
    found = fitted_loans.explain(X, mutability=[frozen, None, {"income": "none"}]).counterfactual
    pd.testing.assert_frame_equal(found.iloc[[0]], X.iloc[[0]])
    assert found["income"].iloc[2] == X["income"].iloc[2]
    assert not found.iloc[1].equals(X.iloc[1])
    alone = fitted_loans.explain(X.iloc[[2]], mutability={"income": "none"}).counterfactual
    pd.testing.assert_frame_equal(found.iloc[[2]], alone)


@pytest.mark.parametrize("dear", ["income", "grade"])
def test_features_that_cost_more_move_less(fitted_loans, loans, dear):
    X, _ = loans
    # Half of the rows suffice for a mean.
    X, generator = X[::2], ECCCoGenerator(lambda_cost=0.3, lambda_energy=0.0, step_size=0.05)
    moved = []
    for cost in (0.01, 5.0):
        unit = X["income"].std() if dear == "income" else 1.0
        explanation = fitted_loans.explain(
            X, tau=0.6, T=200, generator=generator, feature_costs={dear: cost / unit}
        )
        assert explanation.valid.mean() > 0.9
        codes = [
            rows[dear] if dear == "income" else rows[dear].cat.codes
            for rows in (X, explanation.counterfactual)
        ]
        moved.append((codes[0] - codes[1]).abs().mean())
    assert moved[1] < 0.7 * moved[0]


def test_cost_is_the_price_of_what_moved(fitted_loans, loans):
    X, _ = loans
    costs = {"income": 0.01, "children": 2.0, "grade": 3.0, "job": 5.0, "owner": 7.0}
    explanation = fitted_loans.explain(X, feature_costs=costs)
    found = explanation.counterfactual
    expected = 0.01 * (found["income"] - X["income"]).abs()
    expected += 2 * (found["children"] - X["children"]).abs()
    for name in ("grade", "job", "owner"):
        same = (found[name] == X[name]) | (found[name].isna() & X[name].isna())
        expected += costs[name] * ~same
    np.testing.assert_allclose(explanation.cost, expected)


def test_path_is_told_in_words(fitted_loans, loans):
    X = loans[0].head(20)
    explanation = fitted_loans.explain(X, return_path=True)
    assert explanation.path.dtype == object
    for step, rows in ((0, X), (-1, explanation.counterfactual)):
        for position, name in enumerate(X):
            states = without_gaps(explanation.path[:, step, position])
            assert states == without_gaps(rows[name])


def without_gaps(cells):
    return ["missing" if pd.isna(cell) else cell for cell in cells]


def test_changes_tell_categories_in_words(fitted_loans, loans):
    changes = fitted_loans.explain(loans[0], T=60).changes()
    grades = changes[changes["feature"] == "grade"]
    assert set(grades["from"]) <= {"none", "school", "college"}
    assert (grades["from"] != grades["to"]).all()


def test_many_rows_are_searched_like_few(fitted_iris, iris, monkeypatch):
    from ctsk._explaining import models, search

    X = iris[0][::5]
    whole = fitted_iris.explain(X)
    for module in (models, search):
        monkeypatch.setattr(module, "chunk_size", lambda n_cells: 7)
    parts = fitted_iris.explain(X)
    np.testing.assert_allclose(parts.counterfactual, whole.counterfactual, rtol=1e-4)
    assert_array_equal(parts.n_iter, whole.n_iter)


def test_explaining_twice_gives_the_same_bits(fitted, diabetes):
    twice = [fitted.explain(diabetes[0].head(50)).counterfactual for _ in range(2)]
    pd.testing.assert_frame_equal(*twice, check_exact=True)


def test_changes_lists_what_moved_row_by_row(explanation):
    changes = explanation.changes()
    assert list(changes.columns) == ["row", "feature", "from", "to", "share"]
    moved = explanation.factual.to_numpy() != explanation.counterfactual.to_numpy()
    assert len(changes) == moved.sum()
    for line in changes.sample(20, random_state=0).to_dict("records"):
        assert explanation.factual.loc[line["row"], line["feature"]] == line["from"]
        assert explanation.counterfactual.loc[line["row"], line["feature"]] == line["to"]
        assert line["from"] != line["to"]
    assert changes["row"].drop_duplicates().tolist() == [
        row
        for row, any_moved in zip(explanation.factual.index, moved.any(axis=1), strict=True)
        if any_moved
    ]


def test_changes_are_sorted_by_their_share_of_the_cost(explanation):
    changes = explanation.changes()
    order = {name: position for position, name in enumerate(explanation.factual)}
    for row, lines in changes.groupby("row", sort=False):
        position = explanation.factual.index.get_loc(row)
        cost = explanation.feature_cost[position] / explanation.cost[position]
        features = [order[name] for name in lines["feature"]]
        np.testing.assert_allclose(lines["share"], cost[features])
        assert features == sorted(features, key=lambda f: (-cost[f], f))
        assert lines["share"].sum() == pytest.approx(1)


def test_changes_of_equal_share_are_in_the_order_of_the_columns(fitted_loans, loans):
    words = {"*": "none", "grade": "both", "job": "both", "owner": "both"}
    changes = fitted_loans.explain(loans[0], mutability=words, feature_costs={"*": 2}).changes()
    order = loans[0].columns.get_indexer(changes["feature"])
    assert changes["row"].duplicated().any()
    assert (np.diff(order)[changes["row"].duplicated()[1:]] > 0).all()


def test_changes_of_a_row_that_costs_nothing_have_no_share(fitted, diabetes):
    changes = fitted.explain(diabetes[0].head(20), feature_costs={"*": 0}, T=20).changes()
    assert len(changes)
    assert (changes["share"] == 0).all()


@pytest.mark.parametrize("generator", ["nearest", "eccco"])
def test_costs_of_features_add_up_to_the_cost_of_the_row(fitted_loans, loans, generator):
    X, _ = loans
    costs = {"income": 0.01, "children": 2.0, "grade": 3.0, "job": 5.0, "owner": 7.0}
    explanation = fitted_loans.explain(X, feature_costs=costs, T=20, generator=generator)
    found = explanation.counterfactual
    np.testing.assert_allclose(explanation.feature_cost.sum(axis=1), explanation.cost)
    for position, name in enumerate(X):
        if name in ("income", "children"):
            expected = costs[name] * (found[name] - X[name]).abs()
        else:
            is_same = (found[name] == X[name]) | (found[name].isna() & X[name].isna())
            expected = costs[name] * ~is_same
        np.testing.assert_allclose(explanation.feature_cost[:, position], expected, atol=1e-12)


def test_costs_of_features_of_a_pipeline_with_curves_are_exact(diabetes):
    X, y = diabetes
    curves = make_column_transformer(
        (FunctionTransformer(np.log), ["bmi"]),
        (PowerTransformer(), ["s1"]),
        remainder="passthrough",
    )
    clf = CounterfactualTrainedClassifier(max_epochs=20, n_counterfactuals=100, random_state=0)
    pipeline = make_pipeline(curves, clf).fit(X, y)
    explanation = ctsk.explain(pipeline, X.head(20), T=30)
    np.testing.assert_allclose(explanation.feature_cost.sum(axis=1), explanation.cost)
    # The cost is the distance in units of the classifier, in which bmi is a logarithm.
    logs = np.log(explanation.counterfactual["bmi"]) - np.log(explanation.factual["bmi"])
    of_bmi = explanation.feature_cost[:, X.columns.get_loc("bmi")]
    np.testing.assert_allclose(of_bmi, np.abs(logs) / np.log(X["bmi"]).std(ddof=0), rtol=0.01)
    assert of_bmi.any()
    is_same = explanation.factual_rows.values == explanation.counterfactual_rows.values
    assert (explanation.feature_cost[is_same] == 0).all()


def test_features_that_could_not_change_are_immutable(fitted_loans, loans):
    X = loans[0].head(5).copy()
    X["children"] = [2, 3, 2, 0, 1]
    X["owner"] = [True, False, True, True, False]
    rows = [{}, {"income": "none"}, None, {"grade": "none"}, {}]
    explanation = fitted_loans.explain(
        X, "granted", mutability=rows, domain={"children": (1.5, 2.5)}, T=2, n_alternatives=2
    )
    immutable = pd.DataFrame(explanation.immutable[::2], X.index, X.columns)
    # 2 is the only whole number of the domain, into which all others can move.
    assert immutable["children"].tolist() == [True, False, True, False, False]
    assert immutable["income"].tolist() == [False, True, False, False, False]
    assert immutable["grade"].tolist() == [False, False, False, True, False]
    assert not immutable[["job", "owner"]].any(axis=None)
    assert_array_equal(explanation.immutable[1::2], explanation.immutable[::2])
    rising = fitted_loans.explain(X, "granted", mutability={"owner": "increase"}, T=2)
    assert rising.immutable[:, 4].tolist() == X["owner"].tolist()
    own = fitted_loans.explain(X, "granted", domain={"job": X["job"].dropna().unique()[:1]}, T=2)
    assert own.immutable[:, 3].tolist() == (X["job"] == X["job"].dropna().unique()[0]).tolist()


@pytest.mark.parametrize(("most", "is_immutable"), [(5.9, True), (6.1, False)])
def test_a_feature_with_no_whole_number_between_its_bounds_is_immutable(most, is_immutable):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 10, 60), rng.normal(size=60)]).astype(float)
    clf = CounterfactualTrainedClassifier(
        max_epochs=1, n_counterfactuals=10, resolution={0: 1}, random_state=0
    ).fit(X, X[:, 1] > 0)
    explanation = clf.explain(
        np.array([[5.2, 0.0]]), mutability={0: "increase"}, domain={0: (0, most)}
    )
    assert explanation.immutable.tolist() == [[is_immutable, False]]
    assert explanation.counterfactual[0, 0] in (5.2, 6.0)
    if is_immutable:
        assert explanation.counterfactual[0, 0] == 5.2


def test_fitted_constraints_make_features_immutable(fitted, diabetes):
    explanation = fitted.explain(diabetes[0].head(3), T=2)
    assert explanation.immutable[:, :2].all()
    assert not explanation.immutable[:, 2:].any()
    assert not fitted.explain(diabetes[0].head(3), mutability={"age": "both"}, T=2).immutable[0, 0]


def test_no_feature_that_changed_is_immutable(fitted_loans, loans):
    X, _ = loans
    limits = {"children": "decrease", "grade": "increase", "owner": "increase"}
    explanation = fitted_loans.explain(X, mutability=limits, domain={"income": (2_000, 2_500)})
    moved = explanation.factual_rows.values != explanation.counterfactual_rows.values
    moved &= ~np.isnan(explanation.factual_rows.values)
    assert not (moved & explanation.immutable).any()
    assert explanation.immutable.any()


def test_probabilities_of_factuals_are_those_of_the_model(fitted_loans, loans):
    X = loans[0].head(6)
    explanation = fitted_loans.explain(X, n_alternatives=2, T=2)
    assert_array_equal(explanation.factual_proba[::2], fitted_loans.predict_proba(X))
    assert explanation.classes == ("granted", "refused")
    assert explanation.tau == fitted_loans.tau


def test_to_frame_puts_factual_and_counterfactual_side_by_side(explanation):
    frame = explanation.to_frame()
    pd.testing.assert_frame_equal(frame["factual"], explanation.factual)
    pd.testing.assert_frame_equal(frame["counterfactual"], explanation.counterfactual)


def test_array_gets_generated_feature_names(fitted_iris, iris):
    explanation = fitted_iris.explain(iris[0][:5])
    assert list(explanation.to_frame()["factual"]) == ["x0", "x1", "x2", "x3"]
    assert set(explanation.changes()["feature"]) <= {"x0", "x1", "x2", "x3"}


def test_representations_say_how_many_are_valid_at_what_cost_and_steps(explanation):
    n_valid = explanation.valid.sum()
    cost = f"{np.median(explanation.cost[explanation.valid]):.3g}"
    steps = f"{np.median(explanation.n_iter[explanation.valid]):g}"
    for text in (repr(explanation), explanation._repr_html_()):
        assert "40" in text
        for said in (f"{n_valid} ({n_valid / 40:.0%})", cost, steps):
            assert said in text
    assert len(repr(explanation).splitlines()) <= 7
    assert len(explanation) == 40


def test_summary_of_a_valid_row_that_is_not_mature_does_not_say_that_nothing_was_found(
    explanation,
):
    row = explanation[np.flatnonzero(explanation.valid)[:1]]
    reason = Reason(ReasonKind.NOT_FOUND, "the text")
    short = replace(row, mature=np.array([False]), reason=np.array([reason], dtype=object))
    line = "valid, but not as requested: 1 not found within the constraints"
    assert line in repr(short)


def test_html_shows_the_changes_of_the_first_rows(explanation):
    text = explanation._repr_html_()
    line = explanation.changes().iloc[0]
    assert f">{line['feature']}<" in text
    assert f">{line['share']:.0%}<" in text
    assert "35 more rows" in text
    assert text.count("<table>") == text.count("</table>") == 2


def test_html_of_rows_without_changes_and_of_arrays(fitted_iris, iris):
    explanation = fitted_iris.explain(iris[0][[0, 60]], 0)
    text = explanation._repr_html_()
    assert "no change" in text
    assert ">x2<" in text
    stuck = fitted_iris.explain(iris[0][[60]], 0, mutability=["none"] * 4)
    assert "not valid" in stuck._repr_html_()
    assert "Changes" not in explanation[:0]._repr_html_()


def test_html_is_escaped_and_bounded():
    rng = np.random.default_rng(0)
    names = [f"<b>{i}</b>{'x' * 1_000}" for i in range(60)]
    X = pd.DataFrame(rng.normal(size=(200, 60)), columns=names)
    y = np.where(X.sum(axis=1) > 0, "<i>yes", "no")
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=5, random_state=0
    ).fit(X, y)
    text = clf.explain(X, generator="eccco", T=10)._repr_html_()
    assert "<b>" not in text
    assert "&lt;b&gt;" in text
    assert len(text) < 20_000


def test_representation_tells_rows_that_were_predicted_as_their_target_before(fitted, diabetes):
    X, _ = diabetes
    explanation = fitted.explain(X, "slow")
    n_before = (fitted.predict(X) == "slow").sum()
    assert explanation.already.sum() == n_before
    assert f"predicted as target before: {n_before} (" in repr(explanation)


def test_representation_without_any_valid_row(fitted, diabetes):
    X, _ = diabetes
    slow = X[fitted.predict(X) == "slow"]
    text = repr(fitted.explain(slow, "fast", mutability=["none"] * 10))
    assert "valid: 0 (0%)" in text
    assert "cost" not in text


def rows_at(explanation, idx):
    """Everything that an explanation holds of some rows."""
    names = ("target", "prediction", "factual_prediction", "proba", "valid", "mature", "n_iter")
    arrays = [getattr(explanation, name)[idx].tolist() for name in names]
    reasons = [str(reason) for reason in explanation.reason[idx]]
    return *arrays, explanation.cost[idx].tolist(), reasons, explanation.path[idx].tolist()


@pytest.mark.parametrize(
    "key",
    [3, -1, slice(2, 9, 3), [5, 1, 1], np.array([True, False] * 6), slice(0), []],
    ids=["position", "last", "slice", "positions", "mask", "empty slice", "empty list"],
)
@pytest.mark.parametrize("n_alternatives", [1, 3])
def test_explanations_are_indexed_like_arrays(fitted_loans, loans, key, n_alternatives):
    X = loans[0].head(12 // n_alternatives)
    whole = fitted_loans.explain(X, n_alternatives=n_alternatives, T=5, return_path=True)
    part = whole[key]
    idx = np.atleast_1d(np.arange(12)[np.array(key, dtype=int) if isinstance(key, list) else key])
    assert len(part) == len(idx)
    assert rows_at(part, slice(None)) == rows_at(whole, idx)
    pd.testing.assert_frame_equal(part.counterfactual, whole.counterfactual.iloc[idx])
    pd.testing.assert_frame_equal(part.factual, whole.factual.iloc[idx])
    pd.testing.assert_frame_equal(part.to_frame(), whole.to_frame().iloc[idx])
    assert_array_equal(part.counterfactual_encoded, whole.counterfactual_encoded[idx])
    assert_array_equal(part.alternative, whole.alternative[idx])
    assert_array_equal(part.row, whole.row[idx])
    assert repr(part).startswith(f"Explanation\n  rows: {len(idx)}")


def test_valid_rows_of_an_explanation_are_an_explanation(fitted, diabetes):
    explanation = fitted.explain(diabetes[0].head(40), generator="eccco", T=10)
    valid = explanation[explanation.valid]
    assert 0 < len(valid) < 40
    assert valid.valid.all()
    assert set(valid.changes()["row"]) <= set(valid.factual.index)


def test_position_beyond_the_end_is_an_index_error_and_iteration_ends(fitted_iris, iris):
    explanation = fitted_iris.explain(iris[0][:3], T=2)
    with pytest.raises(IndexError):
        explanation[3]
    assert [part.row.tolist() for part in explanation] == [[0], [1], [2]]


def test_constraints_of_rows_are_matched_by_the_index_of_x(fitted, diabetes):
    X = diabetes[0].head(4).set_axis(["p", "q", "r", "s"])
    table = pd.DataFrame("both", X.index, X.columns)
    table.loc["r", ["bmi", "bp"]] = "none"
    for rows in (table, table.iloc[::-1], table.loc[["q", "s", "p", "r"]]):
        found = fitted.explain(X, mutability=rows).counterfactual
        assert found.loc["r", ["bmi", "bp"]].equals(X.loc["r", ["bmi", "bp"]])
    for rows, explained in ((table.set_axis(["q", "r", "s", "t"]), X), (table, X.to_numpy())):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            with pytest.raises(ValueError, match=r"index of mutability is not that of X.*set_axis"):
                fitted.explain(explained, mutability=rows)


def test_targets_in_another_order_than_x_are_refused(fitted, diabetes):
    X = diabetes[0].head(4)
    target = pd.Series(["slow", "fast", "slow", "fast"], X.index)
    with pytest.raises(ValueError, match=r"target.loc\[X.index\]"):
        fitted.explain(X, target.iloc[::-1])
    assert fitted.explain(X, target, T=1).target.tolist() == target.tolist()
    other = target.set_axis([7, 8, 9, 10])
    assert fitted.explain(X, other, T=1).target.tolist() == target.tolist()


@pytest.mark.parametrize("parameter", ["mutability", "domain", "feature_costs"])
def test_a_set_has_no_order_and_is_refused(fitted_iris, iris, parameter):
    braces = {"mutability": {"none", "both", "increase", "decrease"}, "domain": {1, 2, 3, 4},
              "feature_costs": {1, 2, 3, 4}}[parameter]  # fmt: skip
    with pytest.raises(ValueError, match=f"{parameter} must be a dict by feature"):
        fitted_iris.explain(iris[0][:2], **{parameter: braces})
    with pytest.raises(ValueError, match="domain of feature 'x0' is {.*}.* must be a pair"):
        fitted_iris.explain(iris[0][:2], domain={0: {4, 8}})


def test_alternatives_of_a_frame_that_forbids_duplicate_labels(fitted, diabetes):
    X = diabetes[0].head(3).set_flags(allows_duplicate_labels=False)
    assert len(fitted.explain(X, n_alternatives=2, T=2).counterfactual) == 6


def test_changes_list_text_that_has_no_encoding():
    # Names of files may contain lone surrogates, which pyarrow's text cannot hold.
    words = np.array(["\udcff", "a"] * 30, dtype=object)
    X = pd.DataFrame({"word": pd.Series(words, dtype=object)})
    clf = CounterfactualTrainedClassifier(max_epochs=30, lr=0.05, random_state=0)
    changes = clf.fit(X, words == "a").explain(X.head(2)).changes()
    assert changes["to"].tolist() == ["a", "\udcff"]
