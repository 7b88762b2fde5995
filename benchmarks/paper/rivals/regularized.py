"""Regularized training without counterfactuals: controls for the gain of the objective."""

import torch
from scipy.stats import beta
from torch.nn.functional import cross_entropy

from rivals.base import RivalClassifier


class RegularizedClassifier(RivalClassifier):
    """Base class of conventional training with a regularization of a given strength.

    Parameters
    ----------
    strength : float, default=0.1
        Strength of the regularization; 0 is conventional training.
    **parameters : dict
        Parameters of the base class.
    """

    def __init__(self, *, strength=0.1, **parameters):
        super().__init__(**parameters)
        self.strength = strength


class MixupClassifier(RegularizedClassifier):
    r"""Mixup (Zhang, Cisse, Dauphin and Lopez-Paz, ICLR 2018); the strength is its alpha.

    Notes
    -----
    The loss of a minibatch is :math:`l \, \mathrm{CE}(M(\tilde x), y) + (1 - l) \,
    \mathrm{CE}(M(\tilde x), y')` at :math:`\tilde x = l x + (1 - l) x'`, where the pairs
    :math:`(x', y')` are a permutation of the minibatch and :math:`l \sim
    \mathrm{Beta}(\alpha, \alpha)`.
    """

    def loss(self, module, rows, labels, idx):
        """Return the cross-entropy of mixed rows."""
        # An inverse distribution function, because torch draws from a beta distribution by its
        # global random state only.
        uniform = torch.rand((), generator=self._random).item()
        share = float(beta.ppf(uniform, self.strength, self.strength))
        order = torch.randperm(len(rows), generator=self._random)
        return mixup_loss(module, rows, labels, order, share)


def mixup_loss(module, rows, labels, order, share):
    """Return the cross-entropy of rows that are mixed with those of another order."""
    logits = module(share * rows + (1 - share) * rows[order])
    return share * cross_entropy(logits, labels) + (1 - share) * cross_entropy(
        logits, labels[order]
    )


class LogitPenaltyClassifier(RegularizedClassifier):
    """Squeezed logits (Kannan, Kurakin and Goodfellow, 2018): the sum of their squares."""

    def loss(self, module, rows, labels, idx):
        """Return the cross-entropy and the penalty."""
        logits = module(rows)
        return cross_entropy(logits, labels) + self.strength * logits.square().sum(dim=1).mean()


class LabelRidgeClassifier(RegularizedClassifier):
    """The ridge of counterfactual training on training rows, without any counterfactual.

    Each row takes the place of both an exemplar of its label and a counterfactual, as exemplars do
    in counterfactual training if a search does not reach maturity.
    """

    def loss(self, module, rows, labels, idx):
        """Return the cross-entropy and the ridge."""
        logits = module(rows)
        energies = -logits.gather(1, labels[:, None])
        return cross_entropy(logits, labels) + self.strength * 2 * energies.square().mean()


class NoiseClassifier(RegularizedClassifier):
    """Gaussian noise on the numbers; the strength is its standard deviation, in module units."""

    def loss(self, module, rows, labels, idx):
        """Return the cross-entropy of rows with noise."""
        noise = self.strength * torch.randn(rows.shape, generator=self._random)
        noise[:, self.encoder_.groups.n_numeric :] = 0
        return cross_entropy(module(rows + noise), labels)


class MildPGDClassifier(RegularizedClassifier):
    """Mild adversarial training; the strength is the weight of the attacked rows.

    The attack has three steps, and the radius of the other adversarial training.
    """

    N_STEPS = 3

    def loss(self, module, rows, labels, idx):
        """Return the cross-entropy of rows, and of attacked rows."""
        found = self.attack(
            module, rows, lambda logits: cross_entropy(logits, labels), n_steps=self.N_STEPS
        )
        return cross_entropy(module(rows), labels) + self.strength * cross_entropy(
            module(found), labels
        )
