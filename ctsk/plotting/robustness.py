"""Plot of the accuracy under attack against the strength of the attack."""

import numpy as np

from ctsk.metrics import robust_accuracy
from ctsk.metrics.inputs import check_classifier
from ctsk.plotting.style import axes_or_new, line_style

# Units of a change, by the parameter `standardize`.
_UNITS = {True: "standard deviations", "quantile": "normal quantiles", False: "units of X"}


class RobustnessDisplay:
    """Plot the accuracy of a model under attack, against the strength of the attack.

    Use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    epsilons : ndarray of shape (n_epsilons,)
        Maximum changes of the features, in ascending order.
    accuracies : ndarray of shape (n_epsilons,)
        Accuracy under attack for each of them.
    name : str or None, default=None
        Name of the model in the legend. If None, there is no legend.
    unit : str, default="module units"
        Unit of `epsilons`.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve.
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    ctsk.metrics.robust_accuracy : Computes the accuracies.

    Examples
    --------
    Models are compared on the same axes:

    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.datasets import make_moons_like
    >>> from ctsk.plotting import RobustnessDisplay
    >>> X, y = make_moons_like(200, random_state=0)
    >>> clf = CounterfactualTrainedClassifier(lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> conventional = CounterfactualTrainedClassifier(
    ...     lambda_div=0, lambda_adv=0, lambda_reg=0, lr=0.01, max_epochs=20, random_state=0
    ... ).fit(X, y)
    >>> display = RobustnessDisplay.from_estimator(clf, X, y, name="counterfactual")
    >>> display = RobustnessDisplay.from_estimator(
    ...     conventional, X, y, name="conventional", ax=display.ax_
    ... )
    >>> [line.get_label() for line in display.ax_.lines]
    ['counterfactual (fgsm)', 'conventional (fgsm)']
    """

    def __init__(self, *, epsilons, accuracies, name=None, unit="module units"):
        self.epsilons = epsilons
        self.accuracies = accuracies
        self.name = name
        self.unit = unit

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        epsilons=(0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
        attack="fgsm",
        name=None,
        ax=None,
        **kwargs,
    ):
        """Attack a fitted classifier, and plot its accuracy.

        Parameters
        ----------
        estimator : CounterfactualTrainedClassifier
            Fitted classifier.
        X : DataFrame or array-like of shape (n_rows, n_features)
            Rows in the estimator's input units.
        y : array-like of shape (n_rows,)
            Labels of the rows.
        epsilons : array-like of shape (n_epsilons,), \
                default=(0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
            Maximum changes of each numeric feature, in module units: with
            ``standardize=True``, in standard deviations; with "quantile", in normal
            quantiles. 0 stands for no attack.
        attack : {"worst", "fgsm", "pgd", "margin", "noise"}, default="fgsm"
            See :func:`ctsk.metrics.robust_accuracy`.
        name : str, default=None
            Name of the model in the legend. If None, the name of its class.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.
        **kwargs : dict
            Other parameters of :func:`ctsk.metrics.robust_accuracy`, such as `domain`.

        Returns
        -------
        display : RobustnessDisplay
            Display of the plot.

        Raises
        ------
        TypeError
            If `estimator` is another model, such as a pipeline.
        ValueError
            If `epsilons` or another parameter is invalid.
        """
        check_classifier(estimator)
        shape = np.shape(epsilons)
        if len(shape) != 1 or not shape[0]:
            raise ValueError(f"epsilons has shape {shape}; it must be a list of numbers.")
        # Sorted, so that the curve goes from left to right.
        epsilons = np.unique(np.asarray(epsilons, dtype=np.float64))
        accuracies = [
            robust_accuracy(estimator, X, y, epsilon=epsilon, attack=attack, **kwargs)
            for epsilon in epsilons
        ]
        name = type(estimator).__name__ if name is None else name
        display = cls(
            epsilons=epsilons,
            accuracies=np.array(accuracies),
            # Models may be attacked differently on the same axes.
            name=f"{name} ({attack})",
            unit=_UNITS[estimator.standardize],
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Plot the accuracies.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created. Curves that are on the axes
            already keep their styles, and the new one gets another.

        Returns
        -------
        display : RobustnessDisplay
            The display itself.
        """
        ax = axes_or_new(ax)
        style = line_style(len(ax.lines))
        (self.line_,) = ax.plot(self.epsilons, self.accuracies, label=self.name, **style)
        ax.set(
            xlabel=f"largest change of a feature, epsilon ({self.unit})",
            ylabel="accuracy under attack",
            ylim=(0, 1.02),
        )
        if self.name is not None:
            ax.legend(loc="best")
        self.ax_, self.figure_ = ax, ax.figure
        return self
