"""Generators as plain values: parameters, and what has been learned."""

import numpy as np
import torch

from ctsk._torch.networks import VAE, check_layers
from ctsk.generators import GenericGenerator, NearestGenerator, REVISEGenerator
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


def learned_shapes(generator, groups, n_classes):
    """Return the shapes of the tensors that a fitted generator of ctsk has learned, by name.

    None in a shape stands for any number.
    """
    n_columns = groups.n_columns
    if isinstance(generator, NearestGenerator):
        return {"prototypes_": (None, n_columns)}
    if isinstance(generator, GenericGenerator) and generator.learns:
        return {"deviations_": (n_columns,), "centroids_": (n_classes, n_columns)}
    if not isinstance(generator, REVISEGenerator):
        return {}
    hidden, n_latent = check_layers(generator.hidden_layer_sizes), generator.n_latent
    parts = {
        "encoder": weight_shapes([n_columns, *hidden, 2 * n_latent], 0),
        "decoder": weight_shapes([n_latent, *hidden[::-1], n_columns], 0),
    }
    shapes = {f"vae_.{name}": (n_columns,) for name in ("varies", "center", "scale")}
    shapes["vae_.log_deviations"] = (groups.n_numeric,)
    for part, of_part in parts.items():
        shapes |= {f"vae_.{part}.{name}": shape for name, shape in of_part.items()}
    return shapes


def learned_numbers(generator):
    """Return the names of the numbers that a fitted generator of ctsk has learned."""
    return ("reconstruction_error_",) if isinstance(generator, REVISEGenerator) else ()


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


def weight_shapes(sizes, dropout):
    """Return the shapes of the weights of a perceptron by their names.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of inputs, of the units of each hidden layer, and of outputs.
    dropout : float
    """
    # Between two linear layers there are an activation and maybe a dropout.
    step = 3 if dropout else 2
    shapes = {}
    for depth in range(len(sizes) - 1):
        shapes[f"{step * depth}.weight"] = (sizes[depth + 1], sizes[depth])
        shapes[f"{step * depth}.bias"] = (sizes[depth + 1],)
    return shapes


def array_of(tensor):
    """Return a copy of a tensor as an array, wherever it is."""
    return tensor.detach().cpu().numpy().copy()


def tensor_of(array):
    """Return an array as a tensor on the CPU, which shares no memory with it."""
    return torch.from_numpy(np.array(array))
