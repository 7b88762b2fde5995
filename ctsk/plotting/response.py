"""The response of a model on a grid of two features."""

import numpy as np

from ctsk._columns.labels import encode_labels

# Share of the range of the points by which the grid extends beyond them.
_MARGIN = 0.05


def check_estimator(estimator, axes, y):
    """Raise an error unless the predictions of an estimator can be the background."""
    if estimator is None:
        return
    if not (hasattr(estimator, "predict_proba") and hasattr(estimator, "classes_")):
        raise TypeError(
            f"estimator is a {type(estimator).__name__}, which is no fitted classifier that "
            "predicts probabilities. Leave it out to plot the arrows alone."
        )
    if not axes.are_complete:
        raise ValueError(
            "estimator cannot be plotted: its predictions depend on more than the two axes, "
            f"{' and '.join(map(repr, axes.labels))}. Leave it out to plot the arrows alone."
        )
    if y is not None:
        classes = np.asarray(estimator.classes_)
        encode_labels(y, classes, "y", "Leave out rows of classes that estimator does not know.")


def grid_of(axes, points, resolution):
    """Return the coordinates of the background along both axes."""
    grid = []
    for coordinates, categories in zip(points.T, axes.categories, strict=True):
        if categories is not None:
            grid.append(np.arange(len(categories), dtype=np.float64))
            continue
        low, high = np.nanmin(coordinates), np.nanmax(coordinates)
        # A feature with a single value has no range of its own.
        margin = _MARGIN * (high - low) or 1.0
        grid.append(np.linspace(low - margin, high + margin, resolution))
    return grid


def response_of(estimator, explanation, axes, grid):
    """Return the predictions of a model on a grid, and the class whose probability they are.

    Without a class that all rows have as their target, they are positions of classes.
    """
    values = np.stack(np.meshgrid(*grid), axis=-1).reshape(-1, 2)
    # The axes may be the two features in reverse order, which is its own inverse.
    values = values[:, axes.idx]
    # Copies of a factual with other values, in the container and the dtypes of the factuals.
    copies = explanation.factual_rows.select(np.zeros(len(values), dtype=int))
    proba = estimator.predict_proba(copies.with_values(values).container)
    shape = len(grid[1]), len(grid[0])
    targets = np.unique(explanation.target)
    if len(targets) > 1:
        return proba.argmax(axis=1).reshape(shape), None
    is_target = np.asarray(estimator.classes_) == targets[0]
    if not is_target.any():
        raise ValueError(
            f"estimator does not know the class {targets.tolist()[0]!r}, the target of the "
            "explanation. Pass the model that was explained, or one of the same classes."
        )
    return proba[:, is_target.argmax()].reshape(shape), targets[0]
