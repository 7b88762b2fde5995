"""One-hot groups among the columns that a module sees."""

import itertools
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch

# Number of columns in a run of groups of equal size up to which groups are summed by a product.
_NARROW = 32
# Number of rows up to which the maxima of groups are taken of one array with an axis for groups.
_FEW_ROWS = 32


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

    @classmethod
    def of(cls, schema):
        """Return the one-hot groups of categories, of states of numbers, and of dummies."""
        column_of = {feature: column for column, feature in enumerate(schema.numeric)}
        categories = [schema.categories[feature] for feature in sorted(schema.categories)]
        states = sorted(schema.states)
        others = (False,) * (len(states) + len(schema.dummies))
        return cls(
            n_numeric=len(column_of),
            sizes=(
                *(len(group) for group in categories),
                *(1 + len(schema.states[feature]) for feature in states),
                *(len(group) for group in schema.dummies),
            ),
            ordered=(*(group.ordered for group in categories), *others),
            missing=(*(group.has_missing for group in categories), *others),
            numbers=(
                *(None for _ in categories),
                *(column_of[feature] for feature in states),
                *(None for _ in schema.dummies),
            ),
        )

    def __getstate__(self):
        """Return the fields without the tables that are made of them, which may be on a GPU."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __len__(self):
        """Return the number of groups."""
        return len(self.sizes)

    @cached_property
    def n_columns(self):
        """Number of columns, including the numeric ones."""
        return self.n_numeric + sum(self.sizes)

    @cached_property
    def slices(self):
        """Columns of each group."""
        ends = self.n_numeric + np.cumsum(self.sizes, dtype=int)
        return [slice(end - size, end) for end, size in zip(ends.tolist(), self.sizes, strict=True)]

    @cached_property
    def of_numbers(self):
        """Numeric columns that have states, and the slices of the groups of their states."""
        return [
            (number, columns)
            for number, columns in zip(self.numbers, self.slices, strict=True)
            if number is not None
        ]

    @property
    def units(self):
        """The unit of each column, of which the columns change together.

        A number is a unit with its states, and a category is one; LongTensor of shape
        (n_columns,), in which the group of a category follows all numbers.
        """
        units = [torch.arange(self.n_numeric)]
        for group, (size, number) in enumerate(zip(self.sizes, self.numbers, strict=True)):
            unit = self.n_numeric + group if number is None else number
            units.append(torch.full((size,), unit))
        return torch.cat(units)

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

    @cached_property
    def _sums_by_kind(self):
        return {}

    def _sums(self, like):
        """Return the `_GroupSums` for the dtype and the device of a tensor, which are made once."""
        kind = like.dtype, like.device
        if kind not in self._sums_by_kind:
            self._sums_by_kind[kind] = _GroupSums(self, like)
        return self._sums_by_kind[kind]

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
        one_hot, sums = slice(self.n_numeric, None), self._sums(encoded)
        relative = gradients.clone()
        means = sums.of(relative[:, one_hot] * encoded[:, one_hot])
        sums.subtract(means, relative[:, one_hot], out=relative[:, one_hot])
        return relative

    def project(self, encoded, allowed, support=None):
        r"""Project each group onto the simplex over its allowed categories.

        Parameters
        ----------
        encoded : Tensor of shape (n_rows, n_columns)
        allowed : Tensor of shape (n_rows, n_columns)
            Positive where a category is allowed, 0 elsewhere; at least one in each group.
        support : Tensor of shape (n_rows, n_columns), default=None
            Positive for some of the allowed categories, at least one in each group, and 0
            elsewhere; by default, all that are allowed. The result does not depend on the
            support, but the closer it is to the categories that keep a positive weight, the
            faster the result is found.

        Returns
        -------
        projected : Tensor of shape (n_rows, n_columns)

        Notes
        -----
        The nearest point of the simplex is :math:`\max(v - \theta, 0)`. The threshold
        :math:`\theta` for which it sums to one is found by dropping the categories that
        become negative until none is left to drop [1]_. This is Newton's method for a convex
        function of :math:`\theta`, so it may start at any threshold that is not too large. Such
        a threshold is the one under which the weights of any support, including those that
        become negative, sum to one.

        References
        ----------
        .. [1] Michelot, "A finite algorithm for finding the projection of a point
           onto the canonical simplex of R^n", Journal of Optimization Theory and
           Applications 50, 1986.
        """
        if not self.sizes or not len(encoded):
            return encoded
        one_hot, sums = slice(self.n_numeric, None), self._sums(encoded)
        weights, kept = encoded[:, one_hot], allowed[:, one_hot]
        # Signs and sums of floats are several times faster than comparisons.
        members = (allowed if support is None else support)[:, one_hot].sign()
        # Under these thresholds, the weights of the members alone sum to one.
        thresholds = (sums.of(weights * members) - 1) / sums.of(members)
        # The numbers are kept, and the weights overwritten.
        projected = encoded.clone()
        simplex = projected[:, one_hot]
        sums.subtract(thresholds, weights, out=simplex).clamp_(min=0)
        if kept.amin().item() <= 0:
            simplex.mul_(kept.sign())

        # All rows run at once; `above` holds those with groups that are not settled yet, and
        # `pending` their positions; None stands for all rows.
        pending, above = None, simplex
        previous, rounding = torch.inf, 4 * torch.finfo(encoded.dtype).eps
        while True:
            # The excess falls to 0 up to rounding. Once it no longer falls, rounding is all that
            # is left.
            excess = sums.of(above) - 1
            # In most cases, this one comparison is enough. A maximum of NaN fails it.
            if excess.amax().item() <= rounding:
                return projected
            is_unsettled = (excess > rounding) & (excess < previous)
            if not is_unsettled.any():
                return projected
            # A further round leaves settled rows alone, and is cheaper than a copy of most rows.
            if len(above) > 1:
                unsettled = is_unsettled.any(dim=1).nonzero()[:, 0]
                if 2 * len(unsettled) < len(above):
                    above, excess = (part.index_select(0, unsettled) for part in (above, excess))
                    pending = unsettled if pending is None else pending[unsettled]
            # Categories that are dropped stay at 0, because the thresholds only rise.
            rises = excess.clamp(min=0) / sums.of(above.sign()).clamp(min=1)
            sums.subtract(rises, above, out=above).clamp_(min=0)
            if pending is not None:
                simplex.index_copy_(0, pending, above)
            previous = excess

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
        sums, hardened = self._sums(encoded), encoded.clone()
        one_hot = slice(self.n_numeric, None)
        categories = hardened[:, one_hot]
        # Maxima and signs are several times faster than argmax: the difference to the maximum is
        # 0 for the largest category, and its sign is -1 for all others.
        sums.subtract_maxima(encoded[:, one_hot], out=categories)
        categories.sign_().add_(1)
        # Of equal weights, the first counts, as in `Encoder.collapse`.
        if len(encoded) and categories.sum(dim=1).amax().item() > len(self):
            for view in sums.views(categories):
                view *= view.cumsum(dim=2) == 1
        return hardened


class _GroupSums:
    """Sums over the one-hot columns of each group, in the way that is fastest for their sizes.

    Parameters
    ----------
    groups : OneHotGroups
    like : Tensor
        Tensor whose dtype and device the columns have.
    """

    def __init__(self, groups, like):
        # Adjacent groups of equal size are one view with an axis of its own for the categories.
        self.runs = [(len(list(run)), size) for size, run in itertools.groupby(groups.sizes)]
        self.n_columns = [n_groups * size for n_groups, size in self.runs]
        self.n_groups = [n_groups for n_groups, _ in self.runs]
        # The columns of each group, of which the first one is repeated up to a common number.
        sizes = np.array(groups.sizes)
        starts, places = np.cumsum(sizes) - sizes, np.arange(sizes.max())
        padded = starts[:, None] + np.where(places < sizes[:, None], places, 0)
        self.padded = torch.as_tensor(padded, device=like.device)
        self.group = torch.as_tensor(np.repeat(np.arange(len(sizes)), sizes), device=like.device)
        # Sums over views do less work than products with the membership, but they are many small
        # operations if there are many runs of few columns.
        is_narrow = sum(groups.sizes) <= _NARROW * len(self.runs) and len(self.runs) > 1
        self.membership = groups.membership(like) if is_narrow else None
        self.transposed = None if self.membership is None else self.membership.T

    def of(self, columns):
        """Return the sums over each group, of shape (n_rows, n_groups)."""
        if self.membership is not None:
            return columns @ self.membership
        return torch.cat([view.sum(dim=2) for view in self.views(columns)], dim=1)

    def subtract(self, per_group, columns, out):
        """Subtract a number of each group from the columns of the group; return `out`."""
        if self.membership is not None:
            # The transposed membership repeats a number for each column of its group.
            return torch.sub(columns, per_group @ self.transposed, out=out)
        numbers = per_group.split(self.n_groups, dim=1)
        parts = zip(self.views(columns), numbers, self.views(out), strict=True)
        for view, number, difference in parts:
            torch.sub(view, number[:, :, None], out=difference)
        return out

    def subtract_maxima(self, columns, out):
        """Subtract the maximum of each group from the columns of the group, in `out`."""
        # A few rows take as long as the number of operations; for many, repetitions cost more.
        if len(columns) <= _FEW_ROWS:
            maxima = columns[:, self.padded].amax(dim=2)
            torch.sub(columns, maxima.index_select(1, self.group), out=out)
            return
        for view, differences in zip(self.views(columns), self.views(out), strict=True):
            torch.sub(view, view.amax(dim=2, keepdim=True), out=differences)

    def views(self, columns):
        """Return a view of each run, of shape (n_rows, n_groups of the run, size)."""
        parts = columns.split(self.n_columns, dim=1)
        return [part.unflatten(1, run) for part, run in zip(parts, self.runs, strict=True)]
