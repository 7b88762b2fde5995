"""Monotone functions of a number, as tables."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

# Powers of two, of both signs, between which a function is looked for: up to 2e19, since
# timestamps in nanoseconds are 2e18.
POWERS = 2.0 ** np.arange(-64, 65)
GRID = np.concatenate([-POWERS[::-1], [0.0], POWERS])
# Each interval is divided by seven new points, so that a round gains three bits.
_FRACTIONS = np.arange(1, 8) / 8
_MAX_ROUNDS = 14
# Error of the interpolation. The pipeline judges every row, so that an error costs a step
# of the search, not the validity of its result.
_TOLERANCE = 2e-3
# A call of a transformer costs about as much for many numbers as for one, so that `solve` divides
# an interval by many points at once: ten times by 64, which is 60 bits.
_N_DIVISIONS = 10
_PARTS = np.arange(65) / 64
# Rounding of a transformer that computes in float32.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Line:
    """An affine stage of a number's path: how many units it lies above the origin."""

    origin: float = 0.0
    unit: float = 1.0

    @property
    def direction(self):
        """1 if the stage rises, -1 if it falls."""
        return 1 if self.unit > 0 else -1

    def forward(self, numbers):
        """Apply the stage."""
        return (numbers - self.origin) / self.unit

    def inverse(self, numbers):
        """Undo the stage."""
        return numbers * self.unit + self.origin

    def solving(self, numbers):
        """Undo the stage; see `Curve.solving`."""
        return self.inverse(numbers)
        # Makes this a generator, as that of a curve is, although a line has nothing to request.
        yield

    def is_defined(self, numbers):
        """Return where the stage is known."""
        return np.isfinite(numbers)

    def then(self, line):
        """Return both stages as one."""
        return Line(self.inverse(line.origin), self.unit * line.unit)


