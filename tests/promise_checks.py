"""Checks of what the package promises of the rows that it returns, cell by cell.

The checks use what the user passed and the training rows only. They have no tolerance, and they
do not use the package's own constraints, domains and grids.
"""

import itertools
import math

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

# Distance to a bound, relative to the range of the training amounts, within which a search
# stops only because of the bound.
NEAR = 1e-6
# A pipeline knows the range of its training rows in the units of its last step only.
PIPELINE_ROUNDING = 1e-9
# Least l1 distance between two valid alternatives of a row, in module units.
LEAST_DISTANCE = 0.1


def violations(model, rows, explanation, mutability, domains, max_changes=None):
    """Return a description of every way in which an explanation breaks a promise.

    Parameters
    ----------
    model : Model
    rows : DataFrame or ndarray
        The rows that were explained.
    explanation : Explanation
    mutability, domains : list of list
        Mutability and domain in force, by row and feature.
    max_changes : int, default=None
        The limit on the number of changed features that was passed to `explain`.

    Returns
    -------
    problems : list of str
    """
    counterfactuals, n_each = explanation.counterfactual, explanation.n_alternatives
    problems = [
        *_judged_wrongly(model.clf, explanation),
        *_misordered(explanation),
        *_not_apart(explanation),
    ]
    positions = np.repeat(np.arange(len(rows)), n_each)
    is_frame = isinstance(rows, pd.DataFrame)
    rows = rows.iloc[positions] if is_frame else rows[positions]
    if is_frame:
        index = counterfactuals.index
        index = index if n_each == 1 else index.droplevel("alternative")
        if not (index.equals(rows.index) and counterfactuals.dtypes.equals(rows.dtypes)):
            problems.append("index, columns or dtypes differ")
    elif counterfactuals.dtype != rows.dtype:
        problems.append("dtype differs")
    problems += _broken_groups(model, counterfactuals)
    dtypes = list(counterfactuals.dtypes) if is_frame else [rows.dtype] * rows.shape[1]
    before, after = cells_of(rows), cells_of(counterfactuals)
    problems += _too_many_changes(model.columns, before, after, max_changes)
    for i, position in enumerate(positions):
        for j, column in enumerate(model.columns):
            word, domain = mutability[position][j], domains[position][j]
            problem = _problem(model, column, before[i][j], after[i][j], word, domain, dtypes[j])
            if problem:
                problems.append(
                    f"row {i}, {column.name} ({dtypes[j]}): {before[i][j]!r} -> {after[i][j]!r}, "
                    f"{word!r}, domain {domain!r}: {problem}"
                )
    return problems


def kinds_of_rows(model, rows, domains):
    """Return the kinds of the columns and the cells of each row, as a set for each row."""
    in_schema = {kind for column in model.columns for kind in column.kinds}
    in_schema -= {"special values"}
    in_schema |= {"arrays"} if isinstance(rows, np.ndarray) else set()
    in_schema |= {"pipelines"} if isinstance(model.clf, Pipeline) else set()
    kinds = []
    for cells, row_domains in zip(cells_of(rows), domains, strict=True):
        in_row = [
            _kind_of_cell(model, column, cell, domain)
            for column, cell, domain in zip(model.columns, cells, row_domains, strict=True)
        ]
        kinds.append(in_schema | {kind for kind in in_row if kind})
    return kinds


def _kind_of_cell(model, column, cell, domain):
    if column.categories is not None:
        is_known = column.data.isna().any() if pd.isna(cell) else cell in column.categories
        return None if is_known else "unknown categories"
    if pd.isna(cell):
        return "gaps" if column.data.isna().any() else "gaps that training had not"
    if cell in column.special:
        return "special values"
    low, high = _bounds(model, column, domain)
    return None if low <= cell <= high else "outside the domain"


def cells_of(rows):
    """Return the cells of rows as lists of Python's and pandas' scalars."""
    return rows.to_numpy(dtype=object).tolist() if isinstance(rows, pd.DataFrame) else rows.tolist()


def _judged_wrongly(clf, explanation):
    """Yield where an explanation differs from what the model says of the returned rows."""
    counterfactuals = explanation.counterfactual
    if not np.array_equal(clf.predict_proba(counterfactuals), explanation.proba):
        yield "proba is not that of the returned rows"
    if not np.array_equal(clf.predict(counterfactuals), explanation.prediction):
        yield "prediction is not that of the returned rows"
    is_predicted, is_copy = explanation.prediction == explanation.target, _are_copies(explanation)
    if not np.array_equal(is_predicted & ~is_copy, explanation.valid):
        yield "valid is not prediction == target, except for copies"
    for i, reason in enumerate(explanation.reason):
        is_reached = bool(explanation.valid[i] and explanation.mature[i])
        if (reason is None) != is_reached:
            yield f"row {i}: valid and mature is {is_reached}, reason is {reason!r}"


def _are_copies(explanation):
    """Return which rows are called copies: too near to an alternative that is valid."""
    return np.array([str(reason).startswith("too near") for reason in explanation.reason])


def _misordered(explanation):
    """Yield the factuals whose alternatives are not sorted: found, valid, others; then by cost."""
    n_each = explanation.n_alternatives
    ranks = 2 - explanation.valid.astype(int) - (explanation.valid & explanation.mature)
    pairs = list(zip(ranks.tolist(), explanation.cost.tolist(), strict=True))
    for start in range(0, len(pairs), n_each):
        of_factual = pairs[start : start + n_each]
        if of_factual != sorted(of_factual):
            yield f"alternatives of row {start // n_each} are not sorted: {of_factual}"


