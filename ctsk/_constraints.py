"""What may move, in which direction and how far, as a box around each row."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Constraints:
    """Domain and mutability of every feature.

    The same class serves numbers in X's units (NumPy) and in module units
    (torch); which one it holds follows from the rows it was built beside.

    Parameters
    ----------
    low, high : ndarray or Tensor of shape (n_features,)
        The domain; infinite on an open side.
    may_rise, may_fall : bool ndarray or Tensor of shape (n_features,)
        The mutability: "both" may do both, "none" neither.
    """

    low: np.ndarray | torch.Tensor
    high: np.ndarray | torch.Tensor
    may_rise: np.ndarray | torch.Tensor
    may_fall: np.ndarray | torch.Tensor

    @classmethod
    def free(cls, low, high):
        """Return constraints that let every feature move both ways within a domain."""
        free = np.ones(len(low), dtype=bool)
        return cls(low=low, high=high, may_rise=free, may_fall=free)

    def box(self, factuals):
        """Bounds within which each row may be changed.

        A feature that may not fall (rise) has the factual's own value as lower
        (upper) bound. A factual outside the domain may stay where it is or
        come back towards the domain.

        Parameters
        ----------
        factuals : ndarray or Tensor of shape (n_rows, n_features)

        Returns
        -------
        lower, upper : ndarrays or Tensors of shape (n_rows, n_features)
            ``lower <= factuals <= upper`` everywhere.
        """
        xp = torch if isinstance(factuals, torch.Tensor) else np
        lower = xp.where(self.may_fall, xp.minimum(self.low, factuals), factuals)
        upper = xp.where(self.may_rise, xp.maximum(self.high, factuals), factuals)
        return lower, upper

    def protect(self, exemplars, counterfactuals):
        """Hide from the objective what the counterfactual was not allowed to do.

        Where moving the counterfactual towards its exemplar is forbidden, the
        exemplar takes the counterfactual's value, so that the contrastive
        divergence says nothing about that feature.

        Parameters
        ----------
        exemplars, counterfactuals : Tensor of shape (n_rows, n_features)

        Returns
        -------
        protected : Tensor of shape (n_rows, n_features)

        Notes
        -----
        The comparison is with the counterfactual, as in the paper, although
        the box would let a feature that has risen come back to the factual.
        """
        forbidden = ((exemplars > counterfactuals) & ~self.may_rise) | (
            (exemplars < counterfactuals) & ~self.may_fall
        )
        return torch.where(forbidden, counterfactuals, exemplars)

    def to_tensors(self, *, dtype, device):
        """Return the same constraints as torch tensors."""
        return Constraints(
            low=torch.as_tensor(self.low, dtype=dtype, device=device),
            high=torch.as_tensor(self.high, dtype=dtype, device=device),
            may_rise=torch.as_tensor(self.may_rise, device=device),
            may_fall=torch.as_tensor(self.may_fall, device=device),
        )
