"""Objects that hold rows without naming their columns: arrays, nested lists, tensors."""

import contextlib
from collections.abc import Set

import numpy as np

# Kinds of NumPy's dtypes that would lose their meaning as numbers of float64.
_REFUSED_KINDS = {
    "c": "Complex data not supported: {name} has dtype {dtype}. Pass real numbers, for example the "
    "real and the imaginary parts.",
    "M": "{name} has dtype {dtype}, which holds dates. Derive numbers from them, such as days "
    "since a date.",
    "m": "{name} has dtype {dtype}, which holds durations. Convert them to numbers in a unit of "
    "your choice, for example by {name} / numpy.timedelta64(1, 'D').",
    "V": "{name} has dtype {dtype}, a void or structured dtype, whose rows hold fields. Pass "
    "pandas.DataFrame({name}), whose columns have names and dtypes.",
}
# What NumPy and float() report of cells that are no numbers; they have no exception of their own.
_NO_NUMBERS = (
    "could not convert string",
    "float() argument must be",
    "must be real number",
    "must be a string or a real number",
    "setting an array element with a sequence",
    "inhomogeneous",
)


def as_array_like(X, name):
    """Return X as an array-like that scikit-learn converts to numbers without any loss.

    Parameters
    ----------
    X : array-like
        Anything but a DataFrame or a sparse matrix.
    name : str
        Name of X in error messages.

    Returns
    -------
    X : array-like
        X itself in most cases.

    Raises
    ------
    ValueError
        If X is no container of rows, has masked cells, or a dtype of neither real numbers nor
        text nor objects.
    """
    if X is None or isinstance(X, str | bytes | bytearray | Set | type) or _is_consumed(X):
        raise ValueError(
            f"{name} is a {type(X).__name__}, which is no table. Expected 2D array: pass a "
            "pandas.DataFrame, or a list or an array of shape (n_rows, n_features)."
        )
    if hasattr(X, "detach"):
        X = _array_of_tensor(X)
    refuse_masked(X, name, f"Mark them as missing by {name}.astype(float).filled(np.nan).")
    refuse_kind(X, name)
    # A matrix is left to scikit-learn, which rejects it.
    return X.data if isinstance(X, np.ma.MaskedArray) else X


def refuse_masked(values, name, remedy):
    """Raise a ValueError if cells are masked; scikit-learn would read what lies under the mask."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        n_masked = np.ma.count_masked(values)
        raise ValueError(
            f"{name} is a masked array, and {n_masked} of its cells are masked. {remedy}"
        )


def refuse_kind(values, name):
    """Raise a ValueError if a dtype holds neither real numbers nor text nor objects."""
    dtype = getattr(values, "dtype", None)
    kind = getattr(dtype, "kind", None)
    if kind in _REFUSED_KINDS:
        raise ValueError(_REFUSED_KINDS[kind].format(name=name, dtype=dtype))


def _is_consumed(X):
    """Return whether X can be iterated over, but has neither a length nor cells to index."""
    return hasattr(X, "__iter__") and not (hasattr(X, "__len__") and hasattr(X, "__getitem__"))


def _array_of_tensor(tensor):
    """Return a torch tensor as an ndarray."""
    tensor = tensor.detach().cpu().to_dense()
    # NumPy has no bfloat16, whose numbers float32 holds.
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


@contextlib.contextmanager
def explaining_cells(name="X"):
    """Add the name of an array, and the remedy, to errors about cells that are no numbers."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if not any(words in str(error) for words in _NO_NUMBERS):
            raise
        if "inhomogeneous" in str(error) or "sequence" in str(error):
            raise ValueError(
                f"{name} cannot be converted to an array ({error}). Expected 2D array: pass rows "
                "of the same length, whose cells are numbers."
            ) from error
        raise ValueError(
            f"{name} holds text or other objects that are no numbers ({error}). Pass a DataFrame, "
            "whose columns have dtypes of their own, so that text is categorical; a single row of "
            "one is X.iloc[[0]]."
        ) from error
