"""The data home: one file per data set, checked whenever it is read."""

import gzip
import hashlib
import io
import os
import secrets
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError

import numpy as np
from sklearn.datasets import get_data_home

_VARIABLE = "CTSK_DATA_HOME"
_ARRAYS = ("X_train", "y_train", "X_test", "y_test")
_REMEDY = "Copy the file there, or name the folder that holds it by data_home= or by the "
_REMEDY += f"environment variable {_VARIABLE}."
_BROKEN = (EOFError, KeyError, ValueError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)
_UNEXPECTED = (AttributeError, IndexError, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class Format:
    """How the content of a file is read, written and hashed.

    Parameters
    ----------
    read : callable
        From the bytes of a file to its content.
    write : callable
        From content to the bytes of a file.
    parts : callable
        From content to the buffers that the digest is of, in their order.
    """

    read: Callable
    write: Callable
    parts: Callable


def _read_arrays(data):
    with np.load(io.BytesIO(data)) as archive:
        return {name: archive[name] for name in _ARRAYS}


def _write_arrays(arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


# Content is the text of the table, in bytes.
CSV = Format(gzip.decompress, lambda text: gzip.compress(text, 6, mtime=0), lambda text: [text])
# Content is a dict of four arrays.
ARRAYS = Format(
    _read_arrays,
    _write_arrays,
    lambda arrays: [np.ascontiguousarray(arrays[name]) for name in _ARRAYS],
)


@dataclass(frozen=True)
class StoredFile:
    """A file that the data home holds, or will hold.

    Parameters
    ----------
    name : str
        Of the file.
    sha256 : str
        Of the content, not of the compressed file.
    format : Format
    obtain : callable
        Makes the content from elsewhere. It is called with the data home, which may
        hold the data in their original form; raises an OSError if there is no way.
    origin : str
        Sentence that says where to get the data by hand.
    """

    name: str
    sha256: str
    format: Format
    obtain: Callable
    origin: str


def load(file, data_home=None, download_if_missing=True):
    """Return the content of a file of the data home; get the file first if need be.

    Parameters
    ----------
    file : StoredFile
    data_home : str, path-like or None, default=None
        None is the folder that the environment variable CTSK_DATA_HOME names, else
        scikit-learn's.
    download_if_missing : bool, default=True

    Returns
    -------
    content : bytes or dict of ndarray

    Raises
    ------
    OSError
        If the file is not there and cannot be downloaded, or is not to be.
    ValueError
        If the content, on disk or downloaded, is not what it has to be.
    """
    folder = Path(data_home or os.environ.get(_VARIABLE) or get_data_home()).expanduser()
    path = folder / file.name
    if path.exists():
        return _read(file, path)
    if not download_if_missing:
        raise OSError(
            f"Data not found and download_if_missing is False: there is no {file.name} in "
            f"{folder}. {_REMEDY}"
        )
    content = _obtain(file, folder)
    try:
        _keep(path, file.format.write(content))
    except OSError as error:
        warnings.warn(
            f"{file.name} was obtained but cannot be kept in {folder} ({error}), so it will be "
            "obtained again. Name a folder that can be written to by data_home= or by the "
            f"environment variable {_VARIABLE}.",
            stacklevel=4,
        )
    return content


def _read(file, path):
    remedy = f"Delete the file, so that it is fetched again, or replace it. {file.origin}"
    try:
        content = file.format.read(path.read_bytes())
        found = _digest(file, content)
    except _BROKEN as error:
        raise ValueError(f"{path} cannot be read ({error}). {remedy}") from error
    if found != file.sha256:
        raise ValueError(
            f"{path} does not hold what it has to: the SHA-256 of its content is {found}, "
            f"expected {file.sha256}. {remedy}"
        )
    return content


def _obtain(file, folder):
    remedy = f"Nothing was written. {file.origin}"
    try:
        content = file.obtain(folder)
        found = _digest(file, content)
    except NotDownloadable as error:
        raise OSError(
            f"Data not found: there is no {file.name} in {folder}, and it cannot be downloaded. "
            f"{file.origin} Or name a folder that holds {file.name} by data_home= or by the "
            f"environment variable {_VARIABLE}."
        ) from error
    except (OSError, HTTPException) as error:
        guess = ": this machine seems to be offline" if _is_unconnected(error) else ""
        raise OSError(
            f"Data not found: there is no {file.name} in {folder}, and getting it failed "
            f"({error}){guess}. {_REMEDY} {file.origin}"
        ) from error
    except _UNEXPECTED as error:
        raise ValueError(
            f"What was obtained for {file.name} is not laid out as expected "
            f"({type(error).__name__}: {error}). {remedy}"
        ) from error
    if found != file.sha256:
        raise ValueError(
            f"What was obtained for {file.name} cannot be turned into exactly the data: the "
            f"SHA-256 of its content is {found}, expected {file.sha256}. {remedy}"
        )
    return content


def _is_unconnected(error):
    """Whether an error is one of the connection, not one that the other side answered with."""
    connection = (URLError, TimeoutError, ConnectionError)
    return isinstance(error, connection) and not isinstance(error, HTTPError)


class NotDownloadable(Exception):
    """There is no public place to download the data from."""


def _digest(file, content):
    digest = hashlib.sha256()
    for part in file.format.parts(content):
        digest.update(part)
    return digest.hexdigest()


def _keep(path, data):
    """Write a file all at once: no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        unfinished.write_bytes(data)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
