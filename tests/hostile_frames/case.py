"""One hostile input, and its plain twin: the same table in a canonical container and dtypes."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

N_ROWS = 60
_rng = np.random.default_rng(0)
# Numbers are whole, so that every numeric dtype holds them and no counterfactual is rounded
# otherwise in one dtype than in another.
AGES = _rng.integers(18, 80, N_ROWS).astype(np.float64)
NUMBERS = _rng.integers(0, 40, N_ROWS).astype(np.float64)
WORDS = _rng.choice(["north", "south", "west"], N_ROWS).astype(object)
FLAGS = _rng.random(N_ROWS) < 0.4
GAPS = np.arange(N_ROWS) % 7 == 3
REGIONS = _rng.choice(["coast", "inland"], N_ROWS).tolist()
LABELS = np.where(AGES / 20 + NUMBERS / 10 + FLAGS > 4.5, "granted", "refused").tolist()


@dataclass(frozen=True, eq=False)
class Trial:
    """What a case passes to fit and explain, and what the twin passes.

    Parameters
    ----------
    X, y : objects that are tried
    twin_X, twin_y : DataFrame and list, or None
        The same in plain containers and dtypes; None stands for X and y themselves.
    query, twin_query : objects, or None
        The rows that are predicted and explained; None stands for the rows of the training.
    settings, explain_settings : dict
        Keyword arguments of the classifier and of explain.
    twin_settings, twin_explain_settings : dict or None
        Those of the twin if they differ.
    fit_settings, twin_fit_settings : dict
        Keyword arguments of fit.
    translate : callable, default=None
        Maps a cell of a counterfactual to that of the twin's.
    has_twin_search : bool, default=True
        Whether the counterfactuals are those of the twin. They are not if the dtype of a column
        holds other numbers than float64, to which counterfactuals are rounded.
    keeps_dtypes : bool, default=True
        Whether counterfactuals have the dtypes of X, which may be unable to hold a new number.
    """

    X: Any
    y: Any = field(default_factory=LABELS.copy)
    twin_X: Any = None
    twin_y: Any = None
    query: Any = None
    twin_query: Any = None
    settings: dict = field(default_factory=dict)
    explain_settings: dict = field(default_factory=dict)
    twin_settings: dict | None = None
    twin_explain_settings: dict | None = None
    fit_settings: dict = field(default_factory=dict)
    twin_fit_settings: dict = field(default_factory=dict)
    translate: Callable | None = None
    has_twin_search: bool = True
    keeps_dtypes: bool = True


@dataclass(frozen=True, eq=False)
class Case:
    """A named input, and what has to happen.

    Parameters
    ----------
    kind, name : str
        The group of the case, and its name within.
    make : callable
        Returns a Trial. It is called late, so that a table of cases costs nothing.
    error : str or None
        Pattern of the message of the ValueError or TypeError that is due; None if the input works.
    """

    kind: str
    name: str
    make: Callable
    error: str | None = None

    def __str__(self):
        """Return an id for a test."""
        return f"{self.kind}: {self.name}"


def canonical(x=NUMBERS, name="x"):
    """Return the plain table, with a column of a case in its middle."""
    return pd.DataFrame({"age": AGES, name: x, "region": REGIONS})


def with_column(column, twin=None, **trial):
    """Return a trial of a table with one hostile column, named x."""
    X = pd.DataFrame({"age": AGES, "region": REGIONS})
    # A Series keeps its dtype; a list of objects must not be taken apart by pandas.
    X.insert(1, "x", column if isinstance(column, pd.Series) else objects(column))
    trial.setdefault("settings", {"mutability": {"age": "none"}})
    return Trial(X, twin_X=canonical(NUMBERS if twin is None else twin), **trial)


def objects(cells):
    """Return cells of any type as a Series of objects."""
    array = np.empty(len(cells), dtype=object)
    for row, cell in enumerate(cells):
        array[row] = cell
    return pd.Series(array, dtype=object)


def cycle(cells):
    """Return as many cells as rows, by repetition, and the position of each."""
    idx = np.arange(N_ROWS) * 7 % len(cells)
    return [cells[i] for i in idx], idx


def names_of(idx, prefix="k"):
    """Return plain words, in the order of positions."""
    return np.array([f"{prefix}{i:04d}" for i in idx], dtype=object)


def translation(cells, idx):
    """Return a function from cells to the plain words of their positions."""
    words = {cell: names_of([i])[0] for cell, i in zip(cells, idx, strict=True)}
    return lambda cell: words.get(cell, cell) if isinstance(cell, Hashable) else cell
