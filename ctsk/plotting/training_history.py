"""Plot of the losses, the terms of the objective and the searches by epoch."""

import numpy as np

from ctsk.metrics.inputs import check_classifier
from ctsk.plotting.style import add_legend_above, line_style, panels

# Keys of `history_` by panel, with their names in the legends. The terms are those before
# weighting.
_LOSSES = {"train_loss": "training", "valid_loss": "validation"}
_TERMS = {
    "classification": "classification",
    "divergence": "divergence",
    "adversarial": "adversarial",
    "ridge": "ridge",
}
_SHARES = {"mature_share": "mature share"}


class TrainingHistoryDisplay:
    """Plot how the training of a model went, epoch by epoch.

    The panels show, from top to bottom, the loss; the terms of the objective before they are
    multiplied by their weights; and the share of the counterfactuals that were mature. After
    conventional training, which has no such terms and no counterfactuals, the loss is the only
    panel.

    Use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    epochs : int ndarray of shape (n_epochs,)
        Numbers of the epochs, counted from 1.
    losses : dict of str to ndarray of shape (n_epochs,)
        Losses by name.
    terms : dict of str to ndarray of shape (n_epochs,)
        Terms of the objective by name, NaN where a term was not computed. Empty after
        conventional training.
    mature_share : ndarray of shape (n_epochs,) or None, default=None
        Share of the counterfactuals that were mature, NaN in epochs without a search. None
        after conventional training.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (n_panels,)
        Axes of the plot, from top to bottom.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    ctsk.CounterfactualTrainedClassifier : Its attribute `history_` is plotted.

    Notes
    -----
    A mature share that stays near 0 means that the divergence has no effect: lower `tau` or
    `lambda_reg`, or raise `T`. A divergence that keeps moving away from 0 means that the energies
    diverge: raise `lambda_reg`.

    Examples
    --------
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.datasets import make_moons_like
    >>> from ctsk.plotting import TrainingHistoryDisplay
    >>> X, y = make_moons_like(200, random_state=0)
    >>> clf = CounterfactualTrainedClassifier(lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> display = TrainingHistoryDisplay.from_estimator(clf)
    >>> [ax.get_ylabel() for ax in display.ax_]
    ['loss', 'unweighted term', 'mature share']
    """

    def __init__(self, *, epochs, losses, terms, mature_share=None):
        self.epochs = epochs
        self.losses = losses
        self.terms = terms
        self.mature_share = mature_share

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Plot the history of a fitted classifier.

        Epochs of `partial_fit` and of a fit with ``warm_start=True`` continue those before.

        Parameters
        ----------
        estimator : CounterfactualTrainedClassifier
            Fitted classifier.
        ax : matplotlib Axes or array-like of matplotlib Axes, default=None
            Axes to plot on: one axes, which is divided, or one per panel. If None, a new figure
            is created.

        Returns
        -------
        display : TrainingHistoryDisplay
            Display of the plot.

        Raises
        ------
        TypeError
            If `estimator` is another model, such as a pipeline.
        sklearn.exceptions.NotFittedError
            If `estimator` is not fitted.
        ValueError
            If `ax` is an array of another number of axes than there are panels.
        """
        check_classifier(estimator)
        history = estimator.history_
        terms = _series(history, _TERMS)
        mature_share = _series(history, _SHARES).get("mature share")
        # The classification term alone is the loss: nothing else was ever computed.
        if terms.keys() <= {"classification"}:
            terms = {}
        display = cls(
            epochs=np.arange(1, len(history) + 1),
            losses=_series(history, _LOSSES),
            terms=terms,
            mature_share=mature_share,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Plot the history.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of matplotlib Axes, default=None
            Axes to plot on: one axes, which is divided, or one per panel. If None, a new figure
            is created.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `ax` is an array of another number of axes than there are panels.
        """
        from matplotlib.ticker import MaxNLocator, PercentFormatter

        curves = {"loss": self.losses, "unweighted term": self.terms}
        if self.mature_share is not None:
            curves["mature share"] = {"mature share": self.mature_share}
        curves = {ylabel: lines for ylabel, lines in curves.items() if lines}
        axes = panels(ax, len(curves), 1, height=1.2 + 1.6 * len(curves), sharex=True)[:, 0]
        for panel, (ylabel, lines) in zip(axes, curves.items(), strict=True):
            self._plot_lines(panel, lines)
            panel.set_ylabel(ylabel)
        if self.mature_share is not None:
            axes[-1].set_ylim(-0.05, 1.05)
            axes[-1].yaxis.set_major_formatter(PercentFormatter(1))
        axes[-1].set_xlabel("epoch")
        axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        self.ax_, self.figure_ = axes, axes[0].figure
        return self

    def _plot_lines(self, ax, lines):
        """Plot the lines of one panel, with a legend if there are several."""
        # A marker at each of a hundred epochs would hide the line.
        every = max(len(self.epochs) // 10, 1)
        for position, (name, values) in enumerate(lines.items()):
            # Each line begins with another epoch, so that the markers of lines that coincide stay
            # visible.
            start = position * every // len(lines)
            ax.plot(
                self.epochs, values, label=name, markevery=(start, every), markersize=4,
                **line_style(position),
            )  # fmt: skip
        if len(lines) > 1:
            add_legend_above(ax, entry_width=1.05)


def _series(history, keys):
    """Return records of a history by their names in the plot, without those that are all NaN."""
    # An epoch may lack a record: a callback may keep a score of its own in some epochs only.
    series = {
        name: np.array([epoch.get(key, np.nan) for epoch in history]) for key, name in keys.items()
    }
    return {name: values for name, values in series.items() if not np.isnan(values).all()}
