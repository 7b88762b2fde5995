"""How strongly each feature contributes to the logits of a model."""

from numbers import Integral

import numpy as np
import torch
from sklearn.utils import gen_batches
from torch import nn

from ctsk._columns.labels import check_target
from ctsk._columns.validation import Interval, StrOptions, check_X, validate_params
from ctsk._explaining.models import Judge
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import (
    chunk_size,
    default_torch_modes,
    device_of,
    inference_copy,
    make_generator,
    make_rng,
)
from ctsk.metrics.inputs import check_classifier


@validate_params(
    {
        "baseline": [StrOptions({"mean", "uniform"}), "array-like"],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
@default_torch_modes()
def integrated_gradients(
    estimator, X, target=None, *, baseline="mean", n_steps=50, random_state=None
):
    r"""Attribute the logit of a class to the features of each row.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Fitted classifier.
    X : DataFrame or array-like of shape (n_rows, n_features)
        Rows in the estimator's input units.
    target : None, label or array-like of shape (n_rows,), default=None
        Class whose logit is attributed. If None, the class predicted for each row.
    baseline : {"mean", "uniform"} or array-like, default="mean"
        Start of the path to each row, in module units. "mean" is 0, which with
        ``standardize=True`` is the mean of each numeric feature (and no category);
        "uniform" draws each column from U(-1, 1), as in [2]_. An array has shape
        (n_columns,) or (n_rows, n_columns).
    n_steps : int, default=50
        Number of points of the Gauss-Legendre rule. It is not used where a closed
        form is known.
    random_state : int, RandomState or None, default=None
        Seed of the uniform baseline.

    Returns
    -------
    attributions : ndarray of shape (n_rows, n_features)
        The attributions of a row sum to the difference between the logits of the
        row and of its baseline. The attribution of a categorical feature is the
        sum over its one-hot columns.

    Raises
    ------
    TypeError
        If `estimator` is another model, such as a pipeline.
    ValueError
        If X or a parameter is invalid.

    See Also
    --------
    feature_sensitivity : Summarizes the attributions of each feature.

    Notes
    -----
    :math:`\mathrm{IG}_d(x) = (x_d - b_d) \int_0^1 \partial_d M_y(b + \alpha (x - b))
    \, d\alpha` [1]_. The result is exact for a linear model and for a network with one
    hidden layer of rectified linear units, because each unit is active on a known part
    of the path. All other modules are integrated by the Gauss-Legendre rule, as are
    those with hooks or an overridden ``forward``.

    References
    ----------
    .. [1] Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks",
       ICML 2017.
    .. [2] Altmeyer, Buszydlik, van Deursen and Liem, "Counterfactual training:
       teaching models plausible and actionable explanations", 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import integrated_gradients
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> attributions = integrated_gradients(clf, X, target=0)
    >>> logits, at_mean = clf.decision_function(X), clf.decision_function([X.mean(axis=0)])
    >>> bool(np.allclose(attributions.sum(axis=1), logits[:, 0] - at_mean[:, 0]))
    True
    """
    check_classifier(estimator)
    encoder, rows = estimator.encoder_, check_X(estimator, X)
    logits = Judge(estimator.net_.module_, encoder).logits(rows)
    labels = logits.argmax(axis=1)
    if target is not None:
        labels = check_target(target, estimator.classes_, logits)

    module = inference_copy(estimator.net_.module_, torch.float64)
    device = device_of(module)
    encoded = torch.as_tensor(encoder.encode_values(rows.values), device=device)
    labels = torch.as_tensor(labels, device=device)
    starts = _baselines(baseline, encoded, random_state)

    mean_gradients = _exact_gradients if _is_piecewise_linear(module) else _gauss_legendre_gradients
    # A row passes through the module once for each step.
    n_at_once = max(1, chunk_size(encoded.shape[1]) // n_steps)
    with one_thread_if_small(module, min(len(encoded), n_at_once) * n_steps):
        parts = [
            mean_gradients(module, starts[chunk], encoded[chunk], labels[chunk], n_steps)
            for chunk in gen_batches(len(encoded), n_at_once)
        ]

    # The completeness axiom holds by column; a sum over the one-hot columns of a feature
    # therefore preserves it.
    by_column = (torch.cat(parts) * (encoded - starts)).cpu().numpy()
    return np.column_stack(
        [by_column[:, columns].sum(axis=1) for columns in encoder.feature_columns]
    )


@validate_params(
    {
        "scale": [StrOptions({"share", "range"})],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def feature_sensitivity(estimator, X, target=None, *, scale="share", n_rounds=10, random_state=0):
    r"""Measure how sensitive the logits of a model are to each feature.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Fitted classifier.
    X : DataFrame or array-like of shape (n_rows, n_features)
        Rows in the estimator's input units.
    target : None, label or array-like of shape (n_rows,), default=None
        See `integrated_gradients`.
    scale : {"share", "range"}, default="share"
        "share" divides by the sum over the features; "range" rescales such that
        the smallest value is 0 and the largest is 1, as in Table II of [1]_.
    n_rounds : int, default=10
        Number of baselines that are drawn for each row.
    random_state : int, RandomState or None, default=0
        Seed of the baselines.

    Returns
    -------
    sensitivities : ndarray of shape (n_features,)
        Shares sum to 1; all are 0 if the model ignores every feature.

    Raises
    ------
    TypeError
        If `estimator` is another model, such as a pipeline.
    ValueError
        If X or a parameter is invalid.

    See Also
    --------
    integrated_gradients : The attributions of each row.

    Notes
    -----
    Let :math:`g` be the mean, over rows and rounds, of the integrated gradients from
    a baseline drawn from U(-1, 1). A share is :math:`|g_d| / \sum_j |g_j|`. The range
    is :math:`(g_d - \min g) / (\max g - \min g)`; if there are only two features, its
    numerator is :math:`|g_d|`. The range is signed: its 0 belongs to the most negative
    feature, not to one without influence.

    References
    ----------
    .. [1] Altmeyer, Buszydlik, van Deursen and Liem, "Counterfactual training:
       teaching models plausible and actionable explanations", 2025.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import feature_sensitivity
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> shares = feature_sensitivity(clf, X)
    >>> float(shares.sum().round(6))
    1.0
    """
    seeds = make_rng(random_state).integers(2**31, size=n_rounds)
    means = [
        integrated_gradients(estimator, X, target, baseline="uniform", random_state=int(seed))
        for seed in seeds
    ]
    # Signed values are averaged first: attributions of both signs cancel, as in the paper.
    mean = np.mean(means, axis=(0, 1))
    # Where nothing varies, the sum and the range are 0; dividing by 1 keeps zeros.
    if scale == "share":
        return np.abs(mean) / (np.abs(mean).sum() or 1)
    # Of two features, one would always be 0 and the other 1.
    height = np.abs(mean) if len(mean) == 2 else mean - mean.min()
    return height / (np.ptp(mean) or 1)


def _baselines(baseline, encoded, random_state):
    """Return the start of the path to each row, in module units."""
    if isinstance(baseline, str):
        if baseline == "mean":
            return torch.zeros_like(encoded)
        # On the CPU, so that every device receives the same numbers.
        generator = make_generator(random_state)
        draws = torch.rand(encoded.shape, dtype=encoded.dtype, generator=generator)
        return (2 * draws - 1).to(encoded.device)
    starts = np.asarray(baseline, dtype=np.float64)
    if starts.shape not in (encoded.shape, encoded.shape[1:]) or not np.isfinite(starts).all():
        raise ValueError(
            f"baseline has shape {starts.shape}; it must be an array of finite numbers of shape "
            f"{tuple(encoded.shape[1:])} or {tuple(encoded.shape)}, in module units."
        )
    return torch.as_tensor(starts, device=encoded.device).expand_as(encoded)


def _is_piecewise_linear(module):
    """Return whether a module is linear, or has one hidden layer of rectified linear units."""
    if not _computes_as(module, nn.Sequential) or len(module) not in (1, 3):
        return False
    # Two layers and more have no closed form: a unit's crossings depend on other units.
    kinds = [nn.Linear, nn.ReLU, nn.Linear][: len(module)]
    return all(map(_computes_as, module, kinds))


def _computes_as(layer, kind):
    """Return whether a layer is of a kind and no subclass or hook changes its output."""
    # A closed form ignores whatever is computed beside forward; parametrizations, which only
    # replace the weights, are allowed.
    return (
        isinstance(layer, kind)
        and type(layer).forward is kind.forward
        and type(layer).__call__ is nn.Module.__call__
        and "forward" not in vars(layer)
        and not layer._forward_hooks
        and not layer._forward_pre_hooks
    )


def _exact_gradients(module, starts, ends, labels, n_steps):
    """Return mean gradients along straight paths through a piecewise linear module."""
    out = module[-1].weight[labels]
    if len(module) == 1:
        return out
    before, after = module[0](starts), module[0](ends)
    # Share of the path at which a unit crosses zero; the division is only used
    # where the signs differ, so the denominator must merely not vanish elsewhere.
    crossing = before / torch.where(before == after, 1.0, before - after)
    # Share of the path on which the unit is active: the part beyond the crossing if it
    # ends active, the part before it if it starts active, and all or none otherwise.
    active = torch.where(after > 0, 1 - crossing, crossing)
    active = torch.where((before > 0) == (after > 0), (after > 0).to(active), active)
    return (out * active) @ module[0].weight


def _gauss_legendre_gradients(module, starts, ends, labels, n_steps):
    """Return mean gradients along straight paths, by the Gauss-Legendre rule."""
    points, weights = np.polynomial.legendre.leggauss(n_steps)
    # The rule is for [-1, 1]; the path runs from 0 to 1.
    shares = torch.as_tensor((points + 1) / 2, device=ends.device)[:, None, None]
    weights = torch.as_tensor(weights / 2, device=ends.device)
    # All points of all paths pass through the module in one batch, point by point: the
    # labels therefore repeat as a whole, and not each label by itself.
    path = (starts + shares * (ends - starts)).reshape(-1, ends.shape[1]).requires_grad_()
    with torch.enable_grad():
        logits = module(path).gather(1, labels.repeat(n_steps)[:, None])
    (gradients,) = torch.autograd.grad(logits.sum(), path)
    return torch.einsum("s,snd->nd", weights, gradients.reshape(n_steps, *ends.shape))
