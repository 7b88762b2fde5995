"""Model selection under a trade-off between scores, in addition to that of scikit-learn."""

from ctsk.model_selection.trade_off import BestWithinTolerance, pareto_front

__all__ = ["BestWithinTolerance", "pareto_front"]
