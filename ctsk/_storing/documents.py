"""What the files of a model hold: a document of JSON, and arrays."""

import numpy as np

from ctsk._storing.encoders import ARRAYS, CONSTRAINTS, PAIRS
from ctsk._storing.generators import generator_state
from ctsk._storing.json_text import digest_of
from ctsk._storing.state import fitted_state
from ctsk._storing.tensors import write_tensors
from ctsk._storing.values import to_json

FORMAT = "ctsk.CounterfactualTrainedClassifier"
FORMAT_VERSION = 1
# The names of the files of a model. The third one exists only if training is to be resumed.
DOCUMENT, WEIGHTS, RESUME, CARD = (
    "model.json",
    "weights.safetensors",
    "resume.safetensors",
    "card.md",
)
# Parameters whose values can be code. What cannot be stored of them is passed to `load`.
CODE = ("module", "generator", "optimizer", "callbacks")
# Parameters that belong to the machine of the training: a path says nothing elsewhere, and whoever
# edits a file must not choose where `fit` writes.
LOCAL = ("checkpoint_dir",)


def describe(attributes, parameters, *, resume):
    """Return the document of a fitted estimator and its arrays, without the card.

    Parameters
    ----------
    attributes : dict
        The attributes of the estimator.
    parameters : dict
        Its parameters.
    resume : bool
        Whether the optimizer and the random state are part of it.

    Returns
    -------
    document : dict
        As JSON can hold it. `complete` adds the digests of files, and its own.
    files : dict of str to bytes
        The files with arrays.

    Raises
    ------
    TypeError
        If a parameter, or what was learned, is of a type that is not stored.
    """
    model, weights, fitted = describe_model(attributes)
    files, state = {WEIGHTS: weights}, fitted["net"]
    is_passed, stored = _users_parts(fitted, attributes["net_"].callbacks_), {}
    for name, value in parameters.items():
        if name in is_passed or name in LOCAL:
            continue
        try:
            stored[name] = to_json(value)
        except TypeError as error:
            if name not in CODE:
                raise TypeError(
                    f"The parameter {name} cannot be stored: {error}. Set it to text, numbers, "
                    "lists or dicts, or use pickle or joblib, whose files only you should load, "
                    "because they can execute code."
                ) from error
            is_passed.add(name)
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": model,
        "passed_to_load": sorted(is_passed),
        "parameters": stored,
        "training": _training(fitted),
        "history": _stored("history_", to_json, state["history"]),
        "resume": None,
    }
    if resume:
        numbers, arrays = split_resume(state["resume"])
        document["resume"] = _stored("optimizer", to_json, numbers)
        files[RESUME] = _stored("optimizer", write_tensors, arrays)
    return document, files


def describe_model(attributes):
    """Return what predicts and explains.

    Parameters
    ----------
    attributes : dict
        The attributes of a fitted estimator.

    Returns
    -------
    model : dict
        The part "model" of a document. Its digest identifies the model.
    weights : bytes
        The file of the weights, and of what generators have learned.
    fitted : dict
        See `fitted_state`; with the state of the generator even if its class is a user's.

    Raises
    ------
    TypeError
        If what was learned is of a type that is not stored.
    """
    fitted = fitted_state(attributes)
    fitted["generator"] = _stored("generator", generator_state, attributes["net_"].generator)
    arrays = {f"module.{name}": values for name, values in fitted["net"]["weights"].items()}
    for name in ("generator", "explainer"):
        arrays |= {f"{name}.{part}": a for part, a in fitted[name]["tensors"].items()}
    weights = _stored("module", write_tensors, arrays)
    architecture = fitted["net"]["architecture"]
    model = {
        "weights_sha256": digest_of(weights),
        "architecture": None if architecture is None else _listed(architecture),
        "classes": _stored("classes_", to_json, attributes["classes_"]),
        "encoder": _encoder(fitted["encoder"], attributes["encoder_"].feature_columns),
        "constraints": {name: _listed(fitted["constraints"][name]) for name in CONSTRAINTS},
        "feature_costs": _listed(attributes["feature_costs_"]),
    }
    return model, weights, fitted


