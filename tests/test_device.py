"""On a GPU, the estimator gives what it gives on the CPU. Without one, these tests are skipped."""

import copy
import pickle

import numpy as np
import pytest
import torch
from promise_checks import cells_of
from sklearn.model_selection import GridSearchCV

import ctsk
from ctsk import (
    CounterfactualTrainedClassifier,
    ECCCoGenerator,
    GenericGenerator,
    NearestGenerator,
    REVISEGenerator,
)
from ctsk._storing.state import FITTED
from ctsk.metrics import neg_implausibility_scorer, robust_accuracy_scorer, validity_scorer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

MUTABILITY = {"job": "none", "children": "increase", "income": "increase"}
GENERATORS = {
    "nearest": NearestGenerator(),
    "generic": GenericGenerator(),
    "eccco": ECCCoGenerator(),
    "revise": REVISEGenerator(n_latent=8, hidden_layer_sizes=(32,), max_iter=400),
}
# The devices sum in another order, in float32 while they train and search.
TOLERANCE = 1e-3


def classifier(device, **parameters):
    parameters = {"max_epochs": 6, "lr": 0.01, "mutability": MUTABILITY, **parameters}
    return CounterfactualTrainedClassifier(device=device, random_state=0, **parameters)


@pytest.fixture(scope="module")
def on_gpu(loans):
    return classifier("cuda").fit(*loans)


@pytest.fixture(scope="module")
def on_cpu(on_gpu):
    """Return a classifier of the same weights on the CPU."""
    state = on_gpu.__getstate__()
    state[FITTED]["net"]["device"] = "cpu"
    other = CounterfactualTrainedClassifier()
    other.__setstate__(state)
    return other


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0},
        {"standardize": "quantile", "dropout": 0.2, "lr_schedule": "cosine"},
    ],
)
def test_training_on_a_gpu_is_reproducible_and_gives_the_model_of_the_cpu(loans, parameters):
    X, y = loans
    first, second = (classifier("cuda", **parameters).fit(X, y) for _ in range(2))
    assert first.net_.module_.training is False
    assert next(first.net_.module_.parameters()).is_cuda
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    on_cpu = classifier("cpu", **parameters).fit(X, y)
    np.testing.assert_allclose(first.predict_proba(X), on_cpu.predict_proba(X), atol=TOLERANCE)


@pytest.mark.parametrize("name", GENERATORS)
def test_each_search_keeps_the_constraints_and_finds_what_it_finds_on_the_cpu(
    loans, on_gpu, on_cpu, name
):
    X, y = loans
    rows = X[:100]
    target = np.where(on_cpu.predict(rows) == "granted", "refused", "granted")
    generator = GENERATORS[name]
    if name == "revise":
        # REVISE learns from rows, so it has to belong to the training.
        on_gpu = classifier("cuda", generator=generator).fit(X, y)
        on_cpu = classifier("cpu", generator=generator).fit(X, y)
    found, expected = (clf.explain(rows, target, generator=generator) for clf in (on_gpu, on_cpu))
    after = found.counterfactual
    assert [row[3] for row in cells_of(after)] == [row[3] for row in cells_of(rows)]
    assert (after["children"] >= rows["children"]).all()
    assert (after["income"] >= rows["income"]).all()
    # A row at a threshold may fall on either side of it.
    assert abs(found.valid.mean() - expected.valid.mean()) <= 0.02
    both = found.valid & expected.valid
    assert np.median(found.cost[both]) == pytest.approx(np.median(expected.cost[both]), rel=0.02)


def test_a_proof_on_a_gpu_is_that_on_the_cpu(loans, on_gpu, on_cpu):
    rows = loans[0][:20]
    target = np.where(on_cpu.predict(rows) == "granted", "refused", "granted")
    proofs = [clf.explain(rows, target, prove=True) for clf in (on_gpu, on_cpu)]
    assert (proofs[0].proof == proofs[1].proof).all()
    np.testing.assert_allclose(proofs[0].cost, proofs[1].cost, rtol=TOLERANCE)


def test_copies_and_stored_models_of_a_gpu_predict_to_the_bit_as_before(loans, on_gpu, tmp_path):
    X, _ = loans
    ctsk.save(on_gpu, tmp_path / "model.zip")
    for other in (
        copy.deepcopy(on_gpu),
        pickle.loads(pickle.dumps(on_gpu)),
        ctsk.load(tmp_path / "model.zip"),
    ):
        assert next(other.net_.module_.parameters()).is_cuda
        np.testing.assert_array_equal(other.predict_proba(X), on_gpu.predict_proba(X))


def test_partial_fit_goes_on_to_the_bit_after_a_model_was_stored_on_a_gpu(loans, tmp_path):
    X, y = loans
    clf = classifier("cuda").partial_fit(X, y, classes=np.unique(y))
    ctsk.save(clf, tmp_path / "model", resume=True)
    stored = ctsk.load(tmp_path / "model")
    for other in (clf, stored):
        other.partial_fit(X, y)
    np.testing.assert_array_equal(stored.predict_proba(X), clf.predict_proba(X))


def test_scorers_and_grid_searches_run_on_a_gpu(loans, on_gpu, on_cpu):
    X, y = loans
    for scorer in (neg_implausibility_scorer, robust_accuracy_scorer, validity_scorer):
        score = scorer(on_gpu, X[:100], y[:100])
        assert score == pytest.approx(scorer(on_cpu, X[:100], y[:100]), abs=0.05)
    grid = GridSearchCV(classifier("cuda"), {"lambda_reg": [0.0, 0.1]}, cv=2, n_jobs=1)
    assert np.isfinite(grid.fit(X, y).cv_results_["mean_test_score"]).all()


def test_a_module_of_the_user_trains_on_a_gpu_and_leaves_the_random_state_of_torch(loans):
    X, y = loans
    before = torch.get_rng_state(), torch.cuda.get_rng_state()
    fits = [
        classifier("cuda", module=_module_with_dropout, early_stopping=False).fit(X, y)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*(clf.predict_proba(X) for clf in fits))
    after = torch.get_rng_state(), torch.cuda.get_rng_state()
    assert all(torch.equal(*states) for states in zip(before, after, strict=True))


def _module_with_dropout(n_features, n_classes):
    return torch.nn.Sequential(
        torch.nn.Linear(n_features, 16),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.2),
        torch.nn.Linear(16, n_classes),
    )
