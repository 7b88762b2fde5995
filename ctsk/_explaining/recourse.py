"""The recourse of one factual in words, from which letters and pictures are made."""

import operator
from dataclasses import dataclass, replace

import numpy as np

from ctsk._columns.containers import is_frame
from ctsk._columns.schema import differ
from ctsk._explaining.wording import Change, Wording, percent_text, threshold_text


@dataclass(frozen=True)
class Option:
    """One counterfactual in words.

    Parameters
    ----------
    changes : list of Change
        The largest share of the cost comes first.
    probability : str
        Probability of the target, as a percentage that is rounded down.
    is_mature : bool
        Whether the probability is at least the required one.
    """

    changes: list[Change]
    probability: str
    is_mature: bool


@dataclass(frozen=True)
class Recourse:
    """The recourse of one factual in words.

    Parameters
    ----------
    prediction, target : str
        The class that is predicted for the factual, and the class to reach.
    prediction_probability, target_probability : str
        Their probabilities for the factual, as percentages that are rounded down.
    required : str
        The required probability of the target.
    is_already : bool
        Whether the factual is predicted as the target.
    is_reached : bool
        Whether it is, with the required probability, so that nothing has to change.
    options : list of Option
        The counterfactuals that are valid, in their order.
    n_not_found : int
        Number of further alternatives that were requested and not found.
    unchanged, immutable : list of str
        Features that could change but are not changed by any option, and those that cannot.
    proof : {"optimal", "impossible", "open"} or None
    """

    prediction: str
    target: str
    prediction_probability: str
    target_probability: str
    required: str
    is_already: bool
    is_reached: bool
    options: list[Option]
    n_not_found: int
    unchanged: list[str]
    immutable: list[str]
    proof: str | None


def rows_of_factual(explanation, row):
    """Return the positions of the rows of the factual at a position.

    Parameters
    ----------
    explanation : Explanation
    row : int
        Position among the factuals; a negative one counts from the end.

    Returns
    -------
    idx : list of int

    Raises
    ------
    TypeError
        If `row` is no integer.
    IndexError
        If there is no such position.
    """
    groups = explanation._rows_by_factual
    try:
        position = operator.index(row)
    except TypeError:
        raise TypeError(
            f"row must be the position of a factual, such as 0 for the first; got {row!r:.200}."
            f"{_hint(explanation, row)}"
        ) from None
    if not -len(groups) <= position < len(groups):
        n = len(groups)
        raise IndexError(
            f"row is {row}, but the explanation holds {n} factual{'s' * (n != 1)}. Rows are "
            f"positions, from 0 to {n - 1}, and no labels of X's index.{_hint(explanation, row)}"
            if n
            else f"row is {row}, but the explanation holds no rows. Explain at least one row."
        )
    return groups[position]


def _hint(explanation, row):
    """Return a sentence that names the position of a label of X's index, or nothing."""
    groups = explanation._rows_by_factual
    labels = [label_of(explanation, idx[0]) for idx in groups]
    if row not in labels:
        return ""
    # As a scalar of NumPy, 7 would be printed as np.int64(7).
    label = row.item() if isinstance(row, np.generic) else row
    return f" The label {label!r} is at position {labels.index(row)}."


def label_of(explanation, position):
    """Return the label in X's index of the factual of a row; its position in X for an array."""
    frame = explanation.factual_rows.frame
    if not is_frame(frame):
        return explanation.row[position].item()
    label = frame.index[position]
    # With alternatives, the index has gained a last level.
    if explanation.n_alternatives > 1:
        label = label[:-1] if len(label) > 2 else label[0]
    return label


