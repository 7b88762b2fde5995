"""Checks of the parts of a document, before anything is built from them."""

import math

import numpy as np

from ctsk._storing.json_text import digest_of
from ctsk._storing.values import from_json, require

# Integers up to here are exact in every reader of JSON.
_LARGEST = 2**53


def check_document(document, names, title, *, file_format, latest):
    """Check keys, format, version and digest of a document.

    Parameters
    ----------
    document : object
    names : collection of str
        Its keys.
    title : str
        The name of its file.
    file_format : str
    latest : int
        The version of the format that this version of ctsk writes.
    """
    check_record(document, names, title)
    require(document["format"] == file_format, f"its format is {document['format']!r:.60}")
    version = check_integer(document["format_version"], "format_version", low=1)
    require(
        version <= latest,
        f"its format version is {version}, which a later version of ctsk has written",
    )
    content = {name: value for name, value in document.items() if name != "digest"}
    require(document["digest"] == digest_of(content), f"{title} does not have its own digest")


def check_contents(files, read, title, *, required, optional=frozenset()):
    """Return the contents of the files whose sizes and digests a document states.

    Parameters
    ----------
    files : object
        The part "files" of the document.
    read : callable
        See `open_files`.
    title : str
        The name of the document.
    required, optional : set of str
        Names of files.
    """
    require(isinstance(files, dict), "files is no object")
    require(required <= set(files) <= required | optional, "it names other files")
    contents = {}
    for name, entry in files.items():
        check_record(entry, ("size", "sha256"), f"the entry of {name}")
        content = read(name, check_integer(entry["size"], f"the size of {name}"))
        is_intact = len(content) == entry["size"] and digest_of(content) == entry["sha256"]
        require(is_intact, f"{name} does not have the digest that {title} states")
        contents[name] = content
    return contents


def check_record(value, names, title):
    """Return an object of JSON; a ModelFileError unless it has exactly these keys."""
    require(isinstance(value, dict), f"{title} is no object")
    missing, others = sorted(set(names) - set(value)), sorted(set(value) - set(names))
    require(not missing, f"{title} lacks {', '.join(missing[:10])}")
    require(not others, f"{title} has the unknown key {', '.join(map(repr, others[:1])):.60}")
    return value


def check_list(value, title, length=None):
    """Return a list, of a length if that is given."""
    require(isinstance(value, list), f"{title} is no list")
    require(length is None or len(value) == length, f"{title} has another length")
    return value


def check_flag(value, title):
    """Return a Boolean."""
    require(isinstance(value, bool), f"{title} is neither true nor false")
    return value


def check_choice(value, choices, title):
    """Return one of a few texts, or None."""
    is_name = value is None or isinstance(value, str)
    require(is_name and value in choices, f"{title} is unknown")
    return value


def check_integer(value, title, *, low=0, high=_LARGEST):
    """Return an integer within bounds."""
    require(type(value) is int and low <= value <= high, f"{title} is no valid integer")
    return value


def check_number(value, title, *, low=-math.inf, high=math.inf):
    """Return a finite number within bounds, as it is: an integer or a float."""
    is_number = type(value) in (int, float) and abs(value) <= np.finfo(np.float64).max
    require(is_number and low <= value <= high, f"{title} is no valid number")
    return value


def check_numbers(value, length, title, *, is_finite=True, allow_nan=False):
    """Return a list of numbers as an array of float64."""
    numbers = [from_json(part) for part in check_list(value, title, length)]
    require(all(type(number) is float for number in numbers), f"{title} holds no numbers")
    array = np.array(numbers, dtype=np.float64)
    require(allow_nan or not np.isnan(array).any(), f"{title} lacks numbers")
    require(not is_finite or not np.isinf(array).any(), f"{title} holds infinite numbers")
    return array


def check_flags(value, length, title):
    """Return a list of Booleans as an array."""
    flags = check_list(value, title, length)
    require(all(isinstance(flag, bool) for flag in flags), f"{title} holds other than true, false")
    return np.array(flags, dtype=bool)


def check_distinct(values, title):
    """Return values that can be keys of a dict, none of which occurs twice."""
    try:
        n_distinct = len(set(values))
    except TypeError:
        n_distinct = -1
    require(n_distinct == len(values), f"{title} are not distinct")
    return values


def check_arrays(arrays, shapes, title):
    """Raise a ModelFileError unless arrays of float32 have these names and shapes.

    Parameters
    ----------
    arrays : dict of str to ndarray
    shapes : dict of str to tuple
        None in a shape stands for any number.
    title : str
    """
    require(set(arrays) == set(shapes), f"the names of the weights of {title} are others")
    for name, shape in shapes.items():
        actual = arrays[name].shape
        is_alike = len(actual) == len(shape) and all(
            expected in (None, n) for expected, n in zip(shape, actual, strict=True)
        )
        require(is_alike, f"{name} of {title} has the shape {actual}")
        is_flags = name.endswith("varies")
        expected = np.bool_ if is_flags else np.float32
        require(arrays[name].dtype == expected, f"{name} of {title} has another dtype")
        require(is_flags or bool(np.isfinite(arrays[name]).all()), f"{name} of {title} is infinite")
