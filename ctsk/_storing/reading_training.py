"""What training goes on from: from a document to plain values, with every part checked."""

import numpy as np
import torch

from ctsk._storing.checks import (
    check_arrays,
    check_choice,
    check_flag,
    check_integer,
    check_list,
    check_number,
    check_numbers,
    check_record,
)
from ctsk._storing.generators import learned_numbers, learned_shapes, weight_shapes
from ctsk._storing.nets import SETTINGS, WEIGHTS
from ctsk._storing.values import from_json, require
from ctsk._torch.networks import ACTIVATIONS
from ctsk._training.optimizers import OPTIMIZERS

_TRAINING = (
    "device", "frozen", "optimizer", "weight_decay", "settings", "objective", "shows_progress",
    "class_weight", "schedule", "generator", "explainer",
)  # fmt: skip
# Settings that are integers, with their least values; the others are positive numbers.
_INTEGERS = {
    "T": 1, "n_counterfactuals": 1, "n_conventional_epochs": 0, "batch_size": 1, "max_epochs": 1,
}  # fmt: skip


def read_training(training, model, history, arrays, groups, n_classes):
    """Return the states of the generators, and of the net without its random state.

    Parameters
    ----------
    training, model, history : object
        Parts of a document.
    arrays : dict of str to ndarray
        The weights of the module, and what generators have learned.
    groups : OneHotGroups
    n_classes : int

    Returns
    -------
    states : dict
        Under "generator", "explainer" and "net".
    """
    check_record(training, _TRAINING, "training")
    sizes = groups, n_classes
    states = {
        name: _read_generator(training[name], part_of(arrays, name), *sizes, name)
        for name in ("generator", "explainer")
    }
    explainer = states["explainer"]
    require(explainer["class"] == "NearestGenerator", "the explainer has another class")
    require(explainer["parameters"] is not None, "the explainer has no parameters")
    n_parts = sum(len(part_of(arrays, name)) for name in ("module", "generator", "explainer"))
    require(n_parts == len(arrays), "the weights contain unknown arrays")
    weights, architecture = part_of(arrays, "module"), None
    if model["architecture"] is not None:
        architecture = _read_architecture(model["architecture"])
        layers = [groups.n_columns, *architecture["hidden_layer_sizes"], n_classes]
        check_arrays(weights, weight_shapes(layers, architecture["dropout"]), "the module")
    states["net"] = {
        "architecture": architecture,
        "weights": weights,
        "frozen": check_list(training["frozen"], "frozen"),
        "history": read_history(history),
        **_read_settings(training, n_classes),
    }
    require(
        all(isinstance(name, str) and name in weights for name in training["frozen"]),
        "a frozen weight is unknown",
    )
    return states


def part_of(arrays, name):
    """Return the arrays whose names begin with a name and a dot, without both."""
    prefix = f"{name}."
    return {key[len(prefix) :]: a for key, a in arrays.items() if key.startswith(prefix)}


def _read_architecture(described):
    check_record(described, ("hidden_layer_sizes", "activation", "dropout"), "architecture")
    sizes = check_list(described["hidden_layer_sizes"], "hidden_layer_sizes")
    activation = check_choice(described["activation"], ACTIVATIONS, "activation")
    require(activation is not None, "activation is missing")
    dropout = check_number(described["dropout"], "dropout", low=0, high=1)
    require(dropout < 1, "dropout is 1")
    return {
        "hidden_layer_sizes": tuple(
            check_integer(size, "hidden_layer_sizes", low=1) for size in sizes
        ),
        "activation": activation,
        "dropout": dropout,
    }


