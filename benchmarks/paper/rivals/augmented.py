"""Augmentation with counterfactuals, in every epoch and before a fine-tuning."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from rivals.base import RivalClassifier


class AugmentedClassifier(RivalClassifier):
    """Augmentation with mature counterfactuals, which are labeled as their targets.

    They are searched in each epoch, as in counterfactual training.
    """

    def rows_of_epoch(self, X, rows, labels, epoch):
        """Return the rows and labels to train on in this epoch."""
        n_drawn = min(self.n_counterfactuals, len(rows))
        drawn = torch.randperm(len(rows), generator=self._random)[:n_drawn].numpy()
        found, targets = self.counterfactuals(X, drawn)
        return torch.cat([rows, found]), torch.cat([labels, targets])

    def counterfactuals(self, X, idx):
        """Return the mature counterfactuals of some rows, in module units, and their targets."""
        factuals = X.iloc[idx] if hasattr(X, "iloc") else X[idx]
        # The generator of the training, as in counterfactual training.
        explanation = self.explain(factuals, generator=None, T=self.T)
        mature = explanation.mature
        found = torch.as_tensor(explanation.counterfactual_encoded[mature], dtype=torch.float32)
        targets = np.searchsorted(self.classes_, explanation.target[mature])
        return found, torch.as_tensor(targets)

    def loss(self, module, rows, labels, idx):
        """Return the cross-entropy."""
        return cross_entropy(module(rows), labels)


class CounterfactualAdversarialClassifier(AugmentedClassifier):
    """Counterfactual adversarial training (Luu and Inoue, PACLIC 2023).

    Conventional training is followed by a fine-tuning, of half as many epochs, on the training
    rows and the counterfactuals of the rows about which the model is most uncertain. These are
    labeled as their targets. The authors fine-tune language models, and a language model writes
    their counterfactuals; here, the search of the training finds them, and the share of the rows
    and the number of epochs are ours.

    Parameters
    ----------
    share : float, default=0.25
        Share of the training rows that count as uncertain.
    **parameters : dict
        Parameters of the base class.
    """

    def __init__(self, *, share=0.25, **parameters):
        super().__init__(**parameters)
        self.share = share

    def fit(self, X, y):
        """Fit the model; see the base class."""
        super().fit(X, y)
        del self._found
        return self

    def prepare(self, module, rows, labels):
        """Count the epochs of both parts of the training."""
        self._found = None

    def rows_of_epoch(self, X, rows, labels, epoch):
        """Return the rows and labels to train on in this epoch."""
        # Two thirds of the epochs are conventional, so that half as many follow.
        if 3 * epoch < 2 * self.max_epochs:
            return rows, labels
        if self._found is None:
            with torch.no_grad():
                uncertain = most_uncertain(self.net_.module_(rows), self.share)
            self._found = self.counterfactuals(X, uncertain.numpy())
        found, targets = self._found
        return torch.cat([rows, found]), torch.cat([labels, targets])


def most_uncertain(logits, share):
    """Return the positions of the rows whose predictions have the largest entropy.

    Parameters
    ----------
    logits : Tensor of shape (n_rows, n_classes)
    share : float
        Share of the rows.

    Returns
    -------
    idx : LongTensor of shape (max(1, round(share * n_rows)),)
        In the order of decreasing entropy.
    """
    logs = logits.log_softmax(dim=1)
    entropies = -(logs.exp() * logs).sum(dim=1)
    return entropies.argsort(descending=True, stable=True)[: max(1, round(share * len(logits)))]
