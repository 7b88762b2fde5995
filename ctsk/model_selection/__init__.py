"""Model selection under a trade-off between scores, in addition to that of scikit-learn."""

from ctsk.model_selection.trade_off import BestWithinTolerance, pareto_front

__all__ = ["BestWithinTolerance", "pareto_front"]


def __dir__():
    """List the public names, for tab completion: the modules that hold them are not public."""
    return __all__
