"""Architectures of other packages, trained and explained as a ``module``."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from architectures import EmbeddedNet, TabMNet, periodic, piecewise_linear

from ctsk import CounterfactualTrainedClassifier

ARCHITECTURES = {
    "periodic": partial(EmbeddedNet, embeddings=periodic),
    "piecewise linear": partial(EmbeddedNet, embeddings=piecewise_linear),
    "TabM": partial(TabMNet, embeddings=piecewise_linear),
}


@pytest.fixture(scope="module", params=ARCHITECTURES.values(), ids=list(ARCHITECTURES))
def fitted(request, loans):
    clf = CounterfactualTrainedClassifier(
        module=request.param, max_epochs=6, lr=0.01, n_counterfactuals=60, random_state=0
    )
    return clf.fit(*loans)


def test_architecture_learns_and_its_numbers_are_those_of_the_table(fitted, loans):
    assert fitted.score(*loans) > 0.75
    # Income and children are numbers; a grade, a job and an owner are categories.
    assert fitted.net_.module_.n_numeric == 2


def test_prediction_of_a_row_is_that_of_float64_and_does_not_depend_on_the_batch(fitted, loans):
    X, _ = loans
    proba = fitted.predict_proba(X)
    assert proba.dtype == np.float64
    single = np.concatenate([fitted.predict_proba(X.iloc[[row]]) for row in range(3)])
    np.testing.assert_allclose(single, proba[:3], rtol=1e-12)
    # Weights and buffers of the module that is trained remain in float32.
    tensors = [*fitted.net_.module_.parameters(), *fitted.net_.module_.buffers()]
    assert {tensor.dtype for tensor in tensors} == {torch.float32}


@pytest.mark.parametrize("generator", ["nearest", "eccco"])
def test_counterfactuals_are_valid_for_the_model_that_predicts(fitted, loans, generator):
    X, _ = loans
    explanation = fitted.explain(X.head(12), generator=generator)
    predictions = fitted.predict(explanation.counterfactual)
    np.testing.assert_array_equal(predictions == explanation.target, explanation.valid)
    assert explanation.valid.mean() > 0.8
    alone = fitted.explain(X.head(1), generator=generator)
    pd.testing.assert_frame_equal(alone.counterfactual, explanation.counterfactual.head(1))


def test_stored_architecture_predicts_explains_and_goes_on_training(fitted, loans):
    X, y = loans
    stored, twin = (pickle.loads(pickle.dumps(fitted)) for _ in range(2))
    np.testing.assert_array_equal(stored.predict_proba(X), fitted.predict_proba(X))
    pd.testing.assert_frame_equal(
        stored.explain(X.head(3)).counterfactual, fitted.explain(X.head(3)).counterfactual
    )
    np.testing.assert_array_equal(
        stored.partial_fit(X, y).predict_proba(X), twin.partial_fit(X, y).predict_proba(X)
    )


def test_same_seed_builds_and_trains_the_same_architecture(fitted, loans):
    again = CounterfactualTrainedClassifier(**fitted.get_params(deep=False)).fit(*loans)
    np.testing.assert_array_equal(again.predict_proba(loans[0]), fitted.predict_proba(loans[0]))


def test_counterfactual_of_a_higher_tau_has_the_agreement_of_more_heads(loans):
    X, y = loans
    clf = CounterfactualTrainedClassifier(
        module=ARCHITECTURES["TabM"], max_epochs=6, lr=0.01, n_counterfactuals=60, random_state=0
    ).fit(X, y)
    low, high = (clf.explain(X.head(60), tau=tau) for tau in (0.5, 0.8))
    # Numpy counts the heads of a module in float64.
    module = pickle.loads(pickle.dumps(clf.net_.module_)).double().eval()
    with torch.no_grad():
        logits = module.heads(torch.as_tensor(low.counterfactual_encoded)).numpy()
    assert logits.shape == (60, TabMNet.N_HEADS, 2)
    targets = np.searchsorted(clf.classes_, low.target)
    expected = (logits.argmax(axis=2) == targets[:, None]).mean(axis=1)
    np.testing.assert_allclose(low.agreement, expected)
    assert low.agreement.mean() < high.agreement.mean()
