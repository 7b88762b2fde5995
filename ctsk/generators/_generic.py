"""Generic counterfactuals: close to the factual, and nothing else."""

from typing import ClassVar

from ctsk.generators._base import NON_NEGATIVE, BaseGenerator
from ctsk.generators._penalties import l1_distance


class GenericGenerator(BaseGenerator):
    r"""Search that pays for the distance to the factual.

    Parameters
    ----------
    step_size : float, default=0.25
        Step of the gradient descent, in module units.
    lambda_cost : float, default=0.001
        Weight of the l1 distance to the factual, in module units, or weighted by
        the estimator's `feature_costs` relative to their mean.

    Notes
    -----
    The search descends :math:`\mathrm{CE}(M(x'), y^+) + \lambda_{cost} \|x' - x\|_1`
    [1]_.

    References
    ----------
    .. [1] Wachter, Mittelstadt and Russell, "Counterfactual explanations
       without opening the black box", Harvard Journal of Law & Technology 31,
       2018.

    Examples
    --------
    >>> from ctsk import CounterfactualTrainedClassifier, GenericGenerator
    >>> clf = CounterfactualTrainedClassifier(generator=GenericGenerator(lambda_cost=0.1))
    >>> clf.get_params()["generator__lambda_cost"]
    0.1
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseGenerator._parameter_constraints,
        "lambda_cost": [NON_NEGATIVE],
    }

    def __init__(self, *, step_size=0.25, lambda_cost=0.001):
        self.step_size = step_size
        self.lambda_cost = lambda_cost

    def penalty(self, step):
        """Return the distance, weighted; see `BaseGenerator.penalty`."""
        return self.lambda_cost * l1_distance(step)
