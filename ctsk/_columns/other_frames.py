"""DataFrames of other libraries, such as polars and pyarrow: to pandas, and back."""

import importlib.util
from decimal import Decimal
from numbers import Real

import numpy as np


def is_other_frame(X):
    """Whether X is a DataFrame of a library other than pandas."""
    is_array_or_pandas = isinstance(X, np.ndarray) or hasattr(X, "iloc")
    # Lazy frames, which can be collected, have neither of the other two attributes.
    is_frame = any(hasattr(X, name) for name in ("to_pandas", "__dataframe__", "collect"))
    return is_frame and not is_array_or_pandas and not isinstance(X, type)


def to_pandas(X, name):
    """Return a DataFrame of another library as a pandas DataFrame.

    Parameters
    ----------
    X : DataFrame
        An eager frame of any library that narwhals supports.
    name : str
        What an error calls X.

    Returns
    -------
    frame : pandas.DataFrame
        With a default index. Enums become ordered categoricals.

    Raises
    ------
    TypeError
        If narwhals is not installed, or does not support X.
    ValueError
        If two columns have the same name, or a column holds neither numbers nor categories.
    """
    remedy = f"Convert it to pandas, for example by {name}.to_pandas()"
    if hasattr(X, "collect"):
        remedy = f"Compute it first, by {name}.collect()"
    library = type(X).__module__.split(".")[0]
    # pandas is optional, and scikit-learn installs narwhals in its later versions only.
    if None in map(importlib.util.find_spec, ("narwhals", "pandas")):
        raise TypeError(
            f"{name} is a {library} {type(X).__name__}, which is supported only if narwhals and "
            f"pandas are installed. {remedy}, or install ctsk[frames]."
        )
    import narwhals.stable.v2 as nw
    import pandas as pd

    try:
        frame = nw.from_native(X, eager_only=True)
        names = frame.columns
    except nw.exceptions.DuplicateError as error:
        message = " ".join(str(error).split())
        raise ValueError(
            f"{name} has several columns of the same name ({message}). Constraints refer to "
            "columns by name: rename or drop them."
        ) from error
    except TypeError as error:
        raise TypeError(
            f"{name} is a {library} {type(X).__name__}, which is not supported. {remedy}."
        ) from error
    return pd.DataFrame({column: _pandas_column(frame[column], name) for column in names})


def _pandas_column(series, name):
    """Return a Series of narwhals as a column of a pandas DataFrame."""
    import narwhals.stable.v2 as nw
    import pandas as pd

    dtype, n_gaps = series.dtype, series.null_count()
    if dtype == nw.Enum:
        return pd.Categorical(series.to_list(), list(dtype.categories), ordered=True)
    if dtype.is_integer() and str(dtype).endswith("128"):
        return _pandas_integers(series, name)
    if n_gaps and (dtype.is_integer() or dtype == nw.Boolean):
        # As an array, integers with gaps would be floats, and no longer whole numbers.
        return pd.array(series.to_list(), dtype="boolean" if dtype == nw.Boolean else str(dtype))
    if dtype == nw.Unknown and n_gaps < len(series):
        raise ValueError(
            f"Column {series.name!r} of {name} has a dtype that is neither a number nor a "
            "category; derive numbers from it, or drop the column."
        )
    if dtype.is_nested() or dtype in (nw.Unknown, nw.Categorical):
        # As objects: an array would have a dimension more, or would be one of floats; and the array
        # of a dictionary of pyarrow holds words in place of gaps.
        cells = np.empty(len(series), dtype=object)
        cells[:] = series.to_list() if n_gaps < len(series) else None
        return cells
    return series.to_numpy()


def _pandas_integers(series, name):
    """Return integers of 128 bits as a pandas array of 64 bits."""
    import pandas as pd

    cells = series.to_list()
    present = [cell for cell in cells if cell is not None]
    for dtype in ("Int64", "UInt64"):
        limits = np.iinfo(dtype.lower())
        if not present or (limits.min <= min(present) and max(present) <= limits.max):
            array = pd.array(cells, dtype=dtype)
            return array if len(present) < len(cells) else array.to_numpy(dtype.lower())
    raise ValueError(
        f"Column {series.name!r} of {name} holds integers of more than 64 bits. Convert it to "
        "floats, or rescale it."
    )


