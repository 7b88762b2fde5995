"""What tuning under a trade-off needs beyond scikit-learn."""

from ctsk.model_selection.trade_off import BestWithinTolerance, pareto_front

__all__ = ["BestWithinTolerance", "pareto_front"]
