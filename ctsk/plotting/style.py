"""Colors, markers and axes that all displays share."""

import numpy as np

from ctsk._explaining.explanation import Explanation

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

# Width of a new figure in inches, in which text is legible at 400 pixels, too.
WIDTH = 5.6


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
    return plt.subplots(figsize=(WIDTH, 0.75 * WIDTH), layout="constrained")[1]


class _LegendArea:
    """Locator of invisible axes that cover a legend, so that a title is placed above the legend.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes with the legend, which may be replaced or removed later.
    """

    def __init__(self, ax):
        self.ax = ax

    def __call__(self, area, renderer):
        """Return the area of the legend, or of the axes if there is none, in the figure."""
        legend = self.ax.get_legend()
        if legend is None:
            return self.ax.get_position()
        to_figure = self.ax.figure.transSubfigure.inverted()
        return legend.get_window_extent(renderer).transformed(to_figure)


def add_legend_above(ax, entry_width, **kwargs):
    """Add a legend above the axes, where it hides nothing, and below the title.

    Parameters
    ----------
    ax : matplotlib Axes
    entry_width : float
        Width of an entry in inches, which determines how many fit side by side.
    **kwargs : dict
        Other arguments of ``legend``.
    """
    width = ax.get_window_extent().width / ax.figure.dpi
    ax.legend(
        ncols=max(int(width / entry_width), 1),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        frameon=False,
        fontsize="small",
        # Less space than by default around the entries, so that the legend fits above axes whose
        # figure has no constrained layout.
        borderaxespad=0.2,
        borderpad=0.2,
        columnspacing=1.2,
        handletextpad=0.4,
        labelspacing=0.2,
        **kwargs,
    )
    # matplotlib places titles above inset axes, but not above legends.
    area = ax.inset_axes([0, 1, 1, 0])
    area.set_axis_off()
    area.set_axes_locator(_LegendArea(ax))


def panels(ax, n_rows, n_columns, *, height, wspace=None, **kwargs):
    """Return several axes to plot on.

    Parameters
    ----------
    ax : matplotlib Axes, array-like of matplotlib Axes, or None
        One axes is divided. None creates a new figure.
    n_rows, n_columns : int
        Number of axes.
    height : float
        Height of a new figure in inches.
    wspace : float, default=None
        Space between columns, as a share of their width. If None, as little as fits.
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
        figure = plt.figure(figsize=(WIDTH, height), layout="constrained")
        kwargs["gridspec_kw"] = {"wspace": wspace}
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
        # Without a layout engine, nothing else keeps legends and titles apart from the panels.
        hspace = 0.5 if ax.figure.get_layout_engine() is None else None
        parts = grid.subgridspec(n_rows, n_columns, wspace=wspace, hspace=hspace)
        return parts.subplots(squeeze=False, **kwargs)
    axes = np.asarray(ax, dtype=object)
    if axes.size != n_rows * n_columns:
        raise ValueError(
            f"ax holds {axes.size} axes, but the plot has {n_rows * n_columns} panels. Pass that "
            "many axes, a single one, which is divided, or None."
        )
    return axes.reshape(n_rows, n_columns)


def check_rows(explanation):
    """Raise an error unless `explanation` is an explanation with at least one row."""
    if not isinstance(explanation, Explanation):
        raise TypeError(
            f"explanation is a {type(explanation).__name__}; it must be an Explanation, the result "
            "of explain."
        )
    if not len(explanation):
        raise ValueError("explanation has no rows; select at least one row to plot.")
