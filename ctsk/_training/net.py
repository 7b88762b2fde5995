"""The skorch net that searches counterfactuals once per epoch and learns from them."""

import contextlib
import copy
import math
import sys
import time
import warnings

import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.utils import TeeGenerator, to_tensor

from ctsk._torch.utils import evaluating
from ctsk._training.objective import TERMS
from ctsk._training.sampling import CounterfactualBatch, TrainingRows
from ctsk.exceptions import InertDivergenceWarning, NonFiniteLossError, NonFiniteLossWarning

# The divergence is called inert once less than this share of the searches has
# matured in each of so many epochs, up to the last one.
_INERT_SHARE = 0.01
_INERT_EPOCHS = 5


class Minibatches:
    """Slices of tensors already in memory: what a DataLoader would yield, faster.

    Parameters
    ----------
    rows : TrainingRows
    batch_size : int
    shuffle : bool
    """

    def __init__(self, rows, batch_size, shuffle):
        self.rows = rows
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __len__(self):
        """Return the number of minibatches."""
        return math.ceil(len(self.rows.X) / self.batch_size)

    def __iter__(self):
        """Yield (X, y) once through the rows."""
        X, y = self.rows.shuffled() if self.shuffle else (self.rows.X, self.rows.y)
        return zip(torch.split(X, self.batch_size), torch.split(y, self.batch_size), strict=True)


