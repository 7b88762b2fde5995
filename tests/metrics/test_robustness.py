import numpy as np
import pytest

from ctsk import CounterfactualTrainedClassifier
from ctsk.metrics import robust_accuracy


def test_fgsm_moves_every_feature_by_epsilon_against_a_linear_model():
    """A linear model's loss rises fastest along the sign of its weights' difference."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 100)
    X = rng.normal(size=(200, 3)) + y[:, None]
    clf = CounterfactualTrainedClassifier((), max_epochs=20, lr=0.05, random_state=0).fit(X, y)
    weights = clf.net_.module_[0].weight.detach().numpy()
    direction = np.sign(weights[1] - weights[0]) * np.where(y == 1, -1, 1)[:, None]
    attacked = X + 0.4 * clf.feature_space_.scale * direction
    assert robust_accuracy(clf, X, y, epsilon=0.4) == pytest.approx(clf.score(attacked, y))


def test_without_an_attack_it_is_the_accuracy(fitted, diabetes):
    assert robust_accuracy(fitted, *diabetes, epsilon=0) == fitted.score(*diabetes)


def test_other_columns_or_labels_than_fitted_are_refused(fitted, diabetes):
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
    words = X[["grade", "owner"]]
    clf = CounterfactualTrainedClassifier(max_epochs=3, random_state=0).fit(words, y)
    assert robust_accuracy(clf, words, y, epsilon=5.0) == clf.score(words, y)
    clf.set_params(max_epochs=20, lr=0.01).fit(X, y)
    assert robust_accuracy(clf, X, y, epsilon=1.0) < clf.score(X, y)
