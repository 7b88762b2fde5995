"""What is written down while rows are searched, and what is made of it."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class SearchResult:
    """What a search found, row by row, in module units.

    Parameters
    ----------
    counterfactuals : Tensor of shape (n_rows, n_columns)
        The state in which each search stopped.
    mature : BoolTensor of shape (n_rows,)
        Whether it stopped because the target reached ``tau``.
    n_iter : LongTensor of shape (n_rows,)
        The steps it took.
    nascent : Tensor of shape (n_rows, n_columns) or None
        The last state on each path that is less than ``epsilon`` away from the
        factual in every feature; None where no ``epsilon`` was given.
    refused : BoolTensor of shape (n_rows,)
        Whether the last state had reached ``tau``, but was turned down.
    path : Tensor of shape (n_rows, T + 1, n_columns) or None
        All states, the factual first; a finished search stays where it is.
        None unless it was asked for.
    """

    counterfactuals: torch.Tensor
    mature: torch.Tensor
    n_iter: torch.Tensor
    nascent: torch.Tensor | None
    refused: torch.Tensor
    path: torch.Tensor | None


class Record:
    """What is written down about every row while its search goes on."""

    def __init__(self, factuals, T, epsilon, return_path):
        self.found = factuals.clone()
        self.is_mature = torch.zeros(len(factuals), dtype=torch.bool, device=factuals.device)
        self.refused = torch.zeros_like(self.is_mature)
        self.n_iter = torch.full(self.is_mature.shape, T, device=factuals.device)
        self.epsilon = epsilon
        self.nascent = None if epsilon is None else factuals.clone()
        self.path = factuals[:, None].repeat(1, T + 1, 1) if return_path else None

    def advance(self, rows, states, factuals, t):
        """Write down the states of `rows` after `t` steps."""
        if self.nascent is not None:
            outside = (states - factuals).abs_() >= self.epsilon
            # A sum of floats is several times faster than any() or amax() along rows.
            inside = (outside.to(states.dtype).sum(dim=1) == 0).nonzero()[:, 0]
            self.nascent[rows.index_select(0, inside)] = states.index_select(0, inside)
        if self.path is not None:
            self.path[rows, t:] = states[:, None]

    def mature(self, rows, states, t):
        """Write down where the searches of `rows` ended at maturity, after `t` steps."""
        self.found[rows] = states
        self.is_mature[rows] = True
        self.n_iter[rows] = t

    def stop(self, rows, states, refused):
        """Write down where the searches of `rows` ended for good."""
        self.found[rows] = states
        self.refused[rows] = refused

    def result(self):
        """Return the record as a value."""
        return SearchResult(
            self.found, self.is_mature, self.n_iter, self.nascent, self.refused, self.path
        )
