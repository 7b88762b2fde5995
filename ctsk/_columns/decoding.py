"""The way back from the states of a search to rows that can be returned to the user."""

from dataclasses import dataclass, replace

import numpy as np

from ctsk._columns.grid import Grid
from ctsk._columns.rounding import round_numbers

# Step of a coarse grid, in module units.
_COARSE = 0.5


@dataclass(frozen=True)
class _RoundedColumn:
    """A numeric column that cannot hold every number.

    Parameters
    ----------
    column, feature : int
        Position among the columns of the module, and among the features.
    dtype : numpy.dtype
    grid : Grid or None
    special : tuple of float
        Numbers that are no amounts.
    is_coarse : bool
        Whether a step of the grid is long.
    """

    column: int
    feature: int
    dtype: np.dtype
    grid: Grid | None
    special: tuple
    is_coarse: bool


class Decoder:
    """Maps hardened states of a search to rows that can be returned to the user.

    A value that did not move is the factual's own. A value that moved lies in the box in X's
    units, is on the grid of its column, and can be held by its dtype. A value that was pushed to a
    bound is that bound, or the last number of the grid before it.

    Parameters
    ----------
    encoder : Encoder
    encoded : ndarray of shape (n_rows, n_columns)
        The factuals in module units, in the precision of the states.
    factuals : Rows
        The rows from which the states started.
    box : Box
        Bounds of each row in X's units; see `Constraints.box`.

    Notes
    -----
    What depends on the factuals alone is computed once, because a search asks for many states of
    the same rows.
    """

    def __init__(self, encoder, encoded, factuals, box):
        self.encoder = encoder
        self.encoded = encoded
        self.factuals = factuals
        self.columns = encoder.expand(factuals.values)
        self.low, self.high = (box.lower, box.upper) if box.low is None else (box.low, box.high)
        self._ends = [(bound, *self._near(bound)) for bound in (self.low, self.high)]
        self._rounded = _rounded_columns(encoder, factuals.dtypes)
        # A special value is no amount from which a number could be reached.
        is_state = encoder.schema.is_state(factuals.values)
        self._amounts = np.where(is_state, np.nan, factuals.values)

    @property
    def rounds(self):
        """Whether any number is rounded: to a grid, a dtype, or off a special value."""
        return len(self._rounded) > 0

    def decode(self, states, idx=slice(None), *, rounding="nearest"):
        """Return the rows of states.

        Parameters
        ----------
        states : ndarray of shape (n_states, n_columns)
            In module units.
        idx : slice or ndarray of shape (n_states,), default=slice(None)
            Positions of their factuals.
        rounding : {"nearest", "toward", "away"} or None, default="nearest"
            See `round_numbers`; None does not round.

        Returns
        -------
        rows : Rows
        """
        encoder, factuals = self.encoder, self.factuals.select(idx)
        columns = encoder.to_x_units(states)
        for bound, place, tolerance in self._ends:
            # In float32, the states at a bound are equal to it, but their X units are not.
            is_at = np.abs(states - place[idx]) <= tolerance[idx]
            columns = np.where(is_at, bound[idx], columns)
        # A value that overflowed counts as one that did not move.
        moved = (states != self.encoded[idx]) & np.isfinite(columns)
        columns = np.where(moved, columns, self.columns[idx])
        # The conversion to module units and back may violate a bound by a rounding error.
        columns = np.clip(columns, self.low[idx], self.high[idx])
        values = encoder.collapse(columns)
        is_moved = np.zeros(values.shape, dtype=bool)
        rows, moved_columns = np.nonzero(moved)
        is_moved[rows, encoder.feature_of_column[moved_columns]] = True
        values = np.where(is_moved, values, factuals.values)
        if rounding is not None:
            # A number at a bound may equal a special value, which only rounding avoids.
            self._round(values, is_moved & ~encoder.in_state(columns), idx, rounding)
        return factuals.with_values(values)

    def _near(self, bound):
        """Return bounds in module units, and the distance at which a state lies at its bound."""
        encoder, place = self.encoder, self.encoder.to_module_units(bound)
        # No state lies at an infinite bound. Beyond the table of a curve, all bounds map to its
        # end, which is none of them.
        is_reached = np.isfinite(place)
        for column, stages in encoder.curves.items():
            numbers = bound[..., column]
            for stage in stages:
                is_reached[..., column] &= stage.is_defined(numbers)
                numbers = stage.forward(numbers)
        place = np.where(is_reached, place, 0.0)
        # The sums of a search may miss a bound by a few units in the last place.
        unit = 4 * np.finfo(self.encoded.dtype).eps
        return place, np.where(is_reached, unit + unit * np.abs(place), -1.0)

    def _round(self, values, is_number, idx, rounding):
        """Round the numbers that moved to what their columns can hold, in place."""
        amounts, unchanged = self._amounts[idx], self.factuals.values[idx]
        low, high = self.low[idx], self.high[idx]
        for rounded in self._rounded:
            column, feature = rounded.column, rounded.feature
            rows = np.flatnonzero(is_number[:, feature])
            if not len(rows):
                continue
            numbers = round_numbers(
                values[rows, feature],
                amounts[rows, feature],
                low[rows, column],
                high[rows, column],
                dtype=rounded.dtype,
                grid=rounded.grid,
                special=rounded.special,
                # A step of a coarse grid, as that of a flag, is too long for a detour.
                rounding="nearest" if rounding == "away" and rounded.is_coarse else rounding,
            )
            # A number that cannot be rounded stays what it was, also if that is no number.
            is_rounded = ~np.isnan(numbers)
            values[rows, feature] = np.where(is_rounded, numbers, unchanged[rows, feature])


def _rounded_columns(encoder, dtypes):
    """Return the columns that cannot hold every number of a box as it is."""
    columns = []
    for column, feature in enumerate(encoder.numeric.tolist()):
        dtype, grid = dtypes[feature], encoder.grids.get(feature)
        special = encoder.schema.special_values.get(feature, ())
        if dtype == np.float64 and grid is None and not special:
            continue
        # The multiples are those of the rows' own precision, which may differ from training.
        if grid is not None and grid.step is not None and dtype.kind == "f" and grid.dtype != dtype:
            grid = replace(grid, dtype=dtype)
        is_coarse = grid is not None and grid.spacing > _COARSE * abs(encoder.scale[column])
        columns.append(_RoundedColumn(column, feature, dtype, grid, special, is_coarse))
    return columns
