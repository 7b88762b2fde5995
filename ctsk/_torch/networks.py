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
# Of a number that a VAE decodes, relative to that of its column: what is decoded
# exactly would be infinitely likely.
_LEAST_LOG_DEVIATION = math.log(0.1)


class _Linear(nn.Linear):
    """A linear layer whose weights are drawn from a generator of our own."""

    def reset_parameters(self):
        """Leave the weights to `initialize`: torch would use its global generator."""

    def initialize(self, generator):
        """Draw weights and biases from U(-k, k), k = 1 / sqrt(fan_in), torch's default."""
        bound = 1 / math.sqrt(self.in_features)
        nn.init.uniform_(self.weight, -bound, bound, generator=generator)
        nn.init.uniform_(self.bias, -bound, bound, generator=generator)


class MLP(nn.Sequential):
    """A multilayer perceptron that returns logits.

    Parameters
    ----------
    n_features : int
    n_classes : int
    hidden_layer_sizes : sequence of int
        Empty for a linear model.
    activation : {"identity", "logistic", "tanh", "relu"}
    generator : torch.Generator
        Where the initial weights come from; a CPU generator.
    """

    def __init__(self, n_features, n_classes, *, hidden_layer_sizes, activation, generator):
        super().__init__()
        sizes = [n_features, *hidden_layer_sizes, n_classes]
        for depth, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
            if depth:
                self.append(ACTIVATIONS[activation]())
            layer = _Linear(n_in, n_out)
            layer.initialize(generator)
            self.append(layer)


class VAE(nn.Module):
    r"""A variational autoencoder of rows that mix numbers and categories.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
        Of which the numbers' centres and scales are taken.
    groups : OneHotGroups
    n_latent : int
    hidden_layer_sizes : sequence of int
        Of the encoder; the decoder has them in reverse.
    generator : torch.Generator
        Where the initial weights come from; a CPU generator.

    Notes
    -----
    The prior is a standard normal one. Numbers are Gaussian around the decoded mean with
    a standard deviation of their own, which is learnt [1]_, categories are categorical;
    so neither kind drowns the other.

    References
    ----------
    .. [1] Rybkin, Daniilidis and Levine, "Simple and effective VAE training with
       calibrated decoders", ICML 2021.
    """

    def __init__(self, rows, groups, *, n_latent, hidden_layer_sizes, generator):
        super().__init__()
        self.groups = groups
        n_columns, n_numeric = groups.n_columns, groups.n_numeric
        scale, center = torch.std_mean(rows, dim=0, correction=0)
        is_number = torch.arange(n_columns, device=rows.device) < n_numeric
        # The deviation of a constant may be its rounding.
        self.register_buffer("varies", is_number & (scale > 1e-6 * center.abs()))
        self.register_buffer("center", center.where(is_number, 0))
        self.register_buffer("scale", scale.where(self.varies, 1))
        common = {"activation": "relu", "generator": generator}
        sizes = tuple(hidden_layer_sizes)
        self.encoder = MLP(n_columns, 2 * n_latent, hidden_layer_sizes=sizes, **common)
        self.decoder = MLP(n_latent, n_columns, hidden_layer_sizes=sizes[::-1], **common)
        self.log_deviations = nn.Parameter(torch.zeros(n_numeric))
        self.to(rows)

    def encode(self, rows):
        """Return the mean code of each row."""
        return self._posterior(rows)[0]

    def decode(self, codes):
        """Return the mean row of each code: numbers, and weights of categories that sum to one."""
        decoded = self.decoder(codes)
        numbers = decoded[:, : self.groups.n_numeric]
        parts = [decoded[:, columns].softmax(dim=1) for columns in self.groups.slices]
        return torch.cat([numbers, *parts], dim=1) * self.scale + self.center

    def forward(self, rows, noise, beta=1.0):
        """Return the negative evidence lower bound of each row, up to a constant.

        Parameters
        ----------
        rows : Tensor of shape (n_rows, n_columns)
        noise : Tensor of shape (n_rows, n_latent)
            Standard normal: where in its posterior each row is decoded.
        beta : float, default=1.0
            Weight of the divergence from the prior.
        """
        means, log_variances = self._posterior(rows)
        decoded = self.decoder(means + noise * (log_variances / 2).exp())
        rows, n_numeric = (rows - self.center) / self.scale, self.groups.n_numeric
        log_deviations = self.log_deviations.clamp(min=_LEAST_LOG_DEVIATION)
        errors = (rows[:, :n_numeric] - decoded[:, :n_numeric]) / log_deviations.exp()
        losses = (errors.square() / 2 + log_deviations).sum(dim=1)
        for columns in self.groups.slices:
            losses = losses - (rows[:, columns] * decoded[:, columns].log_softmax(dim=1)).sum(dim=1)
        divergences = means.square() + log_variances.exp() - log_variances - 1
        return losses + beta * divergences.sum(dim=1) / 2

    def _posterior(self, rows):
        """Means and log variances of the code of each row."""
        return self.encoder((rows - self.center) / self.scale).chunk(2, dim=1)


def check_layers(hidden_layer_sizes):
    """Return the sizes of the hidden layers as a list of int."""
    sizes = np.atleast_1d(np.asarray(hidden_layer_sizes, dtype=object)).tolist()
    if not all(isinstance(size, Integral) and size >= 1 for size in sizes):
        raise ValueError(
            f"hidden_layer_sizes={hidden_layer_sizes!r} must hold positive integers; () is a "
            "linear model."
        )
    return [int(size) for size in sizes]
