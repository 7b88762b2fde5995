"""Rounding of numbers to those that a column can hold, within bounds."""

import numpy as np

from ctsk._columns.grid import Grid

_WHOLE = Grid.of_step(1)
# Share of a step up to which a number counts as the number of the grid.
_REACHED = 1e-3


def grid_of(dtype, grid):
    """Return the grid of a column with a dtype, or None; that of the training rows may be finer."""
    # A column of integers holds no other numbers, whatever the training rows held.
    if dtype.kind in "biu" and not (grid is not None and grid.is_whole):
        return _WHOLE
    return grid


def round_numbers(numbers, factuals, low, high, *, dtype, grid, special, rounding):
    """Round the numbers of one column to its grid and its dtype, within bounds.

    Parameters
    ----------
    numbers, factuals : ndarray of shape (n_rows,)
        The numbers, and those from which they started; NaN where there was none.
    low, high : ndarray of shape (n_rows,)
        Bounds of the result. A number stays what it was in the factual if they hold no
        number that the column can hold.
    dtype : numpy.dtype
    grid : Grid or None
    special : tuple of float
        Numbers that are no amounts, which no number is rounded to.
    rounding : {"nearest", "toward", "away"}
        Whether a number goes to the nearest number of the grid, toward the factual (at
        most to the factual itself), or away from it. Without a factual, it goes to the
        nearest.

    Returns
    -------
    rounded : ndarray of shape (n_rows,)
    """
    least, most = _range(dtype)
    low, high = np.maximum(low, least), np.minimum(high, most)
    grid = grid_of(dtype, grid)
    if grid is not None:
        numbers = _on_grid(numbers, factuals, low, high, grid, rounding)
    if dtype.kind == "f" and dtype != np.float64:
        numbers = _in_precision(numbers, low, high, dtype, grid)
    if special:
        numbers = _off_special(numbers, factuals, low, high, dtype, grid, special)
    # The bounds may lie between two neighbors, or hold nothing but special values.
    is_outside = (numbers < low) | (numbers > high)
    if special:
        is_outside |= np.isin(numbers, special)
    return np.where(is_outside, factuals, numbers)


def _off_special(numbers, factuals, low, high, dtype, grid, special):
    """Return numbers of which none is special: the next one in the direction of the factual."""
    # Without a factual, the direction is that of the farther bound.
    is_above = np.where(np.isnan(factuals), numbers - low >= high - numbers, numbers >= factuals)
    direction = np.where(is_above, -np.inf, np.inf)
    # Special values may be neighbors, such as -9, -8 and -7.
    for _ in special:
        is_special = np.isin(numbers, special)
        if not is_special.any():
            break
        if grid is None:
            # A float64 next to the special value would be rounded back to it in fewer digits.
            inward = np.nextafter(numbers.astype(dtype), direction.astype(dtype))
        else:
            inward = np.nextafter(numbers, direction)
            inward = np.where(is_above, grid.floor(inward), grid.ceil(inward))
        numbers = np.where(is_special, inward, numbers)
    return numbers


def _on_grid(numbers, factuals, low, high, grid, rounding):
    """Return numbers of a grid within bounds."""
    below, above = grid.floor(numbers), grid.ceil(numbers)
    rises = numbers > factuals
    nearest = np.where(numbers - below <= above - numbers, below, above)
    toward = np.where(rises, below, above)
    # A factual off the grid is passed by this rounding, which would move it the wrong way.
    is_passed = np.where(rises, toward < factuals, toward > factuals)
    # A search that is precise to a few digits may have ended at a number of the grid.
    is_reached = np.abs(nearest - numbers) <= _REACHED * (above - below)
    toward = np.where(is_reached, nearest, toward)
    away = np.where(is_reached, nearest, np.where(rises, above, below))
    candidates = {"nearest": nearest, "toward": toward, "away": away}
    rounded = np.where(np.isnan(factuals), nearest, candidates[rounding])
    # If the bounds hold no number of the grid at all, the result is outside and is not returned.
    rounded = np.clip(rounded, grid.ceil(low), grid.floor(high))
    return np.where(is_passed & (rounding == "toward"), factuals, rounded)


def _in_precision(numbers, low, high, dtype, grid):
    """Return numbers that a dtype of fewer digits can hold, within bounds."""
    rounded = np.clip(numbers, *_range(dtype)).astype(dtype)
    # Rounding to fewer digits may cross a bound: the next number inward lies inside.
    is_above, is_below = rounded > high, rounded < low
    if grid is not None:
        inward = np.where(is_above, grid.floor(np.nextafter(numbers, -np.inf)), numbers)
        inward = np.where(is_below, grid.ceil(np.nextafter(numbers, np.inf)), inward)
        return inward.astype(dtype).astype(np.float64)
    # `nextafter` runs on all values; those at the end of the range overflow, and are not used.
    with np.errstate(over="ignore"):
        inward = np.nextafter(rounded, np.where(is_above, -np.inf, np.inf).astype(dtype))
    return np.where(is_above | is_below, inward, rounded).astype(np.float64)


def _range(dtype):
    """Return the minimum and the maximum of a dtype."""
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind == "f":
        return np.finfo(dtype).min, np.finfo(dtype).max
    info = np.iinfo(dtype)
    # As a float, the maximum of 64 bits is rounded up to a number that wraps around.
    most = float(info.max)
    return info.min, np.nextafter(most, 0) if int(most) > info.max else most
