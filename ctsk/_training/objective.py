"""The objective of counterfactual training: four named terms and their weighted sum."""

import math
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy

from ctsk._torch.energy import energy
from ctsk._torch.utils import heads_of

TERMS = ("classification", "divergence", "adversarial", "ridge")
# Limit of the loss of one held-out row, that of a probability of 0.001. A single outlier, whose
# loss can be a hundred times larger, would decide otherwise which epoch is the best.
_MOST_HELD_OUT_LOSS = math.log(1000)


def divergence(exemplar_energies, counterfactual_energies, weights=None):
    r"""Return the contrastive divergence, the mean of :math:`E(x^+, y^+) - E(x'_{CE}, y^+)`."""
    return _weighted(exemplar_energies - counterfactual_energies, weights).mean()


def ridge(exemplar_energies, counterfactual_energies, weights=None):
    r"""Return the ridge, the mean of :math:`E(x^+, y^+)^2 + E(x'_{CE}, y^+)^2`."""
    squares = exemplar_energies.square() + counterfactual_energies.square()
    return _weighted(squares, weights).mean()


def _weighted(values, weights):
    # Weights have a mean of 1 over the training rows, so that no division by their sum over the
    # minibatch is needed; it would give rows other weights in each minibatch.
    return values if weights is None else weights * values


