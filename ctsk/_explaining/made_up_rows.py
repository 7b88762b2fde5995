"""Rows that are made up to measure what a pipeline does."""

from dataclasses import dataclass
from numbers import Real

import numpy as np

from ctsk._columns.containers import is_frame, is_missing


@dataclass(frozen=True)
class MadeUpRows:
    """Rows with the container, the names and the dtypes of X, but none of its values."""

    names: list
    dtypes: list
    is_frame: bool

    def known_categories(self, X_reference):
        """Return the categories of each text column, as dtype or reference list them."""
        known = {}
        for feature, dtype in enumerate(self.dtypes):
            declared = getattr(dtype, "categories", None)
            cells = [] if declared is None else declared.tolist()
            if dtype.kind in "OUST" and not cells and is_frame(X_reference):
                cells = _distinct(X_reference.iloc[:, feature])
            if dtype.kind in "OUST":
                # A column of objects may hold numbers.
                known[feature] = cells or (None if isinstance(dtype, np.dtype) else [])
        return known

    def write(self, values, codings, schema):
        """Return rows of given values; see `Schema.read`."""
        columns = []
        for feature, numbers in enumerate(values.T):
            if feature in codings:
                cells = dict(zip(codings[feature].values, codings[feature].cells, strict=True))
                known = [cells[value] for value in schema.categories[feature].values]
                # The code of an unknown category is -1, which is the last position.
                known.append(_unknown_cell(known))
                columns.append([known[int(code)] for code in numbers])
            elif feature in schema.unread:
                columns.append([self._filler(feature)] * len(numbers))
            else:
                columns.append(numbers)
        if not self.is_frame:
            return np.column_stack(columns).astype(np.float64)
        import pandas as pd

        series = map(_series, columns, self.dtypes)
        return pd.DataFrame(dict(zip(self.names, series, strict=True)))

    def _filler(self, feature):
        """Return a cell for a column that the classifier does not see."""
        dtype = self.dtypes[feature]
        if dtype.kind in "biuf":
            return 1
        # A missing value fits every other dtype, but a step may stumble over it in text.
        return "" if dtype.name in ("object", "str", "string") else None

    def fitting(self, feature, numbers):
        """Return distinct numbers as the column's dtype holds them."""
        dtype = getattr(self.dtypes[feature], "numpy_dtype", self.dtypes[feature])
        if dtype.kind not in "biu" or not self.is_frame:
            return numbers
        least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        whole = np.clip(np.rint(numbers), least, most)
        if whole[0] == whole[1]:
            whole[1] += 1 if whole[0] < most else -1
        return whole


def _series(cells, dtype):
    """Return a Series of a dtype; of float64 for floats, whose rounding must not show."""
    import pandas as pd

    has_gap = isinstance(dtype, np.dtype) and dtype.kind in "biu" and np.isnan(cells).any()
    if dtype.kind == "f" or has_gap:
        return pd.Series(cells, dtype=np.float64)
    declared = getattr(dtype, "categories", None)
    if declared is None:
        return pd.Series(list(cells)).astype(dtype)
    known = dict.fromkeys([*declared, *(cell for cell in cells if not is_missing(cell))])
    return pd.Series(list(cells), dtype=pd.CategoricalDtype(list(known), ordered=dtype.ordered))


def _unknown_cell(known):
    """Return a cell that is none of the known categories, but of their type."""
    cells = [cell for cell in known if not is_missing(cell)]
    if cells and all(isinstance(cell, Real) for cell in cells):
        return max(cells) + 1
    return "an unknown category"


def _distinct(column):
    """Return the distinct cells of a column in order; none if they are no categories."""
    try:
        return sorted(column.dropna().unique(), key=str)
    except TypeError:
        # Lists and dicts have no hash. A step drops such a column, or rejects it by itself.
        return []
