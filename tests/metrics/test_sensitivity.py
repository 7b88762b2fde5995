import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from ctsk import CounterfactualTrainedClassifier
from ctsk._torch.utils import make_rng
from ctsk.metrics import feature_sensitivity, integrated_gradients


def fit(activation, sizes=(16,)):
    X, y = load_iris(return_X_y=True)
    return CounterfactualTrainedClassifier(
        sizes, activation=activation, max_epochs=20, lr=0.01, random_state=0
    ).fit(X, y)


def test_closed_form_equals_a_fine_sum_along_the_path(iris):
    clf = fit("relu")
    hidden, out = (clf.net_.module_[i] for i in (0, 2))
    W, b, V = (weights.detach().numpy() for weights in (hidden.weight, hidden.bias, out.weight))
    rows = clf.encoder_.encode(iris[0])
    start = np.array([0.3, -0.2, 0.5, 0.1])
    shares = (np.arange(20_000)[:, None] + 0.5) / 20_000
    expected = []
    for row, label in zip(rows, iris[1], strict=True):
        active = ((start + shares * (row - start)) @ W.T + b > 0).mean(axis=0)
        expected.append((row - start) * ((V[label] * active) @ W))
    found = integrated_gradients(clf, iris[0], target=iris[1], baseline=start)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_linear_model_is_attributed_by_its_weights(iris):
    clf = fit("relu", ())
    weights = clf.net_.module_[0].weight.detach().numpy()
    rows = clf.encoder_.encode(iris[0])
    found = integrated_gradients(clf, iris[0], target=iris[1])
    np.testing.assert_allclose(found, rows * weights[iris[1]], rtol=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu", "logistic"])
def test_attributions_sum_to_the_difference_of_the_logits(iris, activation):
    clf = fit(activation)
    starts = np.array([0.3, -0.2, 0.5, 0.0])
    encoder = clf.encoder_
    at_start = clf.decision_function(encoder.to_x_units(starts[None]))
    attributions = integrated_gradients(clf, iris[0], target=2, baseline=starts)
    expected = clf.decision_function(iris[0])[:, 2] - at_start[:, 2]
    np.testing.assert_allclose(attributions.sum(axis=1), expected, atol=1e-9)


@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_attributions_equal_captums(iris, activation):
    captum = pytest.importorskip("captum.attr", reason="captum is a reference for tests only")
    clf = fit(activation)
    module = clf.net_.module_.double()
    rows = torch.as_tensor(clf.encoder_.encode(iris[0]))
    expected = captum.IntegratedGradients(module).attribute(
        rows, torch.zeros_like(rows), target=torch.as_tensor(iris[1]), n_steps=200
    )
    found = integrated_gradients(clf, iris[0], target=iris[1], n_steps=200)
    np.testing.assert_allclose(found, expected.detach().numpy(), atol=1e-6)


def test_category_gets_the_sum_over_its_columns(fitted_loans, loans):
    attributions = integrated_gradients(fitted_loans, loans[0])
    assert attributions.shape == loans[0].shape
    assert (np.abs(attributions).mean(axis=0) > 0).all()


def test_default_target_is_the_prediction(fitted_iris, iris):
    X, _ = iris
    np.testing.assert_array_equal(
        integrated_gradients(fitted_iris, X),
        integrated_gradients(fitted_iris, X, target=fitted_iris.predict(X)),
    )


def test_sensitivity_finds_the_feature_that_decides():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    clf = CounterfactualTrainedClassifier(
        (), lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=60, lr=0.05, random_state=0
    ).fit(X, X[:, 1] > 0)
    shares = feature_sensitivity(clf, X, target=True)
    assert shares.sum() == pytest.approx(1)
    sizes = [
        np.abs(integrated_gradients(clf, X, baseline="uniform", random_state=seed)).mean(axis=0)
        for seed in range(5)
    ]
    assert np.mean(sizes, axis=0).argmax() == 1


@pytest.mark.parametrize("columns", [2, 4])
def test_scales_of_sensitivity_equal_their_formulas(iris, columns):
    X, y = iris[0][:, :columns], iris[1]
    clf = CounterfactualTrainedClassifier(max_epochs=10, lr=0.01, random_state=0).fit(X, y)
    shares = feature_sensitivity(clf, X, target=2)
    scaled = feature_sensitivity(clf, X, target=2, scale="range")
    seeds = make_rng(0).integers(2**31, size=10)
    mean = np.mean(
        [
            integrated_gradients(clf, X, 2, baseline="uniform", random_state=int(seed))
            for seed in seeds
        ],
        axis=(0, 1),
    )
    np.testing.assert_allclose(shares, np.abs(mean) / np.abs(mean).sum())
    height = np.abs(mean) if columns == 2 else mean - mean.min()
    np.testing.assert_allclose(scaled, height / (mean.max() - mean.min()))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"baseline": "zero"}, "baseline"),
        ({"baseline": [1.0, 2.0]}, r"baseline has shape \(2,\)"),
        ({"n_steps": 0}, "n_steps"),
        ({"target": 7}, "target holds the label 7"),
    ],
)
def test_bad_parameter_is_refused(fitted_iris, iris, given, message):
    with pytest.raises(ValueError, match=message):
        integrated_gradients(fitted_iris, iris[0], **given)
