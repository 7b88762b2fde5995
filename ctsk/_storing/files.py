"""The files of a model in a folder or in a zip file: written at once, and read with limits."""

import contextlib
import errno
import os
import secrets
import stat
import struct
import time
import zipfile

from ctsk._storing.documents import CARD, DOCUMENT, RESUME, WEIGHTS
from ctsk._storing.values import require
from ctsk.exceptions import ModelFileError

_NAMES = (DOCUMENT, WEIGHTS, RESUME, CARD)
# Seconds after which a temporary file is no longer being written.
_LEFT_AFTER = 3600
# zipfile reports damage by all of these. KeyError and IndexError are among them, because it looks
# up what a damaged file names.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    EOFError,
    KeyError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)


def is_archive(path):
    """Return whether a path is written as a zip file, by its ending."""
    return path.suffix.lower() == ".zip"


def write_files(path, files):
    """Write files into a folder or a zip file, which appears at once and as a whole.

    Parameters
    ----------
    path : Path
    files : dict of str to bytes

    Raises
    ------
    FileNotFoundError
        If the folder that is to contain the path does not exist.
    FileExistsError
        If the path is anything but a model, or a folder with other files, too.
    """
    if is_archive(path):
        _check_replaceable(path, path.is_dir())
        write_archive(path, files)
        return
    _check_replaceable(path, _is_other(path))
    with _temporary_name(path) as temporary:
        temporary.mkdir()
        for name, content in files.items():
            with open(temporary / name, "xb") as file:
                _write(file, content)
        _replace_folder(temporary, path)


def write_archive(path, files):
    """Write files into a zip file, which appears at once and as a whole.

    Parameters
    ----------
    path : Path
        A file at this path is replaced.
    files : dict of str to bytes
    """
    with _temporary_name(path) as temporary:
        with open(temporary, "xb") as file:
            # Nothing is compressed: weights hardly shrink, and a reader need not fear zip bombs.
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for name, content in files.items():
                    # A fixed date, so that equal models are equal files.
                    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                    entry.external_attr = (stat.S_IFREG | 0o644) << 16
                    archive.writestr(entry, content)
            _write(file, b"")
        os.replace(temporary, path)


def remove_leftovers(path):
    """Delete the temporary files that processes have left when they were killed at writing.

    Parameters
    ----------
    path : Path
        The path to which the processes were writing.
    """
    for temporary in path.parent.glob(f".{path.name}.*"):
        # Another process may have replaced the path, or be writing, at this moment.
        with contextlib.suppress(OSError):
            if time.time() - temporary.stat().st_mtime > _LEFT_AFTER:
                temporary.unlink()


@contextlib.contextmanager
def _temporary_name(path):
    """Provide a free name beside a path; what is there at the end of the block is deleted."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        yield temporary
    finally:
        _remove(temporary)


def _check_replaceable(path, is_other):
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"path={str(path)!r} cannot be written, because there is no folder "
            f"{str(path.parent)!r}. Create it first."
        )
    if is_other or path.is_symlink():
        raise FileExistsError(
            f"{path} exists and is no model, or contains other files, too. Save to another "
            "path, or delete it first."
        )


def _is_other(path):
    """Return whether something else than the folder of a model is at a path."""
    # Another thread may replace the folder at any time, so that it is read in a single step.
    try:
        names = set(os.listdir(path))
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return True
    return not names <= set(_NAMES)


def _write(file, content):
    file.write(content)
    file.flush()
    # Otherwise, a power failure could leave an empty file under the final name.
    os.fsync(file.fileno())


def _replace_folder(temporary, path):
    """Move a folder to a path, in place of the model that may be there."""
    # A folder cannot be replaced in one step, but the model is absent for a moment only.
    former, is_stored = temporary.with_name(temporary.name + ".old"), False
    while not is_stored:
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, former)
        try:
            os.rename(temporary, path)
            is_stored = True
        except OSError as error:
            # In that moment, another thread or process has stored a model, which is replaced, too.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                with contextlib.suppress(FileNotFoundError):
                    os.rename(former, path)
                raise
        _remove(former)


def _remove(path):
    """Delete a file, or a folder of files, if it exists."""
    if path.is_dir():
        for entry in path.iterdir():
            entry.unlink()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def open_files(path, names=_NAMES):
    """Provide a function that reads the files of a model.

    Parameters
    ----------
    path : Path
        A folder or a zip file.
    names : collection of str, default=_NAMES
        The names of files that a zip file may hold.

    Yields
    ------
    read : callable
        Called with the name of a file and the largest size that it may have; returns bytes, or
        raises a ModelFileError.
    """
    if path.is_dir():
        yield lambda name, largest: _read_of_folder(path, name, largest)
        return
    with open(path, "rb") as file:
        require(stat.S_ISREG(os.fstat(file.fileno()).st_mode), "it is no file")
        size = os.fstat(file.fileno()).st_size
        with contextlib.ExitStack() as stack:
            with _reporting_damage():
                archive = stack.enter_context(zipfile.ZipFile(file))
                entries = _entries(archive, size, names)
            yield lambda name, largest: _read_of_archive(archive, entries, name, largest)


def _read_of_folder(folder, name, largest):
    # Neither a link, which may lead out of the folder, nor a pipe, which may never end.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    target = folder / name
    try:
        descriptor = os.open(target, flags | getattr(os, "O_BINARY", 0))
    except OSError as error:
        require(False, f"{name} cannot be opened ({error.strerror})")
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        require(stat.S_ISREG(status.st_mode), f"{name} is no regular file")
        require(not target.is_symlink(), f"{name} is a link")
        require(status.st_size <= largest, f"{name} is larger than it should be")
        # The file may grow meanwhile.
        content = file.read(largest + 1)
    require(len(content) <= largest, f"{name} is larger than it should be")
    return content


def _entries(archive, size, names):
    """Return the entries of a zip file by name; a ModelFileError unless all are harmless."""
    entries = {entry.filename: entry for entry in archive.infolist()}
    require(len(entries) == len(archive.infolist()), "it holds a name twice")
    require(set(entries) <= set(names), "it holds other files than those of a model")
    for name, entry in entries.items():
        kind = stat.S_IFMT(entry.external_attr >> 16)
        require(kind in (0, stat.S_IFREG), f"{name} is no regular file")
        is_stored = entry.compress_type == zipfile.ZIP_STORED
        require(
            is_stored and entry.compress_size == entry.file_size,
            f"{name} is compressed; unpack the archive and load the folder",
        )
        require(not entry.flag_bits & 1, f"{name} is encrypted")
    # Entries that are stored can claim more than the file has only if they overlap.
    total = sum(entry.file_size for entry in entries.values())
    require(total <= size, "its entries overlap")
    return entries


def _read_of_archive(archive, entries, name, largest):
    require(name in entries, f"{name} is missing")
    require(entries[name].file_size <= largest, f"{name} is larger than it should be")
    with _reporting_damage():
        return archive.read(entries[name])


@contextlib.contextmanager
def _reporting_damage():
    """Convert errors of zipfile to a ModelFileError."""
    try:
        yield
    except _ZIP_ERRORS as error:
        raise ModelFileError(
            f"The file is damaged or is no model of ctsk: {str(error) or type(error).__name__}."
        ) from error
