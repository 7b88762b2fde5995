"""Adversarial training."""

from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from rivals.base import RivalClassifier


class PGDClassifier(RivalClassifier):
    """Adversarial training by projected gradient descent (Madry et al., ICLR 2018)."""

    def loss(self, module, rows, labels, idx):
        """Return the cross-entropy of attacked rows."""
        found = self.attack(module, rows, lambda logits: cross_entropy(logits, labels))
        return cross_entropy(module(found), labels)


class TRADESClassifier(RivalClassifier):
    """TRADES (Zhang et al., ICML 2019) with the authors' weight of 6."""

    def loss(self, module, rows, labels, idx):
        """Return the cross-entropy plus the change of the probabilities under attack."""
        clean = softmax(module(rows), dim=1).detach()
        found = self.attack(module, rows, lambda logits: self._divergence(logits, clean))
        logits = module(rows)
        divergence = self._divergence(module(found), softmax(logits, dim=1))
        return cross_entropy(logits, labels) + 6 * divergence

    def _divergence(self, logits, probabilities):
        return kl_div(log_softmax(logits, dim=1), probabilities, reduction="batchmean")
