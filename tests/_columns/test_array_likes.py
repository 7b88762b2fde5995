"""Arrays that would lose their meaning as numbers are rejected; all others are read as they are."""

import numpy as np
import pytest
import torch

from ctsk._columns.array_likes import as_array_like, explaining_cells

X = np.arange(6.0).reshape(3, 2)


def test_masked_cells_are_rejected_and_a_mask_without_any_is_dropped():
    masked = np.ma.masked_array(X, mask=X == 4)
    with pytest.raises(ValueError, match=r"X is a masked array, and 1 of its cells.*\.filled\("):
        as_array_like(masked, "X")
    unmasked = as_array_like(np.ma.masked_array(X, mask=False), "X")
    assert type(unmasked) is np.ndarray
    np.testing.assert_array_equal(unmasked, X)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (X + 1j, "Complex data not supported: X_reference has dtype complex128.*real"),
        (X.astype("datetime64[D]"), r"X_reference has dtype datetime64\[D\].*Derive numbers"),
        (X.astype("timedelta64[s]"), r"X_reference has dtype timedelta64.*timedelta64\(1, 'D'\)"),
        (np.zeros(3, dtype="i4,f8"), r"X_reference has dtype .*structured.*DataFrame"),
        (None, "X_reference is a NoneType, which is no table.*DataFrame"),
        ("text", "X_reference is a str, which is no table"),
        ({1, 2}, "X_reference is a set, which is no table"),
        ((row for row in X), "X_reference is a generator, which is no table"),
        (int, "X_reference is a type, which is no table"),
    ],
    ids=["complex", "dates", "durations", "fields", "None", "text", "set", "generator", "class"],
)
def test_what_is_no_table_of_numbers_is_rejected_with_a_remedy(array, message):
    with pytest.raises(ValueError, match=message):
        as_array_like(array, "X_reference")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(X),
        torch.tensor(X, requires_grad=True),
        torch.tensor(X).to_sparse(),
        torch.tensor(X, dtype=torch.int16),
        torch.tensor(X, dtype=torch.bfloat16),
    ],
    ids=["plain", "gradients", "sparse", "int16", "bfloat16"],
)
def test_tensors_become_arrays(tensor):
    array = as_array_like(tensor, "X")
    assert type(array) is np.ndarray
    assert array.dtype == {torch.int16: np.int16, torch.bfloat16: np.float32}.get(
        tensor.dtype, np.float64
    )
    np.testing.assert_array_equal(array, X)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([[1.0], [1.0, 2.0]], "X cannot be converted to an array.*rows of the same length"),
        ([["a", "b"]], r"X holds text or other objects.*'a'.*Pass a DataFrame"),
        ([[object(), 1.0]], r"X holds text or other objects.*Pass a DataFrame"),
    ],
    ids=["ragged", "text", "objects"],
)
def test_cells_that_are_no_numbers_are_explained(cells, message):
    with pytest.raises(ValueError, match=message), explaining_cells():
        np.asarray(cells, dtype=np.float64)


def test_other_errors_are_left_alone():
    with pytest.raises(TypeError, match="^other$"), explaining_cells():
        raise TypeError("other")
