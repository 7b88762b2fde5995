"""Validation of user input, with errors that name the parameter, the feature and the remedy."""

import contextlib
from dataclasses import replace

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing

# Private names of scikit-learn are imported here, and elsewhere only in ctsk.datasets.
from sklearn.utils._param_validation import (  # noqa: F401
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils.multiclass import _check_partial_fit_first_call as check_partial_fit_first_call  # noqa: F401
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_X_y,
    validate_data,
)

from ctsk._columns.array_likes import (
    explaining_cells,
    refuse_kind,
    refuse_masked,
)
from ctsk._columns.code_columns import warn_of_codes, warn_of_dummies
from ctsk._columns.containers import (
    as_table,
    check_columns,
    check_same_columns,
    densified,
    is_frame,
    is_pandas,
)
from ctsk._columns.dtypes import check_kind
from ctsk._columns.labels import check_labels
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema
from ctsk._columns.text_columns import check_words
from ctsk._columns.user_columns import check_categorical, check_groups, check_special_values

# scikit-learn checks the shape and the kind of X. Values are checked by `refuse_values`, whose
# errors name feature and row.
_CHECKS = {"dtype": np.float64, "ensure_all_finite": False, "accept_sparse": "csr"}


@contextlib.contextmanager
def undo_on_failure(estimator):
    """Restore all attributes of an estimator if the block fails."""
    # Callbacks run in reverse order: all attributes are removed, new ones included, before the
    # old ones return. The inner dict copies them at entry; success drops the callbacks.
    with contextlib.ExitStack() as undo:
        undo.callback(vars(estimator).update, dict(vars(estimator)))
        undo.callback(vars(estimator).clear)
        yield
        undo.pop_all()


def drop_rows_without_weight(X, y, sample_weight):
    """Check the weights of rows, and leave out the rows whose weight is zero.

    Parameters
    ----------
    X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
    y : array-like of shape (n_rows,)
    sample_weight : array-like of shape (n_rows,) or None

    Returns
    -------
    X, y : containers like the input
    weights : float64 ndarray of shape (n_rows,) or None
        Positive weights with a mean of 1. None if all of them are equal.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, if all are zero, or if there is another number of
        them than of rows.
    """
    if sample_weight is None:
        return X, y, None
    weights = _finite_weights(X, y, sample_weight)
    is_positive = weights > 0
    if not is_positive.any():
        raise ValueError("sample_weight is zero for all rows; at least one must be positive.")
    if not is_positive.all():
        idx = np.flatnonzero(is_positive)
        X, y, weights = _safe_indexing(X, idx), _safe_indexing(y, idx), weights[idx]
    # The scale of weights is arbitrary: doubling all of them must not double the learning rate.
    # A power of two, which is exact, keeps the sum of large ones finite.
    weights = np.ldexp(weights, -np.frexp(weights.max())[1])
    weights = weights / weights.mean()
    return X, y, None if np.ptp(weights) == 0 else weights


def _finite_weights(X, y, sample_weight):
    """Return the weights of rows as float64, or raise a ValueError that names them."""
    refuse_masked(sample_weight, "sample_weight", "Replace them, for example by .filled(0).")
    refuse_kind(sample_weight, "sample_weight")
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"sample_weight cannot be converted to numbers ({error}). Pass one nonnegative number "
            "for each row."
        ) from error
    if weights.ndim == 0:
        raise ValueError(
            f"sample_weight is {sample_weight!r:.200}; pass one nonnegative number for each row."
        )
    check_consistent_length(X, y, weights)
    return _check_sample_weight(
        weights, np.empty((len(weights), 1)), dtype=np.float64, ensure_non_negative=True
    )


