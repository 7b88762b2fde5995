"""Exported models predict what the estimator predicts, from the rows that a user has."""

import functools
import random
import sys
from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch
from random_schemas import CONVENTIONAL, random_model, random_request
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ctsk
from ctsk import CounterfactualTrainedClassifier

onnx = pytest.importorskip("onnx", reason="onnx is an extra")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is an extra of the tests")

QUICK = {"max_epochs": 5, "lr": 0.05, "random_state": 0, **CONVENTIONAL}
# The promise is 1e-6. Both compute in float64, so that rounding errors are much smaller.
TOLERANCE = 1e-9

pytestmark = [
    pytest.mark.filterwarnings(f"ignore::ctsk.exceptions.{name}")
    for name in (
        *("ColumnKindWarning", "PoorReconstructionWarning", "UnknownValueWarning"),
        "UnobservedDomainWarning",
    )
]


def session_of(clf):
    return runtime.InferenceSession(ctsk.to_onnx(clf).SerializeToString())


def input_types(clf):
    return {node.name: node.type for node in session_of(clf).get_inputs()}


def tensor(column, kind):
    """Return a column in the type of its input, and which of its cells the type can hold."""
    cells = pd.Series(list(column), dtype=object)
    is_gap = cells.isna()
    if kind == "tensor(string)":
        return cells.where(~is_gap, "").map(str).to_numpy(dtype=object), np.ones(len(cells), bool)
    if kind == "tensor(bool)":
        return cells.where(~is_gap, False).to_numpy(dtype=bool), ~is_gap.to_numpy()
    numbers = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    if kind == "tensor(double)":
        return numbers, np.ones(len(cells), bool)
    assert kind == "tensor(int64)"
    is_whole = numbers == np.round(numbers)
    # Doubles would round large integers.
    return np.array(cells.where(is_whole, 0).map(int), dtype=np.int64), is_whole


def outputs(clf, X):
    """Return labels and probabilities of an exported model, and the rows that its inputs hold."""
    session = session_of(clf)
    if not isinstance(X, pd.DataFrame):
        label, proba = session.run(["label", "probabilities"], {"X": np.asarray(X, np.float64)})
        return label, proba, np.ones(len(X), bool)
    columns = {
        node.name: tensor(X.iloc[:, i], node.type) for i, node in enumerate(session.get_inputs())
    }
    feeds = {name: cells[:, None] for name, (cells, _) in columns.items()}
    holds = np.all([held for _, held in columns.values()], axis=0)
    return *session.run(["label", "probabilities"], feeds), holds


def assert_equal_predictions(clf, X):
    label, proba, holds = outputs(clf, X)
    assert holds.any()
    expected = clf.predict_proba(X)[holds]
    np.testing.assert_allclose(proba[holds], expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(label[holds], clf.predict(X)[holds])


def fitted_on(X, y=None, **parameters):
    y = np.arange(len(X)) % 2 if y is None else y
    return CounterfactualTrainedClassifier(**{**QUICK, **parameters}).fit(X, y)


@functools.cache
def model(seed):
    return random_model(random.Random(seed), max_epochs=3, lr=0.05, **CONVENTIONAL)


@pytest.mark.parametrize("seed", range(40))
def test_models_of_random_columns_predict_the_same_for_training_rows(seed):
    assert_equal_predictions(model(seed).clf, model(seed).X)


@pytest.mark.parametrize("seed", range(40))
def test_models_of_random_columns_predict_the_same_for_rows_with_gaps_and_unknown_cells(seed):
    chance = random.Random(seed)
    requests = [random_request(chance, model(seed))[0] for _ in range(8)]
    n_held = 0
    for rows in requests:
        label, proba, holds = outputs(model(seed).clf, rows)
        expected = model(seed).clf.predict_proba(rows)
        np.testing.assert_allclose(proba[holds], expected[holds], rtol=0, atol=TOLERANCE)
        n_held += holds.sum()
    assert n_held > 0


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("sizes", [(), (5,), (7, 3)])
def test_every_activation_and_depth_is_exported(iris, activation, sizes):
    X, y = iris
    clf = fitted_on(X, y, activation=activation, hidden_layer_sizes=sizes)
    assert_equal_predictions(clf, X)


def test_dropout_is_off_in_an_exported_model(iris):
    assert_equal_predictions(fitted_on(*iris, dropout=0.5), iris[0])


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        ([3, 7, -1], "tensor(int64)"),
        ([False, True], "tensor(bool)"),
        (["no", "yes", "perhaps"], "tensor(string)"),
        ([0.0, 2.0], "tensor(double)"),
    ],
)
def test_labels_keep_their_type(classes, kind):
    X = np.random.default_rng(0).normal(size=(60, 2))
    clf = fitted_on(X, np.array(classes)[np.arange(60) % len(classes)])
    assert session_of(clf).get_outputs()[0].type == kind
    assert_equal_predictions(clf, X)


