"""Entries of mutability, domain and costs by feature and row, from the forms that users write."""

import difflib
import functools
from collections.abc import Set
from numbers import Integral

import numpy as np

from ctsk._columns.containers import is_frame, is_missing, listed
from ctsk._columns.other_frames import is_other_frame, to_pandas

# The key of all features that a dict or a table does not name.
_OTHERS = "*"
# One valid entry of each parameter, for error messages.
_EXAMPLES = {
    "mutability": "'none'",
    "domain": "(0, None)",
    "feature_costs": "2.0",
    "resolution": "0.5",
}
# Number of dimensions of an array that holds an entry for every row and feature; the last one
# of a domain holds low and high.
_TABLE_DIMENSIONS = {"mutability": 2, "domain": 3}


def entries_by_feature(spec, names, parameter):
    """Return the entries of a specification by position of the feature.

    Parameters
    ----------
    spec : dict, Series, array-like of shape (n_features,) or None
        The key "*" stands for all features that are not named.
    names : list
        Names of the features.
    parameter : str
        The name of the parameter in error messages.

    Returns
    -------
    entries : dict of int to object
        Without the features that have no entry.

    Raises
    ------
    ValueError
        If a feature is unknown or named twice, or the form is invalid.
    """
    if spec is None:
        return {}
    if hasattr(spec, "to_dict"):
        # A pandas Series names its features in its index.
        spec = spec.to_dict()
    if isinstance(spec, dict):
        positions = _positions_by_key(list(spec), names, parameter)
        return {
            feature: entry
            for features, entry in zip(positions, spec.values(), strict=True)
            for feature in features
        }
    if not is_sequence(spec, len(names)):
        raise ValueError(
            f"{parameter} must be a dict by feature, such as "
            f"{{{names[0]!r}: {_EXAMPLES[parameter]}}}, or a sequence with one entry for each of "
            f"the {len(names)} features; got {spec!r:.200}."
        )
    return dict(enumerate(spec))


def entries_by_row(spec, names, parameter, rows):
    """Return the entries of a specification by row and position of the feature.

    Parameters
    ----------
    spec : dict, Series, array-like, DataFrame or None
        As in `entries_by_feature` or, if `rows` are given, a list of one dict per row, or
        a table with an entry for every row.
    names : list
        Names of the features.
    parameter : str
        The name of the parameter in error messages.
    rows : Rows or None

    Returns
    -------
    pairs : list of tuple
        Positions of rows (... for all), and the entries that they share, by position of
        the feature. No row and feature has more than one entry.

    Raises
    ------
    ValueError
        If a feature is unknown or named twice, the form is invalid, or the entries do not
        match the rows.
    """
    if rows is None or spec is None or isinstance(spec, str | dict | Set):
        return [(..., entries_by_feature(spec, names, parameter))]
    if is_other_frame(spec):
        spec = to_pandas(spec, parameter)
        # It has no index, so that its rows are matched with those of X by their position.
        if len(spec) == len(rows):
            spec.index = _index_of(rows)
    # Any dict makes it a list of dicts, so that a mixture gets an error about the list.
    if not is_frame(spec) and any(isinstance(entry, dict) for entry in spec):
        table = _table_of_dicts(spec, names, parameter, len(rows))
    else:
        table = _table(spec, names, parameter, rows)
    if table is None:
        return [(..., entries_by_feature(spec, names, parameter))]
    # Rows with equal entries are constrained together: distinct entries are few, rows many.
    return [
        (np.array(idx), {feature: entry})
        for feature, column in sorted(table.items())
        for entry, idx in _rows_by_entry(column)
    ]


def is_sequence(values, length):
    """Return whether values have an order, which a set has not, and a given length."""
    has_order = hasattr(values, "__len__") and not isinstance(values, str | Set)
    return has_order and len(values) == length


def feature_position(key, names, parameter):
    """Return the position of the feature with a name or an index, or raise a ValueError."""
    if key in names:
        return names.index(key)
    # If names are numbers themselves, a number that is none of them is an unknown name.
    are_strings = all(isinstance(name, str) for name in names)
    is_index = isinstance(key, Integral) and not isinstance(key, bool)
    if are_strings and is_index and 0 <= key < len(names):
        return int(key)
    # Upper and lower case would count as different letters in the comparison.
    by_lower_case = {str(name).lower(): name for name in names}
    close = difflib.get_close_matches(str(key).lower(), by_lower_case, n=1)
    hint = f" Did you mean {by_lower_case[close[0]]!r}?" if close else ""
    index = f" or an index from 0 to {len(names) - 1}" if are_strings else ""
    # Features that are merely listed, such as categorical ones, have no entry to share.
    has_entries = parameter in _EXAMPLES
    others = f", or {_OTHERS!r} for all features that are not named" if has_entries else ""
    raise ValueError(
        f"{parameter} names the feature {key!r}, which X does not have.{hint} Use a column name "
        f"({listed(names)}){index}{others}."
    )