class CounterfactualNet(NeuralNetClassifier):
    """A skorch classifier trained by the objective of counterfactual training.

    Minibatches stay pairs (X, y), so that skorch's callbacks work as usual; what
    a minibatch learns from counterfactuals reaches its train step as `tuples`.
    Rows are in module units, labels are columns of the logits.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits.
    objective : Objective
    generator : BaseGenerator
    constraints : Constraints
        In module units, on the net's device.
    costs : Tensor of shape (n_columns,)
        Of a unit of each column; on the net's device.
    tau, T, epsilon : float, int, float
        Of the search; see `BaseGenerator.generate`.
    n_counterfactuals : int
        Factuals drawn per epoch.
    n_conventional_epochs : int
        Epochs, counted by the history, that train without counterfactuals.
    random : torch.Generator
        A CPU generator.
    **kwargs : dict
        skorch's own parameters, `classes` among them.
    """

    # Tensors that skorch has to map to another device when a stored net is loaded.
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
        self.random = random

    @property
    def _default_callbacks(self):
        return []

    def __getstate__(self):
        """Store the trained module once, where skorch maps it to a device."""
        state = super().__getstate__()
        del state["module"]
        return state

    def __setstate__(self, state):
        """Restore the net; what was trained is what it was made of."""
        super().__setstate__(state)
        vars(self)["module"] = self.module_

    def get_iterator(self, dataset, training=False):
        """Return minibatches as slices of tensors, in place of a DataLoader."""
        X = to_tensor(dataset.X, device=self.device)
        y = X.new_zeros(len(X), dtype=torch.int64) if dataset.y is None else dataset.y
        rows = TrainingRows(X, to_tensor(y, device=self.device), len(self.classes), self.random)
        return Minibatches(rows, self.batch_size, shuffle=training)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Draw, search and split; then one step for each minibatch."""
        if not training:
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
            return
        tuples = self._search(iterator.rows)
        n_batches = len(iterator)
        parts = [None] * n_batches if tuples is None else tuples.split(n_batches)
        steps = []
        for batch, part in zip(iterator, parts, strict=True):
            self.notify("on_batch_begin", batch=batch, training=True)
            step = step_fn(batch, tuples=part, **fit_params)
            self.history.record_batch(prefix + "_loss", step["loss"].item())
            self.history.record_batch(prefix + "_batch_size", len(batch[0]))
            self.notify("on_batch_end", batch=batch, training=True, **step)
            if step["updated"]:
                n_tuples = 0 if part is None else len(part.targets)
                steps.append((step["loss"].detach(), step["terms"], len(batch[0]), n_tuples))
        self.history.record(prefix + "_batch_count", n_batches)
        self._record_epoch(prefix, steps, n_skipped=n_batches - len(steps))

    def train_step(self, batch, tuples=None, **fit_params):
        """Take one optimiser step, unless the loss or its gradient is not finite."""
        self._zero_grad_optimizer()
        step = self.train_step_single(batch, tuples=tuples, **fit_params)
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(self.get_all_learnable_params()),
            batch=batch,
            training=True,
        )
        step["updated"] = self._is_finite(step["loss"])
        if step["updated"]:
            self._step_optimizer(None)
        return step

    def train_step_single(self, batch, tuples=None, **fit_params):
        """Compute the objective of one minibatch and its gradient."""
        if not self.module_.training:
            self._set_training(True)
        X, y = batch
        terms, logits = self.objective.terms(self.module_, X, y, tuples)
        loss = self.objective.total(terms)
        loss.backward()
        terms = {name: term.detach() for name, term in terms.items()}
        return {"loss": loss, "y_pred": logits, "terms": terms}

    def on_train_end(self, net, X=None, y=None, **kwargs):
        """Leave the module in eval mode."""
        super().on_train_end(net, X=X, y=y, **kwargs)
        self._set_training(False)

    def _search(self, rows):
        """Draw factuals, targets and exemplars, search, protect; None without tuples."""
        tuples, mature_share, mean_n_iter = None, math.nan, math.nan
        if not self.objective.is_conventional and len(self.history) > self.n_conventional_epochs:
            with evaluating(self.module_):
                factuals, labels, targets = self._draw(rows)
                if len(targets):
                    box = self.constraints.box(factuals)
                    result = self.generator.generate(
                        self.module_,
                        factuals,
                        targets,
                        box,
                        costs=self.costs,
                        tau=self.tau,
                        T=self.T,
                        epsilon=self.epsilon if self.objective.uses_nascent else None,
                    )
                    exemplars = rows.draw_exemplars(targets)
                    tuples = self._pair(exemplars, targets, labels, result, box)
                    mature_share = result.mature.float().mean().item()
                    mean_n_iter = result.n_iter.float().mean().item()
        self.history.record("mature_share", mature_share)
        self.history.record("mean_n_iter", mean_n_iter)
        return tuples

    def _draw(self, rows):
        positions = rows.draw_factuals(self.n_counterfactuals)
        with torch.no_grad():
            predictions = self.module_(rows.X[positions]).argmax(dim=1)
        kept, targets = rows.draw_targets(predictions)
        positions = positions[kept]
        return rows.X[positions], rows.y[positions], targets

    def _pair(self, exemplars, targets, labels, result, box):
        """Pair counterfactuals with protected exemplars.

        An immature counterfactual is replaced by its exemplar, so that its
        divergence is zero while its ridge still counts, twice. The paper speaks
        of mature ones only; this is what its authors' code does.
        """
        counterfactuals = torch.where(result.mature[:, None], result.counterfactuals, exemplars)
        return CounterfactualBatch(
            targets=targets,
            exemplars=self.constraints.protect(exemplars, counterfactuals, box),
            counterfactuals=counterfactuals,
            nascent=result.nascent,
            labels=labels,
        )

    def _is_finite(self, loss):
        """Whether a loss and its gradient are finite, by one sum over them."""
        weights = [w for group in self.optimizer_.param_groups for w in group["params"]]
        gradients = [w.grad.reshape(-1) for w in weights if w.grad is not None]
        return math.isfinite(torch.cat([loss.detach().reshape(-1), *gradients]).sum().item())

    def _record_epoch(self, prefix, steps, n_skipped):
        if not steps:
            raise NonFiniteLossError(
                "The loss or its gradient was not finite in any minibatch of epoch "
                f"{len(self.history)}, so no update was made. Lower lr, lambda_reg or lambda_div, "
                "or keep standardize=True so that the features are of order one."
            )
        if not all(weights.isfinite().all() for _, weights in self.get_all_learnable_params()):
            raise NonFiniteLossError(
                f"An update of epoch {len(self.history)} made weights overflow. Lower lr."
            )
        self.history.record("n_skipped", n_skipped)
        losses, terms, n_rows, n_tuples = zip(*steps, strict=True)
        self.history.record(prefix + "_loss", _weighted_mean(losses, n_rows))
        for name in TERMS:
            weights = n_rows if name == "classification" else n_tuples
            known = [
                (term[name], n) for term, n in zip(terms, weights, strict=True) if name in term
            ]
            mean = _weighted_mean(*zip(*known, strict=True)) if known else math.nan
            self.history.record(name, mean)


def _weighted_mean(values, weights):
    values = torch.stack(values)
    weights = values.new_tensor(weights)
    return (values @ weights / weights.sum()).item()


def warn_of_training(net, n_epochs, stacklevel):
    """Warn, once each, of what went wrong in the last `n_epochs` without failing."""
    n_skipped = sum(epoch["n_skipped"] for epoch in net.history[-n_epochs:])
    if n_skipped:
        warnings.warn(
            f"The loss or its gradient was not finite in {n_skipped} minibatches; their updates "
            "were skipped. Lower lr, lambda_reg or lambda_div.",
            NonFiniteLossWarning,
            stacklevel=stacklevel,
        )
    inert = [epoch["mature_share"] < _INERT_SHARE for epoch in net.history[::-1]]
    n_inert = (*inert, False).index(False)
    if net.objective.lambda_div > 0 and n_inert >= _INERT_EPOCHS > n_inert - n_epochs:
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
    """Give a net its settings, weights, optimiser, history and chance back if training fails."""
    with contextlib.ExitStack() as undo:
        undo.callback(vars(net).update, dict(vars(net)))
        undo.callback(net.module_.load_state_dict, copy.deepcopy(net.module_.state_dict()))
        undo.callback(net.optimizer_.load_state_dict, copy.deepcopy(net.optimizer_.state_dict()))
        undo.callback(net.random.set_state, net.random.get_state())
        undo.callback(net.history.__delitem__, slice(len(net.history), None))
        yield
        undo.pop_all()


class ProgressLine(Callback):
    """One line that follows the epochs of a fit, rewritten in place."""

    _SECONDS_BETWEEN = 0.1

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Start the clock."""
        self.n_before_ = len(net.history)
        self.started_ = time.monotonic()
        self.written_ = -math.inf

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        """Rewrite the line, at most ten times a second."""
        now = time.monotonic()
        n_done = len(net.history) - self.n_before_
        if now - self.written_ < self._SECONDS_BETWEEN and n_done < net.max_epochs:
            return
        self.written_ = now
        epoch = net.history[-1]
        left = (now - self.started_) / n_done * (net.max_epochs - n_done)
        terms = "  ".join(
            f"{name} {epoch[name]:.3f}" for name in TERMS if not math.isnan(epoch[name])
        )
        share = epoch["mature_share"]
        mature = "" if math.isnan(share) else f"  mature {share:.0%}"
        line = f"epoch {n_done}/{net.max_epochs}  {terms}{mature}  {left:.0f} s left"
        sys.stdout.write(f"\r{line:<110}")
        sys.stdout.flush()

    def on_train_end(self, net, X=None, y=None, **kwargs):
        """Leave the line."""
        sys.stdout.write("\n")
        sys.stdout.flush()
