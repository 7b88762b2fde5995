"""X as people have it: DataFrames, arrays, sparse matrices, single rows, other libraries."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.containers import (
    as_table,
    check_columns,
    check_same_columns,
    listed,
    repeat_rows,
)


@pytest.fixture(scope="module")
def applicants():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, 200),
            "income": rng.normal(3000, 900, 200),
            "job": rng.choice(["cook", "nurse"], 200),
        }
    )
    return X, X["income"] > 3000


@pytest.fixture(scope="module")
def clf(applicants):
    return CounterfactualTrainedClassifier(max_epochs=5, lr=0.01, random_state=0).fit(*applicants)


def as_dict(row):
    return row.to_dict()


def as_shuffled_dict(row):
    return dict(reversed(list(row.to_dict().items())))


@pytest.mark.parametrize(
    "make", [as_dict, as_shuffled_dict, pd.Series, lambda row: [as_dict(row)]],
    ids=["dict", "dict in another order", "series", "list of dicts"],
)  # fmt: skip
def test_a_single_row_that_names_its_cells_is_taken_like_a_frame(clf, applicants, make):
    X, _ = applicants
    row = X.iloc[3]
    assert_array_equal(clf.predict_proba(make(row)), clf.predict_proba(X.iloc[[3]]))
    found, expected = clf.explain(make(row)), clf.explain(X.iloc[[3]])
    assert list(found.counterfactual.columns) == list(X)
    assert found.counterfactual.to_numpy().tolist() == expected.counterfactual.to_numpy().tolist()


def test_a_list_of_dicts_is_as_many_rows(clf, applicants):
    X, _ = applicants
    assert_array_equal(clf.predict(X.head(5).to_dict("records")), clf.predict(X.head(5)))


def test_a_series_keeps_its_label(clf, applicants):
    X, _ = applicants
    assert list(clf.explain(X.iloc[7]).counterfactual.index) == [7]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"age": 40, "income": 1.0}, "Row 0 of X lacks the columns 'job'.*pandas.DataFrame"),
        ({"age": 40, "income": 1.0, "job": "cook", "sex": 1}, "has the unknown columns 'sex'"),
        ([{"age": 40, "income": 1.0, "job": "cook"}, {}], "Row 1 of X lacks the columns 'age', "),
    ],
)
def test_a_single_row_with_other_cells_is_refused_by_column(clf, row, message):
    with pytest.raises(ValueError, match=message):
        clf.predict(row)


def test_single_rows_need_the_names_of_a_frame(applicants, fitted_iris):
    row = {"age": 40, "income": 2500.0, "job": "cook"}
    with pytest.raises(ValueError, match=r"names its cells.*pandas.DataFrame\(rows\)"):
        fitted_iris.explain(row)
    with pytest.raises(ValueError, match=r"names its cells.*pandas.DataFrame\(rows\)"):
        CounterfactualTrainedClassifier().fit([row, row], [0, 1])


class Frame:
    """Stands in for a DataFrame of a library that nobody supports."""

    __module__ = "frames.core"

    def __init__(self, X):
        self.X = X

    def __len__(self):
        return len(self.X)

    def to_pandas(self):
        return self.X


def test_frames_of_unsupported_libraries_are_refused_with_the_remedy(clf, applicants):
    X, y = applicants
    message = r"X is a frames Frame, which is not supported.*X.to_pandas\(\)"
    for call in (
        lambda: CounterfactualTrainedClassifier().fit(Frame(X), y),
        lambda: clf.partial_fit(Frame(X), y),
        lambda: clf.predict(Frame(X)),
        lambda: clf.explain(Frame(X)),
    ):
        with pytest.raises(TypeError, match=message):
            call()
    with pytest.raises(TypeError, match="X_reference is a frames Frame"):
        as_table(Frame(X), name="X_reference")


@pytest.mark.parametrize(
    "kind", [sparse.csr_array, sparse.csc_matrix, sparse.dok_array, sparse.coo_array]
)
def test_sparse_rows_are_the_same_as_dense_ones(kind):  # fmt: skip
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 6)) * (rng.random((120, 6)) < 0.3)
    y = X.sum(axis=1) > 0
    dense, thin = (
        CounterfactualTrainedClassifier(max_epochs=3, lr=0.01, random_state=0).fit(rows, y)
        for rows in (X, kind(X))
    )
    assert_array_equal(thin.predict_proba(kind(X)), dense.predict_proba(X))
    found, expected = thin.explain(kind(X[:9])), dense.explain(X[:9])
    assert isinstance(found.counterfactual, np.ndarray)
    assert_array_equal(found.counterfactual, expected.counterfactual)


def test_sparse_rows_are_made_dense_a_chunk_at_a_time(monkeypatch, fitted_iris, iris):
    from ctsk import _classifier

    expected = fitted_iris.predict_proba(iris[0])
    n_rows = []
    original = _classifier.validation.check_X

    def check_X(estimator, X):
        n_rows.append(X.shape[0])
        return original(estimator, X)

    monkeypatch.setattr(_classifier, "chunk_size", lambda n_cells: 40)
    monkeypatch.setattr(_classifier.validation, "check_X", check_X)
    assert_array_equal(fitted_iris.predict_proba(sparse.csr_array(iris[0])), expected)
    assert n_rows == [40, 40, 40, 30]


@pytest.mark.parametrize(
    "names", [[0, 1, 2], [("a", 1), ("a", 2), ("b", 1)], pd.date_range("2020", periods=3)],
    ids=["numbers", "tuples", "dates"],
)  # fmt: skip
def test_columns_that_are_not_named_by_strings_are_compared_too(names):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)) * [1, 10, 100], columns=list(names))
    X.columns = pd.MultiIndex.from_tuples(names) if isinstance(names[0], tuple) else X.columns
    y = X.iloc[:, 0] > 0
    clf = CounterfactualTrainedClassifier(max_epochs=2, warm_start=True, random_state=0).fit(X, y)
    shuffled, renamed = X.iloc[:, [1, 0, 2]], X.set_axis(["p", "q", "r"], axis=1)
    for call in (
        clf.predict,
        clf.explain,
        lambda Z: clf.fit(Z, y),
        lambda Z: clf.partial_fit(Z, y),
    ):
        with pytest.raises(ValueError, match="their order differs"):
            call(shuffled)
    with pytest.raises(ValueError, match=r"lacks .*'p', 'q', 'r' are unknown|feature names"):
        clf.predict(renamed)
    clf.predict(X)


def test_duplicate_columns_are_refused_by_name(applicants):
    X, y = applicants
    with pytest.raises(ValueError, match=r"2 columns named 'age'.*~X.columns.duplicated"):
        CounterfactualTrainedClassifier().fit(X.set_axis(["age", "age", "job"], axis=1), y)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT], ids=str)
@pytest.mark.parametrize("container", [list, pd.Series, lambda y: pd.Series(y, dtype="string"),
                                       lambda y: np.array(y, dtype=object)],
                         ids=["list", "series", "string series", "array"])  # fmt: skip
def test_a_missing_label_is_refused_with_its_row(applicants, missing, container):
    X, y = applicants
    labels = ["a" if label else "b" for label in y]
    labels[3] = missing
    with pytest.raises(ValueError, match=r"y contains NaN: the label of row 3 is missing"):
        CounterfactualTrainedClassifier().fit(X, container(labels))


def test_errors_list_ten_values_at_most():
    assert listed(list(range(10))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert listed(list(range(11))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..."
    with pytest.raises(ValueError) as error:
        check_same_columns(pd.DataFrame(columns=range(300)), list(range(1, 301)))
    assert len(str(error.value)) < 300


def test_repeated_rows_of_a_frame_that_forbids_duplicate_labels_still_forbid_them():
    X = pd.DataFrame({"a": [1, 2]}).set_flags(allows_duplicate_labels=False)
    repeated = repeat_rows(X, 2)
    assert repeated["a"].tolist() == [1, 1, 2, 2]
    assert not repeated.flags.allows_duplicate_labels


def test_the_encoder_of_an_explanation_takes_what_the_classifier_takes(fitted_iris, iris):
    encoder = fitted_iris.explain(sparse.csr_array(iris[0][:3]), T=1).encoder
    assert_array_equal(encoder.encode(sparse.csr_array(iris[0])), encoder.encode(iris[0]))


@pytest.mark.parametrize("name", [np.nan, pd.NaT, pd.NA], ids=str)
def test_a_column_whose_name_equals_nothing_is_rejected(name):
    with pytest.raises(ValueError, match="1 columns named .*which is no name. Name all columns"):
        check_columns([name, "a"])


def test_numbers_are_no_names_of_a_model_that_was_fitted_on_words(clf, applicants):
    with pytest.raises(ValueError, match="it lacks 'age', 'income', 'job' and 0, 1, 2 are unknown"):
        clf.predict(applicants[0].set_axis(range(3), axis=1))


@pytest.mark.parametrize("X", [pd.DataFrame, pd.Series, np.ndarray])
def test_a_class_is_no_table(clf, X):
    with pytest.raises(ValueError, match="X is a type, which is no table"):
        clf.predict(X)
