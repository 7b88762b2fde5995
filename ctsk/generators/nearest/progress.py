"""The record of a nearest search: its rounds, and the best state of each row so far."""

import torch

from ctsk.generators.nearest.descent import LEAST_GAIN


class Progress:
    """Count of the rounds of a search, and the cheapest valid state of each row.

    Parameters
    ----------
    factuals : Tensor of shape (n_rows, n_columns)
    T : int
        Maximum number of rounds.
    return_path : bool
    """

    def __init__(self, factuals, T, return_path):
        self.T = T
        self.t = 0
        self.prices = factuals.new_full((len(factuals),), torch.inf)
        self.n_iter = torch.zeros(len(factuals), dtype=torch.int64, device=factuals.device)
        self.path = factuals[:, None].repeat(1, T + 1, 1) if return_path else None

    def rounds(self, n_rounds):
        """Yield the numbers of at most `n_rounds` rounds, as many as T permits."""
        for number in range(n_rounds):
            if self.t == self.T:
                return
            self.t += 1
            yield number

    def record(self, items, prices, is_valid):
        """Record the states of a round that are cheaper than all before."""
        offered = torch.where(is_valid, prices, torch.inf)
        best = torch.full_like(self.prices, torch.inf)
        best.scatter_reduce_(0, items.rows, offered, "amin")
        is_cheaper = best < self.prices - LEAST_GAIN
        self.prices = torch.where(is_cheaper, best, self.prices)
        self.n_iter[is_cheaper] = self.t
        if self.path is not None:
            idx = ((offered == best[items.rows]) & is_cheaper[items.rows]).nonzero()[:, 0]
            # Later states overwrite this one; if none is cheaper, it stays.
            self.path[items.rows[idx], self.t :] = items.states[idx][:, None]

    def finish(self, states, is_final):
        """Enter the final states, which may differ from the recorded ones, at the end of paths."""
        if self.path is None:
            return
        is_last = torch.arange(self.T + 1, device=states.device) >= self.n_iter[:, None]
        is_last &= is_final[:, None]
        self.path = torch.where(is_last[..., None], states[:, None], self.path)
