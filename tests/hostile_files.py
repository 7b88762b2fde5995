"""Damaged and malicious files of models, and certificates that were tampered with.

The tests and ``benchmarks/hostile.py`` share them.
"""

import copy
import functools
import importlib.util
import io
import json
import math
import pickle
import stat
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np

import ctsk
from ctsk._storing.json_text import digest_of
from ctsk.exceptions import ModelFileError

SCRIPT = Path(__file__).parents[1] / "doc" / "guide" / "check_certificate.py"


@functools.cache
def script():
    """Return the stand-alone script that checks certificates, as a module."""
    spec = importlib.util.spec_from_file_location("check_certificate", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_certificate(certificate, folder):
    """Return the problems of a certificate; a failure of the script is a rejection, too."""
    texts = json.dumps(certificate), (folder / "model.json").read_text()
    try:
        return list(script().problems(*texts, (folder / "weights.safetensors").read_bytes()))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return [repr(error)]


def signed(certificate):
    """Return a certificate with the digest of its content."""
    content = {name: value for name, value in certificate.items() if name != "digest"}
    return {**content, "digest": digest_of(content)}


def changed_digest(certificate, random):
    certificate["model_sha256"] = f"{random.getrandbits(256):064x}"


def changed_weights_digest(certificate, random):
    """Also of no effect on the digest of the model, in which it is repeated."""
    name = "model_sha256" if random.random() < 0.5 else "digest"
    text = certificate[name]
    position = random.randrange(64)
    other = "1" if text[position] == "0" else "0"
    certificate[name] = text[:position] + other + text[position + 1 :]
    if name == "digest":
        # A new digest would be right again.
        changed_digest(certificate, random)


def changed_probability(certificate, random):
    row = random.choice(certificate["rows"])
    proba = row[random.choice(["proba", "factual_proba"])]
    proba[random.randrange(len(proba))] += random.choice([-1, 1]) * 10 ** random.uniform(-6, 0)


def exchanged_probabilities(certificate, random):
    row = random.choice(certificate["rows"])
    row["proba"] = row["proba"][::-1]


def changed_number(certificate, random):
    row = random.choice(certificate["rows"])
    cells = row[random.choice(["factual", "counterfactual"])]
    amounts = [p for p, cell in enumerate(cells) if type(cell) in (int, float)]
    position = random.choice(amounts)
    cells[position] += random.choice([-1, 1]) * (1 + abs(cells[position]) * random.random())


def changed_category(certificate, random):
    row = random.choice(certificate["rows"])
    cells = row[random.choice(["factual", "counterfactual"])]
    position = random.choice([p for p, cell in enumerate(cells) if isinstance(cell, str | bool)])
    cells[position] = not cells[position] if isinstance(cells[position], bool) else "somebody else"


def exchanged_rows(certificate, random):
    first, second = random.sample(certificate["rows"], 2)
    first["counterfactual"], second["counterfactual"] = (
        second["counterfactual"],
        first["counterfactual"],
    )


def immutable_feature_moves(certificate, random):
    """The second feature is immutable; the row claims the factual's probabilities."""
    row = random.choice(certificate["rows"])
    row["counterfactual"] = list(row["factual"])
    row["counterfactual"][1] += 1


def another_target(certificate, random):
    row = random.choice(certificate["rows"])
    row["target"] = next(label for label in certificate["classes"] if label != row["target"])


def higher_tau(certificate, random):
    certificate["tau"] = 0.999999999


TAMPERINGS = (
    changed_digest,
    changed_weights_digest,
    changed_probability,
    exchanged_probabilities,
    changed_number,
    changed_category,
    exchanged_rows,
    immutable_feature_moves,
    another_target,
    higher_tau,
)


class Executed(Exception):
    """A file has executed code."""


class Payload:
    """An object whose pickle raises `Executed` when it is loaded."""

    def __reduce__(self):
        return exec, ("import hostile_files; raise hostile_files.Executed",)


def attempt(path, original, rows):
    """Load a hostile model and return what happened.

    Parameters
    ----------
    path : Path
    original : str
        The state of the model before it was damaged; see `state_text`.
    rows : DataFrame

    Returns
    -------
    outcome : str
        "rejected" with an error that names the file as the cause, "unchanged" if the model is
        the same in spite of the damage, "edited" if it is another model.

    Raises
    ------
    Exception
        Any other error is a crash.
    """
    try:
        clf = ctsk.load(path)
    except ModelFileError:
        return "rejected"
    except ValueError as error:
        # The document states that a parameter must be passed, which names the parameter.
        if "is code of its author" in str(error):
            return "rejected"
        raise
    text = state_text(clf)
    if text != original:
        # What is loaded must work, too, or reject the rows.
        try:
            clf.predict_proba(rows)
        except ValueError:
            pass
        return "edited"
    return "unchanged"


def state_text(clf):
    """Return parameters and fitted state of a classifier as text."""
    state = clf.__getstate__()
    with np.printoptions(threshold=10**9, floatmode="unique"):
        return repr(in_order({name: state[name] for name in state}))


def in_order(value):
    """Return a dict as a sorted list, and other objects as they are."""
    if isinstance(value, dict):
        return sorted((str(key), in_order(part)) for key, part in value.items())
    return value


def written(path, files):
    """Write the files of a model into a folder, or, if they are bytes, as a file."""
    if isinstance(files, bytes):
        path.write_bytes(files)
        return
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)


