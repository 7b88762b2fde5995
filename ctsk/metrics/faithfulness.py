"""How much counterfactuals look like what the model itself holds for typical."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from ctsk._columns.validation import check_X, encode_labels
from ctsk._torch.energy import energy
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import default_torch_modes, inference_copy, make_generator
from ctsk.metrics.plausibility import implausibility

# Module units at which an open domain ends.
_OPEN = 3.0


@default_torch_modes()
def energy_gap(estimator, explanation, X, y):
    r"""Energy of each counterfactual, relative to observed rows of its target class.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Fitted; the one that explained.
    explanation : Explanation
        By ``estimator.explain``.
    X : DataFrame or array-like of shape (n_rows, n_features)
        Observed rows, in the estimator's input units.
    y : array-like of shape (n_rows,)

    Returns
    -------
    gaps : ndarray of shape (n_explained,)
        Negative where the model finds the counterfactual more typical of the
        class than observed rows are on average; NaN where there are none.

    Notes
    -----
    :math:`E(x', y^+) - \frac{1}{|X^+|} \sum_{x \in X^+} E(x, y^+)` with
    :math:`E(x, k) = -M(x)_k`, in float64.
    """
    module = _module(estimator)
    labels = encode_labels(np.asarray(y), estimator.classes_, "y", "Leave out its rows.")
    observed = estimator.encoder_.encode_values(check_X(estimator, X).values)
    targets = np.searchsorted(estimator.classes_, explanation.target)
    found = _energies(module, explanation.counterfactual_encoded, targets)
    observed = _energies(module, observed, labels)
    means = [
        observed[labels == k].mean() if (labels == k).any() else np.nan
        for k in range(len(estimator.classes_))
    ]
    return found - np.array(means)[targets]


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
@default_torch_modes()
def unfaithfulness(
    estimator, explanation, *, n_samples=100, n_steps=300, step_size=0.05, random_state=0
):
    r"""Distance of each counterfactual to what the model itself generates as its class.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Fitted; the one that explained.
    explanation : Explanation
        By ``estimator.explain``.
    n_samples : int, default=100
        Drawn from the model's conditional distribution of each target class.
    n_steps : int, default=300
        Of Langevin dynamics.
    step_size : float, default=0.05
        In squared module units.
    random_state : int, RandomState or None, default=0

    Returns
    -------
    distances : ndarray of shape (n_explained,)
        Mean l1 distance in module units, in which a change of category counts 1.
        The lower, the more faithful to the model.

    Notes
    -----
    Samples follow :math:`x_{t+1} = x_t - \frac{\epsilon}{2} \nabla E(x_t, y^+)
    + \sqrt{\epsilon} \, r_t` with :math:`r_t \sim N(0, 1)`, from uniform starts
    and kept within the fitted domain: :math:`p(x \mid y^+) \propto \exp(-E(x, y^+))`
    there [1]_. Open ends of the domain are three module units from the centre (or
    from the other end, if that is beyond it), so that the distribution is proper.
    Categories walk on their simplex and are
    hardened at the end.

    References
    ----------
    .. [1] Altmeyer, Farmanbar, van Deursen and Liem, "Faithful model
       explanations through energy-constrained conformal counterfactuals",
       AAAI 2024.
    """
    module, encoder = _module(estimator), estimator.encoder_
    generator = make_generator(random_state)
    found, distances = explanation.counterfactual_encoded, np.empty(len(explanation))
    for k, label in enumerate(estimator.classes_):
        of_label = explanation.target == label
        if of_label.any():
            with one_thread_if_small(module, n_samples):
                samples = _sample(
                    module, encoder, estimator.constraints_, k, n_samples, n_steps, step_size,
                    generator,
                )  # fmt: skip
            distances[of_label] = implausibility(
                found[of_label], samples, weights=encoder.column_weights
            )
    return distances


def _sample(module, encoder, constraints, k, n_samples, n_steps, step_size, generator):
    """Draw rows of one class by Langevin dynamics."""
    device = next(module.parameters()).device

    def draw(function):
        shape = n_samples, encoder.groups.n_columns
        return function(shape, dtype=torch.float64, generator=generator).to(device)

    low, high = encoder.to_module_units(constraints.low), encoder.to_module_units(constraints.high)
    is_open_below, is_open_above = np.isinf(low), np.isinf(high)
    low = np.where(is_open_below, np.minimum(0, np.where(is_open_above, 0, high)) - _OPEN, low)
    high = np.where(is_open_above, np.maximum(0, low) + _OPEN, high)
    low, high = (torch.as_tensor(end, device=device) for end in (low, high))
    targets = torch.full((n_samples,), k, device=device)
    allowed = high.expand(n_samples, -1)
    rows = encoder.groups.project(low + draw(torch.rand) * (high - low), allowed)
    for _ in range(n_steps):
        rows = rows.detach().requires_grad_()
        with torch.enable_grad():
            (gradients,) = torch.autograd.grad(energy(module(rows), targets).sum(), rows)
        moved = rows.detach() - step_size / 2 * gradients + step_size**0.5 * draw(torch.randn)
        rows = torch.clamp(encoder.groups.project(moved, allowed), low, high)
    return encoder.groups.harden(rows).cpu().numpy()


def _module(estimator):
    check_is_fitted(estimator)
    return inference_copy(estimator.net_.module_, torch.float64)


def _energies(module, rows, targets):
    device = next(module.parameters()).device
    logits = module(torch.as_tensor(rows, device=device))
    return energy(logits, torch.as_tensor(targets, device=device)).cpu().numpy()
