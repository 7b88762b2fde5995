"""Public layouts become exactly the files, made here from the files."""

import functools
import os
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest

from ctsk import datasets
from ctsk.datasets import california_housing, convert, german_credit, mnist

HOME = os.environ.get("CTSK_DATA_HOME")
with_files = pytest.mark.skipif(HOME is None, reason="CTSK_DATA_HOME names no folder of data sets")


@functools.cache
def words(name):
    """A file of the data home, word for word."""
    return pd.read_csv(Path(HOME) / f"{name}.csv.gz", dtype=str, keep_default_na=False)


def as_openml(frame, numeric):
    """As scikit-learn returns what OpenML calls numeric and nominal."""
    return frame.astype({name: "int64" if name in numeric else "category" for name in frame})


def openml_adult():
    names = [name.replace("_", "-") for name in words("adult").columns[:-1]]
    frame = words("adult").set_axis([*names, "class"], axis=1).replace("", np.nan)
    frame["class"] = frame["class"].map({"0": "<=50K", "1": ">50K"})
    test_part = frame.head(16_281).sample(frac=1, random_state=0)
    numeric = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
    return as_openml(pd.concat([test_part, frame], ignore_index=True), numeric)


def openml_credit_default():
    frame = words("credit_default")
    frame = frame.set_axis([*(f"x{i}" for i in range(1, 24)), "y"], axis=1)
    return as_openml(frame, [f"x{i}" for i in range(1, 24) if i not in (2, 3, 4)])


def openml_german_credit():
    frame = words("german_credit").copy()
    for name, (_, labels) in german_credit._OPENML.items():
        codes = sorted(set(frame[name]))
        frame[name] = frame[name].map(dict(zip(codes, labels, strict=True)))
    frame["purpose"] = frame["purpose"].map({v: k for k, v in german_credit._PURPOSES.items()})
    frame["target"] = frame["target"].map({"0": "bad", "1": "good"})
    numeric = [name for name in frame if frame[name].str.fullmatch(r"\d+").all()]
    return as_openml(frame.rename(columns={"target": "class"}), numeric)


OPENML = {
    "adult": (1590, openml_adult),
    "credit_default": (42477, openml_credit_default),
    "german_credit": (31, openml_german_credit),
}


@with_files
@pytest.mark.parametrize("name", OPENML)
def test_openmls_layout_becomes_exactly_the_file(name, tmp_path, monkeypatch):
    data_id, layout = OPENML[name]

    def fetch_openml(**options):
        assert options["data_id"] == data_id
        assert options["cache"] is False
        return SimpleNamespace(frame=layout())

    monkeypatch.setattr(convert, "fetch_openml", fetch_openml)
    fetch = getattr(datasets, f"fetch_{name}")
    downloaded = fetch(data_home=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.csv.gz"]
    pd.testing.assert_frame_equal(downloaded.frame, fetch(data_home=HOME).frame)


@with_files
def test_scikit_learns_california_housing_becomes_exactly_the_file(tmp_path, monkeypatch):
    frame = words("california_housing").astype("float64")
    monkeypatch.setattr(
        california_housing, "fetch_original", lambda **_: SimpleNamespace(frame=frame)
    )
    fetch = datasets.fetch_california_housing
    downloaded = fetch(data_home=tmp_path)
    pd.testing.assert_frame_equal(downloaded.frame, fetch(data_home=HOME).frame)


def test_openmls_mnist_becomes_four_arrays(monkeypatch):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 784))
    frame = pd.DataFrame(pixels, columns=[f"pixel{i}" for i in range(1, 785)])
    frame["class"] = pd.Categorical(["5", "0", "4", "7", "2"])
    monkeypatch.setattr(mnist, "_N_TRAIN", 3)
    monkeypatch.setattr(
        convert, "fetch_openml", lambda data_id, **_: SimpleNamespace(frame=frame.copy())
    )
    arrays = mnist._obtain(None)
    assert {array.dtype for array in arrays.values()} == {np.dtype("uint8")}
    assert arrays["X_train"].shape == (3, 28, 28)
    np.testing.assert_array_equal(arrays["X_test"].reshape(2, -1), pixels[3:])
    assert arrays["y_train"].tolist() == [5, 0, 4]
    assert arrays["y_test"].tolist() == [7, 2]


def original_gmsc():
    frame = words("gmsc").replace("", "NA")
    frame.insert(0, "SeriousDlqin2yrs", frame.pop("target"))
    frame.insert(0, "", np.arange(1, len(frame) + 1))
    return frame


def original_heloc():
    frame = words("heloc").copy()
    frame.insert(0, "RiskPerformance", frame.pop("target").map({"0": "Bad", "1": "Good"}))
    unknown = frame.iloc[:2].copy()
    unknown.iloc[:, 1:] = "-9"
    return pd.concat([frame[:7], unknown, frame[7:]])


def original_compas():
    frame = words("compas").rename(columns={"target": "two_year_recid"})
    jailed = pd.Timestamp("2013-08-13 22:15:42")
    days = pd.to_timedelta(frame.pop("length_of_stay").astype(int), unit="D")
    frame = frame.assign(
        name="somebody",
        days_b_screening_arrest="-1",
        is_recid="0",
        score_text="Low",
        c_jail_in=str(jailed),
        c_jail_out=(jailed.normalize() + days).astype(str),
    )
    left_out = pd.concat([frame.head(1)] * 5)
    left_out["days_b_screening_arrest"] = ["31", "-31", "", "0", "0"]
    left_out["is_recid"] = ["0", "0", "0", "-1", "0"]
    left_out["c_charge_degree"] = ["F", "F", "F", "F", "O"]
    return pd.concat([frame[:5], left_out, frame[5:]])


ORIGINALS = {
    "gmsc": ("cs-training.csv", original_gmsc),
    "heloc": ("heloc_dataset_v1.csv", original_heloc),
    "compas": ("compas-scores-two-years.csv", original_compas),
}


@with_files
@pytest.mark.parametrize("name", ORIGINALS)
def test_original_file_in_the_data_home_becomes_exactly_the_file(name, tmp_path):
    file, layout = ORIGINALS[name]
    layout().to_csv(tmp_path / file, index=False)
    fetch = getattr(datasets, f"fetch_{name}")
    converted = fetch(data_home=tmp_path)
    pd.testing.assert_frame_equal(converted.frame, fetch(data_home=HOME).frame)


@pytest.mark.parametrize("name", ORIGINALS)
def test_what_has_to_be_got_by_hand_is_named(name, tmp_path):
    with pytest.raises(OSError, match=f"Get {ORIGINALS[name][0]} from"):
        getattr(datasets, f"fetch_{name}")(data_home=tmp_path)


@pytest.mark.parametrize("name", [*OPENML, "mnist"])
def test_without_a_network_the_error_says_what_to_do(name, tmp_path, monkeypatch):
    def fetch_openml(**options):
        raise URLError("no route to host")

    monkeypatch.setattr(convert, "fetch_openml", fetch_openml)
    with pytest.raises(OSError, match="seems to be offline"):
        getattr(datasets, f"fetch_{name}")(data_home=tmp_path)


@pytest.mark.parametrize("name", [*OPENML, "mnist"])
def test_another_table_of_openml_is_refused_and_not_kept(name, tmp_path, monkeypatch):
    other = pd.DataFrame({"x": [1.0], "y": [0]})
    monkeypatch.setattr(convert, "fetch_openml", lambda **_: SimpleNamespace(frame=other))
    with pytest.raises(ValueError, match="have an unexpected layout"):
        getattr(datasets, f"fetch_{name}")(data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []
