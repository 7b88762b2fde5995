"""The real data sets, as users get them."""

import functools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ctsk import CounterfactualTrainedClassifier, datasets
from ctsk.datasets import files

pytestmark = pytest.mark.skipif(
    os.environ.get("CTSK_DATA_HOME") is None,
    reason="CTSK_DATA_HOME names no folder of data sets",
)
# Rows of class 0 and 1, and what dropping rows with missing values leaves of them.
COUNTS = {
    "adult": ((24_720, 7_841), (22_654, 7_508)),
    "california_housing": ((10_323, 10_317), (10_323, 10_317)),
    "compas": ((3_363, 2_809), (3_363, 2_809)),
    "credit_default": ((23_364, 6_636), (23_364, 6_636)),
    "german_credit": ((300, 700), (300, 700)),
    "gmsc": ((139_974, 10_026), (111_912, 8_357)),
    "heloc": ((5_136, 4_735), (1_560, 942)),
}
# Reasons of HELOC's codes.
REASONS = {
    "condition not met": -7,
    "no usable trades or inquiries": -8,
    "no bureau record": -9,
}
GOOD = {"adult": 1, "california_housing": 1, "german_credit": 1, "heloc": 1}
each = pytest.mark.parametrize("name", COUNTS)
# As they come; with codes; and, where this makes a difference, complete rows only.
CASES = [
    *((name, {}) for name in COUNTS),
    ("heloc", {"keep_codes": True}),
    *((name, {"drop_missing": True}) for name in ("adult", "gmsc", "heloc")),
]


@functools.cache
def loaded(name, **options):
    """Do not change: shared by all tests."""
    return getattr(datasets, f"fetch_{name}")(download_if_missing=False, **options)


def balanced(name, **options):
    return loaded(name, drop_missing=True, balance=True, random_state=0, **options)


@each
def test_rows_are_counted_as_published(name):
    whole, complete = COUNTS[name]
    assert tuple(loaded(name).target.value_counts().sort_index()) == whole
    data = loaded(name, drop_missing=True)
    assert tuple(data.target.value_counts().sort_index()) == complete
    assert not data.data.isna().any(axis=None)
    assert tuple(balanced(name).target.value_counts()) == (min(complete),) * 2


@each
def test_columns_are_numbers_or_categories(name):
    data = loaded(name)
    kinds = data.data.dtypes.astype(str)
    assert set(kinds[data.categorical_features]) <= {"category"}
    assert set(kinds.drop(data.categorical_features)) <= {"int64", "float64"}
    assert list(data.data) == data.feature_names
    assert data.favorable == GOOD.get(name, 0)
    assert "Source: " in data.DESCR
    gaps = data.data.columns[data.data.isna().any()]
    assert "int64" not in set(kinds[gaps])


@pytest.mark.parametrize(
    ("name", "options"), [*((name, {}) for name in COUNTS), ("heloc", {"keep_codes": True})]
)
def test_every_amount_lies_in_its_domain(name, options):
    data = loaded(name, **options)
    for feature, entry in data.domain.items():
        column = data.data[feature].dropna()
        if feature in data.categorical_features:
            assert set(entry) <= set(column.cat.categories)
            continue
        amounts = column[~column.isin(data.special_values.get(feature, []))]
        low, high = entry
        assert low is None or amounts.min() >= low, feature
        assert high is None or amounts.max() <= high, feature


@each
def test_constraints_name_features_and_use_valid_words(name):
    data = loaded(name)
    features = set(data.feature_names)
    assert set(data.mutability) | set(data.domain) <= features
    assert set(data.mutability.values()) <= {"none", "increase", "decrease"}
    assert set(data.special_values) <= features - set(data.categorical_features)


@each
def test_only_gmsc_holds_codes_by_default(name):
    assert bool(loaded(name).special_values) == (name == "gmsc")


def test_codes_of_gmsc_are_the_same_in_all_counts_of_a_row_and_far_from_amounts():
    data = loaded("gmsc")
    assert list(data.special_values.values()) == 3 * [[96, 98]]
    counts = data.data[list(data.special_values)]
    is_code = counts.isin([96, 98])
    np.testing.assert_array_equal(is_code.any(axis=1), is_code.all(axis=1))
    assert (counts[is_code.any(axis=1)].nunique(axis=1) == 1).all()
    assert counts.stack().value_counts()[[96, 98]].tolist() == [3 * 5, 3 * 264]
    assert counts.mask(is_code).max(axis=None) == 17


def test_special_values_of_heloc_are_exactly_its_negative_numbers():
    data = loaded("heloc", keep_codes=True)
    negative = {
        feature: sorted(column[column < 0].unique())
        for feature, column in data.data.drop(columns=data.categorical_features).items()
        if (column < 0).any()
    }
    assert len(negative) == 10
    assert data.special_values == negative


