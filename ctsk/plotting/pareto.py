"""Plot of the trade-off between two scores of a fitted search."""

from ctsk.model_selection import pareto_front


class ParetoFrontDisplay:
    """Plot two scores of each candidate of a search, and their Pareto front.

    Use :meth:`from_search` to create a display.

    Parameters
    ----------
    scores : DataFrame of shape (n_candidates, 2)
        Mean test scores of all candidates.
    front : DataFrame
        See :func:`ctsk.model_selection.pareto_front`.
    chosen : int or None
        Position of the candidate that the search has refitted.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    ctsk.model_selection.BestWithinTolerance : Chooses a candidate under the trade-off.
    """

    def __init__(self, *, scores, front, chosen=None):
        self.scores = scores
        self.front = front
        self.chosen = chosen

    @classmethod
    def from_search(cls, search, *, x="accuracy", y="neg_implausibility", ax=None):
        """Plot two scores of a fitted search.

        Parameters
        ----------
        search : GridSearchCV or a similar search
            Fitted search over several scores.
        x, y : str
            Names of the scores on the two axes.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : ParetoFrontDisplay
        """
        import pandas as pd

        front = pareto_front(search, [x, y])
        results = search.cv_results_
        scores = pd.DataFrame({name: results[f"mean_test_{name}"] for name in (x, y)})
        chosen = getattr(search, "best_index_", None)
        return cls(scores=scores, front=front, chosen=chosen).plot(ax=ax)

    def plot(self, *, ax=None):
        """Plot the candidates, their Pareto front and the chosen candidate.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : ParetoFrontDisplay
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        x, y = self.scores.columns
        ax.scatter(self.scores[x], self.scores[y], color="0.6", label="candidates")
        ax.plot(self.front[x], self.front[y], "o-", color="C0", label="Pareto front")
        if self.chosen is not None:
            chosen = self.scores.iloc[self.chosen]
            # A ring, so that the marker of the front stays visible inside it.
            ax.plot(
                [chosen[x]], [chosen[y]], "o", color="C1", markersize=14, fillstyle="none",
                markeredgewidth=2, label="chosen",
            )  # fmt: skip
        ax.set(xlabel=x, ylabel=y)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
