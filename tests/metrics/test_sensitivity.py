import types

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn.utils import parametrize

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
    attributions = integrated_gradients(clf, iris[0], target=iris[1], baseline=start)
    np.testing.assert_allclose(attributions, expected, atol=1e-3)


def test_a_linear_model_is_attributed_by_its_weights(iris):
    clf = fit("relu", ())
    weights = clf.net_.module_[0].weight.detach().numpy()
    rows = clf.encoder_.encode(iris[0])
    attributions = integrated_gradients(clf, iris[0], target=iris[1])
    np.testing.assert_allclose(attributions, rows * weights[iris[1]], rtol=1e-6)


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
def test_attributions_equal_those_of_captum(iris, activation):
    captum = pytest.importorskip("captum.attr", reason="captum is a reference for tests only")
    clf = fit(activation)
    module = clf.net_.module_.double()
    rows = torch.as_tensor(clf.encoder_.encode(iris[0]))
    expected = captum.IntegratedGradients(module).attribute(
        rows, torch.zeros_like(rows), target=torch.as_tensor(iris[1]), n_steps=200
    )
    attributions = integrated_gradients(clf, iris[0], target=iris[1], n_steps=200)
    np.testing.assert_allclose(attributions, expected.detach().numpy(), atol=1e-6)


class Masked(nn.Linear):
    """Linear layer that ignores its first input, without saying so in its weights."""

    def forward(self, rows):
        return super().forward(rows * torch.tensor([0.0, 1, 1, 1], dtype=rows.dtype))


class Doubled(nn.ReLU):
    def forward(self, rows):
        return 2 * super().forward(rows)


class Reversed(nn.Sequential):
    def forward(self, rows):
        return -super().forward(rows)


class Half(nn.Module):
    def forward(self, weight):
        return weight / 2


def double_output(layer, args, output):
    return 2 * output


def halve_input(layer, args):
    return (args[0] / 2,)


def with_own_forward(layer):
    layer.forward = types.MethodType(lambda self, rows: 2 * nn.Linear.forward(self, rows), layer)
    return layer


def with_hook(layer, hook, before=False):
    register = layer.register_forward_pre_hook if before else layer.register_forward_hook
    register(hook)
    return layer


def parametrized(layer):
    return parametrize.register_parametrization(layer, "weight", Half())


UNUSUAL_MODULES = {
    "masked layer": lambda d, k: nn.Sequential(Masked(d, 8), nn.ReLU(), nn.Linear(8, k)),
    "masked linear model": lambda d, k: nn.Sequential(Masked(d, k)),
    "subclassed ReLU": lambda d, k: nn.Sequential(nn.Linear(d, 8), Doubled(), nn.Linear(8, k)),
    "subclassed Sequential": lambda d, k: Reversed(nn.Linear(d, 8), nn.ReLU(), nn.Linear(8, k)),
    "forward of an instance": lambda d, k: nn.Sequential(
        with_own_forward(nn.Linear(d, 8)), nn.ReLU(), nn.Linear(8, k)
    ),
    "hook of a layer": lambda d, k: nn.Sequential(
        nn.Linear(d, 8), nn.ReLU(), with_hook(nn.Linear(8, k), double_output)
    ),
    "hook before a layer": lambda d, k: nn.Sequential(
        nn.Linear(d, 8), nn.ReLU(), with_hook(nn.Linear(8, k), halve_input, before=True)
    ),
    "hook of the module": lambda d, k: with_hook(nn.Sequential(nn.Linear(d, k)), double_output),
    "parametrized weights": lambda d, k: nn.Sequential(
        parametrized(nn.Linear(d, 8)), nn.ReLU(), nn.Linear(8, k)
    ),
    "no bias": lambda d, k: nn.Sequential(
        nn.Linear(d, 8, bias=False), nn.ReLU(), nn.Linear(8, k, bias=False)
    ),
}


@pytest.mark.parametrize("build", UNUSUAL_MODULES.values(), ids=UNUSUAL_MODULES)
def test_attributions_of_any_module_sum_to_the_difference_of_the_logits(iris, build):
    X, y = iris
    clf = CounterfactualTrainedClassifier(
        module=build, lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=5, random_state=0
    ).fit(X, y)
    attributions = integrated_gradients(clf, X, target=1, n_steps=300)
    at_mean = clf.decision_function(X.mean(axis=0)[None])
    expected = clf.decision_function(X)[:, 1] - at_mean[:, 1]
    # Kinks of rectified linear units are integrated to about 1 / n_steps.
    np.testing.assert_allclose(attributions.sum(axis=1), expected, atol=0.01)
    assert np.abs(attributions).max() > 0.05


def test_a_feature_that_the_module_masks_gets_no_attribution(iris):
    clf = CounterfactualTrainedClassifier(
        module=UNUSUAL_MODULES["masked layer"], lambda_div=0, lambda_adv=0, lambda_reg=0,
        max_epochs=5, random_state=0,
    ).fit(*iris)  # fmt: skip
    attributions = np.abs(integrated_gradients(clf, iris[0])).mean(axis=0)
    assert attributions[0] == 0
    assert attributions[1:].min() > 0


def test_few_rows_pass_through_the_module_at_once(iris, largest_batch):
    clf, X = fit("tanh"), np.tile(iris[0], (60, 1))
    with largest_batch() as largest:
        integrated_gradients(clf, X)
    assert 0 < largest() <= 4096 < len(X)


def test_attribution_of_a_category_is_the_sum_over_its_columns(fitted_loans, loans):
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
    ("params", "message"),
    [
        ({"baseline": "zero"}, "baseline"),
        ({"baseline": [1.0, 2.0]}, r"baseline has shape \(2,\)"),
        ({"baseline": [np.nan, 0, 0, 0]}, "finite numbers"),
        ({"n_steps": 0}, "n_steps"),
        ({"target": 7}, "target holds the label 7"),
    ],
)
def test_invalid_parameter_is_named(fitted_iris, iris, params, message):
    with pytest.raises(ValueError, match=message):
        integrated_gradients(fitted_iris, iris[0], **params)


@pytest.mark.parametrize("metric", [integrated_gradients, feature_sensitivity])
def test_other_estimators_are_rejected_with_a_remedy(iris, metric):
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0)
    pipeline = make_pipeline(StandardScaler(), clf).fit(*iris)
    with pytest.raises(TypeError, match=r"estimator is a Pipeline.* pipeline\[-1\]"):
        metric(pipeline, iris[0])
    search = GridSearchCV(clf, {"max_epochs": [1]}, cv=2).fit(*iris)
    with pytest.raises(TypeError, match=r"estimator is a GridSearchCV.* search.best_estimator_"):
        metric(search, iris[0])
