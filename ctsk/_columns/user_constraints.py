"""Checks of mutability, domain, costs and categorical features as users write them."""

import difflib
from collections.abc import Set
from dataclasses import replace
from numbers import Integral, Real

import numpy as np

from ctsk._columns.constraints import Constraints
from ctsk._columns.containers import is_frame, is_missing, listed
from ctsk._columns.other_frames import is_other_frame, to_pandas

# One valid entry of each parameter, for error messages.
_EXAMPLES = {"mutability": "'none'", "domain": "(0, None)", "feature_costs": "2.0"}
# Whether a feature may rise, and whether it may fall.
_MUTABILITY = {
    "both": (True, True),
    "increase": (True, False),
    "decrease": (False, True),
    "none": (False, False),
}
# Number of dimensions of an array that holds an entry for every row and feature; the last one
# of a domain holds low and high.
_TABLE_DIMENSIONS = {"mutability": 2, "domain": 3}


def check_costs(feature_costs, encoder, default=None):
    """Read `feature_costs` as the user writes them.

    Parameters
    ----------
    feature_costs : dict, array-like of shape (n_features,) or None
    encoder : Encoder
    default : ndarray of shape (n_features,), default=None
        Costs of the features that are not named. None stands for 1 per module unit (with
        ``standardize=True``, per standard deviation) or change of category.

    Returns
    -------
    costs : ndarray of shape (n_features,)
        Cost per unit of X, or per change of category.

    Raises
    ------
    ValueError
        If a feature is unknown, or a cost is not a non-negative finite number.
    """
    # A step of a pipeline may have a negative scale, but a cost is positive.
    if default is None:
        default = np.ones(len(encoder.names))
        default[encoder.numeric] /= np.abs(encoder.scale[: len(encoder.numeric)])
    costs = default.copy()
    for feature, cost in _by_feature(feature_costs, encoder.names, "feature_costs").items():
        if not isinstance(cost, Real) or not 0 <= cost < np.inf:
            raise ValueError(
                f"feature_costs of feature {encoder.names[feature]!r} is {cost!r:.200}; it must be "
                "a non-negative finite number: the cost of a change by one unit, or of a category."
            )
        costs[feature] = cost
    return costs


def check_constraints(mutability, domain, encoder, default, rows=None):
    """Read `mutability` and `domain` as the user writes them.

    Parameters
    ----------
    mutability : dict, array-like of shape (n_features,) or None
        If `rows` are given, also one dict per row, or an array-like of shape
        (n_rows, n_features).
    domain : "auto", dict, array-like of shape (n_features,) or None
        If `rows` are given, also one dict per row, or an array of shape
        (n_rows, n_features, 2).
    encoder : Encoder
    default : Constraints
        Constraints of the features that are not named, in X's units.
    rows : Rows, default=None
        Rows that may have constraints of their own.

    Returns
    -------
    constraints : Constraints
        Constraints in X's units.

    Raises
    ------
    ValueError
        If a feature or a mutability is unknown, a domain is empty or invalid, or the
        constraints of the rows do not match the rows.
    """
    mutabilities = _by_row(mutability, encoder.names, "mutability", rows)
    if isinstance(domain, str) and domain == "auto":
        # Written out, so that it restores inferred bounds; None keeps the default.
        domain = ["auto"] * len(encoder.names)
    domains = _by_row(domain, encoder.names, "domain", rows)
    # Copies, because the entries below are written into them.
    fields = {
        name: np.array(np.broadcast_to(getattr(default, name), np.shape(default.low)))
        for name in ("low", "high", "may_rise", "may_fall", "is_inferred")
    }
    # Ellipsis stands for all rows; once one row differs, every row needs its own entries.
    if any(idx is not ... for idx, _ in mutabilities + domains):
        fields = {name: np.tile(array, (len(rows), 1)) for name, array in fields.items()}
    columns = encoder.feature_columns

    def enter(idx, feature, **entries):
        # Rows and columns are both listed by positions, of which all pairs are meant.
        at = (..., columns[feature]) if idx is ... else np.ix_(np.atleast_1d(idx), columns[feature])
        for name, entry in entries.items():
            fields[name][at] = entry

    for idx, entries in mutabilities:
        for feature, word in entries.items():
            may_rise, may_fall = _directions(word, feature, encoder, idx)
            # An unread feature never moves, whatever the user allows.
            if feature in encoder.schema.unread:
                continue
            enter(idx, feature, may_rise=may_rise, may_fall=may_fall)
    for idx, entries in domains:
        for feature, entry in entries.items():
            # The model ignores an unread feature, which has no values to bound.
            if feature in encoder.schema.unread:
                continue
            is_inferred = isinstance(entry, str) and entry == "auto"
            low, high = _domain(entry, feature, encoder, idx, columns[feature])
            enter(idx, feature, low=low, high=high, is_inferred=is_inferred)
    return replace(default, **fields)


