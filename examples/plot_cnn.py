"""
A convolutional network
=======================

The classifier builds a multilayer perceptron by default. Can another architecture be trained
counterfactually? The parameter ``module`` accepts any function that returns a torch module.
"""

# %%
# A module of one's own
# ---------------------
# The function is called with the numbers of features and classes. Its module gets rows, so the
# first layer turns a row of 64 pixels back into an image. The last layer returns one logit per
# class.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from ctsk import CounterfactualTrainedClassifier
from ctsk.metrics import implausibility, robust_accuracy
from ctsk.plotting import ImageCounterfactualDisplay


def convolutional_network(n_features, n_classes):
    """Return a network with two convolutional layers."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 8, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, n_classes),
    )


# %%
# Training and evaluation
# -----------------------
# Pixels are scaled to [-1, 1] and not standardized, because a pixel that is white in nearly all
# images would get a huge scale. With ``resolution=None``, counterfactuals may use all shades of
# gray. The same network is trained conventionally and counterfactually.
images, digits = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    images / 8 - 1, digits, test_size=400, stratify=digits, random_state=0
)
settings = {
    "module": convolutional_network,
    "standardize": False,
    "domain": {"*": (-1, 1)},
    "resolution": None,
    "n_counterfactuals": 200,
    "lr": 0.003,
    "max_epochs": 20,
    "random_state": 0,
}
models = {
    "conventional": CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, **settings
    ),
    "counterfactual": CounterfactualTrainedClassifier(**settings),
}
target = (y_test + 1) % 10
explanations, scores = {}, {}
for name, clf in models.items():
    clf.fit(X_train, y_train)
    # On images, the cheapest counterfactual is an adversarial example, so the search is ECCCo.
    explanation = clf.explain(X_test, target, generator="eccco")
    explanations[name] = explanation
    distances = [
        implausibility(explanation.counterfactual[target == digit], X_train[y_train == digit])
        for digit in clf.classes_
    ]
    scores[name] = {
        "accuracy": clf.score(X_test, y_test),
        "accuracy under attack (FGSM, 0.2)": robust_accuracy(
            clf, X_test, y_test, epsilon=0.2, attack="fgsm"
        ),
        "valid counterfactuals": explanation.valid.mean(),
        "implausibility": np.concatenate(distances).mean(),
    }
print(pd.DataFrame(scores).round(3).to_string())

# %%
# Both networks are equally accurate. After counterfactual training, the network keeps more of its
# accuracy under attack, and its counterfactuals lie closer to images of their class.
#
# Counterfactuals of both models
# ------------------------------
# The rows are the first test image of each of the digits 0 to 2, and the target is the next digit.
rows = [int(np.flatnonzero(y_test == digit)[0]) for digit in range(3)]
for name, explanation in explanations.items():
    display = ImageCounterfactualDisplay.from_explanation(explanation, shape=(8, 8), rows=rows)
    display.figure_.suptitle(f"{name} training")
plt.show()

# %%
# What to take away: ``module`` brings any architecture. Avoid layers that mix the rows of a batch,
# such as batch normalization, because training rows and counterfactuals share a batch.
