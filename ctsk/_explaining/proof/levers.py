"""The ways in which a row can move within its box, as variables of a program."""

from dataclasses import dataclass, field

import numpy as np

from ctsk._explaining.proof.steps import ZERO, runs_of_steps, steps_within

# Columns with more whole steps within reach are continuous in the program: to round such a number
# costs less than a ten-thousandth of what its moves within reach cost.
_MOST_STEPS = 10_000
# The choice of a lever that excludes no other one.
NO_CHOICE = -1


@dataclass(frozen=True)
class Levers:
    """The ways in which a row can move, one nonnegative variable each.

    Parameters
    ----------
    moves : ndarray of shape (n_columns, n_levers)
        What a unit of each lever adds to the row.
    costs, upper : ndarray of shape (n_levers,)
        Cost of a unit, and largest number of units.
    is_integer : bool ndarray of shape (n_levers,)
    unit : int ndarray of shape (n_levers,)
        The number or category that a lever changes; see `OneHotGroups.units`.
    choice : int ndarray of shape (n_levers,)
        Binary levers with the same number exclude each other, as the categories of a group
        do; -1 for all others.
    rows : ndarray of shape (n_rows, n_levers)
    most : ndarray of shape (n_rows,)
        Every combination of levers that is allowed has ``rows @ levers <= most``.
    """

    moves: np.ndarray
    costs: np.ndarray
    upper: np.ndarray
    is_integer: np.ndarray
    unit: np.ndarray
    choice: np.ndarray
    rows: np.ndarray
    most: np.ndarray

    @classmethod
    def of(cls, factual, box, costs, *, grids, excluded=None, cost_limit=np.inf):
        """Return the levers of a row within its box.

        Parameters
        ----------
        factual : ndarray of shape (n_columns,)
        box : Box
            Bounds of this one row.
        costs : ndarray of shape (n_columns,)
            Cost of a unit of each column.
        grids : pair of ndarrays of shape (n_columns,)
            A number of the grid of each column, and its spacing, which is 0 for columns without
            a grid; see `Encoder.encode_grids`.
        excluded : dict of int to list of float, default=None
            Numbers of the grid of a column that no number may become, as they are codes.
        cost_limit : float, default=inf
            Largest cost that matters.
        """
        builder = _Builder(factual, box, costs, grids, excluded or {}, cost_limit)
        state_groups = dict(box.groups.of_numbers)
        for column in range(box.groups.n_numeric):
            builder.add_number(column, state_groups.get(column))
        for number, columns in zip(box.groups.numbers, box.groups.slices, strict=True):
            if number is None:
                builder.add_categories(columns)
        return builder.levers()

    def __len__(self):
        """Return the number of levers."""
        return len(self.upper)

    @property
    def are_bounded(self):
        """Whether no number can move without any bound."""
        return bool(np.isfinite(self.upper).all())

    def unit_bounds(self, slopes, cost_limit, max_changes):
        """Return how far linear functions of the levers can fall and rise within limits.

        Parameters
        ----------
        slopes : ndarray of shape (n_functions, n_levers)
        cost_limit : float
        max_changes : int or None

        Returns
        -------
        fall, rise : ndarray of shape (n_functions,)
            ``fall <= 0 <= rise``.

        Notes
        -----
        The most that a budget buys is a fractional knapsack, filled in the order of gain per cost.
        The most that n changes bring is the sum of the n largest gains of a unit.
        """
        ends = [self._most(sign * slopes, cost_limit, max_changes) for sign in (-1, 1)]
        return -ends[0], ends[1]

    def _most(self, slopes, cost_limit, max_changes):
        """Return how far linear functions can rise."""
        gains = np.maximum(slopes, 0) * self.upper
        prices, units = self.costs * self.upper, self.unit
        is_single = self.choice == NO_CHOICE
        parts, part_prices, part_units = (
            [gains[:, is_single]],
            [prices[is_single]],
            [units[is_single]],
        )
        for choice in np.unique(self.choice[~is_single]):
            idx = np.flatnonzero(self.choice == choice)
            # One lever of a choice at most: the largest gain at the lowest price bounds it.
            parts.append(gains[:, idx].max(axis=1, keepdims=True))
            part_prices.append(prices[idx].min(keepdims=True))
            part_units.append(units[idx[:1]])
        gains, prices = np.hstack(parts), np.concatenate(part_prices)
        most = gains.sum(axis=1)
        if max_changes is not None:
            _, by_unit = np.unique(np.concatenate(part_units), return_inverse=True)
            totals = np.zeros((len(gains), by_unit.max(initial=-1) + 1))
            np.add.at(totals.T, by_unit, gains.T)
            largest = np.sort(totals, axis=1)[:, ::-1][:, :max_changes]
            most = np.minimum(most, largest.sum(axis=1))
        if np.isfinite(cost_limit):
            most = np.minimum(most, _knapsack(gains, prices, cost_limit))
        return most


