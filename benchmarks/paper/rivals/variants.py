"""Counterfactual training with another treatment of exemplars or epochs."""

from unittest import mock

from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.constraints import Constraints
from rivals.base import CONVENTIONAL, setting


class UnmaskedClassifier(CounterfactualTrainedClassifier):
    """Counterfactual training with unprotected exemplars."""

    def fit(self, X, y):
        """Fit the model; see the base class."""
        with mock.patch.object(Constraints, "protect", lambda self, exemplars, *_: exemplars):
            return super().fit(X, y)


class FineTunedClassifier(CounterfactualTrainedClassifier):
    """Conventional training, then half as many epochs of counterfactual training."""

    def fit(self, X, y):
        """Fit the model; see the base class."""
        with setting(self, **CONVENTIONAL):
            super().fit(X, y)
        with setting(self, warm_start=True, max_epochs=self.max_epochs // 2):
            return super().fit(X, y)