@dataclass(frozen=True)
class Objective:
    r"""Loss of a minibatch under counterfactual training.

    Parameters
    ----------
    lambda_div, lambda_adv, lambda_reg : float
        Weights of the divergence, the adversarial loss and the ridge. A term of weight 0
        is not computed.
    class_weight : Tensor of shape (n_classes,), default=None
        Weights of the classes in both cross-entropies.
    label_smoothing : float, default=0.0
        Share of the probability of a label that is spread over all classes, in the
        classification term.

    Notes
    -----
    For exemplars :math:`x^+`, mature counterfactuals :math:`x'_{CE}`, nascent
    counterfactuals :math:`x'_{AE}` and energies :math:`E(x, k) = -M(x)_k`, the loss is [1]_

    .. math::

        \mathrm{CE}(M(x), y)
        + \lambda_{div} \, \overline{E(x^+, y^+) - E(x'_{CE}, y^+)}
        + \lambda_{adv} \, \overline{\mathrm{CE}(M(x'_{AE}), y)}
        + \lambda_{reg} \, \overline{E(x^+, y^+)^2 + E(x'_{CE}, y^+)^2}

    Each bar is a mean over rows. Under `class_weight`, both cross-entropies are means of
    the weight of the label times the loss. Weights of rows multiply the loss of the row, and
    all terms of the counterfactuals of the row.

    For an ensemble, which is a module with a method ``heads``, both cross-entropies are means
    over the heads [2]_; the energies are those of the module itself. If the joint prediction
    alone were trained, heads would compensate for each other, and none would be a model of its
    own.

    References
    ----------
    .. [1] Altmeyer, Buszydlik, van Deursen and Liem, "Counterfactual training:
       teaching models plausible and actionable explanations", 2025.
    .. [2] Gorishniy, Kotelnikov and Babenko, "TabM: advancing tabular deep learning with
       parameter-efficient ensembling", 2025.
    """

    lambda_div: float
    lambda_adv: float
    lambda_reg: float
    class_weight: torch.Tensor | None = None
    label_smoothing: float = 0.0

    @property
    def uses_energies(self):
        """Whether mature counterfactuals enter the loss."""
        return self.lambda_div > 0 or self.lambda_reg > 0

    @property
    def uses_nascent(self):
        """Whether nascent counterfactuals enter the loss."""
        return self.lambda_adv > 0

    @property
    def is_conventional(self):
        """Whether the loss is the cross-entropy of the data alone."""
        return not (self.uses_energies or self.uses_nascent)

    @property
    def lambdas(self):
        """The weight of each of the `TERMS`."""
        weights = (1.0, self.lambda_div, self.lambda_adv, self.lambda_reg)
        return dict(zip(TERMS, weights, strict=True))

    def terms(self, module, X, y, tuples=None, weights=None):
        """Compute the terms of one minibatch.

        Parameters
        ----------
        module : torch.nn.Module
        X : Tensor of shape (n_rows, n_features)
        y : LongTensor of shape (n_rows,)
        tuples : CounterfactualBatch, default=None
            None computes the classification term alone.
        weights : Tensor of shape (n_rows,), default=None
            Weights of the rows, with a mean of 1 over all training rows.

        Returns
        -------
        terms : dict of str to scalar Tensor
            The terms among `TERMS` whose weight is not 0.
        logits : Tensor of shape (n_rows, n_classes)
            Output of the module for `X`, or the mean over the heads of an ensemble.
        """
        parts = {"rows": X}
        if tuples is not None:
            if self.uses_energies:
                parts["exemplars"] = tuples.exemplars
                parts["counterfactuals"] = tuples.counterfactuals
            if self.uses_nascent:
                parts["nascent"] = tuples.nascent
        outputs = _outputs(module, parts)

        logits = outputs["rows"]
        terms = {"classification": self._classification(logits, y, weights)}
        # Divergence and ridge share the energies of exemplars and counterfactuals.
        if "exemplars" in outputs:
            energies = [
                energy(outputs[name], tuples.targets) for name in ("exemplars", "counterfactuals")
            ]
            if self.lambda_div > 0:
                terms["divergence"] = divergence(*energies, tuples.weights)
            if self.lambda_reg > 0:
                terms["ridge"] = ridge(*energies, tuples.weights)
        # Nascent counterfactuals keep the label of their factual, as adversarial examples do.
        if "nascent" in outputs:
            nascent = outputs["nascent"]
            terms["adversarial"] = self.cross_entropy(nascent, tuples.labels, tuples.weights)
        return terms, logits if logits.dim() == 2 else logits.mean(dim=1)

    def total(self, terms):
        """Return the weighted sum of the terms."""
        # Terms that were not computed are absent instead of 0, so that they have no gradient.
        return sum(self.lambdas[name] * term for name, term in terms.items())

    def cross_entropy(self, logits, y, weights=None, label_smoothing=0.0):
        """Return the mean cross-entropy, with the weights of the classes and of the rows.

        Parameters
        ----------
        logits : Tensor of shape (n_rows, n_classes) or (n_rows, n_heads, n_classes)
        y : LongTensor of shape (n_rows,)
        weights : Tensor of shape (n_rows,), default=None
        label_smoothing : float, default=0.0

        Returns
        -------
        loss : scalar Tensor
        """
        if logits.dim() == 3:
            # Each head counts as a row of its own.
            n_heads = logits.shape[1]
            logits, y = logits.flatten(0, 1), y.repeat_interleave(n_heads)
            weights = None if weights is None else weights.repeat_interleave(n_heads)
        if self.class_weight is None and weights is None:
            return cross_entropy(logits, y, label_smoothing=label_smoothing)
        losses = cross_entropy(logits, y, reduction="none", label_smoothing=label_smoothing)
        return self._mean(losses, y, weights)

    def held_out_loss(self, logits, y, weights=None):
        """Return the mean cross-entropy of held-out rows, of which none counts more than log 1000.

        Parameters
        ----------
        logits : Tensor of shape (n_rows, n_classes)
        y : LongTensor of shape (n_rows,)
        weights : Tensor of shape (n_rows,), default=None

        Returns
        -------
        loss : scalar Tensor
        """
        losses = cross_entropy(logits, y, reduction="none").clamp(max=_MOST_HELD_OUT_LOSS)
        return self._mean(losses, y, weights)

    def _mean(self, losses, y, weights):
        # torch's own weighted mean would divide by the sum of the weights of the batch.
        if self.class_weight is not None:
            losses = self.class_weight[y] * losses
        return _weighted(losses, weights).mean()

    def _classification(self, logits, y, weights):
        return self.cross_entropy(logits, y, weights, self.label_smoothing)


def _outputs(module, parts):
    """Return the logits of each part: of all heads for what an ensemble classifies."""
    heads = heads_of(module)
    if heads is None:
        return _in_one_pass(module, parts)
    classified = {name: part for name, part in parts.items() if name in ("rows", "nascent")}
    others = {name: part for name, part in parts.items() if name not in classified}
    return _in_one_pass(heads, classified) | _in_one_pass(module, others)


def _in_one_pass(function, parts):
    """Apply a function to all parts at once, which is faster than to each.

    Layers such as BatchNorm then compute their statistics over rows and counterfactuals together.
    """
    if len(parts) < 2:
        return {name: function(part) for name, part in parts.items()}
    outputs = function(torch.cat(list(parts.values())))
    outputs = torch.split(outputs, [len(part) for part in parts.values()])
    return dict(zip(parts, outputs, strict=True))
