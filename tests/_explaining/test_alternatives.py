"""Several counterfactuals for a row."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator
from ctsk.metrics import cost, diversity, make_counterfactual_scorer, redundancy, validity

SETTINGS = {"tau": 0.6, "T": 80}


@pytest.fixture(scope="module")
def alternatives(fitted_loans, loans):
    return fitted_loans.explain(loans[0].head(25), n_alternatives=4, **SETTINGS)


@pytest.fixture(scope="module")
def sparse_alternatives(fitted_loans, loans):
    return fitted_loans.explain(loans[0].head(40), n_alternatives=3, sparse=True, **SETTINGS)


def distances(explanation):
    """Return the distances between the alternatives of a factual; NaN where one is not valid."""
    n_each, weights = explanation.n_alternatives, explanation.encoder.column_weights
    rows = explanation.counterfactual_encoded.reshape(-1, n_each, len(weights))
    valid = explanation.valid.reshape(-1, n_each)
    i, j = np.triu_indices(n_each, 1)
    apart = np.abs(rows[:, i] - rows[:, j]) @ weights
    return np.where(valid[:, i] & valid[:, j], apart, np.nan)


def changed_features(explanation):
    """Return which features changed, of shape (n_factuals, n_alternatives, n_features)."""
    schema = explanation.encoder.schema
    before, after = (schema.read(X) for X in (explanation.factual, explanation.counterfactual))
    is_kept = (before == after) | (np.isnan(before) & np.isnan(after))
    return ~is_kept.reshape(-1, explanation.n_alternatives, before.shape[1])


def are_copies(explanation):
    return np.array([str(reason).startswith("too near") for reason in explanation.reason])


def test_alternatives_are_apart(alternatives):
    apart = distances(alternatives)
    assert np.nanmin(apart) >= 0.1
    assert np.nanmean(apart) > 1
    assert np.isfinite(apart[:, 0]).mean() > 0.95


def test_alternatives_change_other_features_wherever_others_suffice(fitted_loans, loans):
    """A set of features suffices if it changes once all others are immutable."""
    X = loans[0].head(10)
    features = range(X.shape[1])
    sets_by_row = [set() for _ in range(len(X))]
    for n_free in (1, 2):
        for free in itertools.combinations(features, n_free):
            fixed = {X.columns[feature]: "none" for feature in features if feature not in free}
            explanation = fitted_loans.explain(X, mutability=fixed, **SETTINGS)
            changed = changed_features(explanation)[:, 0]
            for i in np.flatnonzero(explanation.valid & explanation.mature):
                sets_by_row[i].add(frozenset(np.flatnonzero(changed[i]).tolist()))
    explanation = fitted_loans.explain(X, n_alternatives=3, **SETTINGS)
    found = (explanation.valid & explanation.mature).reshape(-1, 3)
    changed = changed_features(explanation)
    n_least, n_different = [], []
    for i, sets in enumerate(sets_by_row):
        # What changes a further feature beside those of another set is no other counterfactual.
        minimal = [one for one in sets if not any(other < one for other in sets)]
        n_least.append(min(3, len(minimal)))
        n_different.append(len(np.unique(changed[i][found[i]], axis=0)))
    assert np.mean(n_least) > 2.5
    assert (np.array(n_different) >= n_least).all()


def test_alternatives_have_few_changed_features_in_common(alternatives):
    changed = changed_features(alternatives)
    valid = alternatives.valid.reshape(changed.shape[:2])
    overlaps = []
    for i, j in itertools.combinations(range(changed.shape[1]), 2):
        n_both = (changed[:, i] & changed[:, j]).sum(axis=1)
        n_either = (changed[:, i] | changed[:, j]).sum(axis=1)
        overlaps.extend((n_both / n_either)[valid[:, i] & valid[:, j]])
    assert np.mean(overlaps) < 0.2


@pytest.mark.parametrize(("generator", "tau"), [("nearest", 0.6), ("eccco", 0.8)])
def test_alternatives_are_sorted_by_cost_and_those_that_are_found_come_first(
    fitted_loans, loans, generator, tau
):
    X = loans[0].head(20)
    explanation = fitted_loans.explain(X, n_alternatives=4, generator=generator, tau=tau, T=15)
    valid, found = explanation.valid, explanation.valid & explanation.mature
    keys = np.stack([~found, ~valid, explanation.cost], axis=1).reshape(-1, 4, 3)
    assert len(np.unique(found)) == 2
    for of_factual in keys.tolist():
        assert of_factual == sorted(of_factual)
    np.testing.assert_allclose(explanation.cost, cost(explanation, norm="weighted"))


@pytest.mark.parametrize(
    ("generator", "max_changes", "n_alternatives"),
    [("nearest", None, 5), ("nearest", 1, 3), ("generic", 1, 3)],
)
def test_what_is_predicted_as_the_target_is_valid_unless_it_is_a_copy(
    fitted_loans, loans, generator, max_changes, n_alternatives
):
    X = loans[0].head(20)
    # At this tau, some rows are valid without being mature, and so are their copies.
    settings = {"generator": generator, "max_changes": max_changes, "tau": 0.8, "T": 15}
    explanation = fitted_loans.explain(X, n_alternatives=n_alternatives, **settings)
    predicted, copies = explanation.prediction == explanation.target, are_copies(explanation)
    assert (predicted & copies).any()
    np.testing.assert_array_equal(explanation.valid, predicted & ~copies)
    assert np.nanmin(distances(explanation)) >= 0.1


def test_another_counterfactual_costs_no_more_than_one_without_the_features_that_changed_most(
    fitted_loans, loans
):
    X = loans[0].head(25)
    one = fitted_loans.explain(X, **SETTINGS)
    moves = np.abs(one.counterfactual_encoded - one.factual_encoded)
    by_feature = [moves[:, columns].max(axis=1) for columns in one.encoder.feature_columns]
    moves = np.column_stack(by_feature)
    most = moves > 0.5 * moves.max(axis=1, keepdims=True)
    fixed = [dict.fromkeys(X.columns[row], "none") for row in most]
    without = fitted_loans.explain(X, mutability=fixed, **SETTINGS)
    two = fitted_loans.explain(X, n_alternatives=2, **SETTINGS)
    is_found = without.mature & without.valid
    assert is_found.mean() > 0.8
    assert two.valid.reshape(-1, 2)[is_found].all()
    highest = np.maximum(one.cost, without.cost)
    assert (two.cost.reshape(-1, 2).max(axis=1) <= highest + 1e-6)[is_found].all()


def test_fewer_alternatives_are_among_those_of_a_longer_list(fitted_loans, loans, alternatives):
    X = loans[0].head(25)
    longer = alternatives.counterfactual_encoded.reshape(25, 4, -1)
    for n_alternatives in (1, 2):
        shorter = fitted_loans.explain(X, n_alternatives=n_alternatives, **SETTINGS)
        rows = shorter.counterfactual_encoded.reshape(25, n_alternatives, -1)
        is_same = (rows[:, :, None] == longer[:, None]).all(axis=-1)
        assert is_same.any(axis=2).all()


def test_the_index_of_a_frame_distinguishes_alternatives(alternatives, loans):
    X = loans[0].head(25)
    assert alternatives.counterfactual.index.names == ["row", "alternative"]
    assert alternatives.factual.loc[X.index[3]].equals(
        X.iloc[[3] * 4].set_axis(pd.RangeIndex(4, name="alternative"))
    )
    assert alternatives.factual.dtypes.equals(X.dtypes)
    frame = alternatives.to_frame()
    assert len(frame.loc[X.index[3]]) == 4
    assert list(frame.columns.levels[0]) == ["factual", "counterfactual"]
    changes = alternatives.changes()
    assert list(changes.columns) == ["row", "alternative", "feature", "from", "to", "share"]
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


def test_index_names_stay_distinct(fitted_loans, loans):
    X = loans[0].head(2)
    unnamed = X.set_axis(pd.MultiIndex.from_product([["a"], [1, 2]]))
    again = X.rename_axis("alternative")
    for frame, names in ((unnamed, ["level_0", "level_1", "alternative"]),
                         (again, ["alternative", "alternative_again"])):  # fmt: skip
        found = fitted_loans.explain(frame, n_alternatives=2, T=3).counterfactual
        assert found.index.names == names
        assert len(found.reset_index().columns) == X.shape[1] + len(names)


def test_immature_alternative_that_is_apart_is_kept_rather_than_a_copy():
    X, y = load_wine(return_X_y=True)
    clf = CounterfactualTrainedClassifier(
        max_epochs=30, lr=0.01, n_counterfactuals=100, random_state=0
    ).fit(X, y)
    plain = clf.explain(X[::3], tau=0.99, n_alternatives=2)
    near = [str(reason).startswith("too near") for reason in plain.reason]
    assert not np.any(near)


def test_arrays_hold_the_alternatives_of_a_row_next_to_each_other(fitted_iris, iris):
    X = iris[0][:5]
    explanation = fitted_iris.explain(X, n_alternatives=3, return_path=True, **SETTINGS)
    assert explanation.counterfactual.shape == (15, 4)
    np.testing.assert_array_equal(explanation.factual, np.repeat(X, 3, axis=0))
    np.testing.assert_array_equal(explanation.alternative, [0, 1, 2] * 5)
    np.testing.assert_array_equal(explanation.path[:, 0], explanation.factual)
    np.testing.assert_array_equal(explanation.path[:, -1], explanation.counterfactual)
    assert explanation.to_frame().index.names == ["row", "alternative"]
    assert set(explanation.changes()["row"]) == set(range(5))


def test_target_has_one_entry_per_row_whatever_the_number_of_alternatives(fitted_iris, iris):
    target = np.array([1, 2, 1])
    explanation = fitted_iris.explain(iris[0][:3], target, n_alternatives=2, T=5)
    assert explanation.target.tolist() == [1, 1, 2, 2, 1, 1]


def test_a_row_with_a_single_counterfactual_has_no_other_valid_one(fitted_loans, loans):
    """Only whether one owns a house may change, and that can change once."""
    X, _ = loans
    fixed = {name: "none" for name in X if name != "owner"}
    explanation = fitted_loans.explain(X, n_alternatives=2, mutability=fixed, tau=0.5, T=40)
    first, second = explanation.reason[::2], explanation.reason[1::2]
    reached = first == None  # noqa: E711
    # The factual itself would be another one if it were predicted as its target: it never is.
    assert reached.any()
    assert set(second[reached]) == {
        "too near to an earlier alternative: no other counterfactual was found"
    }
    assert explanation.valid[::2][reached].all()
    assert not explanation.valid[1::2][reached].any()


def test_rows_do_not_depend_on_those_that_are_explained_beside_them(
    fitted_loans, loans, alternatives
):
    alone = fitted_loans.explain(loans[0].iloc[[7]], n_alternatives=4, **SETTINGS)
    found, expected = (e.encoder.encode(e.counterfactual) for e in (alone, alternatives))
    np.testing.assert_allclose(found, expected[28:32], atol=1e-3)


def test_representation_counts_factuals_and_alternatives(alternatives):
    assert "rows: 100, alternatives of 25 factuals" in repr(alternatives)


@pytest.mark.parametrize("params", [{"n_alternatives": 0}, {"n_alternatives": 1.5}, {"sparse": 2}])
def test_settings_out_of_range_are_rejected_by_name(fitted_iris, iris, params):
    (name,) = params
    with pytest.raises(ValueError, match=f"The '{name}' parameter of explain"):
        fitted_iris.explain(iris[0][:2], **params)


def test_no_sparse_alternative_is_another_one_with_further_changes(sparse_alternatives):
    explanation = sparse_alternatives
    schema = explanation.encoder.schema
    before, after = (schema.read(X) for X in (explanation.factual, explanation.counterfactual))
    after, before = (values.reshape(-1, 3, 5) for values in (after, before))
    found = np.array([reason is None for reason in explanation.reason]).reshape(-1, 3)
    assert found.all(axis=1).any()
    for first, second in [(0, 1), (0, 2), (1, 2), (1, 0), (2, 0), (2, 1)]:
        shared = (after[:, first] == after[:, second]) | (after[:, first] == before[:, first])
        is_more = shared.all(axis=1) & found[:, first] & found[:, second]
        assert not is_more.any()


def test_immature_alternatives_that_are_alike_have_this_reason(fitted_loans, loans):
    X = loans[0]
    fixed = {name: "none" for name in X if name != "owner"}
    # Within ten steps, only whole ones lead to rows that are valid without being mature.
    whole = ECCCoGenerator(max_step=None)
    explanation = fitted_loans.explain(
        X, n_alternatives=2, mutability=fixed, tau=0.97, T=10, generator=whole
    )
    weights = explanation.encoder.column_weights
    rows = explanation.counterfactual_encoded.reshape(-1, 2, len(weights))
    predicted = (explanation.prediction == explanation.target).reshape(-1, 2)
    near = np.abs(rows[:, 0] - rows[:, 1]) @ weights < 0.1
    copies = near & predicted[:, 1] & ~explanation.mature.reshape(-1, 2)[:, 1]
    assert copies.any()
    assert are_copies(explanation)[1::2][copies].all()
    assert not explanation.valid[1::2][copies].any()
    assert "too near to an earlier alternative" in repr(explanation)


def test_sparse_alternatives_stay_apart(sparse_alternatives):
    assert np.nanmin(distances(sparse_alternatives)) >= 0.1


def test_diversity_is_the_mean_distance_between_valid_alternatives(alternatives, loans):
    X, _ = loans
    deviations = {name: X[name].std(ddof=0) for name in ("income", "children")}
    found, valid = alternatives.counterfactual, alternatives.valid.reshape(-1, 4)
    expected_l1, expected_n = [], []
    for row in range(25):
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


def test_diversity_of_one_counterfactual_and_unknown_norms_are_rejected(
    fitted_iris, iris, alternatives
):
    with pytest.raises(ValueError, match="n_alternatives=3"):
        diversity(fitted_iris.explain(iris[0][:3]))
    with pytest.raises(ValueError, match="'norm' parameter of diversity must be a str among"):
        diversity(alternatives, norm="weighted")


def test_metrics_take_alternatives_as_rows(alternatives):
    assert len(cost(alternatives)) == len(redundancy(alternatives)) == 100
    assert validity(alternatives) == alternatives.valid.mean()


def test_diversity_is_a_score_to_tune_by(fitted_iris, iris):
    X, y = iris[0][::6], iris[1][::6]
    scorer = make_counterfactual_scorer(diversity, n_alternatives=3, tau=0.6)
    judge = ECCCoGenerator(lambda_cost=0, max_step=None)
    explanation = fitted_iris.explain(X, n_alternatives=3, tau=0.6, T=50, generator=judge)
    assert scorer(fitted_iris, X, y) == pytest.approx(np.nanmean(diversity(explanation)))


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
