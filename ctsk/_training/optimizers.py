"""Optimizers by name, and the check of a user's optimizer."""

import inspect

import torch

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


def check_optimizer(optimizer):
    """Raise a ValueError if an optimizer cannot train by plain steps on dense gradients.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    """
    name = type(optimizer).__name__
    remedy = "Use 'adam', 'sgd', or another class of torch.optim, such as torch.optim.AdamW."
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError(f"optimizer must build a torch.optim.Optimizer, not a {name}. {remedy}")
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise ValueError(
            f"optimizer={name} evaluates the loss several times per step (its step requires a "
            f"closure), which is not supported. {remedy}"
        )
    if isinstance(optimizer, torch.optim.SparseAdam):
        raise ValueError(f"optimizer={name} requires sparse gradients; ours are dense. {remedy}")
