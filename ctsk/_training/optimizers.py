"""Optimizers by name, the schedule of the learning rate, and the check of a user's optimizer."""

import inspect
import math
from dataclasses import dataclass

import torch

# AdamW decays the weights apart from the gradient; without decay, it is Adam.
OPTIMIZERS = {"adam": torch.optim.AdamW, "sgd": torch.optim.SGD}
# Patterns of the parameters that skorch excludes from the decay, as in linear models of
# scikit-learn: a decay of the intercepts would shift all probabilities toward each other.
WITHOUT_DECAY = [("*bias", {"weight_decay": 0.0})]


@dataclass(frozen=True)
class CosineSchedule:
    """A learning rate that falls along half a cosine, from its start to zero after the last epoch.

    Parameters
    ----------
    first_epoch : int
        Position of the first epoch in the history.
    n_epochs : int
        Number of epochs after which the rate is zero.
    """

    first_epoch: int
    n_epochs: int

    def set_lr(self, optimizer, lr, epoch):
        """Set the learning rate of an epoch.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer
        lr : float
            Learning rate of the first epoch.
        epoch : int
            Position of the epoch in the history.
        """
        share = (epoch - self.first_epoch) / self.n_epochs
        for group in optimizer.param_groups:
            group["lr"] = lr * (1 + math.cos(math.pi * share)) / 2


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
    # Every step of torch takes a closure; those that evaluate it repeatedly, such as that of
    # LBFGS, have no default for it.
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise ValueError(
            f"optimizer={name} evaluates the loss several times per step (its step requires a "
            f"closure), which is not supported. {remedy}"
        )
    # It would fail in its first step only, after the first search.
    if isinstance(optimizer, torch.optim.SparseAdam):
        raise ValueError(
            f"optimizer={name} requires sparse gradients, but those of modules are dense. {remedy}"
        )
