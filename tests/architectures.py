"""Modules of other packages for ``module=``, which tests train and explain."""

import torch
from rtdl_num_embeddings import PeriodicEmbeddings, PiecewiseLinearEmbeddings
from tabm import EnsembleView, LinearEnsemble, make_tabm_backbone
from torch import nn

EDGES = torch.linspace(-2.0, 2.0, 6)
SIZE = 4


def periodic(n_numeric):
    return PeriodicEmbeddings(n_numeric, SIZE, frequency_init_scale=0.1, lite=False)


def piecewise_linear(n_numeric):
    return PiecewiseLinearEmbeddings([EDGES] * n_numeric, SIZE, activation=False, version="B")


class EmbeddedNet(nn.Module):
    """A perceptron with embeddings of the numbers."""

    def __init__(self, n_features, n_classes, n_numeric, *, embeddings):
        super().__init__()
        self.n_numeric = n_numeric
        self.embeddings = embeddings(n_numeric)
        self.perceptron = self.make_perceptron(n_features - n_numeric, n_classes)

    def make_perceptron(self, n_categories, n_classes):
        n_inputs = SIZE * self.n_numeric + n_categories
        return nn.Sequential(nn.Linear(n_inputs, 16), nn.ReLU(), nn.Linear(16, n_classes))

    def embed(self, x):
        numbers, categories = x[:, : self.n_numeric], x[:, self.n_numeric :]
        return torch.cat([self.embeddings(numbers).flatten(1), categories], dim=1)

    def forward(self, x):
        return self.perceptron(self.embed(x))


class TabMNet(EmbeddedNet):
    """An ensemble of four perceptrons that share most of their weights."""

    N_HEADS = 4

    def make_perceptron(self, n_categories, n_classes):
        chunks = [SIZE] * self.n_numeric + [1] * n_categories
        backbone = make_tabm_backbone(
            d_in=sum(chunks),
            n_blocks=2,
            d_block=16,
            dropout=0.1,
            k=self.N_HEADS,
            start_scaling_init="normal",
            start_scaling_init_chunks=chunks,
        )
        last = LinearEnsemble(16, n_classes, k=self.N_HEADS)
        return nn.Sequential(EnsembleView(k=self.N_HEADS), backbone, last)

    def heads(self, x):
        return self.perceptron(self.embed(x))

    def forward(self, x):
        return self.heads(x).mean(dim=1)
