"""The ways in which a row can move within its box, as variables of a program; see ``exact.py``."""

from dataclasses import dataclass, field

import numpy as np

# Columns with more whole steps within reach are continuous in the program.
MOST_STEPS = 200
# Relative to a step or to the unit of a column, a distance that counts as zero.
ZERO = 1e-6


@dataclass(frozen=True)
class Levers:
    """The ways in which a row can move, one nonnegative variable each.

    Parameters
    ----------
    moves : ndarray of shape (n_columns, n_levers)
        What a unit of each lever adds to the row.
    costs, upper : ndarray of shape (n_levers,)
        Cost of a unit, and number of units.
    is_integer : bool ndarray of shape (n_levers,)
    feature : int ndarray of shape (n_levers,)
        The number, or the group after all numbers, that a lever moves.
    is_category : bool ndarray of shape (n_levers,)
        Whether a lever replaces a category, so that at most one lever of the feature is used.
    entries : list of (int, int or None)
        Levers that jump over a gap, each with the lever that continues on the other side of it.
    """

    moves: np.ndarray
    costs: np.ndarray
    upper: np.ndarray
    is_integer: np.ndarray
    feature: np.ndarray
    is_category: np.ndarray
    entries: list

    @classmethod
    def of(cls, factual, box, costs, *, cost_limit=np.inf, steps=None):
        """Return the levers of a row within its box; see `cheapest`."""
        builder = _LeverBuilder(factual, costs, cost_limit)
        low = as_row(box.lower if box.low is None else box.low)
        high = as_row(box.upper if box.high is None else box.high)
        spacing, origin = (np.zeros_like(factual),) * 2 if steps is None else steps
        lower, upper = as_row(box.lower), as_row(box.upper)
        for column in range(box.groups.n_numeric):
            # A column whose search bounds are a point is fixed, whatever its domain.
            if lower[column] == upper[column]:
                continue
            for sign in (1, -1):
                nearest = sign * (low if sign > 0 else high)[column] - sign * factual[column]
                farthest = sign * (high if sign > 0 else low)[column] - sign * factual[column]
                phase = sign * (origin[column] - factual[column])
                builder.add_number(column, sign, (nearest, farthest), spacing[column], phase)
        for group, columns in enumerate(box.groups.slices):
            _check_group(box.groups, group, factual[columns], high[columns])
            builder.add_group(group + box.groups.n_numeric, columns, high)
        return builder.levers()

    def unit_bounds(self, slopes, cost_limit, n_changes_limit):
        """Return how far linear functions of the levers can fall and rise within limits.

        Parameters
        ----------
        slopes : ndarray of shape (n_functions, n_levers)
        cost_limit : float
        n_changes_limit : int or None

        Returns
        -------
        fall, rise : ndarray of shape (n_functions,)
            ``fall <= 0 <= rise``.

        Notes
        -----
        The most that a budget buys is a fractional knapsack, filled in the order of gain per cost.
        The most that n features bring is the sum of their n largest gains.
        """
        ends = []
        for sign in (-1, 1):
            gains = np.maximum(sign * slopes, 0) * self.upper
            item_gains, item_costs, feature_gains = [], [], []
            for feature in np.unique(self.feature):
                idx = np.flatnonzero(self.feature == feature)
                part, prices = gains[:, idx], (self.costs * self.upper)[idx]
                # A group changes once: the largest gain at the lowest price bounds it.
                if self.is_category[idx[0]]:
                    part, prices = part.max(axis=1, keepdims=True), prices.min(keepdims=True)
                item_gains.append(part)
                item_costs.append(prices)
                feature_gains.append(part.sum(axis=1))
            most = np.sum(feature_gains, axis=0) if feature_gains else np.zeros(len(slopes))
            if n_changes_limit is not None and feature_gains:
                ranked = np.sort(np.stack(feature_gains, axis=1), axis=1)[:, ::-1]
                most = np.minimum(most, ranked[:, :n_changes_limit].sum(axis=1))
            if np.isfinite(cost_limit) and item_gains:
                bought = _knapsack(np.hstack(item_gains), np.concatenate(item_costs), cost_limit)
                most = np.minimum(most, bought)
            ends.append(sign * most)
        return ends[0], ends[1]


