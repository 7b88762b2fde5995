"""How well a model withstands attacks."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_consistent_length, column_or_1d, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted
from torch.nn.functional import cross_entropy

from ctsk._columns.constraints import Constraints
from ctsk._columns.user_constraints import check_constraints, check_features
from ctsk._columns.validation import check_X, encode_labels
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import CHUNK, default_torch_modes, inference_copy, make_generator

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
):
    r"""Accuracy under attack.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Fitted.
    X : DataFrame or array-like of shape (n_rows, n_features)
        In the estimator's input units.
    y : array-like of shape (n_rows,)
        Labels.
    epsilon : float, default=0.1
        How far each number may be moved, in module units: with
        ``standardize=True``, in standard deviations. Categories stay.
    attack : {"worst", "fgsm", "pgd", "margin", "noise"}, default="worst"
        "fgsm" takes one step along the gradient's sign, "pgd" many small ones
        from random starts, "margin" does so on the margin between the logits in
        place of the cross-entropy, "noise" tries random points. Under "worst" a
        row counts that withstands all of them, and is right to begin with.
    n_steps : int, default=40
        Of "pgd" and "margin", each of :math:`2.5 \epsilon / n`.
    n_restarts : int, default=3
        Starts of "pgd" and "margin", points of "noise". A row counts that
        withstands all.
    features : array-like, default=None
        Names or indices of those that an attacker can touch; None is all.
    domain : "auto", dict, sequence or None, default=None
        Where an attacker can move numbers, as in
        :class:`CounterfactualTrainedClassifier`, in X's units; None is anywhere.
    random_state : int, RandomState or None, default=0
        Of starts and noise.

    Returns
    -------
    accuracy : float

    Raises
    ------
    ValueError
        If X does not have the columns that were fitted, y holds a label that is
        not among the classes, or a parameter is out of its range.

    Notes
    -----
    With the ball :math:`B = \{x' : \|x' - x\|_\infty \le \epsilon\}`, cut by the
    domain, and the projection :math:`\Pi_B` on it:
    :math:`x' = \Pi_B(x + \epsilon \, \mathrm{sign} \, \nabla_x \mathrm{CE}(M(x), y))`
    is the fast gradient sign method [1]_;
    :math:`x_{t+1} = \Pi_B(x_t + \alpha \, \mathrm{sign} \, \nabla \ell(x_t))` projected
    gradient ascent [2]_, with :math:`\ell = \mathrm{CE}(M(x), y)` or
    :math:`\ell = \max_{k \neq y} M(x)_k - M(x)_y`. All in float64.

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
    check_is_fitted(estimator)
    values, y = check_X(estimator, X).values, column_or_1d(y)
    check_consistent_length(values, y)
    remedy = "Leave out rows of classes that the estimator does not know."
    labels = encode_labels(np.asarray(y), estimator.classes_, "y", remedy)
    module = inference_copy(estimator.net_.module_, torch.float64)
    device = next(module.parameters()).device
    reach = _reach(estimator.encoder_, values, epsilon, features, domain)
    tensors = [torch.as_tensor(array, device=device) for array in (*reach, labels)]
    generator = make_generator(random_state)
    withstood = []
    with one_thread_if_small(module, min(len(values), CHUNK)):
        for chunk in gen_batches(len(values), CHUNK):
            attacked = _Attacked(module, *(tensor[chunk] for tensor in tensors), generator)
            withstood.append(attacked.withstands(attack, epsilon, n_steps, n_restarts))
    return float(torch.cat(withstood).double().mean())


def _reach(encoder, values, epsilon, features, domain):
    """Rows, and bounds of what an attacker can make of them, in module units."""
    names = encoder.names
    fixed = np.zeros(len(names), dtype=bool)
    if features is not None:
        fixed = ~check_features(features, names, "features")
    fixed[encoder.categorical] = True
    is_number = np.arange(encoder.groups.n_columns) < encoder.groups.n_numeric
    anywhere = np.where(is_number, -np.inf, 0), np.where(is_number, np.inf, 1)
    constraints = check_constraints(
        {names[feature]: "none" for feature in np.flatnonzero(fixed)},
        domain,
        encoder,
        Constraints.free(*anywhere, encoder.groups),
    )
    box = encoder.encode_box(constraints.box(encoder.expand(values)))
    rows = encoder.encode_values(values)
    return rows, np.maximum(box.lower, rows - epsilon), np.minimum(box.upper, rows + epsilon)


@dataclass(frozen=True)
class _Attacked:
    """Rows of which each may be moved within its bounds."""

    module: torch.nn.Module
    rows: torch.Tensor
    lower: torch.Tensor
    upper: torch.Tensor
    labels: torch.Tensor
    generator: torch.Generator

    def withstands(self, attack, epsilon, n_steps, n_restarts):
        """Whether each row is predicted right whatever an attack finds; BoolTensor."""
        points = {
            "fgsm": lambda: [self.step(self.rows, cross_entropies, epsilon)],
            "pgd": lambda: self.climb(cross_entropies, epsilon, n_steps, n_restarts),
            "margin": lambda: self.climb(margins, epsilon, n_steps, n_restarts),
            "noise": lambda: [self.draw() for _ in range(n_restarts)],
            "worst": lambda: [self.rows],
        }
        right = [self.is_right(found) for found in points[attack]()]
        if attack == "worst":
            settings = epsilon, n_steps, n_restarts
            right += [self.withstands(name, *settings) for name in _ATTACKS]
        return torch.stack(right).all(dim=0)

    def climb(self, losses, epsilon, n_steps, n_restarts):
        """Yield the ends of projected gradient ascents from random starts."""
        for _ in range(n_restarts):
            found = self.draw()
            for _ in range(n_steps):
                found = self.step(found, losses, 2.5 * epsilon / n_steps)
            yield found

    def step(self, found, losses, length):
        """Move along the sign of the gradient, within the bounds."""
        found = found.detach().requires_grad_()
        with torch.enable_grad():
            (gradients,) = torch.autograd.grad(losses(self.module(found), self.labels).sum(), found)
        return (found.detach() + length * gradients.sign()).clamp(self.lower, self.upper)

    def draw(self):
        """Draw a point within the bounds of each row."""
        shares = torch.rand(self.rows.shape, dtype=self.rows.dtype, generator=self.generator)
        return self.lower + shares.to(self.rows.device) * (self.upper - self.lower)

    def is_right(self, found):
        return self.module(found).argmax(dim=1) == self.labels


def cross_entropies(logits, labels):
    """Cross-entropy of each row."""
    return cross_entropy(logits, labels, reduction="none")


def margins(logits, labels):
    """How far the best of the other logits is above the label's."""
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.amax(dim=1) - logits.gather(1, labels[:, None])[:, 0]
