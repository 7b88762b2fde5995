"""Colors, markers and axes that all displays share."""

import numpy as np

# The palette of Okabe and Ito, whose colors people with any color vision can tell apart.
BLACK = "#000000"
BLUE = "#0072B2"
GREEN = "#009E73"
ORANGE = "#E69F00"
PURPLE = "#CC79A7"
SKY_BLUE = "#56B4E9"
VERMILLION = "#D55E00"
GRAY = "0.6"

# Lines and groups of points differ in more than their color, for prints in black and white. The
# three lists have different lengths, so that combinations repeat late.
COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE, BLACK)
MARKERS = ("o", "s", "^", "D", "v")
LINE_STYLES = ("-", "--", "-.", ":")


def line_style(position):
    """Return the color, the marker and the line style of a line, as arguments of ``plot``."""
    return {
        "color": COLORS[position % len(COLORS)],
        "marker": MARKERS[position % len(MARKERS)],
        "linestyle": LINE_STYLES[position % len(LINE_STYLES)],
    }


def axes_or_new(ax):
    """Return the axes of a user, or the axes of a new figure if there are none."""
    import matplotlib.pyplot as plt

    if ax is not None:
        return ax
    # Legends and color bars beside the axes get room of their own.
    return plt.subplots(layout="constrained")[1]


def panels(ax, n_rows, n_columns, *, figsize, **kwargs):
    """Return several axes to plot on.

    Parameters
    ----------
    ax : matplotlib Axes, array-like of matplotlib Axes, or None
        One axes is divided. None creates a new figure.
    n_rows, n_columns : int
        Number of axes.
    figsize : tuple of float
        Width and height of a new figure in inches.
    **kwargs : dict
        Arguments of ``subplots``, unless `ax` is an array.

    Returns
    -------
    axes : ndarray of shape (n_rows, n_columns)

    Raises
    ------
    ValueError
        If `ax` is an array of another size.
    """
    import matplotlib.pyplot as plt

    if ax is None:
        figure = plt.figure(figsize=figsize, layout="constrained")
        return figure.subplots(n_rows, n_columns, squeeze=False, **kwargs)
    if isinstance(ax, plt.Axes):
        # The axes of the user only marks the place.
        ax.set_axis_off()
        grid = ax.get_subplotspec()
        if grid is None:
            raise ValueError(
                "ax was not created by subplots, so it cannot be divided into "
                f"{n_rows * n_columns} panels. Pass an array of {n_rows * n_columns} axes."
            )
        return grid.subgridspec(n_rows, n_columns).subplots(squeeze=False, **kwargs)
    axes = np.asarray(ax, dtype=object)
    if axes.size != n_rows * n_columns:
        raise ValueError(
            f"ax holds {axes.size} axes, but the plot has {n_rows * n_columns} panels. Pass that "
            "many axes, a single one, which is divided, or None."
        )
    return axes.reshape(n_rows, n_columns)


def check_rows(explanation):
    """Raise an error unless `explanation` is an explanation with at least one row."""
    from ctsk._explaining.explanation import Explanation

    if not isinstance(explanation, Explanation):
        raise TypeError(
            f"explanation is a {type(explanation).__name__}; it must be an Explanation, the result "
            "of explain."
        )
    if not len(explanation):
        raise ValueError("explanation has no rows; select at least one row to plot.")
