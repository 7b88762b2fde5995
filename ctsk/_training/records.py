"""What an epoch leaves in the history of a net, in the form that skorch's callbacks expect."""

import math

import torch

from ctsk._training.objective import TERMS


def record_means(history, prefix, steps):
    """Record the means of the loss and of its terms over an epoch.

    Parameters
    ----------
    history : skorch.history.History
    prefix : str
        Precedes the name of the loss: "train".
    steps : list of tuple
        Loss, terms, and numbers of rows and of tuples, of each update.
    """
    losses, terms, n_rows, n_tuples = zip(*steps, strict=True)
    record_score(history, f"{prefix}_loss", weighted_mean(losses, n_rows))
    for name in TERMS:
        # Each term is a mean over the rows, or over the tuples, of its minibatch.
        weights = n_rows if name == "classification" else n_tuples
        # Minibatches without tuples compute the classification term only.
        computed = [(term[name], n) for term, n in zip(terms, weights, strict=True) if name in term]
        mean = weighted_mean(*zip(*computed, strict=True)) if computed else math.nan
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
    """Return the weighted mean of tensors of no dimension, as a float."""
    values = torch.stack(values)
    weights = values.new_tensor(weights)
    return (values @ weights / weights.sum()).item()