def numbers_of_file(name, data):
    path = Path(os.environ["CTSK_DATA_HOME"]) / f"{name}.csv.gz"
    words = pd.read_csv(path, dtype=str, keep_default_na=False)
    return words[data.data.columns.drop(data.categorical_features)]


def test_kept_codes_of_heloc_are_the_numbers_of_the_file():
    data = loaded("heloc", keep_codes=True)
    words = numbers_of_file("heloc", data)
    assert set(data.data[words.columns].dtypes) == {np.dtype("int64")}
    pd.testing.assert_frame_equal(
        data.data[words.columns].astype(str), words, check_dtype=False, check_column_type=False
    )


def test_reasons_of_heloc_restore_the_numbers_of_the_file():
    data = loaded("heloc")
    words = numbers_of_file("heloc", data)
    for feature in words:
        codes = data.codes[feature].astype(object).map(REASONS)
        restored = data.data[feature].fillna(codes).astype(int).astype(str)
        assert restored.tolist() == words[feature].tolist()


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("as_frame", [True, False])
def test_classifier_takes_the_constraints_as_they_are_and_keeps_them(name, options, as_frame):
    data = loaded(name, as_frame=as_frame, **options)
    frame = loaded(name, **options)
    X, y, before = data.data, data.target, numbers_of(frame.data)
    is_state = states_of(frame, before)
    # The first rows are explained; those with gaps and special values are among them.
    rng = np.random.default_rng(0)
    special = rng.permutation(np.flatnonzero(is_state.any(axis=1)))[:20]
    rows = np.unique(rng.choice(len(X), 300, replace=False))
    rows = np.concatenate([special, rows[~np.isin(rows, special)]])
    X, y = (part.iloc[rows] if as_frame else part[rows] for part in (X, y))
    clf = CounterfactualTrainedClassifier(
        mutability=data.mutability,
        domain=data.domain,
        special_values=data.special_values,
        categorical_features="from_dtype" if as_frame else data.categorical_features,
        max_epochs=1,
        n_counterfactuals=100,
        random_state=0,
    ).fit(X, y)
    after = numbers_of(clf.explain(X[:30], T=20).counterfactual)
    before, was_state = before[rows[:30]], is_state[rows[:30]]
    is_state = states_of(frame, after)
    is_equal = (after == before) | (np.isnan(after) & np.isnan(before))
    # States may be left, but never reached.
    assert (is_equal | ~is_state).all()
    for column, feature in enumerate(frame.feature_names):
        word = frame.mutability.get(feature, "both")
        left = was_state[:, column] & ~is_state[:, column]
        # A state is neither more nor less than any amount.
        assert word == "both" or not left.any()
        moves = (after - before)[~was_state[:, column], column]
        assert word not in ("none", "increase") or (moves >= 0).all()
        assert word not in ("none", "decrease") or (moves <= 0).all()
        if feature in frame.domain and feature not in frame.categorical_features:
            low, high = frame.domain[feature]
            moved = after[~is_equal[:, column], column]
            assert low is None or (moved >= low).all()
            assert high is None or (moved <= high).all()


def numbers_of(table):
    """Return a table as floats: positions of categories, and NaN for what is missing."""
    if not isinstance(table, pd.DataFrame):
        return np.asarray(table, dtype=float)
    columns = [
        column.cat.codes.replace(-1, np.nan) if hasattr(column, "cat") else column
        for _, column in table.items()
    ]
    return np.column_stack(columns).astype(float)


def states_of(data, numbers):
    """Return where numbers are missing or special."""
    is_state = np.isnan(numbers)
    for feature, codes in data.special_values.items():
        column = data.feature_names.index(feature)
        is_state[:, column] |= np.isin(numbers[:, column], codes)
    return is_state


@each
def test_arrays_say_the_same_as_frames(name):
    data, arrays = loaded(name), loaded(name, as_frame=False)
    frame = pd.DataFrame(arrays.data, columns=data.feature_names)
    for position, labels in arrays.categories.items():
        feature = data.feature_names[position]
        frame[feature] = pd.Categorical.from_codes(
            frame[feature].fillna(-1).astype(int), labels, ordered=data.data[feature].cat.ordered
        )
    pd.testing.assert_frame_equal(frame.astype(data.data.dtypes), data.data)
    np.testing.assert_array_equal(arrays.target, data.target)


def test_education_of_adults_is_ordered_by_its_number():
    X = loaded("adult").data
    assert X["education"].cat.ordered
    np.testing.assert_array_equal(X["education"].cat.codes + 1, X["education_num"])


