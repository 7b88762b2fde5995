"""One-hot groups among the columns that a module sees."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class OneHotGroups:
    """Groups of columns that each code one categorical feature, after all numeric columns.

    Parameters
    ----------
    n_numeric : int
        Number of columns before the first group.
    sizes : tuple of int, default=()
        Number of columns of each group; the groups are adjacent.
    ordered : tuple of bool, default=()
        Whether a category rises to those after it in its group, and falls to those before.
    missing : tuple of bool, default=()
        Whether the last column of an ordered group stands for a missing value, which has no
        place in the order of the other categories.
    numbers : tuple of int or None, default=()
        The numeric column that a group belongs to, if its categories are the states of a
        number: the first one stands for "a number", the others for a gap and for special
        values. None for a group of a category.
    """

    n_numeric: int
    sizes: tuple = ()
    ordered: tuple = ()
    missing: tuple = ()
    numbers: tuple = ()

    def __post_init__(self):
        """Complete the fields that were left empty: no group is ordered or of a number."""
        for name, default in (("ordered", False), ("missing", False), ("numbers", None)):
            if not getattr(self, name):
                object.__setattr__(self, name, (default,) * len(self.sizes))

    def __len__(self):
        """Return the number of groups."""
        return len(self.sizes)

    @property
    def n_columns(self):
        """Number of columns, including the numeric ones."""
        return self.n_numeric + sum(self.sizes)

    @property
    def slices(self):
        """Columns of each group."""
        ends = self.n_numeric + np.cumsum(self.sizes, dtype=int)
        return [slice(end - size, end) for end, size in zip(ends.tolist(), self.sizes, strict=True)]

    @property
    def of_numbers(self):
        """Numeric columns that have states, and the slices of the groups of their states."""
        return [
            (number, columns)
            for number, columns in zip(self.numbers, self.slices, strict=True)
            if number is not None
        ]

    @property
    def column_weights(self):
        """Weights for which a unit of a number, or a change of category, counts 1.

        A change of category moves two one-hot columns by one, so each counts 1/2;
        ndarray of shape (n_columns,).
        """
        weights = np.ones(self.n_columns)
        weights[self.n_numeric :] = 0.5
        return weights

    def membership(self, like):
        """Return which one-hot column belongs to which group, as 1 or 0.

        Parameters
        ----------
        like : Tensor
            Tensor whose dtype and device the result takes.

        Returns
        -------
        membership : Tensor of shape (n_columns - n_numeric, n_groups)
        """
        group = torch.repeat_interleave(torch.arange(len(self)), torch.tensor(self.sizes))
        # The transpose is stored column by column, which makes products with it fastest.
        return (torch.arange(len(self))[:, None] == group).to(like).T

    def relative(self, gradients, encoded):
        """Return gradients relative to their mean over the current weights of each group.

        A constant that is added to all gradients of a group has no effect, because the
        weights sum to one. Once some categories are excluded, only the relative gradients
        show which of the others would gain.

        Parameters
        ----------
        gradients, encoded : Tensor of shape (n_rows, n_columns)

        Returns
        -------
        relative : Tensor of shape (n_rows, n_columns)
        """
        if not self.sizes:
            return gradients
        numeric, slopes = gradients[:, : self.n_numeric], gradients[:, self.n_numeric :]
        # A product with the membership sums over each group; one with its transpose repeats
        # the sum for each column of the group.
        membership = self.membership(encoded)
        means = (slopes * encoded[:, self.n_numeric :]) @ membership
        return torch.cat([numeric, slopes - means @ membership.T], dim=1)

    def project(self, encoded, allowed):
        r"""Project each group onto the simplex over its allowed categories.

        Parameters
        ----------
        encoded : Tensor of shape (n_rows, n_columns)
        allowed : Tensor of shape (n_rows, n_columns)
            1 where a category is allowed, 0 elsewhere; at least one in each group.

        Returns
        -------
        projected : Tensor of shape (n_rows, n_columns)

        Notes
        -----
        The nearest point of the simplex is :math:`\max(v - \theta, 0)`. The threshold
        :math:`\theta` for which it sums to one is found by dropping the categories that
        become negative until none is left to drop [1]_.

        References
        ----------
        .. [1] Michelot, "A finite algorithm for finding the projection of a point
           onto the canonical simplex of R^n", Journal of Optimization Theory and
           Applications 50, 1986.
        """
        if not self.sizes:
            return encoded
        numeric, weights = encoded[:, : self.n_numeric], encoded[:, self.n_numeric :]
        kept = allowed[:, self.n_numeric :]
        membership = self.membership(encoded)
        group = membership.argmax(dim=1)
        # All rows run at once. Rows whose groups are all settled leave `pending`; each round
        # overwrites the results of the others, so that the last round of a row counts.
        simplex = torch.empty_like(weights)
        pending = torch.arange(len(encoded), device=encoded.device)
        while len(pending):
            excess = (weights * kept) @ membership - 1
            thresholds = (excess / (kept @ membership)).index_select(1, group)
            above = (weights - thresholds).clamp_(min=0).mul_(kept)
            simplex[pending] = above
            # Signs and sums of floats are several times faster than comparisons.
            positive = above.sign()
            # A row is settled once no category was dropped in this round.
            unsettled = (kept.sum(dim=1) - positive.sum(dim=1)).nonzero()[:, 0]
            pending = pending.index_select(0, unsettled)
            weights, kept = (part.index_select(0, unsettled) for part in (weights, positive))
        return torch.cat([numeric, simplex], dim=1)

    def harden(self, encoded):
        """Turn each group into its largest category, as it is returned to the user.

        Parameters
        ----------
        encoded : Tensor of shape (n_rows, n_columns)

        Returns
        -------
        hardened : Tensor of shape (n_rows, n_columns)
        """
        if not self.sizes:
            return encoded
        hardened = torch.zeros_like(encoded)
        hardened[:, : self.n_numeric] = encoded[:, : self.n_numeric]
        # Of equal weights, the first counts, as in `Encoder.collapse`.
        largest = [
            encoded[:, columns].argmax(dim=1, keepdim=True) + columns.start
            for columns in self.slices
        ]
        return hardened.scatter_(1, torch.cat(largest, dim=1), 1.0)
