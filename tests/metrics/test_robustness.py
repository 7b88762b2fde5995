import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ctsk import CounterfactualTrainedClassifier
from ctsk.exceptions import UnobservedDomainWarning
from ctsk.metrics import robust_accuracy


def test_fgsm_moves_every_feature_by_epsilon_against_a_linear_model():
    """A linear model's loss rises fastest along the sign of its weights' difference."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 100)
    X = rng.normal(size=(200, 3)) + y[:, None]
    clf = CounterfactualTrainedClassifier((), max_epochs=20, lr=0.05, random_state=0).fit(X, y)
    weights = clf.net_.module_[0].weight.detach().numpy()
    direction = np.sign(weights[1] - weights[0]) * np.where(y == 1, -1, 1)[:, None]
    attacked = X + 0.4 * clf.encoder_.scale * direction
    assert robust_accuracy(clf, X, y, epsilon=0.4, attack="fgsm") == pytest.approx(
        clf.score(attacked, y)
    )


def test_without_an_attack_it_is_the_accuracy(fitted, diabetes):
    assert robust_accuracy(fitted, *diabetes, epsilon=0) == fitted.score(*diabetes)


def test_columns_and_labels_that_were_not_fitted_are_rejected(fitted, diabetes):
    X, y = diabetes
    with pytest.raises(ValueError, match="feature names"):
        robust_accuracy(fitted, X[X.columns[::-1]], y)
    with pytest.raises(ValueError, match="label 'medium' .row 3."):
        robust_accuracy(fitted, X, y.where(y.index != 3, "medium"))


def test_stronger_attacks_lower_it(fitted, diabetes):
    accuracies = [robust_accuracy(fitted, *diabetes, epsilon=e) for e in (0, 0.1, 0.3, 1)]
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[-1] < accuracies[0] - 0.2


def test_categories_are_not_attacked(loans):
    X, y = loans
    categories = X[["grade", "owner"]]
    clf = CounterfactualTrainedClassifier(max_epochs=3, random_state=0).fit(categories, y)
    assert robust_accuracy(clf, categories, y, epsilon=5.0) == clf.score(categories, y)
    clf.set_params(max_epochs=20, lr=0.01).fit(X, y)
    assert robust_accuracy(clf, X, y, epsilon=1.0) < clf.score(X, y)


@pytest.mark.parametrize("attack", ["pgd", "margin", "noise", "fgsm"])
def test_worst_case_is_at_most_as_accurate_as_each_attack(fitted, diabetes, attack):
    worst = robust_accuracy(fitted, *diabetes, epsilon=0.2)
    assert worst <= robust_accuracy(fitted, *diabetes, epsilon=0.2, attack=attack)


def test_on_a_linear_model_all_gradient_attacks_find_the_corner():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 100)
    X = rng.normal(size=(200, 3)) + y[:, None]
    clf = CounterfactualTrainedClassifier((), max_epochs=20, lr=0.05, random_state=0).fit(X, y)
    accuracies = {
        robust_accuracy(clf, X, y, epsilon=0.4, attack=attack)
        for attack in ("fgsm", "pgd", "margin", "worst")
    }
    assert len(accuracies) == 1
    assert accuracies.pop() < robust_accuracy(clf, X, y, epsilon=0.4, attack="noise")


@pytest.mark.parametrize("epsilon", [0.1, 0.4])
def test_gradient_attacks_agree_with_those_of_foolbox(fitted, diabetes, epsilon):
    foolbox = pytest.importorskip("foolbox", reason="foolbox is a reference for tests only")
    X, y = diabetes
    rows = torch.as_tensor(fitted.encoder_.encode(X), dtype=torch.float32)
    labels = torch.as_tensor(np.searchsorted(fitted.classes_, y))
    model = foolbox.PyTorchModel(fitted.net_.module_, bounds=(-1e3, 1e3), device="cpu")
    attacks = {
        "fgsm": foolbox.attacks.LinfFastGradientAttack(random_start=False),
        "pgd": foolbox.attacks.LinfPGD(steps=40, random_start=False, rel_stepsize=2.5 / 40),
    }
    for name, attack in attacks.items():
        _, _, succeeded = attack(model, rows, labels, epsilons=epsilon)
        theirs = 1 - succeeded.double().mean().item()
        ours = robust_accuracy(fitted, X, y, epsilon=epsilon, attack=name)
        assert ours == pytest.approx(theirs, abs=0.005)


def test_attacks_keep_to_the_given_features_and_domain(fitted, diabetes):
    X, y = diabetes
    assert robust_accuracy(fitted, X, y, epsilon=1, features=[]) == fitted.score(X, y)
    all_but_one = [name for name in X if name != "bmi"]
    partly = robust_accuracy(fitted, X, y, epsilon=1, features=all_but_one)
    assert robust_accuracy(fitted, X, y, epsilon=1) < partly < fitted.score(X, y)
    # The sex, of which there are two values, cannot have others.
    nowhere = dict.fromkeys(X.columns.drop("sex"), (1e9, 1e9))
    with pytest.warns(UnobservedDomainWarning):
        upwards_only = robust_accuracy(fitted, X, y, epsilon=1, domain=nowhere)
    assert robust_accuracy(fitted, X, y, epsilon=1) < upwards_only


def test_a_column_named_like_the_wildcard_may_be_attacked_or_not(diabetes):
    X, y = diabetes[0][["bmi", "bp", "age"]].set_axis(["*", "bp", "age"], axis=1), diabetes[1]
    clf = CounterfactualTrainedClassifier(max_epochs=5, random_state=0).fit(X, y)
    accuracies = [
        robust_accuracy(clf, X, y, epsilon=1, features=features)
        for features in (["*", "bp", "age"], ["*"], ["bp"], [])
    ]
    assert accuracies[0] < min(accuracies[1:3])
    assert max(accuracies[1:3]) < accuracies[3] == clf.score(X, y)


def test_features_that_are_not_attacked_never_move(fitted, diabetes):
    from ctsk.metrics.robustness import _bound_attacks

    X, _ = diabetes
    encoder = fitted.encoder_
    rows, lower, upper = _bound_attacks(
        encoder, encoder.schema.read(X), 0.3, ["bmi", "s5"], {"s5": (5, None)}
    )
    moved = [list(X).index(name) for name in ("bmi", "s5")]
    fixed = np.setdiff1d(np.arange(10), moved)
    np.testing.assert_array_equal(lower[:, fixed], rows[:, fixed])
    np.testing.assert_array_equal(upper[:, fixed], rows[:, fixed])
    np.testing.assert_allclose(upper[:, moved], rows[:, moved] + 0.3)
    low = np.minimum((5 - encoder.center[8]) / encoder.scale[8], rows[:, 8])
    np.testing.assert_allclose(lower[:, 8], np.maximum(rows[:, 8] - 0.3, low))


def test_random_attacks_are_seeded(fitted, diabetes):
    accuracies = [
        robust_accuracy(fitted, *diabetes, epsilon=1, attack="noise", random_state=seed)
        for seed in (3, 3, 4)
    ]
    assert accuracies[0] == accuracies[1] != accuracies[2]


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"attack": "hammer"}, "attack"),
        ({"epsilon": -1}, "epsilon"),
        ({"n_steps": 0}, "n_steps"),
        ({"n_restarts": 0}, "n_restarts"),
        ({"features": ["weight"]}, "features names the feature 'weight'"),
        ({"domain": {"bmi": (2, 1)}}, "domain of feature 'bmi'"),
    ],
)
def test_invalid_parameter_is_named(fitted, diabetes, params, name):
    with pytest.raises(ValueError, match=name):
        robust_accuracy(fitted, *diabetes, **params)


def test_pipeline_is_rejected_with_a_remedy(fitted, diabetes):
    X, y = diabetes
    pipeline = make_pipeline(FunctionTransformer(), fitted)
    with pytest.raises(TypeError, match=r"estimator is a Pipeline.* pipeline\[-1\]"):
        robust_accuracy(pipeline, X, y)
    with pytest.raises(NotFittedError):
        robust_accuracy(CounterfactualTrainedClassifier(), X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        robust_accuracy(fitted, X, y[:-1])