def _directions(mutability, feature, encoder, idx):
    """Return whether a feature may rise, and whether it may fall."""
    name = _described(encoder.names[feature], idx)
    if not isinstance(mutability, str) or mutability not in _MUTABILITY:
        raise ValueError(
            f"mutability of feature {name} is {mutability!r:.200}; it must be one of "
            f"{list(_MUTABILITY)}."
        )
    may_rise, may_fall = _MUTABILITY[mutability]
    # Without an order, no category lies above or below another.
    categories = encoder.schema.categories.get(feature)
    if may_rise != may_fall and categories is not None and not categories.ordered:
        raise ValueError(
            f"mutability of feature {name} is {mutability!r}, but its categories have no order. "
            "Use 'both' or 'none', define the order by an ordered pandas categorical, or list "
            "the categories that may be reached in domain."
        )
    return may_rise, may_fall


def _domain(entry, feature, encoder, idx, columns):
    """Return lower and upper bounds of the columns of a feature."""
    name = _described(encoder.names[feature], idx)
    if isinstance(entry, str) and entry == "auto":
        return encoder.domain[0][columns], encoder.domain[1][columns]
    categories = encoder.schema.categories.get(feature)
    if categories is not None:
        # The lower bound of a one-hot column is always 0.
        return 0.0, _reachable(entry, categories, name)
    states = encoder.schema.states.get(feature, ())
    special = []
    # A list of bounds and special values; a list of two numbers is a pair like any other.
    if isinstance(entry, list) and entry and not isinstance(entry[0], Real):
        entry, special = entry[0], entry[1:]
        if isinstance(entry, str) and entry == "auto":
            entry = [encoder.domain[end][columns[0]] for end in (0, 1)]
    low, high = _bounds(entry, name)
    if any(feature in group for group in encoder.schema.dummies):
        # A dummy is reached if its domain holds 1, and left if it holds 0.
        return float(low > 0), float(low <= 1 <= high)
    unknown = [value for value in special if value not in states]
    if unknown:
        observed = [value for value in states if not np.isnan(value)]
        raise ValueError(
            f"domain of feature {name} lists {listed(unknown)}; besides a pair (low, high), it may "
            f"list special values of the feature that the training rows hold: {observed}."
        )
    # After the number itself come its states, if it has any, of which the first is "a number".
    reachable = [1.0, *(float(value in special) for value in states)] if states else []
    return np.array([low, *(0.0 for _ in reachable)]), np.array([high, *reachable])


def _bounds(entry, name):
    """Return the bounds of a numeric feature."""
    if entry is None:
        return -np.inf, np.inf
    if not _is_sequence(entry, 2) or not all(
        bound is None or isinstance(bound, Real) for bound in entry
    ):
        raise ValueError(
            f"domain of feature {name} is {entry!r:.200}; it must be a pair (low, high) of "
            "numbers, with None for an open side, or 'auto'."
        )
    low = -np.inf if entry[0] is None else float(entry[0])
    high = np.inf if entry[1] is None else float(entry[1])
    # Negated, so that NaN fails the comparison, too.
    if not low <= high:
        raise ValueError(
            f"domain of feature {name} is ({low}, {high}); low must not be greater than high, "
            "and an open side is None."
        )
    return low, high


def _reachable(entry, categories, name):
    """Return 1 for each category that a domain lists, and 0 for the others."""
    values = [value for value in categories.values if value is not None]
    if entry is None:
        entry = values
    # A pair is the domain of a number; as a list of categories, it is probably a mistake.
    if isinstance(entry, str | dict | tuple) or not hasattr(entry, "__iter__"):
        raise ValueError(
            f"domain of feature {name} is {entry!r:.200}; it must be a list of categories, None "
            "for all, or 'auto'."
        )
    reachable = np.zeros(len(categories))
    for value in entry:
        if value not in values:
            reason = "; a missing value cannot be reached" if is_missing(value) else ""
            raise ValueError(
                f"domain of feature {name} holds {value!r}, which is not one of its categories "
                f"({listed(values)}){reason}."
            )
        reachable[values.index(value)] = 1
    return reachable


def _described(name, idx):
    """Return text that names a feature and, unless all rows are affected, the first row."""
    return repr(name) if idx is ... else f"{name!r} (row {np.ravel(idx)[0]})"


