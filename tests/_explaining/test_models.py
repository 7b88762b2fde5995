import numpy as np
import pytest
from scipy.special import softmax

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
    monkeypatch.setattr(models, "CHUNK", 7)
    np.testing.assert_allclose(judge.logits(rows), whole, rtol=1e-12)


def test_judge_keeps_the_module_that_it_was_given(fitted_loans, rows):
    """The judge has a copy, so that training goes on in float32."""
    judge = Judge(fitted_loans.net_.module_, fitted_loans.encoder_)
    assert judge.module is not fitted_loans.net_.module_
    assert {str(w.dtype) for w in fitted_loans.net_.module_.parameters()} == {"torch.float32"}
