"""Python values as JSON that people can read, and back, without importing what a file names."""

import math
import re
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import torch

from ctsk._storing.generators import CLASSES
from ctsk.exceptions import ModelFileError

# A JSON object whose only key begins with this sign stands for a value that JSON does not have.
_SIGN = "$"
# Kinds of NumPy's dtypes that are stored: Booleans, numbers, text, times and durations. The items
# of an array of objects are stored one by one.
_KINDS = "biufUMm"
_MOST_CHARACTERS = 10_000
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_UNITS = ("s", "ms", "us", "ns")
# Names such as Europe/Berlin and UTC+01:00. pandas would read others from files.
_ZONE = re.compile(r"[A-Z][\w+:-]*(/[A-Z][\w+-]*){0,3}", re.ASCII)


def to_json(value):
    """Return a value as what JSON can hold.

    Parameters
    ----------
    value : object
        None, a Boolean, a number, text, a time, a list, tuple, set or dict of such values, an array
        of them, or a generator of ctsk.

    Returns
    -------
    encoded : object
        Finite numbers, text, and most lists and dicts are themselves. Everything else is an object
        with one key, such as ``{"$tuple": [1, 2]}``.

    Raises
    ------
    TypeError
        If the value is of any other type.
    """
    kind = type(value)
    if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
        return value
    if kind is list:
        return [to_json(part) for part in value]
    if kind is dict and all(type(key) is str and key[:1] != _SIGN for key in value):
        return {key: to_json(part) for key, part in value.items()}
    for name, (matches, encode, _) in _TYPES.items():
        if matches(value, kind):
            return {_SIGN + name: encode(value)}
    # A Series or an Index is a parameter that stands for a list.
    if _is_of_pandas(kind) and hasattr(value, "tolist"):
        return to_json(value.tolist())
    raise TypeError(f"an object of type {kind.__module__}.{kind.__qualname__} cannot be stored")


def from_json(encoded):
    """Return the value that `to_json` has encoded.

    Parameters
    ----------
    encoded : object
        A value that the module json returns.

    Returns
    -------
    value : object

    Raises
    ------
    ModelFileError
        If the value is not what `to_json` returns.
    """
    if encoded is None or isinstance(encoded, bool | int | float | str):
        return encoded
    if isinstance(encoded, list):
        return [from_json(part) for part in encoded]
    names = [key for key in encoded if key[:1] == _SIGN]
    if not names:
        return {key: from_json(part) for key, part in encoded.items()}
    require(len(encoded) == 1, f"an object has other keys beside {names[0]!r:.40}")
    name = names[0][len(_SIGN) :]
    require(name in _TYPES, f"the type {name!r:.40} is unknown")
    decode = _TYPES[name][2]
    try:
        return decode(encoded[names[0]])
    except ModelFileError:
        raise
    except (TypeError, ValueError, ArithmeticError, AttributeError, KeyError) as error:
        raise ModelFileError(_damage(f"a {name} is invalid")) from error


def require(condition, problem):
    """Raise a ModelFileError that names a problem, unless a condition holds."""
    if not condition:
        raise ModelFileError(_damage(problem))


def _damage(problem):
    return (
        f"The file is damaged or edited: {problem}. Load the files as ctsk.save has written them, "
        "from a backup if need be."
    )


def _exactly(*kinds):
    """Return a check for objects of a type, but not of its subclasses."""
    return lambda value, kind: kind in kinds


def _from_pandas(name):
    """Return a check for a type of pandas, which may not be installed."""
    return lambda value, kind: kind.__name__ == name and _is_of_pandas(kind)


def _is_of_pandas(kind):
    return kind.__module__.partition(".")[0] == "pandas"


def _is_scalar(value, kind):
    return isinstance(value, np.generic) and _is_storable(value.dtype)


def _is_array(value, kind):
    return kind is np.ndarray and (_is_storable(value.dtype) or value.dtype.kind == "O")


def _is_storable(dtype):
    # The digits of a long double are lost in a float.
    return dtype.kind in _KINDS and (dtype.kind == "U" or dtype.itemsize <= 8)


def _all_to_json(values):
    return [to_json(value) for value in values]


def _all_from_json(content):
    require(isinstance(content, list), "a sequence is no list")
    return [from_json(part) for part in content]


def _encode_dict(value):
    return [[to_json(key), to_json(part)] for key, part in value.items()]


def _decode_dict(content):
    return {from_json(key): from_json(part) for key, part in content}


def _encode_set(value):
    # The order of a set differs between processes, but equal models are equal files.
    return sorted(_all_to_json(value), key=repr)


def _encode_array(array):
    # Times and durations are stored as integers.
    data = array.astype(np.int64) if array.dtype.kind in "Mm" else array
    return {
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "data": _all_to_json(data.ravel().tolist()),
    }


