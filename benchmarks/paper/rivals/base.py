"""The training loop that the rivals share."""

import contextlib
import inspect

import numpy as np
import torch

from ctsk import CounterfactualTrainedClassifier
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import forked_random_state

CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
# Radius of the attacks in adversarial training, which is the largest one of Figure 5.
EPSILON = 0.1
N_ATTACK_STEPS = 10


@contextlib.contextmanager
def setting(estimator, **parameters):
    """Change the parameters of an estimator temporarily."""
    before = {name: getattr(estimator, name) for name in parameters}
    estimator.set_params(**parameters)
    try:
        yield
    finally:
        estimator.set_params(**before)


class ExtendedClassifier(CounterfactualTrainedClassifier):
    """Classifier whose subclasses add parameters to those of counterfactual training.

    A subclass lists the parameters that it adds, and passes all others on as ``**parameters``.
    """

    @classmethod
    def _get_param_names(cls):
        # scikit-learn reads the signature of one class. Parameters that a subclass passes on
        # belong to the signatures of its base classes.
        names = set()
        for base in cls.__mro__:
            if "__init__" in vars(base) and base is not object:
                signature = inspect.signature(base.__init__)
                names |= {
                    parameter.name
                    for parameter in signature.parameters.values()
                    if parameter.kind is not parameter.VAR_KEYWORD
                }
        return sorted(names - {"self"})


class RivalClassifier(ExtendedClassifier):
    """Classifier that minimizes its own `loss` after one conventional epoch.

    Architecture, optimizer, learning rate, epochs and minibatches are those of the other models,
    unless a subclass states otherwise. Once fitted, it explains and predicts like any
    `CounterfactualTrainedClassifier`.
    """

    def fit(self, X, y):
        """Fit the model; see the base class."""
        with setting(self, max_epochs=1, **CONVENTIONAL):
            super().fit(X, y)
        rows = torch.as_tensor(self.encoder_.encode(X), dtype=torch.float32)
        labels = torch.as_tensor(np.searchsorted(self.classes_, y))
        self._random = torch.Generator().manual_seed(self.random_state)
        module = self.net_.module_
        self.prepare(module, rows, labels)
        self._optimizer = self.optimizer_of(module)
        # Layers such as dropout work in training mode only, and draw from the global random state.
        # Their seed comes from another source than the draws of the rivals.
        module.train()
        seeds = torch.Generator().manual_seed(self.random_state)
        with (
            one_thread_if_small(module, self.batch_size),
            forked_random_state(seeds, torch.device("cpu")),
        ):
            for epoch in range(1, self.max_epochs):
                seen, targets = self.rows_of_epoch(X, rows, labels, epoch)
                order = torch.randperm(len(seen), generator=self._random)
                for batch in order.split(self.batch_size):
                    self.update(module, seen[batch], targets[batch], batch)
        module.eval()
        # What training needs is not part of the fitted model.
        del self._random, self._optimizer
        return self

    def prepare(self, module, rows, labels):
        """Compute what the loss needs, once before training."""

    def optimizer_of(self, module):
        """Return the optimizer of the module."""
        return torch.optim.Adam(module.parameters(), lr=self.lr)

    def rows_of_epoch(self, X, rows, labels, epoch):
        """Return the rows and labels to train on in this epoch."""
        return rows, labels

    def update(self, module, rows, labels, idx):
        """Take one step on a minibatch, which holds the rows of the epoch at `idx`."""
        self._optimizer.zero_grad()
        self.loss(module, rows, labels, idx).backward()
        self._optimizer.step()

    def attack(self, module, rows, ascend, n_steps=N_ATTACK_STEPS):
        """Increase a loss within `EPSILON` of each number, from a random start."""
        reach = torch.full_like(rows, EPSILON)
        reach[:, self.encoder_.groups.n_numeric :] = 0
        found = rows + reach * (2 * torch.rand(rows.shape, generator=self._random) - 1)
        for _ in range(n_steps):
            found = found.detach().requires_grad_()
            (slopes,) = torch.autograd.grad(ascend(module(found)), found)
            found = found.detach() + 2.5 / n_steps * reach * slopes.sign()
            found = found.clamp(rows - reach, rows + reach)
        return found
