"""How the minibatches of an epoch change the parameters: in closed form, or by autograd.

A learner has the methods `minibatches`, `compute_gradients`, `collect`, `update`, `outcome` and
`updates`. Those between the first and the last are called for each minibatch, in this order;
`collect` and `outcome` only if callbacks watch minibatches.
"""

import math

import torch

from ctsk._closed_form.epoch_losses import EpochLosses
from ctsk._closed_form.flat_update import FlatUpdate
from ctsk._closed_form.perceptron import Perceptron
from ctsk._training.records import Updates


def learner_of(net, iterator, tuples):
    """Return the learner of an epoch.

    Parameters
    ----------
    net : CounterfactualNet
    iterator : Minibatches
    tuples : CounterfactualBatch or None
        The tuples of the epoch; they are split evenly over the minibatches.

    Returns
    -------
    learner : ClosedFormLearner or AutogradLearner
    """
    is_known = Perceptron.accepts(net.module_) and all(map(_is_plain, net.module_.parameters()))
    return (ClosedFormLearner if is_known else AutogradLearner)(net, iterator, tuples)


def _is_plain(parameter):
    """Return whether a parameter is trained, and no hook of a callback changes its gradient."""
    hooks = parameter._backward_hooks, getattr(parameter, "_post_accumulate_grad_hooks", None)
    return parameter.requires_grad and not any(hooks)


class ClosedFormLearner:
    """Gradients in closed form, for the built-in network and sequences of its layers."""

    def __init__(self, net, iterator, tuples):
        self._objective = net.objective
        self._rows, self._sizes = iterator.ordered(), iterator.sizes()
        self._tuple_sizes = [0] * len(iterator) if tuples is None else tuples.sizes(len(iterator))
        self._losses = EpochLosses(
            net.objective, len(net.classes), *self._rows, tuples, self._sizes, self._tuple_sizes
        )
        # The parameters become views of one buffer before the perceptron refers to them.
        self._flat_update = FlatUpdate.of(net.optimizer_)
        self._perceptron = Perceptron(net.module_)
        self._logits = []

    def minibatches(self):
        """Yield (X, y) of each minibatch, which becomes the current one."""
        X, y, _ = self._rows
        batches = zip(X.split(self._sizes), y.split(self._sizes), strict=True)
        for batch, (rows, loss) in zip(batches, self._losses.minibatches(), strict=True):
            self._inputs, self._loss = rows, loss
            yield batch

    def compute_gradients(self):
        """Write the gradients of the loss into those of the parameters."""
        logits, trace = self._perceptron.forward(self._inputs)
        self._perceptron.compute_gradients(trace, self._loss.slopes(logits))
        self._logits.append(logits)

    def collect(self):
        """Adopt the gradients that a callback has changed."""
        self._flat_update.collect()

    def outcome(self, n_rows):
        """Return the loss of the current minibatch, and the logits of its training rows."""
        logits = self._logits[-1]
        return {"loss": self._loss.value(logits), "y_pred": logits[:n_rows]}

    def update(self):
        """Update the parameters, unless a gradient is not finite; return whether it was done."""
        is_finite = self._flat_update.is_finite()
        if is_finite:
            self._flat_update.step()
        return is_finite

    def updates(self, is_updated):
        """Return the record of the updates that were done."""
        self._flat_update.finish()
        chosen = torch.as_tensor(is_updated)
        n_rows, n_tuples = (
            torch.tensor(s)[chosen].tolist() for s in (self._sizes, self._tuple_sizes)
        )
        # An update does not need the value of the loss, so that of all minibatches comes last.
        terms = self._losses.terms(self._logits)
        terms = {name: term[chosen.to(term.device)] for name, term in terms.items()}
        return Updates(self._objective.total(terms), terms, n_rows, n_tuples)


class AutogradLearner:
    """Gradients by automatic differentiation, for all other modules."""

    def __init__(self, net, iterator, tuples):
        self._net = net
        self._iterator = iterator
        n_batches = len(iterator)
        self._tuples = [None] * n_batches if tuples is None else tuples.split(n_batches)
        # The values of losses stay tensors: on a GPU, each value that is read waits for the device.
        self._steps = []

    def minibatches(self):
        """Yield (X, y) of each minibatch, which becomes the current one."""
        for (batch, weights), tuples in zip(self._iterator.weighted(), self._tuples, strict=True):
            self._current = batch, tuples, weights
            yield batch

    def compute_gradients(self):
        """Write the gradients of the loss into those of the parameters."""
        (X, y), tuples, weights = self._current
        self._net.optimizer_.zero_grad()
        try:
            terms, logits = self._net.objective.terms(self._net.module_, X, y, tuples, weights)
        except ValueError as error:
            if len(X) > 1:
                raise
            raise ValueError(
                f"module fails for a minibatch of one row ({error}). Layers that normalize over "
                "the batch, such as BatchNorm, need at least two rows: raise batch_size (now "
                f"{self._net.batch_size})."
            ) from error
        loss = self._net.objective.total(terms)
        loss.backward()
        # Records must not keep the graph of every minibatch in memory.
        terms = {name: term.detach() for name, term in terms.items()}
        n_tuples = 0 if tuples is None else len(tuples.targets)
        self._steps.append((loss.detach(), terms, len(X), n_tuples))
        self._y_pred = logits

    def collect(self):
        """Do nothing: the optimizer reads the gradients of the parameters."""

    def outcome(self, n_rows):
        """Return the loss of the current minibatch, and the logits of its training rows."""
        return {"loss": self._steps[-1][0], "y_pred": self._y_pred}

    def update(self):
        """Update the parameters, unless the loss or a gradient is not finite."""
        optimizer = self._net.optimizer_
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        gradients = [weight.grad.reshape(-1) for weight in weights if weight.grad is not None]
        # One concatenation and one sum are several times faster than a test of each tensor.
        loss = self._steps[-1][0].reshape(-1)
        is_finite = math.isfinite(torch.cat([loss, *gradients]).sum().item())
        if is_finite:
            optimizer.step()
        return is_finite

    def updates(self, is_updated):
        """Return the record of the updates that were done."""
        return Updates.of_steps(
            [step for step, done in zip(self._steps, is_updated, strict=True) if done]
        )
