"""Any torch module or fitted skorch classifier as something to explain."""

import copy

import numpy as np
import torch
from scipy.special import softmax
from sklearn.utils import gen_batches
from torch import nn

from ctsk._columns.constraints import Constraints
from ctsk._columns.containers import dtypes_of, is_frame
from ctsk._columns.encoder import Encoder
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema
from ctsk._columns.user_constraints import check_costs
from ctsk._columns.validation import check_table, naming_reference, refuse_values
from ctsk._explaining.models import ExplainableModel
from ctsk._torch.utils import CHUNK

# What a skorch criterion takes: whether the module returns probabilities.
_CRITERIA = {
    nn.CrossEntropyLoss: False,
    nn.BCEWithLogitsLoss: False,
    nn.NLLLoss: True,
    nn.BCELoss: True,
}


def is_known(model):
    """Whether a model is a torch module, or a fitted skorch classifier."""
    return isinstance(model, nn.Module) or _is_skorch(model)


def model_of(model, X_reference, **search):
    """Return a model that was trained elsewhere as an explainable model.

    Parameters
    ----------
    model : torch.nn.Module or fitted skorch classifier
        From rows of numbers to logits; with skorch, to what its criterion takes.
    X_reference : DataFrame or array-like of shape (n_reference, n_features)
        Observed rows, as the model takes them; they give domain and scales.
    **search : dict
        Generator, tau and T, unless told otherwise.

    Returns
    -------
    explainable : ExplainableModel
        Its module units are standard deviations of the reference rows.

    Raises
    ------
    ValueError
        If the reference rows are missing, not numeric or not what the model takes, or
        it does not return what it has to.
    """
    if X_reference is None:
        raise ValueError(
            f"X_reference is missing: a {type(model).__name__} knows nothing of the rows that it "
            "was trained on. Give some, such as the training rows, for domain and scales: "
            "explain(model, X, X_reference=X_train)."
        )
    X_reference = check_table(X_reference, name="X_reference")
    schema = _schema(X_reference)
    logits = _logits(model)

    def read(X):
        return _read(check_table(X, schema.names if schema.is_named else None), schema)

    def predict_proba(rows):
        chunks = gen_batches(len(rows), CHUNK)
        return np.concatenate([_judged(model, logits, rows.values[chunk]) for chunk in chunks])

    with naming_reference():
        rows = read(X_reference)
    if len(rows) < 2:
        raise ValueError(
            "X_reference has one row, which tells neither scales nor a domain; give many, such as "
            "the training rows."
        )
    encoder = Encoder.fit(rows, standardize=True)
    return ExplainableModel(
        module=nn.Sequential(_Unscaled(encoder).to(logits.tensor(0).device), logits),
        classes=_classes(model, logits, rows.values),
        read=read,
        predict_proba=predict_proba,
        encoder=encoder,
        constraints=Constraints.free(*encoder.domain, encoder.groups, is_inferred=True),
        feature_costs=check_costs(None, encoder),
        has_learned=False,
        **search,
    )


class _Unscaled(nn.Module):
    """From module units to the units that a model takes."""

    def __init__(self, encoder):
        super().__init__()
        self.register_buffer("center", torch.as_tensor(encoder.center))
        self.register_buffer("scale", torch.as_tensor(encoder.scale))

    def forward(self, rows):
        return rows * self.scale + self.center


class _Logits(nn.Module):
    """A module whose output is brought to one logit per class."""

    def __init__(self, module, are_probabilities):
        super().__init__()
        self.module = module
        self.are_probabilities = are_probabilities

    def tensor(self, values):
        """Values in the module's own precision, where it is."""
        weights = next(self.parameters(), torch.empty(0))
        return torch.as_tensor(values, dtype=weights.dtype, device=weights.device)

    def forward(self, rows):
        said = self.module(rows)
        said = said[0] if isinstance(said, tuple) else said
        said = said.reshape(len(rows), -1)
        is_single = said.shape[1] == 1
        if self.are_probabilities:
            said = torch.cat([1 - said, said], dim=1) if is_single else said
            return said.clamp(min=torch.finfo(said.dtype).tiny).log()
        return torch.cat([torch.zeros_like(said), said], dim=1) if is_single else said


def _is_skorch(model):
    return all(hasattr(model, name) for name in ("module_", "criterion_", "predict_proba"))


