"""Callbacks of a fit: users' own, early stopping, and the progress line."""

import math
import sys
import time

from skorch.callbacks import Callback, EarlyStopping

from ctsk._training.objective import TERMS

# Scores of held-out rows.
_VALIDATION_SCORES = {"valid_loss", "valid_loss_best", "valid_acc", "valid_acc_best"}


def check_callbacks(callbacks):
    """Check the callbacks of a user.

    Parameters
    ----------
    callbacks : list or None
        As skorch takes them: callbacks, classes of callbacks, or pairs of a name and one of
        these.

    Returns
    -------
    callbacks : list
        The same callbacks; classes are replaced by instances.

    Raises
    ------
    ValueError
        If an element is not a callback.
    """
    checked = []
    for item in callbacks or []:
        is_named = isinstance(item, tuple | list) and len(item) == 2
        callback = item[1] if is_named else item
        if isinstance(callback, type) and issubclass(callback, Callback):
            callback = callback()
        if not isinstance(callback, Callback):
            raise ValueError(
                f"callbacks contains {item!r}, which is not a skorch callback. Pass instances of "
                "subclasses of skorch.callbacks.Callback, or pairs of a name and an instance."
            )
        checked.append((item[0], callback) if is_named else callback)
    return checked


def monitors_held_out_rows(callbacks):
    """Return whether one of a user's callbacks monitors a score of held-out rows."""
    callbacks = [item[1] if isinstance(item, tuple) else item for item in callbacks]
    monitors = [getattr(callback, "monitor", None) for callback in callbacks]
    return any(isinstance(name, str) and name in _VALIDATION_SCORES for name in monitors)


def users_callbacks(net):
    """Return the callbacks of a user in a net, as pairs of a name and a callback."""
    return [pair for pair in net.callbacks_ if type(pair[1]) not in (BestEpoch, ProgressLine)]


def watches_batches(net):
    """Return whether a callback of a user does something before or after each minibatch."""
    methods = ("on_batch_begin", "on_grad_computed", "on_batch_end")
    return any(
        getattr(type(callback), method) is not getattr(Callback, method)
        for _, callback in users_callbacks(net)
        for method in methods
    )


class BestEpoch(EarlyStopping):
    """Stop when the loss of held-out rows stops improving, and keep the weights of the best epoch.

    The patience is that of the net; None never stops. Epochs of a burn-in do not count, because
    counterfactual training would be stopped before it begins.
    """

    def __init__(self):
        super().__init__(monitor="valid_loss", load_best=True)

    def on_train_begin(self, net, **kwargs):
        """Read the patience of the net, which may differ between two fits."""
        super().on_train_begin(net, **kwargs)
        self.patience = net.patience

    def on_epoch_end(self, net, **kwargs):
        """Compare the loss of the epoch with the best one."""
        if net.patience is None:
            return
        is_burn_in = len(net.history) <= net.n_conventional_epochs
        if is_burn_in and not net.objective.is_conventional:
            return
        try:
            super().on_epoch_end(net, **kwargs)
        finally:
            # Both a stop and Ctrl-C are a KeyboardInterrupt.
            net.is_complete_ = self.misses_ == self.patience

    def on_train_end(self, net, **kwargs):
        """Restore the weights of the best epoch, if there is one."""
        # An interruption may come before the first epoch, on which skorch relies.
        if self.best_model_weights_ is not None:
            super().on_train_end(net, **kwargs)


class ProgressLine(Callback):
    """Show the progress of a fit on one line, which is rewritten in place."""

    _SECONDS_BETWEEN = 0.1

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Start the clock."""
        self.n_before_ = len(net.history)
        self.n_trained_ = 0
        self.started_ = time.monotonic()
        self.written_ = -math.inf

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        """Rewrite the line, at most ten times a second."""
        now = time.monotonic()
        # Epochs of a checkpoint are done, too, but took no time.
        n_done = len(net.history) - self.n_before_
        self.n_trained_ += 1
        if now - self.written_ < self._SECONDS_BETWEEN and n_done < net.max_epochs:
            return
        self.written_ = now
        epoch = net.history[-1]
        seconds_left = (now - self.started_) / self.n_trained_ * (net.max_epochs - n_done)
        parts = [f"epoch {n_done}/{net.max_epochs}"]
        parts += [f"{name} {epoch[name]:.3f}" for name in TERMS if not math.isnan(epoch[name])]
        if not math.isnan(epoch["mature_share"]):
            parts.append(f"mature {epoch['mature_share']:.0%}")
        if "valid_loss" in epoch:
            parts.append(f"valid loss {epoch['valid_loss']:.3f} acc {epoch['valid_acc']:.1%}")
        parts.append(f"{seconds_left:.0f} s left")
        # Padding overwrites the rest of a longer line before.
        sys.stdout.write(f"\r{'  '.join(parts):<110}")
        sys.stdout.flush()

    def on_train_end(self, net, X=None, y=None, **kwargs):
        """End the line."""
        sys.stdout.write("\n")
        sys.stdout.flush()
