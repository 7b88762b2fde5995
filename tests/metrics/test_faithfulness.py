import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk._torch.utils import inference_copy, make_generator
from ctsk.metrics import energy_gap, unfaithfulness
from ctsk.metrics.faithfulness import _sample


def module_of(estimator):
    return inference_copy(estimator.net_.module_, torch.float64)


def test_energy_gap_is_the_difference_to_the_mean_energy_of_the_class(fitted_iris, iris):
    X, y = iris
    explanation = fitted_iris.explain(X)
    # Energies are negative logits: they are not normalized over the classes.
    counterfactual = -fitted_iris.decision_function(explanation.counterfactual)
    observed = -fitted_iris.decision_function(X)
    expected = [
        energies[target] - observed[y == target, target].mean()
        for energies, target in zip(counterfactual, explanation.target, strict=True)
    ]
    np.testing.assert_allclose(energy_gap(fitted_iris, explanation, X, y), expected)


def test_energy_gap_is_nan_for_a_class_without_observed_rows(fitted_iris, iris):
    X, y = iris
    explanation = fitted_iris.explain(X[:3], target=2)
    assert np.isnan(energy_gap(fitted_iris, explanation, X[y < 2], y[y < 2])).all()


@pytest.fixture(scope="module")
def steep():
    """A linear model whose first class is typical far to the left, by known weights."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    return CounterfactualTrainedClassifier(
        (), lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=40, lr=0.05, domain=None,
        standardize=False, random_state=0,
    ).fit(X, X[:, 0] > 0), X  # fmt: skip


class Gaussian(torch.nn.Module):
    """Its density exp(-E) is N(mean, deviation^2) in each column, the same for all classes."""

    def __init__(self, mean, deviation):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.tensor(mean, dtype=torch.float64))
        self.deviation = deviation

    def forward(self, rows):
        logits = -((rows - self.mean) / self.deviation).square().sum(dim=1) / 2
        return logits[:, None].expand(-1, 2)


@pytest.mark.parametrize("deviation", [0.25, 0.5])
def test_samples_follow_the_density_of_the_model(steep, deviation):
    clf, _ = steep
    mean, step_size = [0.6, -0.3], 0.02 * deviation**2
    rows = _sample(
        Gaussian(mean, deviation), clf.encoder_, clf.constraints_, 1, 8_000, 800, step_size,
        make_generator(0),
    )  # fmt: skip
    # A discrete step inflates the variance by 1 / (1 - step_size / (4 deviation^2)), 0.5%.
    # 16,000 values give a standard error of 0.6% of the deviation, and of 1% of the mean.
    np.testing.assert_allclose(rows.mean(axis=0), mean, atol=0.04 * deviation)
    np.testing.assert_allclose(rows.std(axis=0), deviation, rtol=0.03)


def test_samples_of_a_linear_model_are_denser_toward_its_class(steep):
    """For a linear energy in a box the density is exponential in each feature."""
    clf, _ = steep
    module = module_of(clf)
    rows = _sample(module, clf.encoder_, clf.constraints_, 1, 2_000, 600, 0.05, make_generator(0))
    assert np.abs(rows).max() <= 3
    slope = clf.net_.module_[0].weight.detach().numpy()[1].astype(float)
    points = np.linspace(-3, 3, 10_001)
    density = np.exp(np.multiply.outer(slope, points))
    expected = (density * points).sum(axis=1) / density.sum(axis=1)
    # Discrete steps are clamped at the ends and accumulate there, so the match is coarse.
    np.testing.assert_allclose(rows.mean(axis=0), expected, atol=0.25)


@pytest.mark.filterwarnings("ignore::ctsk.exceptions.UnobservedDomainWarning")
def test_a_domain_that_is_open_on_one_side_is_closed_beyond_its_bound(steep):
    clf, X = steep
    one_sided = clone(clf).set_params(domain={0: (5, None), 1: (None, -5)}, max_epochs=1)
    one_sided.fit(X, X[:, 0] > 0)
    rows = _sample(
        module_of(one_sided), one_sided.encoder_, one_sided.constraints_, 1, 50, 20, 0.05,
        make_generator(0),
    )  # fmt: skip
    assert rows[:, 0].min() >= 5
    assert rows[:, 0].max() <= 8
    assert rows[:, 1].min() >= -8
    assert rows[:, 1].max() <= -5
    assert (rows.std(axis=0) > 0).all()


def test_confident_counterfactuals_are_more_faithful(steep):
    clf, X = steep
    left = X[X[:, 0] < -0.5][:20]
    near = clf.explain(left, True, tau=0.55, T=200)
    far = clf.explain(left, True, tau=0.99, T=500)
    assert far.valid.all()
    assert unfaithfulness(clf, far).mean() < unfaithfulness(clf, near).mean()


def test_energy_gap_passes_few_rows_at_once(fitted_iris, iris, largest_batch):
    X, y = np.tile(iris[0], (60, 1)), np.tile(iris[1], 60)
    explanation = fitted_iris.explain(iris[0])
    once = energy_gap(fitted_iris, explanation, *iris)
    with largest_batch() as largest:
        gaps = energy_gap(fitted_iris, explanation, X, y)
    assert largest() <= 4096 < len(X)
    np.testing.assert_allclose(gaps, once)


def test_unfaithfulness_of_categories_is_deterministic(fitted_loans, loans):
    explanation = fitted_loans.explain(loans[0].head(20))
    first, second = (unfaithfulness(fitted_loans, explanation, n_steps=20) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first > 0).all()


def test_unfaithfulness_is_the_mean_distance_to_the_samples(fitted_loans, loans):
    explanation = fitted_loans.explain(loans[0].head(20), "granted")
    samples = _sample(
        module_of(fitted_loans), fitted_loans.encoder_, fitted_loans.constraints_, 0, 30, 20, 0.05,
        make_generator(0),
    )  # fmt: skip
    moves = np.abs(explanation.counterfactual_encoded[:, None] - samples)
    # A change of category moves two one-hot columns.
    moves[:, :, 2:] /= 2
    distances = unfaithfulness(fitted_loans, explanation, n_samples=30, n_steps=20)
    np.testing.assert_allclose(distances, moves.sum(axis=2).mean(axis=1))


@pytest.mark.parametrize("dtype", ["object", pd.CategoricalDtype(["cook", "nurse"])], ids=str)
def test_a_feature_without_a_reachable_category_is_sampled_over_all(loans, dtype):
    X, y = loans[0][["income", "job"]].head(80), loans[1].head(80)
    X = X.assign(job=pd.Series(None, index=X.index, dtype=dtype))
    clf = CounterfactualTrainedClassifier(max_epochs=3, random_state=0).fit(X, y)
    rows = _sample(
        module_of(clf), clf.encoder_, clf.constraints_, 1, 200, 20, 0.05, make_generator(0)
    )
    assert np.isfinite(rows).all()
    np.testing.assert_array_equal(rows[:, 1:].sum(axis=1), 1)
    assert (rows[:, 1:].max(axis=0) == 1).all()
    assert np.isfinite(unfaithfulness(clf, clf.explain(X.head(5)), n_steps=5)).all()


@pytest.mark.parametrize("params", [{"n_samples": 0}, {"n_steps": 0}, {"step_size": 0}])
def test_invalid_parameter_is_named(fitted_iris, iris, params):
    with pytest.raises(ValueError, match=next(iter(params))):
        unfaithfulness(fitted_iris, fitted_iris.explain(iris[0][:2]), **params)


def test_observed_rows_of_another_length_or_class_are_rejected(fitted_iris, iris):
    X, y = iris
    explanation = fitted_iris.explain(X[:3])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        energy_gap(fitted_iris, explanation, X[:10], y[:9])
    with pytest.raises(ValueError, match=r"y holds the label 3 \(row 0\)"):
        energy_gap(fitted_iris, explanation, X, y + 3)


@pytest.mark.parametrize("metric", [energy_gap, unfaithfulness])
def test_pipelines_and_their_explanations_are_rejected_with_a_remedy(iris, metric):
    X, y = iris
    clf = CounterfactualTrainedClassifier(max_epochs=3, random_state=0)
    pipeline = make_pipeline(StandardScaler(), clf).fit(X, y)
    explanation = ctsk.explain(pipeline, X[:5])
    args = (X, y) if metric is energy_gap else ()
    with pytest.raises(TypeError, match=r"estimator is a Pipeline.* pipeline\[-1\]"):
        metric(pipeline, explanation, *args)
    with pytest.raises(ValueError, match="explanation is in other units"):
        metric(pipeline[-1], explanation, *args)
    with pytest.raises(TypeError, match="'explanation' parameter"):
        metric(pipeline[-1], X, *args)
    rows = pipeline[:-1].transform(X)
    args = (rows, y) if metric is energy_gap else ()
    assert np.isfinite(metric(pipeline[-1], pipeline[-1].explain(rows[:5]), *args)).all()


def test_targets_of_another_estimator_are_refused(iris):
    X, y = iris
    other = CounterfactualTrainedClassifier(max_epochs=1, random_state=0).fit(X, y + 10)
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="explanation.target holds the label"):
        unfaithfulness(clf, other.explain(X[:4], T=1))
