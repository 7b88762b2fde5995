"""
An ensemble in one network: TabM
================================

Models can be equally accurate and yet disagree about a person, which is called model multiplicity.
Somebody who follows the advice of one model may then be rejected by the next one. An ensemble knows
before any model is replaced which counterfactuals are at risk. TabM [1]_ is an ensemble that costs
little more than a single network.

This example requires the package ``tabm``, which ``pip install ctsk[architectures]`` installs.
"""

# %%
# TabM as a module
# ----------------
# The members of a TabM, its heads, share most of their weights; each one scales the inputs of every
# layer in its own way. ctsk treats a module as an ensemble if it has a method ``heads`` that maps
# rows to logits of shape (rows, heads, classes). In training, each head learns to classify. The
# prediction is what ``forward`` returns, here the mean of the logits.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from tabm import EnsembleView, LinearEnsemble, make_tabm_backbone
from torch import nn

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_heloc

N_HEADS = 8


class TabM(nn.Module):
    """An ensemble of perceptrons that share most of their weights."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        backbone = make_tabm_backbone(
            d_in=n_features,
            n_blocks=2,
            d_block=32,
            dropout=0.1,
            k=N_HEADS,
            start_scaling_init="random-signs",
            start_scaling_init_chunks=[1] * n_features,
        )
        # Each row is repeated for all heads, which have hidden layers and a last layer.
        self.layers = nn.Sequential(
            EnsembleView(k=N_HEADS), backbone, LinearEnsemble(32, n_classes, k=N_HEADS)
        )

    def heads(self, x):
        """Return the logits of each head."""
        return self.layers(x)

    def forward(self, x):
        return self.heads(x).mean(dim=1)


# %%
# Two models
# ----------
# The models predict from a credit report whether somebody will repay a line of credit. They are
# trained on the same table and differ only in their seed, that is, in the initial weights, the
# order of the rows, the dropout and the rows that are held out. They are equally accurate.
heloc = fetch_heloc()
X_train, X_test, y_train, y_test = train_test_split(
    heloc.data, heloc.target, train_size=2000, test_size=1000, stratify=heloc.target, random_state=0
)
clf, other = (
    CounterfactualTrainedClassifier(
        module=TabM,
        lambda_div=0,
        lambda_adv=0,
        lambda_reg=0,
        mutability=heloc.mutability,
        special_values=heloc.special_values,
        random_state=seed,
    ).fit(X_train, y_train)
    for seed in (0, 1)
)
print(f"accuracy: {clf.score(X_test, y_test):.3f} and {other.score(X_test, y_test):.3f}")

# %%
# Agreement of the heads
# ----------------------
# What would have to change for 100 rejected applicants? ``Explanation.agreement`` is the share of
# heads that predict the target for a counterfactual. The last column is the share of
# counterfactuals of the first model that the second one accepts.
rejected = X_test[clf.predict(X_test) != heloc.favorable].head(100)
rows = []
for tau in (0.5, 0.55, 0.6, 0.7):
    explanation = clf.explain(rejected, target=heloc.favorable, tau=tau)
    found = explanation[explanation.valid]
    rows.append(
        {
            "tau": tau,
            "found": explanation.valid.mean(),
            "median cost": np.median(found.cost),
            "agreement": found.agreement.mean(),
            "all heads agree": (found.agreement == 1).mean(),
            "valid for the other": (other.predict(found.counterfactual) == heloc.favorable).mean(),
        }
    )
table = pd.DataFrame(rows).set_index("tau")
print(table.round(2).to_string())

# %%
_, ax = plt.subplots(layout="constrained")
table[["agreement", "all heads agree", "valid for the other"]].plot(ax=ax, marker="o")
ax.set(xlabel="tau", ylabel="share", ylim=(0, 1.05))
plt.show()

# %%
# At a ``tau`` of 0.5, the cheapest counterfactual lies on the decision boundary of the ensemble:
# about half of its heads reject it, and the second model rejects some of them, too. As ``tau`` and
# the cost grow, the heads agree, and the second model agrees with them. It was not needed to see
# that: the heads alone tell how high ``tau`` must be.
#
# What to take away: a counterfactual that convinces all heads of an ensemble does not depend on
# which of several equally good models was deployed. Its price is a higher cost.
#
# .. [1] Gorishniy, Kotelnikov and Babenko, "TabM: advancing tabular deep learning with
#    parameter-efficient ensembling", 2025.
