"""Numeric columns that probably hold categories: integer codes, and dummies of a one-hot group."""

import os
import re

import numpy as np

from ctsk._columns.containers import listed
from ctsk._columns.user_warnings import warn_user
from ctsk.exceptions import ColumnKindWarning

# Columns with more distinct values are taken for amounts without a look at their gaps.
_MANY_CODES = 20
# A gap counts only between values that are as frequent as this, so that the sparse upper end of
# counts never counts.
_FREQUENT = 10
# Minimum number of rows that a gap would hold if each of its values were as frequent as the rarer
# end. Each value of a unimodal distribution is. If there are several modes, such as the years of
# school and of college, or if people round, the values between the modes may be ten times rarer;
# even then, the gap would be empty with a probability of exp(-10).
_MIN_EXPECTED = 100
# One empty value in a gap is common among amounts: engines with 4, 5, 6 and 8 cylinders, loans of
# 12, 24, 36 and 60 months.
_MIN_EMPTY = 2
# People round to multiples of these numbers times a power of ten, and to half-years and dozens:
# after 5 and 10 comes 20, and after 18 months 24, even where 3 and 7 occur, too.
_ROUND = (5, 2)
_DOZENS = (12, 6)
# Two of n rows' 0/1 columns are complements by chance with a probability of 2 ** -n.
_MIN_ROWS = 20
# Rows that are read at once, so that a wide table is left after a glance at its first rows.
_ROWS_AT_ONCE = 1_000
_MAX_LISTED = 10


def warn_of_codes(names, values):
    """Warn, at most once, of numeric columns whose values look like codes of categories.

    Parameters
    ----------
    names : list of length n_columns
        Names of the numeric columns.
    values : ndarray of shape (n_rows, n_columns)
        float64; NaN where a number is missing.

    Warns
    -----
    ColumnKindWarning
        If a column of whole numbers has 3 to 19 distinct values and irregular gaps, such as
        101, 205 and 307.

    Notes
    -----
    A gap is irregular if its two ends hold at least 10 rows each, at least two values in between
    are absent, and at least 100 rows would hold these if they were as frequent as the rarer end.
    The possible values are multiples of the greatest common divisor of all differences, or
    between two multiples of a round number (2, 5, 10, 20, 50, ..., and 6 and 12) the multiples of
    that number, because amounts are often rounded.

    The gap above 0 is disregarded, because amounts are often either zero or substantial. Series
    with a constant ratio, and 1, 2, 5, 10, 20, ..., are disregarded, because they are regular on
    a logarithmic scale.
    """
    codes = []
    for position, distinct, counts in _few_whole_numbers(values):
        ends = _ends_of_gaps(distinct, counts)
        if ends:
            codes.append(f"{names[position]!r} ({listed(ends)})")
    if codes:
        warn_user(
            "The whole numbers of these columns have irregular gaps, as codes do, between the "
            f"values in parentheses: {_first(codes)}. Counterfactuals may move into the gaps. If "
            "the numbers are codes, list the columns in categorical_features; if only some of "
            "them are, such as 9 for 'unknown', list those in special_values.",
            ColumnKindWarning,
        )


def _first(entries):
    """Return at most ten entries as text."""
    return ", ".join(entries[:_MAX_LISTED]) + (", ..." if len(entries) > _MAX_LISTED else "")


def _few_whole_numbers(values):
    """Yield position, distinct values and their counts of columns with few whole numbers."""
    head = values[:_ROWS_AT_ONCE]
    # The first rows can only exclude a column, so that the order of the rows does not matter.
    with np.errstate(invalid="ignore"):
        may_be_whole = ((head == np.rint(head)) & np.isfinite(head) | np.isnan(head)).all(axis=0)
    # Flags are excluded before, because to count distinct values sorts them.
    for position in np.flatnonzero(may_be_whole & ~_are_flags(values)):
        present = head[:, position]
        if len(np.unique(present[~np.isnan(present)])) >= _MANY_CODES:
            continue
        column = values[:, position]
        distinct, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        is_few = 3 <= len(distinct) < _MANY_CODES
        # Beyond 2 ** 53, floats are whole numbers of necessity.
        if is_few and (np.abs(distinct) < 2**53).all() and (distinct == np.rint(distinct)).all():
            yield position, distinct, counts


def _ends_of_gaps(distinct, counts):
    """Return the values next to irregular gaps; none if the numbers are amounts."""
    whole = distinct.astype(np.int64)
    frequent = whole[counts >= _FREQUENT]
    if _is_geometric(frequent):
        return []
    # Rare values between two frequent ones, such as typing errors, fill a gap only by one each.
    step = np.gcd.reduce(np.diff(whole))
    rows_of = dict(zip(whole, counts, strict=True))
    ends = set()
    for low, high in zip(frequent[:-1], frequent[1:], strict=True):
        n_rare = np.count_nonzero((whole > low) & (whole < high))
        n_possible = (high - low) // max(_round_step(low, high), step) - 1
        n_empty = n_possible - n_rare
        n_expected = n_empty * min(rows_of[low], rows_of[high])
        if low != 0 and n_empty >= _MIN_EMPTY and n_expected >= _MIN_EXPECTED:
            ends |= {int(low), int(high)}
    return sorted(ends)


