"""How much a model's logits owe to each feature."""

from numbers import Integral

import numpy as np
import torch
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ctsk._columns.validation import check_target, check_X
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import default_torch_modes, inference_copy, make_generator, make_rng

# Rows times steps that pass through the module at once.
_CHUNK = 2**16


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
        Fitted.
    X : DataFrame or array-like of shape (n_rows, n_features)
        In the estimator's input units.
    target : None, label or array-like of shape (n_rows,), default=None
        The class whose logit is attributed; None is each row's prediction.
    baseline : {"mean", "uniform"} or array-like, default="mean"
        Where the path to each row starts, in module units: "mean" is at 0, which
        under ``standardize=True`` is the mean of all numbers (and no category);
        "uniform" draws each column from U(-1, 1), as in [2]_; an array of shape
        (n_columns,) or (n_rows, n_columns) says it.
    n_steps : int, default=50
        Points of the Gauss-Legendre rule, where no closed form is known.
    random_state : int, RandomState or None, default=None
        Of the uniform baseline.

    Returns
    -------
    attributions : ndarray of shape (n_rows, n_features)
        They sum to the difference of the logits of row and baseline. A category's
        is the sum over its columns.

    Raises
    ------
    ValueError
        If X, `target` or `baseline` is not what it has to be.

    Notes
    -----
    :math:`\mathrm{IG}_d(x) = (x_d - b_d) \int_0^1 \partial_d M_y(b + \alpha (x - b))
    \, d\alpha` [1]_. For a linear model, and for one hidden layer of rectified linear
    units, it is exact: each unit is active on a known part of the path.

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
    check_is_fitted(estimator)
    values = check_X(estimator, X).values
    encoder = estimator.encoder_
    module = inference_copy(estimator.net_.module_, torch.float64)
    device = next(module.parameters()).device
    rows = torch.as_tensor(encoder.encode_values(values), device=device)
    scores = module(rows).cpu().numpy()
    labels = scores.argmax(axis=1)
    if target is not None:
        labels = check_target(target, estimator.classes_, scores)
    starts = _starts(baseline, rows, random_state)
    slopes = _exact_slopes if _is_piecewise_linear(module) else _mean_slopes
    labels = torch.as_tensor(labels, device=device)
    n_at_once = max(1, _CHUNK // n_steps)
    with one_thread_if_small(module, min(len(rows), n_at_once) * n_steps):
        parts = [
            slopes(module, starts[chunk], rows[chunk], labels[chunk], n_steps)
            for chunk in gen_batches(len(rows), n_at_once)
        ]
    by_column = (torch.cat(parts) * (rows - starts)).cpu().numpy()
    return np.column_stack(
        [by_column[:, columns].sum(axis=1) for columns in encoder.feature_slices]
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
    r"""Tell what a model's logits owe to each feature, relative to the others.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Fitted.
    X : DataFrame or array-like of shape (n_rows, n_features)
    target : None, label or array-like of shape (n_rows,), default=None
        See `integrated_gradients`.
    scale : {"share", "range"}, default="share"
        "share" is the share in the sum over features, "range" the place between
        the least and the greatest, as in Table II of [1]_.
    n_rounds : int, default=10
        Draws of the baseline.
    random_state : int, RandomState or None, default=0
        Of the baselines.

    Returns
    -------
    sensitivities : ndarray of shape (n_features,)
        Shares sum to 1; all are 0 for a model that looks at no feature.

    Notes
    -----
    With the mean :math:`g` over rows and rounds of the integrated gradients from a
    baseline drawn from U(-1, 1): :math:`|g_d| / \sum_j |g_j|`, or
    :math:`(g_d - \min g) / (\max g - \min g)`, for which two features take
    :math:`|g_d|` as the numerator. The latter is signed: its 0 is the most negative
    feature, not one without influence.

    References
    ----------
    .. [1] Altmeyer, Buszydlik, van Deursen and Liem, "Counterfactual training:
       teaching models plausible and actionable explanations", 2025.
    """
    seeds = make_rng(random_state).integers(2**31, size=n_rounds)
    means = [
        integrated_gradients(estimator, X, target, baseline="uniform", random_state=int(seed))
        for seed in seeds
    ]
    mean = np.mean(means, axis=(0, 1))
    if scale == "share":
        return np.abs(mean) / (np.abs(mean).sum() or 1)
    height = np.abs(mean) if len(mean) == 2 else mean - mean.min()
    return height / (np.ptp(mean) or 1)


def _starts(baseline, rows, random_state):
    if isinstance(baseline, str):
        if baseline == "mean":
            return torch.zeros_like(rows)
        generator = make_generator(random_state)
        draws = torch.rand(rows.shape, dtype=rows.dtype, generator=generator)
        return (2 * draws - 1).to(rows.device)
    starts = np.asarray(baseline, dtype=np.float64)
    if starts.shape not in (rows.shape, rows.shape[1:]):
        raise ValueError(
            f"baseline has shape {starts.shape}; it must be {tuple(rows.shape[1:])} or "
            f"{tuple(rows.shape)}, in module units."
        )
    return torch.as_tensor(starts, device=rows.device).expand_as(rows)


def _is_piecewise_linear(module):
    """Whether a module is linear, or has one hidden layer of rectified linear units."""
    kinds = [type(layer) for layer in module] if isinstance(module, nn.Sequential) else []
    return len(kinds) in (1, 3) and all(
        issubclass(kind, nn.ReLU if depth == 1 else nn.Linear) for depth, kind in enumerate(kinds)
    )


def _exact_slopes(module, starts, ends, labels, n_steps):
    """Mean gradients along straight paths, by the part on which each unit is active."""
    out = module[-1].weight[labels]
    if len(module) == 1:
        return out
    before, after = module[0](starts), module[0](ends)
    crossing = before / torch.where(before == after, 1.0, before - after)
    active = torch.where(after > 0, 1 - crossing, crossing)
    active = torch.where((before > 0) == (after > 0), (after > 0).to(active), active)
    return (out * active) @ module[0].weight


def _mean_slopes(module, starts, ends, labels, n_steps):
    """Mean gradients along straight paths, by the Gauss-Legendre rule."""
    points, weights = np.polynomial.legendre.leggauss(n_steps)
    shares = torch.as_tensor((points + 1) / 2, device=ends.device)[:, None, None]
    path = (starts + shares * (ends - starts)).reshape(-1, ends.shape[1]).requires_grad_()
    with torch.enable_grad():
        logits = module(path).gather(1, labels.repeat(n_steps)[:, None])
    (gradients,) = torch.autograd.grad(logits.sum(), path)
    gradients = gradients.reshape(n_steps, *ends.shape)
    return torch.einsum("s,snd->nd", torch.as_tensor(weights / 2, device=ends.device), gradients)
