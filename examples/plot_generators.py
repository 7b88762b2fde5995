"""
Which generator?
================

A generator is the algorithm that searches for counterfactuals. Its penalties and the space in which
it searches determine what the counterfactuals look like.
"""

# %%
# Three generators and one model
# ------------------------------
# The model is a conventional classifier of handwritten digits, whose training did not encourage
# plausible explanations. (Any fitted skorch classifier or torch module can take its place, see
# :func:`ctsk.explain`.)
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ctsk import (
    CounterfactualTrainedClassifier,
    ECCCoGenerator,
    GenericGenerator,
    NearestGenerator,
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
# The target of each test image is the next digit. *Nearest*, the default, searches for the cheapest
# image that the model predicts as the target. *Generic* descends a gradient and only penalizes the
# distance to the image. *ECCCo* additionally prefers images that the model considers typical of the
# target. *REVISE* searches in the latent space of an autoencoder, so that its counterfactuals look
# like the images in ``X_reference``, on which the autoencoder is fitted. In ``explain``, no pixel
# changes by more than 0.05 in one step of a gradient descent; with ``max_step=None``, Generic and
# ECCCo take whole steps.
target = (y_test + 1) % 10
generators = {
    "Nearest": NearestGenerator(),
    "Generic, whole steps": GenericGenerator(max_step=None),
    "Generic": GenericGenerator(),
    "ECCCo, whole steps": ECCCoGenerator(max_step=None),
    "ECCCo": ECCCoGenerator(),
    "REVISE": REVISEGenerator(),
}
explanations = {
    name: conventional.explain(
        X_test, target, generator=generator, tau=0.9, T=200, X_reference=X_train
    )
    for name, generator in generators.items()
}


def distance_to_class(explanation):
    """Return the mean l1 distance of valid counterfactuals to training images of their target."""
    distances = []
    for digit in range(10):
        of_digit = explanation.valid & (explanation.target == digit)
        if of_digit.any():
            counterfactuals = explanation.counterfactual[of_digit]
            distances.append(implausibility(counterfactuals, X_train[y_train == digit]))
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
# The figure shows this. For a conventional model, scattered gray pixels turn one digit into
# another; the counterfactuals of REVISE have strokes instead. The cheapest counterfactual of an
# image is an adversarial example: it changes a few pixels only. On tables, in which each feature
# has a meaning of its own, the cheapest counterfactual is what people ask for. For images, choose
# another generator; see :ref:`nearest-images`.
first = [int(np.flatnonzero(y_test == digit)[0]) for digit in range(10)]
images_of = {"image": X_test}
for name, explanation in explanations.items():
    images_of[name] = explanation.counterfactual
fig, axes = plt.subplots(len(images_of), 10, figsize=(9, 7), layout="constrained")
for row, (name, images) in zip(axes, images_of.items(), strict=True):
    for ax, idx in zip(row, first, strict=True):
        ax.imshow(images[idx].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name.replace(", ", ",\n"), rotation=0, ha="right", va="center")
for ax, idx in zip(axes[0], first, strict=True):
    ax.set_title(f"{y_test[idx]} to {target[idx]}")

# %%
# The effect of training
# ----------------------
# REVISE makes explanations plausible whatever the model has learned. Counterfactual training
# changes the *model*: the counterfactuals of the same Generic search are now closer to real digits.
trained = CounterfactualTrainedClassifier(lambda_reg=0.5, standardize=False, random_state=0).fit(
    X_train, y_train
)
explanation = trained.explain(X_test, target, generator=GenericGenerator(), tau=0.9, T=200)
print(f"accuracy: {trained.score(X_test, y_test):.3f}, valid: {validity(explanation):.2f}")
print(f"implausibility of Generic after CT: {distance_to_class(explanation):.2f}")
