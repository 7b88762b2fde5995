"""What users say of features: mutability, domain, costs, which are categories."""

import difflib
from numbers import Integral, Real

import numpy as np

from ctsk._columns.constraints import Constraints
from ctsk._columns.schema import is_frame, is_missing

_EXAMPLES = {"mutability": "'none'", "domain": "(0, None)", "feature_costs": "2.0"}
# Whether a feature may rise, and whether it may fall.
_MUTABILITY = {
    "both": (True, True),
    "increase": (True, False),
    "decrease": (False, True),
    "none": (False, False),
}


def check_categorical(categorical_features, names, X):
    """Return which columns hold categories.

    Parameters
    ----------
    categorical_features : "from_dtype", None, or array-like
        Names, indices, or a mask of shape (n_features,).
    names : list
        Of the features.
    X : DataFrame or ndarray of shape (n_rows, n_features)

    Returns
    -------
    categorical : bool ndarray of shape (n_features,)

    Raises
    ------
    ValueError
        If a feature is unknown, or a mask has the wrong length.
    """
    if categorical_features is None:
        return np.zeros(len(names), dtype=bool)
    if isinstance(categorical_features, str):
        if is_frame(X):
            return np.array([dtype.kind not in "iufcmM" for dtype in X.dtypes])
        return np.zeros(len(names), dtype=bool)
    return check_features(categorical_features, names, "categorical_features")


def check_features(features, names, parameter):
    """Return which features are listed.

    Parameters
    ----------
    features : array-like
        Names, indices, or a mask of shape (n_features,).
    names : list
        Of the features.
    parameter : str
        What an error calls them.

    Returns
    -------
    listed : bool ndarray of shape (n_features,)

    Raises
    ------
    ValueError
        If a feature is unknown, or a mask has the wrong length.
    """
    entries = list(features)
    if entries and all(isinstance(entry, bool | np.bool_) for entry in entries):
        if len(entries) != len(names):
            raise ValueError(
                f"{parameter} is a mask of {len(entries)} entries; it needs one for each of the "
                f"{len(names)} features."
            )
        return np.array(entries, dtype=bool)
    positions = [_position(feature, names, parameter) for feature in entries]
    return np.isin(np.arange(len(names)), positions)


def check_costs(feature_costs, encoder, default=None):
    """Read `feature_costs` as the user writes them.

    Parameters
    ----------
    feature_costs : dict, array-like of shape (n_features,) or None
    encoder : Encoder
    default : ndarray of shape (n_features,), default=None
        Of the features that are not named; None is 1 per module unit (with
        ``standardize=True``, per standard deviation) or change of category.

    Returns
    -------
    costs : ndarray of shape (n_features,)
        Per unit of X, per change of a category.

    Raises
    ------
    ValueError
        If a feature is unknown, or a cost is not a non-negative finite number.
    """
    if default is None:
        default = np.ones(len(encoder.names))
        default[encoder.numeric] /= np.abs(encoder.scale[: len(encoder.numeric)])
    costs = default.copy()
    for feature, cost in _by_feature(feature_costs, encoder.names, "feature_costs").items():
        if not isinstance(cost, Real) or not 0 <= cost < np.inf:
            raise ValueError(
                f"feature_costs of feature {encoder.names[feature]!r} is {cost!r}; it must be a "
                "non-negative number: what a change by one unit, or of a category, costs."
            )
        costs[feature] = cost
    return costs


