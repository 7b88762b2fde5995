import numpy as np
import pytest
import torch
from scipy.special import softmax

from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.rows import Rows
from ctsk._explaining import models
from ctsk._explaining.models import Judge


@pytest.fixture
def rows(fitted_loans, loans):
    return Rows.read(loans[0].head(50), fitted_loans.encoder_.schema)


def test_judge_answers_in_float64_as_the_classifier_does(fitted_loans, loans, rows):
    judge = Judge(fitted_loans.net_.module_, fitted_loans.encoder_)
    logits = judge.logits(rows)
    assert logits.dtype == np.float64
    expected = fitted_loans.predict_proba(loans[0].head(50))
    np.testing.assert_array_equal(judge.predict_proba(rows), expected)
    np.testing.assert_array_equal(softmax(logits, axis=1), expected)


def test_judge_answers_alike_for_rows_in_chunks(fitted_loans, rows, monkeypatch):
    judge = Judge(fitted_loans.net_.module_, fitted_loans.encoder_)
    whole = judge.logits(rows)
    monkeypatch.setattr(models, "chunk_size", lambda n_cells: 7)
    np.testing.assert_allclose(judge.logits(rows), whole, rtol=1e-12)


def test_judge_keeps_the_module_that_it_was_given(fitted_loans, rows):
    """The judge has a copy, so that training goes on in float32."""
    judge = Judge(fitted_loans.net_.module_, fitted_loans.encoder_)
    assert judge.module is not fitted_loans.net_.module_
    assert {str(w.dtype) for w in fitted_loans.net_.module_.parameters()} == {"torch.float32"}


class Ensemble(torch.nn.Module):
    """The mean of the logits of several linear models."""

    def __init__(self, n_features, n_classes, n_heads=5):
        super().__init__()
        self.members = torch.nn.ModuleList(
            [torch.nn.Linear(n_features, n_classes) for _ in range(n_heads)]
        )

    def heads(self, rows):
        return torch.stack([member(rows) for member in self.members], dim=1)

    def forward(self, rows):
        return self.heads(rows).mean(dim=1)


def test_agreement_is_the_share_of_heads_that_predict_the_target(diabetes):
    X, y = diabetes
    clf = CounterfactualTrainedClassifier(module=Ensemble, max_epochs=3, lr=0.01, random_state=0)
    explanation = clf.fit(X, y).explain(X.head(30), tau=0.5, n_alternatives=2)
    encoded = torch.as_tensor(explanation.counterfactual_encoded, dtype=torch.float32)
    with torch.no_grad():
        predictions = clf.net_.module_.heads(encoded).argmax(dim=2).numpy()
    targets = np.searchsorted(clf.classes_, explanation.target)
    expected = (predictions == targets[:, None]).mean(axis=1)
    np.testing.assert_allclose(explanation.agreement, expected)
    assert 0 < expected.mean() < 1
    assert len(explanation[:3].agreement) == 3


def test_module_without_heads_has_no_agreement(fitted, diabetes):
    assert fitted.explain(diabetes[0].head(2)).agreement is None
