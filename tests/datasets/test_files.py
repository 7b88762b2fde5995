import gzip
import hashlib
from http.client import IncompleteRead
from urllib.error import HTTPError, URLError

import numpy as np
import pytest

from ctsk.datasets.files import ARRAYS, CSV, NotDownloadable, StoredFile, load

TEXT = b"age,target\n30,0\n40,1\n"
SHA256 = hashlib.sha256(TEXT).hexdigest()


def never(folder):
    pytest.fail("The file is there: nothing is to be obtained.")


def toy(obtain=never, sha256=SHA256):
    return StoredFile("toy.csv.gz", sha256, CSV, obtain, "Ask Toy and Co.")


def raising(error):
    def obtain(folder):
        raise error

    return obtain


@pytest.fixture
def home(tmp_path):
    (tmp_path / "toy.csv.gz").write_bytes(gzip.compress(TEXT))
    return tmp_path


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "path"])
def test_file_is_read_from_the_folder_that_is_named(home, kind):
    assert load(toy(), kind(home)) == TEXT


def test_environment_variable_names_the_folder(home, monkeypatch):
    monkeypatch.setenv("CTSK_DATA_HOME", str(home))
    assert load(toy()) == TEXT


def test_parameter_wins_over_the_environment_variable(home, monkeypatch):
    monkeypatch.setenv("CTSK_DATA_HOME", str(home / "elsewhere"))
    assert load(toy(), home) == TEXT


def test_scikit_learns_folder_comes_last(home, monkeypatch):
    monkeypatch.delenv("CTSK_DATA_HOME", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(home))
    assert load(toy()) == TEXT


def test_missing_file_that_is_not_to_be_downloaded_is_an_error(tmp_path):
    with pytest.raises(OSError, match="download_if_missing is False") as caught:
        load(toy(), tmp_path, download_if_missing=False)
    for hint in ("toy.csv.gz", str(tmp_path), "data_home", "CTSK_DATA_HOME"):
        assert hint in str(caught.value)


def test_downloaded_content_is_kept_and_read_the_next_time(tmp_path):
    folder = tmp_path / "new"
    assert load(toy(lambda _: TEXT), folder) == TEXT
    assert [path.name for path in folder.iterdir()] == ["toy.csv.gz"]
    assert load(toy(), folder) == TEXT


def test_content_that_cannot_be_kept_is_returned_with_a_warning(tmp_path):
    folder = tmp_path / "file"
    folder.write_text("not a folder")
    with pytest.warns(UserWarning, match="cannot be stored"):
        assert load(toy(lambda _: TEXT), folder) == TEXT


def test_same_content_gives_the_same_file(tmp_path):
    for name in "ab":
        load(toy(lambda _: TEXT), tmp_path / name)
    first, second = ((tmp_path / name / "toy.csv.gz").read_bytes() for name in "ab")
    assert first == second


def test_other_content_is_refused_with_both_digests_and_the_remedy(home):
    with pytest.raises(ValueError, match="does not hold the expected data") as caught:
        load(toy(sha256="0" * 64), home)
    for hint in (str(home / "toy.csv.gz"), SHA256, "0" * 64, "Delete the file", "Toy and Co."):
        assert hint in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"no gzip", gzip.compress(TEXT)[:-12]], ids=["empty", "other", "truncated"]
)
def test_broken_file_is_refused_with_the_remedy(tmp_path, data):
    (tmp_path / "toy.csv.gz").write_bytes(data)
    with pytest.raises(ValueError, match="Delete the file"):
        load(toy(), tmp_path)


@pytest.mark.parametrize(
    ("error", "offline"),
    [
        (URLError("no route to host"), True),
        (TimeoutError("timed out"), True),
        (HTTPError("address", 503, "unavailable", {}, None), False),
        (IncompleteRead(b""), False),
    ],
    ids=["URLError", "TimeoutError", "HTTPError", "IncompleteRead"],
)
def test_failed_download_says_where_to_put_the_file(tmp_path, error, offline):
    with pytest.raises(OSError, match="obtaining it failed") as caught:
        load(toy(raising(error)), tmp_path)
    assert ("seems to be offline" in str(caught.value)) == offline
    assert caught.value.__cause__ is error
    for hint in ("toy.csv.gz", str(tmp_path), "data_home", "CTSK_DATA_HOME", "Toy and Co."):
        assert hint in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_nobody_offers_for_download_says_where_to_get_it(tmp_path):
    with pytest.raises(OSError, match="cannot be downloaded. Ask Toy and Co") as caught:
        load(toy(raising(NotDownloadable())), tmp_path)
    assert "offline" not in str(caught.value)


@pytest.mark.parametrize(
    ("obtain", "complaint"),
    [
        (lambda _: TEXT + b"50,1\n", "differ from the expected data"),
        (raising(KeyError("class")), "have an unexpected layout"),
    ],
    ids=["content", "layout"],
)
def test_wrong_download_is_refused_and_not_kept(tmp_path, obtain, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        load(toy(obtain), tmp_path)
    assert "Nothing was written. Ask Toy and Co." in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_interrupted_writing_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("os.replace", lambda *_: raising(OSError("disk full"))(None))
    with pytest.warns(UserWarning, match="disk full"):
        load(toy(lambda _: TEXT), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_arrays_survive_writing_and_reading(tmp_path):
    arrays = {
        name: np.arange(6, dtype=np.uint8).reshape(2, 3) + number
        for number, name in enumerate(["X_train", "y_train", "X_test", "y_test"])
    }
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).hexdigest()
    file = StoredFile("toy.npz", digest, ARRAYS, lambda _: arrays, "Ask Toy and Co.")
    for _ in range(2):
        found = load(file, tmp_path)
        assert all((found[name] == array).all() for name, array in arrays.items())


def test_archive_without_an_array_is_refused(tmp_path):
    np.savez(tmp_path / "toy.npz", X_train=np.zeros(3))
    file = StoredFile("toy.npz", SHA256, ARRAYS, never, "Ask Toy and Co.")
    with pytest.raises(ValueError, match="Delete the file"):
        load(file, tmp_path)
