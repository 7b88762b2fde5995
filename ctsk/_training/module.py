"""Users' modules, which are built, initialized and checked before they are trained."""

import inspect

import torch
from torch.nn.parameter import is_lazy

from ctsk._torch.utils import heads_of, inference_copy

# Number of training rows on which a module is checked. With many rows, dropout of a small
# share is unlikely to go unnoticed.
N_CHECKED_ROWS = 256
# Largest difference of logits, relative to the largest logit, that is attributed to
# rounding: batches of different sizes may be rounded differently, in float64.
_TOLERANCE = 1e-6


def build_module(build, encoded, n_classes, n_numeric):
    """Build a user's module and check that it maps each row to logits.

    Parameters
    ----------
    build : callable
        Called with the number of columns and the number of classes; and with `n_numeric`, if it
        has a parameter of this name.
    encoded : ndarray of shape (n_rows, n_columns)
        Training rows in module units, on which the module is checked.
    n_classes : int
    n_numeric : int
        Number of the columns that are numbers, which come first.

    Returns
    -------
    module : torch.nn.Module
        On the CPU and in float32.

    Raises
    ------
    ValueError
        If `build` does not return a module with trainable parameters whose logits are a
        differentiable function of each row alone.
    """
    if isinstance(build, torch.nn.Module):
        raise ValueError(
            "module is a network that is already built; it must be a callable that builds one: "
            "module=lambda n_features, n_classes: torch.nn.Sequential(...). To train on from the "
            "weights of the network, return a copy of it: module=lambda n_features, n_classes: "
            "copy.deepcopy(network)."
        )
    takes_numeric = "n_numeric" in inspect.signature(build).parameters
    module = build(
        encoded.shape[1], n_classes, **({"n_numeric": n_numeric} if takes_numeric else {})
    )
    if not isinstance(module, torch.nn.Module):
        raise ValueError(
            f"module must return a torch.nn.Module; it returned a {type(module).__name__}."
        )
    rows = torch.as_tensor(encoded[:N_CHECKED_ROWS], dtype=torch.float32)
    module.to(torch.float32)
    # Lazy parameters have no shape, so they come before every check that counts or copies.
    _initialize_lazy_parameters(module, rows)
    _check_parameters(module)
    # Training and search run in float32, predictions in float64.
    for dtype in (torch.float32, torch.float64):
        _check_logits(module, rows.to(dtype), n_classes)
    return module


def _initialize_lazy_parameters(module, rows):
    """Run a module once if the shapes of its parameters depend on its input."""
    tensors = [*module.parameters(), *module.buffers()]
    if any(tensor.is_meta and not is_lazy(tensor) for tensor in tensors):
        raise ValueError(
            "module built a network on the device 'meta', which holds no weights; build it on the "
            "CPU. The parameter `device` moves it to another device."
        )
    if any(map(is_lazy, tensors)):
        training = module.training
        # In eval mode, running statistics stay as they are initialized.
        with torch.no_grad():
            _logits(module.eval(), rows)
        module.train(training)


def _check_parameters(module):
    """Raise a ValueError if there is nothing to train."""
    parameters = list(module.parameters())
    if not parameters:
        raise ValueError(
            "module built a network without parameters, so there is nothing to train. Layers must "
            "be attributes of the network (or elements of an nn.ModuleList), not of a plain list."
        )
    if not any(parameter.requires_grad for parameter in parameters):
        raise ValueError(
            "All parameters of the network that module built are frozen (requires_grad=False), so "
            "there is nothing to train. Leave at least one layer trainable."
        )


def _check_logits(module, rows, n_classes):
    """Raise a ValueError unless logits are a differentiable function of each row alone."""
    try:
        module = inference_copy(module, rows.dtype)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"The network that module built cannot be copied ({error}), which predictions require. "
            "Attributes must not be locks, open files or results of computations; use "
            "torch.nn.utils.parametrizations instead of torch.nn.utils.weight_norm."
        ) from error
    # The module gets a copy of the leaf, because torch does not permit in-place changes of a
    # leaf that requires a gradient: its own error would say nothing about training rows.
    factuals = rows.clone().requires_grad_()
    inputs = factuals.clone()
    logits = _logits(module, inputs)
    if not torch.equal(inputs, rows):
        raise ValueError(
            "The network that module built changes its input in place, which would change the "
            "training rows. Replace in-place operations in its forward, such as x.mul_(2), by "
            "others, such as x = x * 2."
        )
    if not isinstance(logits, torch.Tensor) or logits.shape != (len(rows), n_classes):
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise ValueError(
            f"module built a network that maps {tuple(rows.shape)} to {shape}; it must return "
            f"logits of shape {(len(rows), n_classes)}, one per class."
        )
    _check_gradient(logits, factuals)
    with torch.no_grad():
        check_function_of_rows(module, rows, logits.detach(), "the network that module built")
        _check_heads(heads_of(module), rows, n_classes)


