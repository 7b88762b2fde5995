"""Grids of numbers that a column can hold: multiples of a step, or two values."""

from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from numbers import Real

import numpy as np

# Fewer distinct values are no evidence of a step, except for whole numbers.
_LEAST_DISTINCT = 20
# About this many values suffice to reject a column before all of its values are sorted.
_SAMPLE_SIZE = 64
# Sums such as 0.1 + 0.2 miss the rounded decimal by a few units in the last place.
_ULPS = 4
# A value within 4 ulp of a multiple, on either side, occurs by chance in at most 9 of 32 random
# values if the step spans 32 ulp. Twenty such values exclude chance (1e-11).
_ULPS_PER_STEP = 32
# Powers of ten up to this one are exact as float64.
_MOST_DECIMALS = 22
# A denominator up to which a step counts as a fraction, such as 1/3.
_LARGEST_DENOMINATOR = 10**6


@dataclass(frozen=True)
class Grid:
    """The numbers that a column can hold: all multiples of a step, or two values.

    Parameters
    ----------
    step : float or None, default=None
        The distance between two neighbors. Zero is one of the multiples.
    values : tuple of two floats or None, default=None
        The two values in increasing order, if `step` is None.
    dtype : dtype, default=float64
        The floating-point dtype of the column, to which the multiples are rounded.

    Notes
    -----
    The k-th multiple of a step ``p / q`` is computed as ``k * p / q``, which is the decimal
    rounded once: 57 steps of 0.01 are 0.57 and not 0.5700000000000001. In a column of
    float32, the multiple is ``float32(0.57)``, so that the numbers that the column holds are
    numbers of the grid. Where floats of `dtype` are no denser than the multiples, every
    float counts as a multiple.
    """

    step: float | None = None
    values: tuple | None = None
    dtype: np.dtype = np.dtype(np.float64)

    @classmethod
    def infer(cls, amounts, dtype):
        """Infer the grid of a column from its training values.

        Parameters
        ----------
        amounts : ndarray of shape (n_amounts,)
            Values of dtype float64, without missing or special ones.
        dtype : dtype
            The dtype of the column.

        Returns
        -------
        grid : Grid or None
            Two values, if there are exactly two; else the largest step among 1, 2 and 5
            times a power of ten of which all values are multiples, if at least 20 are
            distinct; else a step of 1, if all are whole. None, if there is no such grid or
            if floats of this size would be multiples by chance. An integer or Boolean dtype
            always has a grid.
        """
        dtype = np.dtype(dtype)
        precision = dtype if dtype in (np.float16, np.float32) else np.dtype(np.float64)
        ulp = _typical_spacing(amounts, precision)
        finest = max(int(np.ceil(np.log10(_ULPS_PER_STEP * ulp))), -_MOST_DECIMALS)
        if _is_ungridded(amounts, min(finest, 0), precision):
            return None
        distinct = np.unique(amounts)
        if len(distinct) == 2:
            return cls(values=tuple(distinct.tolist()))
        step = None
        if len(distinct) >= _LEAST_DISTINCT:
            step = _largest_step(distinct, finest, precision)
        if step is None and (dtype.kind in "biu" or _are_whole(distinct, ulp, precision)):
            step = 1.0
        return None if step is None else cls.of_step(step, precision)

    @classmethod
    def of_step(cls, step, dtype=np.float64):
        """Return the grid of all multiples of a step.

        Parameters
        ----------
        step : float
            A positive, finite number.
        dtype : dtype, default=float64
            The floating-point dtype of the column.

        Returns
        -------
        grid : Grid

        Raises
        ------
        ValueError
            If `step` is no such number.
        """
        size = np.nan
        if isinstance(step, Real) and not isinstance(step, bool):
            try:
                # The shortest digits of np.float32(0.1) are "0.1"; its float64 is 0.10000000149.
                size = float(str(step)) if isinstance(step, np.floating) else float(step)
            except OverflowError:
                size = np.inf
        if not 0 < size < np.inf:
            raise ValueError(f"The step of a grid must be a positive, finite number; got {step!r}.")
        return cls(step=size, dtype=np.dtype(dtype))

    def __repr__(self):
        """Return the step or the two values, and a dtype other than float64."""
        if self.values is not None:
            return f"Grid(values={self.values})"
        suffix = "" if self.dtype == np.float64 else f", dtype={self.dtype}"
        return f"Grid(step={self.step}{suffix})"

    def __str__(self):
        """Return what the numbers of the grid are, for an error message."""
        if self.values is not None:
            return f"{self.values[0]:g} and {self.values[1]:g}"
        return "whole numbers" if self.step == 1 else f"multiples of {self.step:g}"

    @property
    def spacing(self):
        """The distance between two neighbors."""
        return self.step if self.values is None else self.values[1] - self.values[0]

    @property
    def is_whole(self):
        """Whether all numbers of the grid are whole."""
        return all(number % 1 == 0 for number in self.values or (self.step,))

    def floor(self, numbers):
        """Return the largest grid number that does not exceed each number.

        Parameters
        ----------
        numbers : array-like of float

        Returns
        -------
        floors : ndarray of float64, of the same shape
            -inf where no grid number is small enough, NaN for NaN. For infinity, the upper of
            two values, or infinity for multiples.
        """
        numbers = np.asarray(numbers, dtype=np.float64)
        if self.values is not None:
            lower, upper = self.values
            floors = np.where(numbers >= lower, lower, -np.inf)
            floors = np.where(numbers >= upper, upper, floors)
            return np.where(np.isnan(numbers), np.nan, floors)[()]
        if self.step == 1 and self.dtype == np.float64:
            # Also exact beyond 2**53, where all floats are whole. The sum turns -0.0 into 0.0.
            return np.floor(numbers) + 0.0
        floors = numbers.copy()
        is_finite = np.isfinite(numbers)
        floors[is_finite] = self._multiples_below(numbers[is_finite])
        return floors[()]

    def ceil(self, numbers):
        """Return the smallest grid number that is not less than each number.

        Parameters
        ----------
        numbers : array-like of float

        Returns
        -------
        ceilings : ndarray of float64, of the same shape
            inf where no grid number is large enough, NaN for NaN. For -infinity, the lower of
            two values, or -infinity for multiples.
        """
        mirrored = self
        if self.values is not None:
            lower, upper = self.values
            mirrored = Grid(values=(-upper, -lower))
        # The sum turns -0.0 into 0.0.
        return -mirrored.floor(-np.asarray(numbers, dtype=np.float64)) + 0.0

    def contains(self, numbers):
        """Return whether each number is a grid number, exactly.

        Parameters
        ----------
        numbers : array-like of float

        Returns
        -------
        contains : ndarray of bool, of the same shape
        """
        numbers = np.asarray(numbers, dtype=np.float64)
        return np.isfinite(numbers) & (self.floor(numbers) == numbers)

    @cached_property
    def _fraction(self):
        """Numerator and denominator of the step, as floats."""
        exact = Fraction(self.step)
        # 1/3 is a fraction with a small denominator, 1e-9 one with few digits.
        for fraction in exact.limit_denominator(_LARGEST_DENOMINATOR), Fraction(repr(self.step)):
            is_short = max(fraction.numerator, fraction.denominator) <= 10**_MOST_DECIMALS
            if is_short and float(fraction) == self.step:
                return float(fraction.numerator), float(fraction.denominator)
        return self.step, 1.0

    def _multiples(self, counts):
        """Return the multiples with these counts, rounded to the dtype of the column."""
        numerator, denominator = self._fraction
        # A multiple beyond the range of the dtype is infinite.
        with np.errstate(over="ignore"):
            return (counts * numerator / denominator).astype(self.dtype).astype(np.float64)

    def _multiples_below(self, numbers):
        """Return the largest multiple that does not exceed each finite number."""
        floors = _round_down(numbers, self.dtype)
        is_dense = _spacing(numbers, self.dtype) < self.step
        numbers = numbers[is_dense]
        numerator, denominator = self._fraction
        counts = np.floor(numbers * denominator / numerator)
        # The quotient and the multiples are rounded, so the count may miss by a few. The
        # multiples never decrease with the count, so a few corrections find the largest one,
        # which is the number itself if that is on the grid.
        while (is_above := self._multiples(counts) > numbers).any():
            counts -= is_above
        # At 2**53, one more is the same float.
        while (is_below := (self._multiples(counts + 1) <= numbers) & (counts + 1 > counts)).any():
            counts += is_below
        floors[is_dense] = self._multiples(counts)
        # The sum turns -0.0 into 0.0.
        return floors + 0.0


