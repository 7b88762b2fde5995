"""DataFrames of other libraries, such as polars and pyarrow: to pandas, and back."""

import importlib.util

import numpy as np


def is_other_frame(X):
    """Whether X is a DataFrame of a library other than pandas."""
    is_array_or_pandas = isinstance(X, np.ndarray) or hasattr(X, "iloc")
    return not is_array_or_pandas and (hasattr(X, "to_pandas") or hasattr(X, "__dataframe__"))


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
    """
    remedy = f"Convert it to pandas, for example by {name}.to_pandas()"
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
    except TypeError as error:
        raise TypeError(
            f"{name} is a {library} {type(X).__name__}, which is not supported. {remedy}."
        ) from error
    columns = {}
    for column in frame.columns:
        series = frame[column]
        if series.dtype == nw.Enum:
            categories = list(series.dtype.categories)
            columns[column] = pd.Categorical(series.to_list(), categories, ordered=True)
        elif (series.dtype.is_integer() or series.dtype == nw.Boolean) and series.null_count():
            # As an array, integers with gaps would be floats, and no longer whole numbers.
            dtype = "boolean" if series.dtype == nw.Boolean else str(series.dtype)
            columns[column] = pd.array(series.to_list(), dtype=dtype)
        else:
            columns[column] = series.to_numpy()
    return pd.DataFrame(columns)


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
    """
    import narwhals.stable.v2 as nw

    template = nw.from_native(like, eager_only=True)
    series = {}
    for name, column in frame.items():
        cells = [None if is_gap else cell for cell, is_gap in zip(column, column.isna())]  # noqa: B905
        dtype = _fitting_dtype(template[name].dtype, cells)
        # Strict libraries accept neither whole floats as integers nor NumPy's scalars.
        if dtype.is_integer():
            cells = [None if cell is None else int(cell) for cell in cells]
        elif dtype == nw.Boolean:
            cells = [None if cell is None else bool(cell) for cell in cells]
        series[name] = nw.new_series(name, cells, dtype, backend=template.implementation)
    return nw.from_dict(series, backend=template.implementation).to_native()


def _fitting_dtype(dtype, cells):
    """Return a dtype of narwhals if it holds all cells, and otherwise a wider one."""
    import narwhals.stable.v2 as nw

    values = {cell for cell in cells if cell is not None}
    if dtype == nw.Enum and not values <= set(dtype.categories):
        return nw.String()
    if not dtype.is_integer() or not values:
        return dtype
    # A column that was fitted as floats, or with special values, may move to such numbers.
    if any(value != int(value) for value in values):
        return nw.Float64()
    limits = np.iinfo(str(dtype).lower())
    return dtype if limits.min <= min(values) and max(values) <= limits.max else nw.Int64()
