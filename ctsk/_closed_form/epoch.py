"""The updates of an epoch by gradients in closed form."""

import torch


def train_epoch(perceptron, losses, update):
    """Update the parameters once for each minibatch, unless its gradient is not finite.

    Parameters
    ----------
    perceptron : Perceptron
    losses : EpochLosses
    update : FlatUpdate

    Returns
    -------
    terms : dict of str to Tensor of shape (n_updates,)
        The terms of the loss of each minibatch that was not skipped, before its update.
    is_updated : BoolTensor of shape (n_minibatches,)
    """
    logits, is_updated = [], []
    with torch.no_grad():
        for rows, slopes in losses.minibatches():
            outputs, trace = perceptron.forward(rows)
            perceptron.compute_gradients(trace, slopes.at(outputs))
            is_updated.append(update.is_finite())
            if is_updated[-1]:
                update.step()
            logits.append(outputs)
        update.finish()
        # An update does not need the value of the loss, so that of all minibatches comes last.
        terms = losses.terms(torch.cat(logits))
    is_updated = torch.tensor(is_updated)
    return {name: term[is_updated.to(term.device)] for name, term in terms.items()}, is_updated
