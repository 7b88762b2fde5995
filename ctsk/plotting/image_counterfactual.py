"""Plot of images, their counterfactuals and the differences."""

from math import isqrt
from numbers import Integral

import numpy as np

from ctsk._columns.containers import listed
from ctsk.plotting.style import check_rows, panels

# Rows that are plotted unless `rows` are given.
_N_ROWS = 4
_HEADERS = ("factual", "counterfactual", "difference")


class ImageCounterfactualDisplay:
    """Plot images, their counterfactuals, and the differences between both.

    Each line shows one row of an explanation. The color of the differences is white where a pixel
    is unchanged. All images share one scale, and all differences another.

    Use :meth:`from_explanation` to create a display.

    Parameters
    ----------
    factuals, counterfactuals : ndarray of shape (n_images, height, width)
        The images and their counterfactuals.
    factual_titles, counterfactual_titles : list of str of length n_images
        Titles of the images.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (n_images, 3)
        Axes of the factuals, the counterfactuals and the differences.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    CounterfactualDisplay : Plots the counterfactuals of tables.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.plotting import ImageCounterfactualDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=8, random_state=0).fit(X, y)
    >>> explanation = clf.explain(X[:2], generator="eccco", T=20)
    >>> display = ImageCounterfactualDisplay.from_explanation(explanation)
    >>> display.ax_.shape
    (2, 3)
    """

    def __init__(self, *, factuals, counterfactuals, factual_titles, counterfactual_titles):
        self.factuals = factuals
        self.counterfactuals = counterfactuals
        self.factual_titles = factual_titles
        self.counterfactual_titles = counterfactual_titles

    @classmethod
    def from_explanation(cls, explanation, *, shape=None, rows=None, ax=None):
        """Plot rows of an explanation as images.

        Parameters
        ----------
        explanation : Explanation
            Counterfactuals of images, whose features are the pixels, line by line.
        shape : tuple of int, default=None
            Height and width of the images. If None, the images are square.
        rows : array-like of int, default=None
            Positions of the rows to plot. If None, the first four.
        ax : matplotlib Axes or array-like of matplotlib Axes, default=None
            Axes to plot on: one axes, which is divided, or three per image. If None, a new
            figure is created.

        Returns
        -------
        display : ImageCounterfactualDisplay
            Display of the plot.

        Raises
        ------
        ValueError
            If `explanation` has no rows or has categories, if `shape` is not that of its rows,
            or if `rows` or `ax` is invalid.
        TypeError
            If `explanation` is another object.
        """
        check_rows(explanation)
        height, width = _check_shape(explanation.encoder.schema, shape)
        selected = explanation[_check_idx(rows, len(explanation))]
        display = cls(
            factuals=selected.factual_rows.values.reshape(-1, height, width),
            counterfactuals=selected.counterfactual_rows.values.reshape(-1, height, width),
            factual_titles=[str(label) for label in selected.factual_prediction],
            counterfactual_titles=[
                _title(*row)
                for row in zip(
                    selected.prediction,
                    selected.proba.max(axis=1),
                    selected.target,
                    selected.valid,
                    strict=True,
                )
            ],
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Plot the images.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of matplotlib Axes, default=None
            Axes to plot on: one axes, which is divided, or three per image. If None, a new
            figure is created.

        Returns
        -------
        display : ImageCounterfactualDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `ax` is an array of another number of axes than there are images.
        """
        n_images = len(self.factuals)
        axes = panels(ax, n_images, 3, height=0.6 + 1.8 * n_images)
        differences = self.counterfactuals - self.factuals
        # A symmetric scale, so that its white center is an unchanged pixel. The minimum keeps the
        # scale valid if nothing has changed.
        limit = max(np.nanmax(np.abs(differences)), np.finfo(np.float32).eps)
        values = np.stack([self.factuals, self.counterfactuals])
        gray = {"cmap": "gray", "vmin": np.nanmin(values), "vmax": np.nanmax(values)}
        diverging = {"cmap": "PuOr", "vmin": -limit, "vmax": limit}
        images = zip(self.factuals, self.counterfactuals, differences, strict=True)
        titles = zip(self.factual_titles, self.counterfactual_titles, strict=True)
        styles = (gray, gray, diverging)
        for line, triple, pair in zip(axes, images, titles, strict=True):
            for panel, image, title, style in zip(line, triple, (*pair, ""), styles, strict=True):
                artist = panel.imshow(image, **style)
                panel.set_title(title, fontsize="small")
                panel.set(xticks=[], yticks=[])
        for panel, header in zip(axes[0], _HEADERS, strict=True):
            panel.set_title(f"{header}\n{panel.get_title()}", fontsize="small")
        figure = axes[0, 0].figure
        # The ratio of height to width makes the bar as high as all images together.
        figure.colorbar(artist, ax=axes.ravel().tolist(), aspect=15 * n_images, label="change")
        self.ax_, self.figure_ = axes, figure
        return self


def _title(prediction, probability, target, valid):
    """Return the title of a counterfactual: its class and the probability of this class."""
    title = f"{prediction} ({probability:.0%})"
    if valid:
        return title
    # A copy of an earlier alternative is not valid, although its class is the target.
    return f"{title}, invalid" if prediction == target else f"{title}, not {target}"


def _check_shape(schema, shape):
    """Return the height and the width of the images, or raise a ValueError."""
    n_features = len(schema.names)
    if schema.categories:
        names = [schema.names[feature] for feature in sorted(schema.categories)]
        raise ValueError(
            f"The explanation has categorical features ({listed(names)}), which are no pixels. "
            "Use CounterfactualDisplay."
        )
    if shape is None:
        side = isqrt(n_features)
        if side * side != n_features:
            raise ValueError(
                f"shape is None, but {n_features} features are no square image. Pass the height "
                "and the width as shape."
            )
        return side, side
    is_pair = isinstance(shape, tuple | list) and len(shape) == 2
    if not is_pair or not all(isinstance(side, Integral) and side > 0 for side in shape):
        raise ValueError(f"shape is {shape!r}; it must be a height and a width, such as (28, 28).")
    if shape[0] * shape[1] != n_features:
        raise ValueError(
            f"shape is {tuple(shape)}, which is {shape[0] * shape[1]} pixels, but the explanation "
            f"has {n_features} features. Pass a height and a width whose product is {n_features}."
        )
    return tuple(shape)


def _check_idx(rows, n_rows):
    """Return the positions of the rows to plot, or raise a ValueError."""
    if rows is None:
        return np.arange(min(_N_ROWS, n_rows))
    idx = np.atleast_1d(rows)
    is_valid = idx.ndim == 1 and len(idx) and idx.dtype.kind in "iu"
    if not is_valid or idx.min() < -n_rows or idx.max() >= n_rows:
        raise ValueError(
            f"rows is {rows!r:.200}; it must hold positions of rows of explanation, from 0 to "
            f"{n_rows - 1}."
        )
    return idx
