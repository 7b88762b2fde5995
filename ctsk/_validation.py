"""Checks of what users hand in; errors that name the parameter, the feature, the remedy."""

import contextlib
import difflib
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils.validation import validate_data

from ctsk._constraints import Constraints
from ctsk._feature_space import is_frame, numpy_dtype
from ctsk._modules import inference_copy

_EXAMPLES = {"mutability": "'none'", "domain": "(0, None)"}
# Whether a feature may rise, and whether it may fall.
_MUTABILITY = {
    "both": (True, True),
    "increase": (True, False),
    "decrease": (False, True),
    "none": (False, False),
}


@contextlib.contextmanager
def undo_on_failure(estimator):
    """Take back whatever was set on an estimator if the block fails."""
    with contextlib.ExitStack() as undo:
        undo.callback(vars(estimator).update, dict(vars(estimator)))
        undo.callback(vars(estimator).clear)
        yield
        undo.pop_all()


def check_X(estimator, X, y="no_validation", *, reset):
    """Validate X (and y) for an estimator whose features are numeric.

    Parameters
    ----------
    estimator : BaseEstimator
    X : array-like of shape (n_rows, n_features)
    y : array-like of shape (n_rows,), default="no_validation"
    reset : bool
        Whether X defines the features (fit) or has to match them.

    Returns
    -------
    X : ndarray of shape (n_rows, n_features)
        float64; with `y` where that was given.

    Raises
    ------
    ValueError
        If a column is not numeric, or a value is missing, infinite, or too large
        for float32.
    """
    if is_frame(X):
        _refuse_categories(X)
    checked = validate_data(estimator, X, y, reset=reset, dtype=np.float64, ensure_all_finite=False)
    values = checked if isinstance(y, str) else checked[0]
    _refuse_values(values, feature_names(X, values.shape[1]), type(estimator).__name__)
    return checked


def _refuse_categories(X):
    for name, dtype in zip(X.columns, X.dtypes, strict=True):
        if numpy_dtype(dtype).kind not in "biuf":
            raise ValueError(
                f"Column {name!r} of X has dtype {dtype}; only numeric columns are supported. If "
                "it holds numbers, convert it, for example by pandas.to_numeric; if categories, "
                "encode it, for example by OneHotEncoder or OrdinalEncoder in a ColumnTransformer."
            )


def _refuse_values(values, names, caller):
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


def feature_names(X, n_features):
    """Names of the features: those of X's columns, or x0, x1, ... where X has none."""
    return list(X.columns) if is_frame(X) else [f"x{i}" for i in range(n_features)]


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


def check_constraints(mutability, domain, names, default, inferred):
    """Read `mutability` and `domain` as the user writes them.

    Parameters
    ----------
    mutability : dict, array-like of shape (n_features,) or None
    domain : "auto", dict, array-like of shape (n_features,) or None
    names : list of str
        Of the features.
    default : Constraints
        Of the features that are not named, in X's units.
    inferred : tuple of two ndarrays of shape (n_features,)
        The bounds that "auto" stands for.

    Returns
    -------
    constraints : Constraints
        In X's units.

    Raises
    ------
    ValueError
        If a feature is unknown, a word is no mutability, or a domain is empty.
    """
    low, high = np.array(default.low), np.array(default.high)
    may_rise, may_fall = np.array(default.may_rise), np.array(default.may_fall)
    for feature, word in _by_feature(mutability, names, "mutability").items():
        if not isinstance(word, str) or word not in _MUTABILITY:
            raise ValueError(
                f"mutability of feature {names[feature]!r} is {word!r}; it must be one of "
                f"{list(_MUTABILITY)}."
            )
        may_rise[feature], may_fall[feature] = _MUTABILITY[word]
    if isinstance(domain, str) and domain == "auto":
        domain = ["auto"] * len(names)
    for feature, bounds in _by_feature(domain, names, "domain").items():
        if isinstance(bounds, str) and bounds == "auto":
            low[feature], high[feature] = inferred[0][feature], inferred[1][feature]
        else:
            low[feature], high[feature] = _bounds(bounds, names[feature])
    return Constraints(low=low, high=high, may_rise=may_rise, may_fall=may_fall)


