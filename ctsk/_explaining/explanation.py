"""The result of explain: counterfactuals, and how the model judges them."""

from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np

from ctsk._columns.constraints import Constraints
from ctsk._columns.containers import is_frame
from ctsk._columns.encoder import Encoder
from ctsk._columns.rows import Rows
from ctsk._columns.schema import differ
from ctsk._explaining.letter import write_letter
from ctsk._explaining.recourse import shares_of, wording_of
from ctsk._explaining.summary import summary_html, summary_lines


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
        one standard deviation counts 1, with ``standardize="quantile"`` a change by one
        normal quantile; a change of category counts 1.
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
    factual_proba : ndarray of shape (n_rows, n_classes)
        Class probabilities of `factual`.
    immutable : bool ndarray of shape (n_rows, n_features)
        Whether a feature could not change in this request: its mutability is "none", or its
        domain leaves no other value than the factual's own.
    feature_cost : ndarray of shape (n_rows, n_features)
        What the change of each feature costs; the sum over the features is `cost`. A change
        between the one-hot columns of a group costs one half in each of both columns.
    classes : tuple
        The class labels, in the order of the columns of `proba`.
    tau : float
        The probability of the target that was required. If only the decision of a model with
        another threshold was, the probability that the decision implies; the smaller one if
        rows have different targets.
    constraints : Constraints
        Domain and mutability of the request, for each column that the module sees, in X's units.
    n_alternatives : int, default=1
        Number of counterfactuals that were requested for each factual.
    max_changes : int or None, default=None
        The maximum number of changed features of the request.
    sparse : bool, default=False
        Whether the request counted changed features before the cost.
    path : ndarray of shape (n_rows, T + 1, n_features) or None, default=None
        The states of the search in X's units, from the factual to the counterfactual: those
        of each step of a gradient descent, or the cheapest valid state after each round of
        :class:`NearestGenerator`, which is the factual as long as there is none. A finished
        search stays at its last state. States in between are not rounded to the dtypes.
        The array holds objects if X has categories, and floats otherwise. None unless
        ``return_path=True``.
    proof : ndarray of shape (n_rows,) or None, default=None
        What is proven of each row, among all rows that keep the constraints of the request:
        "optimal" if the row is a mature counterfactual that costs at most 0.1% more than
        `lower_bound` (with ``sparse=True``, no counterfactual has fewer changes, and none with
        as many costs less); "impossible" if there is no mature counterfactual; "open" if the
        time was up, if none is known and a feature could move without bound, or for another
        alternative than the cheapest. None unless ``prove=True``. The proof concerns the model,
        not the world: a row of the cheapest changes may still be hard to reach.
    lower_bound : ndarray of shape (n_rows,) or None, default=None
        No mature counterfactual of the factual costs less, whatever `proof` says (with
        ``sparse=True``, none with as few changes); infinite if there is none. None unless
        ``prove=True``.
    agreement : ndarray of shape (n_rows,) or None, default=None
        Share of the heads of an ensemble that predict the target for `counterfactual`. A
        counterfactual with an agreement of 1 does not depend on which of several models, which
        fit the training rows alike, was chosen. None unless the `module` of the classifier
        has a method ``heads``, and for a pipeline.
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
    factual_proba: np.ndarray
    immutable: np.ndarray
    feature_cost: np.ndarray
    classes: tuple
    tau: float
    constraints: Constraints
    n_alternatives: int = 1
    max_changes: int | None = None
    sparse: bool = False
    path: np.ndarray | None = field(default=None)
    proof: np.ndarray | None = None
    lower_bound: np.ndarray | None = None
    agreement: np.ndarray | None = None

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
        # Every field that describes single rows is an array, `Rows` or `Constraints`; all others,
        # such as the encoder or a path that was not recorded, hold for any selection.
        selected = {}
        for attribute in fields(self):
            value = getattr(self, attribute.name)
            if isinstance(value, Rows | Constraints):
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
        changes : DataFrame of shape (n_changes, 5)
            One line per changed value, row by row, with ``row`` (the label in X's index),
            ``alternative`` if several were requested, ``feature``, ``from``, ``to`` and
            ``share``, the share of the row's cost that the change makes up. Within a row, the
            largest share comes first. All shares of a row that costs nothing are 0.

        See Also
        --------
        to_text : The changes of one factual as a letter.
        plot : The changes of one factual as a picture.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from ctsk import CounterfactualTrainedClassifier
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> clf = CounterfactualTrainedClassifier(max_epochs=10, lr=0.01, random_state=0).fit(X, y)
        >>> changes = clf.explain(X.head(3), target=1).changes()
        >>> list(changes.columns)
        ['row', 'feature', 'from', 'to', 'share']
        """
        import pandas as pd

        frames = self._frames()
        factual, counterfactual = frames["factual"], frames["counterfactual"]
        # Values are compared as numbers, because cells of the containers may be missing or may
        # differ in dtype only.
        moved = differ(self.factual_rows.values, self.counterfactual_rows.values)
        rows, columns = np.nonzero(moved)
        shares = shares_of(self, slice(None))[rows, columns]
        # The last key of `lexsort` counts first: by rows, then by shares, then by columns.
        order = np.lexsort((columns, -shares, rows))
        rows, columns, shares = rows[order], columns[order], shares[order]
        # The level that was added to the index for alternatives becomes a column of its own.
        index = factual.index
        labels = {"row": index[rows]}
        if self.n_alternatives > 1:
            labels = {"row": index.droplevel(-1)[rows], "alternative": self.alternative[rows]}
        return pd.DataFrame(
            {
                **labels,
                "feature": factual.columns[columns],
                "from": _series(factual.to_numpy()[rows, columns]),
                "to": _series(counterfactual.to_numpy()[rows, columns]),
                "share": shares,
            }
        )

    def to_text(self, row=0, *, labels=None, units=None, sufficient=None):
        """Write a letter in plain language to the person behind one factual.

        The letter states what the model has decided, which changes would lead to the target,
        what is proven, and which features were not considered. Every number in it is taken from
        the row: values are printed exactly, and differences add up in decimals. Probabilities
        are rounded down.

        Parameters
        ----------
        row : int, default=0
            Position of the factual among the factuals of this explanation, which is no label of
            X's index. The alternatives of a factual are part of one letter.
        labels : dict or None, default=None
            Readable words. A key is the name of a feature; a pair of feature and value; or a
            pair of "target" and a class. Data sets of :mod:`ctsk.datasets` have such a dict.
        units : dict or None, default=None
            Units of numbers by feature, such as ``{"amount": "DM"}``.
        sufficient : DataFrame or None, default=None
            The result of :func:`sufficient_changes` for the same rows and settings. The letter
            then tells which single changes suffice, and which are proven not to.

        Returns
        -------
        text : str

        Raises
        ------
        IndexError
            If there is no factual at this position.
        TypeError
            If `row` is no integer.
        ValueError
            If `labels` or `units` name a feature, a value or a class that does not exist, or if
            `sufficient` does not belong to the row.

        See Also
        --------
        plot : The same as a picture.
        changes : The changes of all rows as a DataFrame.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from ctsk import CounterfactualTrainedClassifier
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> clf = CounterfactualTrainedClassifier(max_epochs=10, lr=0.01, random_state=0).fit(X, y)
        >>> explanation = clf.explain(X.head(3), target=1)
        >>> print(explanation.to_text(0, labels={("target", 0): "setosa"}))
        An automated model assessed your data. Its result is "setosa", ...
        """
        wording = wording_of(self, labels, units, quotes='"')
        return write_letter(self, row, wording, sufficient)

    def plot(self, row=0, *, labels=None, units=None, ax=None):
        """Plot what would have to change for one factual.

        Parameters
        ----------
        row, labels, units
            As in :meth:`to_text`.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : ctsk.plotting.RecourseDisplay

        Raises
        ------
        IndexError, TypeError, ValueError
            As in :meth:`to_text`.

        See Also
        --------
        to_text : The same as a letter.
        """
        # Displays are made of explanations, so that they can be imported only when one is plotted.
        from ctsk.plotting import RecourseDisplay

        return RecourseDisplay.from_explanation(self, row, labels=labels, units=units, ax=ax)

    @cached_property
    def _rows_by_factual(self):
        """The positions of the rows of each factual, without repetitions; a list of lists."""
        groups = {}
        for position, key in enumerate(zip(self.row.tolist(), self.alternative, strict=True)):
            groups.setdefault(key[0], {}).setdefault(key[1], position)
        return [list(group.values()) for group in groups.values()]

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

    def __repr__(self):
        """Return a summary of validity, cost and number of steps in a few lines."""
        lines = [f"  {caption}: {value}" for caption, value in summary_lines(self).items()]
        return "\n".join(["Explanation", *lines])

    def _repr_html_(self):
        return summary_html(self)


def _series(cells):
    """Return cells as a Series; objects stay objects, also if pandas would infer text."""
    import pandas as pd

    return pd.Series(cells, dtype=cells.dtype)
