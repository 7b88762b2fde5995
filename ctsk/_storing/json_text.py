"""JSON as bytes: read with limits, and written so that equal values have equal digests."""

import hashlib
import json
import math

from ctsk._storing.values import require

# Models of 100,000 columns have a few megabytes of JSON. Its objects take some twenty times the
# memory of the text.
LARGEST = 64 * 2**20
# Deeper lists would exhaust Python's stack, in this package or in others.
_DEEPEST = 60
# Length up to which a value takes one line.
_LINE = 80


def parse_json(content):
    """Return the value of JSON in bytes.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    value : object

    Raises
    ------
    ModelFileError
        If it is no JSON, too large or too deep, or if an object has a key twice.
    """
    require(len(content) <= LARGEST, f"it has more than {LARGEST // 2**20} MB of JSON")
    try:
        value = json.loads(
            content.decode(), object_pairs_hook=_distinct, parse_constant=_refuse_constant
        )
    except (RecursionError, UnicodeDecodeError, json.JSONDecodeError) as error:
        require(False, f"its JSON cannot be read ({error})")
    except ValueError as error:
        # Python limits the number of digits of an integer.
        require(False, f"its JSON holds an invalid value ({error})")
    _check_values(value)
    return value


def canonical_json(value):
    """Return a value as the shortest JSON, with sorted keys and in ASCII, as bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def compact_json(value):
    """Return a value as the shortest JSON, with keys in their own order, as bytes."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def readable_json(value):
    """Return a value as indented JSON, in bytes."""
    return (_readable(value, "\n") + "\n").encode()


def digest_of(content):
    """Return the SHA-256 of bytes, or of the canonical JSON of any other value."""
    if not isinstance(content, bytes):
        content = canonical_json(content)
    return hashlib.sha256(content).hexdigest()


def _distinct(pairs):
    """Return the dict of a JSON object whose keys must differ."""
    parsed = dict(pairs)
    # Readers differ in which of two values they take, and so would a person and the program.
    require(len(parsed) == len(pairs), "an object of its JSON has a key twice")
    return parsed


def _refuse_constant(name):
    require(False, f"its JSON holds {name}")


def _check_values(value):
    """Raise a ModelFileError if lists and objects are nested too deeply, or a float is infinite."""
    level = [value]
    for _ in range(_DEEPEST):
        parts = []
        for parent in level:
            if isinstance(parent, dict):
                parts += parent.values()
            elif isinstance(parent, list):
                parts += parent
            # A number with a large exponent is read as infinity, which JSON does not have.
            elif isinstance(parent, float):
                require(math.isfinite(parent), "a number of its JSON is too large")
        if not parts:
            return
        level = parts
    require(False, "its JSON is nested too deeply")


def _readable(value, newline):
    """Return a value as indented text; `newline` ends a line and indents the next one."""
    text = json.dumps(value, allow_nan=False)
    parts = list(value.values() if isinstance(value, dict) else value if _is_list(value) else [])
    is_nested = any(isinstance(part, list | dict) for part in parts)
    # Lists of numbers and texts take one line, however long they are.
    if len(text) <= _LINE or not (is_nested or isinstance(value, dict)):
        return text
    inner = newline + "  "
    lines = [_readable(part, inner) for part in parts]
    if _is_list(value):
        return "[" + inner + ("," + inner).join(lines) + newline + "]"
    lines = [f"{json.dumps(key)}: {line}" for key, line in zip(value, lines, strict=True)]
    return "{" + inner + ("," + inner).join(lines) + newline + "}"


def _is_list(value):
    return isinstance(value, list)
