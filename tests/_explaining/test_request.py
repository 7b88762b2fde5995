import numpy as np
import pytest
import torch
from simple_generators import Minimal, TowardCenter
from torch import nn

import ctsk
from ctsk import ECCCoGenerator, GenericGenerator, REVISEGenerator
from ctsk._explaining.request import Settings, make_request


def request_of(clf, X, **settings):
    return make_request(clf._explainable(), X[:3], None, Settings(**settings))


@pytest.mark.parametrize(
    "generator",
    [None, "generic", "eccco", GenericGenerator(), ECCCoGenerator(), Minimal()],
    ids=str,
)
def test_explanation_caps_the_steps_of_names_and_instances_alike(iris, fitted_iris, generator):
    request = request_of(fitted_iris, iris[0], generator=generator)
    assert request.generator.max_step == 0.05
    explanation = fitted_iris.explain(iris[0][:20], generator=generator, return_path=True)
    changes = np.abs(np.diff(explanation.path, axis=1)) / fitted_iris.encoder_.scale
    # The last state is rounded to the grid of the columns, which is as wide as several steps.
    is_rounded = np.arange(changes.shape[1]) == explanation.n_iter[:, None] - 1
    changes = changes[~is_rounded]
    assert 0.04 < changes.max() <= 0.05 * (1 + 1e-4)
    # Neither what the user has passed nor what is fitted has changed.
    assert fitted_iris.generator_.max_step == "auto"
    if isinstance(generator, GenericGenerator | ECCCoGenerator | Minimal):
        assert generator.max_step == "auto"


@pytest.mark.parametrize("max_step", [None, 0.2])
def test_max_step_that_is_given_holds_in_an_explanation(iris, fitted_iris, max_step):
    generator = ECCCoGenerator(max_step=max_step)
    assert request_of(fitted_iris, iris[0], generator=generator).generator.max_step == max_step


def test_explanation_has_a_number_of_steps_of_its_own(iris, fitted_iris):
    class Quick(TowardCenter):
        default_T = 7

    assert fitted_iris.T == 30
    assert request_of(fitted_iris, iris[0]).T == 100
    assert request_of(fitted_iris, iris[0], generator="eccco").T == 300
    assert request_of(fitted_iris, iris[0], generator=None).T == 300
    assert request_of(fitted_iris, iris[0], T=12).T == 12
    quick = {"generator": Quick(), "X_reference": iris[0]}
    assert request_of(fitted_iris, iris[0], **quick).T == 7
    assert request_of(fitted_iris, iris[0], **quick, T=12).T == 12
    assert ctsk.explain(fitted_iris, iris[0][:2], return_path=True).path.shape[1] == 101


def test_cap_does_not_make_a_fitted_generator_another_one(iris):
    X, y = iris
    generator = REVISEGenerator(n_latent=2, hidden_layer_sizes=(8,), max_iter=300)
    clf = ctsk.CounterfactualTrainedClassifier(
        generator=generator, max_epochs=1, random_state=0
    ).fit(X, y)
    # It has learned under equal parameters, so no reference rows are needed.
    request = request_of(clf, X, generator=generator)
    assert request.generator.vae_ is clf.generator_.vae_
    assert (request.generator.max_step, clf.generator_.max_step) == (0.05, "auto")


class Optional(TowardCenter):
    """Goes to the factuals themselves unless it has learned centers."""

    must_learn = False

    def search(self, model, factuals, targets, box, **settings):
        if not hasattr(self, "centers_"):
            self = TowardCenter()
            self.centers_, self.n_numeric_ = torch.zeros(9, factuals.shape[1]), factuals.shape[1]
        return TowardCenter.search(self, model, factuals, targets, box, **settings)


def test_generator_that_can_search_without_learning_learns_where_it_can(iris, fitted_iris):
    X, y = iris
    assert not hasattr(request_of(fitted_iris, X, generator=Optional()).generator, "centers_")
    learned = request_of(fitted_iris, X, generator=Optional(), X_reference=X)
    assert hasattr(learned.generator, "centers_")
    clf = ctsk.CounterfactualTrainedClassifier(
        generator=Optional(), max_epochs=1, early_stopping=False, random_state=0
    ).fit(X, y)
    means = np.stack([clf.encoder_.encode(X)[y == label].mean(axis=0) for label in clf.classes_])
    np.testing.assert_allclose(clf.generator_.centers_, means, atol=1e-5)
    assert request_of(clf, X, generator=Optional()).generator.centers_ is clf.generator_.centers_
    # Module units of another model are others, so what was learned does not hold there.
    module = nn.Linear(4, 3)
    foreign = ctsk.explain(module, X[:5], X_reference=X, generator=Optional())
    assert len(foreign) == 5


def test_search_without_a_gradient_offers_all_that_explain_does(iris):
    X, y = iris
    clf = ctsk.CounterfactualTrainedClassifier(
        generator=TowardCenter(), max_epochs=5, lr=0.02, random_state=0
    ).fit(X, y)
    explanation = clf.explain(
        X, n_alternatives=2, sparse=True, return_path=True, mutability=["none", "both"] * 2, T=40
    )
    assert explanation.valid.any()
    fixed = explanation.counterfactual[:, [0, 2]] == explanation.factual[:, [0, 2]]
    assert fixed.all()
    assert (np.isfinite(explanation.path)).all()
    first = explanation[::2]
    assert set(first.reason[first.valid & first.mature]) == {None}


@pytest.mark.parametrize(
    "settings", [{"T": 10**9}, {"T": np.int64(2**62)}, {"T": 10**8, "n_alternatives": 3}]
)
def test_paths_that_no_memory_holds_are_rejected_with_a_remedy(iris, fitted_iris, settings):
    with pytest.raises(
        ValueError, match="return_path=True would keep .* Lower T, or explain fewer"
    ):
        fitted_iris.explain(iris[0][:3], return_path=True, **settings)