def _check_heads(heads, rows, n_classes):
    """Raise a ValueError unless the method `heads` of an ensemble returns logits of each head."""
    if heads is None:
        return
    try:
        logits = heads(rows)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"The method heads of the network that module built fails for rows of shape "
            f"{tuple(rows.shape)} and dtype {rows.dtype} ({error}). Rename it if the network is no "
            "ensemble."
        ) from error
    is_tensor = isinstance(logits, torch.Tensor)
    if not is_tensor or logits.dim() != 3 or logits.shape[::2] != (len(rows), n_classes):
        shape = tuple(logits.shape) if is_tensor else type(logits).__name__
        raise ValueError(
            f"The method heads of the network that module built maps {tuple(rows.shape)} to "
            f"{shape}; it must return logits of shape (n_rows, n_heads, {n_classes}), one per head "
            "and class. Rename it if the network is no ensemble."
        )
    # Shapes are known by now, so that heads can be checked like further classes.
    check_function_of_rows(
        lambda part: heads(part).flatten(1),
        rows,
        logits.flatten(1),
        "the method `heads` of the network that module built",
    )


def _check_gradient(logits, factuals):
    gradients = None
    # Two ways to have no gradient: logits outside of any graph, and a graph without the rows.
    if logits.requires_grad:
        (gradients,) = torch.autograd.grad(logits.sum(), factuals, allow_unused=True)
    if gradients is None:
        raise ValueError(
            "No gradient flows through the network that module built to its rows, so a search for "
            "counterfactuals is impossible. Its forward may detach the rows, convert them to "
            "integers, run under torch.no_grad, or ignore them."
        )


def check_function_of_rows(module, rows, logits, name):
    """Raise a ValueError if logits are random or depend on the other rows of a batch.

    Parameters
    ----------
    module : torch.nn.Module
        In eval mode; maps rows to logits.
    rows : Tensor of shape (n_rows, n_columns)
    logits : Tensor of shape (n_rows, n_classes)
        The logits of `rows`.
    name : str
        What error messages call the module.
    """
    # Rounding in float32 is coarse; the check in float64 repeats the comparison strictly.
    tolerance = _TOLERANCE if rows.dtype == torch.float64 else 1e-3
    # Infinite and missing logits would make every difference small in comparison.
    scale = logits.nan_to_num(0, 0, 0).abs().max().clamp(min=1)

    def differ(others):
        # Infinite logits, of huge rows, are no reason to reject a module.
        return not torch.allclose(others, logits, 0, float(tolerance * scale), equal_nan=True)

    if differ(_logits(module, rows)):
        raise ValueError(
            f"{name[0].upper()}{name[1:]} returns different logits for the same rows in eval mode, "
            "so its predictions are random. Functional dropout that is left on is a likely "
            "cause: use nn.Dropout, or F.dropout(x, p, training=self.training). Noise must depend "
            "on self.training, too."
        )
    message = (
        f"The logits that {name} returns for a row depend on the other rows of the batch in eval "
        "mode. Normalization by statistics of the batch is a likely cause: "
        "use BatchNorm with track_running_stats=True, or nn.LayerNorm, and no mean or softmax over "
        "dimension 0."
    )
    # Single rows, for which statistics over a batch differ most and a squeeze drops the wrong
    # dimension, and the rest.
    parts = [part for part in (rows[:1], rows[1:2], rows[2:]) if len(part)]
    try:
        split = torch.cat([module(part) for part in parts])
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{message} (A single row fails: {error})") from error
    if differ(split):
        raise ValueError(message)


def _logits(module, rows):
    """Return the output of a module; a ValueError if it fails."""
    try:
        return module(rows)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"The network that module built fails for rows of shape {tuple(rows.shape)} and dtype "
            f"{rows.dtype} ({error}). It must accept any number of rows, of {rows.shape[1]} "
            "columns, in float32 (training) and in float64 (predictions)."
        ) from error
