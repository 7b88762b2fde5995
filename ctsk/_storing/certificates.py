"""Certificates: explanations as JSON that can be checked against the files of a model."""

import numpy as np

from ctsk._columns.containers import cells_of, is_missing
from ctsk._storing.documents import describe_model
from ctsk._storing.json_text import digest_of, readable_json
from ctsk._storing.values import to_json

FORMAT = "ctsk.certificate"
FORMAT_VERSION = 1
# Largest difference of probabilities that is attributed to the order of sums.
_TOLERANCE = 1e-9


def certify(model, explanation, version):
    """Return the certificate of an explanation, as text.

    Parameters
    ----------
    model : CounterfactualTrainedClassifier
        The fitted classifier.
    explanation : Explanation
    version : str
        The version of ctsk.

    Returns
    -------
    text : str

    Raises
    ------
    ValueError
        If the explanation is not one of this model, or if the model has a module of a user.
    """
    described, _, _ = describe_model(vars(model))
    if described["architecture"] is None:
        raise ValueError(
            "module of this model is a network of your own, which a certificate cannot describe, "
            "so that nobody could check its probabilities. Train with module=None to certify."
        )
    _check_origin(model, explanation)
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "ctsk_version": version,
        "model_sha256": digest_of(described),
        "weights_sha256": described["weights_sha256"],
        "features": [feature["name"] for feature in described["encoder"]["features"]],
        "classes": to_json(model.classes_.tolist()),
        "tau": float(explanation.tau),
        "rows": _rows(explanation, described["encoder"]["features"]),
    }
    document["digest"] = digest_of(document)
    return readable_json(document).decode()


def _check_origin(model, explanation):
    """Raise a ValueError unless a model gives the rows of an explanation its probabilities."""
    error = ValueError(
        "explanation is not one of this model: the probabilities of its rows, or its columns, are "
        "others. Pass the model that has explained the rows; of a pipeline, nothing is certified."
    )
    if list(model.encoder_.names) != list(explanation.encoder.names):
        raise error
    judge = model._explainable().predict_proba
    for rows, proba in (
        (explanation.factual_rows, explanation.factual_proba),
        (explanation.counterfactual_rows, explanation.proba),
    ):
        actual = judge(rows)
        if actual.shape != proba.shape or not np.allclose(actual, proba, rtol=0, atol=_TOLERANCE):
            raise error


def _allowed(explanation, features):
    """Return, for each row, what each feature may become according to the request.

    An entry is a list of three: an amount may move to any between the first and the second, which
    are None if no amount can be reached, and every feature may become one of the list that is the
    third: categories, special values, or a dummy's 0 or 1.
    """
    encoder = explanation.encoder
    factuals = encoder.expand(explanation.factual_rows.values)
    box = explanation.constraints.box(factuals)
    low, high = (box.lower, box.upper) if box.low is None else (box.low, box.high)
    # A category or state may be reached if its bound is 1; the row's own one is no change.
    reachable = (high == 1) & (factuals < 1)
    columns = []
    for own, feature in zip(encoder.feature_columns, features, strict=True):
        n_rows, first, group = len(factuals), own[0], reachable[:, own[1:]]
        ends = np.full((n_rows, 2), None)
        if feature["kind"] == "category":
            values = [_selected(feature["categories"], mask) for mask in reachable[:, own]]
        elif feature["kind"] == "dummy":
            values = [[value] * may for value, may in _dummy(factuals, reachable, encoder, first)]
        else:
            # Without states, or from one of them if it may be left, the number may move.
            is_number = factuals[:, own[1]] == 1 if len(own) > 1 else np.ones(n_rows, dtype=bool)
            may_move = is_number | group[:, :1].any(axis=1)
            # A number that may become nothing else has no bounds.
            is_fixed = (low[:, first] == high[:, first]) & (low[:, first] == factuals[:, first])
            may_move &= ~is_fixed | ~is_number
            ends[may_move] = np.column_stack([low[may_move, first], high[may_move, first]])
            values = [_selected(feature["states"], mask) for mask in group[:, 1:]]
            values = values or [[]] * n_rows
        columns.append(
            [
                [to_json(lowest), to_json(highest), others]
                for (lowest, highest), others in zip(ends.tolist(), values, strict=True)
            ]
        )
    return [list(cells) for cells in zip(*columns, strict=True)]


def _selected(values, mask):
    return [value for value, is_chosen in zip(values, mask, strict=True) if is_chosen]


def _dummy(factuals, reachable, encoder, column):
    """Yield the other value of a dummy in each row, and whether it may become that."""
    group = next(part for part in encoder.groups.slices if part.start <= column < part.stop)
    for factual, reached in zip(factuals, reachable, strict=True):
        # A 1 becomes 0 if any other dummy of its group may become 1.
        is_one = factual[column] == 1
        yield int(not is_one), bool(reached[group].any() if is_one else reached[column])


def _rows(explanation, features):
    """Return what the explanation says of each row."""
    parts = {
        name: _cells(getattr(explanation, f"{name}_rows"), features)
        for name in ("factual", "counterfactual")
    }
    allowed = _allowed(explanation, features)
    proof, bound = explanation.proof, explanation.lower_bound
    return [
        {
            "row": int(explanation.row[idx]),
            "alternative": int(explanation.alternative[idx]),
            "target": to_json(explanation.target[idx : idx + 1].tolist()[0]),
            "factual": parts["factual"][idx],
            "counterfactual": parts["counterfactual"][idx],
            "factual_proba": explanation.factual_proba[idx].tolist(),
            "proba": explanation.proba[idx].tolist(),
            "valid": bool(explanation.valid[idx]),
            "mature": bool(explanation.mature[idx]),
            "cost": to_json(float(explanation.cost[idx])),
            "may_become": allowed[idx],
            "proof": None if proof is None else str(proof[idx]),
            "lower_bound": None if bound is None else to_json(float(bound[idx])),
        }
        for idx in range(len(explanation))
    ]


def _cells(rows, features):
    """Return the cells of rows as JSON: numbers, categories as the model knows them, and null."""
    columns = []
    for position, feature in enumerate(features):
        values = rows.values[:, position].tolist()
        if feature["kind"] != "category":
            is_whole = feature["is_integer"] or feature["kind"] == "dummy"
            columns.append([_number(value, is_whole) for value in values])
            continue
        known = feature["categories"]
        cells = cells_of(rows.frame, position)
        columns.append(
            [_category(int(v), cell, known) for v, cell in zip(values, cells, strict=True)]
        )
    return [list(cells) for cells in zip(*columns, strict=True)]


def _number(value, is_whole):
    if np.isnan(value):
        return None
    return int(value) if is_whole and value.is_integer() else value


def _category(code, cell, known):
    """Return a category; an unknown one, which counts as missing or as an average, as it is."""
    if is_missing(cell):
        return None
    if code >= 0 and known[code] is not None:
        return known[code]
    return to_json(cell)