@dataclass(frozen=True, eq=False)
class Curve:
    """A monotone stage of a number's path, as a table.

    Parameters
    ----------
    points : ndarray of shape (n_points,)
        Increasing.
    heights : ndarray of shape (n_points,)
        Not decreasing, or not increasing.
    function : callable or None
        The function that was measured. None if the table itself is the function, with straight
        lines between its points.
    other_branches : tuple of Curve, default=()
        The curves of the same function beyond the points where it is undefined.
    domain : tuple of two floats, default=(-inf, inf)
        The numbers for which the curve stands. Elsewhere, another branch of the function
        leads to the same heights.
    """

    points: np.ndarray
    heights: np.ndarray
    function: Callable | None
    other_branches: tuple = ()
    domain: tuple = (-np.inf, np.inf)

    @classmethod
    def from_table(cls, points, heights, function):
        """Return a curve, or None if the table is not monotone.

        Points at which the function is undefined (NaN) are left out; between them, a
        function such as 1 / x has several branches. A branch that falls and rises is
        restricted to the non-negative numbers.
        """
        runs = _runs(np.isfinite(heights))
        if not runs:
            return None
        branches = [cls._branch(points[run], heights[run], function) for run in runs]
        if len(runs) > 1:
            branches = [
                branch
                and replace(branch, domain=(max(branch.domain[0], points[run][0]), points[run][-1]))
                for branch, run in zip(branches, runs, strict=True)
            ]
        longest = int(np.argmax([run.stop - run.start for run in runs]))
        if branches[longest] is None:
            return None
        # Numbers are more often positive than negative; `reaching` decides where it matters.
        branches = [branch for branch in branches if branch is not None]
        size = max(len(branch.points) for branch in branches)

        def rank(branch):
            # A hole where numbers overflow may leave a short run, which is no branch to prefer.
            is_short = 2 * len(branch.points) < size
            return is_short, branch.points[0] < 0, -len(branch.points)

        branches.sort(key=rank)
        return replace(branches[0], other_branches=tuple(branches[1:]))

    @classmethod
    def _branch(cls, points, heights, function):
        """Return a curve of a run of finite heights, or None if it is not monotone."""
        for start in (-np.inf, 0.0):
            part = heights[points >= start]
            steps = np.diff(part)
            rounding = ROUNDING * np.abs(part).clip(_unit(heights))[1:]
            for sign in (1, -1):
                if (sign * steps > 0).any() and (sign * steps >= -rounding).all():
                    monotone = sign * np.maximum.accumulate(sign * part)
                    curve = cls(points[points >= start], monotone, function, (), (start, np.inf))
                    return curve._without_flat_ends()
        return None

    def reaching(self, low, high):
        """Return the branch whose heights cover most of an interval; this one if none does."""

        def overlap(branch):
            ends = np.sort(branch.heights[[0, -1]])
            return min(high, ends[1]) - max(low, ends[0])

        # A branch that only touches the interval, as a point does, counts as one that misses.
        best = max((self, *self.other_branches), key=overlap)
        return best if overlap(best) > max(overlap(self), 0) else self

    def _without_flat_ends(self):
        """Return the table without flat ends, so that its last height maps to the nearest point."""
        first = np.flatnonzero(self.heights != self.heights[0])[0] - 1
        last = np.flatnonzero(self.heights != self.heights[-1])[-1] + 2
        return replace(self, points=self.points[first:last], heights=self.heights[first:last])

    def __getstate__(self):
        """Leave out the function, which may be a lambda: pickled, a curve is its table."""
        return {**vars(self), "function": None, "other_branches": ()}

    @property
    def direction(self):
        """1 if the function rises, -1 if it falls."""
        return 1 if self.heights[-1] > self.heights[0] else -1

    def forward(self, numbers):
        """Apply the stage; numbers outside the table are taken for its nearest point."""
        return np.interp(numbers, self.points, self.heights)

    def is_defined(self, numbers):
        """Return which numbers lie within the table."""
        return (numbers >= self.points[0]) & (numbers <= self.points[-1])

    def inverse(self, heights):
        """Undo the stage; heights that are not reached map to the nearest point."""
        step = self.direction
        points, reached = self.points[::step], self.heights[::step]
        numbers = np.interp(heights, reached, points)
        # A jump skips the heights between its ends. A number between the ends would have the
        # height of one of them, whichever it is, so that the nearer end is returned.
        right = np.searchsorted(reached, heights).clip(1, len(points) - 1)
        left = right - 1
        is_left = heights - reached[left] < reached[right] - heights
        ends = np.where(is_left, points[left], points[right])
        is_jump = _are_adjacent(points[left], points[right]) & ~np.isnan(heights)
        return np.where(is_jump, ends, numbers)

    def solving(self, heights):
        """Undo the stage to rounding, by division of intervals of the table.

        Yields
        ------
        request : tuple of function and ndarray
            Points at which the function is to be evaluated; its values are sent back.

        Returns
        -------
        numbers : ndarray of shape (n_heights,)
        """
        if self.function is None or not len(heights):
            return self.inverse(heights)
        sign = self.direction
        right = np.searchsorted(sign * self.heights, sign * heights).clip(1, len(self.points) - 1)
        low, high = self.points[right - 1], self.points[right]
        is_reached = (sign * heights >= sign * self.heights[0]) & (
            sign * heights <= sign * self.heights[-1]
        )
        rows = np.arange(len(heights))
        for _ in range(_N_DIVISIONS):
            points = low[:, None] + (high - low)[:, None] * _PARTS
            inner = yield self.function, points[:, 1:-1].ravel()
            # Of a monotone function, the points below the height come first.
            inner = inner.reshape(len(heights), -1)
            n_below = (sign * inner < sign * heights[:, None]).sum(axis=1)
            low, high = points[rows, n_below], points[rows, n_below + 1]
        return np.where(is_reached, high, self.inverse(heights))


def solve(stages, heights):
    """Undo stages in reverse order, to rounding; see `solve_together`."""
    return solve_together({0: (stages, heights)})[0]


def solve_together(tasks):
    """Undo the stages of several numbers, with as few calls of their functions as for one.

    Parameters
    ----------
    tasks : dict of tuple
        Stages, and an ndarray of heights behind the last one, by key.

    Returns
    -------
    numbers : dict of ndarray
    """
    solvers = {key: _solving(*task) for key, task in tasks.items()}
    numbers, answers = {}, dict.fromkeys(solvers)
    while answers:
        requests = {}
        for key, answer in answers.items():
            try:
                requests[key] = solvers[key].send(answer)
            except StopIteration as stop:
                numbers[key] = stop.value
        answers = _answers(requests)
    return numbers


