"""What may move, in which direction and how far, as a box around each row."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from ctsk._columns.one_hot import OneHotGroups


@dataclass(frozen=True, eq=False)
class Box:
    """Bounds within which each row may be changed.

    Parameters
    ----------
    lower, upper : ndarray or Tensor of shape (n_rows, n_columns)
        The row itself lies inside. The upper bound of a one-hot column is 1 where
        the category may be reached and 0 where it may not.
    groups : OneHotGroups
    """

    lower: np.ndarray | torch.Tensor
    upper: np.ndarray | torch.Tensor
    groups: OneHotGroups

    def select(self, rows):
        """Return the bounds of some rows."""
        return replace(self, lower=self.lower[rows], upper=self.upper[rows])

    def to_tensors(self, tensor):
        """Return the same bounds as torch tensors, made by a function."""
        return replace(self, lower=tensor(self.lower), upper=tensor(self.upper))


@dataclass(frozen=True, eq=False)
class Constraints:
    """Domain and mutability of every column.

    The columns are those that the module sees: numeric ones first, then one for
    each known category. The same class serves numbers in X's units (NumPy) and in
    module units (torch); which one it holds follows from the rows it was built
    beside. One-hot columns are 0 or 1 in both.

    Parameters
    ----------
    low, high : ndarray or Tensor of shape (n_columns,) or (n_rows, n_columns)
        The domain; infinite on an open side. Of a one-hot column: 0, and whether
        the category may be reached. Two dimensions hold bounds for each row.
    may_rise, may_fall : bool ndarray or Tensor, shaped like the domain
        The mutability: "both" may do both, "none" neither. A category rises to
        those behind it in its group and falls to those before it.
    groups : OneHotGroups
    """

    low: np.ndarray | torch.Tensor
    high: np.ndarray | torch.Tensor
    may_rise: np.ndarray | torch.Tensor
    may_fall: np.ndarray | torch.Tensor
    groups: OneHotGroups

    @classmethod
    def free(cls, low, high, groups):
        """Return constraints that let every feature move both ways within a domain."""
        free = np.ones(len(low), dtype=bool)
        return cls(low=low, high=high, may_rise=free, may_fall=free, groups=groups)

    def box(self, factuals):
        """Bounds within which each row may be changed.

        A feature that may not fall (rise) has the factual's own value as lower
        (upper) bound. A factual outside the domain may stay where it is or
        come back towards the domain.

        Parameters
        ----------
        factuals : ndarray or Tensor of shape (n_rows, n_columns)

        Returns
        -------
        box : Box
            With ``lower <= factuals <= upper`` everywhere.
        """
        xp = torch if isinstance(factuals, torch.Tensor) else np
        lower = xp.where(self.may_fall, xp.minimum(self.low, factuals), factuals)
        upper = xp.where(self.may_rise, xp.maximum(self.high, factuals), factuals)
        for columns, has_missing in zip(self.groups.slices, self.groups.missing, strict=True):
            own = factuals[:, columns]
            up = own.cumsum(1) - own
            down = 1 - own - up
            if has_missing:
                up = up + own[:, -1:]
            forbidden = (up > 0) & ~self.may_rise[..., columns]
            forbidden |= (down > 0) & ~self.may_fall[..., columns]
            upper[:, columns] = xp.maximum(own, self.high[..., columns] * ~forbidden)
            is_only = upper[:, columns].sum(1)[:, None] == 1
            lower[:, columns] = own * is_only
        return Box(lower, upper, self.groups)

    def protect(self, exemplars, counterfactuals, box):
        """Hide from the objective what the counterfactual was not allowed to do.

        Where moving the counterfactual towards its exemplar is forbidden, the
        exemplar takes the counterfactual's value, so that the contrastive
        divergence says nothing about that feature. A category is taken over where
        the factual could not have reached the exemplar's.

        Parameters
        ----------
        exemplars, counterfactuals : Tensor of shape (n_rows, n_columns)
        box : Box
            In which the counterfactuals were searched.

        Returns
        -------
        protected : Tensor of shape (n_rows, n_columns)

        Notes
        -----
        The comparison is with the counterfactual, as in the paper, although
        the box would let a feature that has risen come back to the factual.
        """
        forbidden = ((exemplars > counterfactuals) & ~self.may_rise) | (
            (exemplars < counterfactuals) & ~self.may_fall
        )
        if len(self.groups):
            one_hot = slice(self.groups.n_numeric, None)
            membership = self.groups.membership(exemplars)
            unreachable = (exemplars > box.upper)[:, one_hot].to(membership)
            forbidden[:, one_hot] = (unreachable @ membership @ membership.T) > 0
        return torch.where(forbidden, counterfactuals, exemplars)

    def of_rows(self, rows):
        """Return the constraints of some of the rows."""
        if self.low.ndim == 1:
            return self
        arrays = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return replace(self, **arrays)

    def to_tensors(self, *, dtype, device):
        """Return the same constraints as torch tensors."""
        return replace(
            self,
            low=torch.as_tensor(self.low, dtype=dtype, device=device),
            high=torch.as_tensor(self.high, dtype=dtype, device=device),
            may_rise=torch.as_tensor(self.may_rise, device=device),
            may_fall=torch.as_tensor(self.may_fall, device=device),
        )


_ARRAYS = [field.name for field in fields(Constraints) if field.name != "groups"]
