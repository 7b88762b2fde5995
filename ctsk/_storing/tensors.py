"""The format safetensors: a length, a header of JSON, and the bytes of arrays."""

import json
import math
import struct

import numpy as np

from ctsk._storing.json_text import parse_json
from ctsk._storing.values import require

# Dtypes by their names in the format. NumPy lacks the others, such as floats of 8 bits.
_DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "F16": np.dtype("<f2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "F32": np.dtype("<f4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F64": np.dtype("<f8"),
}
NAMES = {dtype: name for name, dtype in _DTYPES.items()}
# The header begins after 8 bytes of its length, and the arrays at a multiple of 8 bytes.
_ALIGNMENT = 8


def write_tensors(arrays):
    """Return arrays in the format safetensors.

    Parameters
    ----------
    arrays : dict of str to ndarray

    Returns
    -------
    content : bytes
        Equal arrays have equal bytes: they are ordered by the size of their items, and by name.

    Raises
    ------
    TypeError
        If the format, or NumPy, lacks the dtype of an array.
    """
    header, parts, start = {}, [], 0
    # Items of 8 bytes come first, so that all arrays are aligned.
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):
        array = arrays[name]
        little = array.dtype.newbyteorder("<")
        if little not in NAMES:
            raise TypeError(f"{name} has dtype {array.dtype}, which safetensors lacks")
        part = np.ascontiguousarray(array, dtype=little).tobytes()
        header[name] = {
            "dtype": NAMES[little],
            "shape": list(array.shape),
            "data_offsets": [start, start + len(part)],
        }
        start += len(part)
        parts.append(part)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return b"".join([struct.pack("<Q", len(text)), text, *parts])


def read_tensors(content):
    """Return the arrays of a file in the format safetensors.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    arrays : dict of str to ndarray
        Read-only views of `content`.

    Raises
    ------
    ModelFileError
        If the content is not of this format. No array is made before all of the header is checked,
        so that a header cannot claim more memory than the file has.
    """
    require(len(content) >= 8, "weights are shorter than their length")
    (length,) = struct.unpack("<Q", content[:8])
    require(length <= len(content) - 8, "the header of weights is longer than the file")
    header = parse_json(content[8 : 8 + length])
    require(isinstance(header, dict), "the header of weights is no object")
    metadata = header.pop("__metadata__", {})
    require(
        isinstance(metadata, dict) and all(isinstance(text, str) for text in metadata.values()),
        "the metadata of weights are no text",
    )
    for name, entry in header.items():
        _check_entry(name, entry)
    # The arrays fill the rest of the file, without gaps and without overlaps.
    end = 0
    for entry in sorted(header.values(), key=lambda entry: entry["data_offsets"]):
        require(entry["data_offsets"][0] == end, "weights overlap or leave a gap")
        end = entry["data_offsets"][1]
    data = memoryview(content)[8 + length :]
    require(end == len(data), "weights and file differ in size")
    return {name: _array_of(entry, data) for name, entry in header.items()}


def _check_entry(name, entry):
    """Raise a ModelFileError unless dtype, shape and offsets of an array agree."""
    title = f"the header of {name!r:.60} is invalid"
    require(isinstance(entry, dict) and set(entry) == {"dtype", "shape", "data_offsets"}, title)
    shape, offsets = entry["shape"], entry["data_offsets"]
    require(isinstance(entry["dtype"], str) and entry["dtype"] in _DTYPES, title)
    for numbers in (shape, offsets):
        is_list = isinstance(numbers, list) and len(numbers) <= 32
        require(is_list and all(type(n) is int and 0 <= n < 2**63 for n in numbers), title)
    require(len(offsets) == 2, title)
    # An array without items could claim dimensions that NumPy cannot hold.
    require(math.prod(max(n, 1) for n in shape) < 2**60, title)
    size = math.prod(shape) * _DTYPES[entry["dtype"]].itemsize
    require(offsets[1] - offsets[0] == size, title)


def _array_of(entry, data):
    start, end = entry["data_offsets"]
    array = np.ndarray(entry["shape"], _DTYPES[entry["dtype"]], data[start:end])
    # Bytes other than 0 and 1 are no valid Booleans of NumPy.
    is_valid = array.dtype != np.bool_ or (array.view(np.uint8) <= 1).all()
    require(is_valid, "a Boolean is neither true nor false")
    return array
