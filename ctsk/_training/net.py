"""The skorch net, which searches for counterfactuals once per epoch and learns from them."""

import math

import torch
from skorch import NeuralNetClassifier
from skorch.utils import TeeGenerator, to_tensor

from ctsk._torch.utils import chunk_size, evaluating
from ctsk._training.callbacks import users_callbacks, watches_batches
from ctsk._training.learners import learner_of
from ctsk._training.optimizers import check_optimizer
from ctsk._training.records import is_finished, record_means, record_score, weighted_mean
from ctsk._training.safeguards import Snapshot
from ctsk._training.sampling import CounterfactualBatch, Minibatches, TrainingRows
from ctsk.exceptions import NonFiniteLossError
from ctsk.generators import GradientGenerator
from ctsk.generators.result import check_result

# Counterfactuals that are this many times as large as the largest training value are blamed
# on the search; ordinary searches stay within a few times the range of the data.
_FAR = 1e3


class CounterfactualNet(NeuralNetClassifier):
    """A skorch classifier with the objective of counterfactual training.

    Minibatches are pairs (X, y), so that skorch's callbacks work as usual. The
    counterfactuals of a minibatch reach its train step as the argument `tuples`. Rows are
    in module units; labels are columns of the logits.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits.
    objective : Objective
    generator : BaseGenerator
    constraints : Constraints
        In module units, on the net's device.
    costs : Tensor of shape (n_columns,)
        Cost of a unit of each column, on the net's device.
    tau, T, epsilon : float, int, float
        Settings of the search; see `BaseGenerator.search`.
    n_counterfactuals : int
        Number of factuals drawn per epoch.
    n_conventional_epochs : int
        Number of epochs, counted by the history, that train without counterfactuals.
    schedule : CosineSchedule or None
        Learning rate of each epoch; None leaves it as it is.
    patience : int or None
        Number of epochs without an improvement on held-out rows after which a fit stops;
        None never stops, whether rows are held out or not.
    is_held_out : bool ndarray of shape (n_rows,) or None
        Rows on which the net is only scored, after each epoch; None holds out no row. It is
        None again after a fit, because a net keeps no training rows.
    sample_weight : Tensor of shape (n_rows,) or None
        Weights of the rows of a fit, on the net's device; also None after it.
    checkpoint : FitCheckpoint or None
        Stores the state of a fit after each epoch, and restores it; also None after it.
    random : torch.Generator
        A CPU generator.
    **kwargs : dict
        skorch's own parameters, among them `classes`.
    """

    # Attributes with tensors, which skorch maps to another device when a stored net is loaded.
    cuda_dependent_attributes_ = ["objective", "constraints", "costs"]

    def __init__(
        self,
        module,
        *,
        objective,
        generator,
        constraints,
        costs,
        tau,
        T,
        epsilon,
        n_counterfactuals,
        n_conventional_epochs,
        schedule,
        patience,
        is_held_out,
        sample_weight,
        checkpoint,
        random,
        **kwargs,
    ):
        super().__init__(module, **kwargs)
        self.objective = objective
        self.generator = generator
        self.constraints = constraints
        self.costs = costs
        self.tau = tau
        self.T = T
        self.epsilon = epsilon
        self.n_counterfactuals = n_counterfactuals
        self.n_conventional_epochs = n_conventional_epochs
        self.schedule = schedule
        self.patience = patience
        self.is_held_out = is_held_out
        self.sample_weight = sample_weight
        self.checkpoint = checkpoint
        self.random = random

    @property
    def _default_callbacks(self):
        # skorch's defaults print a table and average the losses, which `record_means` does.
        return []

    def initialize_optimizer(self, *args, **kwargs):
        """Build the optimizer; a ValueError if it cannot be used."""
        try:
            super().initialize_optimizer(*args, **kwargs)
        except TypeError as error:
            raise ValueError(
                f"optimizer={self.optimizer!r} fails when it is called with the parameters of the "
                f"module and lr ({error}). Pass a torch.optim.Optimizer class, or "
                "functools.partial of one to set its other arguments."
            ) from error
        check_optimizer(self.optimizer_)
        return self

    def get_split_datasets(self, X, y=None, **fit_params):
        """Return the rows to train on, and those that are held out or None."""
        if self.is_held_out is None:
            return self.get_dataset(X, y), None
        parts = [~self.is_held_out, self.is_held_out]
        return tuple(self.get_dataset(X[part], y[part]) for part in parts)

    def get_iterator(self, dataset, training=False):
        """Return minibatches as slices of tensors instead of a DataLoader."""
        # All rows move to the device once. The copy is aligned as torch does it. NumPy's alignment
        # differs between processes, and products are rounded in an order that depends on it.
        X = to_tensor(dataset.X, device=self.device).clone()
        # There are no labels in predictions.
        y = X.new_zeros(len(X), dtype=torch.int64) if dataset.y is None else dataset.y
        y = to_tensor(y, device=self.device)
        weights = self._weights(training) if self.sample_weight is not None else None
        rows = TrainingRows(X, y, len(self.classes), self.random, weights)
        # Held-out rows are only evaluated, so as many as fit into memory pass at once.
        batch_size = self.batch_size if training else max(self.batch_size, chunk_size(X.shape[1]))
        return Minibatches(rows, batch_size, shuffle=training)

    def _weights(self, training):
        """Return the weights of the rows to train on, or of those that are held out."""
        if self.is_held_out is None:
            return self.sample_weight
        is_chosen = torch.as_tensor(self.is_held_out != training, device=self.device)
        return self.sample_weight[is_chosen]

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """Train the epochs that the checkpoint, if there is one, does not contain."""
        self.is_complete_ = False
        if self.checkpoint is not None:
            n_before = len(self.history)
            is_finished = self.checkpoint.resume(self, X, y)
            # Early stopping may have ended the fit before its last epoch.
            epochs = 0 if is_finished else epochs - (len(self.history) - n_before)
        super().fit_loop(X, y, epochs=epochs, **fit_params)
        self.is_complete_ = True
        return self

    def on_epoch_begin(self, net, **kwargs):
        """Keep the state of the net, to undo an epoch that is interrupted, or to resume it."""
        # Callbacks have seen the last epoch only now.
        if self.checkpoint is not None and len(self.history) > self.checkpoint.n_epochs:
            self.checkpoint.write(self)
        self.epoch_start_ = Snapshot(self)
        super().on_epoch_begin(net, **kwargs)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Search counterfactuals once, then take one step for each minibatch."""
        if not training:
            self._validate(iterator, prefix, step_fn)
            return
        if self.schedule is not None:
            self.schedule.set_lr(self.optimizer_, self.lr, epoch=len(self.history) - 1)

        # The search precedes the first update.
        tuples = self._search(iterator.rows)
        # Setting the mode visits every layer, so it is set only after something changed it.
        if not self.module_.training:
            self._set_training(True)
        learner = learner_of(self, iterator, tuples)
        is_watched = watches_batches(self)
        is_updated = []
        for batch in learner.minibatches():
            if is_watched:
                self.notify("on_batch_begin", batch=batch, training=True)
            learner.compute_gradients()
            if is_watched:
                self._notify_of_gradients(batch)
                learner.collect()
            is_updated.append(learner.update())
            if is_watched:
                outcome = learner.outcome(len(batch[0]))
                self.history.record_batch(prefix + "_loss", outcome["loss"].item())
                self.history.record_batch(prefix + "_batch_size", len(batch[0]))
                self.notify("on_batch_end", batch=batch, training=True, **outcome)

        # Skipped updates do not enter the means of the epoch.
        n_updates = sum(is_updated)
        updates = learner.updates(is_updated)
        self.history.record(prefix + "_batch_count", len(is_updated))
        self._check_epoch(updates, iterator.rows, tuples)
        record_means(self.history, prefix, updates)
        # It comes last, because its presence marks a finished epoch.
        self.history.record("n_skipped", len(is_updated) - n_updates)

    def validation_step(self, batch, weights=None, **fit_params):
        """Compute the loss of held-out rows, weighted as in training."""
        X, y = batch
        with torch.no_grad(), evaluating(self.module_):
            logits = self.module_(X)
            return {"loss": self.objective.held_out_loss(logits, y, weights), "y_pred": logits}

    def on_train_end(self, net, X=None, y=None, **kwargs):
        """Undo an epoch that was interrupted, and leave the module in eval mode."""
        super().on_train_end(net, X=X, y=y, **kwargs)
        is_validated = self.is_held_out is not None
        is_unfinished = any(not is_finished(epoch, is_validated) for epoch in self.history[-1:])
        # Callbacks, such as one that restores the best epoch, run later.
        if is_unfinished:
            self.epoch_start_.restore()
        self.epoch_start_ = None
        self.n_finished_ = len(self.history) - is_unfinished
        # A callback of a user can stop the training after an epoch, in the same way as Ctrl-C.
        is_stopped = self.is_complete_ or bool(users_callbacks(self))
        self.is_interrupted_ = is_unfinished or not is_stopped
        self._set_training(False)

    def _validate(self, iterator, prefix, step_fn):
        """Record the loss and the accuracy of held-out rows, if there are any."""
        if iterator is None:
            return
        losses, accuracies, n_rows = [], [], []
        for batch, weights in iterator.weighted():
            self.notify("on_batch_begin", batch=batch, training=False)
            step = step_fn(batch, weights=weights)
            self.notify("on_batch_end", batch=batch, training=False, **step)
            losses.append(step["loss"])
            accuracies.append((step["y_pred"].argmax(dim=1) == batch[1]).float().mean())
            n_rows.append(len(batch[0]))
        accuracy = weighted_mean(torch.stack(accuracies), n_rows)
        record_score(self.history, f"{prefix}_acc", accuracy, sign=-1)
        # It comes last, because its presence marks a finished epoch.
        record_score(self.history, f"{prefix}_loss", weighted_mean(torch.stack(losses), n_rows))

    def _search(self, rows):
        """Return the tuples of an epoch; None in conventional epochs and without targets."""
        tuples, mature_share, mean_n_iter = None, math.nan, math.nan
        # The history already counts the current epoch.
        is_conventional_epoch = len(self.history) <= self.n_conventional_epochs
        if not (self.objective.is_conventional or is_conventional_epoch):
            # In eval mode, dropout is off: the search sees the function that predicts.
            with evaluating(self.module_):
                factuals, labels, targets, weights = self._draw(rows)
                if len(targets):
                    box = self.constraints.box(factuals)
                    result = self.generator._on_device(factuals.device).search(
                        self.module_,
                        factuals,
                        targets,
                        box,
                        costs=self.costs,
                        tau=self.tau,
                        T=self.T,
                        epsilon=self.epsilon if self.objective.uses_nascent else None,
                    )
                    check_result(result, self.generator, factuals)
                    exemplars = rows.draw_exemplars(targets)
                    tuples = self._pair(exemplars, targets, labels, weights, result, box)
                    mature_share = result.mature.float().mean().item()
                    mean_n_iter = result.n_iter.float().mean().item()
        self.history.record("mature_share", mature_share)
        self.history.record("mean_n_iter", mean_n_iter)
        return tuples

    def _draw(self, rows):
        """Draw factuals and targets; return factuals, their labels, targets, and weights."""
        factuals, labels, weights = rows.select(rows.draw_factuals(self.n_counterfactuals))
        with torch.no_grad():
            predictions = self.module_(factuals).argmax(dim=1)
        # A target differs from the prediction rather than from the label: otherwise, the search
        # of a misclassified row could end at the factual.
        has_target, targets = rows.draw_targets(predictions)
        if len(targets) < len(factuals):
            factuals, labels = factuals[has_target], labels[has_target]
            weights = None if weights is None else weights[has_target]
        return factuals, labels, targets, weights

    def _pair(self, exemplars, targets, labels, weights, result, box):
        """Pair counterfactuals with protected exemplars.

        An immature counterfactual is replaced by its exemplar, so its divergence is zero and
        its ridge counts twice. The paper describes mature counterfactuals only; the code of
        its authors makes this replacement.
        """
        counterfactuals = torch.where(result.mature[:, None], result.counterfactuals, exemplars)
        return CounterfactualBatch(
            targets=targets,
            exemplars=self.constraints.protect(exemplars, counterfactuals, box),
            counterfactuals=counterfactuals,
            nascent=result.nascent,
            labels=labels,
            weights=weights,
        )

    def _notify_of_gradients(self, batch):
        self.notify(
            "on_grad_computed",
            # A plain generator would be exhausted by the first callback.
            named_parameters=TeeGenerator(self.get_all_learnable_params()),
            batch=batch,
            training=True,
        )

    def _check_epoch(self, updates, rows, tuples):
        """Raise a NonFiniteLossError if training has diverged in the current epoch."""
        epoch, is_lr_to_blame = len(self.history), False
        states = self.optimizer_.state.values()
        moments = [part for state in states for part in state.values() if torch.is_tensor(part)]
        if not updates.n_rows:
            message = (
                f"The loss or its gradient was not finite in any minibatch of epoch {epoch}, so no "
                "update was made."
            )
        # A finite gradient can still overflow the weights, by a large lr.
        elif not all(weights.isfinite().all() for _, weights in self.get_all_learnable_params()):
            message, is_lr_to_blame = f"An update of epoch {epoch} made weights overflow.", True
        # The square of a finite gradient can be infinite, which stops the optimizer.
        elif not all(moment.isfinite().all() for moment in moments):
            message = f"Gradients of epoch {epoch} were so large that their squares overflowed."
        elif not updates.losses.isfinite().all():
            message = f"The loss of a minibatch of epoch {epoch} was not finite."
        else:
            return
        raise NonFiniteLossError(f"{message} {self._remedy(is_lr_to_blame, rows, tuples)}")

    def _remedy(self, is_lr_to_blame, rows, tuples):
        """Return what to change after training has diverged."""
        # The search is blamed first: losses of rows far away overflow at any lr.
        limit = _FAR * rows.X.abs().max()
        if tuples is not None and tuples.counterfactuals.abs().max() > limit:
            remedy, generator = "pass a domain", self.generator
            if isinstance(generator, GradientGenerator):
                name, step_size = type(generator).__name__, generator.step_size
                remedy = f"lower step_size of {name} (now {step_size}), or {remedy}"
            return f"Counterfactuals have left the range of the data: {remedy}."
        if is_lr_to_blame:
            return "Lower lr."
        return (
            "Lower lr, lambda_div, lambda_adv, lambda_reg, weight_decay or class_weight, or keep "
            "standardize=True so that the features are of order one."
        )
