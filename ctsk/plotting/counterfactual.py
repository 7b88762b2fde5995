"""Plot of factuals and counterfactuals as arrows in a plane."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d

from ctsk._columns.containers import check_same_columns, is_frame
from ctsk._columns.rows import Rows
from ctsk._columns.validation import Interval, check_table, validate_params
from ctsk.plotting.coordinates import FeaturePair, PrincipalComponents
from ctsk.plotting.response import check_estimator, grid_of, response_of
from ctsk.plotting.style import (
    BLACK,
    COLORS,
    GRAY,
    MARKERS,
    VERMILLION,
    add_legend_above,
    axes_or_new,
    check_rows,
)


class CounterfactualDisplay:
    """Plot counterfactuals as arrows from their factuals.

    An arrow leads from each factual to its counterfactual. Counterfactuals that are not valid
    are marked differently. Observed rows and the predictions of the model can be added.

    Use :meth:`from_explanation` to create a display.

    Parameters
    ----------
    factual, counterfactual : ndarray of shape (n_arrows, 2)
        Coordinates of both ends of each arrow.
    valid : bool ndarray of shape (n_arrows,)
        Whether each counterfactual is valid.
    labels : tuple of two str
        Labels of the axes.
    n_rows : int or None, default=None
        Number of rows of the explanation. If None, all have an arrow.
    categories : tuple of two, default=(None, None)
        For each axis, the list of the categories at 0, 1, ...; None for an axis of numbers.
    data : ndarray of shape (n_points, 2) or None, default=None
        Coordinates of observed rows.
    data_classes : ndarray of shape (n_points,) or None, default=None
        Classes of the observed rows.
    surface : tuple of three ndarrays or None, default=None
        Coordinates along both axes, of shapes (n_x,) and (n_y,), and the response of the model,
        of shape (n_y, n_x): the probability of `target`, or, if `target` is None, the position
        of the predicted class in `classes`.
    target : label or None, default=None
        The class whose probability the surface shows.
    classes : ndarray of shape (n_classes,) or None, default=None
        Classes of the data and of the surface, which determine their colors.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    ImageCounterfactualDisplay : Plots counterfactuals of images.
    sklearn.inspection.DecisionBoundaryDisplay : Plots the predictions of a model alone.

    Examples
    --------
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.datasets import make_moons_like
    >>> from ctsk.plotting import CounterfactualDisplay
    >>> X, y = make_moons_like(200, random_state=0)
    >>> clf = CounterfactualTrainedClassifier(lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> explanation = clf.explain(X[y == 0][:20], target=1)
    >>> display = CounterfactualDisplay.from_explanation(explanation, estimator=clf, X=X, y=y)
    >>> display.ax_.get_xlabel()
    'x0'

    If there are more features, two of them are plotted, or two principal components:

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> clf = CounterfactualTrainedClassifier(lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> explanation = clf.explain(X.head(10))
    >>> display = CounterfactualDisplay.from_explanation(explanation, X=X, y=y, features="pca")
    """

    def __init__(
        self,
        *,
        factual,
        counterfactual,
        valid,
        labels,
        n_rows=None,
        categories=(None, None),
        data=None,
        data_classes=None,
        surface=None,
        target=None,
        classes=None,
    ):
        self.factual = factual
        self.counterfactual = counterfactual
        self.valid = valid
        self.labels = labels
        self.n_rows = n_rows
        self.categories = categories
        self.data = data
        self.data_classes = data_classes
        self.surface = surface
        self.target = target
        self.classes = classes

    @classmethod
    @validate_params(
        {
            "max_rows": [Interval(Integral, 1, None, closed="left")],
            "grid_resolution": [Interval(Integral, 2, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def from_explanation(
        cls,
        explanation,
        *,
        estimator=None,
        X=None,
        y=None,
        features=None,
        max_rows=50,
        grid_resolution=200,
        ax=None,
    ):
        """Plot the counterfactuals of an explanation.

        Parameters
        ----------
        explanation : Explanation
            Counterfactuals.
        estimator : object with `predict_proba`, default=None
            Fitted classifier of rows like the factuals, whose predictions are the background: the
            probability of the target if all rows have the same one, and otherwise the predicted
            class. This is possible only if the explanation has two features, because
            predictions would otherwise depend on features that are not axes.
        X : DataFrame or array-like of shape (n_observed, n_features), default=None
            Observed rows, such as a sample of the training rows.
        y : array-like of shape (n_observed,), default=None
            Classes of the observed rows.
        features : "pca", pair of names or indices, default=None
            The axes: two features, in their units, or the first two principal components of X
            in module units (of factuals and counterfactuals, if X is None). None stands for the
            two features of an explanation that has no others.
        max_rows : int, default=50
            Maximum number of arrows. If there are more rows, evenly spaced ones are plotted.
        grid_resolution : int, default=200
            Number of points of the background along each axis of numbers.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : CounterfactualDisplay
            Display of the plot.

        Raises
        ------
        ValueError
            If `explanation` has no rows or none that can be plotted, or if another parameter is
            invalid.
        TypeError
            If `explanation` is another object, or `estimator` is no classifier that predicts
            probabilities.

        Notes
        -----
        Rows with a missing or special value, or with an unknown category, in one of the two
        features are left out. Rows of the same category are spread over a band, so that they do
        not hide one another; their places in the band mean nothing.
        """
        check_rows(explanation)
        observed, y = _check_observed(explanation, X, y)
        axes = _axes(features, explanation, observed)
        check_estimator(estimator, axes, y)
        factual, counterfactual, idx = _arrows(axes, explanation, max_rows)
        data = None if observed is None else axes.coordinates(observed) + axes.spread(len(observed))
        surface, target, classes = None, None, None if y is None else np.unique(y)
        if estimator is not None:
            classes = np.asarray(estimator.classes_)
            points = [factual, counterfactual] if data is None else [factual, counterfactual, data]
            grid = grid_of(axes, np.concatenate(points), grid_resolution)
            response, target = response_of(estimator, explanation, axes, grid)
            surface = (*grid, response)
        display = cls(
            factual=factual,
            counterfactual=counterfactual,
            valid=explanation.valid[idx],
            labels=axes.labels,
            n_rows=len(explanation),
            categories=axes.categories,
            data=data,
            data_classes=y,
            surface=surface,
            target=target,
            classes=classes,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Plot the arrows, the data and the surface.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : CounterfactualDisplay
            The display itself.
        """
        ax = axes_or_new(ax)
        if self.surface is not None:
            self._plot_surface(ax)
        if self.data is not None:
            self._plot_data(ax)
        self._plot_arrows(ax)
        xlabel, ylabel = self.labels
        ax.set(xlabel=xlabel, ylabel=ylabel)
        for axis, names in zip((ax.xaxis, ax.yaxis), self.categories, strict=True):
            if names is not None:
                axis.set_ticks(range(len(names)), names)
        if self.categories[0] is not None:
            # Names side by side would overlap.
            ax.tick_params(axis="x", labelrotation=90)
        add_legend_above(ax, entry_width=1.2)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_surface(self, ax):
        """Plot the response of the model as the background."""
        from matplotlib.colors import ListedColormap, to_rgb

        x, y, response = self.surface
        style = {"shading": "nearest", "zorder": 0, "rasterized": True}
        if self.target is not None:
            style |= {"cmap": "gray", "vmin": 0, "vmax": 1, "alpha": 0.4}
            mesh = ax.pcolormesh(x, y, response, **style)
            ax.figure.colorbar(mesh, ax=ax, label=f"probability of class {self.target}")
            return
        # The colors of the data, mixed with white so that points stand out.
        colors = [
            1 - 0.3 * (1 - np.array(to_rgb(_class_color(position))))
            for position in range(len(self.classes))
        ]
        style |= {"cmap": ListedColormap(colors), "vmin": -0.5, "vmax": len(colors) - 0.5}
        ax.pcolormesh(x, y, response, **style)
        if self.data_classes is None:
            # No points would explain the colors.
            for color, label in zip(colors, self.classes, strict=True):
                ax.scatter([], [], color=[color], marker="s", label=f"predicted {label}")

    def _plot_data(self, ax):
        """Plot the observed rows, one color and marker per class."""
        style = {"s": 12, "linewidths": 0, "alpha": 0.6, "zorder": 1}
        if self.data_classes is None:
            ax.scatter(*self.data.T, color=GRAY, label="observed row", **style)
            return
        for position, label in enumerate(self.classes):
            points = self.data[self.data_classes == label]
            if len(points):
                style["marker"] = MARKERS[position % len(MARKERS)]
                ax.scatter(*points.T, color=_class_color(position), label=f"class {label}", **style)

    def _plot_arrows(self, ax):
        """Plot the arrows, and a marker at both of their ends."""
        n_arrows = len(self.valid)
        is_part = self.n_rows is not None and self.n_rows > n_arrows
        label = f"factual ({n_arrows} of {self.n_rows})" if is_part else "factual"
        edge = {"edgecolors": BLACK, "linewidths": 0.8, "zorder": 3}
        ax.scatter(*self.factual.T, s=22, c="white", label=label, **edge)
        # The counterfactual of a row may differ from it in features that are not axes.
        moved = (self.factual != self.counterfactual).any(axis=1)
        for chosen, color, marker, label in (
            (self.valid & moved, BLACK, "*", "counterfactual"),
            (self.valid & ~moved, BLACK, "+", "no change on these axes"),
            (~self.valid, VERMILLION, "X", "not valid"),
        ):
            if not chosen.any():
                continue
            end = self.counterfactual[chosen]
            ax.scatter(*end.T, s=36, color=color, marker=marker, label=label, zorder=4)
            # In the coordinates of the axes, so that each arrow ends at its counterfactual.
            start, end = self.factual[chosen & moved], self.counterfactual[chosen & moved]
            ax.quiver(
                *start.T, *(end - start).T, angles="xy", scale_units="xy", scale=1, width=0.003,
                color=color, zorder=2,
            )  # fmt: skip


def _class_color(position):
    """Return the color of a class; black is the color of the arrows."""
    return COLORS[position % (len(COLORS) - 1)]


def _check_observed(explanation, X, y):
    """Return the observed rows, or None if there are none, and their classes."""
    if X is None:
        if y is not None:
            raise ValueError("y holds classes of the rows of X, but X is None. Pass X, too.")
        return None, None
    encoder = explanation.encoder
    table = check_table(X, encoder.names)
    if is_frame(table) and encoder.schema.is_named:
        check_same_columns(table, encoder.names, "the model")
    elif table.shape[1] != len(encoder.names):
        raise ValueError(
            f"X has {table.shape[1]} columns, but the explanation has {len(encoder.names)} "
            "features. Pass rows with the columns of the factuals."
        )
    rows = Rows.read(table, encoder.schema, warn=False)
    if y is None:
        return rows, None
    y = column_or_1d(y)
    check_consistent_length(rows.values, y)
    return rows, y


def _axes(features, explanation, observed):
    """Return the axes that a user has chosen."""
    encoder = explanation.encoder
    if not (isinstance(features, str) and features == "pca"):
        return FeaturePair.of(features, encoder.schema)
    if observed is not None:
        return PrincipalComponents(encoder, encoder.encode_values(observed.values))
    pair = explanation.factual_encoded, explanation.counterfactual_encoded
    return PrincipalComponents(encoder, np.concatenate(pair))


def _arrows(axes, explanation, max_rows):
    """Return both ends of the arrows, and the positions of their rows."""
    factual = axes.coordinates(explanation.factual_rows)
    counterfactual = axes.coordinates(explanation.counterfactual_rows)
    idx = np.flatnonzero(~np.isnan(factual + counterfactual).any(axis=1))
    if not len(idx):
        raise ValueError(
            "No row of the explanation holds numbers or known categories in both features, "
            f"{' and '.join(map(repr, axes.labels))}, before and after its changes. Pass other "
            "features, or 'pca'."
        )
    # Evenly spaced positions, from the first to the last; all, if there are not too many.
    idx = idx[np.linspace(0, len(idx) - 1, min(max_rows, len(idx))).round().astype(int)]
    # Both ends have the same offset, so that a category that is kept is no slope.
    offsets = axes.spread(len(idx))
    return factual[idx] + offsets, counterfactual[idx] + offsets, idx
