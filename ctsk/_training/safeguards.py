"""Safeguards of training: warnings at its end, and the former state of the net if it fails."""

import contextlib
import copy
import math
import warnings

import torch

from ctsk.exceptions import (
    InertDivergenceWarning,
    NonFiniteLossWarning,
    UnboundedEnergyWarning,
)

# The divergence is inert if less than this share of the searches has matured in each of the
# last so many epochs. A single epoch below the share is common in early training.
_INERT_SHARE = 0.01
_INERT_EPOCHS = 5
# Cross-entropy is zero in float32 from a difference of about 17 between logits on. Energies, or
# differences between them, that are several times as large in one of the last so many epochs
# are due to the divergence.
_MOST_ENERGY = 100
_UNBOUNDED_EPOCHS = 5


def warn_of_training(net, n_epochs, stacklevel):
    """Warn, at most once each, of problems in the last `n_epochs` that were not errors.

    Parameters
    ----------
    net : CounterfactualNet
    n_epochs : int
        Number of epochs of the current call of `fit` or `partial_fit`.
    stacklevel : int
        See `warnings.warn`.
    """
    n_skipped = sum(epoch["n_skipped"] for epoch in net.history[-n_epochs:])
    if n_skipped:
        warnings.warn(
            f"The loss or its gradient was not finite in {n_skipped} minibatches; their updates "
            "were skipped. Lower lr, lambda_div, lambda_adv, lambda_reg or class_weight, or the "
            "step_size of the generator.",
            NonFiniteLossWarning,
            stacklevel=stacklevel,
        )
    # Length of the streak of inert epochs, counted backward from the last one. Comparisons with
    # the NaN of conventional epochs are false, so these interrupt the streak.
    inert = [epoch["mature_share"] < _INERT_SHARE for epoch in net.history[::-1]]
    n_inert = (*inert, False).index(False)
    # With one epoch per call (partial_fit), only the call that completes the streak warns.
    is_new = n_inert - n_epochs < _INERT_EPOCHS <= n_inert
    if net.objective.lambda_div > 0 and is_new:
        warnings.warn(
            f"In each of the last {n_inert} epochs less than {_INERT_SHARE:.0%} of the searches "
            "for counterfactuals reached maturity, so the divergence term is inert. Lower tau "
            f"(now {net.tau}), raise T (now {net.T}), or lower lambda_reg (now "
            f"{net.objective.lambda_reg}), which flattens the energies; or train longer.",
            InertDivergenceWarning,
            stacklevel=stacklevel,
        )
    # Only the first call of fit or partial_fit in which energies are too large warns.
    energies = [_energy_of_epoch(epoch) for epoch in net.history]
    largest = max(energies[-n_epochs:][-_UNBOUNDED_EPOCHS:], default=0)
    if largest > _MOST_ENERGY and max(energies[:-n_epochs], default=0) <= _MOST_ENERGY:
        warnings.warn(
            f"Energies are of the order of {largest:.0f} at the end of training, although a "
            "difference of 10 between logits is enough for a probability of 0.9999: the "
            "divergence grows without bound, at the expense of the accuracy. Raise lambda_reg "
            f"(now {net.objective.lambda_reg}), or lower lambda_div (now "
            f"{net.objective.lambda_div}), lr or max_epochs; keep standardize=True.",
            UnboundedEnergyWarning,
            stacklevel=stacklevel,
        )


def _energy_of_epoch(epoch):
    """Return the size of the energies of an epoch, or of differences between them."""
    # The ridge is a sum of two squares. Terms that were not computed are NaN; without a ridge,
    # the divergence alone tells how large the energies are.
    sizes = [abs(epoch["divergence"]), math.sqrt(epoch["ridge"] / 2)]
    return max(size for size in (*sizes, 0.0) if not math.isnan(size))


def warn_of_interruption(n_epochs, max_epochs, stacklevel):
    """Warn that a fit was interrupted, and what is kept of it."""
    warnings.warn(
        f"Training was interrupted after {n_epochs} of {max_epochs} epochs. The estimator is "
        "fitted as of the last finished epoch. Calls of partial_fit continue from it, as fit does "
        "with warm_start=True.",
        UserWarning,
        stacklevel=stacklevel,
    )


class Snapshot:
    """The weights, the state of the optimizer and the random state of a net.

    Parameters
    ----------
    net : CounterfactualNet
    """

    def __init__(self, net):
        self.net = net
        self.module_state = _copy(net.module_.state_dict())
        self.optimizer_state = _copy(net.optimizer_.state_dict())
        self.random_state = net.random.get_state()

    def restore(self):
        """Return the net to the state that it had."""
        self.net.module_.load_state_dict(self.module_state)
        self.net.optimizer_.load_state_dict(self.optimizer_state)
        self.net.random.set_state(self.random_state)


def _copy(state):
    """Return a copy of nested dictionaries and lists of tensors, faster than a general one."""
    if isinstance(state, torch.Tensor):
        return state.clone()
    if isinstance(state, dict):
        # A shallow copy keeps the versions of layers, an attribute of the state of a module.
        copied = copy.copy(state)
        copied.update((key, _copy(part)) for key, part in state.items())
        return copied
    if type(state) is list:
        return [_copy(part) for part in state]
    return copy.deepcopy(state)


@contextlib.contextmanager
def restoring_on_failure(net):
    """Restore settings, weights, optimizer, history and random state if training fails."""
    attributes, n_epochs, snapshot = dict(net.__dict__), len(net.history), Snapshot(net)
    is_training = net.module_.training
    try:
        yield
    except BaseException:
        # Callbacks may have replaced attributes, such as the optimizer, by other objects, whose
        # state is not the one to restore.
        net.__dict__.update(attributes)
        snapshot.restore()
        net.module_.train(is_training)
        del net.history[n_epochs:]
        raise
