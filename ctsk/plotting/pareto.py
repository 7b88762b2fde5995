"""Plot of the trade-off between two scores of a fitted search."""

from ctsk.model_selection import pareto_front
from ctsk.plotting.style import BLUE, GRAY, VERMILLION, axes_or_new


class ParetoFrontDisplay:
    """Plot two scores of each candidate of a search, and their Pareto front.

    Use :meth:`from_search` to create a display.

    Parameters
    ----------
    scores : DataFrame of shape (n_candidates, 2)
        Mean test scores of all candidates.
    front : DataFrame of shape (n_candidates_on_the_front, n_columns)
        See :func:`ctsk.model_selection.pareto_front`.
    chosen : int or None, default=None
        Position of the candidate that the search has refitted. If None, no candidate is marked.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    ctsk.model_selection.BestWithinTolerance : Chooses a candidate under the trade-off.
    ctsk.model_selection.pareto_front : Returns the candidates on the front.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import neg_implausibility_scorer
    >>> from ctsk.plotting import ParetoFrontDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> search = GridSearchCV(
    ...     CounterfactualTrainedClassifier(lr=0.01, max_epochs=20, random_state=0),
    ...     {"lambda_reg": [0.01, 0.1]},
    ...     scoring={"accuracy": "accuracy", "neg_implausibility": neg_implausibility_scorer},
    ...     refit="accuracy",
    ...     cv=2,
    ... ).fit(X, y)
    >>> display = ParetoFrontDisplay.from_search(search)
    >>> display.ax_.get_ylabel()
    'neg_implausibility'
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
        x : str, default="accuracy"
            Name of the score on the horizontal axis.
        y : str, default="neg_implausibility"
            Name of the score on the vertical axis.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : ParetoFrontDisplay
            Display of the plot.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the search is not fitted.
        ValueError
            If the search lacks one of the scores.
        """
        import pandas as pd

        # `pareto_front` validates the search and the names before anything else reads them.
        front = pareto_front(search, [x, y])
        results = search.cv_results_
        scores = pd.DataFrame({name: results[f"mean_test_{name}"] for name in (x, y)})
        # A search with refit=False has no chosen candidate.
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
            The display itself.
        """
        ax = axes_or_new(ax)
        x, y = self.scores.columns
        ax.scatter(self.scores[x], self.scores[y], color=GRAY, label="candidates")
        ax.plot(self.front[x], self.front[y], "o-", color=BLUE, label="Pareto front")
        if self.chosen is not None:
            chosen = self.scores.iloc[self.chosen]
            # A ring, so that the marker of the front stays visible inside it.
            ax.plot(
                [chosen[x]], [chosen[y]], "o", color=VERMILLION, markersize=14, fillstyle="none",
                markeredgewidth=2, label="chosen",
            )  # fmt: skip
        ax.set(xlabel=x, ylabel=y)
        ax.legend(loc="best")
        self.ax_, self.figure_ = ax, ax.figure
        return self