@dataclass
class _LeverBuilder:
    """Collects levers of numbers and groups; see `Levers`."""

    factual: np.ndarray
    costs: np.ndarray
    cost_limit: float
    fields: list = field(default_factory=list)
    entries: list = field(default_factory=list)

    def add_number(self, column, sign, reach, spacing, phase):
        """Add the levers of one direction of a number.

        Parameters
        ----------
        column, sign : int
        reach : pair of float
            Least and largest distance in this direction that the domain permits.
        spacing, phase : float
            Distances that are permitted are ``phase`` plus multiples of ``spacing``, if positive.
        """
        nearest, farthest = max(reach[0], 0.0), reach[1]
        price = self.costs[column]
        # The cost limit caps the distance, which makes open domains finite, too.
        if price > 0:
            farthest = min(farthest, self.cost_limit / price)
        if not np.isfinite(farthest):
            raise ValueError(
                f"Column {column} can move without any bound. Pass a domain, or a cost_limit and a "
                "positive cost."
            )
        if spacing > 0 and (farthest - nearest) / spacing <= MOST_STEPS:
            nearest, n_steps = _steps_within(nearest, farthest, spacing, phase)
            # The first step may be as long as all others, in which case no entry is needed.
            if abs(nearest - spacing) <= ZERO * spacing:
                nearest, n_steps = 0.0, n_steps + 1
            self._add_distance(column, sign, nearest, n_steps, spacing, is_integer=True)
        elif farthest >= nearest and farthest > ZERO:
            self._add_distance(column, sign, nearest, farthest - nearest, 1.0, is_integer=False)

    def _add_distance(self, column, sign, nearest, n_units, unit, *, is_integer):
        """Add a lever of some units, after an entry if it begins beyond the factual."""
        if n_units < 0:
            return
        price, entry = self.costs[column], None
        if nearest > ZERO:
            entry = self._add(column, {column: sign * nearest}, price * nearest, 1.0, True, False)
            self.entries.append([entry, None])
        if n_units > 0:
            lever = self._add(
                column, {column: sign * unit}, price * unit, n_units, is_integer, False
            )
            if entry is not None:
                self.entries[-1][1] = lever

    def add_group(self, feature, columns, high):
        """Add a binary lever for each category that can replace the row's own."""
        own = columns.start + int(self.factual[columns].argmax())
        for category in range(columns.start, columns.stop):
            price = self.costs[own] + self.costs[category]
            if category != own and high[category] > 0 and price <= self.cost_limit:
                self._add(feature, {own: -1.0, category: 1.0}, price, 1.0, True, True)

    def _add(self, feature, move, price, upper, is_integer, is_category):
        """Add a lever and return its position."""
        self.fields.append((move, price, upper, is_integer, feature, is_category))
        return len(self.fields) - 1

    def levers(self):
        """Return the levers that were added."""
        moves, costs, upper, is_integer, feature, is_category = (
            zip(*self.fields, strict=True) if self.fields else [()] * 6
        )
        matrix = np.zeros((len(self.factual), len(moves)))
        for lever, move in enumerate(moves):
            for column, distance in move.items():
                matrix[column, lever] = distance
        return Levers(
            matrix,
            np.array(costs, dtype=float),
            np.array(upper, dtype=float),
            np.array(is_integer, dtype=bool),
            np.array(feature, dtype=int),
            np.array(is_category, dtype=bool),
            self.entries,
        )


def _steps_within(nearest, farthest, spacing, phase):
    """Return the first distance on a grid within an interval, and the number of steps after it."""
    first = phase + spacing * np.ceil((nearest - phase) / spacing - ZERO)
    # The factual itself is no step.
    if first <= ZERO * spacing:
        first += spacing
    return first, np.floor((farthest - first) / spacing + ZERO)


def _knapsack(gains, costs, budget):
    """Return the most that a budget buys of divisible items.

    Parameters
    ----------
    gains : ndarray of shape (n_functions, n_items)
    costs : ndarray of shape (n_items,)
    budget : float

    Returns
    -------
    most : ndarray of shape (n_functions,)
    """
    costs = np.broadcast_to(np.maximum(costs, 1e-12), gains.shape)
    order = np.argsort(-gains / costs, axis=1)
    gains = np.take_along_axis(gains, order, axis=1)
    costs = np.take_along_axis(costs, order, axis=1)
    # The cumulative sum less the item itself is what was spent before it.
    spent = costs.cumsum(axis=1) - costs
    return (gains * np.clip((budget - spent) / costs, 0, 1)).sum(axis=1)


def _check_group(groups, group, one_hot, high):
    """Raise a ValueError if the program does not know the states of a group."""
    if one_hot.max() < 1:
        raise ValueError("The exact search does not explain rows with unknown categories.")
    is_number = groups.numbers[group] is not None
    if is_number and (one_hot[0] < 1 or high[1:].any()):
        raise ValueError("The exact search does not explain missing or special numbers.")


def as_row(bounds):
    """Return the bounds of one row as an ndarray of shape (n_columns,)."""
    return np.asarray(bounds, dtype=np.float64).reshape(-1)
