"""
The cheapest counterfactual
===========================

By default, ``explain`` searches for the cheapest counterfactual of each row. This example compares
this search with that of the training, ECCCo: first in a figure, then on patients. The page
:ref:`nearest` describes what the default search does.
"""

# %%
# Two searches and two models
# ---------------------------
# The data are two moons. One model is trained conventionally, the other one counterfactually. A
# line leads from each row of the lower moon to its counterfactual, to which the model assigns a
# probability of at least 0.75 of belonging to the upper moon.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from ctsk import CounterfactualTrainedClassifier, NearestGenerator
from ctsk.datasets import make_moons_like
from ctsk.metrics import nearest_neighbor_distance

X, y = make_moons_like(1500, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
models = {
    "conventional training": CounterfactualTrainedClassifier(**CONVENTIONAL, random_state=0),
    "counterfactual training": CounterfactualTrainedClassifier(lambda_reg=0.25, random_state=0),
}
UPPER, LOWER = 0, 1


def measures(explanation, observed):
    """Return the medians of what counterfactuals cost and how far they are from real rows."""
    mature = explanation[explanation.mature]
    distances = nearest_neighbor_distance(mature.counterfactual_encoded, observed)
    return np.median(mature.cost), np.median(distances)


# The probabilities of the background are those of a fine grid of points.
ends = [np.linspace(X[:, d].min() - 0.2, X[:, d].max() + 0.2, 150) for d in range(2)]
horizontal, vertical = np.meshgrid(*ends)
points = np.column_stack([horizontal.ravel(), vertical.ravel()])
colors = {UPPER: "tab:blue", LOWER: "tab:orange"}

fig, axes = plt.subplots(2, 2, figsize=(10, 7.5), sharex=True, sharey=True, layout="constrained")
for row_of_axes, (name, clf) in zip(axes, models.items(), strict=True):
    clf.fit(X_train, y_train)
    rows = X_test[(y_test == LOWER) & (clf.predict(X_test) == LOWER)][:25]
    probabilities = clf.predict_proba(points)[:, UPPER].reshape(horizontal.shape)
    observed = clf.encoder_.encode(X_train[y_train == UPPER])
    for ax, generator in zip(row_of_axes, ("nearest", "eccco"), strict=True):
        explanation = clf.explain(rows, UPPER, generator=generator)
        ax.contourf(
            horizontal, vertical, probabilities, levels=[0.75, 1.0], colors=["tab:blue"], alpha=0.12
        )
        ax.contour(horizontal, vertical, probabilities, levels=[0.5], colors="0.3", linewidths=1)
        for label, color in colors.items():
            ax.scatter(*X_train[y_train == label].T, s=5, color=color, alpha=0.25, lw=0)
        # plot draws one line per column: from a factual (first row) to its counterfactual.
        pairs = np.stack([explanation.factual, explanation.counterfactual])
        ax.plot(pairs[:, :, 0], pairs[:, :, 1], color="0.2", lw=0.7, alpha=0.6)
        ax.scatter(*explanation.factual.T, s=22, color=colors[LOWER], edgecolor="k", zorder=3)
        ax.scatter(
            *explanation.counterfactual.T,
            s=30,
            color=colors[UPPER],
            edgecolor="k",
            marker="s",
            zorder=3,
        )
        cost, distance = measures(explanation, observed)
        title = {"nearest": "nearest (the default)", "eccco": "ECCCo"}[generator]
        ax.set_title(
            f"{name}, {title}\n{explanation.mature.sum()} of {len(rows)} found, "
            f"cost {cost:.2f}, distance to real rows {distance:.2f}",
            fontsize=10,
        )

# %%
# The line is the decision boundary, and in the shaded area the probability is at least 0.75. The
# default search stops at the edge of this area, and often changes one feature only, because the
# cost is the sum of the changes of both. ECCCo follows a gradient, which leads to points that cost
# more. The cheapest point can be far from every real row, as in the lower left corner of the upper
# panels. Counterfactual training moves the edge, and with it many of the counterfactuals, closer to
# the data.
#
# What patients would be handed
# -----------------------------
# A model predicts from the measurements of diabetes patients whether the disease progresses fast.
# The table compares counterfactuals of test patients for whom it does. *Cost* is the median l1
# distance to the patient, in standard deviations, and *changes* is the mean number of changed
# features. *Distance* is the median of the mean distance to the five nearest training patients
# whose disease progressed slowly.
X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
y = (progression > progression.median()).map({True: "fast", False: "slow"})
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
clf = CounterfactualTrainedClassifier(
    mutability={"age": "none", "sex": "none"}, random_state=0
).fit(X_train, y_train)
patients = X_test[clf.predict(X_test) == "fast"]

settings = {
    "nearest": {},
    "nearest, sparse": {"sparse": True},
    "nearest, at most two changes": {"max_changes": 2},
    "nearest, lambda_data=0.5": {"generator": NearestGenerator(lambda_data=0.5)},
    "nearest, lambda_data=0.9": {"generator": NearestGenerator(lambda_data=0.9)},
    "ECCCo": {"generator": "eccco"},
    "ECCCo, sparse": {"generator": "eccco", "sparse": True},
}
observed = clf.encoder_.encode(X_train[y_train == "slow"])
lines = {}
for name, parameters in settings.items():
    explanation = clf.explain(patients, target="slow", **parameters)
    found = explanation[explanation.mature]
    cost, distance = measures(explanation, observed)
    lines[name] = {
        "found": f"{len(found)} of {len(patients)}",
        "cost": f"{cost:.2f}",
        "changes": f"{len(found.changes()) / len(found):.1f}",
        "distance": f"{distance:.2f}",
    }
print(pd.DataFrame(lines).T.to_string())

# %%
# The cheapest counterfactuals change few features. With ``sparse=True``, the number of changes
# counts first, and the cost second. With a limit on the changes, not every patient has a
# counterfactual. ``lambda_data`` is the price of the distance to typical patients: the higher it
# is, the more plausible and the more expensive the counterfactuals are. ECCCo changes nearly all
# features.
#
# Three alternatives for one patient
# ----------------------------------
# Alternatives differ in the features that they change, and are sorted by cost.
alternatives = clf.explain(patients.head(1), target="slow", n_alternatives=3, sparse=True)
print(alternatives.changes().to_string(index=False))
print("costs:", alternatives.cost.round(2))

# %%
# A row for which nothing is found
# --------------------------------
# If only the blood pressure may change, most patients have no counterfactual. The row that is
# returned is the best state that is known, and ``reason`` states its probability.
explanation = clf.explain(patients, target="slow", mutability={"*": "none", "bp": "both"})
print(explanation)
print(explanation.reason[~explanation.valid][0])
