"""Checks of labels, and labels as positions among the classes."""

from numbers import Integral

import numpy as np

from ctsk._columns.array_likes import refuse_masked
from ctsk._columns.containers import is_missing, listed

# Types of labels that NumPy sorts and scikit-learn takes for classes.
_CLASSES = str | bytes | Integral | float | np.generic


def check_labels(y):
    """Return labels that scikit-learn can sort, or raise a ValueError that names the row.

    Parameters
    ----------
    y : array-like of shape (n_rows,)

    Returns
    -------
    y : array-like of shape (n_rows,)
        As it was, except that text and numbers leave dtypes of objects.

    Raises
    ------
    ValueError
        If a label is missing, masked, or of a type that is no class.
    """
    refuse_masked(y, "y", "Drop the rows of these labels.")
    kind = getattr(getattr(y, "dtype", None), "kind", None)
    # Arrays of numbers and text are left to scikit-learn.
    if y is None or isinstance(y, str) or (isinstance(y, np.ndarray) and kind not in "OT"):
        return y
    # As objects: an array of a list of text and NaN would hold the text "nan".
    cells = np.asarray(y, dtype=object)
    labels = cells.ravel()
    # Sorting the classes would fail on these labels without naming their row.
    missing = np.flatnonzero([is_missing(label) for label in labels])
    if len(missing):
        raise ValueError(
            f"Input y contains NaN: the label of row {missing[0]} is missing ({len(missing)} "
            "in all). Drop these rows, or make the missing label a class of its own."
        )
    # Dates of NumPy's dtypes are sorted, and remain what they are; mere objects would not.
    if cells.ndim == 1 and kind not in ("M", "m"):
        _check_types(labels)
    is_object_array = isinstance(y, np.ndarray) and len(labels) > 0
    return np.array(cells.tolist()) if is_object_array else y


def _check_types(labels):
    """Raise a ValueError if labels are neither all text nor all numbers."""
    are_text = [isinstance(label, str) for label in labels]
    if any(are_text) and not all(are_text):
        row = are_text.index(False)
        raise ValueError(
            f"y holds text and, as in row {row}, labels of type {type(labels[row]).__name__}. "
            "Classes need an order: convert all labels to text, for example by y.astype(str)."
        )
    for row, label in enumerate(labels):
        # Lists are left to scikit-learn, which reports several labels per row.
        if not isinstance(label, _CLASSES | list | tuple | np.ndarray):
            raise ValueError(
                f"Unknown label type: y holds labels of type {type(label).__name__}, as in row "
                f"{row}. Convert them to text or integers, for example by y.astype(str)."
            )


def encode_labels(labels, classes, name, remedy):
    """Return labels as positions in `classes`.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,)
    classes : ndarray of shape (n_classes,)
        Class labels in ascending order.
    name : str
        Name of the labels in error messages.
    remedy : str
        Sentence of the error message that says what to do.

    Returns
    -------
    positions : ndarray of shape (n_rows,)

    Raises
    ------
    ValueError
        If a label is not among the classes.
    """
    unknown = np.flatnonzero(~np.isin(labels, classes))
    if len(unknown):
        raise ValueError(
            f"{name} holds the label {labels[unknown].tolist()[0]!r} (row {unknown[0]}), which is "
            f"not one of the classes ({listed(classes.tolist())}). {remedy}"
        )
    # All labels are present, so their place in sorted order is their position.
    return np.searchsorted(classes, labels)


def check_two_classes(classes, n_samples):
    """Raise a ValueError unless there are at least two classes."""
    if len(classes) < 2:
        raise ValueError(
            f"y holds {len(classes)} class (n_samples={n_samples}); a classifier needs at least "
            "two classes."
        )


def check_target(target, classes, scores):
    """Return the class that each row is to reach, as positions in `classes`.

    Parameters
    ----------
    target : None, label or array-like of shape (n_rows,)
        None stands for the runner-up, which is the other one of two classes.
    classes : ndarray of shape (n_classes,)
    scores : ndarray of shape (n_rows, n_classes)
        Scores that increase with the probability of the class.

    Returns
    -------
    targets : ndarray of shape (n_rows,)

    Raises
    ------
    ValueError
        If a label is unknown, or there is not one label per row.
    """
    n_rows = len(scores)
    # Without its best class, the best of a row is the runner-up.
    if target is None:
        others = scores.copy()
        others[np.arange(n_rows), scores.argmax(axis=1)] = -np.inf
        return others.argmax(axis=1)
    # An array of 0 dimensions is one label, the target of all rows.
    labels = np.asarray(target)
    if labels.ndim > 1 or (labels.ndim == 1 and len(labels) != n_rows):
        raise ValueError(
            f"target has shape {labels.shape} for {n_rows} rows of X. Pass None, one class label, "
            "or one label per row."
        )
    labels = np.broadcast_to(labels, n_rows)
    return encode_labels(labels, classes, "target", "Pass a class that the model knows.")
