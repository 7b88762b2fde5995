"""Generic counterfactuals: close to the factual, or drawn to the center of the target class."""

from typing import ClassVar

import torch

from ctsk._columns.validation import StrOptions
from ctsk.generators.base import NON_NEGATIVE
from ctsk.generators.gradient import GradientGenerator
from ctsk.generators.penalties import (
    class_centroids,
    gravity,
    gravity_slopes,
    l1_distance,
    l1_slopes,
    median_absolute_deviations,
)


class GenericGenerator(GradientGenerator):
    r"""Search that penalizes the distance to the factual.

    Parameters
    ----------
    step_size : float, default=0.25
        Step size of the gradient descent, in module units.
    max_step : "auto", float or None, default="auto"
        Largest change of a column in one step, in module units; a longer step is
        shortened as a whole. "auto" is None in training and 0.05 in ``explain``. None does
        not limit the steps.
    lambda_cost : float, default=0.001
        Weight of the distance to the factual, in module units. If `feature_costs` are
        given to the estimator, they weight the distance, relative to their mean over the
        features that may move.
    distance : {"l1", "mad"}, default="l1"
        The distance: "l1", or "mad", the l1 distance with every number divided by its
        median absolute deviation among the training rows, which is robust to outliers.
    lambda_gravity : float, default=0.0
        Weight of the distance to the mean training row of the target class. A positive
        weight draws the counterfactual toward that mean, at the price of a larger distance
        to the factual.

    Attributes
    ----------
    deviations_ : Tensor of shape (n_columns,)
        Median absolute deviations of the training rows; set by `learn`.
    centroids_ : Tensor of shape (n_classes, n_columns)
        Mean training row of each class; set by `learn`.

    See Also
    --------
    ECCCoGenerator : Penalizes the energy, too.
    NearestGenerator : Searches for the cheapest counterfactual.

    Notes
    -----
    The search descends

    .. math::

        \mathrm{CE}(M(x'), y^+) + \lambda_{cost} \sum_d \frac{|x'_d - x_d|}{s_d}
        + \lambda_{gravity} \|x' - \bar x_{y^+}\|_2

    where :math:`s_d = 1`, or the median absolute deviation under ``distance="mad"``, as in
    [1]_. If more than half of the training rows are equal, their mean absolute deviation
    takes its place; for a constant column and for categories, :math:`s_d = 1`. Gravity is
    the penalty of the gravitational generator of [2]_.

    References
    ----------
    .. [1] Wachter, Mittelstadt and Russell, "Counterfactual explanations
       without opening the black box", Harvard Journal of Law & Technology 31,
       2018.
    .. [2] Altmeyer, Angela, Buszydlik, Dobiczek, van Deursen and Liem, "Endogenous
       macrodynamics in algorithmic recourse", IEEE SaTML 2023.

    Examples
    --------
    >>> from ctsk import CounterfactualTrainedClassifier, GenericGenerator
    >>> clf = CounterfactualTrainedClassifier(generator=GenericGenerator(lambda_cost=0.1))
    >>> clf.get_params()["generator__lambda_cost"]
    0.1
    """

    _parameter_constraints: ClassVar[dict] = {
        **GradientGenerator._parameter_constraints,
        "lambda_cost": [NON_NEGATIVE],
        "distance": [StrOptions({"l1", "mad"})],
        "lambda_gravity": [NON_NEGATIVE],
    }

    def __init__(
        self,
        *,
        step_size=0.25,
        max_step="auto",
        lambda_cost=0.001,
        distance="l1",
        lambda_gravity=0.0,
    ):
        self.step_size = step_size
        self.max_step = max_step
        self.lambda_cost = lambda_cost
        self.distance = distance
        self.lambda_gravity = lambda_gravity

    @property
    def learns(self):
        """Whether `learn` must be called: for ``distance="mad"`` and for gravity."""
        # A plain l1 distance needs no rows, so a foreign model is explained without X_reference.
        return self.distance == "mad" or self.lambda_gravity > 0

    def learn(self, reference):
        """Compute deviations and centroids; see `BaseGenerator.learn`."""
        # Both are cheap, so both are learned even if only one of them is used.
        self.deviations_ = median_absolute_deviations(reference.rows, reference.groups)
        self.centroids_ = class_centroids(reference)
        return self

    def penalty(self, step):
        """Return the weighted distances; see `GradientGenerator.penalty`."""
        penalties = self.lambda_cost * l1_distance(step, self._scales())
        # Without gravity, `centroids_` need not exist; see `learns`.
        if self.lambda_gravity > 0:
            penalties = penalties + self.lambda_gravity * gravity(step, self.centroids_)
        return penalties

    def _penalty_slopes(self, step):
        """Return the slopes of the penalty with respect to the states and to their energies."""
        slopes = l1_slopes(step, self.lambda_cost, self._scales())
        if self.lambda_gravity > 0:
            slopes += self.lambda_gravity * gravity_slopes(step, self.centroids_)
        return slopes, torch.zeros_like(step.energies)

    def _scales(self):
        return self.deviations_ if self.distance == "mad" else 1.0
