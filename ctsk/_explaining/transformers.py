"""What a single fitted transformer does to each of its columns, measured on made-up rows."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn import config_context

from ctsk._columns.containers import densified, is_frame
from ctsk._columns.curves import GRID, ROUNDING, Curve, Line, refine
from ctsk._columns.user_warnings import ignored_warnings

# Two cells of a text whose categories are unknown: neither in lower case nor stripped, so
# that a change of the text shows.
_MARKS = ["Mark 0 ", "Mark 1 "]


# What a transformer raises for rows that it was not made for: text in place of numbers, or a
# frame of pandas in place of another one.
REJECTIONS = (ValueError, TypeError, KeyError, AttributeError)


class Uninvertible(ValueError):
    """A transformer that no counterfactual can be mapped back through."""


@dataclass(frozen=True)
class TransformerEffects:
    """What becomes of the columns that enter a transformer.

    Parameters
    ----------
    outputs : list of tuple
        For each column that leaves, the position of the column that it is a function of,
        and the stages of that function; None and () where it is a constant, a code of a
        category, or a mixture.
    coded : list of int
        Texts that are encoded.
    mixed : list of int
        Numbers that are mixed with others.
    """

    outputs: list
    coded: list
    mixed: list


def effects_of(transformer, names, texts, codes):
    """Measure a fitted transformer column by column.

    Parameters
    ----------
    transformer : transformer
    names : list
        Names of the columns that enter.
    texts : dict of int to list or None
        Categories of the columns that hold text; empty where they are unknown. None for a
        column of objects, which is tried with numbers.
    codes : set of int
        Numbers that earlier steps have computed from categories or mixtures: these may
        only be mapped linearly.

    Returns
    -------
    effects : TransformerEffects

    Raises
    ------
    Uninvertible
        If a column that leaves is neither a monotone function of one number, nor a
        linear mixture, nor a code of a text.
    """
    cells = {i: list(known) or _MARKS for i, known in texts.items() if known is not None}
    try:
        probe = _Probe(transformer, names, cells)
        responses = probe.respond()
    except Uninvertible as error:
        unknown = [i for i, known in texts.items() if not known]
        raise _unlisted(names[unknown[0]]) if unknown else error from error
    # Each column that leaves is a text as it entered, a function of one number, or a linear
    # mixture; the numbers and texts that it depends on are its parents.
    raw, read, mixed, monotone = responses.raw, set(), set(), {}
    for k, text in enumerate(raw):
        parents = np.flatnonzero(responses.changed[:, k]).tolist() if text is None else [text]
        numbers = [i for i in parents if i not in cells]
        read |= set(parents)
        if len(parents) == 1 and numbers and parents[0] not in codes:
            monotone[k] = parents[0]
        elif numbers and text is None:
            if not responses.is_linear[k]:
                raise Uninvertible("it maps several columns, or codes of categories, nonlinearly")
            mixed |= set(numbers)
    stages = probe.stages(monotone)
    # A transformer that only selects columns may drop a text of unknown categories, whereas
    # one that computes may have failed to recognize the marks that stand for it.
    is_selection = all(text is not None or stages.get(k) == Line() for k, text in enumerate(raw))
    coded = (set(cells) & read) - set(raw)
    # A text of unknown categories that has no effect was dropped, or not recognized.
    unclear = coded if is_selection else coded | (set(texts) - read)
    for i in unclear:
        if not texts[i]:
            raise _unlisted(names[i])
    outputs = [(text, ()) for text in raw]
    for k, stage in stages.items():
        outputs[k] = monotone[k], () if stage == Line() else (stage,)
    return TransformerEffects(outputs, sorted(coded), sorted(mixed))


def _unlisted(name):
    return Uninvertible(
        f"it reads the text of {name!r}, whose categories are listed neither by an attribute "
        "categories_ of the step nor by the dtype of the column (convert it by "
        f"X.astype({{{name!r}: 'category'}}), or pass X_reference)"
    )


@dataclass(frozen=True, eq=False)
class _Responses:
    """What happens to the columns that leave a transformer when columns that enter change.

    Parameters
    ----------
    changed : bool ndarray of shape (n_columns_in, n_columns_out)
        Whether a column that enters, changed alone, changes a column that leaves.
    is_linear : bool ndarray of shape (n_columns_out,)
        Whether the effects of numbers are affine and add up.
    raw : list of int or None
        For each column that leaves, the text that it is.
    """

    changed: np.ndarray
    is_linear: np.ndarray
    raw: list


@dataclass(frozen=True)
class _Function:
    """A column that leaves a transformer, as a function of one that enters it."""

    source: "_Probe"
    column: int
    parent: int

    def __call__(self, points):
        """Return the heights of points."""
        return self.source.measure({self.column: self.parent}, {self.column: points})[self.column]


class _Probe:
    """A fitted transformer that is given made-up rows.

    Parameters
    ----------
    transformer : transformer
    names : list
    texts : dict of int to list
        One or more cells for each column that holds text.
    """

    def __init__(self, transformer, names, texts):
        self.transformer, self.texts = transformer, texts
        self.has_names = hasattr(transformer, "feature_names_in_")
        self.names, self.n_columns = names, len(names)
        self.numbers = [i for i in range(len(names)) if i not in texts]
        # All numbers take the same values at once, which is enough for columns that leave as
        # functions of one number.
        self.grid = self._each(np.repeat(GRID[:, None], self.n_columns, axis=1))
        is_defined = np.array([all(map(_is_finite, row)) for row in self.grid])
        if is_defined.sum() < 2:
            raise Uninvertible("it computes no finite numbers from made-up rows")
        self.low, self.high = GRID[is_defined][[0, -1]]

    def transform(self, numbers, changes=()):
        """Return what leaves as an array: of float64, or of objects if there is text.

        Parameters
        ----------
        numbers : ndarray of shape (n_rows, n_columns)
        changes : sequence of tuple
            Row, column and cell of texts that differ from the first cell.
        """
        rows = np.array(numbers, dtype=object if self.texts else np.float64)
        for i, cells in self.texts.items():
            rows[:, i] = cells[0]
        for row, i, cell in changes:
            rows[row, i] = cell
        if self.has_names:
            import pandas as pd

            rows = pd.DataFrame(rows, columns=self.names)
            # A frame of objects would make numbers objects, too, which many steps reject.
            if self.texts:
                rows = rows.astype({self.names[i]: np.float64 for i in self.numbers})
        # Infinite and missing numbers pass through instead of being rejected.
        with config_context(assume_finite=True), np.errstate(all="ignore"), ignored_warnings():
            return _as_array(densified(self.transformer.transform(rows)))

    def _each(self, numbers, width=None):
        """Return what leaves; NaN for rows that the transformer rejects."""
        # Some transformers, such as Box-Cox, reject all rows because of one.
        try:
            return self.transform(numbers)
        except REJECTIONS as error:
            if width is None:
                width = self._width(numbers, error)
            if len(numbers) == 1:
                return np.full((1, width), np.nan)
        return np.concatenate([self._each(half, width) for half in np.array_split(numbers, 2)])

    def _width(self, numbers, error):
        """Return the number of columns that leave, from the last row that is accepted."""
        for row in numbers[::-1]:
            try:
                return self.transform(row[None]).shape[1]
            except REJECTIONS:
                continue
        raise Uninvertible(f"it rejects made-up rows ({error})") from error

    def respond(self):
        """Change the columns that enter one by one, as far as the transformer is defined."""
        leaving, rows = self._one_by_one()
        raw = [self._text_that_is(leaving, rows, k) for k in range(leaving.shape[1])]
        # Text that leaves is numbered, so that a change of it shows like one of a number.
        heights = leaving.copy()
        for k in range(leaving.shape[1]):
            if isinstance(leaving[0, k], str):
                heights[:, k] = np.unique(leaving[:, k].astype(str), return_inverse=True)[1]
        heights = heights.astype(np.float64)
        moves, size = heights - heights[0], np.abs(heights[0])
        # By column that enters: its largest effect, that at the far end, and that half-way.
        largest = np.stack([np.abs(moves[rows[i]]).max(axis=0) for i in range(self.n_columns)])
        far = np.stack([moves[rows[i].start] for i in self.numbers] or [0 * size])
        half = np.stack([moves[rows[i].start + 1] for i in self.numbers] or [0 * size])
        # Of an affine function, half the way is half the change; changes at once add up.
        rounding = ROUNDING * (size + np.abs(far).sum(axis=0))
        is_linear = (np.abs(half - far / 2) <= rounding).all(axis=0)
        is_linear &= np.abs(moves[1] - far.sum(axis=0)) <= rounding
        return _Responses(largest > 1e-12 * size, is_linear, raw)

    def _one_by_one(self):
        """Transform rows that differ from the first in one column, and say which these are.

        Returns
        -------
        leaving : ndarray of shape (n_rows, n_columns_out)
            In the first row all numbers are low, in the second all are high.
        rows : dict of int to slice
            By column that enters: a row at the far end and one half-way for a number, a row
            for each cell of a text.
        """
        n_cells = sum(map(len, self.texts.values()))
        numbers = np.full((2 + 2 * len(self.numbers) + n_cells, self.n_columns), self.low)
        numbers[1, self.numbers] = self.high
        rows, changes, row = {}, [], 2
        for i in self.numbers:
            rows[i] = slice(row, row + 2)
            numbers[rows[i], i] = self.high, (self.low + self.high) / 2
            row += 2
        for i, cells in self.texts.items():
            rows[i] = slice(row, row + len(cells))
            changes += [(row + n, i, cell) for n, cell in enumerate(cells)]
            row += len(cells)
        try:
            return self.transform(numbers, changes), rows
        except REJECTIONS as error:
            raise Uninvertible(f"it rejects made-up rows ({error})") from error

    def _text_that_is(self, leaving, rows, k):
        """Return the text that column `k` is, None if it is none."""
        if isinstance(leaving[0, k], str):
            for i, cells in self.texts.items():
                if leaving[rows[i], k].tolist() == cells:
                    return i
        return None

    def stages(self, parents):
        """Return the lines and curves that lead to columns.

        Parameters
        ----------
        parents : dict of int to int
            The number of which each column is a function.
        """
        lines = self._lines(parents)
        bent = {k: i for k, i in parents.items() if k not in lines}
        # Two curves of one number would need a search on both at once.
        if len(set(bent.values())) < len(bent):
            raise Uninvertible("it turns one number into several columns, not all by a line")
        tables = refine(
            partial(self.measure, bent), {k: self.grid[:, k].astype(np.float64) for k in bent}
        )
        curves = {
            k: Curve.from_table(*table, _Function(self, k, bent[k])) for k, table in tables.items()
        }
        for k, curve in curves.items():
            if curve is None:
                raise Uninvertible(f"what it makes of {self.names[bent[k]]!r} rises and falls")
        return lines | curves

    def _lines(self, parents):
        """Return the columns that are affine in a number, as lines."""
        units, origins = {}, {}
        for k in parents:
            first, last = self.grid[[0, -1], k].astype(np.float64)
            if np.isfinite(first) and np.isfinite(last) and first != last:
                units[k] = (GRID[-1] - GRID[0]) / (last - first)
                origins[k] = GRID[0] - first * units[k]
        # Far from the origin rounding hides it: measure again at the origin and one unit on.
        numbers = np.full((2 * len(units), self.n_columns), self.low)
        for n, (k, unit) in enumerate(units.items()):
            numbers[2 * n : 2 * n + 2, parents[k]] = origins[k], origins[k] + unit
        heights = self._each(numbers, self.grid.shape[1]) if units else None
        lines = {}
        for n, (k, unit) in enumerate(units.items()):
            zero, one = heights[2 * n : 2 * n + 2, k].astype(np.float64)
            if one != zero and np.isfinite(zero) and np.isfinite(one):
                unit /= one - zero
                line = Line(origins[k] - zero * unit, unit)
                error = np.abs(self.grid[:, k].astype(np.float64) - line.forward(GRID))
                size = (np.abs(GRID) + np.abs(line.origin)) / np.abs(unit)
                if (error <= ROUNDING * size).all():
                    lines[k] = line
        return lines

    def measure(self, parents, points):
        """Return heights of columns at points of the number that each is a function of.

        Parameters
        ----------
        parents : dict of int to int
        points : dict of int to ndarray
            By column that leaves. All columns are measured in one pass, so that the rows
            are as many as the most points of a column.
        """
        numbers = np.full((max(map(len, points.values()), default=0), self.n_columns), self.low)
        for k, column_points in points.items():
            numbers[: len(column_points), parents[k]] = column_points
        if len(points) == 1:
            leaving = self._each(numbers, self.grid.shape[1])
        else:
            try:
                leaving = self.transform(numbers) if points else None
            except REJECTIONS:
                # A column that rejects its points must not take the others along.
                return {
                    k: self.measure(parents, {k: column_points})[k]
                    for k, column_points in points.items()
                }
        return {
            k: leaving[: len(column_points), k].astype(np.float64)
            for k, column_points in points.items()
        }


def _as_array(X):
    """Return rows that leave a transformer: float64, or objects where a column is text."""
    if is_frame(X):
        columns = [X.iloc[:, i].to_numpy() for i in range(X.shape[1])]
    else:
        X = np.asarray(X)
        if X.dtype.kind in "biuf":
            return X.astype(np.float64)
        columns = list(X.T)
    if not columns:
        return np.empty((len(X), 0))
    columns = [_as_numbers(column) for column in columns]
    kinds = {column.dtype.kind for column in columns}
    return np.stack(columns, axis=1, dtype=np.float64 if kinds == {"f"} else object)


def _as_numbers(column):
    try:
        return np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        return np.asarray(column, dtype=object)


def _is_finite(cell):
    return not isinstance(cell, float) or np.isfinite(cell)
