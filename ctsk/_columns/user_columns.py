"""Checks of what columns hold, as users state it: categories, dummies, special values, steps."""

from collections.abc import Iterable, Mapping, Set
from numbers import Real

import numpy as np

from ctsk._columns.containers import is_frame, listed
from ctsk._columns.grid import Grid
from ctsk._columns.user_entries import entries_by_feature, feature_position, is_sequence


def check_categorical(categorical_features, names, X):
    """Return which columns hold categories.

    Parameters
    ----------
    categorical_features : "from_dtype", None, or array-like
        Names, indices, or a mask of shape (n_features,).
    names : list
        Names of the features.
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
        # All dtypes but those of numbers and dates. `Schema.fit` rejects dates whether or not
        # they are among the categories.
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
        Names of the features.
    parameter : str
        The name of the parameter in error messages.

    Returns
    -------
    listed : bool ndarray of shape (n_features,)

    Raises
    ------
    ValueError
        If a feature is unknown, or a mask has the wrong length.
    """
    # A mask is recognized first, because a bool is also an integer and would pass as an index.
    entries = list(features)
    if entries and all(isinstance(entry, bool | np.bool_) for entry in entries):
        if len(entries) != len(names):
            raise ValueError(
                f"{parameter} is a mask of {len(entries)} entries; it needs one for each of the "
                f"{len(names)} features."
            )
        return np.array(entries, dtype=bool)
    positions = [feature_position(feature, names, parameter) for feature in entries]
    return np.isin(np.arange(len(names)), positions)


def check_groups(one_hot_groups, names, categorical):
    """Return the features of each declared one-hot group.

    Parameters
    ----------
    one_hot_groups : dict, list or None
        Lists of names or indices of columns; a dict gives each list a name.
    names : list
        Names of the features.
    categorical : bool ndarray of shape (n_features,)
        Which features are categories because the user has listed them.

    Returns
    -------
    dummies : tuple of tuple of int

    Raises
    ------
    ValueError
        If a group has fewer than two columns, or a column is unknown, belongs to two groups,
        or is a categorical feature.
    """
    if isinstance(one_hot_groups, Set):
        raise ValueError(
            "one_hot_groups is a set, which has no order; pass a list of lists of columns, or a "
            "dict."
        )
    groups = one_hot_groups.values() if isinstance(one_hot_groups, Mapping) else one_hot_groups
    dummies, seen = [], set()
    for group in groups or ():
        # The columns of a set come in another order in every run of Python.
        has_order = hasattr(group, "__len__") and is_sequence(group, len(group))
        if isinstance(group, Mapping) or not has_order or len(group) < 2:
            raise ValueError(
                f"one_hot_groups contains {group!r:.200}; a group is a list of at least two "
                "columns, as in {'color': ['color_red', 'color_blue']}."
            )
        features = tuple(feature_position(column, names, "one_hot_groups") for column in group)
        repeated = [f for f in features if f in seen or features.count(f) > 1]
        if repeated:
            raise ValueError(
                f"one_hot_groups contains column {names[repeated[0]]!r} twice; a column belongs to "
                "one group."
            )
        coded = [names[f] for f in features if categorical[f]]
        if coded:
            raise ValueError(
                f"one_hot_groups contains {listed(coded)}, also listed in categorical_features; a "
                "column of a group holds 0 or 1 and is coded already."
            )
        seen.update(features)
        dummies.append(features)
    return tuple(dummies)


def check_special_values(special_values, schema):
    """Return the special values of numeric features.

    Parameters
    ----------
    special_values : dict or None
        A number, or a list of numbers, by name or index of the feature.
    schema : Schema

    Returns
    -------
    special : dict of int to tuple of float

    Raises
    ------
    ValueError
        If a feature is unknown or not numeric, or a value is not a finite number.
    """
    numeric, special = set(schema.numeric), {}
    for key, values in (special_values or {}).items():
        if isinstance(key, str) and key == "*" and "*" not in schema.names:
            raise ValueError(
                "special_values has no entry '*', because a code of one column can be an amount in "
                "another. Name the columns that contain the codes, as in {name: [-9, -8] for name "
                "in names}."
            )
        feature = feature_position(key, schema.names, "special_values")
        if feature in special:
            raise ValueError(
                f"special_values names a feature twice: {schema.names[feature]!r}, by its name "
                "and by its index. Name it once."
            )
        if isinstance(values, np.ndarray) and values.ndim == 0:
            values = values[()]
        if isinstance(values, str) or not isinstance(values, Real | Iterable):
            raise ValueError(
                f"special_values of feature {schema.names[feature]!r} is {values!r:.200}; it must "
                "be a number or a list of numbers."
            )
        values = [values] if isinstance(values, Real) else list(values)
        for value in values:
            if isinstance(value, bool) or not isinstance(value, Real) or not np.isfinite(value):
                raise ValueError(
                    f"special_values of feature {schema.names[feature]!r} contains {value!r}; "
                    "special values are finite numbers. Remove it; a missing number, NaN, always "
                    "has a state of its own."
                )
        if feature not in numeric:
            raise ValueError(
                f"special_values names {schema.names[feature]!r}, which is not a numeric feature. "
                "Remove it: every category is a state of its own and needs no special value."
            )
        special[feature] = tuple(float(value) for value in dict.fromkeys(values))
    return special


def check_resolution(resolution, schema):
    """Return the steps of numeric features that the user has set.

    Parameters
    ----------
    resolution : "auto", dict or None
        A step, ``"auto"`` or None by name or index of the feature; None in place of a dict
        is that of every feature.
    schema : Schema

    Returns
    -------
    steps : dict of int to float or None
        Features whose grid is to be inferred are left out.

    Raises
    ------
    ValueError
        If a feature is unknown or not numeric, or a step is not a positive finite number, or
        not a whole one for a column of integers.
    """
    if resolution is None:
        return dict.fromkeys(schema.numeric)
    if isinstance(resolution, str):
        return {}
    steps, numeric = {}, set(schema.numeric)
    # The key "*" stands for numeric features only.
    named = {feature_position(key, schema.names, "resolution") for key in resolution if key != "*"}
    for feature, step in entries_by_feature(resolution, schema.names, "resolution").items():
        name = schema.names[feature]
        if isinstance(step, str) and step == "auto":
            continue
        if feature not in numeric:
            if feature not in named:
                continue
            raise ValueError(
                f"resolution names {name!r}, which is not a numeric feature. Remove it; only "
                "numbers have a resolution."
            )
        try:
            is_whole = step is None or Grid.of_step(step).is_whole
        except ValueError as error:
            raise ValueError(
                f"resolution of feature {name!r} is {step!r:.200}; it must be a positive finite "
                "number, 'auto', or None."
            ) from error
        if schema.integral[feature] and not is_whole:
            # A step of all features is that of the floats among them.
            if feature not in named:
                continue
            raise ValueError(
                f"resolution of feature {name!r} is {step}, but the column holds integers. Convert "
                "it by .astype(float), or choose a whole number."
            )
        steps[feature] = step
    return steps
