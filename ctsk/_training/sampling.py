"""What chance decides in an epoch: minibatches, factuals, targets, exemplars."""

from dataclasses import dataclass, fields

import torch


class TrainingRows:
    """The rows of one fit, on the module's device, and the draws made from them.

    Random numbers are drawn on the CPU and moved, so that every device sees
    the same ones.

    Parameters
    ----------
    X : Tensor of shape (n_rows, n_features)
        In module units.
    y : LongTensor of shape (n_rows,)
        Labels, as columns of the logits.
    n_classes : int
    generator : torch.Generator
        A CPU generator.
    """

    def __init__(self, X, y, n_classes, generator):
        self.X = X
        self.y = y
        self.generator = generator
        self.by_class = torch.argsort(y, stable=True).cpu()
        self.class_counts = torch.bincount(y, minlength=n_classes).cpu()

    def shuffled(self):
        """Return all rows and labels in a random order."""
        order = torch.randperm(len(self.X), generator=self.generator).to(self.X.device)
        return self.X[order], self.y[order]

    def draw_factuals(self, n):
        """Draw `n` rows (at most all) without replacement; return their positions."""
        drawn = torch.randperm(len(self.X), generator=self.generator)[:n]
        return drawn.to(self.X.device)

    def draw_targets(self, predictions):
        """Draw a target for each prediction, uniformly over the other classes.

        Only classes with training rows at hand are drawn.

        Parameters
        ----------
        predictions : LongTensor of shape (n_rows,)

        Returns
        -------
        positions : LongTensor of shape (n_targets,)
            The predictions that could be given a target: all of them, unless
            there are training rows of one class alone.
        targets : LongTensor of shape (n_targets,)
        """
        predictions = predictions.cpu()
        eligible = (self.class_counts > 0).repeat(len(predictions), 1)
        eligible[torch.arange(len(predictions)), predictions] = False
        positions = eligible.any(dim=1).nonzero()[:, 0]
        if not len(positions):
            return positions.to(self.X.device), positions.to(self.X.device)
        weights = eligible[positions].float()
        targets = torch.multinomial(weights, 1, generator=self.generator)[:, 0]
        return positions.to(self.X.device), targets.to(self.X.device)

    def draw_exemplars(self, targets):
        """Draw a training row of each target's class, uniformly; return the rows."""
        targets = targets.cpu()
        counts = self.class_counts[targets]
        first = (self.class_counts.cumsum(0) - self.class_counts)[targets]
        uniform = torch.rand(len(targets), generator=self.generator, dtype=torch.float64)
        drawn = self.by_class[first + (uniform * counts).long()]
        return self.X[drawn.to(self.X.device)]


@dataclass(frozen=True)
class CounterfactualBatch:
    """The tuples of an epoch, or of one of its minibatches; constants of the loss.

    Parameters
    ----------
    targets : LongTensor of shape (n_tuples,)
    exemplars : Tensor of shape (n_tuples, n_features)
        Observed rows of the target class, protected.
    counterfactuals : Tensor of shape (n_tuples, n_features)
        Mature counterfactuals; the exemplar where the search did not mature.
    nascent : Tensor of shape (n_tuples, n_features) or None
    labels : LongTensor of shape (n_tuples,)
        True labels of the factuals.
    """

    targets: torch.Tensor
    exemplars: torch.Tensor
    counterfactuals: torch.Tensor
    nascent: torch.Tensor | None
    labels: torch.Tensor

    def split(self, n_parts):
        """Split evenly into `n_parts` batches; None stands for an empty one."""
        n_tuples = len(self.targets)
        values = [getattr(self, field.name) for field in fields(self)]
        columns = [
            [None] * n_parts if value is None else torch.tensor_split(value, n_parts)
            for value in values
        ]
        parts = [CounterfactualBatch(*part) for part in zip(*columns, strict=True)]
        return [part if i < n_tuples else None for i, part in enumerate(parts)]
