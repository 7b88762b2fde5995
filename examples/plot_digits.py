"""
Plausible digits
================

What turns a 4 into a 9: a stroke, or noise that only the model sees? For images, the cheapest
counterfactual is an adversarial example. This example compares searches and models by the images
that they find.
"""

# %%
# Two models of handwritten digits
# --------------------------------
# The images are those of MNIST, of 28 x 28 pixels between -1 and 1, or, if they cannot be had, the
# 8 x 8 ones of scikit-learn. Pixels are not standardized, because a pixel that is white in nearly
# all images would get a huge scale.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_mnist
from ctsk.metrics import implausibility
from ctsk.plotting import ImageCounterfactualDisplay

try:
    images, digits = fetch_mnist(return_X_y=True, download_if_missing=False)
except OSError:
    images, digits = load_digits(return_X_y=True)
    images = images / 8 - 1
side = int(images.shape[1] ** 0.5)
X_train, X_test, y_train, y_test = train_test_split(
    images, digits, train_size=1000, test_size=200, stratify=digits, random_state=0
)
settings = {
    "standardize": False,
    "domain": {"*": (-1, 1)},
    "resolution": None,
    "n_counterfactuals": 100,
    "T": 20,
    "lr": 0.002,
    # The epoch with the smallest loss of held-out images would come before counterfactuals matter.
    "early_stopping": False,
    "max_epochs": 15,
    "random_state": 0,
}
models = {
    "conventional": CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, **settings
    ),
    "counterfactual": CounterfactualTrainedClassifier(lambda_reg=0.01, **settings),
}
for name, clf in models.items():
    clf.fit(X_train, y_train)
    print(f"accuracy after {name} training: {clf.score(X_test, y_test):.3f}")

# %%
# Three searches
# --------------
# The images are the first test image of each of five digits, which were not selected otherwise, and
# their target is the next digit. *Nearest*, the default, searches for the cheapest image that the
# model predicts as the target. *ECCCo* prefers images that the model considers typical of the
# target. *REVISE* searches in the latent space of an autoencoder of the training images, so that
# all of its counterfactuals are images that the autoencoder can draw.
first = [int(np.flatnonzero(y_test == digit)[0]) for digit in range(5)]
searches = [
    ("conventional", "nearest"),
    ("conventional", "eccco"),
    ("counterfactual", "eccco"),
    ("conventional", "revise"),
]
explanations = {
    (name, generator): models[name].explain(
        X_test[first], y_test[first] + 1, generator=generator, X_reference=X_train
    )
    for name, generator in searches
}

fig, axes = plt.subplots(5, 5, figsize=(7, 6.4), layout="constrained")
lines = {"image": X_test[first]}
for (name, generator), explanation in explanations.items():
    lines[f"{generator},\n{name}\ntraining"] = explanation.counterfactual
for line, (name, rows) in zip(axes, lines.items(), strict=True):
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, row in zip(line, rows, strict=True):
        ax.imshow(row.reshape(side, side), cmap="gray", vmin=-1, vmax=1)
        ax.set(xticks=[], yticks=[])
for digit, ax in enumerate(axes[0]):
    ax.set_title(f"{digit} to {digit + 1}")

# %%
# The cheapest counterfactuals hardly look like their target: single pixels, black or white, deceive
# the model. ECCCo adds and removes parts of strokes. Under conventional training, it also scatters
# noise over the background; after counterfactual training, the background is smoother, and some
# strokes are clearer. REVISE redraws the whole image, with blurred strokes; not all of its images
# are digits either.
#
# What changed
# ------------
# The display shows an image, its counterfactual, and their difference.
for name in models:
    display = ImageCounterfactualDisplay.from_explanation(
        explanations[name, "eccco"], rows=[0, 1, 2]
    )
    display.figure_.suptitle(f"{name} training, ECCCo")
plt.show()

# %%
# Over all test images
# --------------------
# Implausibility is the mean l1 distance of the valid counterfactuals to the training images of
# their target. Both models are explained by ECCCo.
target = (y_test + 1) % 10
scores = {}
for name, clf in models.items():
    explanation = clf.explain(X_test, target, generator="eccco")
    distances = [
        implausibility(
            explanation.counterfactual[explanation.valid & (target == digit)],
            X_train[y_train == digit],
        )
        for digit in range(10)
    ]
    scores[name] = {
        "valid": explanation.valid.mean(),
        "cost": np.median(explanation.cost[explanation.valid]),
        "implausibility": np.concatenate(distances).mean(),
    }
print(pd.DataFrame(scores).round(2).to_string())

# %%
# After counterfactual training, counterfactuals come closer to images of their target, at a higher
# cost; and the model is less accurate in this short training on few images. :ref:`results` has the
# figures for a longer one.
#
# What to take away: for images, choose ``generator="eccco"`` or ``"revise"`` instead of the
# default, and look at the images before you trust a number.
