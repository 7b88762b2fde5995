"""Arrays survive the format, whose header may take the whole file and not a byte more."""

import struct

import numpy as np
import pytest

from ctsk._storing.tensors import read_tensors, write_tensors
from ctsk.exceptions import ModelFileError


def test_arrays_come_back_with_their_dtypes_and_shapes():
    arrays = {
        "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
        "steps": np.array(7),
        "empty": np.empty((0, 4)),
    }
    read = read_tensors(write_tensors(arrays))
    assert sorted(read) == sorted(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array, strict=True)


def test_a_header_without_arrays_is_read():
    header = b"{}"
    assert read_tensors(struct.pack("<Q", len(header)) + header) == {}


def test_a_header_that_is_a_byte_longer_than_the_file_is_rejected():
    header = b"{}"
    with pytest.raises(ModelFileError, match="header of weights is longer than the file"):
        read_tensors(struct.pack("<Q", len(header) + 1) + header)
