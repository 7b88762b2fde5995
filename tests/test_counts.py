"""How often X is read, and the net copied, in each call."""

import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.schema import Schema
from ctsk._explaining import request
from ctsk._torch import utils


@pytest.fixture
def counts(monkeypatch):
    """Count reads of tables with X's columns, copies of modules and checks of constraints."""
    counts = {"reads": 0, "copies": 0, "checks": 0}
    read, check_constraints = Schema.read, request.check_constraints
    deepcopy = utils.copy.deepcopy

    def counting_read(schema, X, **kwargs):
        counts["reads"] += list(getattr(X, "columns", [])) == counts.get("columns")
        return read(schema, X, **kwargs)

    def counting_copy(value, *args):
        counts["copies"] += isinstance(value, torch.nn.Module)
        return deepcopy(value, *args)

    def counting_check(*args):
        counts["checks"] += 1
        return check_constraints(*args)

    monkeypatch.setattr(Schema, "read", counting_read)
    monkeypatch.setattr(utils.copy, "deepcopy", counting_copy)
    monkeypatch.setattr(request, "check_constraints", counting_check)
    return counts


def reset(counts, X):
    counts.update(reads=0, copies=0, checks=0, columns=list(X))


def test_fit_reads_x_once_and_copies_no_net(counts, loans):
    X, y = loans
    reset(counts, X)
    CounterfactualTrainedClassifier(max_epochs=1, random_state=0).fit(X, y)
    assert (counts["reads"], counts["copies"]) == (1, 0)


def test_explain_reads_x_once_and_copies_the_net_twice_and_only_once_for_all_calls(counts, loans):
    X, y = loans
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0).fit(X, y)
    X, copies = X.head(50), []
    for settings in ({}, {"n_alternatives": 3, "sparse": True}):
        reset(counts, X)
        clf.explain(X, T=5, **settings)
        copies.append(counts["copies"])
        assert (counts["reads"], counts["checks"]) == (1, 1)
    # One copy searches, and the other one judges in float64.
    assert copies == [2, 0]


def test_explain_of_a_pipeline_reads_x_and_copies_the_net_twice_at_most(counts, loans):
    X, y = loans
    numbers, words = ["income", "children"], ["grade", "job", "owner"]
    encoder = OneHotEncoder(sparse_output=False)
    columns = make_column_transformer((StandardScaler(), numbers), (encoder, words))
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0)
    pipeline = make_pipeline(columns, clf).fit(X.fillna("none"), y)
    X = X.head(50).fillna("none")
    reset(counts, X)
    ctsk.explain(pipeline, X, T=20)
    assert counts["reads"] <= 2
    assert counts["copies"] <= 2
    assert counts["checks"] == 1


def test_metrics_of_an_explanation_read_nothing(counts, fitted_loans, loans):
    X = loans[0].head(50)
    explanation = fitted_loans.explain(X, T=5)
    reset(counts, X)
    ctsk.metrics.cost(explanation)
    ctsk.metrics.redundancy(explanation)
    explanation.changes()
    assert counts["reads"] == 0