def check_training_rows(estimator, X, y, schema):
    """Validate X and y, and read X.

    Parameters
    ----------
    estimator : BaseEstimator
        Estimator with the parameters ``categorical_features``, ``one_hot_groups``,
        ``special_values`` and ``handle_unknown``.
    X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
    y : array-like of shape (n_rows,)
    schema : Schema or None
        The schema that X must match. If None, it is learned from X.

    Returns
    -------
    rows : Rows
    y : ndarray of shape (n_rows,)

    Raises
    ------
    ValueError
        If a column is neither numeric nor categorical, a category is unknown and
        ``handle_unknown="error"``, or a number is infinite or too large for float32; or if a
        label is missing.
    TypeError
        If X is a DataFrame of a library that is not supported.
    """
    learn = schema is None
    like, X = X, _table(X, schema)
    y = check_labels(y)
    # The cells of a DataFrame may be text, which check_array would reject. Its names are
    # checked here, and y once the rows are numbers.
    if is_frame(X):
        validate_data(estimator, X, y, reset=learn, skip_check_array=True)
    else:
        with explaining_cells():
            checked, y = validate_data(estimator, X, y, reset=learn, **_CHECKS)
        X = _array(X, checked)
    if learn:
        schema = _learned_schema(estimator, X)
    else:
        # Unlike the kinds of the columns, this has no effect on the net, so that it may change.
        schema = replace(schema, handle_unknown=estimator.handle_unknown)
    rows = Rows.read(X, schema, like, warn=not learn)
    if learn:
        rows = replace(rows, schema=schema.with_states(rows.values))
        _warn_of_kinds(rows)
    if is_frame(X):
        _, y = check_X_y(rows.values, y, estimator=estimator, **_CHECKS)
    refuse_values(rows.values, schema.names, type(estimator).__name__)
    return rows, y


def _learned_schema(estimator, X):
    """Return the schema of the training rows, by the parameters of an estimator."""
    names = list(X.columns) if is_frame(X) else [f"x{i}" for i in range(X.shape[1])]
    features = estimator.categorical_features
    categorical = check_categorical(features, names, X)
    is_listed = np.zeros_like(categorical) if isinstance(features, str) else categorical
    dummies = check_groups(estimator.one_hot_groups, names, is_listed)
    # Dummies of dtype bool would otherwise be categories.
    categorical[[feature for group in dummies for feature in group]] = False
    settings = {"dummies": dummies, "handle_unknown": estimator.handle_unknown}
    if is_frame(X) and isinstance(features, str):
        for position in np.flatnonzero(categorical):
            # A date is rejected whatever it reads as.
            check_kind(names[position], X.iloc[:, position])
            check_words(names[position], X.iloc[:, position])
    schema = Schema.fit(X, names, categorical, **settings)
    special_values = check_special_values(estimator.special_values, schema)
    return replace(schema, special_values=special_values)


def _warn_of_kinds(rows):
    """Warn of numeric columns that probably hold categories: codes, and undeclared dummies."""
    schema, values = rows.schema, rows.values
    numbers = np.where(schema.is_state(values), np.nan, values)
    warn_of_codes([schema.names[f] for f in schema.numeric], numbers[:, schema.numeric])
    # In arrays, dummies mostly come from an encoder in an earlier step of a pipeline, which maps
    # counterfactuals back to its own categories.
    if schema.is_named:
        flags = [f for f, group in schema.categories.items() if group.values == (False, True)]
        columns = sorted({*schema.numeric, *flags})
        warn_of_dummies([schema.names[f] for f in columns], numbers[:, columns])


def check_X(estimator, X, *, warn=True):
    """Validate X for a fitted estimator, and read it.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
    X : DataFrame, array-like, sparse matrix, or single rows; see `as_table`
    warn : bool, default=True
        See `Schema.read`.

    Returns
    -------
    rows : Rows

    Raises
    ------
    ValueError, TypeError
        As in `check_training_rows`.
    """
    schema = estimator.encoder_.schema
    like = X
    if not _is_as_fitted(estimator, X):
        X = _table(X, schema)
        if is_frame(X):
            validate_data(estimator, X, reset=False, skip_check_array=True)
        else:
            with explaining_cells():
                checked = validate_data(estimator, X, reset=False, **_CHECKS)
            X = _array(X, checked)
    rows = Rows.read(X, schema, like, warn=warn)
    if not len(rows):
        check_array(rows.values, estimator=estimator, **_CHECKS)
    refuse_values(rows.values, schema.names, type(estimator).__name__)
    return rows


