"""Check a certificate of ctsk, with NumPy alone: check_certificate.py certificate.json folder."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

LAYERS = {"identity": np.array, "logistic": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh}
LAYERS["relu"] = lambda z: np.maximum(z, 0)


def digest(value):
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def decode(value):  # JSON has no infinity, for which {"$float": "inf"} stands.
    return float(value["$float"]) if "$float" in value else value


def encode(cells, encoder):  # The columns of a row: numbers, and 1 or 0 for each category.
    columns, shares = np.array(encoder["fill"]), np.array(encoder["shares"])
    for cell, feature in zip(cells, encoder["features"], strict=True):
        own, known = feature["columns"], feature.get("categories", feature.get("states", []))
        if feature["kind"] == "category":
            # An unknown category counts as a missing one, if there is one, or as an average.
            cell = cell if cell in known or known[-1] is not None else None
            columns[own] = [value == cell for value in known] if cell in known else shares[own]
            continue
        if cell not in (None, *feature.get("special_values", [])):
            columns[own[0]] = cell
        if curve := feature.get("curve"):  # A table, with straight lines between its points.
            columns[own[0]] = np.interp(columns[own[0]], curve["points"], curve["heights"])
        columns[own[1:]] = [cell not in known, *(value == cell for value in known)]
    for group in encoder["one_hot_groups"]:  # The index of a row of the identity.
        np.eye(len(group)).tolist().index([cells[feature] for feature in group])
    return (columns - encoder["center"]) / encoder["scale"]


def probabilities(rows, model, content):  # By the network, in float64.
    data = content[8 + int.from_bytes(content[:8], "little") :]
    header = json.loads(content[8 : len(content) - len(data)])
    names = [name for name in header if name.startswith("module.") and name.endswith(".weight")]
    for depth, name in enumerate(sorted(names, key=lambda name: int(name.split(".")[1]))):
        rows = LAYERS[model["architecture"]["activation"]](rows) if depth else rows
        layer = [header[name], header[name.replace("weight", "bias")]]
        weight, bias = (np.frombuffer(data[slice(*e["data_offsets"])], "<f4") for e in layer)
        rows = weight.astype(float).reshape(layer[0]["shape"]) @ rows + bias
    return np.exp(rows - rows.max()) / np.exp(rows - rows.max()).sum()


def problems(certificate, document, content):  # The texts of both, and the bytes of the weights.
    plain, described = json.loads(certificate), json.loads(document)["model"]
    claimed = plain.pop("digest"), plain["model_sha256"], described["weights_sha256"]
    if claimed != (digest(plain), digest(described), hashlib.sha256(content).hexdigest()):
        yield "a digest is another one"
    certificate = json.loads(certificate, object_hook=decode)
    model = json.loads(document, object_hook=decode)["model"]
    features, classes = model["encoder"]["features"], model["classes"]["$array"]["data"]
    for number, row in enumerate(certificate["rows"]):
        for cells, proba in (("factual", "factual_proba"), ("counterfactual", "proba")):
            actual = probabilities(encode(row[cells], model["encoder"]), model, content)
            if len(row[proba]) != len(actual) or not np.abs(actual - row[proba]).max() < 1e-9:
                yield f"the {cells} of row {number} has other probabilities"
        reached, largest = row["proba"][classes.index(row["target"])], max(row["proba"])
        if row["mature"] != (reached >= certificate["tau"]) or row["valid"] and reached < largest:
            yield f"row {number} does not reach its target"
        parts = row["factual"], row["counterfactual"], row["may_become"]
        for before, after, (low, high, values), feature in zip(*parts, features, strict=True):
            is_amount = low is not None and after not in (None, *feature.get("special_values", []))
            if not (after in (before, *values) or (is_amount and low <= after <= high)):
                yield f"{feature['name']} of row {number} violates its constraints"


if __name__ == "__main__":
    texts = [Path(sys.argv[1]).read_text(), Path(sys.argv[2], "model.json").read_text()]
    found = list(problems(*texts, Path(sys.argv[2], "weights.safetensors").read_bytes()))
    sys.exit("REJECTED: " + "; ".join(found) if found else print("ACCEPTED"))
