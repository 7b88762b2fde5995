"""Whole models: from an estimator to files, and from files to the attributes of an estimator."""

import copy

import numpy as np
import torch

from ctsk._storing.card import card_of
from ctsk._storing.checks import check_choice, check_contents, check_document, check_list
from ctsk._storing.documents import (
    CARD,
    CODE,
    DOCUMENT,
    FORMAT,
    FORMAT_VERSION,
    LOCAL,
    RESUME,
    WEIGHTS,
    complete,
    describe,
)
from ctsk._storing.generators import array_of
from ctsk._storing.json_text import LARGEST, digest_of, parse_json, readable_json
from ctsk._storing.nets import other_weights, resume_optimizer
from ctsk._storing.reading import read_model
from ctsk._storing.reading_training import read_resume, read_training
from ctsk._storing.state import FITTED, attributes_of
from ctsk._storing.tensors import read_tensors
from ctsk._storing.values import from_json, require
from ctsk._torch.utils import default_torch_modes, forked_random_state, make_generator
from ctsk._training.callbacks import check_callbacks
from ctsk._training.module import build_module
from ctsk.exceptions import ModelFileError
from ctsk.generators.shortcuts import new_generator

_TOP = (
    "format", "format_version", "ctsk_version", "files", "model", "passed_to_load", "parameters",
    "training", "history", "resume", "digest",
)  # fmt: skip
# Number of made-up rows on which a module that is passed to `load` is checked.
_N_CHECKED = 8


def files_of(attributes, parameters, version, *, resume):
    """Return the files of a fitted estimator.

    Parameters
    ----------
    attributes, parameters : dict
        Those of the estimator.
    version : str
        The version of ctsk.
    resume : bool
        Whether to include the optimizer and the random state.

    Returns
    -------
    files : dict of str to bytes
        The last one is the document, which holds the digests of the others.

    Raises
    ------
    TypeError
        If a parameter, or what was learned, is of a type that is not stored.
    ValueError
        If a weight is no float32, or anything else is not as `fit` leaves it.
    """
    document, files = describe(attributes, parameters, resume=resume)
    files[CARD] = card_of(document)
    files[DOCUMENT] = readable_json(complete(document, files, version))
    # What cannot be read must not be written: the error comes before the old file is replaced.
    try:
        check_files(lambda name, largest: files[name])
    except ModelFileError as error:
        raise ValueError(
            f"The estimator cannot be stored, because its file could not be read again: {error}"
        ) from error
    return files


def check_files(read):
    """Read the files of a model, and check all that can be checked without the user's objects.

    Parameters
    ----------
    read : callable
        See `open_files`.

    Returns
    -------
    document : dict
    states : dict
        Attributes that are arrays, and the states of encoder, constraints, generators and net.

    Raises
    ------
    ModelFileError
        If a file is damaged, or holds anything that no model holds.
    """
    document = parse_json(read(DOCUMENT, LARGEST))
    check_document(document, _TOP, DOCUMENT, file_format=FORMAT, latest=FORMAT_VERSION)
    contents = check_contents(
        document["files"], read, DOCUMENT, required={WEIGHTS, CARD}, optional={RESUME}
    )
    model = document["model"]
    attributes, states, groups = read_model(model)
    require(model["weights_sha256"] == digest_of(contents[WEIGHTS]), "the weights are others")
    arrays = read_tensors(contents[WEIGHTS])
    n_classes = len(attributes["classes_"])
    states |= read_training(
        document["training"], model, document["history"], arrays, groups, n_classes
    )
    _check_passed(document["passed_to_load"], states)
    require((document["resume"] is None) == (RESUME not in contents), "resume is no file")
    resume = None
    if document["resume"] is not None:
        resume = read_resume(document["resume"], read_tensors(contents[RESUME]))
    return document, {"attributes": attributes, "states": states, "resume": resume}


