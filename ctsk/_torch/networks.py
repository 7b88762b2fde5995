"""The networks that ctsk builds: a multilayer perceptron and a variational autoencoder."""

import itertools
import math
from numbers import Integral

import numpy as np
import torch
from torch import nn

ACTIVATIONS = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
}
# Lower bound of the standard deviation with which a VAE decodes a number, relative to the
# standard deviation of its column: the likelihood of a number that is decoded exactly
# would be infinite.
_LEAST_LOG_DEVIATION = math.log(0.1)


class _Linear(nn.Linear):
    """A linear layer whose weights are drawn from an explicit generator."""

    def reset_parameters(self):
        """Do nothing: torch would draw from its global generator; see `initialize`."""

    def initialize(self, generator):
        """Draw weights and biases from U(-k, k), k = 1 / sqrt(fan_in), torch's default."""
        bound = 1 / math.sqrt(self.in_features)
        nn.init.uniform_(self.weight, -bound, bound, generator=generator)
        nn.init.uniform_(self.bias, -bound, bound, generator=generator)


class Dropout(nn.Dropout):
    """Dropout whose masks are drawn from an explicit generator, on the CPU."""

    def __init__(self, p, generator):
        super().__init__(p)
        self.generator = generator

    def forward(self, x):
        """Zero a share of the values, and scale the others so that their mean is kept."""
        return x * self.mask(x) if self.training else x

    def mask(self, x):
        """Draw the factors of the values: zero for a share, and the same number for all others."""
        is_kept = torch.rand(x.shape, generator=self.generator) >= self.p
        return is_kept.to(x) / (1 - self.p)


class MLP(nn.Sequential):
    """A multilayer perceptron that returns logits.

    Parameters
    ----------
    n_features : int
    n_classes : int
    hidden_layer_sizes : sequence of int
        Number of units of each hidden layer; empty for a linear model.
    activation : {"identity", "logistic", "tanh", "relu"}
        Activation function of the hidden layers.
    generator : torch.Generator
        The CPU generator from which the initial weights, and the masks of dropout, are drawn.
    dropout : float, default=0.0
        Share of the hidden units that are dropped in training; 0 adds no layer for it.
    """

    def __init__(
        self, n_features, n_classes, *, hidden_layer_sizes, activation, generator, dropout=0.0
    ):
        super().__init__()
        sizes = [n_features, *hidden_layer_sizes, n_classes]
        for depth, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
            if depth:
                self.append(ACTIVATIONS[activation]())
                if dropout:
                    self.append(Dropout(dropout, generator))
            # An explicit dtype, because users may have changed torch's default.
            layer = _Linear(n_in, n_out, dtype=torch.float32)
            layer.initialize(generator)
            self.append(layer)


class VAE(nn.Module):
    r"""A variational autoencoder of rows that mix numbers and categories.

    Parameters
    ----------
    encoded : Tensor of shape (n_rows, n_columns)
        The training rows in module units. They provide the centers and the scales of the
        numbers; the autoencoder takes their dtype and device.
    groups : OneHotGroups
    n_latent : int
        Dimension of the latent space.
    hidden_layer_sizes : sequence of int
        Number of units of each hidden layer of the encoder; the decoder has the same
        layers in reverse order.
    generator : torch.Generator
        The CPU generator from which the initial weights are drawn.

    Notes
    -----
    The prior is standard normal. The likelihood of a number is Gaussian with the decoded
    value as its mean and with a learned standard deviation for each column [1]_; the
    likelihood of a category is categorical. The learned deviations balance the two kinds
    of columns against each other.

    References
    ----------
    .. [1] Rybkin, Daniilidis and Levine, "Simple and effective VAE training with
       calibrated decoders", ICML 2021.
    """

    def __init__(self, encoded, groups, *, n_latent, hidden_layer_sizes, generator):
        super().__init__()
        self.groups = groups
        n_columns, n_numeric = groups.n_columns, groups.n_numeric
        scale, center = torch.std_mean(encoded, dim=0, correction=0)
        is_number = torch.arange(n_columns, device=encoded.device) < n_numeric
        # The deviation of a constant column may be a rounding error instead of 0.
        self.register_buffer("varies", is_number & (scale > 1e-6 * center.abs()))
        self.register_buffer("center", center.where(is_number, 0))
        self.register_buffer("scale", scale.where(self.varies, 1))
        common = {"activation": "relu", "generator": generator}
        sizes = tuple(hidden_layer_sizes)
        self.encoder = MLP(n_columns, 2 * n_latent, hidden_layer_sizes=sizes, **common)
        self.decoder = MLP(n_latent, n_columns, hidden_layer_sizes=sizes[::-1], **common)
        # A deviation of 1 in standardized units is that of a decoder that explains nothing.
        self.log_deviations = nn.Parameter(encoded.new_zeros(n_numeric))
        self.to(encoded)

    def encode(self, encoded):
        """Return the mean code of each row."""
        return self._posterior(encoded)[0]

    def decode(self, codes):
        """Return the mean row of each code: numbers, and weights of categories that sum to one."""
        decoded = self.decoder(codes)
        numbers = decoded[:, : self.groups.n_numeric]
        parts = [decoded[:, columns].softmax(dim=1) for columns in self.groups.slices]
        return torch.cat([numbers, *parts], dim=1) * self.scale + self.center

    def forward(self, encoded, noise, beta=1.0):
        """Return the negative evidence lower bound of each row, up to a constant.

        Parameters
        ----------
        encoded : Tensor of shape (n_rows, n_columns)
            Rows in module units.
        noise : Tensor of shape (n_rows, n_latent)
            Standard normal numbers, which determine the sample from the posterior of each
            row (the reparameterization trick).
        beta : float, default=1.0
            Weight of the divergence from the prior.

        Returns
        -------
        losses : Tensor of shape (n_rows,)
        """
        means, log_variances = self._posterior(encoded)
        decoded = self.decoder(means + noise * (log_variances / 2).exp())
        standardized, n_numeric = self._standardize(encoded), self.groups.n_numeric
        # Gaussian negative log likelihood of the numbers.
        log_deviations = self.log_deviations.clamp(min=_LEAST_LOG_DEVIATION)
        residuals = standardized[:, :n_numeric] - decoded[:, :n_numeric]
        errors = residuals / log_deviations.exp()
        losses = (errors.square() / 2 + log_deviations).sum(dim=1)
        # Cross-entropy of each category.
        for columns in self.groups.slices:
            log_shares = decoded[:, columns].log_softmax(dim=1)
            losses = losses - (standardized[:, columns] * log_shares).sum(dim=1)
        # Kullback-Leibler divergence of the posterior from the standard normal prior.
        divergences = means.square() + log_variances.exp() - log_variances - 1
        return losses + beta * divergences.sum(dim=1) / 2

    def _standardize(self, encoded):
        return (encoded - self.center) / self.scale

    def _posterior(self, encoded):
        """Return the means and the log variances of the code of each row."""
        return self.encoder(self._standardize(encoded)).chunk(2, dim=1)


def check_layers(hidden_layer_sizes):
    """Return the sizes of the hidden layers as a list of int."""
    # Under dtype=object, NumPy accepts ragged input, so that the error below names the parameter.
    sizes = np.atleast_1d(np.asarray(hidden_layer_sizes, dtype=object)).tolist()
    if not all(isinstance(size, Integral) and size >= 1 for size in sizes):
        raise ValueError(
            f"hidden_layer_sizes={hidden_layer_sizes!r} must contain positive integers only; () "
            "specifies a linear model."
        )
    return [int(size) for size in sizes]