@dataclass
class _Builder:
    """Collects the levers of one row; see `Levers.of`."""

    factual: np.ndarray
    box: object
    costs: np.ndarray
    grids: tuple
    excluded: dict
    cost_limit: float
    fields: list = field(default_factory=list)
    # Rows of the program: a dict from levers to coefficients, and the most that these sum up to.
    exclusions: list = field(default_factory=list)

    def __post_init__(self):
        """Read the bounds of every value that moves."""
        box = self.box
        self.lower, self.upper = as_row(box.lower), as_row(box.upper)
        self.low = self.lower if box.low is None else as_row(box.low)
        self.high = self.upper if box.high is None else as_row(box.high)
        self.units = box.groups.units.numpy()

    def add_number(self, column, states):
        """Add the levers of a number, and of its states (a slice of columns) if it has any."""
        # A column whose search bounds are a point is fixed, whatever its domain.
        if states is None:
            if self.lower[column] < self.upper[column]:
                self._add_directions(column)
            return
        if self.factual[states.start] == 1:
            self._add_number_with_states(column, states)
        elif self.high[states.start] > 0:
            self._add_gap(column, states)

    def _add_number_with_states(self, column, states):
        """Add the levers of a number that may become a special value."""
        first = len(self.fields)
        if self.lower[column] < self.upper[column]:
            self._add_directions(column)
        distances = range(first, len(self.fields))
        filled = {column: self.box.fill[column] - self.factual[column]}
        for lever in self.add_categories(states, filled).values():
            # What leaves the number does not move it as well.
            for distance in distances:
                self._exclude(lever, distance)

    def _add_gap(self, column, states):
        """Add the levers of a gap or a special value, which may become a number or another one."""
        leaves = self.add_categories(states, {}).get(states.start)
        if leaves is None:
            return
        # The number that codes the gap may be none that the column can hold.
        must_move = not self._holds(column, self.factual[column])
        first = len(self.fields)
        segments = self._add_directions(column, must_move=must_move)
        for lever in range(first, len(self.fields)):
            self.exclusions.append(({lever: 1.0, leaves: -self.fields[lever][2]}, 0.0))
        entries = [entry for entry, _ in segments]
        # Without an entry, the program takes the numbers of the column for continuous.
        if must_move and None not in entries:
            self.exclusions.append(({leaves: 1.0, **dict.fromkeys(entries, -1.0)}, 0.0))

    def _holds(self, column, number):
        """Return whether a number may be held by a column."""
        origin, spacing = (grid[column] for grid in self.grids)
        if not self.low[column] <= number <= self.high[column]:
            return False
        if not spacing:
            return True
        n_steps = (number - origin) / spacing
        codes = np.array(self.excluded.get(column, []))
        is_code = (np.abs(codes - number) <= ZERO * spacing).any()
        return abs(n_steps - round(n_steps)) <= ZERO and not is_code

    def _add_directions(self, column, *, must_move=False):
        """Add the levers of both directions of a number; each has an entry if it must move.

        Returns
        -------
        segments : list of pairs of int or None
            Their entries and distances; see `_add_distance`.
        """
        segments = [
            segment for sign in (1, -1) for segment in self._add_direction(column, sign, must_move)
        ]
        for entry, distance in segments:
            if entry is None:
                continue
            # Beyond a gap, a number moves on only if it has jumped over the gap.
            if distance is not None:
                self.exclusions.append(({distance: 1.0, entry: -self.fields[distance][2]}, 0.0))
            # Jumps to different segments would end in the middle of a step, or of a gap.
            for other in segments:
                if other != (entry, distance):
                    for lever in other:
                        if lever is not None:
                            self._exclude(entry, lever)
        return segments

    def _add_direction(self, column, sign, must_move):
        """Add the levers of one direction of a number; return its segments."""
        ends = self.low[column] - self.factual[column], self.high[column] - self.factual[column]
        nearest, farthest = sorted(sign * end for end in ends)
        nearest, price = max(nearest, 0.0), self.costs[column]
        # The cost limit caps the distance, which makes open domains finite, too.
        if price > 0:
            farthest = min(farthest, self.cost_limit / price)
        origin, spacing = (grid[column] for grid in self.grids)
        if spacing > 0 and (farthest - nearest) / spacing <= _MOST_STEPS:
            phase = sign * (origin - self.factual[column])
            first, n_steps = steps_within(nearest, farthest, spacing, phase)
            codes = sign * (np.array(self.excluded.get(column, [])) - self.factual[column])
            runs = runs_of_steps(n_steps, (codes - first) / spacing)
            segments = []
            for start, n_more in runs:
                nearest = first + start * spacing
                # The first step may be as long as all others: then it needs no entry.
                if abs(nearest - spacing) <= ZERO * spacing and not must_move:
                    nearest, n_more = 0.0, n_more + 1
                segments.append(self._add_distance(column, sign, nearest, n_more, spacing))
        elif farthest < nearest or farthest <= ZERO:
            return []
        else:
            segments = [self._add_distance(column, sign, nearest, farthest - nearest, None)]
        return [segment for segment in segments if segment != (None, None)]

    def _add_distance(self, column, sign, nearest, n_units, spacing):
        """Add a lever of some steps, or of a distance without a spacing.

        Returns
        -------
        entry, distance : int or None
            Positions of the lever, and of a binary one before it if it begins beyond the factual.
        """
        entry = distance = None
        if nearest > ZERO:
            entry = self._add(self.units[column], {column: sign * nearest})
        if n_units > 0:
            move = {column: sign * (spacing or 1.0)}
            is_integer = spacing is not None
            distance = self._add(self.units[column], move, n_units, is_integer=is_integer)
        return entry, distance

    def add_categories(self, columns, others=None):
        """Add a binary lever for each category of a group that can replace the row's own.

        Parameters
        ----------
        columns : slice
        others : dict of int to float, default=None
            Further moves of each of these levers.

        Returns
        -------
        levers : dict of int to int
            The positions of the levers by the columns of the categories.
        """
        shares = self.factual[columns]
        levers, choice = {}, columns.start
        for category in range(columns.start, columns.stop):
            if not self.high[category] > 0 or self.factual[category] == 1:
                continue
            # An unknown category is coded by shares, which any other category replaces.
            move = {
                column: -share
                for column, share in zip(range(columns.start, columns.stop), shares, strict=True)
                if share
            }
            move[category] = move.get(category, 0.0) + 1.0
            move |= others or {}
            if self._price(move) <= self.cost_limit:
                levers[category] = self._add(self.units[columns.start], move, choice=choice)
        return levers

    def _price(self, move):
        return sum(abs(distance) * self.costs[column] for column, distance in move.items())

    def _add(self, unit, move, upper=1.0, *, is_integer=True, choice=NO_CHOICE):
        """Add a lever and return its position."""
        self.fields.append((move, self._price(move), upper, is_integer, unit, choice))
        return len(self.fields) - 1

    def _exclude(self, binary, other):
        """Require that of two levers, the first of which is binary, one is 0."""
        upper = self.fields[other][2]
        if upper > 0 and np.isfinite(upper):
            self.exclusions.append(({binary: 1.0, other: 1 / upper}, 1.0))

    def levers(self):
        """Return the levers that were added."""
        moves, costs, upper, is_integer, unit, choice = (
            zip(*self.fields, strict=True) if self.fields else [()] * 6
        )
        choice = np.array(choice, dtype=int)
        for number in np.unique(choice[choice != NO_CHOICE]):
            self.exclusions.append((dict.fromkeys(np.flatnonzero(choice == number), 1.0), 1.0))
        return Levers(
            _dense(moves, len(self.factual)).T,
            np.array(costs, dtype=float),
            np.array(upper, dtype=float),
            np.array(is_integer, dtype=bool),
            np.array(unit, dtype=int),
            choice,
            _dense([coefficients for coefficients, _ in self.exclusions], len(moves)),
            np.array([most for _, most in self.exclusions], dtype=float),
        )


def _dense(entries, n_columns):
    """Return rows of which dicts hold the entries that are not 0."""
    rows = np.zeros((len(entries), n_columns))
    for row, row_entries in zip(rows, entries, strict=True):
        for column, value in row_entries.items():
            row[column] = value
    return rows


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


def as_row(bounds):
    """Return the bounds of one row as an ndarray of shape (n_columns,)."""
    return np.asarray(bounds, dtype=np.float64).reshape(-1)
