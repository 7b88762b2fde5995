"""The network with embeddings of numbers that ``accuracy.py`` compares.

It requires the package ``rtdl_num_embeddings`` (``pip install ctsk[architectures]``).
"""

import numpy as np
import torch
from rtdl_num_embeddings import PiecewiseLinearEmbeddings
from scipy.special import ndtri
from torch import nn

N_BINS = 16
EMBEDDING_SIZE = 16
HIDDEN_LAYER_SIZES = (128, 128)
DROPOUT = 0.1


class EmbeddedMLP(nn.Module):
    """A multilayer perceptron on piecewise-linear embeddings of the numbers.

    The bins are the same for all numbers: between quantiles of the normal distribution, because a
    module does not see the training rows, and numbers are standardized.
    """

    def __init__(self, n_features, n_classes, n_numeric):
        super().__init__()
        self.n_numeric = n_numeric
        # A table without numbers has nothing to embed.
        self.embeddings = _embeddings(n_numeric) if n_numeric else None
        width = n_numeric * EMBEDDING_SIZE + n_features - n_numeric
        layers = []
        for size in HIDDEN_LAYER_SIZES:
            layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(DROPOUT)]
            width = size
        self.perceptron = nn.Sequential(*layers, nn.Linear(width, n_classes))

    def forward(self, x):
        """Return the logits of rows in module units."""
        if self.embeddings is not None:
            numbers, categories = x[:, : self.n_numeric], x[:, self.n_numeric :]
            x = torch.cat([self.embeddings(numbers).flatten(1), categories], dim=1)
        return self.perceptron(x)


def _embeddings(n_numeric):
    # The outermost bins begin and end near three standard deviations; beyond them, the embedding
    # continues as a straight line.
    shares = np.linspace(0, 1, N_BINS + 1).clip(0.0015, 0.9985)
    edges = torch.as_tensor(ndtri(shares), dtype=torch.float32)
    return PiecewiseLinearEmbeddings(
        [edges] * n_numeric, EMBEDDING_SIZE, activation=False, version="B"
    )