def _round_down(numbers, dtype):
    """Return the largest number of `dtype` that does not exceed each number, as float64."""
    if dtype == np.float64:
        return numbers.copy()
    # A number above the range overflows to infinity, below which the largest float lies.
    with np.errstate(over="ignore"):
        rounded = numbers.astype(dtype)
        below = np.nextafter(rounded, np.array(-np.inf, dtype=dtype))
    return np.where(rounded > numbers, below, rounded).astype(np.float64)


def _spacing(numbers, dtype):
    """Return the distance between floats of `dtype` at the size of each number."""
    limits = np.finfo(dtype)
    exponents = np.where(numbers == 0, limits.minexp, np.frexp(numbers)[1] - 1)
    return np.ldexp(1.0, np.maximum(exponents, limits.minexp) - limits.nmant)


def _typical_spacing(amounts, dtype):
    """Return the distance between floats of `dtype` at the geometric mean of the sizes."""
    # Sums of integers do not depend on the order of the rows, need no sorting as a median does,
    # and are not dominated by a single sentinel such as 1e20. The exponent of zero is zero.
    total = np.frexp(amounts)[1].sum(dtype=np.int64)
    mean = total / max(np.count_nonzero(amounts), 1)
    limits = np.finfo(dtype)
    return 2.0 ** (max(mean - 1, limits.minexp) - limits.nmant)


