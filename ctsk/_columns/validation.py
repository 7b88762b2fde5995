"""Checks of what users hand in; errors that name the parameter, the feature, the remedy."""

import contextlib

import numpy as np
from sklearn.utils.validation import check_array, check_X_y, validate_data

from ctsk._columns.schema import Schema, is_frame
from ctsk._columns.user_constraints import check_categorical

_CHECKS = {"dtype": np.float64, "ensure_all_finite": False}


@contextlib.contextmanager
def undo_on_failure(estimator):
    """Take back whatever was set on an estimator if the block fails."""
    with contextlib.ExitStack() as undo:
        undo.callback(vars(estimator).update, dict(vars(estimator)))
        undo.callback(vars(estimator).clear)
        yield
        undo.pop_all()


def check_training_rows(estimator, X, y, schema):
    """Validate X and y, and read X as values.

    Parameters
    ----------
    estimator : BaseEstimator
        With ``categorical_features``.
    X : DataFrame or array-like of shape (n_rows, n_features)
    y : array-like of shape (n_rows,)
    schema : Schema or None
        What X has to match; None learns it.

    Returns
    -------
    values : ndarray of shape (n_rows, n_features)
        See `Schema.read`.
    y : ndarray of shape (n_rows,)
    schema : Schema

    Raises
    ------
    ValueError
        If a column is neither numeric nor categorical, a category is unknown, or a
        number is missing, infinite, or too large for float32.
    """
    learn = schema is None
    if is_frame(X):
        validate_data(estimator, X, y, reset=learn, skip_check_array=True)
    else:
        with _explaining_words():
            checked, y = validate_data(estimator, X, y, reset=learn, **_CHECKS)
        X = X if isinstance(X, np.ndarray) and X.dtype.kind in "biuf" else checked
    if learn:
        names = list(X.columns) if is_frame(X) else [f"x{i}" for i in range(X.shape[1])]
        categorical = check_categorical(estimator.categorical_features, names, X)
        schema = Schema.fit(X, names, categorical)
    values = schema.read(X)
    if is_frame(X):
        values, y = check_X_y(values, y, estimator=estimator, **_CHECKS)
    refuse_values(values, schema.names, type(estimator).__name__)
    return values, y, schema


def check_X(estimator, X):
    """Validate X for a fitted estimator, and read it as values.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
    X : DataFrame or array-like of shape (n_rows, n_features)

    Returns
    -------
    values : ndarray of shape (n_rows, n_features)
        See `Schema.read`.

    Raises
    ------
    ValueError
        As in `check_training_rows`.
    """
    schema = estimator.encoder_.schema
    framed = is_frame(X)
    checks = {"skip_check_array": True} if framed else _CHECKS
    with _explaining_words():
        checked = validate_data(estimator, X, reset=False, **checks)
    values = schema.read(checked)
    if framed:
        values = check_array(values, estimator=estimator, **_CHECKS)
    refuse_values(values, schema.names, type(estimator).__name__)
    return values


@contextlib.contextmanager
def _explaining_words():
    """Add to scikit-learn's error about words where they would be welcome."""
    try:
        yield
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
        raise ValueError(
            f"X holds words ({error}). They are categories in a DataFrame, whose columns have "
            "kinds of their own; a single row of one is X.iloc[[0]]."
        ) from error


@contextlib.contextmanager
def naming_reference():
    """Say of an error that it speaks of X_reference, whatever it calls it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"X_reference cannot be used: {error}") from error


def check_rows(X, name="X"):
    """Return X as a DataFrame or an ndarray; a ValueError unless it is a table with rows."""
    if not is_frame(X):
        return check_array(X, dtype=None, ensure_all_finite=False, input_name=name)
    if not len(X):
        raise ValueError(f"{name} has no rows (shape={X.shape}); at least one is needed.")
    return X


def refuse_values(values, names, caller):
    """Raise a ValueError, naming feature and row, where a number is none that a net can take."""
    largest = np.finfo(np.float32).max
    if values.min() >= -largest and values.max() <= largest:
        return
    for refused, what, remedy in (
        (np.isnan(values), "NaN", "impute it, for example by SimpleImputer"),
        (np.isinf(values), "infinity", "clip it or drop the row"),
        (np.abs(values) > largest, "a value too large for float32 (inf)", "rescale the feature"),
    ):
        if refused.any():
            row, column = np.argwhere(refused)[0]
            raise ValueError(
                f"Input X contains {what} in feature {names[column]!r} (first in row {row}). "
                f"{caller} needs finite numbers: {remedy}."
            )


def encode_labels(labels, classes, name, remedy):
    """Return labels as positions in `classes`.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,)
    classes : ndarray of shape (n_classes,)
        Sorted.
    name : str
        What an error calls the labels.
    remedy : str
        What an error advises.

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
            f"not one of the classes {classes.tolist()}. {remedy}"
        )
    return np.searchsorted(classes, labels)


def check_two_classes(classes, n_samples):
    """Raise a ValueError where there is nothing to tell apart."""
    if len(classes) < 2:
        raise ValueError(
            f"y holds {len(classes)} class (n_samples={n_samples}); a classifier needs at least "
            "two classes to tell apart."
        )


def check_target(target, classes, scores):
    """Return the class that each row is to reach, as positions in `classes`.

    Parameters
    ----------
    target : None, label or array-like of shape (n_rows,)
        None for the runner-up, which is the other class of two.
    classes : ndarray of shape (n_classes,)
    scores : ndarray of shape (n_rows, n_classes)
        The higher, the more likely the class now.

    Returns
    -------
    targets : ndarray of shape (n_rows,)

    Raises
    ------
    ValueError
        If a label is unknown, or there is not one label per row.
    """
    n_rows = len(scores)
    if target is None:
        others = scores.copy()
        others[np.arange(n_rows), scores.argmax(axis=1)] = -np.inf
        return others.argmax(axis=1)
    labels = np.asarray(target)
    if labels.ndim > 1 or (labels.ndim == 1 and len(labels) != n_rows):
        raise ValueError(
            f"target has shape {labels.shape} for {n_rows} rows of X. Give None, one class label, "
            "or one label per row."
        )
    labels = np.broadcast_to(labels, n_rows)
    return encode_labels(labels, classes, "target", "Ask for a class that the model knows.")
