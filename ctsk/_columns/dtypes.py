"""The dtypes of columns, and columns as numbers."""

import numpy as np

from ctsk._columns.containers import is_series


def numpy_dtype(dtype):
    """Return NumPy's dtype of a column of a DataFrame; object where it has none."""
    # Pandas' nullable and arrow dtypes have the attribute.
    dtype = getattr(dtype, "numpy_dtype", dtype)
    return dtype if isinstance(dtype, np.dtype) else np.dtype(object)


def is_text(cell):
    return isinstance(cell, (str, bytes))


def smallest_dtype(cells, dtype):
    """Return `dtype` if it holds all cells, and otherwise int64 or the dtype of the cells.

    A dtype may be unable to hold categories that were learned from a column of another dtype.
    """
    try:
        fits = (cells.astype(dtype) == cells).all()
    except (OverflowError, TypeError, ValueError):
        fits = False
    if fits:
        return dtype
    # Whole numbers such as -9 need not turn unsigned numbers into floats, except for uint64, whose
    # largest numbers int64 cannot hold.
    if dtype.kind in "iu" and dtype != np.uint64 and cells.dtype.kind == "f":
        is_whole = (cells == np.floor(cells)) & (np.abs(cells) < 2.0**63)
        if is_whole.all():
            return np.dtype(np.int64)
    return np.array(cells.tolist()).dtype


def like_dtype(dtype, exact):
    """Return a NumPy dtype or, if it is int64 and `dtype` can hold gaps, one that can, too."""
    if isinstance(dtype, np.dtype) or exact != np.int64:
        return exact
    is_arrow = type(dtype).__name__ == "ArrowDtype"
    return "int64[pyarrow]" if is_arrow else "Int64"


def check_kind(name, column):
    """Reject columns that hold neither numbers nor categories."""
    dtype = column.dtype
    # Only pandas' SparseDtype has a fill value. Periods, intervals and arrow's times have the kind
    # of objects, as categories do, so that only their names distinguish them without importing
    # pandas.
    is_arrow = type(dtype).__name__ == "ArrowDtype"
    is_time = is_arrow and str(dtype).startswith(("time", "month_day_nano"))
    is_time |= type(dtype).__name__ in ("PeriodDtype", "IntervalDtype")
    if hasattr(dtype, "fill_value"):
        problem, remedy = "which is sparse", "convert it by .sparse.to_dense()"
    elif is_arrow and str(dtype).startswith(("string_view", "binary_view")):
        problem = "of which pandas cannot select rows"
        remedy = "convert it by .astype(str)"
    elif is_series(column) and isinstance(dtype, np.dtype) and not dtype.isnative:
        problem = "of whose order of bytes pandas cannot select rows"
        remedy = f"convert it by .astype({dtype.name!r})"
    elif dtype.kind not in "biufOUST" or is_time:
        problem = "which is neither a number nor a category"
        remedy = "derive numbers from it, such as days or years since a date"
    else:
        return
    raise ValueError(f"Column {name!r} of X has dtype {dtype}, {problem}; {remedy}.")


def numbers_of(column, name):
    """Return the cells of a numeric column as float64."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        # A number beyond float64 becomes infinite, which is an error of its own.
        with np.errstate(over="ignore"):
            return np.asarray(column, dtype=np.float64)
    check_kind(name, column)
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {name!r} of X was numeric when the estimator was fitted, but now has dtype "
            f"{column.dtype} and cannot be converted ({error}). Convert it by pandas.to_numeric."
        ) from error
