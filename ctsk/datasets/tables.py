"""Tables: from the text of a file and the description of its columns to a Bunch."""

import io
import os
from copy import copy
from dataclasses import dataclass, field, replace
from types import EllipsisType

import numpy as np
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import validate_params

from ctsk.datasets.files import CSV, StoredFile, load

# Decorates all functions that fetch a table: they have the same parameters.
check_options = validate_params(
    {
        "data_home": [str, os.PathLike, None],
        "download_if_missing": ["boolean"],
        "return_X_y": ["boolean"],
        "as_frame": ["boolean"],
        "drop_missing": ["boolean"],
        "balance": ["boolean"],
        "random_state": ["random_state"],
        # Only fetch_heloc has this parameter; the others ignore its entry.
        "keep_codes": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)


@dataclass(frozen=True)
class Feature:
    """Description of a column.

    Parameters
    ----------
    mutability : {"both", "increase", "decrease", "none"}, default="both"
        Direction in which people can change the feature.
    domain : pair of numbers, list of categories or None, default=None
        Values that a counterfactual may take. If None, the classifier infers them.
    categories : tuple, dict, ... or None, default=None
        Categories in their order, or a dict from the values of the file to the names of the
        categories. ``...`` takes the values of the file in alphabetical order. None describes a
        numeric feature.
    ordered : bool, default=False
        Whether the order of the categories is meaningful.
    special_values : tuple of int, default=()
        Codes among the numbers of the file that are not amounts, in ascending order.
    label : str, default=""
        Readable name.
    unit : str, default=""
        Unit of the numbers.
    words : dict, default={}
        Readable names of categories or numbers.
    """

    mutability: str = "both"
    domain: tuple | list | None = None
    categories: tuple | dict | EllipsisType | None = None
    ordered: bool = False
    special_values: tuple = ()
    label: str = ""
    unit: str = ""
    words: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Description of a data set.

    Parameters
    ----------
    file : StoredFile
        The last column of the file, "target", is the label.
    features : dict of str to Feature
        The other columns of the file, in their order.
    target_names : list of str
        Names of class 0 and class 1.
    favorable : int
        The class that people want to be in.
    descr : str
        Text of the attribute `DESCR`.
    codes : dict of int to str, default={}
        Numbers of the file that encode why a value is missing, and their meanings. If there are
        any, they include all special values of the features, which NaN replaces by default.
        Otherwise, special values remain in the data.
    continuous_target : str, default=None
        Name of the label if it is continuous in the file; the target then is whether it exceeds
        its median. If None, the label is 0 or 1 in the file.
    """

    file: StoredFile
    features: dict
    target_names: list
    favorable: int
    descr: str
    codes: dict = field(default_factory=dict)
    continuous_target: str | None = None


def with_words(features, words):
    """Return features with readable names and units, given as pairs by name."""
    named = dict(features)
    for name, (label, unit) in words.items():
        named[name] = replace(features[name], label=label, unit=unit)
    return named


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
    keep_codes=False,
):
    """Load a table.

    Parameters
    ----------
    table : Table
    data_home, download_if_missing, return_X_y, as_frame, drop_missing, balance, random_state
        See :mod:`ctsk.datasets`.
    keep_codes : bool, default=False
        Whether the codes of missing numbers remain in the data. Otherwise, NaN replaces them.

    Returns
    -------
    data : Bunch or tuple
        See :mod:`ctsk.datasets`.
    """
    text = load(table.file, data_home, download_if_missing)
    X, codes, label = _read(table, text)
    without_codes = X.mask(codes.notna()) if table.codes else X
    # The median is that of all rows, so that a target never depends on the options.
    y = label if table.continuous_target is None else label > label.median()
    y = y.astype("int64").rename("target")

    # Rows are selected by position, so that data, labels and codes stay aligned. Missing values
    # are dropped first: otherwise, the classes would no longer be balanced.
    idx = np.arange(len(X))
    if drop_missing:
        # A number that a code represents is missing, whether or not the code is kept.
        idx = idx[without_codes.notna().all(axis=1).to_numpy()]
    if balance:
        idx = _balanced(idx, y.to_numpy(), check_random_state(random_state))

    X = X if keep_codes else without_codes
    X, y = _with_integers(X.iloc[idx], X), y.iloc[idx]
    data = _bunch(table, X, y, keep_codes)
    if not as_frame:
        data = _with_arrays(data)
    if return_X_y:
        return data.data, data.target

    if table.codes:
        data.codes = codes.iloc[idx]
    if table.continuous_target:
        value = label.iloc[idx].rename(table.continuous_target)
        data[table.continuous_target] = value if as_frame else value.to_numpy()
    return data


def _read(table, text):
    """Return X with its codes, the meanings of the codes, and the label as it is in the file."""
    import pandas as pd

    # Values are read as strings first, because the default parser of some pandas versions does
    # not round numbers correctly to the last digit.
    raw = pd.read_csv(io.BytesIO(text), dtype=object, keep_default_na=False, na_values=[""])
    X, codes = {}, {}
    for name, feature in table.features.items():
        if feature.categories is not None:
            X[name] = _categories(raw[name], feature)
            continue
        X[name] = raw[name].astype("float64")
        if table.codes:
            is_code = X[name].isin(feature.special_values)
            codes[name] = X[name].where(is_code).map(table.codes)
    if codes:
        dtype = pd.CategoricalDtype(list(table.codes.values()))
        # Categorical features have no codes; `columns` adds them as empty columns.
        codes = pd.DataFrame(codes, columns=list(X)).astype(dtype)
    return pd.DataFrame(X), codes, raw["target"].astype("float64")


def _categories(column, feature):
    """Return a column of strings as a pandas categorical."""
    import pandas as pd

    names = feature.categories
    if names is ...:
        names = sorted(set(column.dropna()))
    if isinstance(names, dict):
        column = column.map(names)
        # Several values may share a name; fromkeys keeps each name once, in order.
        names = dict.fromkeys(names.values())
    return column.astype(pd.CategoricalDtype(list(names), feature.ordered))


def _with_integers(X, whole):
    """Return X with an integer dtype for columns without gaps that hold whole numbers."""
    integers = []
    for name in X.select_dtypes("float64"):
        # All rows of the file are checked, so that the dtype of a column of fractions does not
        # depend on which rows were kept.
        is_whole = (whole[name].dropna() % 1 == 0).all()
        if is_whole and X[name].notna().all():
            integers.append(name)
    return X.astype(dict.fromkeys(integers, "int64"))


def _balanced(idx, y, rng):
    """Return the positions of equally many rows of both classes, in ascending order."""
    members = [idx[y[idx] == label] for label in (0, 1)]
    # Both classes are drawn, the smaller one completely, so that no case is special.
    size = min(map(len, members))
    kept = [rng.choice(of_class, size, replace=False) for of_class in members]
    return np.sort(np.concatenate(kept))


def _bunch(table, X, y, keep_codes):
    features = table.features
    special_values = {n: list(f.special_values) for n, f in features.items() if f.special_values}
    if table.codes and not keep_codes:
        special_values = {}
    return Bunch(
        data=X,
        target=y,
        frame=X.assign(target=y),
        # Everything mutable is copied: a user who edits a Bunch must not edit the table.
        feature_names=list(features),
        target_names=list(table.target_names),
        favorable=table.favorable,
        categorical_features=[n for n, f in features.items() if f.categories is not None],
        mutability={n: f.mutability for n, f in features.items() if f.mutability != "both"},
        domain={n: copy(f.domain) for n, f in features.items() if f.domain is not None},
        special_values=special_values,
        labels=_labels(table, keep_codes),
        units={n: f.unit for n, f in features.items() if f.unit},
        DESCR=table.descr,
    )


def _labels(table, keep_codes):
    """Return the readable names of features, of their values and of the classes."""
    labels = {("target", label): name for label, name in enumerate(table.target_names)}
    for name, feature in table.features.items():
        if feature.label:
            labels[name] = feature.label
        if keep_codes:
            labels.update({(name, code): table.codes[code] for code in feature.special_values})
        labels.update({(name, value): words for value, words in feature.words.items()})
    return labels


def _with_arrays(data):
    """Return the Bunch with a float array: categories are positions, features are indices."""
    X = data.data
    index = {name: position for position, name in enumerate(data.feature_names)}
    categories = {name: X[name].cat.categories.tolist() for name in data.categorical_features}

    columns = []
    for name in X:
        if name in categories:
            positions = X[name].cat.codes.to_numpy()
            # pandas codes a missing category as -1.
            columns.append(np.where(positions < 0, np.nan, positions))
        else:
            columns.append(X[name].to_numpy(dtype=np.float64))

    # An array does not hold the order of categories, which one-way changes need.
    mutability = {
        index[name]: "none" if name in categories else direction
        for name, direction in data.mutability.items()
    }
    domain = {}
    for name, values in data.domain.items():
        if name in categories:
            values = [float(categories[name].index(label)) for label in values]
        domain[index[name]] = values

    data.update(
        data=np.column_stack(columns),
        target=data.target.to_numpy(),
        frame=None,
        categories={index[name]: labels for name, labels in categories.items()},
        categorical_features=[index[name] for name in categories],
        mutability=mutability,
        domain=domain,
        special_values={index[name]: codes for name, codes in data.special_values.items()},
        labels=_labels_of_array(data.labels, index, categories),
        units={index[name]: unit for name, unit in data.units.items()},
    )
    return data


def _labels_of_array(labels, index, categories):
    """Return readable names by the index of a feature, and by its index and a value."""
    renamed = {}
    for key, words in labels.items():
        if isinstance(key, tuple) and key[0] in categories:
            # A category is a position, also in the keys of its words.
            key = (index[key[0]], float(categories[key[0]].index(key[1])))
        elif isinstance(key, tuple):
            key = (index.get(key[0], key[0]), key[1])
        renamed[index.get(key, key)] = words
    return renamed
