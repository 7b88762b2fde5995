"""The state of a fitted estimator as plain values: names, numbers and arrays."""

import warnings

import numpy as np
import torch

from ctsk._columns.user_warnings import warn_user
from ctsk._storing.encoders import (
    constraints_of,
    constraints_state,
    encoder_of,
    encoder_state,
)
from ctsk._storing.generators import generator_of, generator_state, is_own
from ctsk._storing.nets import mapped, net_of, net_state, users_parts
from ctsk._torch.utils import check_device, default_torch_modes
from ctsk._version import __version__
from ctsk.exceptions import OtherVersionWarning

# Fitted attributes that are objects of ctsk or skorch. All others are arrays and numbers.
_OBJECTS = ("encoder_", "constraints_", "net_", "explainer_")
# Key of the state of an estimator under which the plain values of these objects are.
FITTED = "fitted"
# Key of the version of ctsk, which is no attribute of an estimator.
_VERSION = "ctsk_version"


def plain_state(attributes):
    """Return the attributes of an estimator with plain values in place of fitted objects.

    Parameters
    ----------
    attributes : dict
        As `BaseEstimator.__getstate__` returns them.

    Returns
    -------
    state : dict
        The version of ctsk, and the attributes, of which the fitted objects are replaced by one
        entry, ``"fitted"``. Only its entry ``"users_parts"`` holds objects: those of a user, such
        as a module.
    """
    state = {name: value for name, value in attributes.items() if name not in _OBJECTS}
    state[_VERSION] = __version__
    if "net_" not in attributes:
        return state
    net = attributes["net_"]
    parts, fitted = users_parts(net), fitted_state(attributes)
    if "module" in parts:
        # The module brings its weights.
        fitted["net"]["weights"] = None
    if not is_own(net.generator):
        parts["generator"], fitted["generator"] = net.generator, None
    return {**state, FITTED: {**fitted, "users_parts": parts}}


def fitted_state(attributes):
    """Return the fitted objects of an estimator as plain values.

    Parameters
    ----------
    attributes : dict
        The attributes of a fitted estimator.

    Returns
    -------
    fitted : dict
    """
    net = attributes["net_"]
    return {
        "encoder": encoder_state(attributes["encoder_"]),
        "constraints": constraints_state(attributes["constraints_"]),
        "explainer": generator_state(attributes["explainer_"]),
        "generator": generator_state(net.generator) if is_own(net.generator) else None,
        "net": net_state(net),
    }


def attributes_of_pickle(state):
    """Return the attributes of an estimator from its state, which another version may have pickled.

    Parameters
    ----------
    state : dict
        See `plain_state`.

    Returns
    -------
    attributes : dict

    Warns
    -----
    OtherVersionWarning
        If another version of ctsk has pickled the estimator.
    UserWarning
        See `attributes_of`.
    """
    state = dict(state)
    version = state.pop(_VERSION, "an unknown version")
    if version != __version__:
        warn_user(
            f"The estimator was pickled by ctsk {version}, but this is ctsk {__version__}, in "
            "which it may fail, or have other results. Unpickle it by the version that pickled it, "
            "or fit it anew; to keep models for later versions, store them by ctsk.save.",
            OtherVersionWarning,
        )
    return attributes_of(state)


def attributes_of(state):
    """Return the attributes of the estimator whose plain values are given by `plain_state`.

    Parameters
    ----------
    state : dict

    Returns
    -------
    attributes : dict

    Warns
    -----
    UserWarning
        If the device of the estimator is unavailable. The CPU takes its place.
    """
    if FITTED not in state:
        return state
    attributes = {name: value for name, value in state.items() if name != FITTED}
    parts = state[FITTED]["users_parts"]
    # joblib passes large arrays between processes as read-only ones, which torch rejects.
    fitted = mapped({**state[FITTED], "users_parts": None}, np.ndarray, np.array)
    # A web server may load a model under torch.inference_mode, whose tensors cannot be trained.
    with default_torch_modes():
        encoder = encoder_of(fitted["encoder"])
        constraints = constraints_of(fitted["constraints"], encoder)
        costs = encoder.relative_costs(attributes["feature_costs_"], constraints)
        device = _available(fitted["net"]["device"])
        groups = encoder.groups
        generator = parts.get("generator")
        if fitted["generator"] is not None:
            generator = generator_of(fitted["generator"], groups, device, generator)
        net = net_of(
            fitted["net"],
            n_columns=groups.n_columns,
            n_classes=len(attributes["classes_"]),
            device=device,
            parts=parts,
            constraints=encoder.encode_constraints(constraints).to_tensors(
                dtype=torch.float32, device=device
            ),
            costs=torch.as_tensor(costs, dtype=torch.float32, device=device),
            generator=generator,
        )
        explainer = generator_of(fitted["explainer"], groups, device)
    return {
        **attributes,
        "encoder_": encoder,
        "constraints_": constraints,
        "net_": net,
        "explainer_": explainer,
    }


def _available(device):
    """Return a device, or the CPU, with a warning, if this machine does not have it."""
    try:
        return check_device(device)
    except ValueError:
        warnings.warn(
            f"The estimator was stored on the device {device!r}, which is unavailable here. It is "
            "loaded on the CPU.",
            UserWarning,
            stacklevel=2,
        )
        return torch.device("cpu")