def check_constraints(mutability, domain, encoder, default, n_rows=None):
    """Read `mutability` and `domain` as the user writes them.

    Parameters
    ----------
    mutability : dict, array-like of shape (n_features,) or None
        With `n_rows`, also one dict per row, or an array-like of shape
        (n_rows, n_features).
    domain : "auto", dict, array-like of shape (n_features,) or None
        With `n_rows`, also one dict per row, or an array of shape
        (n_rows, n_features, 2).
    encoder : Encoder
    default : Constraints
        Of the features that are not named, in X's units.
    n_rows : int, default=None
        Rows of which each may have constraints of its own.

    Returns
    -------
    constraints : Constraints
        In X's units.

    Raises
    ------
    ValueError
        If a feature is unknown, a word is no mutability, or a domain is empty.
    """
    mutabilities = _by_row(mutability, encoder.names, "mutability", n_rows)
    if isinstance(domain, str) and domain == "auto":
        domain = ["auto"] * len(encoder.names)
    domains = _by_row(domain, encoder.names, "domain", n_rows)
    fields = {name: getattr(default, name) for name in ("low", "high", "may_rise", "may_fall")}
    if any(rows is not ... for rows, _ in mutabilities + domains):
        fields = {name: np.tile(array, (n_rows, 1)) for name, array in fields.items()}
    fields = {name: np.array(array) for name, array in fields.items()}
    columns = encoder.feature_slices
    for rows, entries in mutabilities:
        for feature, word in entries.items():
            rise, fall = _mutability(word, feature, encoder, rows)
            fields["may_rise"][rows, columns[feature]] = rise
            fields["may_fall"][rows, columns[feature]] = fall
    for rows, entries in domains:
        for feature, entry in entries.items():
            if feature in encoder.schema.unread:
                continue
            low, high = _domain(entry, feature, encoder, rows, columns[feature])
            fields["low"][rows, columns[feature]] = low
            fields["high"][rows, columns[feature]] = high
    return Constraints(groups=encoder.groups, **fields)


def _mutability(word, feature, encoder, rows):
    """Whether a feature may rise, and whether it may fall."""
    name = _called(encoder.names[feature], rows)
    if not isinstance(word, str) or word not in _MUTABILITY:
        raise ValueError(
            f"mutability of feature {name} is {word!r}; it must be one of {list(_MUTABILITY)}."
        )
    rise, fall = _MUTABILITY[word]
    known = encoder.schema.categories.get(feature)
    if rise != fall and known is not None and not known.ordered:
        raise ValueError(
            f"mutability of feature {name} is {word!r}, but its categories have no order. Make it "
            "'both' or 'none', give the order by an ordered pandas categorical, or list the "
            "categories that may be reached in domain."
        )
    return rise, fall


def _domain(entry, feature, encoder, rows, columns):
    """Lower and upper bounds of the columns of a feature."""
    name = _called(encoder.names[feature], rows)
    known = encoder.schema.categories.get(feature)
    if isinstance(entry, str) and entry == "auto":
        return encoder.domain[0][columns], encoder.domain[1][columns]
    if known is None:
        return _bounds(entry, name)
    values = [value for value in known.values if value is not None]
    if entry is None:
        entry = values
    if isinstance(entry, str | dict | tuple) or not hasattr(entry, "__iter__"):
        raise ValueError(
            f"domain of feature {name} is {entry!r}; it must be a list of categories, None for "
            "all, or 'auto'."
        )
    reachable = np.zeros(len(known))
    for value in entry:
        if value not in values:
            raise ValueError(
                f"domain of feature {name} holds {value!r}, which is not one of its categories "
                f"{values}{'; a missing value cannot be aimed at' if is_missing(value) else ''}."
            )
        reachable[values.index(value)] = 1
    return 0.0, reachable


def _called(name, rows):
    return repr(name) if rows is ... else f"{name!r} (row {np.ravel(rows)[0]})"


def _by_row(spec, names, parameter, n_rows):
    """Return what `spec` says as pairs of rows (... for all) and entries by position."""
    if n_rows is None or spec is None or isinstance(spec, str | dict):
        return [(..., _by_feature(spec, names, parameter))]
    if not is_frame(spec):
        dicts = [isinstance(entry, dict) for entry in spec]
        if any(dicts):
            if len(spec) != n_rows or not all(
                entry is None or is_dict for entry, is_dict in zip(spec, dicts, strict=True)
            ):
                raise ValueError(
                    f"{parameter} is a list of {len(spec)} entries, some of them dicts; "
                    f"it needs one dict (or None) for each of the {n_rows} rows of X."
                )
            return [(row, _by_feature(entry, names, parameter)) for row, entry in enumerate(spec)]
    table = _table(spec, names, parameter, n_rows)
    if table is None:
        return [(..., _by_feature(spec, names, parameter))]
    return [
        (np.array(rows), {feature: entry})
        for feature, column in table.items()
        for entry, rows in _positions_of(column).items()
        if not is_missing(entry) and entry != (None, None)
    ]


