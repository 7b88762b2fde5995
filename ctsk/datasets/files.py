"""The data home: one file per data set, verified whenever it is read."""

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
_REMEDY = "Copy the file there, or pass the folder that holds it as data_home or in the "
_REMEDY += f"environment variable {_VARIABLE}."
# Raised by gzip and numpy for a file that is truncated or of another kind.
_BROKEN = (EOFError, KeyError, ValueError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)
# Raised by a conversion if a publisher has changed the columns of its table.
_UNEXPECTED = (AttributeError, IndexError, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class Format:
    """How the content of a file is read, written and hashed.

    Parameters
    ----------
    read : callable
        Maps the bytes of a file to its content.
    write : callable
        Maps content to the bytes of a file.
    parts : callable
        Maps content to a list of buffers, from which the digest is computed.
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


# The content is the text of the table, in bytes. Without a time stamp (mtime=0), the same text
# always becomes the same file.
CSV = Format(gzip.decompress, lambda text: gzip.compress(text, 6, mtime=0), lambda text: [text])
# The content is a dict of four arrays.
ARRAYS = Format(
    _read_arrays,
    _write_arrays,
    lambda arrays: [np.ascontiguousarray(arrays[name]) for name in _ARRAYS],
)


@dataclass(frozen=True)
class StoredFile:
    """A file of the data home.

    Parameters
    ----------
    name : str
        Name of the file.
    sha256 : str
        Digest of the content. The compressed file itself may differ between versions of zlib.
    format : Format
    obtain : callable
        Returns the content if the file does not exist. It is called with the data home, which may
        contain the data in their original form. It raises `NotDownloadable`, or an OSError if
        the download fails.
    origin : str
        Sentence that tells users where to get the data by hand.
    """

    name: str
    sha256: str
    format: Format
    obtain: Callable
    origin: str


class NotDownloadable(Exception):
    """The data cannot be downloaded, and their original file is not in the data home."""


def load(file, data_home=None, download_if_missing=True):
    """Return the content of a file of the data home, which is obtained first if it is missing.

    Parameters
    ----------
    file : StoredFile
    data_home : str, path-like or None, default=None
        If None, the value of the environment variable CTSK_DATA_HOME or, if that is not set,
        scikit-learn's data folder.
    download_if_missing : bool, default=True
        Whether to obtain a missing file.

    Returns
    -------
    content : bytes or dict of ndarray

    Raises
    ------
    OSError
        If the file is missing and cannot be obtained, or `download_if_missing` is False.
    ValueError
        If the content, stored or obtained, differs from the expected one.

    Warns
    -----
    UserWarning
        If the content was obtained but cannot be stored.
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
        _store(path, file.format.write(content))
    except OSError as error:
        warnings.warn(
            f"{file.name} was obtained but cannot be stored in {folder} ({error}), so that it must "
            "be obtained again next time. Pass a writable folder as data_home or in the "
            f"environment variable {_VARIABLE}.",
            # Points at the call of fetch_*, which calls this function through a helper and is
            # itself wrapped by scikit-learn's validation of parameters.
            stacklevel=5,
        )
    return content


def _read(file, path):
    """Return the verified content of a file that exists."""
    remedy = f"Delete the file, so that it is obtained again, or replace it. {file.origin}"
    try:
        content = file.format.read(path.read_bytes())
        digest = _digest(file, content)
    except _BROKEN as error:
        raise ValueError(f"{path} cannot be read ({error}). {remedy}") from error
    if digest != file.sha256:
        raise ValueError(
            f"{path} does not hold the expected data: the SHA-256 of its content is {digest} "
            f"instead of {file.sha256}. {remedy}"
        )
    return content


def _obtain(file, folder):
    """Return the verified content of a file that does not exist."""
    remedy = f"Nothing was written. {file.origin}"
    try:
        content = file.obtain(folder)
        digest = _digest(file, content)
    except NotDownloadable as error:
        raise OSError(
            f"Data not found: there is no {file.name} in {folder}, and it cannot be downloaded. "
            f"{file.origin} Or pass a folder that holds {file.name} as data_home or in the "
            f"environment variable {_VARIABLE}."
        ) from error
    except (OSError, HTTPException) as error:
        guess = "; this machine seems to be offline" if _is_unconnected(error) else ""
        raise OSError(
            f"Data not found: there is no {file.name} in {folder}, and obtaining it failed "
            f"({error}){guess}. {_REMEDY} {file.origin}"
        ) from error
    except _UNEXPECTED as error:
        raise ValueError(
            f"The data obtained for {file.name} have an unexpected layout "
            f"({type(error).__name__}: {error}). {remedy}"
        ) from error
    if digest != file.sha256:
        raise ValueError(
            f"The data obtained for {file.name} differ from the expected data: the SHA-256 of "
            f"their content is {digest} instead of {file.sha256}. {remedy}"
        )
    return content


def _is_unconnected(error):
    """Return whether there was no connection, rather than an answer that reports an error."""
    connection = (URLError, TimeoutError, ConnectionError)
    return isinstance(error, connection) and not isinstance(error, HTTPError)


def _digest(file, content):
    digest = hashlib.sha256()
    for part in file.format.parts(content):
        digest.update(part)
    return digest.hexdigest()


def _store(path, data):
    """Write a file atomically, so that no other process ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        unfinished.write_bytes(data)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
