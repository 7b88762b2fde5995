"""Torch modules and fitted skorch classifiers as explainable models."""

import copy

import numpy as np
import torch
from scipy.special import softmax
from sklearn.utils import gen_batches
from torch import nn

from ctsk._columns.code_columns import warn_of_dummies
from ctsk._columns.constraints import Constraints
from ctsk._columns.containers import dtypes_of, is_frame, listed
from ctsk._columns.encoder import Encoder
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema
from ctsk._columns.user_columns import check_groups
from ctsk._columns.user_constraints import check_costs
from ctsk._columns.validation import check_table, naming_reference, refuse_values
from ctsk._explaining.models import ExplainableModel
from ctsk._torch.utils import chunk_size
from ctsk._training.module import check_function_of_rows

# Whether the module of a skorch net returns probabilities rather than logits, by the criterion
# of the net. Other criteria do not imply either.
_CRITERIA = {
    nn.CrossEntropyLoss: False,
    nn.BCEWithLogitsLoss: False,
    nn.NLLLoss: True,
    nn.BCELoss: True,
}


def is_known(model):
    """Return whether a model is a torch module or a fitted skorch classifier."""
    return isinstance(model, nn.Module) or _is_skorch(model)


def model_of(model, X_reference, one_hot_groups=None, **search):
    """Return a model that was trained elsewhere as an explainable model.

    Parameters
    ----------
    model : torch.nn.Module or fitted skorch classifier
        A model of numeric rows. A torch module returns logits; the module of a skorch
        classifier returns the input of its criterion.
    X_reference : DataFrame or array-like of shape (n_reference, n_features)
        Observed rows, as they enter the model, which determine domain and scales.
    one_hot_groups : dict, list or None, default=None
        Columns that are the one-hot columns of a category; see `check_groups`.
    **search : dict
        Defaults of the search: generator and tau.

    Returns
    -------
    explainable : ExplainableModel
        Its module units are standard deviations of the reference rows.

    Raises
    ------
    ValueError
        If the reference rows are missing, are not numeric or do not fit the model, or
        if the model does not return logits.
    """
    if X_reference is None:
        raise ValueError(
            f"X_reference is missing: a {type(model).__name__} does not know the rows that it was "
            "trained on. Pass observed rows, such as the training rows, which determine domain "
            "and scales: explain(model, X, X_reference=X_train)."
        )
    X_reference = check_table(X_reference, name="X_reference")
    schema = _schema(X_reference, one_hot_groups)
    logits = _logits(model)

    # X is read by the schema of the reference rows. Rows are judged by the model itself, and
    # searched by a copy of its module.

    # A gap is rejected and there are no categories, so that there is nothing to warn of.
    def read(X, *, warn=True):
        table = check_table(X, schema.names if schema.is_named else None)
        return _read(table, schema, like=X)

    def predict_proba(rows):
        chunks = gen_batches(len(rows), chunk_size(len(schema.names)))
        return np.concatenate([_judged(model, logits, rows.values[chunk]) for chunk in chunks])

    with naming_reference():
        rows = read(X_reference)
    if schema.is_named:
        columns = schema.numeric
        warn_of_dummies([schema.names[f] for f in columns], rows.values[:, columns])
    if len(rows) < 2:
        raise ValueError(
            "X_reference has one row, which determines neither scales nor a domain. Pass many "
            "rows, such as the training rows."
        )
    # The search runs in standard deviations, although the model takes the user's units: the
    # step size and the weights of a generator are made for that scale.
    encoder = Encoder.fit(rows, standardize=True)
    return ExplainableModel(
        module=nn.Sequential(Unscaled(encoder).to(logits.tensor(0).device), logits),
        classes=_classes(model, logits, rows.values),
        read=read,
        predict_proba=predict_proba,
        encoder=encoder,
        constraints=Constraints.free(
            *encoder.domain, encoder.groups, fill=encoder.fill, is_inferred=True
        ),
        feature_costs=check_costs(None, encoder),
        learned=(),
        precision=torch.finfo(logits.tensor(0).dtype).eps,
        **search,
    )