def archive_of(files, *, compression=zipfile.ZIP_STORED, mode=stat.S_IFREG | 0o644):
    """Return a zip file; `files` are pairs of a name and a content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content, compression)
    return buffer.getvalue()


def resigned(files, document):
    """Return files in which all digests are right, as whoever knows the format makes them."""
    others = {name: content for name, content in files.items() if name != "model.json"}
    if isinstance(document.get("model"), dict):
        document["model"]["weights_sha256"] = digest_of(files["weights.safetensors"])
    document["files"] = {
        name: {"size": len(content), "sha256": digest_of(content)}
        for name, content in others.items()
    }
    content = {name: value for name, value in document.items() if name != "digest"}
    signed_document = {**content, "digest": digest_of(content)}
    return {**others, "model.json": json.dumps(signed_document).encode()}


def damaged_bytes(content, random):
    """Return bytes with a few of them changed, cut, repeated or inserted."""
    content, kind = bytearray(content), random.randrange(5)
    position = random.randrange(max(len(content), 1))
    if kind == 0 and content:
        for _ in range(random.randint(1, 4)):
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    elif kind == 1:
        del content[position:]
    elif kind == 2:
        content[position:position] = random.randbytes(random.randint(1, 40))
    elif kind == 3:
        del content[position : position + random.randint(1, 40)]
    else:
        other = random.randrange(max(len(content), 1))
        length = random.randint(1, 40)
        content[position : position + length] = content[other : other + length]
    return bytes(content)


def bytes_of_a_file(files, random):
    name = random.choice(sorted(files))
    return {**files, name: damaged_bytes(files[name], random)}


def bytes_of_the_archive(files, random):
    return damaged_bytes(archive_of(files.items()), random)


def directory_of_the_archive(files, random):
    """The directory at the end holds sizes, methods and offsets."""
    content = bytearray(archive_of(files.items()))
    for _ in range(random.randint(1, 3)):
        content[-random.randrange(1, 400)] = random.randrange(256)
    return bytes(content)


def exchanged_files(files, random):
    first, second = random.sample(sorted(files), 2)
    return {**files, first: files[second], second: files[first]}


def missing_file(files, random):
    name = random.choice(sorted(files))
    return {other: content for other, content in files.items() if other != name}


def odd_archive(files, random):
    """Links, names that climb out, names twice, other names, and compression (a zip bomb)."""
    name, kind = random.choice(sorted(files)), random.randrange(6)
    entries = list(files.items())
    if kind == 0:
        return archive_of(entries, mode=stat.S_IFLNK | 0o777)
    if kind == 1:
        climbing = random.choice(["../", "/", "C:\\", "a/../", "./", "\\\\host\\"]) + name
        return archive_of([*entries, (climbing, b"x")])
    if kind == 2:
        return archive_of([*entries, (random.choice(["setup.py", "model.pkl", "", " "]), b"x")])
    if kind == 3:
        bomb = [(n, b" " * 2**20 if n == name else content) for n, content in entries]
        return archive_of(bomb, compression=zipfile.ZIP_DEFLATED)
    if kind == 4:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return archive_of([*entries, (name, b"{}")])
    content = archive_of(entries)
    # Sizes of 4 GB in a directory entry.
    position = content.rfind(b"PK\x01\x02")
    return content[: position + 20] + b"\xff" * 8 + content[position + 28 :]


def pickle_in_place(files, random):
    name = random.choice(sorted(files))
    payload = pickle.dumps(Payload())
    if random.random() < 0.3:
        return payload
    if not name.endswith(".safetensors") or random.random() < 0.5:
        return {**files, name: payload}
    return resigned({**files, name: payload}, json.loads(files["model.json"]))


HOSTILE_VALUES = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, -0.0, 1e308, 1e-320, "", "a", "nan", [], {},
    [[]], [None], {"$float": "nan"}, {"$float": "-inf"}, {"$float": "x"}, {"$tuple": [1]},
    {"$tuple": 1}, {"$dict": [[1, 2], [1, 3]]}, {"$dict": [[[], 2]]}, {"$set": [[]]},
    {"$builtins.exec": "raise SystemExit"},
    {"$generator": {"class": "os.system", "parameters": {}}},
    {"$generator": {"class": "NearestGenerator", "parameters": {"n_starts": -1}}},
    {"$generator": {"class": "NearestGenerator", "parameters": {"x": 1}}},
    {"$array": {"dtype": "<f8", "shape": [2**40], "data": []}},
    {"$array": {"dtype": "O", "shape": [1], "data": [{"$builtins.eval": "1"}]}},
    {"$array": {"dtype": "<U1000000000", "shape": [0], "data": []}},
    {"$array": {"dtype": "V8", "shape": [0], "data": []}}, {"$array": []},
    {"$Timestamp": [0, "ns", "../../etc/passwd"]}, {"$Timestamp": [2**63, "s", None]},
    {"$Decimal": "1e999999999"}, {"$Fraction": [1, 0]}, {"$bytes": "zz"}, {"$device": "cuda:99"},
    {"$RandomState": [1]}, {"$date": "2020-13-01"}, {"$Interval": [2, 1, "left"]},
)  # fmt: skip


def nodes_of(value, path=()):
    """Yield the paths of all parts of a document."""
    yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from nodes_of(part, (*path, key))


def edited_document(files, random):
    """Parts of the document are replaced, deleted, added, exchanged; all digests are right."""
    document = json.loads(files["model.json"])
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        paths = list(nodes_of(document))[1:]
        *path, key = random.choice(paths)
        parent = functools.reduce(lambda part, name: part[name], path, document)
        kind = random.randrange(5)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, dict):
            parent[random.choice(["__class__", "x", "$tuple", key + "_"])] = parent[key]
        elif kind == 2:
            *other, name = random.choice(paths)
            source = functools.reduce(lambda part, step: part[step], [*other, name], document)
            parent[key] = copy.deepcopy(source)
        elif kind == 3 and type(parent[key]) in (int, float):
            parent[key] = random.choice([-parent[key], parent[key] + 1, parent[key] * 1e6, 0])
        else:
            parent[key] = copy.deepcopy(random.choice(HOSTILE_VALUES))
    return resigned(files, document)


def text_of_document(files, random):
    """Constructs of JSON that a strict reader rejects, and some that exhaust a careless one."""
    text, kind = files["model.json"].decode(), random.randrange(7)
    if kind == 0:
        key = random.choice(['"format"', '"model"', '"center"', '"kind"'])
        text = text.replace(key, f"{key}: 1, {key}", 1)
    elif kind == 1:
        text = "[" * random.choice([61, 1_000, 100_000]) + text
    elif kind == 2:
        text = text.replace("1", "1" * random.choice([400, 5_000]), 1)
    elif kind == 3:
        text = text.replace("null", random.choice(["NaN", "Infinity", "-Infinity"]), 1)
    elif kind == 4:
        text = text.replace('"name": "', '"name": "\\ud800', 1)
    elif kind == 5:
        text = text.replace("0.0", random.choice(["1e999", "-1e999"]), random.choice([1, 9]))
    else:
        text = '{"a":' * 61 + text + "}" * 61
    return {**files, "model.json": text.encode()}


def edited_header(files, random):
    """The header of the weights claims other sizes, dtypes, offsets or names; digests are right."""
    name = random.choice([n for n in files if n.endswith(".safetensors")])
    content = files[name]
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    key = random.choice(list(header))
    entry, kind = header[key], random.randrange(8)
    if kind == 0:
        entry["shape"] = random.choice(
            [[2**40], [2**62, 4], [0, 2**62], [-1], [1.5], [True], None, [1] * 100, []]
        )
    elif kind == 1:
        entry["dtype"] = random.choice(["F64", "F16", "BF16", "F8_E4M3", "O", None, [], "I64"])
    elif kind == 2:
        start, end = entry["data_offsets"]
        entry["data_offsets"] = random.choice(
            [
                [start, end + 4],
                [0, end],
                [end, start],
                [-4, end],
                [start],
                [2**63, 2**64],
                [0, 2**42],
            ]
        )
    elif kind == 3:
        header[random.choice(["module.9.weight", "__class__", "", key.upper()])] = header.pop(key)
    elif kind == 4:
        entry[random.choice(["x", "__reduce__"])] = 1
    elif kind == 5:
        header["__metadata__"] = random.choice([{"a": "b"}, {"a": 1}, [], None])
    elif kind == 6:
        # A tensor that claims a terabyte, within a header that agrees with itself.
        entry["shape"] = [2**38]
        entry["data_offsets"] = [0, 2**40]
    text = json.dumps(header).encode()
    if kind == 7:
        text = text[:-1] + b", " + json.dumps({key: entry}).encode()[1:]
    claimed = random.choice([len(text), len(text), len(text), 2**63, len(text) + 1, 0])
    edited = struct.pack("<Q", claimed) + text + data
    return resigned({**files, name: edited}, json.loads(files["model.json"]))


def edited_weights(files, random):
    """Numbers of the weights that no training leaves; all digests are right."""
    name = random.choice([n for n in files if n.endswith(".safetensors")])
    content = bytearray(files[name])
    (length,) = struct.unpack("<Q", content[:8])
    for _ in range(random.randint(1, 3)):
        position = 8 + length + 4 * random.randrange((len(content) - 8 - length) // 4)
        number = random.choice([math.nan, math.inf, 3e38, -1.0, 0.0])
        content[position : position + 4] = struct.pack("<f", number)
    return resigned({**files, name: bytes(content)}, json.loads(files["model.json"]))


# Damage, after which no digest is right; and edits by somebody who knows the format.
DAMAGES = (
    bytes_of_a_file,
    bytes_of_the_archive,
    directory_of_the_archive,
    exchanged_files,
    missing_file,
    odd_archive,
    pickle_in_place,
    text_of_document,
)
EDITS = (edited_document, edited_header, edited_weights)
