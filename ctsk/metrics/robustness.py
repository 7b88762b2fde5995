"""How robust a model is to adversarial attacks."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_consistent_length, column_or_1d, gen_batches
from torch.nn.functional import cross_entropy

from ctsk._columns.constraints import Constraints
from ctsk._columns.labels import encode_labels
from ctsk._columns.user_columns import check_features
from ctsk._columns.user_constraints import check_constraints
from ctsk._columns.validation import Interval, StrOptions, check_X, validate_params
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import (
    chunk_size,
    default_torch_modes,
    device_of,
    inference_copy,
    make_generator,
)
from ctsk.metrics.inputs import check_classifier

_ATTACKS = ("fgsm", "pgd", "margin", "noise")


@validate_params(
    {
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "attack": [StrOptions({*_ATTACKS, "worst"})],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "n_restarts": [Interval(Integral, 1, None, closed="left")],
        "features": ["array-like", None],
        "domain": [StrOptions({"auto"}), dict, "array-like", None],
        "random_state": ["random_state"],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
@default_torch_modes()
def robust_accuracy(
    estimator,
    X,
    y,
    *,
    epsilon=0.1,
    attack="worst",
    n_steps=40,
    n_restarts=3,
    features=None,
    domain=None,
    random_state=0,
    sample_weight=None,
):
    r"""Accuracy under attack.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Fitted classifier.
    X : DataFrame or array-like of shape (n_rows, n_features)
        Rows in the estimator's input units.
    y : array-like of shape (n_rows,)
        Labels of the rows.
    epsilon : float, default=0.1
        Maximum change of each numeric feature, in module units: with
        ``standardize=True``, in standard deviations; with "quantile", in normal
        quantiles. Categories are not attacked.
    attack : {"worst", "fgsm", "pgd", "margin", "noise"}, default="worst"
        - "fgsm": one step along the sign of the gradient of the cross-entropy.
        - "pgd": many small steps from random starts.
        - "margin": as "pgd", but on the margin between the logits instead of the
          cross-entropy.
        - "noise": random points.
        - "worst": all of them. A row counts as correct only if it is classified
          correctly before and under every attack.
    n_steps : int, default=40
        Number of steps of "pgd" and "margin", each of length :math:`2.5 \epsilon / n`.
    n_restarts : int, default=3
        Number of starts of "pgd" and "margin", and of points of "noise". A row counts
        as correct only if all of them are classified correctly.
    features : array-like, default=None
        Names, indices or a mask of the features that are attacked. None attacks all
        numeric features.
    domain : "auto", dict, sequence or None, default=None
        Bounds of the attacked values in X's units, as in
        :class:`~ctsk.CounterfactualTrainedClassifier`. None leaves all features unbounded.
    random_state : int, RandomState or None, default=0
        Seed of the starts and of the noise.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows.

    Returns
    -------
    accuracy : float
        Share of rows that are classified correctly under attack.

    Raises
    ------
    TypeError
        If `estimator` is another model, such as a pipeline.
    ValueError
        If X does not have the fitted columns, y contains an unknown label, or a
        parameter is invalid.

    See Also
    --------
    robust_accuracy_scorer : The same metric for ``scoring=``.

    Notes
    -----
    Let :math:`B` be the intersection of the ball
    :math:`\{x' : \|x' - x\|_\infty \le \epsilon\}` with the domain, and :math:`\Pi_B` the
    projection on it. The fast gradient sign method [1]_ is
    :math:`x' = \Pi_B(x + \epsilon \, \mathrm{sign} \, \nabla_x \mathrm{CE}(M(x), y))`.
    Projected gradient ascent [2]_ is
    :math:`x_{t+1} = \Pi_B(x_t + \alpha \, \mathrm{sign} \, \nabla \ell(x_t))` with
    :math:`\ell = \mathrm{CE}(M(x), y)` or
    :math:`\ell = \max_{k \neq y} M(x)_k - M(x)_y`. All computations are in float64.

    References
    ----------
    .. [1] Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial
       examples", ICLR 2015.
    .. [2] Madry, Makelov, Schmidt, Tsipras and Vladu, "Towards deep learning
       models resistant to adversarial attacks", ICLR 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import robust_accuracy
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> robust_accuracy(clf, X, y, epsilon=0.2) <= clf.score(X, y)
    True
    """
    check_classifier(estimator)
    values = check_X(estimator, X).values
    y = column_or_1d(y)
    check_consistent_length(values, y, sample_weight)
    remedy = "Leave out rows of classes that the estimator does not know."
    labels = encode_labels(y, estimator.classes_, "y", remedy)

    # In float64, the gradients of a saturated softmax do not round to zero as easily, so
    # that the attacks keep their direction.
    module = inference_copy(estimator.net_.module_, torch.float64)
    device = device_of(module)
    bounded = _bound_attacks(estimator.encoder_, values, epsilon, features, domain)
    tensors = [torch.as_tensor(array, device=device) for array in (*bounded, labels)]

    # The generator moves on from chunk to chunk: no two chunks share random starts.
    generator = make_generator(random_state)
    is_robust = []
    n_at_once = chunk_size(tensors[0].shape[1])
    with one_thread_if_small(module, min(len(values), n_at_once)):
        for chunk in gen_batches(len(values), n_at_once):
            attacked = _AttackedRows(module, *(tensor[chunk] for tensor in tensors), generator)
            is_robust.append(attacked.are_robust(attack, epsilon, n_steps, n_restarts))
    return float(np.average(torch.cat(is_robust).cpu().numpy(), weights=sample_weight))


def _bound_attacks(encoder, values, epsilon, features, domain):
    """Return rows in module units, and the lower and upper bounds of their attacks."""
    names = encoder.names
    is_fixed = np.zeros(len(names), dtype=bool)
    if features is not None:
        is_fixed = ~check_features(features, names, "features")

    # The bounds and directions that the estimator was trained with describe recourse; an
    # attacker need not respect them. Only the parameters of this call bound an attack.
    is_numeric = np.arange(encoder.groups.n_columns) < encoder.groups.n_numeric
    low, high = np.where(is_numeric, -np.inf, 0), np.where(is_numeric, np.inf, 1)
    constraints = check_constraints(
        np.where(is_fixed, "none", "both"),
        domain,
        encoder,
        Constraints.free(low, high, encoder.groups, fill=encoder.fill),
    )

    # The box contains each row even if the row is outside the domain, so that the
    # intersection with the ball is never empty.
    box = encoder.encode_box(constraints.box(encoder.expand(values)))
    encoded = encoder.encode_values(values)
    # Categories have no small changes, nor has a number that is missing or special.
    is_held = np.tile(~is_numeric, (len(values), 1))
    is_held[:, is_numeric] = encoder.schema.is_state(values)[:, encoder.numeric]
    lower = np.where(is_held, encoded, np.maximum(box.lower, encoded - epsilon))
    upper = np.where(is_held, encoded, np.minimum(box.upper, encoded + epsilon))
    return encoded, lower, upper


@dataclass(frozen=True)
class _AttackedRows:
    """Rows, each with bounds within which an attack may move it, in module units."""

    module: torch.nn.Module
    encoded: torch.Tensor
    lower: torch.Tensor
    upper: torch.Tensor
    labels: torch.Tensor
    generator: torch.Generator

    def are_robust(self, attack, epsilon, n_steps, n_restarts):
        """Return which rows are classified correctly under an attack; BoolTensor."""
        attacks = {
            "fgsm": lambda: [self.step(self.encoded, cross_entropies, epsilon)],
            "pgd": lambda: self.ascend(cross_entropies, epsilon, n_steps, n_restarts),
            "margin": lambda: self.ascend(margins, epsilon, n_steps, n_restarts),
            "noise": lambda: [self.draw() for _ in range(n_restarts)],
            "worst": lambda: [self.encoded],
        }
        # "pgd" and "margin" yield one result at a time, of which only a bool per row is kept.
        is_correct = [self.are_correct(points) for points in attacks[attack]()]
        if attack == "worst":
            is_correct += [self.are_robust(name, epsilon, n_steps, n_restarts) for name in _ATTACKS]
        return torch.stack(is_correct).all(dim=0)

    def ascend(self, losses, epsilon, n_steps, n_restarts):
        """Yield the results of projected gradient ascents from random starts."""
        for _ in range(n_restarts):
            points = self.draw()
            for _ in range(n_steps):
                # 2.5 times the radius in all: a step that overshoots can be made up for,
                # and a start at one end of the ball can reach the other end.
                points = self.step(points, losses, 2.5 * epsilon / n_steps)
            yield points

    def step(self, points, losses, length):
        """Move along the sign of the gradient, within the bounds."""
        # Each step starts from a new leaf: only the direction of one step is needed.
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            # Rows do not interact, so the gradient of the sum holds that of each row.
            total = losses(self.module(points), self.labels).sum()
        (gradients,) = torch.autograd.grad(total, points)
        return (points.detach() + length * gradients.sign()).clamp(self.lower, self.upper)

    def draw(self):
        """Draw a point between the bounds of each row."""
        # On the CPU, so that every device receives the same numbers.
        shares = torch.rand(self.encoded.shape, dtype=self.encoded.dtype, generator=self.generator)
        return self.lower + shares.to(self.encoded.device) * (self.upper - self.lower)

    def are_correct(self, points):
        """Return which points are predicted as the labels of their rows."""
        return self.module(points).argmax(dim=1) == self.labels


def cross_entropies(logits, labels):
    """Return the cross-entropy of each row."""
    return cross_entropy(logits, labels, reduction="none")


def margins(logits, labels):
    """Return the largest logit of another class minus that of the label, for each row."""
    # The maximum over the other classes: the label's own logit must not win.
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.amax(dim=1) - logits.gather(1, labels[:, None])[:, 0]
