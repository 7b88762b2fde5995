"""
Embeddings of numbers
=====================

On tables, networks often lose to boosted trees. One reason is that a network needs many units to
react to a narrow range of a number. Embeddings turn each number into a vector first, which makes
this easier. How much more accurate is a model with embeddings, and what does it look like?

This example requires the package ``rtdl_num_embeddings``, which ``pip install ctsk[architectures]``
installs.
"""

# %%
# A network with embeddings
# -------------------------
# The parameter ``module`` is a function, or a class, that returns a network. If it has a parameter
# ``n_numeric``, it receives the number of columns that are numbers. These come first; the one-hot
# columns of categories, which need no embedding, follow them.
#
# A piecewise-linear embedding [1]_ divides the range of a number into bins, and learns a vector for
# each of them. Between the edges of a bin, the embedding is linear. Numbers are standardized before
# they reach the module, so that the same edges serve all of them: the quantiles of a normal
# distribution.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from rtdl_num_embeddings import PeriodicEmbeddings, PiecewiseLinearEmbeddings
from scipy.stats import norm
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from torch import nn

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_california_housing

SIZE = 16
EDGES = torch.as_tensor(norm.ppf(np.linspace(0.002, 0.998, 17)), dtype=torch.float32)


class EmbeddedMLP(nn.Module):
    """A multilayer perceptron on embeddings of the numbers."""

    def __init__(self, n_features, n_classes, embeddings, n_numeric):
        super().__init__()
        self.n_numeric = n_numeric
        self.embeddings = embeddings
        self.perceptron = nn.Sequential(
            nn.Linear(SIZE * n_numeric + n_features - n_numeric, 64),
            nn.ReLU(),
            nn.Linear(64, n_classes),
        )

    def forward(self, x):
        numbers, categories = x[:, : self.n_numeric], x[:, self.n_numeric :]
        embedded = self.embeddings(numbers).flatten(1)
        return self.perceptron(torch.cat([embedded, categories], dim=1))


def piecewise_linear(n_features, n_classes, n_numeric):
    """Return a network with piecewise-linear embeddings."""
    embeddings = PiecewiseLinearEmbeddings([EDGES] * n_numeric, SIZE, activation=False, version="B")
    return EmbeddedMLP(n_features, n_classes, embeddings, n_numeric)


def periodic(n_features, n_classes, n_numeric):
    """Return a network with embeddings by sines and cosines."""
    embeddings = PeriodicEmbeddings(n_numeric, SIZE, frequency_init_scale=0.3, lite=False)
    return EmbeddedMLP(n_features, n_classes, embeddings, n_numeric)


# %%
# Accuracy and explanations
# -------------------------
# The data are districts of California; the models predict whether houses are expensive there. All
# networks are trained conventionally, with early stopping. What would have to change in 300
# districts for houses to be expensive? The location of a district and the age of its houses are
# immutable.
california = fetch_california_housing()
X_train, X_test, y_train, y_test = train_test_split(
    california.data,
    california.target,
    train_size=4000,
    test_size=3000,
    stratify=california.target,
    random_state=0,
)
settings = {
    "lambda_div": 0,
    "lambda_adv": 0,
    "lambda_reg": 0,
    "weight_decay": 0.1,
    "mutability": california.mutability,
    "random_state": 0,
}
models = {
    "no embedding": CounterfactualTrainedClassifier((64,), **settings),
    "periodic": CounterfactualTrainedClassifier(module=periodic, **settings),
    "piecewise linear": CounterfactualTrainedClassifier(module=piecewise_linear, **settings),
}
cheap = X_test[y_test == 0].head(300)
table, explanations = {}, {}
for name, clf in models.items():
    clf.fit(X_train, y_train)
    proba = clf.predict_proba(X_test)
    explanations[name] = explanation = clf.explain(cheap, target=1)
    table[name] = {
        "log loss": log_loss(y_test, proba),
        "accuracy": clf.score(X_test, y_test),
        "valid counterfactuals": explanation.valid.mean(),
        "median cost": np.median(explanation.cost[explanation.valid]),
    }
print(pd.DataFrame(table).round(3).to_string())

# %%
# Both kinds of embeddings make the model more accurate. It is then also surer of its predictions,
# so that the ``tau`` of 0.75 is reached at a lower cost.
#
# What a model with embeddings sees
# ---------------------------------
# The lines show the probability of expensive houses for a median district that moves from west to
# east. Without an embedding, the probability falls slowly. With an embedding, the model has learned
# that it falls at a certain longitude. A periodic embedding can oscillate anywhere, whereas a
# piecewise-linear one only bends at the edges of its bins.
longitudes = np.linspace(-124, -114.5, 300)
rows = pd.DataFrame([X_test.median()] * len(longitudes)).assign(longitude=longitudes)
_, ax = plt.subplots(layout="constrained")
for name, clf in models.items():
    ax.plot(longitudes, clf.predict_proba(rows)[:, 1], label=name)
ax.set(xlabel="longitude", ylabel="probability of expensive houses")
ax.legend()
plt.show()

# %%
# Explained rows
# --------------
# Counterfactuals are searched in the units of the table, whatever the module makes of its input.
print(explanations["piecewise linear"].changes().head(8).round(2).to_string())

# %%
# What to take away: embeddings of numbers take a class of a few lines. Start with piecewise-linear
# ones, which cannot oscillate between their edges. Proofs are not available for networks with
# embeddings, because they require a network of linear layers and ReLUs; see :ref:`architectures`.
#
# .. [1] Gorishniy, Rubachev and Babenko, "On embeddings for numerical features in tabular deep
#    learning", 2022.