def _check_passed(names, states):
    """Check that the objects which a file lacks are among those to be passed."""
    for name in check_list(names, "passed_to_load"):
        check_choice(name, CODE, "passed_to_load")
    require(sorted(set(names)) == names, "passed_to_load is not in order")
    lacking = {
        "module": states["net"]["architecture"] is None,
        "optimizer": states["net"]["optimizer"] is None,
        "generator": states["generator"]["parameters"] is None,
    }
    for name, is_lacking in lacking.items():
        require(not is_lacking or name in names, f"{name} is neither stored nor passed")


def parameters_of(document, names, passed):
    """Return the parameters of a stored estimator.

    Parameters
    ----------
    document : dict
    names : iterable of str
        The names of all parameters.
    passed : dict
        What the user has passed for parameters that are not stored.

    Raises
    ------
    ModelFileError
        If a parameter is unknown or invalid.
    ValueError
        If a parameter must be passed, or must not be.
    """
    expected = set(document["passed_to_load"])
    for name in sorted(expected - set(passed)):
        raise ValueError(
            f"The parameter {name} of this model is code of its author, which is not stored. Pass "
            f"the same {name} as in training: ctsk.load(path, {name}=...)."
        )
    for name in sorted(set(passed) - expected):
        raise ValueError(
            f"The parameter {name} of this model is stored. Call ctsk.load without {name}, and "
            "set_params afterward to change it."
        )
    parameters = from_json(document["parameters"])
    require(isinstance(parameters, dict), "parameters are no object")
    require(set(parameters) <= set(names) - expected - set(LOCAL), "a parameter is unknown")
    return {**parameters, **passed}


def fitted_attributes(checked, estimator, passed):
    """Return the fitted attributes of a stored estimator.

    Parameters
    ----------
    checked : dict
        What `check_files` returns.
    estimator : CounterfactualTrainedClassifier
        Has the parameters.
    passed : dict
        See `parameters_of`.
    """
    attributes, states = checked["attributes"], copy.copy(checked["states"])
    resume = checked["resume"]
    # Without a random state, training goes on as it would begin.
    random = make_generator(copy.deepcopy(estimator.random_state)).get_state()
    states["net"] = {
        **states["net"],
        "resume": {
            "random": array_of(random) if resume is None else resume["random"],
            "optimizer": None,
        },
    }
    states["users_parts"] = _parts(passed, states, attributes)
    attributes = attributes_of({**attributes, FITTED: states})
    if resume is not None:
        resume_optimizer(attributes["net_"], resume["optimizer"])
    return attributes


def _parts(passed, states, attributes):
    """Return the objects of a user as parts of a net; see `users_parts`."""
    parts = {}
    if states["net"]["architecture"] is None:
        parts["module"] = _module(passed["module"], states, len(attributes["classes_"]))
    if states["net"]["optimizer"] is None:
        parts["optimizer"] = passed["optimizer"]
    if states["generator"]["parameters"] is None:
        parts["generator"] = _generator(passed["generator"], states["generator"]["class"])
    if "callbacks" in passed:
        parts["new_callbacks"] = check_callbacks(passed["callbacks"])
    return parts


def _generator(generator, name):
    generator = new_generator(generator)
    if type(generator).__name__ != name:
        raise ValueError(
            f"generator is a {type(generator).__name__}, but the model was trained with a {name}. "
            "Pass the same generator as in training."
        )
    return generator


def _module(build, states, n_classes):
    """Return a user's module, whose weights have the names and shapes of the stored ones."""
    encoder = states["encoder"]
    n_columns = len(encoder["center"])
    n_numeric = sum(feature["kind"] == "number" for feature in encoder["features"])
    rows = np.random.default_rng(0).standard_normal((_N_CHECKED, n_columns)).astype(np.float32)
    random = torch.Generator("cpu").manual_seed(0)
    # Its initial weights are drawn from the global random state, which is restored.
    with default_torch_modes(), forked_random_state(random, torch.device("cpu")):
        module = build_module(build, rows, n_classes, n_numeric)
    others = other_weights(module, states["net"]["weights"])
    if others:
        raise ValueError(
            f"module builds a network whose weights are not those of the model: {others[:10]} "
            "differ in name, shape or dtype. Pass the same module as in training."
        )
    return module