def _table(spec, names, parameter, n_rows):
    """Columns of entries, one per row of X, by position of the feature; None for no table."""
    if is_frame(spec):
        features = [_position(name, names, parameter) for name in spec.columns]
        array = spec.to_numpy(dtype=object)
    else:
        features = range(len(names))
        array = np.asarray(spec, dtype=None if isinstance(spec, np.ndarray) else object)
    if array.ndim != {"mutability": 2, "domain": 3}[parameter]:
        return None
    expected = (n_rows, len(features), 2)[: array.ndim]
    if array.shape != expected:
        raise ValueError(
            f"{parameter} has shape {array.shape}; an entry for every row and feature takes "
            f"{expected}."
        )
    columns = array.swapaxes(0, 1).tolist()
    if parameter == "domain":
        columns = [
            [tuple(None if is_missing(bound) else bound for bound in pair) for pair in column]
            for column in columns
        ]
    return dict(zip(features, columns, strict=True))


def _positions_of(entries):
    positions = {}
    for row, entry in enumerate(entries):
        positions.setdefault(entry, []).append(row)
    return positions


def _by_feature(spec, names, parameter):
    """Return what `spec` says, by position of the feature."""
    if spec is None:
        return {}
    if hasattr(spec, "to_dict"):
        spec = spec.to_dict()  # a pandas Series goes by its index, not by its order
    if isinstance(spec, dict):
        by_position = {_position(key, names, parameter): value for key, value in spec.items()}
        if len(by_position) < len(spec):
            raise ValueError(f"{parameter} names a feature twice: {list(spec)}.")
        return by_position
    if not _is_sequence(spec, len(names)):
        raise ValueError(
            f"{parameter} must be a dict by feature, such as "
            f"{{{names[0]!r}: {_EXAMPLES[parameter]}}}, or a sequence with "
            f"one entry for each of the {len(names)} features; got {spec!r}."
        )
    return dict(enumerate(spec))


def _is_sequence(values, length):
    return not isinstance(values, str) and hasattr(values, "__len__") and len(values) == length


def _position(key, names, parameter):
    if key in names:
        return names.index(key)
    # Among columns that are named by numbers, a number is a name.
    if isinstance(key, Integral) and 0 <= key < len(names) and isinstance(names[0], str):
        return int(key)
    by_lower_case = {str(name).lower(): name for name in names}
    close = difflib.get_close_matches(str(key).lower(), by_lower_case, n=1)
    hint = f" Did you mean {by_lower_case[close[0]]!r}?" if close else ""
    listed = f"{', '.join(map(repr, names[:10]))}{', ...' if len(names) > 10 else ''}"
    index = f" or an index from 0 to {len(names) - 1}" if isinstance(names[0], str) else ""
    raise ValueError(
        f"{parameter} names the feature {key!r}, which X does not have.{hint} Use a column name "
        f"({listed}){index}."
    )


def _bounds(bounds, name):
    if bounds is None:
        return -np.inf, np.inf
    if not _is_sequence(bounds, 2) or not all(
        bound is None or isinstance(bound, Real) for bound in bounds
    ):
        raise ValueError(
            f"domain of feature {name} is {bounds!r}; it must be a pair (low, high) of numbers, "
            "None for an open side, or 'auto'."
        )
    low = -np.inf if bounds[0] is None else float(bounds[0])
    high = np.inf if bounds[1] is None else float(bounds[1])
    if not low <= high:
        raise ValueError(
            f"domain of feature {name} is ({low}, {high}); low must not be greater than high, "
            "and an open side is None."
        )
    return low, high