class Unscaled(nn.Module):
    """Maps rows from module units to the units and the order of the model's input."""

    def __init__(self, encoder):
        super().__init__()
        # Declared one-hot columns come last in module rows, wherever they are in X. Every
        # feature has one column, because the model takes no gaps.
        columns = [columns[0] for columns in encoder.feature_columns]
        self.register_buffer("columns", torch.as_tensor(columns))
        self.register_buffer("center", torch.as_tensor(encoder.center))
        self.register_buffer("scale", torch.as_tensor(encoder.scale))

    def forward(self, rows):
        return (rows * self.scale + self.center)[:, self.columns]


class Logits(nn.Module):
    """A module whose output is converted to one logit per class."""

    def __init__(self, module, are_probabilities):
        super().__init__()
        self.module = module
        self.are_probabilities = are_probabilities

    def tensor(self, values):
        """Return values as a tensor in the precision and on the device of the module."""
        # A module may have no parameters; the empty tensor is float32 on the CPU.
        weights = next(self.parameters(), torch.empty(0))
        return torch.as_tensor(values, dtype=weights.dtype, device=weights.device)

    def forward(self, rows):
        output = self.module(rows)
        # The module of a skorch net may return a tuple, of which predictions use the first item.
        output = output[0] if isinstance(output, tuple) else output
        # A module with a single logit may return an array of one dimension.
        output = output.reshape(len(rows), -1)
        is_single = output.shape[1] == 1
        if self.are_probabilities:
            output = torch.cat([1 - output, output], dim=1) if is_single else output
            # Probabilities may be exactly 0, whose logarithm and gradient are not finite.
            return output.clamp(min=torch.finfo(output.dtype).tiny).log()
        # A single logit is that of class 1 against 0, whose own logit is 0.
        return torch.cat([torch.zeros_like(output), output], dim=1) if is_single else output


def _is_skorch(model):
    return all(hasattr(model, name) for name in ("module_", "criterion_", "predict_proba"))


def _logits(model):
    """Return a copy of a model's module that returns logits, in its own precision."""
    if not _is_skorch(model):
        return _frozen(Logits(model, are_probabilities=False))
    kinds = [kind for kind in _CRITERIA if isinstance(model.criterion_, kind)]
    if not kinds:
        raise ValueError(
            f"The criterion of model is {type(model.criterion_).__name__}, which does not imply "
            f"what its module returns; {', '.join(kind.__name__ for kind in _CRITERIA)} do. "
            "Explain a torch module that returns logits instead."
        )
    threshold = getattr(model, "threshold", 0.5)
    if threshold != 0.5:
        raise ValueError(
            f"model predicts at a threshold of {threshold}; only 0.5 is supported. Set it to 0.5 "
            "for explanations, and require a higher or lower probability by tau."
        )
    return _frozen(Logits(model.module_, _CRITERIA[kinds[0]]))


def _frozen(logits):
    # A copy, because the user's module must keep its mode and the gradients of its weights.
    return copy.deepcopy(logits).eval().requires_grad_(False)


def _judged(model, logits, values):
    """Return the probabilities of rows, as the model itself computes them."""
    # skorch moves rows to the device of the net by itself. The softmax is computed in float64,
    # so that probabilities near 1 keep their digits.
    rows = logits.tensor(values)
    if _is_skorch(model):
        return np.asarray(model.predict_proba(rows.cpu().numpy()), dtype=np.float64)
    with torch.no_grad():
        return softmax(logits(rows).double().cpu().numpy(), axis=1)