@pytest.mark.parametrize(
    ("cells", "kind", "others"),
    [
        (["a", "b", "c"], "tensor(string)", ["new", ""]),
        (["a", "b", None], "tensor(string)", ["new", "", None]),
        (["a", 3, 7.5], "tensor(string)", ["new"]),
        ([True, False], "tensor(bool)", [True]),
        ([True, False, None], "tensor(double)", [None]),
        ([3, 5, 8], "tensor(int64)", [4, -1]),
        ([3, 5, None], "tensor(double)", [4, None]),
        ([2**60, 2**60 + 1, 5], "tensor(int64)", [2**60 + 2]),
        ([2**63, 5], "tensor(double)", [4]),
        ([0.5, 0.25], "tensor(double)", [0.75, None]),
        ([None, None], "tensor(string)", ["new"]),
    ],
)
def test_the_input_of_a_category_has_the_type_of_its_categories(cells, kind, others):
    X = pd.DataFrame({"c": pd.Series(cells * 20, dtype=object), "n": np.arange(20.0 * len(cells))})
    clf = fitted_on(X, X["n"] > X["n"].mean(), categorical_features=["c"])
    assert input_types(clf) == {"c": kind, "n": "tensor(double)"}
    rows = pd.DataFrame({"c": pd.Series(cells + others, dtype=object), "n": 1.0})
    assert_equal_predictions(clf, rows)


@pytest.mark.parametrize("cells", [[3, 5, 8], [0.5, 2.5], [1.0, np.nan], [np.nan]])
def test_categories_of_an_array_are_doubles(cells):
    X = np.column_stack([np.resize(cells, 60), np.arange(60)])
    clf = fitted_on(X, categorical_features=[0])
    assert input_types(clf) == {"X": "tensor(double)"}
    assert_equal_predictions(clf, X)
    assert_equal_predictions(clf, np.array([[4, 1], [np.nan, 2]]))


def test_a_gap_of_text_is_an_unknown_text_if_the_empty_string_is_a_category():
    X = pd.DataFrame({"c": ["", "a", None] * 20, "n": np.arange(60.0)})
    clf = fitted_on(X, (X["c"] == "").astype(int))
    feeds = {"c": np.array([[""], ["a"], ["?"]], dtype=object), "n": np.zeros((3, 1))}
    proba = session_of(clf).run(["probabilities"], feeds)[0]
    rows = pd.DataFrame({"c": ["", "a", None], "n": 0.0})
    np.testing.assert_allclose(proba, clf.predict_proba(rows), rtol=0, atol=TOLERANCE)
    assert np.ptp(proba[:, 0]) > 0.01


def test_the_input_of_a_number_is_an_integer_only_if_training_had_integers_without_gaps():
    X = pd.DataFrame({"whole": range(30), "real": np.arange(30) / 7, "flag": [True, False] * 15})
    X["gaps"] = X["whole"].astype("Int64").mask(X["whole"] > 20)
    X["small"] = X["real"].astype("float32")
    clf = fitted_on(X, categorical_features=None)
    assert input_types(clf) == {
        "whole": "tensor(int64)",
        **dict.fromkeys(["real", "flag", "gaps", "small"], "tensor(double)"),
    }
    assert_equal_predictions(clf, X)


@pytest.mark.parametrize("as_array", [True, False])
def test_missing_and_special_numbers_are_states_or_the_average_if_training_had_none(as_array):
    rng = np.random.default_rng(0)
    X = rng.normal(5, 1, size=(200, 3))
    X[::5, 0], X[1::5, 0], X[2::5, 1] = np.nan, -9, -8
    special = {0: [-9, -7], 1: [-8]}
    table = np.asarray if as_array else pd.DataFrame
    clf = fitted_on(table(X), rng.integers(0, 2, 200), special_values=special)
    rows = np.array([[cell, 5.0, 5.0] for cell in (np.nan, -9, -8, -7, 5)])
    rows = np.vstack([rows, rows[:, [1, 0, 2]], rows[:, [1, 2, 0]]])
    assert_equal_predictions(clf, table(rows))


def test_special_values_of_few_digits_are_recognized():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(5, 1, 200), "b": rng.normal(5, 1, 200)}).astype("float32")
    X.loc[::4, "a"] = 999.9
    clf = fitted_on(X, X["a"] > 5.5, special_values={"a": [999.9, -9], "b": [-9]})
    assert_equal_predictions(clf, X)
    assert_equal_predictions(clf, pd.DataFrame({"a": [999.9, 999.8, -9], "b": 5.0}))


