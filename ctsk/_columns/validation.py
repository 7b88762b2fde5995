"""Validation of user input, with errors that name the parameter, the feature and the remedy."""

import contextlib

import numpy as np
from scipy import sparse

# Private names of scikit-learn enter here, and nowhere else but in ctsk.datasets.
from sklearn.utils._param_validation import (  # noqa: F401
    HasMethods,
    Interval,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils.multiclass import _check_partial_fit_first_call as check_partial_fit_first_call  # noqa: F401
from sklearn.utils.validation import check_array, check_X_y, validate_data

from ctsk._columns.containers import (
    as_table,
    check_columns,
    check_same_columns,
    densified,
    is_frame,
    is_missing,
    is_series,
    listed,
)
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema
from ctsk._columns.user_constraints import check_categorical

_CHECKS = {"dtype": np.float64, "ensure_all_finite": False, "accept_sparse": "csr"}


@contextlib.contextmanager
def undo_on_failure(estimator):
    """Restore all attributes of an estimator if the block fails."""
    with contextlib.ExitStack() as undo:
        undo.callback(vars(estimator).update, dict(vars(estimator)))
        undo.callback(vars(estimator).clear)
        yield
        undo.pop_all()


def check_training_rows(estimator, X, y, schema):
    """Validate X and y, and read X.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameter ``categorical_features``.
    X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
    y : array-like of shape (n_rows,)
    schema : Schema or None
        The schema that X must match; None learns it.

    Returns
    -------
    rows : Rows
    y : ndarray of shape (n_rows,)

    Raises
    ------
    ValueError
        If a column is neither numeric nor categorical, a category is unknown, or a
        number is missing, infinite, or too large for float32; or if a label is missing.
    """
    learn = schema is None
    like, X = X, _table(X, schema)
    _check_no_label_missing(y)
    if is_frame(X):
        validate_data(estimator, X, y, reset=learn, skip_check_array=True)
    else:
        with _explaining_text():
            checked, y = validate_data(estimator, X, y, reset=learn, **_CHECKS)
        X = _array(X, checked)
    if learn:
        names = list(X.columns) if is_frame(X) else [f"x{i}" for i in range(X.shape[1])]
        categorical = check_categorical(estimator.categorical_features, names, X)
        schema = Schema.fit(X, names, categorical)
    rows = Rows.read(X, schema, like)
    if is_frame(X):
        _, y = check_X_y(rows.values, y, estimator=estimator, **_CHECKS)
    refuse_values(rows.values, schema.names, type(estimator).__name__)
    return rows, y


def check_X(estimator, X):
    """Validate X for a fitted estimator, and read it.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
    X : DataFrame, array-like, sparse matrix, or single rows; see `as_table`

    Returns
    -------
    rows : Rows

    Raises
    ------
    ValueError
        As in `check_training_rows`.
    """
    schema = estimator.encoder_.schema
    like, X = X, _table(X, schema)
    if is_frame(X):
        validate_data(estimator, X, reset=False, skip_check_array=True)
    else:
        with _explaining_text():
            checked = validate_data(estimator, X, reset=False, **_CHECKS)
        X = _array(X, checked)
    rows = Rows.read(X, schema, like)
    if is_frame(X):
        check_array(rows.values, estimator=estimator, **_CHECKS)
    refuse_values(rows.values, schema.names, type(estimator).__name__)
    return rows


def _table(X, schema):
    """Return X as a table whose columns can be those of a schema; None accepts all columns."""
    X = as_table(X, schema.names if schema is not None and schema.is_named else None)
    if is_frame(X):
        check_columns(list(X.columns))
        # scikit-learn compares names only if all of them are strings.
        if schema is not None and schema.is_named and not _are_strings(schema.names):
            check_same_columns(X, schema.names)
    return X


def _are_strings(names):
    return all(isinstance(name, str) for name in names)


def _array(X, checked):
    """Return a validated X as an ndarray; in its own dtype if that is numeric."""
    if sparse.issparse(X) or isinstance(X, np.ndarray):
        checked = X if X.dtype.kind in "biuf" else checked
    return densified(checked)


def _check_no_label_missing(y):
    """Raise a ValueError, naming the row, if a label is None, NaN or pandas' NA."""
    is_object_array = isinstance(y, np.ndarray) and y.dtype.kind == "O"
    if is_series(y) or isinstance(y, list) or is_object_array:
        # Sorting the classes would fail on a missing label without naming it.
        missing = np.flatnonzero([is_missing(label) for label in y])
        if len(missing):
            raise ValueError(
                f"Input y contains NaN: the label of row {missing[0]} is missing ({len(missing)} "
                "in all). Drop these rows, or make the missing label a class of its own."
            )


@contextlib.contextmanager
def _explaining_text():
    """Add the remedy to scikit-learn's error about text in an array."""
    try:
        yield
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
        raise ValueError(
            f"X holds text ({error}). Pass a DataFrame, whose columns have dtypes of their own, so "
            "that text is categorical; a single row of one is X.iloc[[0]]."
        ) from error


@contextlib.contextmanager
def naming_reference():
    """Make an error name X_reference as the input that it is about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"X_reference cannot be used: {error}") from error


def check_table(X, names=None, name="X"):
    """Return X as a DataFrame or an ndarray; a ValueError unless it is a table with rows.

    Single rows are accepted by `names`; see `as_table`.
    """
    X = as_table(X, names, name)
    if not is_frame(X):
        checks = {"dtype": None, "ensure_all_finite": False, "accept_sparse": "csr"}
        return densified(check_array(X, input_name=name, **checks))
    if not len(X):
        raise ValueError(f"{name} has no rows (shape={X.shape}); at least one is needed.")
    return X


def refuse_values(values, names, caller):
    """Raise a ValueError, naming feature and row, if a number is missing, infinite or too large."""
    largest = np.finfo(np.float32).max
    # NaN fails both comparisons, so that one pass over valid rows is enough.
    if values.min() >= -largest and values.max() <= largest:
        return
    for refused, problem, remedy in (
        (np.isnan(values), "NaN", "impute it, for example by SimpleImputer"),
        (np.isinf(values), "infinity", "clip it or drop the row"),
        (np.abs(values) > largest, "a value too large for float32 (inf)", "rescale the feature"),
    ):
        if refused.any():
            row, column = np.argwhere(refused)[0]
            raise ValueError(
                f"Input X contains {problem} in feature {names[column]!r} (first in row {row}). "
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
        The remedy that an error names.

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
