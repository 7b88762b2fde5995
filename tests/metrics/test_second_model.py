"""Transfer of validity to another model, and paired implausibility."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk.metrics import compare_implausibility, transfer_validity, validity

SEARCH = {"generator": "generic", "tau": 0.6, "T": 60}


@pytest.fixture(scope="module")
def other_iris(iris):
    """Another classifier of iris, which was fitted on some of the rows, in units of its own."""
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, max_epochs=15, lr=0.01, random_state=1
    )
    return clf.fit(iris[0][::2], iris[1][::2])


def fixed_every(n):
    """Mutability of iris by which every n-th row must not change."""
    return [{"*": "none"} if row % n == 0 else None for row in range(150)]


@pytest.fixture(scope="module")
def explanation(fitted_iris, iris):
    # The target is the next class, so that every class is a target.
    X, y = iris
    explanation = fitted_iris.explain(X, (y + 1) % 3, mutability=fixed_every(3), **SEARCH)
    assert 0 < explanation.valid.sum() < len(explanation)
    return explanation


@pytest.fixture(scope="module")
def other_explanation(other_iris, iris, explanation):
    X, y = iris
    other = other_iris.explain(X, (y + 1) % 3, mutability=fixed_every(4), **SEARCH)
    for is_pair in (True, False):
        assert (other.valid & (explanation.valid == is_pair)).any()
    return other


MODELS = {
    "classifier": KNeighborsClassifier(1),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "search": GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 3]}, cv=2),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_transfer_is_the_share_of_valid_rows_that_the_model_predicts_as_target(
    explanation, iris, model
):
    model.fit(*iris)
    is_target = model.predict(explanation.counterfactual) == explanation.target
    share = transfer_validity(explanation, model)
    assert share == is_target[explanation.valid].mean()
    assert 0 < share < 1


def test_counterfactuals_transfer_to_their_own_model(explanation, fitted_iris):
    assert validity(explanation) < transfer_validity(explanation, fitted_iris) == 1


def test_transfer_takes_rows_in_the_units_of_x(fitted_loans, loans):
    """Columns of every kind, text labels, and alternatives, which count as rows."""
    X, y = loans
    explanation = fitted_loans.explain(X.head(40), n_alternatives=2, **SEARCH)
    other = CounterfactualTrainedClassifier(
        hidden_layer_sizes=(), lambda_div=0, lambda_adv=0, max_epochs=20, lr=0.01, random_state=1
    ).fit(X, y)
    predictions = other.predict(explanation.counterfactual)
    is_target = (predictions == explanation.target)[explanation.valid]
    assert explanation.valid.sum() > 40
    assert transfer_validity(explanation, other) == is_target.mean()


def test_transfer_of_an_explanation_of_a_pipeline(iris):
    X, y = 1000 * iris[0] + 5000, iris[1]
    clf = CounterfactualTrainedClassifier(max_epochs=15, lr=0.01, random_state=0)
    pipeline = make_pipeline(StandardScaler(), clf).fit(X, y)
    explanation = ctsk.explain(pipeline, X, **SEARCH)
    neighbor = KNeighborsClassifier(1).fit(X, y)
    is_target = neighbor.predict(explanation.counterfactual) == explanation.target
    assert transfer_validity(explanation, neighbor) == is_target[explanation.valid].mean() > 0


class Rule:
    """An object that is no estimator and has no attribute `classes_`."""

    def __init__(self, predictions):
        self.predictions = predictions

    def predict(self, X):
        return np.resize(self.predictions, len(X))


@pytest.mark.parametrize(
    ("labels", "predictions", "share"),
    [
        ([0, 1], [True], 1.0),
        ([0, 1], [1.0], 1.0),
        (["no", "yes"], np.array(["yes"], dtype=object), 1.0),
        (["no", "yes"], ["no"], 0.0),
        ([0, 1], [0, 0, 0], 0.0),
    ],
    ids=str,
)
def test_labels_are_compared_as_scikit_learn_does(
    fitted_iris, explanation, labels, predictions, share
):
    to_one = explanation[explanation.valid & (explanation.target == 1)]
    to_one = replace(to_one, target=np.array(labels)[to_one.target])
    assert transfer_validity(to_one, Rule(predictions)) == share


@pytest.mark.parametrize("container", [list, pd.Series, np.array])
def test_predictions_may_be_in_any_container(explanation, container):
    class Model(Rule):
        def predict(self, X):
            return container([1] * len(X))

    valid = explanation[explanation.valid]
    assert transfer_validity(explanation, Model(None)) == (valid.target == 1).mean()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Rule(["one"]), "labels such as 'one', which cannot be compared"),
        (Rule([0.3]), "mix of multiclass and continuous"),
        (np.zeros(3), "'model' parameter of transfer_validity must be an object implementing"),
        (None, "'model' parameter"),
    ],
    ids=["strings", "probabilities", "array", "None"],
)
def test_models_that_predict_no_comparable_labels_are_rejected(explanation, model, message):
    with pytest.raises(ValueError, match=message):
        transfer_validity(explanation, model)


def test_models_that_are_no_classifiers_of_the_targets_are_rejected(explanation, iris):
    X, y = iris
    with pytest.raises(ValueError, match="continuous"):
        transfer_validity(explanation, LinearRegression().fit(X, y))
    with pytest.raises(ValueError, match="1d array"):
        transfer_validity(explanation, KNeighborsClassifier().fit(X, np.column_stack([y, y])))
    with pytest.raises(ValueError, match=r"not fitted with the target classes 2; .* are 0, 1\. "):
        transfer_validity(explanation, KNeighborsClassifier().fit(X[y < 2], y[y < 2]))
    # NumPy finds the number 1 in an array of the strings "0", "1" and "2".
    with pytest.raises(ValueError, match="target classes 0, 1, 2; its classes are '0', '1', '2'"):
        transfer_validity(explanation, KNeighborsClassifier().fit(X, y.astype(str)))


def test_at_most_ten_unknown_classes_are_listed(explanation):
    valid = explanation[np.flatnonzero(explanation.valid)[:12]]
    many = replace(valid, target=np.arange(len(valid)) + 100)
    with pytest.raises(ValueError, match=r"classes 100, .*, 109, \.\.\.; its classes are 0"):
        transfer_validity(many, DummyClassifier().fit([[0]], [0]))


def test_only_valid_rows_reach_the_model(explanation):
    shapes = []

    class Model(Rule):
        def predict(self, X):
            shapes.append(X.shape)
            return np.zeros(len(X), dtype=int)

    transfer_validity(explanation, Model(None))
    assert shapes == [(explanation.valid.sum(), 4)]


def test_transfer_is_undefined_without_a_valid_counterfactual(explanation, fitted_iris):
    with pytest.warns(UndefinedMetricWarning, match="No counterfactual is valid") as caught:
        assert np.isnan(transfer_validity(explanation[~explanation.valid], fitted_iris))
    # The warning points at the line that calls the metric.
    assert caught[0].filename == __file__
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(transfer_validity(explanation[:0], fitted_iris))


def paired_by_hand(first, second, encode, weights, X, y):
    """Implausibilities of both counterfactuals of each row for which both are valid."""
    observed, pairs = encode(X), []
    for i in np.flatnonzero(first.valid & second.valid):
        rows = observed[y == first.target[i]]
        pairs.append(
            [
                (np.abs(encode(explanation[[i]].counterfactual) - rows) * weights)
                .sum(axis=1)
                .mean()
                for explanation in (first, second)
            ]
        )
    return np.array(pairs).T


def check_comparison(comparison, by_hand):
    difference = by_hand[0] - by_hand[1]
    n_rows = len(difference)
    variance = ((difference - difference.mean()) ** 2).sum() / (n_rows - 1)
    assert comparison.first == pytest.approx(by_hand[0].mean())
    assert comparison.second == pytest.approx(by_hand[1].mean())
    assert comparison.difference == pytest.approx(difference.mean())
    assert comparison.standard_error == pytest.approx(np.sqrt(variance / n_rows))
    assert comparison.n_rows == n_rows


def test_comparison_equals_its_formulas_in_the_units_of_the_first_model(
    explanation, other_explanation, iris
):
    X, y = iris
    encode = explanation.encoder.encode
    assert not np.allclose(encode(X), other_explanation.encoder.encode(X))
    by_hand = paired_by_hand(explanation, other_explanation, encode, np.ones(4), X, y)
    comparison = compare_implausibility(explanation, other_explanation, X, y)
    check_comparison(comparison, by_hand)
    # Each mean alone is over other rows.
    assert comparison.n_rows < min(explanation.valid.sum(), other_explanation.valid.sum())


def test_a_change_of_category_counts_one_in_a_comparison(fitted_loans, loans):
    X, y = loans
    other = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, max_epochs=15, lr=0.01, random_state=1
    )
    other.fit(X.iloc[::2], y.iloc[::2])
    target = np.where(y.head(60) == "granted", "refused", "granted")
    models = fitted_loans, other
    first, second = (model.explain(X.head(60), target, **SEARCH) for model in models)
    weights = np.r_[1, 1, np.full(4 + 4 + 2, 0.5)]
    by_hand = paired_by_hand(first, second, fitted_loans.encoder_.encode, weights, X, y)
    assert by_hand.shape[1] > 10
    check_comparison(compare_implausibility(first, second, X, y), by_hand)


def test_comparison_of_pipelines_is_in_the_units_that_enter_them(iris):
    X, y = 1000 * iris[0] + 5000, iris[1]
    target = (y + 1) % 3
    explanations = []
    for seed in (0, 1):
        clf = CounterfactualTrainedClassifier(max_epochs=15, lr=0.01, random_state=seed)
        pipeline = make_pipeline(StandardScaler(), clf).fit(X, y)
        explanations.append(ctsk.explain(pipeline, X, target, **SEARCH))
    encode = explanations[0].encoder.encode
    by_hand = paired_by_hand(*explanations, encode, np.ones(4), X, y)
    check_comparison(compare_implausibility(*explanations, X, y), by_hand)


def test_equal_explanations_differ_by_exactly_nothing(explanation, iris):
    comparison = compare_implausibility(explanation, explanation, *iris)
    assert comparison.first == comparison.second > 0
    assert comparison.difference == comparison.standard_error == 0
    assert comparison.n_rows == explanation.valid.sum()


def test_exchanging_explanations_in_the_same_units_changes_the_sign(fitted_iris, explanation, iris):
    closer = fitted_iris.explain(iris[0], (iris[1] + 1) % 3, **{**SEARCH, "tau": 0.4})
    comparison = compare_implausibility(explanation, closer, *iris)
    exchanged = compare_implausibility(closer, explanation, *iris)
    assert comparison.difference == -exchanged.difference != 0
    assert comparison.standard_error == exchanged.standard_error
    assert comparison.first == exchanged.second


def test_the_model_that_finds_fewer_is_flattered_by_means_over_valid_rows_only(explanation, iris):
    """The same counterfactuals, of which one explanation lacks the most implausible half."""
    X, y = iris
    encode = explanation.encoder.encode
    distances, _ = paired_by_hand(explanation, explanation, encode, np.ones(4), X, y)
    idx = np.flatnonzero(explanation.valid)
    valid = explanation.valid.copy()
    valid[idx[distances > np.median(distances)]] = False
    fewer = replace(explanation, valid=valid)
    fewer_distances, _ = paired_by_hand(fewer, fewer, encode, np.ones(4), X, y)
    assert fewer_distances.mean() < distances.mean()
    assert compare_implausibility(explanation, fewer, X, y).difference == 0


def test_one_pair_has_a_difference_but_no_standard_error(explanation, other_explanation, iris):
    idx = np.flatnonzero(explanation.valid & other_explanation.valid)[:1]
    comparison = compare_implausibility(explanation[idx], other_explanation[idx], *iris)
    assert comparison.n_rows == 1
    assert comparison.difference == pytest.approx(comparison.first - comparison.second)
    assert np.isnan(comparison.standard_error)


@pytest.mark.parametrize("n_rows", [0, 3])
def test_comparison_is_undefined_without_a_pair(explanation, iris, n_rows):
    invalid = explanation[~explanation.valid][:n_rows]
    with pytest.warns(UndefinedMetricWarning, match="No row has a valid counterfactual") as caught:
        comparison = compare_implausibility(
            invalid, explanation[~explanation.valid][:n_rows], *iris
        )
    assert caught[0].filename == __file__
    assert comparison.pop("n_rows") == 0
    assert sorted(comparison) == ["difference", "first", "second", "standard_error"]
    assert np.isnan(list(comparison.values())).all()


def test_explanations_of_other_rows_or_targets_are_rejected(explanation, fitted_iris, iris):
    X, y = iris
    with pytest.raises(ValueError, match="first explains 150 rows, but second explains 149"):
        compare_implausibility(explanation, explanation[1:], X, y)
    moved = X.copy()
    moved[[7, 9], 2] += 1e-9
    other = fitted_iris.explain(moved, (y + 1) % 3, **SEARCH)
    with pytest.raises(ValueError, match=r"different rows \(first at position 7, 2 in all\)"):
        compare_implausibility(explanation, other, X, y)
    target = (y + 1) % 3
    target[[4, 60]] = 2, 0
    other = fitted_iris.explain(X, target, **SEARCH)
    with pytest.raises(
        ValueError, match=r"targets \(first at position 4, 2 in all\).* pass the same"
    ):
        compare_implausibility(explanation, other, X, y)
    as_text = replace(explanation, target=explanation.target.astype(str))
    with pytest.raises(ValueError, match="different targets"):
        compare_implausibility(explanation, as_text, X, y)


def test_the_same_selection_of_the_same_rows_is_compared(explanation, other_explanation, iris):
    whole = compare_implausibility(explanation, other_explanation, *iris)
    both = explanation.valid & other_explanation.valid
    assert compare_implausibility(explanation[both], other_explanation[both], *iris) == whole


def test_alternatives_must_be_selected(fitted_iris, iris):
    X, y = iris
    several = fitted_iris.explain(X[:50], 1, n_alternatives=2, **SEARCH)
    with pytest.raises(ValueError, match="first has several counterfactuals for one row"):
        compare_implausibility(several, several, X, y)
    single = several[several.alternative == 0]
    with pytest.raises(ValueError, match="second has several counterfactuals for one row"):
        compare_implausibility(single, several, X, y)
    assert compare_implausibility(single, single, X, y).n_rows == single.valid.sum()


def test_invalid_observed_rows_are_rejected(explanation, iris):
    X, y = iris
    valid = explanation[explanation.valid]
    with pytest.raises(ValueError, match=r"X has the columns 'x0', 'x1', 'x2'; the explained rows"):
        compare_implausibility(valid, valid, X[:, :3], y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        compare_implausibility(valid, valid, X, y[1:])
    with pytest.raises(ValueError, match="NaN|infinity"):
        compare_implausibility(valid, valid, np.where(X > 5, np.inf, X), y)
    with pytest.raises(ValueError, match="y does not contain the target classes 2, to whose rows"):
        compare_implausibility(valid, valid, X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match="target classes 0, 1, 2, to whose rows"):
        compare_implausibility(valid, valid, X, y.astype(str))


def test_columns_in_another_order_are_rejected(fitted_loans, loans):
    X, y = loans
    explanation = fitted_loans.explain(X.head(5), **SEARCH)
    with pytest.raises(ValueError, match="X has the columns 'owner', 'job', .* in the same order"):
        compare_implausibility(explanation, explanation, X[X.columns[::-1]], y)
    with pytest.raises(ValueError, match="no rows"):
        compare_implausibility(explanation, explanation, X.head(0), y.head(0))


@pytest.mark.parametrize("parameter", ["first", "second"])
def test_anything_but_an_explanation_is_rejected(explanation, iris, parameter):
    params = {"first": explanation, "second": explanation, parameter: iris[0]}
    with pytest.raises(TypeError, match=f"'{parameter}' parameter .* instance of .*Explanation"):
        compare_implausibility(**params, X=iris[0], y=iris[1])
