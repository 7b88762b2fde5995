"""From the margin of a binary network to what a wrapped model predicts, and back.

A calibrator or a decision threshold around one binary network is a monotone function of the
margin of the network, the logit of class 1 less that of class 0. What a class requires of the
wrapped model, therefore, is a bound of the margin, so that the network itself can be searched.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import nn

from ctsk._torch.utils import device_of

# No network has a larger margin.
_LARGEST = 1e12
# Number of intervals into which a bisection divides a bracket at once, because a call of the
# wrapped model costs about as much for one margin as for many.
_N_INTERVALS = 64
# Half of the distance between the bounds of two classes beyond which margins are scaled down: the
# probability that corresponds to a larger one would be too close to 1 for its digits to suffice.
_LARGEST_HALF = 2.0


class MarginClassifier(ClassifierMixin, BaseEstimator):
    """A binary classifier of margins, which takes the place of a network in a wrapped model.

    Parameters
    ----------
    classes : ndarray of shape (2,)
    """

    def __init__(self, classes):
        self.classes = classes

    @property
    def classes_(self):
        """Class labels."""
        return self.classes

    def fit(self, margins, y):
        """Return the classifier, which has nothing to learn."""
        return self

    def __sklearn_is_fitted__(self):
        """Return that the classifier is fitted."""
        return True

    def predict_proba(self, margins):
        """Return probabilities of margins, (n_rows, 1)."""
        return softmax(np.hstack([np.zeros_like(margins), margins]), axis=1)


class ProbabilityClassifier(MarginClassifier):
    """A binary classifier of probabilities, which passes them on to a threshold around it."""

    def predict_proba(self, proba):
        """Return the probabilities."""
        return proba

    def decision_function(self, proba):
        """Return the margins of probabilities."""
        with np.errstate(divide="ignore"):
            return np.log(proba[:, 1]) - np.log(proba[:, 0])


class ScoringMarginClassifier(MarginClassifier):
    """A binary classifier of margins whose network has a decision function."""

    def decision_function(self, margins):
        """Return margins, (n_rows, 1), as an array of one dimension."""
        return margins[:, 0]


@dataclass(frozen=True)
class Bound:
    """What a class requires of the margin.

    Parameters
    ----------
    direction : {-1, 1}
        Whether the class requires a small or a large margin.
    margin : float
        The last margin that satisfies the class.
    proba : float
        The wrapped probability of the class at this margin.
    """

    direction: int
    margin: float
    proba: float


def add_goal(model, tau, targets):
    """Return a model whose module is predicted where the wrapped model reaches its goal.

    Parameters
    ----------
    model : ExplainableModel
    tau : float or None
        The wrapped probability of the target; None for the decision of the wrapped model.
    targets : int ndarray of shape (n_rows,)
        Positions of the classes to reach.

    Returns
    -------
    model : ExplainableModel
    search_tau : float
        The probability of the target by the module that is equivalent to the goal.
    tau : float
        The wrapped probability of the target that the goal implies.

    Raises
    ------
    ValueError
        If no margin reaches the goal of a target.
    """
    if model.link is None:
        return model, tau, tau
    wanted = np.unique(targets).tolist()
    bounds = {target: _bound(model, tau, target) for target in wanted}
    if tau is None:
        tau = min((rounded_down(bound.proba) for bound in bounds.values()), default=0.5)
    if not bounds:
        return model, tau, tau
    # A class that no row is to reach has the other side of the same bound.
    first = bounds[wanted[0]]
    direction = first.direction * (2 * wanted[0] - 1)
    margins = [bound.margin for bound in bounds.values()]
    center, half = (margins[0] + margins[-1]) / 2, abs(margins[0] - margins[-1]) / 2
    scale = min(1.0, _LARGEST_HALF / half) if half > 0 else 1.0
    module = _with_margins(model.module, direction, center, scale)
    return replace(model, module=module), float(1 / (1 + np.exp(-half * scale))), tau


def _bound(model, tau, target):
    """Return the `Bound` of a class, or raise a ValueError if no margin reaches it."""
    label = model.classes.tolist()[target]

    def accepts(margins):
        margins = margins[:, None]
        is_accepted = model.link.predict(margins) == label
        if tau is not None:
            is_accepted &= model.link.predict_proba(margins)[:, target] >= tau
        return is_accepted

    ends = np.array([-_LARGEST, _LARGEST])
    of_low, of_high = accepts(ends).tolist()
    proba = model.link.predict_proba(ends[:, None])[:, target]
    if not of_low and not of_high:
        goal = "predicted" if tau is None else f"predicted with a probability of tau={tau}"
        raise ValueError(
            f"No row is {goal} as {label!r}: the largest probability that the calibration or the "
            f"threshold around the model leaves for this class is {proba.max():.3g}. Lower tau, or "
            "wrap the model in another way."
        )
    if of_low and of_high:
        # Any row will do, whatever its margin is.
        direction = 2 * target - 1
        return Bound(direction, -direction * _LARGEST, float(proba.min()))
    direction = 1 if of_high else -1
    margin = direction * _first_accepted(lambda margins: accepts(direction * margins))
    proba = model.link.predict_proba(np.array([[margin]]))[0, target]
    return Bound(direction, margin, float(proba))


def _first_accepted(accepts):
    """Return the smallest margin from which on all are accepted."""
    low, high = -_LARGEST, _LARGEST
    while True:
        grid = np.unique(np.linspace(low, high, _N_INTERVALS + 1).clip(low, high))
        # The bracket ends at two floating-point numbers next to each other.
        if len(grid) == 2:
            return float(high)
        # The ends are known: the low one is not accepted, but the high one is.
        is_accepted = np.append(accepts(grid[1:-1]), True)
        first = 1 + is_accepted.argmax()
        low, high = grid[first - 1], grid[first]


def _with_margins(module, direction, center, scale):
    """Return a module with other margins: ``direction * scale * (margin - center)``."""
    # The logit of class 0 stays, so that energies differ by a constant only.
    weights = torch.eye(2, dtype=torch.float64)
    bias = torch.tensor([0.0, -center], dtype=torch.float64)
    if direction == -1:
        weights, bias = weights.flip(0), bias.flip(0)
    return extended(module, scale * weights, scale * bias)


def extended(module, weights, bias):
    """Return a module that ends in a linear layer with fixed weights and biases."""
    layer = nn.utils.skip_init(nn.Linear, *reversed(weights.shape), device=device_of(module))
    # In float64, because the layer must not lose digits of the judge's margins.
    layer.weight = nn.Parameter(weights.to(layer.weight.device), requires_grad=False)
    layer.bias = nn.Parameter(bias.to(layer.weight), requires_grad=False)
    # A chain in one piece is searched faster; see `ctsk.generators.nearest.problem`.
    layers = list(module) if type(module) is nn.Sequential else [module]
    return nn.Sequential(*layers, layer)


def rounded_down(share):
    """Return a probability that is rounded down after 12 digits, for people to read."""
    return float(Decimal(repr(share)).quantize(Decimal("1e-12"), ROUND_DOWN))
