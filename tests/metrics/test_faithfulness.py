import numpy as np
import pytest
from sklearn.base import clone

from ctsk import CounterfactualTrainedClassifier
from ctsk._torch.utils import make_generator
from ctsk.metrics import energy_gap, unfaithfulness
from ctsk.metrics.faithfulness import _module, _sample


def test_energy_gap_is_the_difference_to_the_mean_energy_of_the_class(fitted_iris, iris):
    X, y = iris
    explanation = fitted_iris.explain(X)
    # Without classes' log-partition: energies are negative logits.
    found = -fitted_iris.decision_function(explanation.counterfactual)
    observed = -fitted_iris.decision_function(X)
    expected = [
        energies[target] - observed[y == target, target].mean()
        for energies, target in zip(found, explanation.target, strict=True)
    ]
    np.testing.assert_allclose(energy_gap(fitted_iris, explanation, X, y), expected)


def test_energy_gap_to_a_class_without_rows_is_unknown(fitted_iris, iris):
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


def test_samples_follow_the_models_distribution(steep):
    """For a linear energy in a box the density is exponential in each feature."""
    clf, _ = steep
    module = _module(clf)
    rows = _sample(module, clf.encoder_, clf.constraints_, 1, 2_000, 600, 0.05, make_generator(0))
    assert np.abs(rows).max() <= 3
    slope = clf.net_.module_[0].weight.detach().numpy()[1].astype(float)
    points = np.linspace(-3, 3, 10_001)
    density = np.exp(np.multiply.outer(slope, points))
    expected = (density * points).sum(axis=1) / density.sum(axis=1)
    # Clamped at the ends, a discretised walk rests there: hence not exactly.
    np.testing.assert_allclose(rows.mean(axis=0), expected, atol=0.25)


def test_a_domain_that_is_open_beyond_the_centre_has_room(steep):
    clf, X = steep
    one_sided = clone(clf).set_params(domain={0: (5, None), 1: (None, -5)}, max_epochs=1)
    one_sided.fit(X, X[:, 0] > 0)
    rows = _sample(
        _module(one_sided), one_sided.encoder_, one_sided.constraints_, 1, 50, 20, 0.05,
        make_generator(0),
    )  # fmt: skip
    assert rows[:, 0].min() >= 5
    assert rows[:, 0].max() <= 8
    assert rows[:, 1].min() >= -8
    assert rows[:, 1].max() <= -5
    assert (rows.std(axis=0) > 0).all()


def test_what_the_model_would_generate_itself_is_more_faithful(steep):
    clf, X = steep
    left = X[X[:, 0] < -0.5][:20]
    near = clf.explain(left, True, tau=0.55, T=200)
    far = clf.explain(left, True, tau=0.99, T=500)
    assert far.valid.all()
    assert unfaithfulness(clf, far).mean() < unfaithfulness(clf, near).mean()


def test_categories_are_sampled_as_such(fitted_loans, loans):
    explanation = fitted_loans.explain(loans[0].head(20))
    twice = [unfaithfulness(fitted_loans, explanation, n_steps=20) for _ in range(2)]
    np.testing.assert_array_equal(*twice)
    assert (twice[0] > 0).all()


@pytest.mark.parametrize("given", [{"n_samples": 0}, {"n_steps": 0}, {"step_size": 0}])
def test_bad_parameter_is_refused_by_name(fitted_iris, iris, given):
    with pytest.raises(ValueError, match=next(iter(given))):
        unfaithfulness(fitted_iris, fitted_iris.explain(iris[0][:2]), **given)