def _read_settings(training, n_classes):
    """Return the settings of a net."""
    settings = check_record(training["settings"], SETTINGS, "settings")
    for name in SETTINGS:
        if name == "patience":
            if settings[name] is not None:
                check_integer(settings[name], name, low=1)
        elif name in _INTEGERS:
            check_integer(settings[name], name, low=_INTEGERS[name])
        else:
            require(check_number(settings[name], name, low=0) > 0, f"{name} is zero")
    require(settings["tau"] < 1, "tau is no probability")
    weights = check_record(training["objective"], WEIGHTS, "objective")
    for name in WEIGHTS:
        check_number(weights[name], name, low=0)
    class_weight = training["class_weight"]
    if class_weight is not None:
        numbers = check_numbers(class_weight, n_classes, "class_weight")
        with np.errstate(over="ignore"):
            class_weight = numbers.astype(np.float32)
        require((class_weight >= 0).all() and np.isfinite(class_weight).all(), "class_weight")
    schedule = training["schedule"]
    if schedule is not None:
        check_list(schedule, "schedule", 2)
        schedule = tuple(check_integer(n, "schedule", low=low) for low, n in enumerate(schedule))
    device = training["device"]
    require(isinstance(device, str) and len(device) <= 20, "device is no name")
    return {
        "device": device,
        "optimizer": check_choice(training["optimizer"], (None, *OPTIMIZERS), "optimizer"),
        "weight_decay": check_number(training["weight_decay"], "weight_decay", low=0),
        "settings": settings,
        "objective": weights,
        "class_weight": class_weight,
        "schedule": schedule,
        "shows_progress": check_flag(training["shows_progress"], "shows_progress"),
    }


def read_history(history):
    """Return the records of the epochs, from the part "history" of a document."""
    epochs = from_json(check_list(history, "history"))
    require(all(isinstance(epoch, dict) for epoch in epochs), "an epoch is no object")
    require(
        all(isinstance(name, str) for epoch in epochs for name in epoch), "a record has no name"
    )
    return epochs


def _read_generator(described, tensors, groups, n_classes, title):
    """Return the state of a generator."""
    check_record(described, ("class", "parameters", "numbers", "tensors"), title)
    require(sorted(tensors) == described["tensors"], f"the weights of the {title} are others")
    numbers = from_json(described["numbers"])
    require(isinstance(numbers, dict), f"the numbers of the {title} are no object")
    require(all(name.endswith("_") for name in numbers), f"a number of the {title} is unknown")
    state = {"class": described["class"], "numbers": numbers, "tensors": tensors}
    require(isinstance(described["class"], str), f"the class of the {title} has no name")
    if described["parameters"] is None:
        is_plain = all(
            value is None or type(value) in (bool, int, float) for value in numbers.values()
        )
        require(is_plain, f"the numbers of the {title} are others")
        return {**state, "parameters": None}
    # The parameters of a generator of ctsk are checked as those of a value are.
    generator = from_json({"$generator": {key: described[key] for key in ("class", "parameters")}})
    check_arrays(tensors, learned_shapes(generator, groups, n_classes), f"the {title}")
    require(
        set(numbers) == set(learned_numbers(generator)), f"the numbers of the {title} are others"
    )
    for name, value in numbers.items():
        check_number(value, f"{name} of the {title}")
    return {**state, "parameters": generator.get_params(deep=False)}


def read_resume(described, arrays):
    """Return the random state and the state of the optimizer.

    Parameters
    ----------
    described : object
        The part "resume" of a document.
    arrays : dict of str to ndarray
        The arrays of the file of this name.

    Returns
    -------
    resume : dict
        `resume_optimizer` compares the state of the optimizer with that of a new one.
    """
    check_record(described, ("numbers", "param_groups"), "resume")
    random = arrays.get("random")
    require(random is not None and random.dtype == np.uint8, "the random state is missing")
    try:
        torch.Generator("cpu").set_state(torch.from_numpy(random.copy()))
    except (RuntimeError, TypeError):
        require(False, "the random state is invalid")
    state = {}
    for name in sorted(set(arrays) - {"random"}):
        prefix, weight, entry = (*name.split(".", 2), "", "")[:3]
        is_known = prefix == "optimizer" and weight.isdecimal() and len(weight) < 10 and entry
        require(bool(is_known), f"the array {name!r:.60} is unknown")
        state.setdefault(int(weight), {})[entry] = arrays[name]
    numbers = from_json(described["numbers"])
    require(isinstance(numbers, dict), "the numbers of the optimizer are no object")
    for weight, entries in numbers.items():
        is_known = isinstance(weight, str) and weight.isdecimal() and len(weight) < 10
        require(is_known and isinstance(entries, dict), "a number of the optimizer is unknown")
        state.setdefault(int(weight), {}).update(entries)
    groups = from_json(check_list(described["param_groups"], "param_groups"))
    return {"random": random, "optimizer": {"state": state, "param_groups": groups}}