def _positions_by_key(keys, names, parameter):
    """Return, for each key, the positions of the features that it stands for."""
    is_others = [isinstance(key, str) and key == _OTHERS for key in keys]
    # The name of a column comes first if all others are named, too: both readings agree then.
    if any(is_others) and _OTHERS in names:
        _check_others_are_named(keys, names, parameter)
        is_others = [False] * len(keys)
    positions = [
        None if others else feature_position(key, names, parameter)
        for key, others in zip(keys, is_others, strict=True)
    ]
    named = set(positions)
    if len(named) < len(keys):
        raise ValueError(f"{parameter} names a feature twice: {listed(keys)}. Name each once.")
    # The order of the keys does not matter, because the others are known only now.
    others = [feature for feature in range(len(names)) if feature not in named]
    return [others if position is None else [position] for position in positions]


def _check_others_are_named(keys, names, parameter):
    """Raise a ValueError if "*", a column of X, is a key of a dict that leaves out others."""
    named = {feature_position(key, names, parameter) for key in keys}
    if len(named) < len(names):
        raise ValueError(
            f"{parameter} has the key {_OTHERS!r}, which stands for all features that are not "
            "named, but is also a column of X. Rename the column, or pass a sequence with one "
            f"entry for each of the {len(names)} features."
        )


def _table_of_dicts(spec, names, parameter, n_rows):
    """Return the entries of a list of one dict per row, by position of the feature and row."""
    if len(spec) != n_rows or not all(entry is None or isinstance(entry, dict) for entry in spec):
        raise ValueError(
            f"{parameter} is a list of {len(spec)} entries, some of them dicts; it needs one dict "
            f"(or None) for each of the {n_rows} rows of X."
        )
    # Most dicts have the same keys, and to look up names takes longer than all the rest.
    positions_of = functools.cache(lambda keys: _positions_by_key(list(keys), names, parameter))
    table = {}
    for row, entries in enumerate(spec):
        entries = entries or {}
        for features, entry in zip(positions_of(tuple(entries)), entries.values(), strict=True):
            for feature in features:
                table.setdefault(feature, {})[row] = entry
    return table


def _table(spec, names, parameter, rows):
    """Return the entries of a table, by position of the feature and row; None without a table."""
    if is_frame(spec):
        spec = _aligned(spec, parameter, rows)
        positions = _positions_by_key(list(spec.columns), names, parameter)
        array = spec.to_numpy(dtype=object)
    else:
        positions = [[feature] for feature in range(len(names))]
        # As objects, words and None in nested lists stay what they are.
        array = np.asarray(spec, dtype=None if isinstance(spec, np.ndarray) else object)
    # Fewer dimensions hold one entry per feature, for all rows alike.
    if array.ndim != _TABLE_DIMENSIONS[parameter]:
        return None
    expected = (len(rows), len(positions), 2)[: array.ndim]
    if array.shape != expected:
        raise ValueError(
            f"{parameter} has shape {array.shape}; one entry for every row and feature takes "
            f"{expected}."
        )
    columns = array.swapaxes(0, 1).tolist()
    # A pair is a hashable tuple with None for an open side, as in a dict.
    if parameter == "domain":
        columns = [
            [tuple(None if is_missing(bound) else bound for bound in pair) for pair in column]
            for column in columns
        ]
    return {
        feature: _without_missing(column)
        for features, column in zip(positions, columns, strict=True)
        for feature in features
    }


def _without_missing(column):
    """Return the entries of a column by row; a missing entry keeps the default."""
    return {
        row: entry
        for row, entry in enumerate(column)
        if not is_missing(entry) and entry != (None, None)
    }


def _index_of(rows):
    """Return the labels of X's rows; their positions if X is an array."""
    return rows.original.index if is_frame(rows.table) else np.arange(len(rows))


def _aligned(table, parameter, rows):
    """Return a DataFrame of constraints in the order of X's rows, matched by the index."""
    index = _index_of(rows)
    if len(table) != len(rows) or list(table.index) == list(index):
        return table
    if not table.index.is_unique or set(table.index) != set(index):
        raise ValueError(
            f"The index of {parameter} is not that of X, so that their rows cannot be matched. If "
            f"the rows are in X's order, pass {parameter}.set_axis(X.index)."
        )
    return table.loc[index]


def _rows_by_entry(column):
    """Return each distinct entry of a column, with the rows that have it."""
    rows = {}
    for row, entry in column.items():
        _, idx = rows.setdefault(_comparable(entry), (entry, []))
        idx.append(row)
    return rows.values()


def _comparable(entry):
    """Return a hashable object that equals that of another entry only if both mean the same."""
    # Lists of categories are compared by their items. What cannot be hashed equals only itself.
    cells = tuple(entry) if isinstance(entry, list) else entry
    try:
        hash(cells)
    except TypeError:
        cells = id(entry)
    # A pair is a tuple, a list of two categories is not.
    return type(entry), cells
