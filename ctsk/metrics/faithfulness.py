"""How typical counterfactuals are of their class, according to the model itself."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_consistent_length, column_or_1d

from ctsk._columns.labels import encode_labels
from ctsk._columns.validation import Interval, check_X, validate_params
from ctsk._explaining.explanation import Explanation
from ctsk._explaining.models import Judge
from ctsk._torch.energy import energy
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import default_torch_modes, device_of, inference_copy, make_generator
from ctsk.metrics.inputs import check_classifier, read_counterfactuals
from ctsk.metrics.plausibility import implausibility

# Distance, in module units, from 0 to a bound that replaces an open end. Three standard
# deviations on either side of the mean hold nearly all rows of a standardized feature.
_OPEN = 3.0


@default_torch_modes()
@validate_params({"explanation": [Explanation]}, prefer_skip_nested_validation=True)
def energy_gap(estimator, explanation, X, y):
    r"""Energy of each counterfactual relative to observed rows of its target class.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Fitted classifier that made the explanation.
    explanation : Explanation
        Result of ``estimator.explain``.
    X : DataFrame or array-like of shape (n_rows, n_features)
        Observed rows, in the estimator's input units.
    y : array-like of shape (n_rows,)
        Labels of the observed rows.

    Returns
    -------
    gaps : ndarray of shape (n_explained,)
        Negative if the model considers the counterfactual more typical of the
        target class than the observed rows are on average; NaN if no row of the
        target class is observed.

    Raises
    ------
    TypeError
        If `estimator` is another model, such as a pipeline.
    ValueError
        If X and y differ in length, y holds an unknown label, or the explanation
        is in other units than those of `estimator`.

    See Also
    --------
    unfaithfulness : Compares counterfactuals with rows that the model generates.
    implausibility : Compares them with observed rows.

    Notes
    -----
    :math:`E(x', y^+) - \frac{1}{|X^+|} \sum_{x \in X^+} E(x, y^+)` with
    :math:`E(x, k) = -M(x)_k`, in float64.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import energy_gap
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> energy_gap(clf, clf.explain(X[:3]), X, y).shape
    (3,)
    """
    check_classifier(estimator)
    counterfactuals = read_counterfactuals(estimator, explanation)
    rows = check_X(estimator, X)
    y = column_or_1d(y)
    check_consistent_length(rows.values, y)
    classes = estimator.classes_
    labels = encode_labels(y, classes, "y", "Leave out its rows.")
    targets = _targets(estimator, explanation)

    # In float64: the gap is a difference of energies, in which float32 would lose digits.
    logits = Judge(estimator.net_.module_, estimator.encoder_).logits
    observed = -np.take_along_axis(logits(rows), labels[:, None], axis=1)[:, 0]
    means = [
        observed[labels == k].mean() if (labels == k).any() else np.nan for k in range(len(classes))
    ]
    energies = -np.take_along_axis(logits(counterfactuals), targets[:, None], axis=1)[:, 0]
    return energies - np.array(means)[targets]


@validate_params(
    {
        "explanation": [Explanation],
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
    r"""Distance of each counterfactual to rows that the model generates for its class.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Fitted classifier that made the explanation.
    explanation : Explanation
        Result of ``estimator.explain``.
    n_samples : int, default=100
        Number of rows drawn from the model's conditional distribution of each
        target class.
    n_steps : int, default=300
        Number of steps of Langevin dynamics.
    step_size : float, default=0.05
        Step size of Langevin dynamics, in squared module units.
    random_state : int, RandomState or None, default=0
        Seed of the samples.

    Returns
    -------
    distances : ndarray of shape (n_explained,)
        Mean l1 distance in module units, in which a change of category counts 1.
        Low values mean that the counterfactual is faithful to the model.

    Raises
    ------
    TypeError
        If `estimator` is another model, such as a pipeline.
    ValueError
        If a parameter is invalid, or the explanation is in other units than those
        of `estimator`.

    See Also
    --------
    energy_gap : Energy relative to observed rows.
    implausibility : Compares counterfactuals with observed rows.

    Notes
    -----
    Samples follow :math:`x_{t+1} = x_t - \frac{\epsilon}{2} \nabla E(x_t, y^+)
    + \sqrt{\epsilon} \, r_t` with :math:`r_t \sim N(0, 1)`. They start from the
    uniform distribution over the fitted domain and are clamped to it, so that they
    approach the density :math:`p(x \mid y^+) \propto \exp(-E(x, y^+))` on the
    domain [1]_. An open end of the domain is replaced by a bound that is three
    module units from 0, or from the other end if that is farther out, because the
    density could not be normalized otherwise. Categories move on their simplex and
    are hardened at the end; where the domain of a feature contains no category,
    all known ones are sampled, the missing value included.

    References
    ----------
    .. [1] Altmeyer, Farmanbar, van Deursen and Liem, "Faithful model
       explanations through energy-constrained conformal counterfactuals",
       AAAI 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import unfaithfulness
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> unfaithfulness(clf, clf.explain(X[:3]), n_samples=20, n_steps=50).shape
    (3,)
    """
    check_classifier(estimator)
    read_counterfactuals(estimator, explanation)
    encoded = explanation.counterfactual_encoded
    module = inference_copy(estimator.net_.module_, torch.float64)
    encoder = estimator.encoder_
    generator = make_generator(random_state)
    targets = _targets(estimator, explanation)
    distances = np.empty(len(explanation))
    # Every target is among the classes, so that the loop fills all distances.
    for k in np.unique(targets):
        with one_thread_if_small(module, n_samples):
            samples = _sample(
                module, encoder, estimator.constraints_, k, n_samples, n_steps, step_size,
                generator,
            )  # fmt: skip
        is_target = targets == k
        distances[is_target] = implausibility(
            encoded[is_target], samples, weights=encoder.column_weights
        )
    return distances


def _targets(estimator, explanation):
    """Return the targets as positions in the classes of an estimator."""
    return encode_labels(
        explanation.target, estimator.classes_, "explanation.target", "Explain by this estimator."
    )


def _sample(module, encoder, constraints, k, n_samples, n_steps, step_size, generator):
    """Draw rows of one class by Langevin dynamics."""
    device = device_of(module)

    def draw(function):
        # On the CPU, so that every device receives the same numbers.
        shape = n_samples, encoder.groups.n_columns
        return function(shape, dtype=torch.float64, generator=generator).to(device)

    low, high = (
        torch.as_tensor(bound, device=device) for bound in _closed_domain(encoder, constraints)
    )
    targets = torch.full((n_samples,), k, device=device)
    # The upper bound of a one-hot column is 1 if the domain contains the category, else 0,
    # which is the mask that the projection expects. It reads no numeric columns.
    allowed = high.expand(n_samples, -1)
    rows = encoder.groups.project(low + draw(torch.rand) * (high - low), allowed)
    for _ in range(n_steps):
        # Each step starts from a new leaf, so that memory never holds more than its graph.
        rows = rows.detach().requires_grad_()
        with torch.enable_grad():
            (gradients,) = torch.autograd.grad(energy(module(rows), targets).sum(), rows)
        drift = -step_size / 2 * gradients
        diffusion = step_size**0.5 * draw(torch.randn)
        moved = rows.detach() + drift + diffusion
        # The projection moves only one-hot columns; clamping bounds the numeric ones.
        rows = torch.clamp(encoder.groups.project(moved, allowed), low, high)
    return encoder.groups.harden(rows).cpu().numpy()


def _closed_domain(encoder, constraints):
    """Return finite bounds of each column in module units, at least one category open."""
    low, high = encoder.to_module_units(constraints.low), encoder.to_module_units(constraints.high)
    is_open_below, is_open_above = np.isinf(low), np.isinf(high)
    # Bounds lie around 0, the mean of standardized features, unless the closed end of the
    # domain is beyond it: a domain that ends at -5 starts at -8, since -3 is outside.
    lowest_end = np.minimum(0, np.where(is_open_above, 0, high))
    low = np.where(is_open_below, lowest_end - _OPEN, low)
    # Where both ends are open, `low` is already -3, so that `high` becomes 3.
    high = np.where(is_open_above, np.maximum(0, low) + _OPEN, high)
    for columns in encoder.groups.slices:
        # A simplex over no category is empty: rows keep the category that they have,
        # which may be any.
        if not high[columns].any():
            high[columns] = 1
    return low, high
