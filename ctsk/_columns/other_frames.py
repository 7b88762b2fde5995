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
        dtype = template[name].dtype
        cells = [None if is_gap else cell for cell, is_gap in zip(column, column.isna())]  # noqa: B905
        # A dtype of integers cannot hold the fractions of a column that was fitted as floats.
        if dtype.is_integer() and any(cell is not None and cell != int(cell) for cell in cells):
            dtype = nw.Float64()
        series[name] = nw.new_series(name, cells, dtype, backend=template.implementation)
    return nw.from_dict(series, backend=template.implementation).to_native()
