"""What a single fitted transformer does to each of its columns, measured on made-up rows."""

import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn import config_context

from ctsk._columns.containers import densified, is_frame
from ctsk._explaining.curves import GRID, ROUNDING, Curve, Line, refine

# Two cells of a text whose categories are unknown: neither in lower case nor stripped, so
# that a change of the text shows.
_MARKS = ["Mark 0 ", "Mark 1 "]


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
    raw = {k: probe.raw_text(responses, k) for k in range(len(responses.home))}
    read, mixed, monotone = set(), set(), {}
    for k, text in raw.items():
        parents = responses.parents(k) if text is None else [text]
        numbers = [i for i in parents if i not in cells]
        read |= set(parents)
        if len(parents) == 1 and numbers and parents[0] not in codes:
            monotone[k] = parents[0]
        elif numbers:
            if not responses.is_linear(k, numbers):
                raise Uninvertible("it maps several columns, or codes of categories, nonlinearly")
            mixed |= set(numbers)
    stages = probe.stages(monotone)
    is_selection = all(text is not None or stages.get(k) == Line() for k, text in raw.items())
    coded = (set(cells) & read) - set(raw.values())
    # A text of unknown categories that has no effect was dropped, or not recognized.
    unclear = coded if is_selection else coded | (set(texts) - read)
    for i in unclear:
        if not texts[i]:
            raise _unlisted(names[i])
    outputs = [(text, ()) for text in raw.values()]
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
    """Columns that leave a transformer when the columns that enter change one by one."""

    home: np.ndarray
    # By column that enters: at the far end and half-way for a number, at each cell for a text.
    single: dict
    together: np.ndarray

    def parents(self, k):
        """Return the columns that enter and change column `k`."""
        return [i for i, rows in self.single.items() if _differ(rows[:, k], self.home[k])]

    def is_linear(self, k, numbers):
        """Whether column `k` is affine in numbers, and their effects add up."""
        moves = {i: self.single[i][:, k] - self.home[k] for i in numbers}
        size = ROUNDING * (np.abs(self.home[k]) + sum(np.abs(far) for far, _ in moves.values()))
        total = sum(far for far, _ in moves.values())
        is_affine = all(abs(half - far / 2) <= size for far, half in moves.values())
        return is_affine and abs(self.together[k] - self.home[k] - total) <= size


def _differ(column, home):
    try:
        return bool((np.abs(column - home) > 1e-12 * np.abs(home)).any())
    except TypeError:
        return bool((column != home).any())


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
        self.grid = self._each(np.repeat(GRID[:, None], self.n_columns, axis=1))

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
            if self.texts:
                rows = rows.astype({self.names[i]: np.float64 for i in self.numbers})
        # Infinite and missing numbers pass through instead of being rejected.
        with config_context(assume_finite=True), np.errstate(all="ignore"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _as_array(densified(self.transformer.transform(rows)))

    def _each(self, numbers, width=None):
        """Return what leaves; NaN for rows that the transformer rejects."""
        try:
            return self.transform(numbers)
        except (ValueError, TypeError, KeyError) as error:
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
            except (ValueError, TypeError, KeyError):
                continue
        raise Uninvertible(f"it rejects made-up rows ({error})") from error

    def respond(self):
        """Change the columns that enter one by one, as far as the transformer is defined."""
        is_defined = np.array([all(map(_is_finite, row)) for row in self.grid])
        if is_defined.sum() < 2:
            raise Uninvertible("it computes no finite numbers from made-up rows")
        low, high = GRID[is_defined][[0, -1]]
        n_cells = sum(map(len, self.texts.values()))
        numbers = np.full((2 + 2 * len(self.numbers) + n_cells, self.n_columns), low)
        numbers[1, self.numbers] = high
        rows, changes, row = {}, [], 2
        for i in self.numbers:
            numbers[row : row + 2, i] = high, (low + high) / 2
            rows[i] = slice(row, row + 2)
            row += 2
        for i, cells in self.texts.items():
            changes += [(row + n, i, cell) for n, cell in enumerate(cells)]
            rows[i] = slice(row, row + len(cells))
            row += len(cells)
        try:
            leaving = self.transform(numbers, changes)
        except (ValueError, TypeError, KeyError) as error:
            raise Uninvertible(f"it rejects made-up rows ({error})") from error
        self.low = low
        return _Responses(leaving[0], {i: leaving[s] for i, s in rows.items()}, leaving[1])

    def raw_text(self, responses, k):
        """Return the text that column `k` is, None if it is none."""
        for i, cells in self.texts.items():
            if isinstance(responses.home[k], str) and responses.single[i][:, k].tolist() == cells:
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
        if len(set(bent.values())) < len(bent):
            raise Uninvertible("it turns one number into several columns, not all by a line")
        tables = refine(
            partial(self._measure, bent), {k: self.grid[:, k].astype(np.float64) for k in bent}
        )
        curves = {
            k: Curve.from_table(*table, partial(self._heights, k, bent[k]))
            for k, table in tables.items()
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

    def _heights(self, k, parent, points):
        return self._measure({k: parent}, {k: points})[k]

    def _measure(self, parents, points):
        """Return heights of columns at points of the number that each is a function of."""
        numbers = np.full((max(map(len, points.values()), default=0), self.n_columns), self.low)
        for k, own in points.items():
            numbers[: len(own), parents[k]] = own
        if len(points) == 1:
            leaving = self._each(numbers, self.grid.shape[1])
        else:
            try:
                leaving = self.transform(numbers) if points else None
            except (ValueError, TypeError, KeyError):
                # A column that rejects its points must not take the others along.
                return {k: self._measure(parents, {k: own})[k] for k, own in points.items()}
        return {k: leaving[: len(own), k].astype(np.float64) for k, own in points.items()}


def _as_array(X):
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