def _decode_array(content):
    dtype, shape = _dtype_of(content["dtype"]), content["shape"]
    require(all(type(n) is int and n >= 0 for n in shape), "the shape of an array is invalid")
    values = _all_from_json(content["data"])
    require(len(content) == 3 and math.prod(shape) == len(values), "an array has another shape")
    if dtype.kind == "O":
        array = np.empty(len(values), dtype=object)
        # An assignment of the whole would unpack tuples.
        for position, value in enumerate(values):
            array[position] = value
        return array.reshape(shape)
    expected = {"b": bool, "U": str, "f": float}.get(dtype.kind, int)
    require(all(type(value) is expected for value in values), f"an array of {dtype} holds others")
    if dtype.kind in "Mm":
        return np.array(values, dtype=np.int64).astype(dtype).reshape(shape)
    # NumPy would cut longer text. It raises an OverflowError for integers that are too large.
    is_cut = dtype.kind == "U" and any(4 * len(value) > dtype.itemsize for value in values)
    require(not is_cut, "text is longer than its dtype")
    return np.array(values, dtype=dtype).reshape(shape)


def _dtype_of(name):
    """Return a dtype by its name."""
    require(isinstance(name, str) and len(name) <= 20, "a dtype is no name")
    dtype = np.dtype(name)
    require(dtype.kind == "O" or _is_storable(dtype), f"the dtype {name!r} is unknown")
    # An item of a dtype of text takes its memory even if the text is empty.
    require(dtype.itemsize <= 4 * _MOST_CHARACTERS, "a dtype of text is too long")
    return dtype


def _encode_scalar(value):
    return _encode_array(np.asarray(value))


def _decode_scalar(content):
    array = _decode_array(content)
    require(array.shape == () and array.dtype.kind != "O", "a number has a shape")
    return array[()]


def _encode_timestamp(value):
    zone = None if value.tzinfo is None else str(value.tzinfo)
    return [int(value.to_datetime64().astype(np.int64)), value.unit, zone]


def _decode_timestamp(content):
    import pandas as pd

    count, unit, zone = content
    require(type(count) is int and unit in _UNITS, "a time is no number")
    stamp = pd.Timestamp(np.datetime64(count, unit))
    if zone is None:
        return stamp
    require(_ZONE.fullmatch(zone) is not None, "a time zone has no name")
    return stamp.tz_localize("UTC").tz_convert(zone)


def _encode_timedelta(value):
    return [int(value.to_timedelta64().astype(np.int64)), value.unit]


def _decode_timedelta(content):
    import pandas as pd

    count, unit = content
    require(type(count) is int and unit in _UNITS, "a duration is no number")
    return pd.Timedelta(np.timedelta64(count, unit))


def _encode_interval(value):
    return [to_json(value.left), to_json(value.right), value.closed]


def _decode_interval(content):
    import pandas as pd

    left, right, closed = content
    return pd.Interval(from_json(left), from_json(right), closed)


def _encode_generator(generator):
    parameters = generator.get_params(deep=False)
    return {"class": type(generator).__name__, "parameters": to_json(parameters)}


def _decode_generator(content):
    generator = CLASSES[content["class"]](**from_json(content["parameters"]))
    generator._validate_params()
    return generator


def _encode_random_state(value):
    return to_json(value.get_state())


def _decode_random_state(content):
    random_state = np.random.RandomState(0)
    random_state.set_state(from_json(content))
    return random_state


def _decode_fraction(content):
    # Text with an exponent could claim any amount of memory.
    numerator, denominator = content
    require(type(numerator) is int and type(denominator) is int, "a fraction is no number")
    return Fraction(numerator, denominator)


def _of_text(decode):
    """Return a function that decodes text, of a bounded length."""

    def decode_text(content):
        require(isinstance(content, str) and len(content) <= _MOST_CHARACTERS, "a value is no text")
        return decode(content)

    return decode_text


# The types of values by their names in the file: how a value is recognized, encoded and decoded.
_TYPES = {
    "float": (_exactly(float), str, _NON_FINITE.__getitem__),
    "tuple": (_exactly(tuple), _all_to_json, lambda content: tuple(_all_from_json(content))),
    "dict": (_exactly(dict), _encode_dict, _decode_dict),
    "set": (_exactly(set), _encode_set, lambda content: set(_all_from_json(content))),
    "frozenset": (
        _exactly(frozenset),
        _encode_set,
        lambda content: frozenset(_all_from_json(content)),
    ),
    "scalar": (_is_scalar, _encode_scalar, _decode_scalar),
    "array": (_is_array, _encode_array, _decode_array),
    "Timestamp": (_from_pandas("Timestamp"), _encode_timestamp, _decode_timestamp),
    "Timedelta": (_from_pandas("Timedelta"), _encode_timedelta, _decode_timedelta),
    "Interval": (_from_pandas("Interval"), _encode_interval, _decode_interval),
    "datetime": (_exactly(datetime), datetime.isoformat, _of_text(datetime.fromisoformat)),
    "date": (_exactly(date), date.isoformat, _of_text(date.fromisoformat)),
    "time": (_exactly(time), time.isoformat, _of_text(time.fromisoformat)),
    "Decimal": (_exactly(Decimal), str, _of_text(Decimal)),
    "Fraction": (
        _exactly(Fraction),
        lambda value: [value.numerator, value.denominator],
        _decode_fraction,
    ),
    "bytes": (_exactly(bytes), bytes.hex, _of_text(bytes.fromhex)),
    "device": (_exactly(torch.device), str, _of_text(torch.device)),
    "generator": (
        lambda value, kind: CLASSES.get(kind.__name__) is kind,
        _encode_generator,
        _decode_generator,
    ),
    "RandomState": (_exactly(np.random.RandomState), _encode_random_state, _decode_random_state),
}
