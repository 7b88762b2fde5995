"""The numbers of items whose categories are held, and how the model and the prices rate them."""

from dataclasses import dataclass, fields, replace

import torch

from ctsk.generators.nearest.problem import Problem


@dataclass(frozen=True, slots=True)
class Numbers:
    """Items of which only the numbers move.

    What the categories contribute to the first layer, to the prices and to the bounds is the
    same for all numbers and is computed once. One-hot columns, most of the columns of many
    tables, take no part in a descent.

    Parameters
    ----------
    problem : Problem
    values, factuals, low, high : Tensor of shape (n_items, n_numeric)
        Bounds of numbers that cannot move are equal to their values.
    targets : LongTensor of shape (n_items,)
    costs : Tensor of shape (n_numeric,) or (n_items, n_numeric)
    prototypes : Tensor of shape (n_items, n_numeric) or None
    offsets : Tensor of shape (n_items, n_outputs)
        Outputs of the first layer where all numbers are zero.
    prices_of_categories : Tensor of shape (n_items,)
    """

    problem: Problem
    values: torch.Tensor
    factuals: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    targets: torch.Tensor
    costs: torch.Tensor
    prototypes: torch.Tensor | None
    offsets: torch.Tensor
    prices_of_categories: torch.Tensor

    @classmethod
    def of(cls, problem, items, free=None):
        """Return the numbers of items.

        Parameters
        ----------
        problem : Problem
        items : Items
        free : BoolTensor of shape (n_items, n_numeric), default=None
            Numbers that may move; None frees all of them.
        """
        numbers = slice(problem.n_numeric)
        values, (low, high) = items.states[:, numbers], problem.bounds(items)
        if free is not None:
            low, high = torch.where(free, low, values), torch.where(free, high, values)
        prototypes = items.prototypes
        return cls(
            problem,
            values,
            items.factuals[:, numbers],
            low,
            high,
            items.targets,
            items.costs[..., numbers],
            None if prototypes is None else prototypes[:, numbers],
            problem.outputs_without_numbers(items.states),
            problem.prices_of_categories(items),
        )

    def __len__(self):
        """Return the number of items."""
        return len(self.values)

    def select(self, idx):
        """Return the numbers of the items at some positions."""

        def selected(values):
            # One dimension of costs means that all items share them.
            is_shared = values is None or (values is self.costs and values.ndim == 1)
            return values if is_shared else values.index_select(0, idx)

        tensors = [getattr(self, field.name) for field in fields(self)[1:]]
        return Numbers(self.problem, *map(selected, tensors))

    def at(self, values):
        """Return the same numbers at other values."""
        return replace(self, values=values)

    def margins(self, values=None):
        """Return the margins of the items; see `Problem.margins`."""
        return self.problem.margins_at(self._outputs(values), self.targets)

    def slopes(self, values=None):
        """Return the margins, and their gradients with respect to the numbers."""
        margins, slopes = self.problem.slopes_at(self._outputs(values), self.targets)
        return margins, self.problem.slopes_of(slice(self.problem.n_numeric), slopes)

    def _outputs(self, values):
        """Return the outputs of the first layer."""
        values = self.values if values is None else values
        return self.problem.outputs_of_numbers(values, self.offsets)

    def prices(self, values=None):
        """Return the prices of the items; see `Problem.prices`."""
        values = self.values if values is None else values
        return self.prices_of_categories + self.problem.prices_of(
            values, self.factuals, self.prototypes, self.costs
        )
