"""Groups of the rows of an explanation, as users specify them."""

import numpy as np

from ctsk._columns.containers import is_frame, is_series, listed


def group_codes(explanation, groups):
    """Return the group of each row of an explanation as a number.

    Parameters
    ----------
    explanation : Explanation
        At least one row.
    groups : str, array-like of shape (n_factuals,) or (n_rows,), or None
        See :func:`ctsk.metrics.recourse_summary`.

    Returns
    -------
    codes : int ndarray of shape (n_rows,)
        Positions in `index`. All alternatives of a factual have the same.
    index : pandas.Index of shape (n_groups,)
        The labels in ascending order, or in that of their categories, with a name.

    Raises
    ------
    ValueError
        If `groups` is no column, has another length, lacks a label, has different labels
        for the alternatives of one factual, or is a Series whose index holds the labels of
        X's index in another order.
    TypeError
        If labels cannot be hashed or sorted.
    """
    import pandas as pd

    first, factual = _factuals(explanation)
    labels = _labels_of_rows(explanation, groups, first, factual)
    missing = np.flatnonzero(labels.isna())
    if len(missing):
        raise ValueError(
            f"groups lacks the label of row {missing[0]} of explanation ({len(missing)} in all). "
            "Give these rows a label of their own, such as 'missing', or leave them out."
        )
    try:
        codes, index = pd.factorize(labels, sort=True)
    except TypeError as error:
        raise TypeError(
            f"groups holds labels that cannot be compared ({error}). Pass strings or numbers."
        ) from error
    differs = np.flatnonzero(codes != codes[first[factual]])
    if len(differs):
        raise ValueError(
            f"groups holds another label for row {differs[0]} of explanation than for an earlier "
            f"alternative of its factual ({len(differs)} in all). Pass one label per factual."
        )
    name = "group" if labels.name is None else labels.name
    # Labels that are tuples must stay labels: by default, they become levels of the index.
    return codes, pd.Index(index, name=name, tupleize_cols=False)


def _factuals(explanation):
    """Return the first row of each factual, and the number of the factual of each row.

    Factuals are numbered in the order in which they appear, which is that of X unless the
    rows of the explanation were rearranged.
    """
    _, first, inverse = np.unique(explanation.row, return_index=True, return_inverse=True)
    order = np.argsort(first)
    # The argsort of a permutation is its inverse: the rank of each factual by appearance.
    return first[order], np.argsort(order)[inverse]


def _labels_of_rows(explanation, groups, first, factual):
    """Return the labels of all rows of an explanation as a Series; see `group_codes`."""
    import pandas as pd

    n_rows, n_factuals = len(explanation), len(first)
    if groups is None:
        return pd.Series(["all"] * n_rows)
    if isinstance(groups, str):
        return _column(explanation, groups)
    cells = np.asarray(groups, dtype=object)
    if cells.shape not in [(n_rows,), (n_factuals,)]:
        raise ValueError(
            f"groups has shape {cells.shape}, but explanation has {n_rows} rows of {n_factuals} "
            "factuals. Pass one label for each of either, or the name of a column. If rows were "
            "selected after explain, numpy.asarray(groups)[explanation.row] selects their labels."
        )
    idx = first if len(cells) == n_factuals else np.arange(n_rows)
    if is_series(groups):
        _check_index(groups, explanation, idx)
    # Containers with a dtype keep it. For others pandas infers one, which unlike NumPy's does
    # not turn the missing labels of a list of strings into text.
    typed = np.ndarray, pd.Series, pd.api.extensions.ExtensionArray
    labels = pd.Series(groups if isinstance(groups, typed) else cells.tolist())
    if len(cells) == n_rows:
        return labels
    # Without the index, because the user may have forbidden that its labels repeat.
    return pd.Series(labels.array[factual], name=labels.name)


def _column(explanation, name):
    """Return a column of the factuals as a Series."""
    import pandas as pd

    names = list(explanation.encoder.names)
    if name not in names:
        raise ValueError(
            f"groups is {name!r}, which is no column of the factuals ({listed(names)}). Pass the "
            "name of a column, or one label per factual."
        )
    position = names.index(name)
    table = explanation.factual_rows.frame
    if is_frame(table):
        return table.iloc[:, position]
    return pd.Series(table[:, position], name=name)


def _check_index(groups, explanation, idx):
    """Raise a ValueError if a Series has the index of the rows at `idx` in another order.

    As for targets, labels are matched by position, and an index that differs only in its
    order suggests that a match by label was intended.
    """
    table = explanation.factual_rows.original
    if not is_frame(table):
        return
    rows = table.index[idx]
    # The last level, which tells alternatives apart, is not part of X's index.
    indices = [rows, rows.droplevel(-1)] if explanation.n_alternatives > 1 else [rows]
    index = list(groups.index)
    for expected in map(list, indices):
        if index != expected and set(index) == set(expected):
            raise ValueError(
                "The index of groups holds the labels of X's index in another order, so that it is "
                "unclear which row each label belongs to. Use groups.loc[X.index] to match them by "
                "label, or groups.to_numpy() to match them by position."
            )
