"""One-hot groups among the columns that a module sees."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class OneHotGroups:
    """The columns that code one category each, after all numeric columns.

    Parameters
    ----------
    n_numeric : int
        Columns before the first group.
    sizes : tuple of int, default=()
        Columns of each group, one behind the other.
    missing : tuple of bool, default=()
        Whether the last column of a group stands for a missing value, which has
        no place in the order of the others.
    """

    n_numeric: int
    sizes: tuple = ()
    missing: tuple = ()

    def __len__(self):
        """Return the number of groups."""
        return len(self.sizes)

    @property
    def n_columns(self):
        """Number of columns, numeric ones included."""
        return self.n_numeric + sum(self.sizes)

    @property
    def slices(self):
        """Columns of each group."""
        ends = self.n_numeric + np.cumsum(self.sizes, dtype=int)
        return [slice(end - size, end) for end, size in zip(ends.tolist(), self.sizes, strict=True)]

    def membership(self, like):
        """Which one-hot column belongs to which group, 1 or 0.

        Parameters
        ----------
        like : Tensor
            Of the wanted dtype and device.

        Returns
        -------
        membership : Tensor of shape (n_columns - n_numeric, n_groups)
        """
        group = torch.repeat_interleave(torch.arange(len(self)), torch.tensor(self.sizes))
        # Column by column in memory, which is how a product with it is fastest.
        return (torch.arange(len(self))[:, None] == group).to(like).T

    def relative(self, gradients, rows):
        """Gradients of a group less their mean over its present weights.

        What moves weight from one category to another is the same for both; but where
        some categories are left out, only these tell which of the others gain.

        Parameters
        ----------
        gradients, rows : Tensor of shape (n_rows, n_columns)

        Returns
        -------
        relative : Tensor of shape (n_rows, n_columns)
        """
        if not self.sizes:
            return gradients
        numeric, slopes = gradients[:, : self.n_numeric], gradients[:, self.n_numeric :]
        membership = self.membership(rows)
        means = (slopes * rows[:, self.n_numeric :]) @ membership
        return torch.cat([numeric, slopes - means @ membership.T], dim=1)

    def project(self, rows, allowed):
        r"""Project each group on the simplex over its allowed categories.

        Parameters
        ----------
        rows : Tensor of shape (n_rows, n_columns)
        allowed : Tensor of shape (n_rows, n_columns)
            1 where a category is allowed, 0 elsewhere; at least one in each group.

        Returns
        -------
        projected : Tensor of shape (n_rows, n_columns)

        Notes
        -----
        The nearest point of the simplex is :math:`\max(v - \theta, 0)`. The
        threshold that makes it sum to one is found by dropping categories that it
        sends below zero until none is left to drop [1]_.

        References
        ----------
        .. [1] Michelot, "A finite algorithm for finding the projection of a point
           onto the canonical simplex of R^n", Journal of Optimization Theory and
           Applications 50, 1986.
        """
        if not self.sizes:
            return rows
        numeric, weights = rows[:, : self.n_numeric], rows[:, self.n_numeric :]
        kept = allowed[:, self.n_numeric :]
        membership = self.membership(rows)
        group = membership.argmax(dim=1)
        simplex, pending = torch.empty_like(weights), torch.arange(len(rows), device=rows.device)
        while len(pending):
            excess = (weights * kept) @ membership - 1
            thresholds = (excess / (kept @ membership)).index_select(1, group)
            above = (weights - thresholds).clamp_(min=0).mul_(kept)
            simplex[pending] = above
            # Signs and sums of floats are several times faster than comparisons.
            still = above.sign()
            unsettled = (kept.sum(dim=1) - still.sum(dim=1)).nonzero()[:, 0]
            pending = pending.index_select(0, unsettled)
            weights, kept = (part.index_select(0, unsettled) for part in (weights, still))
        return torch.cat([numeric, simplex], dim=1)

    def harden(self, rows):
        """Turn each group into its largest category: what a user would be handed.

        Parameters
        ----------
        rows : Tensor of shape (n_rows, n_columns)

        Returns
        -------
        hardened : Tensor of shape (n_rows, n_columns)
        """
        if not self.sizes:
            return rows
        hardened = torch.zeros_like(rows)
        hardened[:, : self.n_numeric] = rows[:, : self.n_numeric]
        largest = [
            rows[:, columns].argmax(dim=1, keepdim=True) + columns.start for columns in self.slices
        ]
        return hardened.scatter_(1, torch.cat(largest, dim=1), 1.0)
