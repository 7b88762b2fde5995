"""
Fine-tuning an existing torch model
===================================

A network was trained long ago, by a training loop of its own. Does it have to be trained anew to
become more explainable? Counterfactual training can continue from its weights.
"""

# %%
# The existing model
# ------------------
# A multilayer perceptron recognizes handwritten digits. It knows nothing of ``ctsk``.
from copy import deepcopy

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import ctsk
from ctsk.metrics import implausibility, robust_accuracy
from ctsk.plotting import TrainingHistoryDisplay

images, digits = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    (images / 8 - 1).astype(np.float32), digits, test_size=400, stratify=digits, random_state=0
)
torch.manual_seed(0)  # noqa: TID251 -- a script that does not know ctsk
network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
rows, labels = torch.from_numpy(X_train), torch.from_numpy(y_train)
for _ in range(200):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(network(rows), labels)
    loss.backward()
    optimizer.step()

# %%
# Fine-tuning
# -----------
# The parameter ``module`` is a function that returns a module, whose weights are kept. The function
# returns a copy here, so that the existing model remains as it is. The pixels must arrive as the
# network has known them, so they are not standardized. Each call of ``partial_fit`` trains one more
# epoch.
clf = ctsk.CounterfactualTrainedClassifier(
    module=lambda n_features, n_classes: deepcopy(network),
    standardize=False,
    domain={"*": (-1, 1)},
    resolution=None,
    n_counterfactuals=300,
    lambda_reg=0.02,
    lr=0.003,
    random_state=0,
)
target = (y_test + 1) % 10


def evaluate(module):
    """Return the scores of a module, whichever way it was trained."""
    explanation = ctsk.explain(
        module,
        X_test,
        target,
        generator="eccco",
        X_reference=X_train,
        domain={"*": (-1, 1)},
    )
    distances = [
        implausibility(explanation.counterfactual[target == digit], X_train[y_train == digit])
        for digit in range(10)
    ]
    return {
        "accuracy": (explanation.factual_prediction == y_test).mean(),
        "valid": explanation.valid.mean(),
        "implausibility": np.concatenate(distances).mean(),
    }


scores = {0: evaluate(network)}
for epoch in range(1, 31):
    clf.partial_fit(X_train, y_train, classes=np.arange(10))
    if epoch in (3, 10, 30):
        scores[epoch] = evaluate(clf.net_.module_)
print(pd.DataFrame(scores).T.rename_axis("epochs").round(3).to_string())

# %%
# Within three epochs, the counterfactuals come closer to images of their class. Accuracy falls at
# first, and most of it returns in later epochs.
#
# The course of the training
# --------------------------
# The history holds the terms of the loss and the share of counterfactuals that are mature. The
# ridge, the penalty of large energies, falls steeply at first, because the energies of a network
# that was trained conventionally are large; it rises slowly afterwards, while the divergence falls.
_ = TrainingHistoryDisplay.from_estimator(clf)

# %%
# An estimator that was fitted conventionally is fine-tuned in the same way, without a detour
# through ``module``: set ``lambda_div``, ``lambda_adv`` and ``lambda_reg`` by ``set_params``, and
# call ``partial_fit``, or ``fit`` with ``warm_start=True``.
conventional = ctsk.CounterfactualTrainedClassifier(
    lambda_div=0, lambda_adv=0, lambda_reg=0, standardize=False, max_epochs=30, random_state=0
).fit(X_train, y_train)
attack = {"epsilon": 0.2, "attack": "fgsm"}
before = robust_accuracy(conventional, X_test, y_test, **attack)
conventional.set_params(
    lambda_div=0.5, lambda_adv=0.25, lambda_reg=0.1, n_counterfactuals=300, warm_start=True
)
conventional.set_params(max_epochs=15).fit(X_train, y_train)
after = robust_accuracy(conventional, X_test, y_test, **attack)
print(f"accuracy under attack: {before:.2f} before, {after:.2f} after 15 more epochs")

# %%
# What to take away: fine-tune before you retrain, and follow accuracy and explanations from epoch
# to epoch to decide when to stop.
