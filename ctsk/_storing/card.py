"""The card of a model: what it is, in words and tables, for people."""

import math

from ctsk._storing.values import from_json

_MOST_LISTED = 50


def card_of(document):
    """Return the card of a model as Markdown, in bytes.

    Parameters
    ----------
    document : dict
        See `describe`.
    """
    encoder = document["model"]["encoder"]
    classes = from_json(document["model"]["classes"]).tolist()
    features = encoder["features"]
    lines = [
        "# Model card",
        "",
        "A classifier that was trained on its own counterfactual explanations, by",
        "`ctsk.CounterfactualTrainedClassifier`. Load it by `ctsk.load`, which executes no code of",
        "this model. A card that somebody edits no longer belongs to the model.",
        "",
        "## Data",
        "",
        f"- Features: {len(features)}",
        f"- Columns that the module sees: {len(encoder['center'])}",
        f"- Classes: {len(classes)} ({_listed(classes)})",
        "",
        "| feature | kind | values |",
        "| --- | --- | --- |",
    ]
    lines += _feature_lines(encoder)
    lines += ["", "## Settings", "", "| parameter | value |", "| --- | --- |"]
    for name, value in document["parameters"].items():
        lines.append(f"| {name} | {_code(from_json(value))} |")
    for name in document["passed_to_load"]:
        lines.append(f"| {name} | not stored; pass it to `ctsk.load` |")
    lines += ["", "## Training", "", f"- Epochs: {len(document['history'])}"]
    last = document["history"][-1] if document["history"] else {}
    for name, value in from_json(last).items():
        if type(value) is float and math.isfinite(value):
            lines.append(f"- {_code(name)} of the last epoch: {value:.4g}")
    return ("\n".join(lines) + "\n").encode()


def _feature_lines(encoder):
    """Return a line of the table of features for each of them, up to a limit."""
    features, lines = encoder["features"], []
    ends = iter(zip(encoder["observed_low"], encoder["observed_high"], strict=True))
    for feature in features:
        values = ""
        if feature["kind"] == "category":
            values = _listed([from_json(value) for value in feature["categories"]])
        elif feature["kind"] == "number":
            # Ends are those of the numbers, in the order of the features.
            low, high = next(ends)
            values = f"{_code(from_json(low))} to {_code(from_json(high))}"
        lines.append(f"| {_code(from_json(feature['name']))} | {feature['kind']} | {values} |")
    if len(features) > _MOST_LISTED:
        return [*lines[:_MOST_LISTED], "| ... | | |"]
    return lines


def _code(value):
    """Return the text of a value as code, so that no name is markup."""
    text = str(value) if isinstance(value, str) else repr(value)
    for sign, replacement in (("`", "'"), ("|", "/"), ("\n", " "), ("\r", " ")):
        text = text.replace(sign, replacement)
    return f"`{text[:80]}`"


def _listed(values):
    """Return at most ten values."""
    suffix = ", ..." if len(values) > 10 else ""
    return ", ".join(map(_code, values[:10])) + suffix
