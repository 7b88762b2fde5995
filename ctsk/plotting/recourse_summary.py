"""Plot of the cost of recourse, and of the share of people who have it, by group."""

import numpy as np

from ctsk.metrics import recourse_summary
from ctsk.plotting.style import (
    GRAY,
    GREEN,
    VERMILLION,
    add_legend_above,
    check_rows,
    line_style,
    panels,
)

# Distance between the lines of two summaries of the same group; groups are 1 apart.
_STEP = 0.3
# More summaries than this would reach into the next group.
_MOST_SUMMARIES = 3
# Colors and hatches of the outcomes, in the order in which their shares are stacked.
_OUTCOMES = {
    "found": (GREEN, ""),
    "open": (GRAY, ".."),
    "impossible": (VERMILLION, "//"),
}


class RecourseSummaryDisplay:
    """Plot what recourse costs, and how many people have it, by group.

    The first panel shows the median cost of each group with its interval. The second one shows
    the share of people for whom recourse was found, for whom it is proven impossible, and for
    whom neither is known. The costs are those of the people for whom recourse was found, so read
    both panels together.

    Use :meth:`from_explanation` to create a display.

    Parameters
    ----------
    summary : DataFrame of shape (n_groups, n_columns)
        See :func:`ctsk.metrics.recourse_summary`.
    name : str or None, default=None
        Name of the model, which is added to the labels of the groups.
    confidence_level : float, default=0.95
        Probability mass between the bounds of the intervals.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (2,)
        Axes of the costs and of the shares.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    ctsk.metrics.recourse_summary : Computes the summary.

    Examples
    --------
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.datasets import make_loan
    >>> from ctsk.plotting import RecourseSummaryDisplay
    >>> X, y = make_loan(300, random_state=0)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=10, random_state=0).fit(X, y)
    >>> rejected = X[clf.predict(X) == 0]
    >>> explanation = clf.explain(rejected, 1, mutability={"age": "none"})
    >>> age = (rejected["age"] < 35).map({True: "under 35", False: "35 or older"})
    >>> display = RecourseSummaryDisplay.from_explanation(explanation, age)
    >>> [label.get_text() for label in display.ax_[0].get_yticklabels()]
    ['35 or older', 'under 35']
    """

    def __init__(self, *, summary, name=None, confidence_level=0.95):
        self.summary = summary
        self.name = name
        self.confidence_level = confidence_level

    @classmethod
    def from_explanation(
        cls, explanation, groups=None, *, confidence_level=0.95, name=None, ax=None, **kwargs
    ):
        """Summarize an explanation by group, and plot the summary.

        Parameters
        ----------
        explanation : Explanation
            Counterfactuals of the rows that need recourse.
        groups : str or array-like of shape (n_factuals,) or (n_rows,), default=None
            Name of a column, or labels; see :func:`ctsk.metrics.recourse_summary`. None puts
            all rows into one group.
        confidence_level : float, default=0.95
            Probability mass between the bounds of the intervals.
        name : str, default=None
            Name of the model, to compare several models on the same axes.
        ax : matplotlib Axes or array-like of two matplotlib Axes, default=None
            Axes to plot on: one axes, which is divided, two axes, or the `ax_` of another
            display, to which this one is added. If None, a new figure is created.
        **kwargs : dict
            Other parameters of :func:`ctsk.metrics.recourse_summary`.

        Returns
        -------
        display : RecourseSummaryDisplay
            Display of the plot.

        Raises
        ------
        ValueError
            If `explanation` has no rows, if `groups` or `ax` is invalid, or if the axes show
            other groups or three summaries already.
        TypeError
            If `explanation` is another object, or labels cannot be sorted.
        """
        check_rows(explanation)
        summary = recourse_summary(explanation, groups, confidence_level=confidence_level, **kwargs)
        display = cls(summary=summary, name=name, confidence_level=confidence_level)
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Plot the summary.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of two matplotlib Axes, default=None
            Axes to plot on: one axes, which is divided, two axes, or the `ax_` of another
            display, to which this one is added. If None, a new figure is created.

        Returns
        -------
        display : RecourseSummaryDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `ax` is an array of another number of axes, or if the axes show other groups or
            three summaries already.
        """
        n_groups = len(self.summary)
        axes = panels(ax, 1, 2, height=1.4 + 0.6 * n_groups, wspace=0.1)[0]
        labels = [
            str(group) if self.name is None else f"{group}, {self.name}"
            for group in self.summary.index
        ]
        n_before = self._count_summaries(axes[0])
        positions = np.arange(n_groups) + n_before * _STEP
        self._plot_costs(axes[0], positions, line_style(n_before))
        self._plot_shares(axes[1], positions)
        ticks = [*axes[0].get_yticks(), *positions] if n_before else positions
        texts = [label.get_text() for label in axes[0].get_yticklabels()] if n_before else []
        for panel in axes:
            panel.set_yticks(ticks, [*texts, *labels])
            # The first group is on top. Bars and points of all summaries are inside.
            panel.set_ylim(n_groups - 1 + n_before * _STEP + 0.4, -0.4)
        # The groups are the same ones as in the panel on the left.
        axes[1].tick_params(axis="y", labelleft=False)
        self.ax_, self.figure_ = axes, axes[0].figure
        return self

    def _count_summaries(self, ax):
        """Return how many summaries the axes show, or raise an error if this one cannot join."""
        if not ax.lines:
            return 0
        n_groups = len(self.summary)
        texts = [label.get_text() for label in ax.get_yticklabels()]
        groups = list(map(str, self.summary.index))
        # Each summary has appended one label per group.
        are_same = len(texts) % n_groups == 0 and all(
            text == group or text.startswith(f"{group}, ")
            for text, group in zip(texts, groups * (len(texts) // n_groups), strict=True)
        )
        if not are_same:
            raise ValueError(
                f"ax shows other groups than this summary ({', '.join(groups[:10])}). Pass the "
                "same groups, or plot on new axes."
            )
        if len(texts) // n_groups == _MOST_SUMMARIES:
            raise ValueError(
                f"ax shows {_MOST_SUMMARIES} summaries already, which is the most. Plot on new "
                "axes."
            )
        return len(texts) // n_groups

    def _plot_costs(self, ax, positions, style):
        """Plot the median costs and their intervals."""
        # A group in which nothing is found has no cost.
        known = self.summary["cost"].notna().to_numpy()
        summary, positions = self.summary[known], positions[known]
        style["linestyle"] = "none"
        ax.plot(summary["cost"], positions, **style)
        # Lines rather than error bars, which must contain the median: a percentile interval of
        # low confidence need not.
        if known.any():
            ax.hlines(positions, summary["cost_low"], summary["cost_high"], color=style["color"])
        ax.set_xlabel(f"median cost\n({self.confidence_level:.0%} interval)")
        # The axis begins at 0, because the ratio of costs matters as much as their difference. It
        # is scaled again, because another summary may have fixed its end.
        ax.autoscale(axis="x")
        ax.set_xlim(left=0)

    def _plot_shares(self, ax, positions):
        """Plot the shares of the outcomes as stacked bars."""
        from matplotlib.ticker import PercentFormatter

        starts = np.zeros(len(positions))
        for outcome, (color, hatch) in _OUTCOMES.items():
            shares = self.summary[outcome].to_numpy()
            ax.barh(
                positions, shares, left=starts, height=0.8 * _STEP, color=color, hatch=hatch,
                edgecolor="white", linewidth=0, label=outcome,
            )  # fmt: skip
            starts = starts + shares
        ax.set(xlabel="share of people", xlim=(0, 1), xticks=[0, 0.5, 1])
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        if ax.get_legend() is None:
            add_legend_above(ax, entry_width=0.62, handlelength=1)