def _not_apart(explanation):
    """Yield valid alternatives that are near to each other, and copies that are not."""
    n_each, weights = explanation.n_alternatives, explanation.encoder.column_weights
    alternatives = explanation.counterfactual_encoded.reshape(-1, n_each, len(weights))
    distances = np.abs(alternatives[:, :, None] - alternatives[:, None]) @ weights
    is_near, valid = distances < LEAST_DISTANCE, explanation.valid.reshape(-1, n_each)
    for i, j in itertools.combinations(range(n_each), 2):
        if (is_near[:, i, j] & valid[:, i] & valid[:, j]).any():
            yield f"alternatives {i} and {j} of a row are valid, though nearly the same"
    # What is predicted as its target is a counterfactual, unless a valid one stands for it.
    is_predicted = explanation.prediction == explanation.target
    is_copy = (_are_copies(explanation) & is_predicted).reshape(-1, n_each)
    for i in range(n_each):
        has_original = (is_near[:, i] & valid).any(axis=1)
        if (is_copy[:, i] & ~has_original).any():
            yield f"alternative {i} of a row is called a copy, though no valid one is near"


def _too_many_changes(columns, before, after, max_changes):
    """Yield the rows that change more features than allowed; a group of dummies counts once."""
    if max_changes is None:
        return
    units = [column.name if column.group is None else f"group {column.group}" for column in columns]
    for i, cells in enumerate(zip(before, after, strict=True)):
        changed = {unit for unit, *pair in zip(units, *cells, strict=True) if not _are_equal(*pair)}
        if len(changed) > max_changes:
            yield f"row {i}: {sorted(changed)} changed, although max_changes is {max_changes}"


def _are_equal(before, after):
    """Return whether two cells are of the same type and hold the same, perhaps nothing."""
    if type(before) is not type(after):
        return False
    return bool(pd.isna(after)) if pd.isna(before) else before == after


def _broken_groups(model, rows):
    """Yield the groups of dummies that do not hold exactly one 1."""
    for group in sorted({column.group for column in model.columns} - {None}):
        features = [j for j, column in enumerate(model.columns) if column.group == group]
        cells = rows.iloc[:, features].to_numpy() if hasattr(rows, "iloc") else rows[:, features]
        sums, is_zero_or_one = cells.sum(axis=1), (cells == 0) | (cells == 1)
        for i in np.flatnonzero((sums != 1) | ~is_zero_or_one.all(axis=1)):
            yield f"row {i}: group {group} holds {cells[i].tolist()}"


def _problem(model, column, before, after, word, domain, dtype):
    """Return what is wrong with a cell, or None."""
    is_missing = pd.isna(before)
    if _are_equal(before, after):
        # Bits are compared, so zero keeps its sign, too.
        is_float = isinstance(before, float) and not is_missing
        is_kept = not is_float or math.copysign(1, before) == math.copysign(1, after)
        return None if is_kept else "a zero changed its sign"
    if word == "none":
        return "moved"
    if pd.isna(after):
        return "became missing"
    if column.categories is not None:
        return _problem_of_category(column, before, after, word, domain)
    return _problem_of_number(model, column, before, after, word, domain, dtype)


def _problem_of_category(column, before, after, word, domain):
    observed = set(column.data.dropna())
    if domain == "auto" and after not in observed:
        return "not a category that was observed"
    if after not in column.categories or (isinstance(domain, list) and after not in domain):
        return "not a category that may be reached"
    if type(after) not in {type(value) for value in column.categories}:
        return "not of the type that the categories have"
    if word in ("increase", "decrease"):
        if pd.isna(before) or before not in column.categories:
            return "moved from a value without a place in the order"
        rank = column.categories.index
        if (rank(after) > rank(before)) != (word == "increase"):
            return "moved the wrong way"
    return None


def _problem_of_number(model, column, before, after, word, domain, dtype):
    if not math.isfinite(after):
        return "not finite"
    was_state = pd.isna(before) or before in column.special
    if word in ("increase", "decrease"):
        if was_state or after in column.special:
            return "left or reached a state, which has no direction"
        if (after > before) != (word == "increase"):
            return "moved the wrong way"
    if after in column.special:
        is_listed = isinstance(domain, list) and after in domain[1:]
        return None if is_listed else "reached a special value that the domain does not list"
    low, high = _bounds(model, column, domain)
    if not low <= after <= high:
        return f"outside the domain, {low!r} to {high!r}"
    if not column.may_hold(after, dtype):
        return f"off the grid: {column.pair or column.step or 'whole numbers'}"
    # A float that may be anything stops as near as this only where it was pushed to the bound.
    if dtype == np.float64 and not column.has_grid:
        low_amount, high_amount = column.range
        near = NEAR * max(high_amount - low_amount, 0.0)
        is_exact = not (domain == "auto" and isinstance(model.clf, Pipeline))
        for bound in {low, high} - set(column.special) if is_exact else ():
            from_afar = was_state or abs(before - bound) > 1e3 * near
            if from_afar and after != bound and abs(after - bound) <= near:
                return f"near the bound {bound!r}, but not equal to it"
    return None


def _bounds(model, column, domain):
    """Return low and high of a number's domain, infinite on an open side."""
    if isinstance(domain, list):
        domain = domain[0]
    if domain is None:
        return -math.inf, math.inf
    if isinstance(domain, str):
        low, high = map(float, column.range)
        slack = PIPELINE_ROUNDING * (high - low) if isinstance(model.clf, Pipeline) else 0.0
        return low - slack, high + slack
    low, high = domain
    return -math.inf if low is None else low, math.inf if high is None else high
