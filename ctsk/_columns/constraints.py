"""What may change, in which direction and how far, as a box around each row."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ctsk._columns.one_hot import OneHotGroups

# Fields of a box with one row for each row that it bounds.
_BOUNDS = ("lower", "upper", "low", "high")


@dataclass(frozen=True, eq=False)
class Box:
    """Bounds within which each row may be changed.

    Parameters
    ----------
    lower, upper : ndarray or Tensor of shape (n_rows, n_columns)
        Bounds of the search, which contain the row itself. The upper bound of a one-hot
        column is positive if the category may be part of a state, and 0 otherwise.
    groups : OneHotGroups
    low, high : ndarray or Tensor of shape (n_rows, n_columns), or None, default=None
        Bounds of every value that differs from the row's own, and 1 for each category that
        may be reached. They differ from `lower` and `upper` where a row lies outside its
        domain: the search may pass through the gap between the row and its domain, but no
        counterfactual ends there. None if no row has such a gap.
    fill : ndarray or Tensor of shape (n_columns,), or None, default=None
        The value of each numeric column while its number is missing or special; see
        `Constraints`.
    origin, spacing : ndarray or Tensor of shape (n_columns,), or None, default=None
        A number of the grid of each column, and the distance between two of them; the
        spacing of columns without a grid is 0. None if no column has a grid. The bounds
        themselves may lie off the grid.
    """

    lower: np.ndarray | torch.Tensor
    upper: np.ndarray | torch.Tensor
    groups: OneHotGroups
    low: np.ndarray | torch.Tensor | None = None
    high: np.ndarray | torch.Tensor | None = None
    fill: np.ndarray | torch.Tensor | None = None
    origin: np.ndarray | torch.Tensor | None = None
    spacing: np.ndarray | torch.Tensor | None = None

    def select(self, idx):
        """Return the bounds of the rows at some positions."""
        return self.of_each(lambda bound: bound[idx])

    def of_each(self, pick):
        """Return the bounds of the rows that a function picks from each array of bounds."""
        return self._map(pick, _BOUNDS)

    @staticmethod
    def concatenate(boxes):
        """Return the bounds of the rows of several boxes, which are parts of one."""
        first = boxes[0]
        bounds = {name: [getattr(box, name) for box in boxes] for name in _BOUNDS}
        merged = {name: torch.cat(b) for name, b in bounds.items() if b[0] is not None}
        return replace(first, **merged)

    def to_tensors(self, *, dtype, device):
        """Return the same bounds as torch tensors."""
        return self._map(
            lambda values: torch.as_tensor(values, dtype=dtype, device=device),
            (*_BOUNDS, "fill", "origin", "spacing"),
        )

    def _map(self, function, names):
        """Return a copy in which a function has replaced the fields that are not None."""
        bounds = {name: getattr(self, name) for name in names}
        return replace(self, **{name: function(b) for name, b in bounds.items() if b is not None})

    @property
    def hardens(self):
        """Whether `harden` can change a state."""
        return len(self.groups) > 0 or self.low is not None

    def harden(self, states, factuals):
        """Turn the states of a search into rows that can be returned.

        Each group holds one category, a number that is missing or special has no value, and
        a number in the gap between its factual and its domain goes to the nearer of both.

        Parameters
        ----------
        states, factuals : Tensor of shape (n_rows, n_columns)
            States within the bounds, and the rows from which they started.

        Returns
        -------
        hardened : Tensor of shape (n_rows, n_columns)
        """
        hardened, n_numeric = self.groups.harden(states), self.groups.n_numeric
        if self.low is not None:
            # Without groups, `hardened` is `states` itself.
            hardened = hardened.clone()
            self._close_gaps(hardened[:, :n_numeric], factuals)
            self._keep_unknown(hardened, states, factuals)
        for number, columns in self.groups.of_numbers:
            # The first category of the group is "a number".
            is_number = hardened[:, columns.start] > 0
            values = hardened[:, number]
            if self.low is not None:
                # A number that replaces a gap cannot stay where the gap is coded.
                values = values.clamp(self.low[:, number], self.high[:, number])
                had_number = factuals[:, columns.start] > 0
                values = torch.where(had_number, hardened[:, number], values)
            hardened[:, number] = torch.where(is_number, values, self.fill[number])
        return hardened

    def _close_gaps(self, numbers, factuals):
        """Move numbers, in place, from the gap to the factual's value or into the domain."""
        n_numeric = numbers.shape[1]
        origins = factuals[:, :n_numeric]
        inside = numbers.clamp(self.low[:, :n_numeric], self.high[:, :n_numeric])
        is_nearer = (numbers - origins).abs() < (inside - numbers).abs()
        numbers.copy_(torch.where(is_nearer, origins, inside))

    def _keep_unknown(self, hardened, states, factuals):
        """Restore, in place, unknown categories that a search has hardly left.

        An unknown category is coded by the shares of the known ones, so that no single
        column stands for it. It is left once a state has moved more than half of the way
        from the shares to a category that may be reached.
        """
        for columns in self.groups.slices:
            shares = factuals[:, columns]
            unknown = (shares.amax(dim=1) < 1).nonzero()[:, 0]
            if not len(unknown):
                continue
            shares, moved = shares[unknown], states[unknown][:, columns]
            progress = (moved - shares) / (1 - shares) * self.high[unknown][:, columns]
            most, category = progress.max(dim=1)
            reached = torch.zeros_like(shares).scatter_(1, category[:, None], 1.0)
            hardened[unknown, columns] = torch.where((most > 0.5)[:, None], reached, shares)


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
        of each row. With a ``low`` of 1, the category cannot be left.
    may_rise, may_fall : bool ndarray or Tensor, shaped like the domain
        The mutability: both are true for "both", neither is for "none". In an ordered
        group, a category rises to those after it and falls to those before it. In any
        other group, a category is reached by the rise of its column and left by its fall.
    groups : OneHotGroups
    is_inferred : bool or bool ndarray, shaped like the domain, default=False
        Whether the domain was inferred from training rows rather than given by the user.
    fill : ndarray or Tensor of shape (n_columns,), or None, default=None
        The value of each numeric column while its number is missing or special; one-hot
        columns have none. Required only if a column has such states.

    Notes
    -----
    A numeric column whose number can be missing or special has a group of states beside
    it (`OneHotGroups.numbers`). For a row in such a state the group has two choices, unless
    the domain lists special values: to stay, in which case the numeric column is `fill`, or
    to become a number, which lies between ``low`` and ``high`` of the numeric column.
    Therefore, a mathematical program needs one binary variable beside the number.
    Likewise, a row outside its domain has the choice between its own value and the domain.
    """

    low: np.ndarray | torch.Tensor
    high: np.ndarray | torch.Tensor
    may_rise: np.ndarray | torch.Tensor
    may_fall: np.ndarray | torch.Tensor
    groups: OneHotGroups
    is_inferred: np.ndarray | bool = False
    fill: np.ndarray | torch.Tensor | None = None

    @classmethod
    def free(cls, low, high, groups, *, fill=None, is_inferred=False):
        """Return constraints that let every feature move both ways within a domain."""
        free = np.ones(len(low), dtype=bool)
        return cls(low, high, free, free, groups, np.full(len(low), is_inferred), fill)

    def box(self, factuals):
        """Return the bounds within which each row may be changed.

        The lower (upper) bound of a feature that may not fall (rise) is the factual's own
        value. The bounds of a factual outside the domain span the gap to the domain.

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
        # The bounds of every value that moves. They would cross where a factual outside the
        # domain may only move away from it, or where the domain is empty: it stays.
        low, high = xp.maximum(self.low, lower), xp.minimum(self.high, upper)
        is_empty = low > high
        low, high = xp.where(is_empty, lower, low), xp.where(is_empty, upper, high)
        numbers = slice(self.groups.n_numeric)
        is_outside = factuals[:, numbers] < low[:, numbers]
        is_outside |= factuals[:, numbers] > high[:, numbers]
        box = Box(lower, upper, self.groups, low, high, self.fill)
        has_unknown = self._bound_groups(box, factuals)
        # Without a gap, the bounds of what moves are those of the search.
        if not (has_unknown or bool(is_outside.any())):
            return replace(box, low=None, high=None)
        return box

    def _bound_groups(self, box, factuals):
        """Enter the bounds of one-hot columns into a box; return whether a row is unknown."""
        xp = torch if isinstance(factuals, torch.Tensor) else np
        has_unknown = False
        for group, columns in enumerate(self.groups.slices):
            one_hot = factuals[:, columns]
            # Another category than the row's own; an unknown row has no own one.
            is_other = one_hot < 1
            reachable = self._reachable(group, columns, one_hot) * is_other
            is_fixed = reachable.sum(1)[:, None] == 0
            # A category is fixed, with equal bounds, if no other one may be reached.
            box.lower[:, columns] = box.low[:, columns] = one_hot * is_fixed
            # The sign turns the shares of an unknown category, which may stay, into a mask.
            kept = xp.where(is_fixed, one_hot, xp.sign(one_hot))
            box.upper[:, columns] = xp.maximum(kept, reachable)
            box.high[:, columns] = xp.maximum(one_hot * ~is_other, reachable)
            number = self.groups.numbers[group]
            if number is None:
                # Shares below 1 are those of an unknown category.
                has_unknown |= bool(is_other.all(1).any())
                continue
            # A gap that cannot be left holds its number as well.
            is_held = is_fixed[:, 0] & (one_hot[:, 0] < 1)
            for bound in (box.lower, box.upper):
                bound[:, number] = xp.where(is_held, factuals[:, number], bound[:, number])
        return has_unknown

    def _reachable(self, group, columns, one_hot):
        """Return 1 for each category of a group that each row may reach, if it is another."""
        may_rise, may_fall = self.may_rise[..., columns], self.may_fall[..., columns]
        high = self.high[..., columns]
        # An own category is kept if its column may not fall, or if its domain begins at 1.
        is_kept = ((one_hot > 0) & (~may_fall | (self.low[..., columns] == 1))).any(1)[:, None]
        if not self.groups.ordered[group]:
            return high * (may_rise & ~is_kept)
        # The cumulative sum of a one-hot row jumps from 0 to 1 at its category. Less
        # the row itself, it is 1 exactly for the categories after the factual's: to reach
        # these is to rise. The remaining categories, without its own, come before.
        after = one_hot.cumsum(1) - one_hot
        before = 1 - one_hot - after
        is_allowed = ~(((after > 0) & ~may_rise) | ((before > 0) & ~may_fall))
        # A missing or unknown value has no place in the order: to leave it is to rise and to
        # fall.
        is_placed = one_hot[:, : one_hot.shape[1] - self.groups.missing[group]].sum(1) == 1
        is_placed &= ((one_hot == 0) | (one_hot == 1)).all(1)
        is_placed = is_placed[:, None]
        return high * ((is_placed & is_allowed) | (~is_placed & may_rise & may_fall))

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
            # A number whose state is taken over has no value of its own.
            for number, columns in self.groups.of_numbers:
                forbidden[:, number] |= forbidden[:, columns.start]
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
            fill=None
            if self.fill is None
            else torch.as_tensor(self.fill, dtype=dtype, device=device),
        )
