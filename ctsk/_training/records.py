"""What an epoch leaves in the history of a net, in the form that skorch's callbacks expect."""

import math
from dataclasses import dataclass

import torch

from ctsk._training.objective import TERMS


@dataclass(frozen=True)
class Updates:
    """The updates of an epoch; minibatches whose update was skipped do not count.

    Parameters
    ----------
    losses : Tensor of shape (n_updates,)
    terms : dict of str to Tensor of shape (n_updates,)
        The terms among `TERMS` that were computed; 0 for minibatches without tuples.
    n_rows, n_tuples : list of int
        Numbers of rows and of tuples of each minibatch.
    """

    losses: torch.Tensor
    terms: dict
    n_rows: list
    n_tuples: list

    @classmethod
    def of_steps(cls, steps):
        """Return the updates of steps.

        Parameters
        ----------
        steps : list of tuple
            Loss, terms, and numbers of rows and of tuples, of each update.
        """
        if not steps:
            return cls(torch.zeros(0), {}, [], [])
        losses, terms, n_rows, n_tuples = zip(*steps, strict=True)
        losses = torch.stack(losses)
        zero = losses.new_zeros(())
        stacked = {
            name: torch.stack([computed.get(name, zero) for computed in terms])
            for name in TERMS
            if any(name in computed for computed in terms)
        }
        return cls(losses, stacked, list(n_rows), list(n_tuples))


def record_means(history, prefix, updates):
    """Record the means of the loss and of its terms over an epoch.

    Parameters
    ----------
    history : skorch.history.History
    prefix : str
        Precedes the name of the loss: "train".
    updates : Updates
    """
    record_score(history, f"{prefix}_loss", weighted_mean(updates.losses, updates.n_rows))
    for name in TERMS:
        # Each term is a mean over the rows, or over the tuples, of its minibatch.
        weights = updates.n_rows if name == "classification" else updates.n_tuples
        is_computed = name in updates.terms and any(weights)
        mean = weighted_mean(updates.terms[name], weights) if is_computed else math.nan
        history.record(name, mean)


def record_score(history, name, value, sign=1):
    """Record a score of the last epoch, and whether it is the best one so far.

    Parameters
    ----------
    history : skorch.history.History
    name : str
    value : float
    sign : {1, -1}, default=1
        1 if lower is better.
    """
    # The last epoch that was the best one so far is the best of all former ones. To compare with
    # all of them would take most of the time of a training of thousands of epochs.
    former = reversed(history[:-1])
    best = next((epoch for epoch in former if epoch.get(f"{name}_best")), None)
    is_best = best is None or sign * value < sign * best[name]
    history.record(f"{name}_best", bool(is_best))
    history.record(name, value)


def is_finished(epoch, has_held_out_rows):
    """Return whether training, and the validation if there is one, of an epoch has ended."""
    return ("valid_loss" if has_held_out_rows else "n_skipped") in epoch


def weighted_mean(values, weights):
    """Return the weighted mean of a tensor of one dimension, as a float."""
    weights = values.new_tensor(weights)
    return (values @ weights / weights.sum()).item()
