"""Random draws of an epoch: minibatches, factuals, targets and exemplars."""

from dataclasses import dataclass, fields

import torch


class TrainingRows:
    """The training rows of one fit, on the module's device, and random draws from them.

    Random numbers are drawn on the CPU and moved to the device, so that all devices use
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
    weights : Tensor of shape (n_rows,) or None, default=None
        Positive weights of the rows.
    """

    def __init__(self, X, y, n_classes, generator, weights=None):
        self.X = X
        self.y = y
        self.generator = generator
        self.weights = weights
        # Positions of the rows, ordered by class: the members of a class are contiguous.
        self.by_class = torch.argsort(y, stable=True).cpu()
        self.class_counts = torch.bincount(y, minlength=n_classes).cpu()

    def shuffled(self):
        """Return all rows, their labels and their weights in a random order."""
        order = torch.randperm(len(self.X), generator=self.generator).to(self.X.device)
        return self.select(order)

    def select(self, idx):
        """Return the rows, their labels and their weights or None at some positions."""
        # On a CPU, this is several times as fast as an index in brackets.
        columns = self.X, self.y, self.weights
        return tuple(None if part is None else part.index_select(0, idx) for part in columns)

    def draw_factuals(self, n):
        """Draw `n` rows (at most all) without replacement; return their positions in `X`."""
        idx = torch.randperm(len(self.X), generator=self.generator)[:n]
        return idx.to(self.X.device)

    def draw_targets(self, predictions):
        """Draw a target for each prediction, uniformly over the other classes.

        Only classes that have training rows are drawn.

        Parameters
        ----------
        predictions : LongTensor of shape (n_rows,)

        Returns
        -------
        positions : LongTensor of shape (n_targets,)
            The predictions that have a target: all of them, unless the training rows
            belong to a single class.
        targets : LongTensor of shape (n_targets,)
        """
        predictions = predictions.cpu()
        is_eligible = (self.class_counts > 0).repeat(len(predictions), 1)
        is_eligible[torch.arange(len(predictions)), predictions] = False
        positions = is_eligible.any(dim=1).nonzero()[:, 0]
        if not len(positions):
            # multinomial does not accept an empty tensor.
            return positions.to(self.X.device), positions.to(self.X.device)
        weights = is_eligible[positions].float()
        targets = torch.multinomial(weights, 1, generator=self.generator)[:, 0]
        return positions.to(self.X.device), targets.to(self.X.device)

    def draw_exemplars(self, targets):
        """Draw a training row of each target's class, uniformly or by weight; return the rows."""
        targets = targets.cpu()
        if self.weights is not None:
            return self._draw_by_weight(targets)
        counts = self.class_counts[targets]
        # The cumulative counts, less the counts, are the starts of the classes in `by_class`.
        starts = (self.class_counts.cumsum(0) - self.class_counts)[targets]
        # In float32, rounding could turn a product into `counts`, the start of the next class.
        uniform = torch.rand(len(targets), generator=self.generator, dtype=torch.float64)
        idx = self.by_class[starts + (uniform * counts).long()]
        return self.X.index_select(0, idx.to(self.X.device))

    def _draw_by_weight(self, targets):
        """Draw a row of each target's class with a probability proportional to its weight."""
        # Cumulative weights in the order of `by_class`, in which the rows of a class are
        # contiguous; a leading zero makes those before a class easy to look up.
        cumulated = self.weights[self.by_class.to(self.weights.device)].double().cpu().cumsum(0)
        cumulated = torch.cat([cumulated.new_zeros(1), cumulated])
        ends = self.class_counts.cumsum(0)
        starts = (ends - self.class_counts)[targets]
        ends = ends[targets]
        uniform = torch.rand(len(targets), generator=self.generator, dtype=torch.float64)
        totals = cumulated[ends] - cumulated[starts]
        positions = torch.searchsorted(cumulated, cumulated[starts] + uniform * totals, right=True)
        # Rounding could lead to the row after the last one of a class.
        positions = torch.minimum(torch.maximum(positions - 1, starts), ends - 1)
        return self.X.index_select(0, self.by_class[positions].to(self.X.device))


class Minibatches:
    """Minibatches as slices of tensors in memory, which are faster than a DataLoader.

    A last minibatch of one row joins the one before it, because layers such as BatchNorm
    cannot compute statistics of a single row.

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
        # A remainder of one row adds no minibatch, unless it is the only row.
        n_full, n_left = divmod(len(self.rows.X), self.batch_size)
        return n_full + (n_left > 1 or n_full == 0)

    def __iter__(self):
        """Yield (X, y) once through the rows."""
        for batch, _ in self.weighted():
            yield batch

    def weighted(self):
        """Yield pairs of (X, y) and of the weights of its rows, which may be None."""
        X, y, weights = self.ordered()
        sizes = self.sizes()
        batches = zip(torch.split(X, sizes), torch.split(y, sizes), strict=True)
        parts = [None] * len(self) if weights is None else torch.split(weights, sizes)
        return zip(batches, parts, strict=True)

    def ordered(self):
        """Return all rows, their labels and their weights, in the order of the minibatches."""
        rows = self.rows
        return rows.shuffled() if self.shuffle else (rows.X, rows.y, rows.weights)

    def sizes(self):
        """Return the number of rows of each minibatch."""
        # The last minibatch is larger than the others if it takes in a single row.
        sizes = [self.batch_size] * len(self)
        sizes[-1] = len(self.rows.X) - sum(sizes[:-1])
        return sizes


@dataclass(frozen=True)
class CounterfactualBatch:
    """The tuples of an epoch or of one of its minibatches, which are constants of the loss.

    Parameters
    ----------
    targets : LongTensor of shape (n_tuples,)
    exemplars : Tensor of shape (n_tuples, n_features)
        Observed rows of the target class, protected.
    counterfactuals : Tensor of shape (n_tuples, n_features)
        Mature counterfactuals; in place of an immature one, its exemplar.
    nascent : Tensor of shape (n_tuples, n_features) or None
    labels : LongTensor of shape (n_tuples,)
        True labels of the factuals.
    weights : Tensor of shape (n_tuples,) or None, default=None
        Weights of the factuals.
    """

    targets: torch.Tensor
    exemplars: torch.Tensor
    counterfactuals: torch.Tensor
    nascent: torch.Tensor | None
    labels: torch.Tensor
    weights: torch.Tensor | None = None

    def split(self, n_parts):
        """Split the tuples evenly into `n_parts` batches; None takes the place of an empty one."""
        n_tuples = len(self.targets)
        columns = []
        for field in fields(self):
            values = getattr(self, field.name)
            is_missing = values is None
            columns.append([None] * n_parts if is_missing else torch.tensor_split(values, n_parts))
        parts = [CounterfactualBatch(*part) for part in zip(*columns, strict=True)]
        # tensor_split puts the larger parts first, so only the last ones can be empty.
        return [part if i < n_tuples else None for i, part in enumerate(parts)]

    def sizes(self, n_parts):
        """Return the number of tuples of each of the parts of `split`."""
        size, n_larger = divmod(len(self.targets), n_parts)
        return [size + 1] * n_larger + [size] * (n_parts - n_larger)