def _by_row(spec, names, parameter, rows):
    """Return a list of pairs: positions of rows (... for all), and their entries by feature."""
    if rows is None or spec is None or isinstance(spec, str | dict | Set):
        return [(..., _by_feature(spec, names, parameter))]
    if is_other_frame(spec):
        spec = to_pandas(spec, parameter)
    # Any dict makes it a list of dicts, so that a mixture gets an error about the list.
    if not is_frame(spec) and any(isinstance(entry, dict) for entry in spec):
        return list(enumerate(_dict_per_row(spec, names, parameter, len(rows))))
    table = _table(spec, names, parameter, rows)
    if table is None:
        return [(..., _by_feature(spec, names, parameter))]
    # Rows with equal entries are constrained together: distinct entries are few, rows many.
    # A missing entry keeps the default.
    return [
        (np.array(idx), {feature: entry})
        for feature, column in table.items()
        for entry, idx in _positions_by_entry(column).items()
        if not is_missing(entry) and entry != (None, None)
    ]


def _dict_per_row(spec, names, parameter, n_rows):
    """Yield the entries of each row, by position of the feature."""
    if len(spec) != n_rows or not all(entry is None or isinstance(entry, dict) for entry in spec):
        raise ValueError(
            f"{parameter} is a list of {len(spec)} entries, some of them dicts; it needs one dict "
            f"(or None) for each of the {n_rows} rows of X."
        )
    for entry in spec:
        yield _by_feature(entry, names, parameter)


def _table(spec, names, parameter, rows):
    """Return lists of one entry per row, by position of the feature; None without a table."""
    if is_frame(spec):
        spec = _aligned(spec, parameter, rows)
        features = [_position(name, names, parameter) for name in spec.columns]
        array = spec.to_numpy(dtype=object)
    else:
        features = range(len(names))
        # As objects, words and None in nested lists stay what they are.
        array = np.asarray(spec, dtype=None if isinstance(spec, np.ndarray) else object)
    # Fewer dimensions hold one entry per feature, for all rows alike.
    if array.ndim != _TABLE_DIMENSIONS[parameter]:
        return None
    expected = (len(rows), len(features), 2)[: array.ndim]
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
    return dict(zip(features, columns, strict=True))


def _aligned(table, parameter, rows):
    """Return a DataFrame of constraints in the order of X's rows, matched by the index."""
    index = rows.original.index if is_frame(rows.table) else np.arange(len(rows))
    if len(table) != len(rows) or list(table.index) == list(index):
        return table
    if not table.index.is_unique or set(table.index) != set(index):
        raise ValueError(
            f"The index of {parameter} is not that of X, so that their rows cannot be matched. If "
            f"the rows are in X's order, pass {parameter}.set_axis(X.index)."
        )
    return table.loc[index]


def _positions_by_entry(entries):
    """Return the positions of each distinct entry."""
    positions = {}
    for idx, entry in enumerate(entries):
        positions.setdefault(entry, []).append(idx)
    return positions


def _by_feature(spec, names, parameter):
    """Return the entries of a specification by position of the feature."""
    if spec is None:
        return {}
    if hasattr(spec, "to_dict"):
        # A pandas Series names its features in its index.
        spec = spec.to_dict()
    if isinstance(spec, dict):
        by_position = {_position(key, names, parameter): value for key, value in spec.items()}
        if len(by_position) < len(spec):
            raise ValueError(f"{parameter} names a feature twice: {listed(list(spec))}.")
        return by_position
    if not _is_sequence(spec, len(names)):
        raise ValueError(
            f"{parameter} must be a dict by feature, such as "
            f"{{{names[0]!r}: {_EXAMPLES[parameter]}}}, or a sequence with one entry for each of "
            f"the {len(names)} features; got {spec!r:.200}."
        )
    return dict(enumerate(spec))


def _is_sequence(values, length):
    """Return whether values have an order, which a set has not, and a given length."""
    has_order = hasattr(values, "__len__") and not isinstance(values, str | Set)
    return has_order and len(values) == length


def _position(key, names, parameter):
    """Return the position of the feature with a name or an index."""
    if key in names:
        return names.index(key)
    # If names are numbers themselves, a number that is none of them is an unknown name.
    are_strings = all(isinstance(name, str) for name in names)
    if are_strings and isinstance(key, Integral) and 0 <= key < len(names):
        return int(key)
    # Upper and lower case would count as different letters in the comparison.
    by_lower_case = {str(name).lower(): name for name in names}
    close = difflib.get_close_matches(str(key).lower(), by_lower_case, n=1)
    hint = f" Did you mean {by_lower_case[close[0]]!r}?" if close else ""
    index = f" or an index from 0 to {len(names) - 1}" if are_strings else ""
    raise ValueError(
        f"{parameter} names the feature {key!r}, which X does not have.{hint} Use a column name "
        f"({listed(names)}){index}."
    )
