"""Other training methods in the same protocol, which isolate the effect of the objective.

Each baseline is a conventional classifier with the same architecture, optimizer, epochs and
minibatches but another loss. Once fitted, it explains and predicts like any
`CounterfactualTrainedClassifier`.
"""

import contextlib
from unittest import mock

import numpy as np
import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.constraints import Constraints
from ctsk._torch.threads import one_thread_if_small

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


class RivalClassifier(CounterfactualTrainedClassifier):
    """Classifier that minimizes its own `loss` after one conventional epoch."""

    def fit(self, X, y):
        """Fit the model; see the base class."""
        with setting(self, max_epochs=1, **CONVENTIONAL):
            super().fit(X, y)
        rows = torch.as_tensor(self.encoder_.encode(X), dtype=torch.float32)
        labels = torch.as_tensor(np.searchsorted(self.classes_, y))
        self._random = torch.Generator().manual_seed(self.random_state)
        module = self.net_.module_
        adam = torch.optim.Adam(module.parameters(), lr=self.lr)
        with one_thread_if_small(module, self.batch_size):
            for _ in range(self.max_epochs - 1):
                seen, asked = self.rows_of_epoch(X, rows, labels)
                order = torch.randperm(len(seen), generator=self._random)
                for batch in order.split(self.batch_size):
                    adam.zero_grad()
                    self.loss(module, seen[batch], asked[batch]).backward()
                    adam.step()
        del self._random
        return self

    def rows_of_epoch(self, X, rows, labels):
        """Return the rows and labels to train on in this epoch."""
        return rows, labels

    def attack(self, module, rows, ascend):
        """Increase a loss within `EPSILON` of each number, from a random start."""
        reach = torch.full_like(rows, EPSILON)
        reach[:, self.encoder_.groups.n_numeric :] = 0
        found = rows + reach * (2 * torch.rand(rows.shape, generator=self._random) - 1)
        for _ in range(N_ATTACK_STEPS):
            found = found.detach().requires_grad_()
            (slopes,) = torch.autograd.grad(ascend(module(found)), found)
            found = found.detach() + 2.5 / N_ATTACK_STEPS * reach * slopes.sign()
            found = found.clamp(rows - reach, rows + reach)
        return found


class PGDClassifier(RivalClassifier):
    """Adversarial training by projected gradient descent (Madry et al., ICLR 2018)."""

    def loss(self, module, rows, labels):
        """Return the cross-entropy of attacked rows."""
        found = self.attack(module, rows, lambda logits: cross_entropy(logits, labels))
        return cross_entropy(module(found), labels)


class TRADESClassifier(RivalClassifier):
    """TRADES (Zhang et al., ICML 2019) with the authors' weight of 6."""

    def loss(self, module, rows, labels):
        """Return the cross-entropy plus the change of the probabilities under attack."""
        clean = softmax(module(rows), dim=1).detach()
        found = self.attack(module, rows, lambda logits: self._apart(logits, clean))
        logits = module(rows)
        apart = self._apart(module(found), softmax(logits, dim=1))
        return cross_entropy(logits, labels) + 6 * apart

    def _apart(self, logits, probabilities):
        return kl_div(log_softmax(logits, dim=1), probabilities, reduction="batchmean")


