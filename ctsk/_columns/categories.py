"""The categories of a column, and its cells as positions among them."""

import contextlib
from dataclasses import dataclass
from functools import cached_property
from numbers import Number

import numpy as np

from ctsk._columns.containers import listed

# A column with more categories probably holds names or numbers, and its one-hot columns would
# dominate memory and time.
_MAX_CATEGORIES = 1_000
_DECLARE = (
    "Declare all categories before the data are split: by a pandas category dtype or, in a "
    "pipeline, by the parameter categories of the encoder; or accept unknown ones by "
    "handle_unknown='missing'."
)
_FILL = (
    "Replace missing values before the data are split, for example by .fillna('missing'), or "
    "accept them by handle_unknown='missing'."
)


@dataclass(frozen=True, eq=False)
class Categories:
    """The known categories of one column.

    Parameters
    ----------
    values : tuple
        The categories in their order. A missing value is a category of its own, None,
        which comes last.
    observed : bool ndarray of shape (n_categories,)
        Whether the training rows contain the category; a pandas category dtype may declare
        more.
    ordered : bool
        Whether the order is meaningful, so that a category can rise or fall.
    """

    values: tuple
    observed: np.ndarray
    ordered: bool

    @classmethod
    def fit(cls, column):
        """Learn the categories of a column: a Series, or an array of floats."""
        cells = cells_of(column)
        # A dict keeps the order of the rows, which a set does not.
        present = dict.fromkeys(cells)
        declared = getattr(column.dtype, "categories", None)
        # A declared order is the user's. A bool may rise from False to True, even if only one
        # of them was observed. For all others, the order of the columns means nothing.
        if declared is not None:
            values, ordered = declared.tolist(), bool(column.dtype.ordered)
        elif column.dtype.kind == "b":
            values, ordered = [False, True], True
        else:
            values, ordered = _in_order([value for value in present if value is not None]), False
        # A column of which all cells are missing, or that has no rows, has one category, too.
        if None in present or not values:
            values.append(None)
        observed = np.array([value in present for value in values])
        if not all(value == value for value in values):
            raise ValueError("a value that does not equal itself")
        return cls(tuple(values), observed, ordered)

    def __len__(self):
        """Return the number of categories, the missing one included."""
        return len(self.values)

    @property
    def has_missing(self):
        """Whether a missing value is among the categories."""
        return self.values[-1] is None

    @property
    def reachable(self):
        """Categories that a counterfactual may move to by default.

        These are the observed categories without the missing one, because a missing value
        is not a recourse.
        """
        reachable = self.observed.copy()
        if self.has_missing:
            reachable[-1] = False
        return reachable

    @cached_property
    def _positions(self):
        return {value: code for code, value in enumerate(self.values)}

    def codes(self, cells):
        """Return the positions of cells among the categories; -1 for an unknown one."""
        codes = (self._positions.get(cell, -1) for cell in cells)
        return np.fromiter(codes, np.intp, len(cells))

    def codes_of_declared(self, declared, codes):
        """Return the positions of the cells of a categorical column; -1 for an unknown one.

        Parameters
        ----------
        declared : pandas.Index
            The categories of the column.
        codes : int ndarray of shape (n_rows,)
            Positions among these; -1 for a missing cell.
        """
        # Each category is looked up once, and only if it occurs. The last entry is for gaps.
        table = np.full(len(declared) + 1, -1, dtype=np.intp)
        for code in set(codes.tolist()):
            table[code] = self._positions.get(declared[code] if code >= 0 else None, -1)
        return table[codes]


def fit_categories(name, column):
    """Return the categories of a column, or raise a ValueError if there are too many."""
    with _hashing(name):
        categories = Categories.fit(column)
    if len(categories) > _MAX_CATEGORIES:
        raise ValueError(
            f"Column {name!r} of X has {len(categories)} categories; at most {_MAX_CATEGORIES} are "
            "supported. If it names or numbers the rows, drop it; if it holds numbers, convert "
            "it, for example by pandas.to_numeric; otherwise group its rare categories."
        )
    return categories


def cells_of(column):
    """Return the cells of a Series, or of an array of floats, as objects; None if missing."""
    if hasattr(column, "isna"):
        cells, is_missing = column.to_numpy(dtype=object), column.isna().to_numpy()
    else:
        cells, is_missing = column.astype(object), np.isnan(column)
    return np.where(is_missing, None, cells)


def _in_order(values):
    """Return distinct values in an order that is the same in every process.

    It is the ascending order if the values have one. Otherwise, they are sorted by type, numbers
    and text of one type by their text, and other objects by their first row.
    """
    with contextlib.suppress(TypeError):
        ordered = sorted(values)
        # Sets are compared, too, but most of them are neither smaller nor greater than others.
        if all(first < second for first, second in zip(ordered[:-1], ordered[1:], strict=True)):
            return ordered
    # The text of an object may contain its address, and that of a set has no fixed order.
    return sorted(
        values,
        key=lambda value: (
            type(value).__name__,
            str(value) if isinstance(value, str | bytes | tuple | Number) else "",
        ),
    )


@contextlib.contextmanager
def _hashing(name):
    """Convert an error about values without hash or equality to one that names the column."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {name!r} of X holds values that cannot be categories ({error}). Categories "
            "are strings, numbers or booleans: convert the column, for example by .astype(str)."
        ) from error


def codes_of(column, name, categories):
    """Return the positions of a column's cells among its categories; -1 for unknown ones.

    An unknown category counts as a missing one if the categories contain that.

    Returns
    -------
    codes : int ndarray of shape (n_rows,)
    unknown : dict
        The first row of each distinct unknown cell, which is None for a missing one.
    """
    declared = getattr(column.dtype, "categories", None)
    if declared is not None:
        codes = categories.codes_of_declared(declared, column.array.codes)
        if (codes >= 0).all():
            return codes, {}
    # The cells themselves are needed only to report those that are unknown.
    cells = cells_of(column)
    with _hashing(name):
        codes = categories.codes(cells)
    is_unknown = codes < 0
    if categories.has_missing:
        codes[is_unknown] = len(categories) - 1
    unknown = {}
    for row in np.flatnonzero(is_unknown).tolist():
        unknown.setdefault(cells[row], row)
    return codes, unknown


def refuse_unknown(name, unknown, categories):
    """Raise a ValueError that names the first unknown cell of a column, and the remedy."""
    cell, row = next(iter(unknown.items()))
    problem = "a missing value" if cell is None else f"the unknown category {cell!r}"
    known = [value for value in categories.values if value is not None]
    remedy = _FILL if cell is None else _DECLARE
    raise ValueError(
        f"Column {name!r} of X holds {problem} (row {row}), which was absent when the estimator "
        f"was fitted; the known categories are {listed(known)}. {remedy}"
    )


def with_categories(column, known, cells):
    """Return a categorical Series with a dtype that can hold new cells.

    If its own dtype cannot, the known categories come first, in the order of the training.
    """
    declared = column.dtype.categories.tolist()
    if set(cells) <= set(declared):
        return column
    values = [value for value in known.values if value is not None]
    return column.cat.set_categories(values + [value for value in declared if value not in values])
