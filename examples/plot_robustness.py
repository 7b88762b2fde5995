"""
Robust accuracy
===============

How much accuracy does a model keep if somebody tampers with its input, or if a measurement is a
little off? This example attacks three models of house prices, and shows what the attack assumes.
"""

# %%
# Three models
# ------------
# The data are districts of California; the models predict whether houses are expensive there. One
# model is trained conventionally, one with the adversarial loss only, which treats counterfactuals
# that are still close to their factual as adversarial examples, and one with the whole objective.
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.model_selection import train_test_split

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_california_housing
from ctsk.metrics import robust_accuracy
from ctsk.plotting import RobustnessDisplay

california = fetch_california_housing()
X_train, X_test, y_train, y_test = train_test_split(
    california.data,
    california.target,
    train_size=2000,
    test_size=1000,
    stratify=california.target,
    random_state=0,
)
WEIGHTS = {
    "conventional": {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0},
    "adversarial loss only": {"lambda_div": 0, "lambda_reg": 0},
    "counterfactual": {},
}
models = {
    name: CounterfactualTrainedClassifier(**weights, max_epochs=40, random_state=0).fit(
        X_train, y_train
    )
    for name, weights in WEIGHTS.items()
}

# %%
# Accuracy against epsilon
# ------------------------
# The attack, projected gradient descent, may change every feature by epsilon standard deviations.
_, ax = plt.subplots(layout="constrained")
for name, clf in models.items():
    RobustnessDisplay.from_estimator(
        clf,
        X_test,
        y_test,
        epsilons=[0, 0.02, 0.04, 0.06, 0.08, 0.1],
        attack="pgd",
        name=name,
        ax=ax,
    )
plt.show()

# %%
# Without an attack, the counterfactually trained model is slightly less accurate, and it keeps most
# under strong attacks. The adversarial loss alone makes no difference here: its adversarial
# examples are states on the path of a search, not the worst ones within epsilon. Where robustness
# is all that matters, adversarial training is the better choice, see :ref:`results`.
#
# What an attacker can change
# ---------------------------
# Nobody can move a district. If the attack has to leave latitude and longitude as they are, it does
# less harm to all models, and the difference between them is smaller.
features = [name for name in california.data if name not in ("latitude", "longitude")]
table = {}
for name, clf in models.items():
    table[name] = {
        "no attack": clf.score(X_test, y_test),
        "all features": robust_accuracy(clf, X_test, y_test, epsilon=0.1, attack="pgd"),
        "without location": robust_accuracy(
            clf, X_test, y_test, epsilon=0.1, attack="pgd", features=features
        ),
    }
print(pd.DataFrame(table).round(3).to_string())

# %%
# What to take away: report accuracy under the attacks that can happen to your data, next to the
# accuracy without an attack, because the first is often bought with the second.
