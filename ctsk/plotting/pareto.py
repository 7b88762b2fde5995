"""The trade-off between two scores of a finished search, as a picture."""

from ctsk.model_selection import pareto_front


class ParetoFrontDisplay:
    """Two scores of each candidate of a search, and those that no other one beats.

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
    figure_ : matplotlib Figure

    See Also
    --------
    ctsk.model_selection.BestWithinTolerance : Chooses under the trade-off.
    """

    def __init__(self, *, scores, front, chosen=None):
        self.scores = scores
        self.front = front
        self.chosen = chosen

    @classmethod
    def from_search(cls, search, *, x="accuracy", y="neg_implausibility", ax=None):
        """Plot two scores of a finished search.

        Parameters
        ----------
        search : GridSearchCV or its like
            Finished, with several scorers.
        x, y : str
            Keys of its ``scoring``.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a new figure.

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
        """Plot candidates, the front, and the chosen one.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : ParetoFrontDisplay
        """
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1] if ax is None else ax
        x, y = self.scores.columns
        ax.scatter(self.scores[x], self.scores[y], color="0.6", label="candidates")
        ax.plot(self.front[x], self.front[y], "o-", color="C0", label="not beaten by any other")
        if self.chosen is not None:
            chosen = self.scores.iloc[self.chosen]
            ax.plot(
                [chosen[x]], [chosen[y]], "o", color="C1", markersize=14, fillstyle="none",
                markeredgewidth=2, label="chosen",
            )  # fmt: skip
        ax.set(xlabel=x, ylabel=y)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
