"""From the text of a table, and what is known of its columns, to rows for a classifier."""

import io
import os
from copy import copy
from dataclasses import dataclass, field
from types import EllipsisType

import numpy as np
from sklearn.utils import Bunch, check_random_state

from ctsk.datasets.files import CSV, StoredFile, load

OPTIONS = {
    "data_home": [str, os.PathLike, None],
    "download_if_missing": ["boolean"],
    "return_X_y": ["boolean"],
    "as_frame": ["boolean"],
    "drop_missing": ["boolean"],
    "balance": ["boolean"],
    "random_state": ["random_state"],
}


@dataclass(frozen=True)
class Feature:
    """What is known of one column.

    Parameters
    ----------
    mutability : {"both", "increase", "decrease", "none"}, default="both"
    domain : pair of numbers, list of categories or None, default=None
        None leaves it to the classifier.
    categories : tuple, dict, ... or None, default=None
        Categories in their order, or a dict from what the file holds to what they are
        called; ``...`` takes those of the file in alphabetical order. None is a number.
    ordered : bool, default=False
        Whether the order of the categories means something.
    """

    mutability: str = "both"
    domain: tuple | list | None = None
    categories: tuple | dict | EllipsisType | None = None
    ordered: bool = False


@dataclass(frozen=True)
class Tabular:
    """A data set: its file, and what is known of it.

    Parameters
    ----------
    file : StoredFile
        Its last column, "target", is the label.
    features : dict of str to Feature
        In the order of the file's columns.
    target_names : list of str
        Of class 0 and class 1.
    favourable : int
        The class that people want to be in.
    descr : str
    codes : dict of int to str, default={}
        Numbers of the file that are none, and what they say.
    continuous_target : str, default=None
        Name of the label as it is in the file; the target is whether it is above its
        median. None is a label that is 0 or 1 in the file.
    """

    file: StoredFile
    features: dict
    target_names: list
    favourable: int
    descr: str
    codes: dict = field(default_factory=dict)
    continuous_target: str | None = None


def csv_file(name, sha256, obtain, origin):
    """Return the file of a table."""
    return StoredFile(f"{name}.csv.gz", sha256, CSV, obtain, origin)


def fetch(
    table,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=True,
    drop_missing=False,
    balance=False,
    random_state=None,
):
    """Load a data set; the functions that users call say what the parameters mean.

    Parameters
    ----------
    table : Tabular
    data_home, download_if_missing, return_X_y, as_frame, drop_missing, balance, random_state
        As in `fetch_adult`.

    Returns
    -------
    data : Bunch or tuple
    """
    text = load(table.file, data_home, download_if_missing)
    X, codes, label = _read(table, text)
    y = label if table.continuous_target is None else label > label.median()
    y = y.astype("int64").rename("target")
    rows = np.arange(len(X))
    if drop_missing:
        rows = rows[X.notna().all(axis=1).to_numpy()]
    if balance:
        rows = _balanced(rows, y.to_numpy(), check_random_state(random_state))
    X, y = _with_integers(X.iloc[rows], X), y.iloc[rows]
    data = _bunch(table, X, y) if as_frame else _array_bunch(table, X, y)
    if return_X_y:
        return data.data, data.target
    if table.codes:
        data.codes = codes.iloc[rows]
    if table.continuous_target:
        value = label.iloc[rows].rename(table.continuous_target)
        data[table.continuous_target] = value if as_frame else value.to_numpy()
    return data


def _read(table, text):
    """Return X, the reasons why numbers are missing, and the label as it is in the file."""
    import pandas as pd

    # As words first: not every pandas reads numbers to the last digit.
    raw = pd.read_csv(io.BytesIO(text), dtype=object, keep_default_na=False, na_values=[""])
    X, codes = {}, {}
    for name, feature in table.features.items():
        if feature.categories is not None:
            X[name] = _categories(raw[name], feature)
            continue
        numbers = raw[name].astype("float64")
        if table.codes:
            codes[name] = numbers.map(table.codes)
            numbers = numbers.where(codes[name].isna())
        X[name] = numbers
    if codes:
        dtype = pd.CategoricalDtype(list(table.codes.values()))
        codes = pd.DataFrame(codes, columns=list(X)).astype(dtype)
    return pd.DataFrame(X), codes, raw["target"].astype("float64")


def _categories(column, feature):
    import pandas as pd

    names = feature.categories
    if names is ...:
        names = sorted(set(column.dropna()))
    if isinstance(names, dict):
        column = column.map(names)
        names = dict.fromkeys(names.values())
    return column.astype(pd.CategoricalDtype(list(names), feature.ordered))


def _with_integers(X, whole):
    """Return X with its integers as such: columns without gaps, whole in the whole file."""
    integers = [
        name
        for name in X.select_dtypes("float64")
        if X[name].notna().all() and (whole[name].dropna() % 1 == 0).all()
    ]
    return X.astype(dict.fromkeys(integers, "int64"))


def _balanced(rows, y, rng):
    """Return as many rows of each class, in their order."""
    of_class = [rows[y[rows] == label] for label in (0, 1)]
    size = min(map(len, of_class))
    return np.sort(
        np.concatenate([rng.choice(members, size, replace=False) for members in of_class])
    )


def _bunch(table, X, y):
    features = table.features
    return Bunch(
        data=X,
        target=y,
        frame=X.assign(target=y),
        feature_names=list(features),
        target_names=list(table.target_names),
        favourable=table.favourable,
        categorical_features=[n for n, known in features.items() if known.categories is not None],
        mutability={n: k.mutability for n, k in features.items() if k.mutability != "both"},
        domain={n: copy(k.domain) for n, k in features.items() if k.domain is not None},
        DESCR=table.descr,
    )


def _array_bunch(table, X, y):
    """Return the same in floats: categories are their positions, features their indices."""
    data = _bunch(table, X, y)
    position = {name: index for index, name in enumerate(data.feature_names)}
    categories = {name: X[name].cat.categories.tolist() for name in data.categorical_features}
    columns = [
        np.where(X[name].cat.codes < 0, np.nan, X[name].cat.codes)
        if name in categories
        else X[name].to_numpy(dtype=np.float64)
        for name in X
    ]
    data.update(
        data=np.column_stack(columns),
        target=y.to_numpy(),
        frame=None,
        categories={position[name]: labels for name, labels in categories.items()},
        categorical_features=[position[name] for name in categories],
        # An array cannot say that categories have an order, which one-way changes need.
        mutability={
            position[name]: "none" if name in categories else word
            for name, word in data.mutability.items()
        },
        domain={
            position[name]: [float(categories[name].index(label)) for label in entry]
            if name in categories
            else entry
            for name, entry in data.domain.items()
        },
    )
    return data