def describe(explanation, row, wording):
    """Return the recourse of one factual in words.

    Parameters
    ----------
    explanation : Explanation
    row : int
        Position of the factual.
    wording : Wording

    Returns
    -------
    recourse : Recourse
    """
    idx = rows_of_factual(explanation, row)
    first = idx[0]
    required, n_decimals = threshold_text(explanation.tau)
    n_decimals = max(n_decimals, 1)
    target = explanation.classes.index(explanation.target[first])
    factual_proba = explanation.factual_proba[first]
    changed = {position: changed_features(explanation, position) for position in idx}
    shown = [i for i in idx if explanation.valid[i] and changed[i]]
    is_already = bool(explanation.factual_prediction[first] == explanation.target[first])
    return Recourse(
        prediction=wording.class_name(explanation.factual_prediction[first]),
        target=wording.class_name(explanation.target[first]),
        prediction_probability=percent_text(factual_proba.max(), n_decimals),
        target_probability=percent_text(factual_proba[target], n_decimals),
        required=required,
        is_already=is_already,
        is_reached=is_already and bool(factual_proba[target] >= explanation.tau),
        options=[
            Option(
                changes_of_row(explanation, i, changed[i], wording),
                percent_text(explanation.proba[i, target], n_decimals),
                bool(explanation.mature[i]),
            )
            for i in shown
        ],
        n_not_found=len(idx) - len(shown),
        proof=None if explanation.proof is None else _proof(explanation, idx),
        **_others(explanation, first, {unit for i in shown for unit in changed[i]}, wording),
    )


def _proof(explanation, idx):
    """Return what is proven of the cheapest alternative; None if it was not selected."""
    proofs = [explanation.proof[i] for i in idx if explanation.alternative[i] == 0]
    return str(proofs[0]) if proofs else None


def _others(explanation, position, changed, wording):
    """Return the names of features that no option changes: those that could, and the others."""
    units = explanation.factual_rows.schema.units
    names = {True: [], False: []}
    for unit in np.unique(units):
        if unit not in changed:
            is_immutable = bool(explanation.immutable[position, units == unit].all())
            names[is_immutable].append(wording.unit_name(unit))
    return {"unchanged": names[False], "immutable": names[True]}


def shares_of(explanation, positions):
    """Return the share of each feature in the cost of some rows; 0 in a row without a cost."""
    costs = explanation.feature_cost[positions]
    total = costs.sum(axis=-1, keepdims=True)
    return np.divide(costs, total, out=np.zeros_like(costs), where=total > 0)


def changed_features(explanation, position):
    """Return the units of features that change in a row, as a dict of shares in its cost.

    The dummies of a group are one unit. The largest share comes first.
    """
    factual, counterfactual = explanation.factual_rows, explanation.counterfactual_rows
    is_changed = differ(factual.values[position], counterfactual.values[position])
    units = factual.schema.units
    shares = np.bincount(units, shares_of(explanation, position), minlength=len(units))
    changed = np.unique(units[is_changed])
    # A stable sort keeps the order of the columns among equal shares.
    changed = changed[np.argsort(-shares[changed], kind="stable")]
    return dict(zip(changed.tolist(), shares[changed].tolist(), strict=True))


def changes_of_row(explanation, position, shares, wording):
    """Return the changes of some units of features in a row, in words."""
    frames = explanation.factual_rows.frame, explanation.counterfactual_rows.frame
    changes = []
    for unit, share in shares.items():
        group = wording.group_of(unit)
        if group is None:
            before, after = (cell_of(frame, position, unit) for frame in frames)
            changes.append(wording.change(unit, before, after, share))
            continue
        ones = [[f for f in group if cell_of(frame, position, f) == 1][0] for frame in frames]
        changes.append(replace(wording.exchange(unit, *ones), share=share))
    return changes


def cell_of(frame, row, feature):
    """Return one cell of a DataFrame or an ndarray, in the dtype of its column."""
    return frame.iat[row, feature] if is_frame(frame) else frame[row, feature]


def wording_of(explanation, labels=None, units=None, *, quotes=""):
    """Return the wording of an explanation."""
    schema = explanation.factual_rows.schema
    return Wording(schema, explanation.classes, labels, units, quotes=quotes)