@pytest.mark.parametrize("n_rows", [3, 40, 3000])
def test_quantile_curves_are_exact_on_between_and_beyond_their_points(n_rows):
    rng = np.random.default_rng(0)
    X = np.exp(rng.normal(0, 3, size=(n_rows, 2)))
    # Few large numbers among many equal ones make a short table.
    X[: n_rows // 2, 1] = 1.0
    X[0, 0], X[1, 1] = np.nan if n_rows > 3 else X[0, 0], 4.0
    clf = fitted_on(X, rng.permutation(np.arange(n_rows) % 2), standardize="quantile")
    points = np.concatenate(
        [curve.points for stages in clf.encoder_.curves.values() for curve in stages]
    )
    numbers = np.concatenate(
        [points, points * 1.001, np.nextafter(points, -np.inf), [-1e30, 1e30, np.nan, 0, 1, 4]]
    )
    rows = np.column_stack([numbers, rng.permutation(numbers)])
    assert len(points) > 3
    assert_equal_predictions(clf, rows)


def test_unknown_categories_are_accepted_also_under_handle_unknown_error():
    X = pd.DataFrame({"c": ["a", "b"] * 20, "n": np.arange(40.0)})
    strict = fitted_on(X, handle_unknown="error")
    rows = pd.DataFrame({"c": ["new"], "n": [0.0]})
    proba = outputs(strict, rows)[1]
    expected = fitted_on(X).predict_proba(rows)
    np.testing.assert_allclose(proba, expected, rtol=0, atol=TOLERANCE)
    with pytest.raises(ValueError, match="unknown category 'new'"):
        strict.predict_proba(rows)


@pytest.mark.parametrize("names", [["_0", "__1", "X", "a b\n/"], [3, 0, 2, 1]])
def test_columns_may_have_any_names_that_differ_as_text(names):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 4)), columns=names)
    clf = fitted_on(X)
    assert list(input_types(clf)) == list(map(str, names))
    assert_equal_predictions(clf, X)


@pytest.mark.parametrize(
    "names",
    [
        ["label", "a"],
        ["probabilities", "a"],
        ["", "a"],
        [date(2026, 1, 1), np.datetime64("2026-01-01")],
    ],
)
def test_ambiguous_names_are_an_error(names):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)))
    X.columns = pd.Index(names, dtype=object)
    with pytest.raises(ValueError, match=r"X are ambiguous .*X\.rename"):
        ctsk.to_onnx(fitted_on(X))


@pytest.mark.parametrize("cells", [["3", 3], [2.0**60, 2**60 + 1]])
def test_categories_that_are_equal_as_text_or_as_doubles_are_an_error(cells):
    X = pd.DataFrame({"c": pd.Series(cells * 20, dtype=object)})
    clf = fitted_on(X, categorical_features=["c"])
    with pytest.raises(ValueError, match="categories of column 'c' .* some of them are equal"):
        ctsk.to_onnx(clf)


def test_a_model_is_valid_onnx_for_any_number_of_rows(fitted_loans, loans):
    exported = ctsk.to_onnx(fitted_loans)
    onnx.checker.check_model(exported, full_check=True)
    assert {node.domain for node in exported.graph.node} == {""}
    assert_equal_predictions(fitted_loans, loans[0])
    assert_equal_predictions(fitted_loans, loans[0].head(1))
    label, proba, _ = outputs(fitted_loans, loans[0].head(0))
    assert (label.shape, proba.shape) == ((0,), (0, 2))


def test_a_wide_array_needs_few_nodes():
    X = np.random.default_rng(0).normal(size=(60, 400))
    clf = fitted_on(X)
    assert len(ctsk.to_onnx(clf).graph.node) < 20
    assert_equal_predictions(clf, X)


def test_export_of_a_custom_module_names_the_parameter(iris):
    clf = fitted_on(*iris, module=lambda n_features, n_classes: torch.nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"parameter module .* Refit with module=None"):
        ctsk.to_onnx(clf)


def test_export_of_anything_but_a_fitted_classifier_is_an_error(iris):
    pipeline = make_pipeline(StandardScaler(), CounterfactualTrainedClassifier(**QUICK))
    with pytest.raises(TypeError, match=r"estimator is a Pipeline.*fit it on the rows"):
        ctsk.to_onnx(pipeline.fit(*iris))
    with pytest.raises(NotFittedError):
        ctsk.to_onnx(CounterfactualTrainedClassifier())


def test_without_onnx_the_error_names_the_extra(fitted_iris, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install ctsk\[onnx\]"):
        ctsk.to_onnx(fitted_iris)