def _classes(model, logits, values):
    """Return the classes 0..K-1, or raise a ValueError if the model does not return logits.

    The predict method of skorch returns these numbers, too, whatever labels y had.
    """
    # Both outputs are needed: the converted one for gradients and classes, the raw one for its
    # shape and values. One chunk of rows is enough for either.
    values = values[: chunk_size(values.shape[1])]
    encoded = logits.tensor(values).requires_grad_()
    try:
        with torch.enable_grad():
            output = logits(encoded)
            raw = logits.module(encoded)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(
            f"model does not accept the rows of X_reference, of shape {values.shape} ({error}). "
            "Pass rows like those that it was trained on."
        ) from error
    raw = raw[0] if isinstance(raw, tuple) else raw
    if raw.ndim > 2:
        raise ValueError(
            f"model returns an array of shape {tuple(raw.shape)} for {len(encoded)} rows; it must "
            "return one logit per class (or a single one, of class 1 against 0)."
        )
    if not output.requires_grad:
        raise ValueError(
            "No gradient flows through model to its rows, so that no search is possible. Its "
            "forward may detach them, or run under torch.no_grad."
        )
    with torch.no_grad():
        check_function_of_rows(logits, encoded.detach(), output.detach(), "model")
    if _is_skorch(model):
        _check_nonlinearity(model, logits, values, output)
    if not logits.are_probabilities and _look_like_probabilities(raw, _is_skorch(model)):
        raise ValueError(
            "model returns probabilities; explanations need its logits. Leave out the last "
            "softmax or sigmoid, for example by model[:-1] of a Sequential. (If these are logits "
            "that happen to lie in [0, 1], return two columns, zeros and the logits.)"
        )
    return np.arange(output.shape[1])


def _check_nonlinearity(model, logits, values, output):
    """Raise a ValueError if skorch's probabilities are not the softmax of the logits."""
    # The tolerance allows for float32 and the clamp of probabilities, but for no other function.
    expected = output.softmax(dim=1).detach().cpu()
    if not np.allclose(_judged(model, logits, values), expected, atol=1e-3):
        raise ValueError(
            "model.predict_proba differs from what its criterion implies for its module; a "
            "predict_nonlinearity of its own is not supported. Leave it at 'auto'."
        )


def _look_like_probabilities(raw, is_skorch):
    """Return whether the output of a module looks like probabilities rather than logits."""
    output = raw.reshape(len(raw), -1)
    is_share = bool(((output >= 0) & (output <= 1)).all())
    if output.shape[1] == 1:
        # The criterion of a skorch net distinguishes a single logit from a probability.
        return is_share and not is_skorch
    # The tolerance covers the rounding of float32 over many classes.
    return is_share and bool(((output.sum(dim=1) - 1).abs() < 1e-4).all())


def _schema(X, one_hot_groups):
    """Return the schema of reference rows, or raise a ValueError if a column is not numeric."""
    names = list(getattr(X, "columns", [f"x{i}" for i in range(X.shape[1])]))
    dtypes = dtypes_of(X) if is_frame(X) else [X.dtype] * len(names)
    for name, dtype in zip(names, dtypes, strict=True):
        if dtype.kind not in "biuf":
            raise ValueError(
                f"Column {name!r} of X_reference has dtype {dtype}, but a torch module takes "
                "numbers only. Encode categories in a step before a skorch classifier, and "
                "explain the pipeline of both."
            )
    categorical = np.zeros(len(names), dtype=bool)
    dummies = check_groups(one_hot_groups, names, categorical)
    return Schema.fit(X, names, categorical, dummies=dummies)


def _read(X, schema, like):
    """Read rows, or raise a ValueError if their columns differ from the reference rows'."""
    # An array has no names to compare, only a number of columns.
    names = list(getattr(X, "columns", schema.names))
    if names != schema.names or X.shape[1] != len(names):
        columns = f"{X.shape[1]} columns" + (f" ({listed(names)})" if is_frame(X) else "")
        raise ValueError(
            f"X has {columns}; X_reference has {len(schema.names)} ({listed(schema.names)}). Pass "
            "the same columns in the same order, both as DataFrames or both as arrays."
        )
    rows = Rows.read(X, schema, like, warn=False)
    refuse_values(rows.values, schema.names, "explain", allow_nan=False)
    return rows
