"""Deep ensembles."""

from functools import partial

import torch
from torch import nn

from ctsk._torch.networks import MLP, check_layers
from rivals.base import CONVENTIONAL, ExtendedClassifier, setting


class DeepEnsembleClassifier(ExtendedClassifier):
    """Deep ensemble (Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017), averaged probabilities.

    Each member has its own initial weights and its own cross-entropy. The authors also shuffle the
    rows for each member and recommend adversarial examples in training; here, all members see the
    same minibatches, and no adversarial examples.

    Parameters
    ----------
    n_members : int, default=5
    **parameters : dict
        Parameters of the base class.
    """

    def __init__(self, *, n_members=5, **parameters):
        super().__init__(**parameters)
        self.n_members = n_members

    def fit(self, X, y):
        """Fit the members; see the base class."""
        module = partial(
            Ensemble,
            n_members=self.n_members,
            hidden_layer_sizes=check_layers(self.hidden_layer_sizes),
            activation=self.activation,
        )
        with setting(self, module=module, **CONVENTIONAL):
            return super().fit(X, y)


class Ensemble(nn.Module):
    """Perceptrons whose probabilities are averaged.

    Parameters
    ----------
    n_features, n_classes, n_members : int
    hidden_layer_sizes : sequence of int
    activation : str
    """

    def __init__(self, n_features, n_classes, *, n_members, hidden_layer_sizes, activation):
        super().__init__()
        # The classifier seeds the global random state while it builds a module.
        random = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
        self.members = nn.ModuleList(
            MLP(
                n_features,
                n_classes,
                hidden_layer_sizes=hidden_layer_sizes,
                activation=activation,
                generator=random,
            )
            for _ in range(n_members)
        )

    def heads(self, rows):
        """Return the logits of each member, of shape (n_rows, n_members, n_classes)."""
        return torch.stack([member(rows) for member in self.members], dim=1)

    def forward(self, rows):
        """Return the logarithm of the mean probabilities, as logits."""
        logs = self.heads(rows).log_softmax(dim=2)
        return logs.logsumexp(dim=1) - torch.tensor(float(len(self.members))).log()