def _round_step(low, high):
    """Return the largest round number of which two numbers other than 0 are multiples."""
    divisor = np.gcd(low, high)
    decade = 1
    while divisor % (10 * decade) == 0:
        decade *= 10
    steps = [factor * decade for factor in _ROUND] + [decade, *_DOZENS]
    return max(step for step in steps if divisor % step == 0)


def _is_geometric(values):
    """Return whether values, except for zero, are 1, 2, 5, 10, ... or have a constant ratio."""
    amounts = values[values != 0].astype(np.float64)
    if len(amounts) < 3 or amounts[0] < 0:
        return False
    ratios = amounts[1:] / amounts[:-1]
    leading = amounts / 10.0 ** np.floor(np.log10(amounts))
    # Codes 1, 2, 5 are possible; a decade of such numbers is no coincidence.
    is_preferred = np.isin(np.round(leading, 9), (1, 2, 5)).all() and amounts[-1] >= 10 * amounts[0]
    return bool(is_preferred or np.allclose(ratios, ratios[0]))


def warn_of_dummies(names, values):
    """Warn, at most once, of adjacent 0/1 columns that look like a one-hot group.

    Parameters
    ----------
    names : list of length n_columns
        Names of the numeric columns that belong to no declared group.
    values : ndarray of shape (n_rows, n_columns)
        float64; NaN where a number is missing.

    Warns
    -----
    ColumnKindWarning
        If the sum of at least two adjacent columns of zeros and ones is 1 in each of at least
        20 rows.

    Notes
    -----
    Two complementary flags, such as "female" and "male", are a group, too: a counterfactual could
    be both. A column of zeros belongs to a group if it lies between two columns of the group:
    it is the dummy of a category that these rows do not contain.
    """
    if len(values) < _MIN_ROWS:
        return
    groups = [[names[position] for position in group] for group in _one_hot_groups(values)]
    if groups:
        entries = [
            f"{name!r}: [{listed(members)}]"
            for name, members in zip(_group_names(groups), groups, strict=True)
        ]
        warn_user(
            "In every row exactly one of these columns of zeros and ones is 1, as in the dummies "
            "of a category, but a counterfactual may contain none or several. Declare them by "
            f"one_hot_groups={{{_first(entries)}}}.",
            ColumnKindWarning,
        )


def _one_hot_groups(values):
    """Return ranges of adjacent columns of which exactly one is 1 in every row."""
    n_rows, n_columns = values.shape
    are_flags = _are_flags(values)
    flags = np.flatnonzero(are_flags)
    if not len(flags):
        return []
    # A group contains n_rows ones in all, so that cumulative sums over the columns show where one
    # that starts at some column must stop. Other columns count as more ones than any group has.
    totals = np.full(n_columns, n_rows + 1)
    totals[flags] = (values if len(flags) == n_columns else values[:, flags]).sum(axis=0)
    ends = np.cumsum(totals)
    stops = np.searchsorted(ends, ends - totals + n_rows) + 1
    groups, free = [], 0
    for start in flags[totals[flags] > 0]:
        stop = stops[start]
        # Groups are disjoint, and a column of ones is not one.
        if start < free or stop - start < 2 or stop > n_columns:
            continue
        if _has_one_per_row(values[:, start:stop]):
            groups.append(range(start, stop))
            free = stop
    return groups


def _has_one_per_row(columns):
    """Return whether all rows of columns of zeros and ones contain exactly one 1."""
    chunks = range(0, len(columns), _ROWS_AT_ONCE)
    return all((columns[i : i + _ROWS_AT_ONCE].sum(axis=1) == 1).all() for i in chunks)


def _are_flags(values):
    """Return which columns hold zeros and ones only."""
    positions = np.arange(values.shape[1])
    for start in range(0, len(values), _ROWS_AT_ONCE):
        rows = values[start : start + _ROWS_AT_ONCE]
        # Columns are selected only if some are excluded, because the selection copies.
        rows = rows if len(positions) == values.shape[1] else rows[:, positions]
        positions = positions[((rows == 0) | (rows == 1)).all(axis=0)]
        if not len(positions):
            break
    return np.isin(np.arange(values.shape[1]), positions)


def _group_names(groups):
    """Return a name for each group: the common beginning of its columns' names if they have one."""
    prefixes = []
    for members in groups:
        prefix = os.path.commonprefix([str(member) for member in members])
        # "colour_black" and "colour_blue" have the beginning "colour_bl" in common.
        match = re.match(r"(.+)[_.=:\- ]", prefix)
        prefixes.append(match[1] if match else None)
    # Keys of a dict must differ.
    return [
        prefix if prefix and prefixes.count(prefix) == 1 else f"group_{number}"
        for number, prefix in enumerate(prefixes, start=1)
    ]
