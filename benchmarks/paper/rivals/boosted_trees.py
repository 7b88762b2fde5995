"""Gradient-boosted trees that are explained with proof by treecf, if it is installed."""

import importlib.util
import warnings
from types import SimpleNamespace

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GridSearchCV

from rivals.base import CONVENTIONAL, ExtendedClassifier, setting

# Settings among which the trees are chosen, by cross-validation on training rows.
GRID = {"learning_rate": [0.05, 0.15], "max_leaf_nodes": [7, 31]}
# Seconds for the proof of a row.
TIME_LIMIT = 0.2


def is_available():
    """Return whether treecf is installed."""
    return importlib.util.find_spec("treecf") is not None


class BoostedTreesClassifier(ExtendedClassifier):
    """Gradient-boosted trees, explained by the cheapest counterfactual of treecf.

    They are what a practitioner would choose for a table: histogram-based boosting of
    scikit-learn, tuned by cross-validation. Domain and costs are those of the networks. X must hold
    numbers alone, without missing ones, and two classes.
    """

    def fit(self, X, y):
        """Fit the trees, and the encoder that all measures share; see the base class."""
        with setting(self, max_epochs=1, early_stopping=False, **CONVENTIONAL):
            super().fit(X, y)
        if len(self.encoder_.groups) or len(self.classes_) > 2:
            raise ValueError(
                "X must hold numbers alone, without missing ones, and y must hold two classes, "
                "because treecf is called for such tables only."
            )
        trees = HistGradientBoostingClassifier(
            early_stopping=True, max_iter=500, random_state=self.random_state
        )
        search = GridSearchCV(trees, GRID, scoring="neg_log_loss", cv=3)
        self.trees_ = search.fit(self._numbers(X), y).best_estimator_
        return self

    def predict_proba(self, X):
        """Return class probabilities."""
        return self.trees_.predict_proba(self._numbers(X))

    def predict(self, X):
        """Return the predicted classes."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def explain(self, X, target, *, tau):
        """Return the cheapest counterfactual of each row; see the base class.

        Returns
        -------
        explanation : SimpleNamespace
            The attributes `target`, `counterfactual`, `counterfactual_encoded`, `cost`, `mature`,
            `already` and `is_proven` of an explanation.
        """
        target = np.broadcast_to(target, len(X))
        explainer = self._explainer(X)
        numbers = self._numbers(X)
        already = self.predict(X) == target
        found, is_proven = numbers.copy(), np.zeros(len(X), dtype=bool)
        for row in np.flatnonzero(~already):
            result = self._result(explainer, numbers[row], target[row], tau)
            if result is not None:
                found[row], is_proven[row] = result.x_cf, result.proof == "optimal"
        frame = type(X)(found, columns=X.columns) if hasattr(X, "columns") else found
        positions = np.searchsorted(self.classes_, target)
        shares = self.predict_proba(frame)[np.arange(len(X)), positions]
        scales = self._scales()
        return SimpleNamespace(
            target=target,
            counterfactual=frame,
            counterfactual_encoded=self.encoder_.to_module_units(found),
            cost=(np.abs(found - numbers) / scales).sum(axis=1),
            mature=shares >= tau,
            already=already,
            is_proven=is_proven,
        )

    def _result(self, explainer, row, target, tau):
        """Return what treecf finds for a row, or None."""
        from treecf import Infeasible, Target

        # treecf bounds the probability of the second class.
        bounds = (tau, 1.0) if target == self.classes_[1] else (0.0, 1.0 - tau)
        with warnings.catch_warnings():
            # A proof that its time does not suffice for ends with a warning.
            warnings.simplefilter("ignore")
            result = explainer.explain(
                row,
                target=Target.probability(range=bounds),
                backend="exact",
                time_budget_s=TIME_LIMIT,
                seed=self.random_state,
            )
        return None if isinstance(result, Infeasible) else result

    def _explainer(self, X):
        """Return an explainer whose costs and domains are those of the networks."""
        from treecf import Explainer, Range
        from treecf.ir.parsers.sklearn import parse_sklearn

        names = parse_sklearn(self.trees_).feature_names
        numbers, constraints = self._numbers(X), self.constraints_
        # A row outside the domain may stay where it is.
        low = np.minimum(constraints.low, numbers.min(axis=0))
        high = np.maximum(constraints.high, numbers.max(axis=0))
        ranges = [Range(*bounds) for bounds in zip(names, low, high, strict=True)]
        dtypes = X.dtypes if hasattr(X, "dtypes") else [X.dtype] * X.shape[1]
        whole = {
            name: "integer"
            for name, dtype in zip(names, dtypes, strict=True)
            if np.issubdtype(dtype, np.integer)
        }
        scales = dict(zip(names, self._scales().tolist(), strict=True))
        return Explainer(self.trees_, constraints=ranges, normalizers=scales, value_policy=whole)

    def _scales(self):
        """Return the length of a module unit in the units of each column of X."""
        zero, one = (
            self.encoder_.to_x_units(np.full((1, self.n_features_in_), value))[0]
            for value in (0.0, 1.0)
        )
        return one - zero

    def _numbers(self, X):
        return np.asarray(X, dtype=float)
