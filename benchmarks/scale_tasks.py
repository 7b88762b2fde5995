"""What ``scale.py`` measures: tables of a given size, and calls that take them."""

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import pandas as pd

from ctsk import CounterfactualTrainedClassifier, metrics

# Sizes of what does not vary.
N_ROWS, N_FEATURES, N_FITTED = 1_000, 10, 5_000
# Categories of each column in the tables of categories.
N_PER_COLUMN = 100
# Share of the rows that is proven; the other rows would be proven in the same way.
PROVEN_SHARE = 1_000


@dataclass(frozen=True)
class Inputs:
    """A table, a model of its columns, and explanations of its rows.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    clf : CounterfactualTrainedClassifier
        Fitted on the first rows.
    n_proven : int
        Number of rows for the proof.
    n_counterfactuals : int, default=100
        Number of searches in an epoch of a fit.
    """

    X: object
    y: np.ndarray
    clf: CounterfactualTrainedClassifier
    n_proven: int
    n_counterfactuals: int = 100

    def head(self, n_rows):
        """Return the inputs with the first rows only."""
        rows = {"X": self.X[:n_rows], "y": self.y[:n_rows]}
        return replace(self, **rows, n_proven=1, n_counterfactuals=10)

    @cached_property
    def explanation(self):
        """Explanation of all rows, whose metrics take the same time as those of good ones."""
        return self.clf.explain(self.X, generator="generic", T=3)

    @cached_property
    def alternatives(self):
        """Two alternatives for a hundredth of the rows."""
        n_rows = max(len(self.X) // 100, 2)
        return self.clf.explain(self.X[:n_rows], generator="generic", T=3, n_alternatives=2)

    @cached_property
    def encoded(self):
        """Counterfactuals and observed rows, as many of each, in module units."""
        return self.explanation.counterfactual_encoded, self.clf.encoder_.encode(self.X)


def table_of_rows(n_rows):
    """Return inputs of 10 numbers, by the number of rows."""
    X, y = numbers(n_rows, N_FEATURES)
    return Inputs(X, y, fitted(*numbers(N_FITTED, N_FEATURES)), max(n_rows // PROVEN_SHARE, 1))


def table_of_features(n_features):
    """Return inputs of 1,000 rows, by the number of columns, which are numbers."""
    X, y = numbers(N_ROWS, n_features)
    return Inputs(X, y, fitted(X, y), n_proven=2)


def table_of_categories(n_categories):
    """Return inputs of 1,000 rows, by the number of categories in all columns together."""
    n_columns = max(n_categories // N_PER_COLUMN, 1)
    n_per_column = min(n_categories, N_PER_COLUMN)
    rng = np.random.default_rng(0)
    # Each category occurs ten times in each column.
    codes = np.tile(np.arange(N_ROWS) % n_per_column, (n_columns, 1))
    codes = rng.permuted(codes, axis=1)
    X, y = numbers(N_ROWS, 2)
    categories = [f"category {i}" for i in range(n_per_column)]
    columns = {
        f"column {i}": pd.Categorical.from_codes(column, categories)
        for i, column in enumerate(codes)
    }
    X = pd.DataFrame({"first": X[:, 0], "second": X[:, 1], **columns})
    y = (y + (codes[0] < n_per_column / 4)) % 2
    return Inputs(X, y, fitted(X, y), n_proven=2)


def table_of_searches(n_counterfactuals):
    """Return inputs of 100,000 rows, by the number of counterfactuals in an epoch."""
    X, y = numbers(100_000, N_FEATURES)
    clf = fitted(X[:N_FITTED], y[:N_FITTED])
    return Inputs(X, y, clf, n_proven=1, n_counterfactuals=n_counterfactuals)


def numbers(n_rows, n_features):
    """Return normal rows in two classes that a curve separates, but for noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features))
    score = X[:, 0] + X[:, 1] ** 2 + rng.normal(0, 0.5, n_rows)
    return X, (score > 1).astype(int)


def fitted(X, y, **parameters):
    """Return a classifier after two epochs without held-out rows."""
    parameters = {"max_epochs": 2, "n_counterfactuals": 100, "random_state": 0, **parameters}
    return CounterfactualTrainedClassifier(early_stopping=False, **parameters).fit(X, y)


def fit(inputs):
    fitted(inputs.X, inputs.y, n_counterfactuals=inputs.n_counterfactuals)


def explain(inputs, **settings):
    inputs.clf.explain(inputs.X, **settings)


def prove(inputs):
    rows = inputs.X[: inputs.n_proven]
    inputs.clf.explain(rows, prove=True, time_limit=20)


def of_explanation(metric, inputs):
    metric(inputs.explanation)


def of_alternatives(metric, inputs):
    metric(inputs.alternatives)


def of_samples(metric, inputs):
    metric(*inputs.encoded)


def of_model(metric, inputs):
    metric(inputs.clf, inputs.X)


def of_labels(metric, inputs):
    metric(inputs.clf, inputs.X, inputs.y)


def of_model_and_explanation(metric, inputs):
    metric(inputs.clf, inputs.explanation)


def of_everything(metric, inputs):
    metric(inputs.clf, inputs.explanation, inputs.X, inputs.y)


def transfer(inputs):
    metrics.transfer_validity(inputs.explanation, inputs.clf)


def compare(inputs):
    explanation = inputs.explanation
    metrics.compare_implausibility(explanation, explanation, inputs.X, inputs.y)


def several_scores(inputs):
    scorer = metrics.make_multimetric_scorer(
        {"accuracy": "accuracy", "validity": metrics.validity_scorer}
    )
    scorer(inputs.clf, inputs.X, inputs.y)


TASKS = {
    "fit": fit,
    "explain, nearest": partial(explain, generator="nearest"),
    "explain, ECCCo": partial(explain, generator="eccco"),
    "prove": prove,
    "validity": partial(of_explanation, metrics.validity),
    "cost": partial(of_explanation, metrics.cost),
    "redundancy": partial(of_explanation, metrics.redundancy),
    "recourse_summary": partial(of_explanation, metrics.recourse_summary),
    "diversity": partial(of_alternatives, metrics.diversity),
    "implausibility": partial(of_samples, metrics.implausibility),
    "nearest_neighbor_distance": partial(of_samples, metrics.nearest_neighbor_distance),
    "maximum_mean_discrepancy": partial(of_samples, metrics.maximum_mean_discrepancy),
    "energy_gap": partial(of_everything, metrics.energy_gap),
    "unfaithfulness": partial(of_model_and_explanation, metrics.unfaithfulness),
    "transfer_validity": transfer,
    "compare_implausibility": compare,
    "stability": partial(of_everything, partial(metrics.stability, n_refits=1)),
    "robust_accuracy": partial(of_labels, metrics.robust_accuracy),
    "feature_sensitivity": partial(of_model, metrics.feature_sensitivity),
    "integrated_gradients": partial(of_model, metrics.integrated_gradients),
    "validity_scorer": partial(of_labels, metrics.validity_scorer),
    "neg_cost_scorer": partial(of_labels, metrics.neg_cost_scorer),
    "neg_implausibility_scorer": partial(of_labels, metrics.neg_implausibility_scorer),
    "neg_mmd_scorer": partial(of_labels, metrics.neg_mmd_scorer),
    "robust_accuracy_scorer": partial(of_labels, metrics.robust_accuracy_scorer),
    "make_multimetric_scorer": several_scores,
}
