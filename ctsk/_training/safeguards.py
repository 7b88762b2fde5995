"""Safeguards of a training: warnings afterwards, and the state before if it fails."""

import contextlib
import copy
import warnings

from ctsk.exceptions import InertDivergenceWarning, NonFiniteLossWarning

# The divergence is inert if less than this share of the searches has matured in each of the
# last so many epochs. A single epoch below the share is common in early training.
_INERT_SHARE = 0.01
_INERT_EPOCHS = 5


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
            "were skipped. Lower lr, lambda_reg or lambda_div, or the step_size of the generator.",
            NonFiniteLossWarning,
            stacklevel=stacklevel,
        )
    # Number of inert epochs in a row, counted backward from the last one. Comparisons with
    # the NaN of conventional epochs are false, so these interrupt the row.
    inert = [epoch["mature_share"] < _INERT_SHARE for epoch in net.history[::-1]]
    n_inert = (*inert, False).index(False)
    # With one epoch per call (partial_fit), only the call that completes the row warns.
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


@contextlib.contextmanager
def restoring_on_failure(net):
    """Restore settings, weights, optimizer, history and random state if training fails."""
    with contextlib.ExitStack() as undo:
        # Callbacks run in reverse order: attributes, which may have been replaced by other
        # objects, come back last.
        undo.callback(net.__dict__.update, dict(net.__dict__))
        undo.callback(net.module_.load_state_dict, copy.deepcopy(net.module_.state_dict()))
        undo.callback(net.optimizer_.load_state_dict, copy.deepcopy(net.optimizer_.state_dict()))
        undo.callback(net.random.set_state, net.random.get_state())
        undo.callback(net.history.__delitem__, slice(len(net.history), None))
        yield
        undo.pop_all()
