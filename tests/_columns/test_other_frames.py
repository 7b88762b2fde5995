"""Frames of polars and pyarrow go in and come out as themselves."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.other_frames import from_pandas, to_pandas

pl = pytest.importorskip("polars", reason="polars is not installed")
pytest.importorskip("narwhals", reason="narwhals is not installed")

GRADES = ["none", "school", "college"]


@pytest.fixture(scope="module")
def data():
    """Columns of every kind in polars, the same in pandas, and labels."""
    rng = np.random.default_rng(0)
    n_rows = 200
    columns = {
        "age": rng.integers(18, 80, n_rows),
        "income": rng.normal(3000, 900, n_rows),
        "share": rng.random(n_rows).astype(np.float32),
        "grade": rng.choice(GRADES, n_rows),
        "job": rng.choice(["cook", "nurse"], n_rows).astype(object),
        "owner": rng.random(n_rows) < 0.4,
    }
    columns["job"][rng.random(n_rows) < 0.1] = None
    grades = pl.Series(columns["grade"], dtype=pl.Enum(GRADES))
    X = pl.DataFrame({**columns, "grade": grades})
    ordered = pd.Categorical(columns["grade"], GRADES, ordered=True)
    twin = pd.DataFrame({**columns, "grade": ordered})
    return X, twin, (columns["income"] / 1000 + columns["owner"] > 3.3).astype(int)


@pytest.fixture(scope="module")
def fitted_pair(data):
    X, twin, y = data
    settings = {"max_epochs": 10, "lr": 0.01, "random_state": 0, "mutability": {"age": "none"}}
    return [CounterfactualTrainedClassifier(**settings).fit(rows, y) for rows in (X, twin)]


def test_polars_trains_and_predicts_like_pandas(fitted_pair, data):
    (clf, twin_clf), (X, twin, _) = fitted_pair, data
    assert clf.feature_names_in_.tolist() == X.columns
    np.testing.assert_array_equal(clf.predict_proba(X), twin_clf.predict_proba(twin))
    np.testing.assert_array_equal(clf.encoder_.encode(X), twin_clf.encoder_.encode(twin))


@pytest.mark.parametrize("settings", [{}, {"n_alternatives": 2}, {"sparse": True}], ids=str)
def test_polars_comes_out_with_its_columns_and_dtypes(fitted_pair, data, settings):
    (clf, twin_clf), (X, twin, _) = fitted_pair, data
    settings = {**settings, "mutability": {"grade": "increase"}, "T": 60}
    found = clf.explain(X.head(20), **settings)
    expected = twin_clf.explain(twin.head(20), **settings)
    assert isinstance(found.counterfactual, pl.DataFrame)
    assert found.counterfactual.schema == X.schema
    cells = expected.counterfactual.astype(object)
    cells = cells.where(expected.counterfactual.notna(), None)
    assert found.counterfactual.rows() == list(cells.itertuples(index=False, name=None))
    assert found.factual.equals(X.head(20)[found.row.tolist()])
    assert found[found.valid].counterfactual.equals(found.counterfactual.filter(found.valid))
    np.testing.assert_array_equal(found.proba, clf.predict_proba(found.counterfactual))
    assert set(found.changes()["feature"]) <= set(X.columns) - {"age"}


def test_polars_passes_pipelines_and_searches(data):
    X, _, y = data
    X = X.select("age", "income")
    if not hasattr(StandardScaler().fit(X), "feature_names_in_"):
        pytest.skip("this scikit-learn does not read the names of polars' columns")
    clf = CounterfactualTrainedClassifier(max_epochs=3, lr=0.01, random_state=0)
    pipeline = make_pipeline(StandardScaler(), clf)
    search = GridSearchCV(pipeline, {"counterfactualtrainedclassifier__tau": [0.6]}, cv=2)
    found = ctsk.explain(search.fit(X, y), X.head(5), T=5).counterfactual
    assert isinstance(found, pl.DataFrame)
    assert found.schema == X.schema


def test_dates_are_refused_as_in_pandas(data):
    X, _, y = data
    dated = X.with_columns(since=pl.col("age").cast(pl.Date))
    with pytest.raises(ValueError, match="Column 'since' of X.*neither a number nor a category"):
        CounterfactualTrainedClassifier().fit(dated, y)


def test_without_narwhals_the_remedy_is_named(data, monkeypatch):
    X, _, y = data
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TypeError, match=r"polars DataFrame.*X.to_pandas\(\).*ctsk\[frames\]"):
        CounterfactualTrainedClassifier().fit(X, y)


def test_pyarrow_tables_come_out_as_tables(data):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    X, _, y = data
    table = X.drop("grade").to_arrow()
    clf = CounterfactualTrainedClassifier(max_epochs=10, lr=0.01, random_state=0).fit(table, y)
    found = clf.explain(table.slice(0, 9), T=40).counterfactual
    assert isinstance(found, pa.Table)
    assert found.column_names == table.column_names


def test_constraints_of_rows_may_be_a_polars_frame_of_some_columns(fitted_pair, data):
    (clf, _), (X, _, _) = fitted_pair, data
    table = pl.DataFrame({"owner": ["none"] * 9, "income": ["none", "both", "none"] * 3})
    found = clf.explain(X.head(9), mutability=table, T=40).counterfactual
    assert found["owner"].equals(X.head(9)["owner"])
    assert found["income"].gather([0, 2, 3]).equals(X.head(9)["income"].gather([0, 2, 3]))


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt8, pl.Boolean], ids=str)
def test_gaps_keep_integers_and_booleans(dtype):
    X = pl.DataFrame({"a": pl.Series([1, None, 0]).cast(dtype)})
    frame = to_pandas(X, "X")
    assert str(frame["a"].dtype) == ("boolean" if dtype == pl.Boolean else str(dtype))
    assert from_pandas(frame, X).equals(X)
    assert from_pandas(frame, X).schema == X.schema


@pytest.mark.parametrize(
    ("dtype", "cells", "expected"),
    [
        (pl.Int64, [1.0, None, 3.0], pl.Int64),
        (pl.Int64, [1.5, None, 3.0], pl.Float64),
        (pl.UInt8, [-9, None, 3], pl.Int64),
        (pl.Int64, [None, None, None], pl.Int64),
        (pl.Enum(["a", "b"]), ["a", None, "c"], pl.String),
        (pl.Enum(["a", "b"]), ["a", None, "b"], pl.Enum(["a", "b"])),
    ],
    ids=str,
)
def test_a_dtype_that_lacks_a_cell_is_widened(dtype, cells, expected):
    like = pl.DataFrame({"a": pl.Series([None], dtype=dtype)})
    written = from_pandas(pd.DataFrame({"a": cells}), like)
    assert written.schema == {"a": expected}
    assert written["a"].to_list() == cells


def test_integers_with_gaps_are_explained_as_integers():
    rng = np.random.default_rng(0)
    ages = rng.integers(0, 50, 120)
    X = pl.DataFrame({"age": [None if age < 5 else int(age) for age in ages]})
    clf = CounterfactualTrainedClassifier(max_epochs=5, lr=0.01, random_state=0)
    found = clf.fit(X, (ages > 25).astype(int)).explain(X, T=60).counterfactual
    assert found.schema == X.schema
    assert not found.equals(X)


@pytest.mark.parametrize("dtype", [pl.Int128, pl.UInt128] if hasattr(pl, "UInt128") else [])
@pytest.mark.parametrize("cells", [[1, 2], [1, None]], ids=str)
def test_integers_of_128_bits_keep_their_dtype(dtype, cells):
    X = pl.DataFrame({"a": pl.Series(cells, dtype=dtype)})
    frame = to_pandas(X, "X")
    assert frame["a"].dtype.kind == "i"
    assert from_pandas(frame, X).equals(X)
    with pytest.raises(ValueError, match="Column 'a' of X holds integers of more than 64 bits"):
        to_pandas(pl.DataFrame({"a": pl.Series([2**100], dtype=dtype)}), "X")


@pytest.mark.parametrize("dtype", [pl.Boolean, pl.Int64, pl.Float64], ids=str)
def test_a_word_is_never_written_as_a_flag_or_a_number(dtype):
    like = pl.DataFrame({"a": pl.Series([0, 1]).cast(dtype)})
    written = from_pandas(pd.DataFrame({"a": ["True", "False"]}), like)
    assert written["a"].to_list() == ["True", "False"]
    mixed = pd.DataFrame({"a": pd.Series(["True", 1], dtype=object)})
    with pytest.raises(ValueError, match="'a' .* cells of the types int, str.*pandas.DataFrame"):
        from_pandas(mixed, like)


def test_columns_of_gaps_alone_keep_their_dtype():
    X = pl.DataFrame({"a": [None, None]})
    frame = to_pandas(X, "X")
    assert frame["a"].dtype == object
    assert from_pandas(frame, X).equals(X)


def test_lazy_frames_are_rejected_with_the_remedy(data):
    with pytest.raises(TypeError, match=r"polars LazyFrame.*Compute it first, by X.collect\(\)"):
        to_pandas(data[0].lazy(), "X")


def test_types_of_pyarrow_are_kept_and_gaps_of_dictionaries_stay_gaps():
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    words = pa.array(["a", None, "b"])
    table = pa.table(
        {
            "small": pa.array([1, None, 3], pa.int8()),
            "half": pa.array([1.0, 2.0, 3.0], pa.float32()),
            "large": words.cast(pa.large_string()),
            "coded": words.dictionary_encode(),
            "nothing": pa.nulls(3),
        },
        metadata={"source": "test"},
    )
    frame = to_pandas(table, "X")
    assert frame["coded"].isna().tolist() == [False, True, False]
    written = from_pandas(frame, table)
    assert written.equals(table)
    assert written.schema.equals(table.schema, check_metadata=True)
    with pytest.raises(ValueError, match="X has several columns of the same name.*rename"):
        to_pandas(pa.table([[1], [2]], names=["a", "a"]), "X")