def _is_as_fitted(estimator, X):
    """Return whether X has the container and the columns of the fit, so that it passes all checks.

    The checks of scikit-learn would take most of the time of the prediction of a single row.
    """
    schema = estimator.encoder_.schema
    # A DataFrame of a subclass, or of dask, may behave in another way.
    if is_pandas(X):
        return schema.is_named and X.columns.tolist() == schema.names
    # scikit-learn warns of an array if the estimator knows names of columns.
    return (
        type(X) is np.ndarray
        and not schema.is_named
        and X.dtype.kind in "biuf"
        and X.shape[1:] == (len(schema.names),)
        and len(X) > 0
    )


def _table(X, schema):
    """Return X as a table whose columns can be those of a schema; None accepts all columns."""
    # The names x0, x1, ... of an array are not the user's: no single row can use them.
    X = as_table(X, schema.names if schema is not None and schema.is_named else None)
    if is_frame(X):
        check_columns(list(X.columns))
        # scikit-learn compares names only if all of them are strings, before and now.
        is_named = schema is not None and schema.is_named
        if is_named and not (_are_strings(schema.names) and _are_strings(X.columns)):
            check_same_columns(X, schema.names)
    return X


def _are_strings(names):
    return all(isinstance(name, str) for name in names)


def _array(X, checked):
    """Return a validated X as an ndarray, in its own dtype if that is numeric."""
    # The validated copy is float64, which would hide that a column holds integers.
    if sparse.issparse(X) or isinstance(X, np.ndarray):
        checked = X if X.dtype.kind in "biuf" else checked
    return densified(checked)


@contextlib.contextmanager
def naming_reference():
    """Prefix the text of a ValueError by the parameter X_reference."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"X_reference cannot be used: {error}") from error


def check_table(X, names=None, name="X"):
    """Return X as a DataFrame or an ndarray, with dtypes and values as they are.

    Parameters
    ----------
    X : DataFrame, array-like, sparse matrix, or single rows; see `as_table`
    names : list, default=None
        Names of the columns of a fitted model, which single rows must have.
    name : str, default="X"
        Name of X in error messages.

    Returns
    -------
    X : DataFrame or ndarray of shape (n_rows, n_features)

    Raises
    ------
    ValueError
        If X is not a table, or has no rows.
    TypeError
        If X is a DataFrame of a library that is not supported.
    """
    X = as_table(X, names, name)
    if not is_frame(X):
        checks = {"dtype": None, "ensure_all_finite": False, "accept_sparse": "csr"}
        with explaining_cells(name):
            return densified(check_array(X, input_name=name, **checks))
    if not len(X):
        raise ValueError(f"{name} has no rows (shape={X.shape}); at least one is needed.")
    return X


def refuse_values(values, names, caller, *, allow_nan=True):
    """Raise a ValueError, naming feature and row, if a number is infinite or too large.

    If `allow_nan` is false, a missing number is an error, too.
    """
    largest = np.finfo(np.float32).max
    # NaN fails both comparisons, so that one pass over complete rows is enough.
    if values.min() >= -largest and values.max() <= largest:
        return
    # NaN is not greater than `largest`, but infinity is: it must be reported before.
    for refused, problem, remedy in (
        (np.isnan(values) & (not allow_nan), "NaN", "impute it, for example by SimpleImputer"),
        (np.isinf(values), "infinity", "clip it or drop the row"),
        (np.abs(values) > largest, "a value too large for float32 (inf)", "rescale the feature"),
    ):
        if refused.any():
            row, column = np.argwhere(refused)[0]
            raise ValueError(
                f"Input X contains {problem} in feature {names[column]!r} (first in row {row}). "
                f"{caller} needs finite numbers: {remedy}."
            )
