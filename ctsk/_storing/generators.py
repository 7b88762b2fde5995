"""Generators as plain values: parameters, and what has been learned."""

import numpy as np
import torch

from ctsk._torch.networks import VAE, check_layers
from ctsk.generators.shortcuts import SHORTCUTS

CLASSES = {generator.__name__: generator for generator in SHORTCUTS.values()}


def is_own(generator):
    """Return whether a generator is of a class of ctsk, not of a subclass by a user."""
    return CLASSES.get(type(generator).__name__) is type(generator)


def generator_state(generator):
    """Return a generator as plain values.

    Parameters
    ----------
    generator : BaseGenerator

    Returns
    -------
    state : dict
        ``"parameters"`` of a generator of a user are None, because they can be any objects.
        ``"numbers"`` and ``"tensors"`` are what has been learned.

    Raises
    ------
    TypeError
        If the generator has learned anything else than numbers and tensors.
    """
    numbers, tensors = {}, {}
    for name, value in vars(generator).items():
        if not name.endswith("_"):
            continue
        if isinstance(value, torch.Tensor):
            tensors[name] = array_of(value)
        elif isinstance(value, VAE):
            weights = value.state_dict().items()
            tensors |= {f"{name}.{part}": array_of(tensor) for part, tensor in weights}
        elif value is None or isinstance(value, bool | int | float):
            numbers[name] = value
        else:
            raise TypeError(f"{name} is a {type(value).__name__}")
    return {
        "class": type(generator).__name__,
        "parameters": generator.get_params(deep=False) if is_own(generator) else None,
        "numbers": numbers,
        "tensors": tensors,
    }


def generator_of(state, groups, device, generator=None):
    """Return the generator whose plain values are given by `generator_state`.

    Parameters
    ----------
    state : dict
    groups : OneHotGroups
        The groups of the encoder.
    device : torch.device
    generator : BaseGenerator or None, default=None
        A new generator of a user; None builds one of a class of ctsk.
    """
    if generator is None:
        generator = CLASSES[state["class"]](**state["parameters"])
    vae_weights = {}
    for name, values in state["tensors"].items():
        attribute, _, part = name.partition(".")
        if part:
            vae_weights[part] = values
        else:
            setattr(generator, attribute, tensor_of(values).to(device))
    for name, value in state["numbers"].items():
        setattr(generator, name, value)
    if vae_weights:
        generator.vae_ = _vae_of(generator, vae_weights, groups).to(device)
    return generator


def _vae_of(generator, weights, groups):
    # The rows that an autoencoder is built with determine buffers only, which are then replaced.
    vae = VAE(
        torch.zeros((2, groups.n_columns), dtype=torch.float32),
        groups,
        n_latent=generator.n_latent,
        hidden_layer_sizes=check_layers(generator.hidden_layer_sizes),
        generator=torch.Generator("cpu").manual_seed(0),
    )
    vae.load_state_dict({name: tensor_of(values) for name, values in weights.items()})
    return vae.eval().requires_grad_(False)


def array_of(tensor):
    """Return a copy of a tensor as an array, wherever it is."""
    return tensor.detach().cpu().numpy().copy()


def tensor_of(array):
    """Return an array as a tensor on the CPU, which shares no memory with it."""
    return torch.from_numpy(np.array(array))
