"""
Which generator?
================

A generator is the search for counterfactuals. What it pays for, and where it searches,
decides what its counterfactuals look like.
"""

# %%
# Three searches, one model
# -------------------------
# Handwritten digits, and a conventional classifier, which was never told what a digit looks
# like. (Any fitted skorch classifier or torch module would do: see :func:`ctsk.explain`.)
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ctsk import (
    CounterfactualTrainedClassifier,
    ECCCoGenerator,
    GenericGenerator,
    REVISEGenerator,
)
from ctsk.metrics import cost, implausibility, validity

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)
conventional = CounterfactualTrainedClassifier(
    lambda_div=0, lambda_adv=0, lambda_reg=0, standardize=False, random_state=0
).fit(X_train, y_train)
print(f"accuracy: {conventional.score(X_test, y_test):.3f}")

# %%
# Every test image is to become the next digit. *Generic* takes the shortest way across the
# decision boundary; *ECCCo* also wants the model to find the image typical of its class;
# *REVISE* moves through the codes of an autoencoder of the training images, so that what
# comes out looks like one of them. It learns that from ``X_reference``. With pixels between
# 0 and 1, a step of 0.25 is a long one for the first two; they may take shorter ones, too.
target = (y_test + 1) % 10
searches = {
    "Generic": GenericGenerator(),
    "Generic, short steps": GenericGenerator(step_size=0.02),
    "ECCCo": ECCCoGenerator(),
    "ECCCo, short steps": ECCCoGenerator(step_size=0.02),
    "REVISE": REVISEGenerator(),
}
explanations = {
    name: conventional.explain(
        X_test, target, generator=generator, tau=0.9, T=200, X_reference=X_train
    )
    for name, generator in searches.items()
}


def distance_to_class(explanation):
    """Mean l1 distance of valid counterfactuals to the training images of their target."""
    distances = [
        implausibility(explanation.counterfactual[found], X_train[y_train == digit])
        for digit in range(10)
        for found in [explanation.valid & (explanation.target == digit)]
        if found.any()
    ]
    return np.concatenate(distances).mean()


table = pd.DataFrame(
    {
        name: {
            "valid": validity(explanation),
            "implausibility": distance_to_class(explanation),
            "cost": cost(explanation)[explanation.valid].mean(),
        }
        for name, explanation in explanations.items()
    }
).T.round(2)
print(table.to_string())

# %%
# The picture says the same: to a conventional model, scattered grey pixels make one digit out
# of another. What comes from the codes has strokes in their place.
chosen = [int(np.flatnonzero(y_test == digit)[0]) for digit in range(10)]
fig, axes = plt.subplots(len(searches) + 1, 10, figsize=(10, 1.05 * (len(searches) + 1)))
rows = {"image": X_test} | {name: e.counterfactual for name, e in explanations.items()}
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, i in zip(line, chosen, strict=True):
        ax.imshow(images[i].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name.replace(", ", ",\n"), rotation=0, ha="right", va="center")
for ax, i in zip(axes[0], chosen, strict=True):
    ax.set_title(f"{y_test[i]} to {target[i]}")
fig.tight_layout()

# %%
# What training does
# ------------------
# REVISE makes an explanation plausible whatever the model has learnt. Counterfactual
# training changes the *model*: the same shortest way now ends closer to real digits.
trained = CounterfactualTrainedClassifier(lambda_reg=0.5, standardize=False, random_state=0).fit(
    X_train, y_train
)
ours = trained.explain(X_test, target, generator=GenericGenerator(), tau=0.9, T=200)
print(f"accuracy: {trained.score(X_test, y_test):.3f}, valid: {validity(ours):.2f}")
print(f"implausibility of Generic, counterfactually trained: {distance_to_class(ours):.2f}")
