"""What explain returns: the counterfactuals, and what the model says of them."""

import html
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctsk._columns.encoder import Encoder
from ctsk._columns.schema import is_frame

# A reason without its details.
_KIND = re.compile(r".*?(?= on |:|$)")


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Counterfactual explanations of some rows.

    Everything that is said of a counterfactual is said of exactly the row that
    is returned, in the units, the dtypes and the container of the rows that
    were explained. Where several alternatives were asked for, they are rows of their own,
    those of one factual one behind the other; in a DataFrame the last level of the
    index, "alternative", tells them apart.

    Parameters
    ----------
    counterfactual : DataFrame or ndarray of shape (n_rows, n_features)
        What would have to be different; the container, index, columns and
        dtypes of `factual`. A row without a valid counterfactual holds the
        state in which its search stopped: look at `valid`.
    factual : DataFrame or ndarray of shape (n_rows, n_features)
        The rows that were explained, a copy; each once for every alternative.
    target : ndarray of shape (n_rows,)
        The class that was to be reached.
    prediction, factual_prediction : ndarray of shape (n_rows,)
        What the model predicts for `counterfactual` and for `factual`.
    proba : ndarray of shape (n_rows, n_classes)
        Class probabilities of `counterfactual`.
    valid : bool ndarray of shape (n_rows,)
        ``prediction == target``; so it may have been before, see `already`.
    mature : bool ndarray of shape (n_rows,)
        Whether the target's probability reached tau.
    n_iter : int ndarray of shape (n_rows,)
        Steps that the search took; 0 where the factual was mature already.
    cost : ndarray of shape (n_rows,)
        l1 distance between counterfactual and factual, weighted by the
        `feature_costs`. Unless these say otherwise it is counted in module units:
        with ``standardize=True`` a step of one standard deviation counts 1; a
        change of category counts 1.
    reason : ndarray of shape (n_rows,)
        None for valid rows that are mature, otherwise a text that says what a
        gradient search met: not mature within T steps; boxed in by the
        constraints, and by those on which features; flipped back by rounding. Of an
        alternative, valid or not, also: too near to an earlier one.
    encoder : Encoder
        Of the model; ``encoder.encode(X)`` maps any rows like the factuals to
        the module units of `factual_encoded` and `counterfactual_encoded`.
    n_alternatives : int
        Counterfactuals of each factual.
    path : ndarray of shape (n_rows, T + 1, n_features) or None
        The states of the search in X's units, the factual first, the
        counterfactual last, where a finished search stays. States in between are
        not rounded to the dtypes. An array of objects where X has categories, of
        floats otherwise. None unless it was asked for.
    """

    counterfactual: Any
    factual: Any
    target: np.ndarray
    prediction: np.ndarray
    factual_prediction: np.ndarray
    proba: np.ndarray
    valid: np.ndarray
    mature: np.ndarray
    n_iter: np.ndarray
    cost: np.ndarray
    reason: np.ndarray
    encoder: Encoder
    n_alternatives: int = 1
    path: np.ndarray | None = field(default=None)

    @property
    def alternative(self):
        """Which of a factual's counterfactuals each row is, from 0; int ndarray."""
        return np.tile(np.arange(self.n_alternatives), len(self) // self.n_alternatives)

    @property
    def already(self):
        """Whether the factual itself is predicted as its target; bool ndarray."""
        return self.factual_prediction == self.target

    @property
    def factual_encoded(self):
        """The factuals in module units, for metrics; ndarray of float64."""
        return self.encoder.encode(self.factual)

    @property
    def counterfactual_encoded(self):
        """The counterfactuals in module units, for metrics; ndarray of float64."""
        return self.encoder.encode(self.counterfactual)

    def __len__(self):
        """Return the number of rows."""
        return len(self.valid)

    def to_frame(self):
        """Put factual and counterfactual side by side.

        Returns
        -------
        frame : DataFrame of shape (n_rows, 2 * n_features)
            Two levels of columns: ``frame["factual"]``, ``frame["counterfactual"]``.
        """
        import pandas as pd

        return pd.concat(self._frames(), axis=1)

    def changes(self):
        """Tell what moved.

        Returns
        -------
        changes : DataFrame of shape (n_changes, 4)
            One line per moved value: ``row`` (X's index), ``alternative`` if there are
            several, ``feature``, ``from`` and ``to``, row by row.
        """
        import pandas as pd

        frames = self._frames()
        before = frames["factual"].to_numpy()
        after = frames["counterfactual"].to_numpy()
        moved = self._values(self.factual) != self._values(self.counterfactual)
        rows, columns = np.nonzero(moved)
        index = frames["factual"].index
        told = {"row": index[rows]}
        if self.n_alternatives > 1:
            told = {"row": index.droplevel(-1)[rows], "alternative": self.alternative[rows]}
        return pd.DataFrame(
            {
                **told,
                "feature": frames["factual"].columns[columns],
                "from": before[rows, columns],
                "to": after[rows, columns],
            }
        )

    def _values(self, X):
        return self.encoder.schema.read(X)

    def _frames(self):
        import pandas as pd

        frames = {"factual": self.factual, "counterfactual": self.counterfactual}
        if is_frame(self.factual):
            return frames
        names, index = self.encoder.names, None
        if self.n_alternatives > 1:
            rows = np.arange(len(self)) // self.n_alternatives
            levels = ["row", "alternative"]
            index = pd.MultiIndex.from_arrays([rows, self.alternative], names=levels)
        return {key: pd.DataFrame(rows, index, names) for key, rows in frames.items()}

    def _summary(self):
        """Return what the representations say, as pairs of a caption and its value."""
        n_rows, each = len(self), self.n_alternatives
        said = {
            "rows": f"{n_rows}" if each == 1 else f"{n_rows // each}, {each} alternatives of each",
            "valid": f"{self.valid.sum()} ({self.valid.mean():.0%})",
            "mature": f"{self.mature.sum()} ({self.mature.mean():.0%})",
        }
        if self.already.any():
            said["predicted as target before"] = f"{self.already.sum()} ({self.already.mean():.0%})"
        if self.valid.any():
            said["median cost of the valid"] = f"{np.median(self.cost[self.valid]):.3g}"
            said["median steps of the valid"] = f"{np.median(self.n_iter[self.valid]):g}"
        if not self.valid.all():
            kinds = Counter(_KIND.match(reason).group() for reason in self.reason[~self.valid])
            said["not valid"] = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
        short = [reason for reason in self.reason[self.valid] if reason is not None]
        if short:
            kinds = Counter(_KIND.match(reason).group() for reason in short)
            said["valid, but"] = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
        return said

    def __repr__(self):
        """Say in a few lines how many are valid, at what cost, after how many steps."""
        lines = [f"  {caption}: {value}" for caption, value in self._summary().items()]
        return "\n".join(["Explanation", *lines])

    def _repr_html_(self):
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(caption)}</th>"
            f"<td>{html.escape(value)}</td></tr>"
            for caption, value in self._summary().items()
        )
        return f"<table><caption>Explanation</caption>{cells}</table>"