def _logits(model):
    """Return a copy of a model's module that answers with logits, in its own precision."""
    if not _is_skorch(model):
        return _frozen(_Logits(model, are_probabilities=False))
    kinds = [kind for kind in _CRITERIA if isinstance(model.criterion_, kind)]
    if not kinds:
        raise ValueError(
            f"The criterion of model is {type(model.criterion_).__name__}, which does not tell "
            f"what its module returns; known are {', '.join(kind.__name__ for kind in _CRITERIA)}. "
            "Explain a torch module that returns logits instead."
        )
    threshold = getattr(model, "threshold", 0.5)
    if threshold != 0.5:
        raise ValueError(
            f"model predicts at a threshold of {threshold}; only 0.5 is supported. Set it to 0.5 "
            "for explanations, and ask for more or less than that by tau."
        )
    return _frozen(_Logits(model.module_, _CRITERIA[kinds[0]]))


def _frozen(logits):
    return copy.deepcopy(logits).eval().requires_grad_(False)


def _judged(model, logits, values):
    """Probabilities of rows, as the model itself would have them."""
    rows = logits.tensor(values)
    if _is_skorch(model):
        return np.asarray(model.predict_proba(rows.cpu().numpy()), dtype=np.float64)
    with torch.no_grad():
        return softmax(logits(rows).double().cpu().numpy(), axis=1)


def _classes(model, logits, values):
    """Return the classes, as columns of the logits; a ValueError where these are none of rows.

    So does skorch predict them, whatever labels it may know.
    """
    rows = logits.tensor(values[:CHUNK]).requires_grad_()
    try:
        with torch.enable_grad():
            said = logits(rows)
            raw = logits.module(rows)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(
            f"model does not take the rows of X_reference, of shape {values.shape} ({error}). They "
            "are to be what it was trained on."
        ) from error
    raw = raw[0] if isinstance(raw, tuple) else raw
    if raw.ndim > 2:
        raise ValueError(
            f"model returns an array of shape {tuple(raw.shape)} for {len(rows)} rows; it has to "
            "return one logit per class (or one in all, of class 1 against 0)."
        )
    if not said.requires_grad:
        raise ValueError(
            "No gradient flows through model to its rows, so that nothing can be searched. Its "
            "forward may detach them, or run under torch.no_grad."
        )
    if _is_skorch(model):
        if not np.allclose(
            _judged(model, logits, values[:CHUNK]), said.softmax(1).detach().cpu(), atol=1e-3
        ):
            raise ValueError(
                "model.predict_proba is not what its criterion lets expect of its module; a "
                "predict_nonlinearity of its own cannot be searched. Leave it at 'auto'."
            )
    if not logits.are_probabilities and _look_like_probabilities(raw, _is_skorch(model)):
        raise ValueError(
            "model returns probabilities; explanations need its logits. Leave out the last "
            "softmax, sigmoid or its like, such as by model[:-1] of a Sequential. (Logits that "
            "only look so may be returned in two columns, zeros and they.)"
        )
    return np.arange(said.shape[1])


def _look_like_probabilities(raw, is_skorch):
    said = raw.reshape(len(raw), -1)
    is_share = bool(((said >= 0) & (said <= 1)).all())
    if said.shape[1] == 1:
        # By its criterion, skorch tells a logit from a share.
        return is_share and not is_skorch
    return is_share and bool(((said.sum(dim=1) - 1).abs() < 1e-4).all())


def _schema(X):
    """Names and kinds of the columns of reference rows, all numbers."""
    names = list(getattr(X, "columns", [f"x{i}" for i in range(X.shape[1])]))
    dtypes = dtypes_of(X) if is_frame(X) else [X.dtype] * len(names)
    for name, dtype in zip(names, dtypes, strict=True):
        if dtype.kind not in "biuf":
            raise ValueError(
                f"Column {name!r} of X_reference has dtype {dtype}, but a torch module takes "
                "numbers. Encode categories by a step before a skorch classifier, and explain the "
                "pipeline of both."
            )
    return Schema.fit(X, names, np.zeros(len(names), dtype=bool))


def _read(X, schema):
    """Read rows; a ValueError unless they have the columns of the reference rows."""
    names = list(getattr(X, "columns", schema.names))
    if names != schema.names or X.shape[1] != len(names):
        raise ValueError(
            f"X has the columns {names if hasattr(X, 'columns') else X.shape[1]}; X_reference has "
            f"{schema.names}. Give the same, in the same order, both as DataFrames or both as "
            "arrays."
        )
    rows = Rows.read(X, schema)
    refuse_values(rows.values, schema.names, "explain")
    return rows
