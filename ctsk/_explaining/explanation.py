"""The result of explain: counterfactuals, and how the model judges them."""

import html
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np

from ctsk._columns.containers import is_frame
from ctsk._columns.encoder import Encoder
from ctsk._columns.rows import Rows
from ctsk._columns.schema import differ


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Counterfactual explanations of some rows.

    All attributes describe exactly the rows that are returned, in the units, the dtypes
    and the container of the rows that were explained. Several alternatives for one
    factual are rows of their own, one after the other; in a DataFrame, the last level of
    the index, "alternative", tells them apart.

    An explanation has a length, and can be indexed by a position, a slice, an array of
    positions or a mask: ``explanation[explanation.valid]`` holds the valid rows.

    Parameters
    ----------
    factual_rows, counterfactual_rows : Rows
        The rows that were explained, and their counterfactuals; see `factual` and
        `counterfactual`.
    target : ndarray of shape (n_rows,)
        The class to reach.
    prediction, factual_prediction : ndarray of shape (n_rows,)
        The classes that the model predicts for `counterfactual` and for `factual`.
    proba : ndarray of shape (n_rows, n_classes)
        Class probabilities of `counterfactual`.
    valid : bool ndarray of shape (n_rows,)
        Whether `prediction` is the target, and the row is no copy of an earlier alternative.
        The factual may have been predicted as its target before; see `already`.
    mature : bool ndarray of shape (n_rows,)
        Whether the probability of the target is at least `tau`.
    n_iter : int ndarray of shape (n_rows,)
        Number of steps of a gradient descent, or the round of :class:`NearestGenerator` that
        last lowered the cost of the row (all rounds that it took, if the row is not mature); 0
        if the factual was mature already.
    cost : ndarray of shape (n_rows,)
        The l1 distance between counterfactual and factual, weighted by `feature_costs`.
        By default it is measured in module units: with ``standardize=True`` a change by
        one standard deviation counts 1; a change of category counts 1.
    reason : ndarray of shape (n_rows,)
        None for valid rows that are mature. Otherwise a text that states why the search
        fell short. :class:`NearestGenerator` reports the probability of the best row that it
        knows. A gradient descent reports that the row was not mature within T steps, boxed in
        by the constraints (on which features), or held back by the penalty, or that the model
        is flat. After any search, the row may have been flipped back by rounding, have more
        changes than `max_changes` permits, or be too near to an earlier alternative.
    encoder : Encoder
        The model's encoder; ``encoder.encode(X)`` maps rows like the factuals to the
        module units of `factual_encoded` and `counterfactual_encoded`.
    row : int ndarray of shape (n_rows,)
        Position in X of the factual of each row.
    alternative : int ndarray of shape (n_rows,)
        Number of each row among the counterfactuals of its factual, counted from 0 in the
        order of their costs.
    n_alternatives : int, default=1
        Number of counterfactuals that were requested for each factual.
    path : ndarray of shape (n_rows, T + 1, n_features) or None, default=None
        The states of the search in X's units, from the factual to the counterfactual: those
        of each step of a gradient descent, or the cheapest valid state after each round of
        :class:`NearestGenerator`, which is the factual as long as there is none. A finished
        search stays at its last state. States in between are not rounded to the dtypes.
        The array holds objects if X has categories, and floats otherwise. None unless
        ``return_path=True``.
    proof : ndarray of shape (n_rows,) or None, default=None
        What is proven of each row, among all rows that keep the constraints of the request:
        "optimal" if the row is a mature counterfactual that costs at most 0.1 % more than
        `lower_bound` (with ``sparse=True``, no counterfactual has fewer changes, and none with
        as many costs less); "impossible" if there is no mature counterfactual; "open" if the
        time was up, or for another alternative than the cheapest. None unless ``prove=True``.
        The proof concerns the model, not the world: a row of the cheapest changes may still be
        hard to reach.
    lower_bound : ndarray of shape (n_rows,) or None, default=None
        No mature counterfactual of the factual costs less, whatever `proof` says (with
        ``sparse=True``, none with as few changes); infinite if there is none. None unless
        ``prove=True``.
    """

    factual_rows: Rows
    counterfactual_rows: Rows
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
    row: np.ndarray
    alternative: np.ndarray
    n_alternatives: int = 1
    path: np.ndarray | None = field(default=None)
    proof: np.ndarray | None = None
    lower_bound: np.ndarray | None = None

    @cached_property
    def counterfactual(self):
        """The counterfactuals, in the container, index, columns and dtypes of `factual`.

        A row without a valid counterfactual holds the best state that its search knows, or,
        for an alternative, maybe a copy of an earlier one; `valid` distinguishes them. A
        DataFrame of X's library, or an ndarray for arrays
        and sparse matrices; of shape (n_rows, n_features).
        """
        return self.counterfactual_rows.container

    @cached_property
    def factual(self):
        """The rows that were explained, as a copy, repeated for every alternative.

        A DataFrame of X's library, or an ndarray for arrays and sparse matrices; of shape
        (n_rows, n_features).
        """
        return self.factual_rows.container

    @property
    def already(self):
        """Whether the factual itself is predicted as its target; bool ndarray."""
        return self.factual_prediction == self.target

    @cached_property
    def factual_encoded(self):
        """The factuals in module units, for metrics; ndarray of float64."""
        return self.encoder.encode_values(self.factual_rows.values)

    @cached_property
    def counterfactual_encoded(self):
        """The counterfactuals in module units, for metrics; ndarray of float64."""
        return self.encoder.encode_values(self.counterfactual_rows.values)

    def __len__(self):
        """Return the number of rows."""
        return len(self.valid)

    def __getitem__(self, key):
        """Return the explanation of some rows.

        Parameters
        ----------
        key : int, slice, int array-like or bool array-like of shape (n_rows,)
            Positions of the rows, or a mask; an int selects one row.

        Returns
        -------
        explanation : Explanation
        """
        if not isinstance(key, slice):
            # Without a dtype, an empty list becomes an array of floats, which is no valid index.
            key = np.asarray(key, dtype=None if np.size(key) else int)
        # One dimension, so that an int selects one row instead of removing the axis of rows.
        idx = np.atleast_1d(np.arange(len(self))[key])
        # Every field that describes single rows is an array or `Rows`; all others, such as the
        # encoder or a path that was not recorded, hold for any selection.
        selected = {}
        for attribute in fields(self):
            value = getattr(self, attribute.name)
            if isinstance(value, Rows):
                selected[attribute.name] = value.select(idx)
            elif isinstance(value, np.ndarray):
                selected[attribute.name] = value[idx]
        return replace(self, **selected)

    def to_frame(self):
        """Put factuals and counterfactuals side by side.

        Returns
        -------
        frame : DataFrame of shape (n_rows, 2 * n_features)
            A DataFrame whose columns have two levels, so that ``frame["factual"]`` and
            ``frame["counterfactual"]`` are its halves.
        """
        import pandas as pd

        return pd.concat(self._frames(), axis=1)

    def changes(self):
        """List the values that changed.

        Returns
        -------
        changes : DataFrame of shape (n_changes, 4)
            One line per changed value, row by row, with ``row`` (the label in X's index),
            ``alternative`` if several were requested, ``feature``, ``from`` and ``to``.
        """
        import pandas as pd

        frames = self._frames()
        factual, counterfactual = frames["factual"], frames["counterfactual"]
        # Values are compared as numbers, because cells of the containers may be missing or may
        # differ in dtype only. `nonzero` goes row by row.
        moved = differ(self.factual_rows.values, self.counterfactual_rows.values)
        rows, columns = np.nonzero(moved)
        # The level that was added to the index for alternatives becomes a column of its own.
        index = factual.index
        labels = {"row": index[rows]}
        if self.n_alternatives > 1:
            labels = {"row": index.droplevel(-1)[rows], "alternative": self.alternative[rows]}
        return pd.DataFrame(
            {
                **labels,
                "feature": factual.columns[columns],
                "from": factual.to_numpy()[rows, columns],
                "to": counterfactual.to_numpy()[rows, columns],
            }
        )

    def _frames(self):
        """Return factuals and counterfactuals as DataFrames."""
        import pandas as pd

        rows = {"factual": self.factual_rows, "counterfactual": self.counterfactual_rows}
        frames = {name: part.frame for name, part in rows.items()}
        if is_frame(frames["factual"]):
            return frames
        # Arrays get the index that a DataFrame with the labels 0, 1, ... would have.
        index = pd.Index(self.row)
        if self.n_alternatives > 1:
            levels = [self.row, self.alternative]
            index = pd.MultiIndex.from_arrays(levels, names=["row", "alternative"])
        return {key: pd.DataFrame(X, index, self.encoder.names) for key, X in frames.items()}

    def _summary(self):
        """Return the lines of the representations, as a dict of captions and texts."""
        lines = {"rows": f"{len(self)}"}
        if self.n_alternatives > 1:
            n_factuals = len(np.unique(self.row))
            lines["rows"] += f", alternatives of {n_factuals} factual{'s' * (n_factuals != 1)}"
        # Means and medians of no rows would be NaN, with warnings.
        if not len(self):
            return lines
        lines["valid"] = f"{self.valid.sum()} ({self.valid.mean():.0%})"
        lines["mature"] = f"{self.mature.sum()} ({self.mature.mean():.0%})"
        if self.already.any():
            share = f"{self.already.sum()} ({self.already.mean():.0%})"
            lines["predicted as target before"] = share
        if self.valid.any():
            lines["median cost of the valid"] = f"{np.median(self.cost[self.valid]):.3g}"
            lines["median steps of the valid"] = f"{np.median(self.n_iter[self.valid]):g}"
        if self.proof is not None:
            counts = Counter(self.proof).most_common()
            lines["proof"] = ", ".join(f"{n} {word}" for word, n in counts)
        if not self.valid.all():
            lines["not valid"] = _counts(self.reason[~self.valid])
        # A valid row has a reason if it is not mature or too near to an earlier alternative.
        short = [reason for reason in self.reason[self.valid] if reason is not None]
        if short:
            lines["valid, but"] = _counts(short)
        return lines

    def __repr__(self):
        """Return a summary of validity, cost and number of steps in a few lines."""
        lines = [f"  {caption}: {value}" for caption, value in self._summary().items()]
        return "\n".join(["Explanation", *lines])

    def _repr_html_(self):
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(caption)}</th>"
            f"<td>{html.escape(value)}</td></tr>"
            for caption, value in self._summary().items()
        )
        return f"<table><caption>Explanation</caption>{cells}</table>"


def _counts(reasons):
    """Return how often each kind of reason occurs, the most frequent first."""
    kinds = Counter(reason.kind.value for reason in reasons)
    return ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
