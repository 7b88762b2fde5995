"""
An ensemble in one network: TabM
================================

Several models can be equally accurate and yet disagree about a person. Then it depends on chance,
on which of them was deployed, whether a change that one model demands convinces the next one. This
is called model multiplicity. TabM is an ensemble in a single network. Its members, the *heads*, tell
before anything is retrained which counterfactuals would convince other models, too.

This example requires the package ``tabm``, which ``pip install ctsk[architectures]`` installs.
"""

# %%
# TabM as a module
# ----------------
# The members of a TabM share most of their weights. Each scales the inputs of the layers in its own
# way. A module that has a method ``heads``, which maps rows to logits of shape (rows, heads, classes),
# is an ensemble for ctsk. What it predicts is up to its ``forward``, here the mean of the logits.
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.model_selection import train_test_split
from tabm import EnsembleView, LinearEnsemble, make_tabm_backbone
from torch import nn

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_heloc

N_HEADS = 16


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
        # Copies of each row, then the hidden layers, then one linear layer per head.
        self.layers = nn.Sequential(
            EnsembleView(k=N_HEADS), backbone, LinearEnsemble(32, n_classes, k=N_HEADS)
        )

    def heads(self, x):
        """Return the logits of each head."""
        return self.layers(x)

    def forward(self, x):
        return self.heads(x).mean(dim=1)


# %%
# Applicants for a line of credit
# -------------------------------
# The model predicts from a credit report whether somebody will repay. A second model differs from the
# first in its initial weights and in the order of the rows only.
heloc = fetch_heloc()
X_train, X_test, y_train, y_test = train_test_split(
    heloc.data, heloc.target, train_size=3000, test_size=1500, stratify=heloc.target, random_state=0
)
settings = {
    "module": TabM,
    "early_stopping": True,
    "lambda_div": 0,
    "lambda_adv": 0,
    "lambda_reg": 0,
    "mutability": heloc.mutability,
    "special_values": heloc.special_values,
}
clf, retrained = (
    CounterfactualTrainedClassifier(**settings, random_state=seed).fit(X_train, y_train)
    for seed in (0, 1)
)
print(
    f"accuracy: {clf.score(X_test, y_test):.3f}, retrained: {retrained.score(X_test, y_test):.3f}"
)

# %%
# Agreement and the probability to reach
# --------------------------------------
favorable = heloc.favorable
rejected = X_test[clf.predict(X_test) != favorable].head(200)
table = []
for tau in (0.5, 0.55, 0.6, 0.65, 0.7, 0.8):
    explanation = clf.explain(rejected, target=favorable, tau=tau)
    found = explanation[explanation.valid]
    convinces = retrained.predict(found.counterfactual) == favorable
    table.append(
        {
            "tau": tau,
            "valid": explanation.valid.mean(),
            "median cost": pd.Series(found.cost).median(),
            "mean agreement": found.agreement.mean(),
            "all heads agree": (found.agreement == 1).mean(),
            "valid for the retrained model": convinces.mean(),
        }
    )
table = pd.DataFrame(table).set_index("tau")
print(table.round(2).to_string())
explanation = clf.explain(rejected, target=favorable, tau=0.5)
found = explanation[explanation.valid]
convinces = pd.Series(retrained.predict(found.counterfactual) == favorable)
print(
    convinces.groupby(pd.cut(found.agreement, [0, 0.25, 0.5, 0.75, 0.99, 1])).agg(["mean", "size"])
)