class JEMClassifier(RivalClassifier):
    """Joint energy-based training (Grathwohl et al., ICLR 2020), conditional on the class.

    Negative rows are drawn by stochastic gradient Langevin dynamics (20 steps, noise 0.01) from a
    buffer of earlier negative rows. In each draw, 5 % of them restart at training rows with
    Gaussian noise of a tenth of each column's standard deviation, because a uniform draw would be
    far from all rows if columns have long tails. Negative rows stay in the range of the data, and
    categories stay on their simplex. Divergence and ridge have the same weights as in
    counterfactual training, so that the two methods differ only in the source of the negative rows.
    """

    N_STEPS, N_KEPT, ANEW, NOISE, START_NOISE = 20, 10_000, 0.05, 0.01, 0.1

    def rows_of_epoch(self, X, rows, labels):
        """Return the rows and labels to train on in this epoch."""
        if not hasattr(self, "_buffer"):
            self._rows = rows
            self._low, self._high = rows.amin(dim=0), rows.amax(dim=0)
            self._buffer = self._start(self.N_KEPT)
            self._classes = torch.arange(self.N_KEPT) % len(self.classes_)
        return rows, labels

    def fit(self, X, y):
        """Fit the model; see the base class."""
        super().fit(X, y)
        del self._rows, self._buffer, self._classes, self._low, self._high
        return self

    def loss(self, module, rows, labels):
        """Return cross-entropy, contrastive divergence and ridge."""
        logits = module(rows)
        chosen = torch.randint(len(self._buffer), (len(rows),), generator=self._random)
        drawn, classes = self._draw(module, chosen), self._classes[chosen]
        positive = -logits.gather(1, labels[:, None])
        negative = -module(drawn).gather(1, classes[:, None])
        divergence = positive.mean() - negative.mean()
        ridge = positive.square().mean() + negative.square().mean()
        return (
            cross_entropy(logits, labels) + self.lambda_div * divergence + self.lambda_reg * ridge
        )

    def _draw(self, module, chosen):
        found, classes = self._buffer[chosen], self._classes[chosen]
        anew = torch.rand(len(found), 1, generator=self._random) < self.ANEW
        found = torch.where(anew, self._start(len(found)), found)
        for _ in range(self.N_STEPS):
            found = found.detach().requires_grad_()
            energies = -module(found).gather(1, classes[:, None])
            (slopes,) = torch.autograd.grad(energies.sum(), found)
            noise = self.NOISE * torch.randn(found.shape, generator=self._random)
            found = self._confined(found.detach() - slopes + noise)
        self._buffer[chosen] = found
        return found

    def _start(self, n_rows):
        chosen = torch.randint(len(self._rows), (n_rows,), generator=self._random)
        noise = torch.randn(n_rows, self._rows.shape[1], generator=self._random)
        return self._confined(self._rows[chosen] + self.START_NOISE * self._rows.std(dim=0) * noise)

    def _confined(self, rows):
        rows = self.encoder_.groups.project(rows, torch.ones_like(rows))
        return rows.clamp(self._low, self._high)


class AugmentedClassifier(RivalClassifier):
    """Augmentation with mature counterfactuals, which are labeled as their targets.

    They are searched in each epoch, as in counterfactual training.
    """

    def rows_of_epoch(self, X, rows, labels):
        """Return the rows and labels to train on in this epoch."""
        n_drawn = min(self.n_counterfactuals, len(rows))
        drawn = torch.randperm(len(rows), generator=self._random)[:n_drawn].numpy()
        factuals = X.iloc[drawn] if hasattr(X, "iloc") else X[drawn]
        # The generator of the training, as in counterfactual training.
        explanation = self.explain(factuals, generator=None, T=self.T)
        found = torch.as_tensor(
            explanation.counterfactual_encoded[explanation.mature], dtype=torch.float32
        )
        targets = np.searchsorted(self.classes_, explanation.target[explanation.mature])
        return torch.cat([rows, found]), torch.cat([labels, torch.as_tensor(targets)])

    def loss(self, module, rows, labels):
        """Return the cross-entropy."""
        return cross_entropy(module(rows), labels)


class UnmaskedClassifier(CounterfactualTrainedClassifier):
    """Counterfactual training with unprotected exemplars."""

    def fit(self, X, y):
        """Fit the model; see the base class."""
        with mock.patch.object(Constraints, "protect", lambda self, exemplars, *_: exemplars):
            return super().fit(X, y)


class FineTunedClassifier(CounterfactualTrainedClassifier):
    """Conventional training, then half as many epochs of counterfactual training."""

    def fit(self, X, y):
        """Fit the model; see the base class."""
        with setting(self, **CONVENTIONAL):
            super().fit(X, y)
        with setting(self, warm_start=True, max_epochs=self.max_epochs // 2):
            return super().fit(X, y)
