"""Checks of mutability, domain, costs and categorical features as users write them."""

from dataclasses import replace
from numbers import Real

import numpy as np

from ctsk._columns.containers import MOST_LISTED, is_missing, listed
from ctsk._columns.grid import Grid
from ctsk._columns.user_entries import (
    entries_by_feature,
    entries_by_row,
    is_sequence,
)
from ctsk._columns.user_warnings import warn_user
from ctsk.exceptions import UnknownValueWarning, UnobservedDomainWarning

# Whether a feature may rise, and whether it may fall.
_MUTABILITY = {
    "both": (True, True),
    "increase": (True, False),
    "decrease": (False, True),
    "none": (False, False),
}
# A domain counts as unobserved only if its gap to the observed range is more than this share of
# the unit of the feature: ranges that were mapped through a pipeline are off by rounding.
_GAP = 1e-6


def check_costs(feature_costs, encoder, default=None):
    """Read `feature_costs` as the user writes them.

    Parameters
    ----------
    feature_costs : dict, array-like of shape (n_features,) or None
        The key "*" of a dict stands for all features that the dict does not name.
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
    entries = entries_by_feature(feature_costs, encoder.names, "feature_costs")
    for feature, cost in entries.items():
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
        (n_rows, n_features). The key "*" of a dict stands for all features that the dict
        does not name.
    domain : "auto", dict, array-like of shape (n_features,) or None
        If `rows` are given, also one dict per row, or an array of shape
        (n_rows, n_features, 2). The key "*" as above.
    encoder : Encoder
    default : Constraints
        Constraints of the features that are not named, in X's units.
    rows : Rows, default=None
        Rows that may have constraints of their own.

    Returns
    -------
    constraints : Constraints
        Constraints in X's units.

    Warns
    -----
    UnobservedDomainWarning
        If a domain holds no training value of a feature that may move.
    UnknownValueWarning
        If no `rows` are given, and a domain lists unknown categories beside known ones.

    Raises
    ------
    ValueError
        If a feature or a mutability is unknown, a domain is empty or invalid, or the
        constraints of the rows do not match the rows.
    """
    mutabilities = entries_by_row(mutability, encoder.names, "mutability", rows)
    if isinstance(domain, str) and domain == "auto":
        # Written out, so that it restores inferred bounds; None keeps the default.
        domain = ["auto"] * len(encoder.names)
    domains = entries_by_row(domain, encoder.names, "domain", rows)
    if rows is None:
        domains = [(idx, _without_unknown(entries, encoder)) for idx, entries in domains]
    is_default = not any(entries for _, entries in mutabilities + domains)
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
    constraints = replace(default, **fields)
    if not is_default:
        _warn_of_unobserved(constraints, default, encoder)
    return constraints


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
            "Give it 'both' or 'none', define the order by an ordered pandas categorical, or "
            "list the categories that may be reached in domain."
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
    bounds, special = _split_special(entry, feature, encoder, name)
    low, high = _bounds(bounds, name)
    _check_holds_a_value(low, high, feature, encoder, name)
    if any(feature in group for group in encoder.schema.dummies):
        # A dummy is left if its domain holds 0, and reached if it holds 1.
        return float(low > 0), float(low <= 1 <= high)
    # After the number come the one-hot columns of its states, if it has any: the first stands
    # for "a number", the others for special values and, at last, for a missing number.
    states = encoder.schema.states.get(feature)
    if states is None:
        return low, high
    reachable = [1.0, *(float(state in special) for state in states)]
    return np.array([low, *np.zeros_like(reachable)]), np.array([high, *reachable])


def _split_special(entry, feature, encoder, name):
    """Return the bounds of a number, and the special values that a domain lists beside them."""
    # Two numbers are bounds, whether they are a list or a tuple.
    if not isinstance(entry, list) or not entry or isinstance(entry[0], Real | None):
        return entry, ()
    bounds, *special = entry
    if isinstance(bounds, str) and bounds == "auto":
        column = encoder.feature_columns[feature][0]
        bounds = [end[column] for end in encoder.domain]
    # A declared value that no training row of a fold of a cross-validation holds has no column,
    # and is never reached.
    declared = encoder.schema.special_values.get(feature, ())
    unknown = [value for value in special if value not in declared]
    if unknown:
        known = f"which are {listed(list(declared))}" if declared else "of which there are none"
        raise ValueError(
            f"domain of feature {name} lists {listed(unknown)}. After the bounds, it may list "
            f"the special values of the feature, {known}; declare others in special_values."
        )
    return bounds, special


def _bounds(entry, name):
    """Return the bounds of a numeric feature."""
    if entry is None:
        return -np.inf, np.inf
    if not is_sequence(entry, 2) or not all(
        bound is None or isinstance(bound, Real) for bound in entry
    ):
        raise ValueError(
            f"domain of feature {name} is {entry!r:.200}; the entry of a number must be a pair "
            "(low, high) of numbers, with None for an open side, or None for no bounds, or 'auto'."
        )
    low = -np.inf if entry[0] is None else float(entry[0])
    high = np.inf if entry[1] is None else float(entry[1])
    # Negated, so that NaN fails the comparison, too.
    if not low <= high:
        raise ValueError(
            f"domain of feature {name} is ({low}, {high}); low must not be greater than high, "
            "and an open side is None."
        )
    if low == np.inf or high == -np.inf:
        raise ValueError(
            f"domain of feature {name} is ({low}, {high}), which holds no finite number; an open "
            "side is None."
        )
    return low, high


