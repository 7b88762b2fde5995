"""Joint energy-based training."""

import torch
from torch.nn.functional import cross_entropy

from rivals.base import RivalClassifier


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

    def prepare(self, module, rows, labels):
        """Fill the buffer of negative rows."""
        self._rows = rows
        self._low, self._high = rows.amin(dim=0), rows.amax(dim=0)
        self._buffer = self._start(self.N_KEPT)
        self._classes = torch.arange(self.N_KEPT) % len(self.classes_)

    def fit(self, X, y):
        """Fit the model; see the base class."""
        super().fit(X, y)
        del self._rows, self._buffer, self._classes, self._low, self._high
        return self

    def loss(self, module, rows, labels, idx):
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