def from_pandas(frame, like):
    """Return a pandas DataFrame in the library and, where they fit, the dtypes of another frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows like those that `to_pandas` returned; the index is dropped.
    like : DataFrame
        The frame that lends library and dtypes.

    Returns
    -------
    frame : DataFrame

    Raises
    ------
    ValueError
        If a column holds cells of several types, such as text of the factuals and numbers to which
        they moved, which no dtype of the library can hold.
    """
    import narwhals.stable.v2 as nw

    template = nw.from_native(like, eager_only=True)
    series, kept = {}, []
    for name, column in frame.items():
        cells = [None if is_gap else cell for cell, is_gap in zip(column, column.isna())]  # noqa: B905
        dtype = _fitting_dtype(name, template[name].dtype, cells)
        if dtype == template[name].dtype:
            kept.append(name)
        # Strict libraries accept neither whole floats as integers nor NumPy's scalars.
        convert = int if dtype.is_integer() else bool if dtype == nw.Boolean else None
        if convert is not None:
            cells = [None if cell is None else convert(cell) for cell in cells]
        # narwhals has no name for the dtype of a column of gaps alone, and cannot make one.
        dtype = nw.Float64() if dtype == nw.Unknown else dtype
        series[name] = nw.new_series(name, cells, dtype, backend=template.implementation)
    filled = nw.from_dict(series, backend=template.implementation).to_native()
    if template.implementation.is_pyarrow():
        return _with_types_of(filled, like, kept)
    unknown = [name for name in kept if template[name].dtype == nw.Unknown]
    return filled.cast({name: like[name].dtype for name in unknown}) if unknown else filled


def _with_types_of(table, like, names):
    """Return a table of pyarrow with the types that some columns have in another table."""
    # narwhals has one name for several types, such as those of dictionaries, and infers them anew.
    schema = table.schema
    for name in names:
        schema = schema.set(schema.get_field_index(name), like.schema.field(name))
    return table.cast(schema.with_metadata(like.schema.metadata))


def _fitting_dtype(name, dtype, cells):
    """Return a dtype of narwhals if it holds all cells, and otherwise a wider one."""
    import narwhals.stable.v2 as nw

    values = {cell for cell in cells if cell is not None}
    if not values or (dtype == nw.Enum and values <= set(dtype.categories)):
        return dtype
    # A flag that is written as text, or the reverse, would be another category.
    for kind, dtypes in (
        (bool | np.bool_, (nw.Boolean,)),
        (str, (nw.String, nw.Categorical)),
        (bytes, (nw.Binary,)),
    ):
        if all(isinstance(value, kind) for value in values):
            return dtype if dtype in dtypes else dtypes[0]()
    if not all(_is_number(value) for value in values):
        types = sorted({type(value).__name__ for value in values})
        raise ValueError(
            f"Column {name!r} of the counterfactuals holds cells of the types {', '.join(types)}, "
            "which no dtype of X's library holds together. Pass X with the dtypes of the training "
            "rows, or as a pandas.DataFrame."
        )
    return dtype if dtype.is_float() else _number_dtype(dtype, values)


def _is_number(value):
    return isinstance(value, Real | Decimal) and not isinstance(value, bool | np.bool_)


def _number_dtype(dtype, values):
    """Return an integer dtype if it holds all numbers, or else a wider one."""
    import narwhals.stable.v2 as nw

    # A column that was fitted as floats, or with special values, may move to such numbers.
    if any(value != int(value) for value in values):
        return nw.Float64()
    for candidate in (dtype, nw.Int64(), nw.UInt64()):
        if candidate.is_integer() and _holds(candidate, min(values), max(values)):
            return candidate
    return nw.Float64()


def _holds(dtype, low, high):
    """Return whether an integer dtype of narwhals holds the numbers between two bounds."""
    name = str(dtype)
    n_bits = int(name.lstrip("UInt"))
    if name.startswith("U"):
        return 0 <= low and high < 2**n_bits
    return -(2 ** (n_bits - 1)) <= low and high < 2 ** (n_bits - 1)