def check_layers(hidden_layer_sizes):
    """Return the sizes of the hidden layers as a list of int."""
    sizes = np.atleast_1d(np.asarray(hidden_layer_sizes, dtype=object)).tolist()
    if not all(isinstance(size, Integral) and size >= 1 for size in sizes):
        raise ValueError(
            f"hidden_layer_sizes={hidden_layer_sizes!r} must hold positive integers; () is a "
            "linear model."
        )
    return [int(size) for size in sizes]


def build_module(build, rows, n_classes):
    """Build a user's module; a ValueError where it does not map rows to logits."""
    if isinstance(build, torch.nn.Module):
        raise ValueError(
            "module is a network that was built already; it must be a callable that builds one: "
            "module=lambda n_features, n_classes: torch.nn.Sequential(...)."
        )
    module = build(rows.shape[1], n_classes)
    if not isinstance(module, torch.nn.Module):
        raise ValueError(
            f"module must return a torch.nn.Module; it returned {type(module).__name__}."
        )
    logits = inference_copy(module, torch.float64)(torch.as_tensor(rows, dtype=torch.float64))
    if not isinstance(logits, torch.Tensor) or logits.shape != (len(rows), n_classes):
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise ValueError(
            f"module built a network that maps {tuple(rows.shape)} to {shape}; it must return "
            f"logits of shape {(len(rows), n_classes)}, one per class."
        )
    return module


def _by_feature(spec, names, parameter):
    """Return what `spec` says, by position of the feature."""
    if spec is None:
        return {}
    if isinstance(spec, dict):
        by_position = {_position(key, names, parameter): value for key, value in spec.items()}
        if len(by_position) < len(spec):
            raise ValueError(f"{parameter} names a feature twice: {list(spec)}.")
        return by_position
    if not _is_sequence(spec, len(names)):
        raise ValueError(
            f"{parameter} must be a dict by feature, such as "
            f"{{{names[0]!r}: {_EXAMPLES[parameter]}}}, or a sequence with "
            f"one entry for each of the {len(names)} features; got {spec!r}."
        )
    return dict(enumerate(spec))


def _is_sequence(values, length):
    return not isinstance(values, str) and hasattr(values, "__len__") and len(values) == length


def _position(key, names, parameter):
    if key in names:
        return names.index(key)
    # Among columns that are named by numbers, a number is a name.
    if isinstance(key, Integral) and 0 <= key < len(names) and isinstance(names[0], str):
        return int(key)
    by_lower_case = {str(name).lower(): name for name in names}
    close = difflib.get_close_matches(str(key).lower(), by_lower_case, n=1)
    hint = f" Did you mean {by_lower_case[close[0]]!r}?" if close else ""
    listed = f"{', '.join(map(repr, names[:10]))}{', ...' if len(names) > 10 else ''}"
    index = f" or an index from 0 to {len(names) - 1}" if isinstance(names[0], str) else ""
    raise ValueError(
        f"{parameter} names the feature {key!r}, which X does not have.{hint} Use a column name "
        f"({listed}){index}."
    )


def _bounds(bounds, name):
    if bounds is None:
        return -np.inf, np.inf
    if not _is_sequence(bounds, 2) or not all(
        bound is None or isinstance(bound, Real) for bound in bounds
    ):
        raise ValueError(
            f"domain of feature {name!r} is {bounds!r}; it must be a pair (low, high) of numbers, "
            "None for an open side, or 'auto'."
        )
    low = -np.inf if bounds[0] is None else float(bounds[0])
    high = np.inf if bounds[1] is None else float(bounds[1])
    if not low <= high:
        raise ValueError(
            f"domain of feature {name!r} is ({low}, {high}); low must not be greater than high, "
            "and an open side is None."
        )
    return low, high


def check_device(device):
    """Return a torch device that works here; a ValueError says so if it does not."""
    try:
        return torch.empty(0, dtype=torch.float64, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(
            f"device={device!r} cannot be used ({error}). Use 'cpu', or a device that this build "
            "of torch supports and that knows float64."
        ) from error
