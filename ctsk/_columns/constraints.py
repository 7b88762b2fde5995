"""What may change, in which direction and how far, as a box around each row."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ctsk._columns.one_hot import OneHotGroups


@dataclass(frozen=True, eq=False)
class Box:
    """Bounds within which each row may be changed.

    Parameters
    ----------
    lower, upper : ndarray or Tensor of shape (n_rows, n_columns)
        The row itself lies within them. The upper bound of a one-hot column is 1 if the
        category may be reached and 0 otherwise.
    groups : OneHotGroups
    """

    lower: np.ndarray | torch.Tensor
    upper: np.ndarray | torch.Tensor
    groups: OneHotGroups

    def select(self, idx):
        """Return the bounds of the rows at some positions."""
        return replace(self, lower=self.lower[idx], upper=self.upper[idx])

    def to_tensors(self, *, dtype, device):
        """Return the same bounds as torch tensors."""
        return replace(
            self,
            lower=torch.as_tensor(self.lower, dtype=dtype, device=device),
            upper=torch.as_tensor(self.upper, dtype=dtype, device=device),
        )


@dataclass(frozen=True, eq=False)
class Constraints:
    """Domain and mutability of every column.

    The columns are those that the module sees: all numeric columns, then one column for
    each known category. The class serves constraints in X's units (NumPy) and in module
    units (torch); one-hot columns are 0 or 1 in both. ``low`` and ``high`` bound a
    domain; the ``lower`` and ``upper`` bounds of a row are those of its `Box`.

    Parameters
    ----------
    low, high : ndarray or Tensor of shape (n_columns,) or (n_rows, n_columns)
        The domain; infinite on an open side. For a one-hot column, ``low`` is 0 and
        ``high`` is 1 if the category may be reached. Two dimensions hold the constraints
        of each row.
    may_rise, may_fall : bool ndarray or Tensor, shaped like the domain
        The mutability: both are true for "both", neither is for "none". A category rises
        to those after it in its group and falls to those before it.
    groups : OneHotGroups
    is_inferred : bool or bool ndarray, shaped like the domain, default=False
        Whether the domain was inferred from training rows rather than given by the user.
    """

    low: np.ndarray | torch.Tensor
    high: np.ndarray | torch.Tensor
    may_rise: np.ndarray | torch.Tensor
    may_fall: np.ndarray | torch.Tensor
    groups: OneHotGroups
    is_inferred: np.ndarray | bool = False

    @classmethod
    def free(cls, low, high, groups, *, is_inferred=False):
        """Return constraints that let every feature move both ways within a domain."""
        free = np.ones(len(low), dtype=bool)
        return cls(low, high, free, free, groups, np.full(len(low), is_inferred))

    def box(self, factuals):
        """Return the bounds within which each row may be changed.

        The lower (upper) bound of a feature that may not fall (rise) is the factual's own
        value. A factual outside the domain may keep its value or move toward the domain.

        Parameters
        ----------
        factuals : ndarray or Tensor of shape (n_rows, n_columns)

        Returns
        -------
        box : Box
            With ``lower <= factuals <= upper`` everywhere.
        """
        xp = torch if isinstance(factuals, torch.Tensor) else np
        # `minimum` and `maximum` extend the box to a factual outside the domain.
        lower = xp.where(self.may_fall, xp.minimum(self.low, factuals), factuals)
        upper = xp.where(self.may_rise, xp.maximum(self.high, factuals), factuals)
        for columns, has_missing in zip(self.groups.slices, self.groups.missing, strict=True):
            one_hot = factuals[:, columns]
            # The cumulative sum of a one-hot row jumps from 0 to 1 at its category. Less
            # the row itself, it is 1 exactly for the categories after the factual's: to reach
            # these is to rise. The remaining categories, without its own, come before.
            after = one_hot.cumsum(1) - one_hot
            before = 1 - one_hot - after
            if has_missing:
                # A missing value has no place in the order: to leave it is to rise and to
                # fall. It is the last column, so every category comes before it already.
                after = after + one_hot[:, -1:]
            forbidden = (after > 0) & ~self.may_rise[..., columns]
            forbidden |= (before > 0) & ~self.may_fall[..., columns]
            upper[:, columns] = xp.maximum(one_hot, self.high[..., columns] * ~forbidden)
            # A category is fixed, with its lower bound at 1, if no other may be reached.
            is_only = upper[:, columns].sum(1)[:, None] == 1
            lower[:, columns] = one_hot * is_only
        return Box(lower, upper, self.groups)

    def protect(self, exemplars, counterfactuals, box):
        """Hide from the objective what the counterfactuals were not allowed to do.

        Where moving a counterfactual toward its exemplar is forbidden, the exemplar takes
        the counterfactual's value, so that the contrastive divergence is silent about
        that feature. A category is taken over where the factual could not have reached
        the exemplar's.

        Parameters
        ----------
        exemplars, counterfactuals : Tensor of shape (n_rows, n_columns)
        box : Box
            The box in which the counterfactuals were searched.

        Returns
        -------
        protected : Tensor of shape (n_rows, n_columns)

        Notes
        -----
        The exemplar is compared with the counterfactual, as in the paper, although the
        box would allow a feature that has risen to return to the factual's value.
        """
        # For one-hot columns this comparison is meaningless, because a category rises by its
        # position rather than by a value; the block below overwrites their part.
        forbidden = ((exemplars > counterfactuals) & ~self.may_rise) | (
            (exemplars < counterfactuals) & ~self.may_fall
        )
        if len(self.groups):
            one_hot = slice(self.groups.n_numeric, None)
            membership = self.groups.membership(exemplars)
            unreachable = (exemplars > box.upper)[:, one_hot].to(membership)
            # From columns to groups and back: one unreachable column marks its whole group.
            forbidden[:, one_hot] = (unreachable @ membership @ membership.T) > 0
        return torch.where(forbidden, counterfactuals, exemplars)

    def select(self, idx):
        """Return the constraints of the rows at some positions."""
        if self.low.ndim == 1:
            return self
        # `is_inferred` may be a single bool, its default, which has no rows to select.
        return replace(
            self,
            low=self.low[idx],
            high=self.high[idx],
            may_rise=self.may_rise[idx],
            may_fall=self.may_fall[idx],
            is_inferred=np.broadcast_to(self.is_inferred, self.low.shape)[idx],
        )

    def to_tensors(self, *, dtype, device):
        """Return the same constraints as torch tensors."""
        return replace(
            self,
            low=torch.as_tensor(self.low, dtype=dtype, device=device),
            high=torch.as_tensor(self.high, dtype=dtype, device=device),
            may_rise=torch.as_tensor(self.may_rise, device=device),
            may_fall=torch.as_tensor(self.may_fall, device=device),
        )
