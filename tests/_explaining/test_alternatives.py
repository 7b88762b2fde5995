"""Several counterfactuals for a row."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator
from ctsk.metrics import cost, diversity, make_counterfactual_scorer, redundancy, validity

SETTINGS = {"tau": 0.6, "T": 80}


@pytest.fixture(scope="module")
def alternatives(fitted_loans, loans):
    return fitted_loans.explain(loans[0].head(60), n_alternatives=4, **SETTINGS)


def distances(explanation):
    """Between alternatives of a factual, where both were reached; the others NaN."""
    n_each, weights = explanation.n_alternatives, explanation.encoder.column_weights
    rows = explanation.counterfactual_encoded.reshape(-1, n_each, len(weights))
    reached = np.array([reason is None for reason in explanation.reason]).reshape(-1, n_each)
    i, j = np.triu_indices(n_each, 1)
    apart = np.abs(rows[:, i] - rows[:, j]) @ weights
    return np.where(reached[:, i] & reached[:, j], apart, np.nan)


def test_alternatives_are_apart_and_most_rows_have_all(alternatives):
    apart = distances(alternatives)
    assert np.nanmin(apart) >= 0.1
    assert np.isfinite(apart).all(axis=1).mean() > 0.9
    assert np.nanmean(apart) > 1


def test_sparse_alternatives_leave_alone_what_the_first_changes_where_they_can(fitted_loans, loans):
    X = loans[0].head(60)
    alternatives = fitted_loans.explain(X, n_alternatives=2, sparse=True, **SETTINGS)
    encoder = alternatives.encoder
    moved = np.abs(alternatives.counterfactual_encoded - alternatives.factual_encoded)
    moved = np.column_stack(
        [moved[:, encoder.feature_columns[feature]].max(axis=1) for feature in range(X.shape[1])]
    )
    first, second = moved[::2], moved[1::2]
    most = first > 0.5 * first.max(axis=1, keepdims=True)
    held = [dict.fromkeys(X.columns[row], "none") for row in most]
    alone = fitted_loans.explain(X, mutability=held, **SETTINGS)
    is_way = alone.mature & alone.valid
    assert is_way.mean() > 0.8
    assert not ((second > 0) & most)[is_way].any()


def test_the_first_alternatives_do_not_depend_on_how_many_are_asked_for(
    fitted_loans, loans, alternatives
):
    few = fitted_loans.explain(loans[0].head(60), n_alternatives=2, **SETTINGS)
    one = fitted_loans.explain(loans[0].head(60), **SETTINGS)
    for explanation in (few, one):
        n_each = explanation.n_alternatives
        kept = alternatives.alternative < n_each
        expected = alternatives.counterfactual[kept].reset_index(drop=True)
        found = explanation.counterfactual.reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected)
        assert (explanation.reason == alternatives.reason[kept]).all()


def test_frames_tell_alternatives_apart_by_their_index(alternatives, loans):
    X = loans[0].head(60)
    assert alternatives.counterfactual.index.names == ["row", "alternative"]
    assert alternatives.factual.loc[X.index[3]].equals(
        X.iloc[[3] * 4].set_axis(pd.RangeIndex(4, name="alternative"))
    )
    assert alternatives.factual.dtypes.equals(X.dtypes)
    frame = alternatives.to_frame()
    assert len(frame.loc[X.index[3]]) == 4
    assert list(frame.columns.levels[0]) == ["factual", "counterfactual"]
    changes = alternatives.changes()
    assert list(changes.columns) == ["row", "alternative", "feature", "from", "to"]
    line = changes.iloc[-1]
    moved = alternatives.counterfactual.loc[(line["row"], line["alternative"]), line["feature"]]
    assert moved == line["to"]
    assert X.loc[line["row"], line["feature"]] == line["from"]


def test_index_of_several_levels_gains_one_more(fitted_loans, loans):
    X = (
        loans[0]
        .head(4)
        .set_index(pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", "y"]))
    )
    index = fitted_loans.explain(X, n_alternatives=2, T=5).counterfactual.index
    assert index.names == ["x", "y", "alternative"]
    assert index.droplevel("alternative").equals(X.index.repeat(2))


def test_index_names_stay_apart(fitted_loans, loans):
    X = loans[0].head(2)
    unnamed = X.set_axis(pd.MultiIndex.from_product([["a"], [1, 2]]))
    again = X.rename_axis("alternative")
    for frame, names in ((unnamed, ["level_0", "level_1", "alternative"]),
                         (again, ["alternative", "alternative_again"])):  # fmt: skip
        found = fitted_loans.explain(frame, n_alternatives=2, T=3).counterfactual
        assert found.index.names == names
        assert len(found.reset_index().columns) == X.shape[1] + len(names)


def test_alternative_that_is_apart_though_immature_is_not_given_up_for_one_that_is_too_near():
    X, y = load_wine(return_X_y=True)
    clf = CounterfactualTrainedClassifier(max_epochs=30, lr=0.01, random_state=0).fit(X, y)
    plain = clf.explain(X, tau=0.99, n_alternatives=2)
    near = [str(reason).startswith("too near") for reason in plain.reason]
    assert not np.any(near)


def test_arrays_hold_the_alternatives_of_a_row_one_behind_the_other(fitted_iris, iris):
    X = iris[0][:5]
    explanation = fitted_iris.explain(X, n_alternatives=3, return_path=True, **SETTINGS)
    assert explanation.counterfactual.shape == (15, 4)
    np.testing.assert_array_equal(explanation.factual, np.repeat(X, 3, axis=0))
    np.testing.assert_array_equal(explanation.alternative, [0, 1, 2] * 5)
    np.testing.assert_array_equal(explanation.path[:, 0], explanation.factual)
    np.testing.assert_array_equal(explanation.path[:, -1], explanation.counterfactual)
    assert explanation.to_frame().index.names == ["row", "alternative"]
    assert set(explanation.changes()["row"]) == set(range(5))


def test_target_is_given_once_per_row_whatever_the_number_of_alternatives(fitted_iris, iris):
    target = np.array([1, 2, 1])
    explanation = fitted_iris.explain(iris[0][:3], target, n_alternatives=2, T=5)
    assert explanation.target.tolist() == [1, 1, 2, 2, 1, 1]


def test_row_with_a_single_counterfactual_says_that_others_are_too_near(fitted_loans, loans):
    """Only whether one owns a house may change, and that can change once."""
    X, _ = loans
    fixed = {name: "none" for name in X if name != "owner"}
    explanation = fitted_loans.explain(X, n_alternatives=2, mutability=fixed, tau=0.5, T=40)
    first, second = explanation.reason[::2], explanation.reason[1::2]
    reached = first == None  # noqa: E711
    # The factual itself is a second way where it is predicted as its target: here it never is.
    assert reached.any()
    assert set(second[reached]) == {
        "too near to an earlier alternative: no other counterfactual was found"
    }


def test_rows_do_not_depend_on_those_that_are_explained_beside_them(
    fitted_loans, loans, alternatives
):
    alone = fitted_loans.explain(loans[0].iloc[[7]], n_alternatives=4, **SETTINGS)
    found, expected = (e.encoder.encode(e.counterfactual) for e in (alone, alternatives))
    np.testing.assert_allclose(found, expected[28:32], atol=1e-3)


def test_representation_counts_factuals_and_alternatives(alternatives):
    assert "rows: 240, alternatives of 60 factuals" in repr(alternatives)


@pytest.mark.parametrize("params", [{"n_alternatives": 0}, {"n_alternatives": 1.5}, {"sparse": 2}])
def test_settings_out_of_range_are_refused_by_name(fitted_iris, iris, params):
    (name,) = params
    with pytest.raises(ValueError, match=f"The '{name}' parameter of explain"):
        fitted_iris.explain(iris[0][:2], **params)


def test_no_sparse_alternative_is_an_earlier_one_and_something_more(fitted_loans, loans):
    explanation = fitted_loans.explain(loans[0], n_alternatives=3, sparse=True, **SETTINGS)
    schema = explanation.encoder.schema
    before, after = (schema.read(X) for X in (explanation.factual, explanation.counterfactual))
    after, before = (values.reshape(-1, 3, 5) for values in (after, before))
    own = np.array([reason is None for reason in explanation.reason]).reshape(-1, 3)
    for first, second in [(0, 1), (0, 2), (1, 2), (1, 0), (2, 0), (2, 1)]:
        shared = (after[:, first] == after[:, second]) | (after[:, first] == before[:, first])
        is_more = shared.all(axis=1) & own[:, first] & own[:, second]
        assert not is_more.any()


def test_immature_ways_that_are_alike_say_so(fitted_loans, loans):
    X = loans[0]
    fixed = {name: "none" for name in X if name != "owner"}
    # Within ten steps, only whole ones lead to rows that are valid without being mature.
    whole = ECCCoGenerator(max_step=None)
    explanation = fitted_loans.explain(
        X, n_alternatives=2, mutability=fixed, tau=0.97, T=10, generator=whole
    )
    weights = explanation.encoder.column_weights
    rows = explanation.counterfactual_encoded.reshape(-1, 2, len(weights))
    valid, mature = explanation.valid.reshape(-1, 2), explanation.mature.reshape(-1, 2)
    near = np.abs(rows[:, 0] - rows[:, 1]) @ weights < 0.1
    doubles = near & valid[:, 1] & ~mature[:, 1]
    said = [str(reason).startswith("too near") for reason in explanation.reason[1::2]]
    assert doubles.any()
    assert np.array(said)[doubles].all()
    assert "too near to an earlier alternative" in repr(explanation)


def test_sparse_alternatives_stay_apart(fitted_loans, loans):
    explanation = fitted_loans.explain(loans[0].head(60), n_alternatives=3, sparse=True, **SETTINGS)
    assert np.nanmin(distances(explanation)) >= 0.1


def test_diversity_is_the_mean_distance_between_valid_alternatives(alternatives, loans):
    X, _ = loans
    deviations = {name: X[name].std(ddof=0) for name in ("income", "children")}
    found, valid = alternatives.counterfactual, alternatives.valid.reshape(-1, 4)
    expected_l1, expected_n = [], []
    for row in range(60):
        l1, n = [], []
        for i in range(4):
            for j in range(i):
                if not (valid[row, i] and valid[row, j]):
                    continue
                one, other = found.iloc[4 * row + i], found.iloc[4 * row + j]
                moves = [abs(one[name] - other[name]) / sd for name, sd in deviations.items()]
                for name in ("grade", "job", "owner"):
                    both_missing = pd.isna(one[name]) and pd.isna(other[name])
                    moves.append(float(one[name] != other[name] and not both_missing))
                l1.append(sum(moves))
                n.append(sum(move > 0 for move in moves))
        expected_l1.append(np.mean(l1) if l1 else np.nan)
        expected_n.append(np.mean(n) if n else np.nan)
    np.testing.assert_allclose(diversity(alternatives), expected_l1)
    np.testing.assert_allclose(diversity(alternatives, norm="n_changed"), expected_n)


def test_diversity_without_two_valid_alternatives_is_not_a_number(fitted_iris, iris):
    stuck = fitted_iris.explain(iris[0][:3], n_alternatives=2, mutability=["none"] * 4)
    assert np.isnan(diversity(stuck)).all()


def test_diversity_of_one_counterfactual_and_unknown_norms_are_refused(
    fitted_iris, iris, alternatives
):
    with pytest.raises(ValueError, match="n_alternatives=3"):
        diversity(fitted_iris.explain(iris[0][:3]))
    with pytest.raises(ValueError, match="'norm' parameter of diversity must be a str among"):
        diversity(alternatives, norm="weighted")


def test_metrics_take_alternatives_as_rows(alternatives):
    assert len(cost(alternatives)) == len(redundancy(alternatives)) == 240
    assert validity(alternatives) == alternatives.valid.mean()


def test_diversity_is_a_score_to_tune_by(iris):
    clf = CounterfactualTrainedClassifier(max_epochs=20, random_state=0).fit(*iris)
    scorer = make_counterfactual_scorer(diversity, n_alternatives=3, tau=0.6)
    judge = ECCCoGenerator(lambda_cost=0, max_step=None)
    explanation = clf.explain(iris[0], n_alternatives=3, tau=0.6, T=50, generator=judge)
    assert scorer(clf, *iris) == pytest.approx(np.nanmean(diversity(explanation)))


def test_diversity_does_not_need_all_alternatives_nor_their_order(alternatives):
    whole = diversity(alternatives)
    shuffled = np.random.default_rng(0).permutation(len(alternatives))
    np.testing.assert_allclose(diversity(alternatives[shuffled]), whole)
    np.testing.assert_allclose(
        diversity(alternatives[alternatives.valid]),
        whole[np.unique(alternatives.row[alternatives.valid])],
    )
    single = alternatives[alternatives.alternative == 0]
    assert np.isnan(diversity(single)).all()