def _check_holds_a_value(low, high, feature, encoder, name):
    """Raise a ValueError if no value that the feature can take lies within the bounds."""
    is_dummy = any(feature in group for group in encoder.schema.dummies)
    grid = Grid(values=(0.0, 1.0)) if is_dummy else encoder.grids.get(feature)
    if grid is None or grid.ceil(low) <= high:
        return
    observed, remedy = "", "or fix the feature by mutability 'none'"
    if not is_dummy:
        # The range shows a wrong unit. In a pipeline, it may be unknown.
        least, most = (ends[encoder.feature_columns[feature][0]] for ends in encoder.observed)
        if np.isfinite(least):
            observed = f"; the training rows hold {least:.10g} to {most:.10g}"
        remedy = (
            "fix the feature by mutability 'none', or let the feature take other numbers by the "
            "parameter resolution"
        )
    raise ValueError(
        f"domain of feature {name} is ({low}, {high}), which holds none of the numbers that the "
        f"feature can take ({grid}{observed}). Widen it, {remedy}."
    )


def check_inferred_domains(constraints, encoder):
    """Raise a ValueError if a feature that may move cannot move within its inferred domain.

    Parameters
    ----------
    constraints : Constraints
    encoder : Encoder

    Raises
    ------
    ValueError
        If the step that the user has set has no multiple in an inferred domain.
    """
    may_move = (constraints.may_rise | constraints.may_fall) & constraints.is_inferred
    for column, feature in enumerate(encoder.numeric):
        grid = encoder.grids.get(feature)
        if grid is None or not may_move[column]:
            continue
        low, high = constraints.low[column], constraints.high[column]
        # A feature without any training number has an infinite low, and no step to blame.
        if np.isfinite(low) and grid.ceil(low) > high:
            raise ValueError(
                f"resolution of feature {encoder.names[feature]!r} is {grid.spacing:g}, but its "
                f"training values, {low:g} to {high:g}, hold no multiple of it; choose a smaller "
                "step, or give the feature a wider domain."
            )


def _is_list(entry):
    """Return whether a domain has the form of a list of categories."""
    return hasattr(entry, "__iter__") and not isinstance(entry, str | dict | tuple)


def _without_unknown(entries, encoder):
    """Return domains without the unknown categories of lists, after one warning about these.

    The training rows of a fold may lack a rare category. A list without any known category
    is left as it is, because it is an error.
    """
    known_entries, texts = dict(entries), []
    for feature, entry in entries.items():
        if feature not in encoder.schema.categories or not _is_list(entry):
            continue
        # An iterator could not be read again.
        known_entries[feature] = entry = list(entry)
        values = encoder.schema.categories[feature].values
        unknown = [value for value in entry if value not in values and not is_missing(value)]
        if 0 < len(unknown) < len(entry):
            known_entries[feature] = [value for value in entry if value not in unknown]
            texts.append(f"{encoder.names[feature]!r} lists {listed(unknown)}")
    if texts:
        more = "; ..." if len(texts) > MOST_LISTED else ""
        warn_user(
            "domain lists categories that the training rows do not have, and that therefore "
            f"cannot be reached: {'; '.join(texts[:MOST_LISTED])}{more}. Correct them, or declare "
            "them by a category dtype.",
            UnknownValueWarning,
        )
    return known_entries


def _reachable(entry, categories, name):
    """Return 1 for each category that a domain lists, and 0 for the others."""
    values = [value for value in categories.values if value is not None]
    if entry is None:
        return np.array([value is not None for value in categories.values], dtype=np.float64)
    # A pair is the domain of a number; as a list of categories, it is probably a mistake.
    if not _is_list(entry):
        raise ValueError(
            f"domain of feature {name} is {entry!r:.200}; the entry of a category must be a list "
            "of categories, None for all, or 'auto'."
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
    if not reachable.any():
        raise ValueError(
            f"domain of feature {name} lists no category, so that the feature could never change. "
            f"Fix it by mutability 'none', or list some of its categories ({listed(values)})."
        )
    return reachable


def _described(name, idx):
    """Return text that names a feature and, unless all rows are affected, the first row."""
    return repr(name) if idx is ... else f"{name!r} (row {np.ravel(idx)[0]})"


def _warn_of_unobserved(constraints, default, encoder):
    """Warn once of the new domains that lie wholly beyond the observed range."""
    numeric = slice(len(encoder.numeric))
    low, high = constraints.low[..., numeric], constraints.high[..., numeric]
    least, most = encoder.observed
    gap = _GAP * np.abs(encoder.scale[numeric])
    is_unobserved = (low > most + gap) | (high < least - gap)
    # A number that the classifier of a pipeline does not see alone has no observed range.
    is_unobserved &= np.isfinite(least) & np.isfinite(most)
    # `fit` has already warned of its own domains, which are the defaults of `explain`.
    is_unobserved &= (low != default.low[..., numeric]) | (high != default.high[..., numeric])
    # The domain of an immutable feature has no effect.
    is_unobserved &= (constraints.may_rise | constraints.may_fall)[..., numeric]

    is_unobserved, low, high = np.atleast_2d(is_unobserved, low, high)
    texts = []
    for column in np.flatnonzero(is_unobserved.any(axis=0)):
        row = is_unobserved[:, column].argmax()
        idx = ... if is_unobserved[:, column].all() else row
        texts.append(
            f"{_described(encoder.names[encoder.numeric[column]], idx)}: domain "
            f"({low[row, column]:.10g}, {high[row, column]:.10g}), observed "
            f"{least[column]:.10g} to {most[column]:.10g}"
        )
    if texts:
        more = "; ..." if len(texts) > MOST_LISTED else ""
        warn_user(
            "The domain of some features holds none of their observed values (a wrong unit?): "
            f"{'; '.join(texts[:MOST_LISTED])}{more}. Values that move leave the observed range. "
            "Domains are in the units of X.",
            UnobservedDomainWarning,
        )