def _solving(stages, heights):
    for stage in reversed(stages):
        heights = yield from stage.solving(heights)
    return heights


def _answers(requests):
    """Return the values of functions at points, by key."""
    answers, by_source = {}, {}
    for key, (function, points) in requests.items():
        # Functions that were measured on the same transformer are evaluated in one call.
        source = getattr(function, "source", None)
        if source is None:
            answers[key] = function(points)
        else:
            by_source.setdefault(id(source), []).append((key, function, points))
    for group in by_source.values():
        parents = {function.column: function.parent for _, function, _ in group}
        points = {function.column: points for _, function, points in group}
        heights = group[0][1].source.measure(parents, points)
        answers |= {key: heights[function.column] for key, function, _ in group}
    return answers


def _unit(heights):
    """Return the unit in which errors count: 1, or less for a function that hardly moves."""
    spread = np.nanmax(heights, initial=-np.inf) - np.nanmin(heights, initial=np.inf)
    return min(1.0, max(spread, 0.0) / 20)


def _runs(is_true):
    """Return the runs of true entries as slices."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_true, [0]])))
    return [slice(start, stop) for start, stop in edges.reshape(-1, 2)]


def refine(measure, heights):
    """Add points to tables until linear interpolation between them is accurate.

    Parameters
    ----------
    measure : callable
        From ``{key: points}`` to ``{key: heights}``, NaN where the function is undefined.
    heights : dict of ndarray
        Heights at `GRID`, by key.

    Returns
    -------
    tables : dict of tuple of two ndarrays
        Points and heights.
    """
    tables = {
        key: (GRID, np.where(np.isfinite(found), found, np.nan)) for key, found in heights.items()
    }
    is_open = {key: np.ones(len(GRID) - 1, dtype=bool) for key in tables}
    for _ in range(_MAX_ROUNDS):
        divided = {}
        for key, (points, found) in tables.items():
            # A wave would be divided without end; it is no curve whatever lies between.
            is_monotone = Curve.from_table(points, found, measure) is not None
            is_open[key] &= _may_be_divided(points, found) & is_monotone
            left = points[:-1][is_open[key], None]
            divided[key] = left + np.diff(points)[is_open[key], None] * _FRACTIONS
        measured = measure({key: inner.ravel() for key, inner in divided.items() if inner.size})
        if not measured:
            break
        for key, found in measured.items():
            tables[key], is_open[key] = _merged(tables[key], is_open[key], divided[key], found)
    return tables


def _may_be_divided(points, heights):
    """Whether two neighbors are distinct points of different heights, one defined at least."""
    left, right = heights[:-1], heights[1:]
    is_wide = ~_are_adjacent(points[:-1], points[1:])
    return is_wide & (np.isfinite(left) | np.isfinite(right)) & (left != right)


def _are_adjacent(left, right):
    """Return whether points are so close together that no table divides the interval between."""
    magnitude = np.maximum(np.abs(left), np.abs(right))
    return np.abs(right - left) <= 1e-12 * magnitude + POWERS[0] / 2


def _merged(table, is_open, inner, found):
    """Return a table with new points, and which of its intervals are still inaccurate."""
    points, heights = table
    found = np.where(np.isfinite(found), found, np.nan).reshape(inner.shape)
    guess = heights[:-1][is_open, None] + np.diff(heights)[is_open, None] * _FRACTIONS
    error = np.abs(found - guess) / (_unit(heights) + np.abs(guess))
    worst = np.zeros(len(points) - 1)
    # Where a function ends, an error is NaN, and the end is looked for.
    worst[is_open] = np.nan_to_num(error, nan=np.inf).max(axis=1)
    merged, order = np.unique(np.concatenate([points, inner.ravel()]), return_index=True)
    parents = np.searchsorted(points, merged[1:]) - 1
    return (merged, np.concatenate([heights, found.ravel()])[order]), worst[parents] > _TOLERANCE