def test_missing_values_of_adults_are_where_they_were():
    gaps = loaded("adult").data.isna().sum()
    assert gaps[gaps > 0].to_dict() == {
        "workclass": 1_836,
        "occupation": 1_843,
        "native_country": 583,
    }


def test_unexplained_education_of_credit_card_clients_cannot_be_reached():
    data = loaded("credit_default")
    categories = data.data["education"].cat.categories.tolist()
    assert categories[-3:] == data.domain["education"]
    assert data.data["education"].value_counts()["unexplained (5)"] == 280
    assert data.data["sex"].value_counts().to_dict() == {"female": 18_112, "male": 11_888}


def test_value_of_houses_is_kept_beside_the_class():
    data = loaded("california_housing")
    value = data.median_house_value
    assert value.median() == 1.797
    np.testing.assert_array_equal(value > 1.797, data.target)
    # To the last digit, as scikit-learn computes them.
    assert data.data["ave_rooms"][0] == 880 / 126
    arrays = loaded("california_housing", as_frame=False)
    np.testing.assert_array_equal(arrays.median_house_value, value)


def test_codes_of_heloc_are_counted_as_published():
    data = loaded("heloc")
    counts = data.codes.apply(lambda column: column.value_counts()).T
    assert counts.loc["external_risk_estimate", "no bureau record"] == 10
    assert counts.loc["m_since_most_recent_delq", "condition not met"] == 4_664
    assert counts.loc["net_fraction_install_burden", "no usable trades or inquiries"] == 3_419
    numbers = data.data.columns.drop(data.categorical_features)
    assert (data.data[numbers].isna() == data.codes[numbers].notna()).all(axis=None)
    assert (data.data[numbers].min() >= 0).all()


def test_nobody_in_compas_is_given_a_way_out():
    data = loaded("compas")
    assert set(data.mutability.values()) == {"none"}
    assert set(data.mutability) == set(data.feature_names)


@pytest.mark.parametrize("name", [*COUNTS, "mnist"])
@pytest.mark.parametrize("option", ["as_frame", "return_X_y", "download_if_missing"])
def test_wrong_option_is_refused_by_name(name, option):
    with pytest.raises(ValueError, match=f"'{option}' parameter of fetch_{name}"):
        getattr(datasets, f"fetch_{name}")(**{option: "yes"})


def test_only_heloc_keeps_codes_and_refuses_another_word():
    with pytest.raises(ValueError, match="'keep_codes' parameter of fetch_heloc"):
        datasets.fetch_heloc(keep_codes="yes")
    with pytest.raises(TypeError, match="keep_codes"):
        datasets.fetch_gmsc(keep_codes=True)


def test_digits_are_counted_as_published_and_scaled():
    data = loaded("mnist")
    assert data.data.shape == (60_000, 784)
    assert data.data.dtype == np.float32
    assert (data.data.min(), data.data.max()) == (-1, 1)
    assert np.bincount(data.target)[:3].tolist() == [5_923, 6_742, 5_958]
    assert data.images.shape == (60_000, 28, 28)
    assert np.shares_memory(data.images, data.data)
    assert data.mutability is None


def test_unscaled_digits_are_bytes_and_come_as_frames():
    data = loaded("mnist", subset="test", scale=False, as_frame=True)
    assert data.data.shape == (10_000, 784)
    assert set(data.data.dtypes) == {np.dtype("uint8")}
    assert list(data.data)[:2] == ["pixel_0", "pixel_1"]
    assert data.target.value_counts().sort_index().tolist()[:3] == [980, 1_135, 1_032]
    assert list(data.frame)[-1] == "target"
    assert data.domain == [(0, 255)] * 784
    scaled = loaded("mnist", subset="test")
    np.testing.assert_array_equal(data.images, np.round((scaled.images + 1) * 127.5))


def test_classifier_takes_the_domain_of_pixels():
    data = loaded("mnist", subset="test")
    X, y = data.data[:200], data.target[:200]
    clf = CounterfactualTrainedClassifier(
        domain=data.domain,
        mutability=data.mutability,
        standardize=False,
        max_epochs=1,
        n_counterfactuals=20,
        random_state=0,
    ).fit(X, y)
    found = clf.explain(X[:3], T=5).counterfactual
    assert found.min() >= -1
    assert found.max() <= 1


@pytest.mark.parametrize("name", ["german_credit", "mnist"])
def test_warning_that_a_file_cannot_be_stored_points_at_the_users_line(name, tmp_path, monkeypatch):
    home = Path(os.environ["CTSK_DATA_HOME"])
    monkeypatch.setattr(files, "_obtain", lambda file, _: files._read(file, home / file.name))
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match="cannot be stored") as caught:
        getattr(datasets, f"fetch_{name}")(data_home=tmp_path / "file")
    assert caught[0].filename == __file__