def complete(document, files, version):
    """Return a document with the sizes and the digests of the files, and its own digest.

    Parameters
    ----------
    document : dict
    files : dict of str to bytes
        All files but that of the document.
    version : str
        The version of ctsk.
    """
    sizes = {
        name: {"size": len(content), "sha256": digest_of(content)}
        for name, content in sorted(files.items())
    }
    document = {**document, "ctsk_version": version, "files": sizes}
    return {**document, "digest": digest_of(document)}


def _users_parts(fitted, callbacks):
    """Return the names of the parameters whose fitted parts are objects of a user."""
    names = set()
    if fitted["net"]["architecture"] is None:
        names.add("module")
    if fitted["net"]["optimizer"] is None:
        names.add("optimizer")
    if fitted["generator"]["parameters"] is None:
        names.add("generator")
    if len(callbacks) > 1 + fitted["net"]["shows_progress"]:
        names.add("callbacks")
    return names


def _stored(name, function, value):
    """Return a function of a value; its TypeError names a parameter or an attribute."""
    try:
        return function(value)
    except TypeError as error:
        raise TypeError(
            f"{name} cannot be stored: {error}. Use pickle or joblib, whose files only you should "
            "load, because they can execute code."
        ) from error


def _listed(value):
    """Return arrays, also those within a dict, as lists, which are read more easily."""
    if isinstance(value, dict):
        return {name: _listed(part) for name, part in value.items()}
    return to_json(list(value) if isinstance(value, tuple) else np.asarray(value).tolist())


def _encoder(state, columns):
    """Return the state of an encoder as JSON; `columns` are the columns of each feature."""
    described = {
        "features": [],
        "one_hot_groups": [list(group) for group in state["one_hot_groups"]],
        "is_named": state["is_named"],
        "handle_unknown": state["handle_unknown"],
    }
    for feature, own in zip(state["features"], columns, strict=True):
        title = f"Feature {feature['name']!r:.60} of X"
        parts = {**feature, "columns": own}
        if feature["kind"] == "number":
            # As a cell, a missing number is null.
            parts["states"] = [None if np.isnan(state) else state for state in feature["states"]]
        described["features"].append(
            {key: _stored(title, to_json, _sequence(key, part)) for key, part in parts.items()}
        )
    names = [*ARRAYS, *(f"{pair}_{end}" for pair in PAIRS for end in ("low", "high"))]
    return described | {name: _listed(state[name]) for name in names}


def _sequence(key, value):
    """Return arrays, tuples and a grid of a feature as lists; its name may be a tuple itself."""
    if isinstance(value, np.ndarray | dict):
        return _listed(value)
    return list(value) if isinstance(value, tuple) and key != "name" else value


def _training(fitted):
    """Return what only matters to further training, and the generators, as JSON."""
    state = fitted["net"]
    names = ("device", "frozen", "optimizer", "weight_decay", "settings", "objective")
    described = {name: to_json(state[name]) for name in (*names, "shows_progress")}
    for name in ("class_weight", "schedule"):
        described[name] = None if state[name] is None else _listed(state[name])
    for name in ("generator", "explainer"):
        learned = fitted[name]
        described[name] = to_json({**learned, "tensors": sorted(learned["tensors"])})
    return described


def split_resume(state):
    """Return what training goes on from in two parts.

    Parameters
    ----------
    state : dict
        The part "resume" of the state of a net.

    Returns
    -------
    described : dict
        The numbers of the optimizer, and its groups of parameters, as plain values.
    arrays : dict of str to ndarray
        The arrays of the optimizer, and the random state.
    """
    arrays, numbers = {"random": state["random"]}, {}
    for weight, entries in state["optimizer"]["state"].items():
        for name, value in entries.items():
            if isinstance(value, np.ndarray):
                arrays[f"optimizer.{weight}.{name}"] = value
            else:
                numbers.setdefault(str(weight), {})[name] = value
    return {"numbers": numbers, "param_groups": state["optimizer"]["param_groups"]}, arrays
