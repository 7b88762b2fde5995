"""Settings and data at the ends of floating point: finite weights, or an error with a remedy."""

import warnings

import numpy as np
import pytest

from ctsk import CounterfactualTrainedClassifier
from ctsk.exceptions import NonFiniteLossError, UnboundedEnergyWarning

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = (X[:, 0] + 0.3 * RNG.normal(size=40) > 0).astype(int)


def fit(X, y, **settings):
    clf = CounterfactualTrainedClassifier(**{"max_epochs": 3, "random_state": 0, **settings})
    with warnings.catch_warnings():
        # What is reported of such a training is the subject of other tests.
        warnings.simplefilter("ignore")
        return clf.fit(X, y)


def check(clf, X):
    """Check that a model is finite, and that its explanations say what it predicts."""
    assert all(weights.isfinite().all() for weights in clf.net_.module_.parameters())
    proba = clf.predict_proba(X)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-9)
    explanation = clf.explain(X[:5])
    assert np.isfinite(explanation.counterfactual).all()
    predictions = clf.predict(explanation.counterfactual)
    np.testing.assert_array_equal(predictions == explanation.target, explanation.valid)


@pytest.mark.parametrize("value", [1e-300, 1e6, 1e15])
@pytest.mark.parametrize("name", ["lambda_div", "lambda_adv", "lambda_reg"])
def test_extreme_weights_of_terms_leave_the_model_finite(name, value):
    check(fit(X, Y, **{name: value}), X)


@pytest.mark.parametrize("tau", [5e-324, 1e-9, 1 - 1e-9, np.nextafter(1, 0)])
def test_tau_may_be_next_to_its_bounds(tau):
    clf = fit(X, Y, tau=tau)
    check(clf, X)
    explanation = clf.explain(X[:5])
    shares = explanation.proba[np.arange(5), explanation.target]
    np.testing.assert_array_equal(explanation.mature, shares >= tau)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("lr", [1e-300, 1.0])
def test_extreme_learning_rates_leave_the_model_finite(lr, optimizer):
    check(fit(X, Y, lr=lr, optimizer=optimizer), X)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", 1e30),
        ("lr", 1e300),
        # Squares of gradients overflow, which stops the optimizer.
        ("lambda_div", 1e30),
        ("lambda_adv", 1e30),
        ("lambda_reg", 1e30),
        ("lambda_div", 1e300),
        ("lambda_adv", 1e300),
        ("lambda_reg", 1e300),
        ("weight_decay", 1e30),
        ("class_weight", {0: 3e38, 1: 1}),
    ],
)
def test_settings_that_overflow_are_errors_that_name_them(name, value):
    with pytest.raises(NonFiniteLossError, match=rf"Lower .*\b{name}\b"):
        fit(X, Y, **{name: value})


@pytest.mark.parametrize("epsilon", [1e-30, 1e30])
def test_epsilon_may_be_tiny_or_huge(epsilon):
    check(fit(X, Y, epsilon=epsilon), X)


@pytest.mark.parametrize(("offset", "deviation"), [(1e9, 1e-5), (-1e9, 1e-4), (1e12, 0.1)])
def test_an_offset_hides_no_variation(offset, deviation):
    shifted = offset + deviation * X
    clf = fit(shifted, Y, lr=0.02, max_epochs=60)
    check(clf, shifted)
    assert clf.score(shifted, Y) > 0.8
    explanation = clf.explain(shifted[:10])
    low, high = shifted.min(axis=0), shifted.max(axis=0)
    assert ((explanation.counterfactual >= low) & (explanation.counterfactual <= high)).all()
    assert explanation.valid.mean() > 0.8


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30])
def test_units_do_not_matter(scale):
    clf = fit(X * scale, Y, lr=0.02, max_epochs=30)
    check(clf, X * scale)
    assert clf.score(X * scale, Y) > 0.8


@pytest.mark.parametrize("scale", [1e150, 1e300])
def test_numbers_beyond_float32_are_rejected_by_feature_with_a_remedy(scale):
    with pytest.raises(ValueError, match="too large for float32.* 'x0'.*rescale the feature"):
        fit(X * scale, Y)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_one_row_among_ten_thousand_others(class_weight):
    rows = RNG.normal(size=(10_001, 2))
    y = np.zeros(10_001, dtype=int)
    rows[0], y[0] = 6, 1
    clf = fit(rows, y, max_epochs=1, n_counterfactuals=20, class_weight=class_weight)
    check(clf, rows)
    assert (clf.classes_ == [0, 1]).all()


@pytest.mark.parametrize("n_rows", [20, 150])
def test_a_class_may_have_one_row(n_rows):
    rows = RNG.normal(size=(n_rows, 3))
    y = (rows[:, 0] > 0).astype(int)
    y[3] = 2
    clf = fit(rows, y)
    check(clf, rows)
    assert clf.predict_proba(rows).shape == (n_rows, 3)


def test_each_class_may_have_one_row():
    check(fit(X[:5], np.arange(5)), X[:5])


CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}


def test_separable_classes_leave_the_model_finite_after_thousands_of_epochs():
    """Cross-entropy alone has no minimum there: the logits grow as long as the training lasts."""
    X, y = separable(12)
    settings = {"max_epochs": 3_000, "lr": 0.05, "weight_decay": 0}
    clf = fit(X, y, hidden_layer_sizes=(3,), **CONVENTIONAL, **settings)
    assert clf.n_iter_ == 3_000
    check(clf, X)
    assert clf.score(X, y) == 1


def test_energies_of_separable_classes_are_bounded_by_a_ridge_or_reported():
    X, y = separable(12)
    settings = {"max_epochs": 400, "lr": 0.1, "weight_decay": 0, "T": 2, "n_counterfactuals": 8}
    ridge = fit(X, y, lambda_reg=0.1, **settings)
    check(ridge, X)
    assert ridge.score(X, y) == 1
    assert np.abs(ridge.decision_function(X)).max() < 100
    clf = CounterfactualTrainedClassifier(lambda_reg=0, random_state=0, **settings)
    with pytest.warns(UnboundedEnergyWarning, match=r"Raise lambda_reg \(now 0\)"):
        check(clf.fit(X, y), X)


def separable(n_rows):
    """Return rows of two classes that are far apart, and their labels."""
    y = np.arange(n_rows) % 2
    return np.where(y, 5, -5)[:, None] + 0.3 * np.random.default_rng(0).normal(size=(n_rows, 2)), y
