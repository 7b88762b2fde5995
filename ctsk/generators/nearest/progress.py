"""The record of a nearest search: its rounds, and the best state of each row so far."""

import torch

from ctsk.generators.nearest.descent import LEAST_GAIN
from ctsk.generators.nearest.problem import cheapest_of_each


class Progress:
    """Count of the rounds of a search, and the cheapest valid state of each row.

    Parameters
    ----------
    factuals : Tensor of shape (n_rows, n_columns)
    T : int
        Maximum number of rounds.
    return_path : bool

    Attributes
    ----------
    n_spent : int
        Number of rounds that the rows of the present search have spent. Each phase of a search
        spends all its rounds, even if it ends early: the rounds that are left for a row must not
        depend on what other rows in its batch still needed.
    n_iter : LongTensor of shape (n_rows,)
        The round in which the cheapest state of each row was found. For rows without any that
        is valid, `finish` sets it to the number of rounds.
    path : Tensor of shape (n_rows, T + 1, n_columns) or None
    """

    def __init__(self, factuals, T, return_path):
        self.T = T
        self.n_spent = self._round = 0
        self.n_iter = torch.zeros(len(factuals), dtype=torch.int64, device=factuals.device)
        self.path = factuals[:, None].repeat(1, T + 1, 1) if return_path else None
        self._prices = factuals.new_full((len(factuals),), torch.inf)

    def rounds(self, n_rounds):
        """Yield the numbers of at most `n_rounds` rounds, as many as T permits."""
        first, self.n_spent = self.n_spent, min(self.n_spent + n_rounds, self.T)
        for number in range(self.n_spent - first):
            self._round = first + number + 1
            yield number

    def restart(self, rows):
        """Forget the states of rows whose search starts again, because they were rejected."""
        self._prices[rows] = torch.inf
        if self.path is not None:
            self.path[rows] = self.path[rows, :1]

    def record(self, items, is_valid, prices, numbers=None):
        """Record the states of a round that are cheaper than all before.

        Parameters
        ----------
        items : Items
        is_valid : BoolTensor of shape (n_items,)
        prices : Tensor of shape (n_items,)
        numbers : Tensor of shape (n_items, n_numeric), default=None
            Numbers that replace those of the items.
        """
        offered = torch.where(is_valid, prices, torch.inf)
        least = self._prices.scatter_reduce(0, items.rows, offered, "amin")
        is_improved = least < self._prices - LEAST_GAIN
        self._prices = torch.where(is_improved, least, self._prices)
        self.n_iter[is_improved] = self._round
        if self.path is not None:
            idx = cheapest_of_each(items.rows, offered)
            idx = idx[is_improved[items.rows[idx]]]
            states = items.states[idx]
            if numbers is not None:
                states[:, : numbers.shape[1]] = numbers[idx]
            # Later states overwrite this one; if none is cheaper, it stays.
            self.path[items.rows[idx], self._round :] = states[:, None]

    def conclude(self, items, is_valid, prices):
        """Record the states after a phase, which ends in the same round in every batch."""
        self._round = self.n_spent
        self.record(items, is_valid, prices)

    def finish(self, rows, states, mature):
        """Enter the final states of rows, which may differ from the recorded ones."""
        self.n_iter[rows[~mature]] = self.n_spent
        if self.path is not None:
            is_last = torch.arange(self.T + 1, device=rows.device) >= self.n_iter[rows, None]
            self.path[rows] = torch.where(is_last[..., None], states[:, None], self.path[rows])