def _are_multiples(numbers, factor, exponent, dtype):
    """Return whether all numbers are multiples of ``factor * 10**exponent``, within a few ulp."""
    numerator, denominator = float(factor * 10 ** max(exponent, 0)), float(10 ** max(-exponent, 0))
    with np.errstate(over="ignore"):
        counts = np.rint(numbers * denominator / numerator)
        errors = np.abs(counts * numerator / denominator - numbers)
    # Beyond 2**53 steps, every float counts as a multiple.
    is_beyond = np.abs(counts) >= 2.0**53
    return bool(np.all(is_beyond | (errors <= _ULPS * _spacing(numbers, dtype))))


def _are_whole(distinct, ulp, dtype):
    """Return whether all numbers are whole although floats of their size may not be."""
    # Four floats or more per unit suffice, because whole numbers are stored without an error;
    # where they are few, a tolerance would admit all of them.
    spacing = _spacing(distinct, dtype)
    tolerance = np.where(_ULPS_PER_STEP * spacing <= 1, _ULPS * spacing, 0)
    errors = np.abs(distinct - np.rint(distinct))
    return len(distinct) > 1 and ulp <= 0.25 and bool(np.all(errors <= tolerance))


def _is_ungridded(amounts, exponent, dtype):
    """Return whether a few values show that the column has no grid.

    `exponent` is that of a power of ten which divides every step that the column may have.
    """
    distinct = np.unique(amounts[:: max(len(amounts) // _SAMPLE_SIZE, 1)])
    is_enough = len(distinct) >= _LEAST_DISTINCT
    return is_enough and not _are_multiples(distinct, 1, exponent, dtype)


def _largest_step(distinct, finest, dtype):
    """Return the largest step of which all numbers are multiples, or None."""
    sample = distinct[:: max(len(distinct) // _SAMPLE_SIZE, 1)]

    def are_multiples(factor, exponent):
        # A few values rule out most steps, so that all are needed only to confirm one.
        parts = sample, distinct
        return all(_are_multiples(part, factor, exponent, dtype) for part in parts)

    # Multiples of a power of ten are multiples of all lower powers, which permits bisection.
    exponents = range(finest, _MOST_DECIMALS + 1)
    n_fitting = bisect_left(exponents, True, key=lambda exponent: not are_multiples(1, exponent))
    if not n_fitting:
        return None
    exponent = exponents[n_fitting - 1]
    factor = next((factor for factor in (5, 2) if are_multiples(factor, exponent)), 1)
    # The conversion from digits rounds a decimal correctly; a product would not.
    step = float(f"{factor}e{exponent}")
    n_informative = np.count_nonzero(_ULPS_PER_STEP * _spacing(distinct, dtype) <= step)
    return step if n_informative >= _LEAST_DISTINCT else None
