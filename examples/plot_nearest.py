"""
The cheapest counterfactual
===========================

By default, ``explain`` searches for the cheapest counterfactual of each row. How does it differ
from the search of the training, ECCCo, and when is the cheapest not what one wants? The user guide
describes the search in :ref:`nearest`.
"""

# %%
# Two searches and two models
# ---------------------------
# The data are two moons. One model is trained conventionally, the other one counterfactually. An
# arrow leads from each row of the lower moon to its counterfactual, to which the model assigns a
# probability of at least 0.75 of belonging to the upper moon.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from ctsk import CounterfactualTrainedClassifier, NearestGenerator
from ctsk.datasets import make_moons_like
from ctsk.metrics import nearest_neighbor_distance
from ctsk.plotting import CounterfactualDisplay

X, y = make_moons_like(1000, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
models = {
    "conventional": CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=60, random_state=0
    ),
    "counterfactual": CounterfactualTrainedClassifier(
        lambda_reg=0.25, max_epochs=60, random_state=0
    ),
}
UPPER, LOWER = 0, 1
fig, axes = plt.subplots(2, 2, figsize=(10, 8), sharex=True, sharey=True, layout="constrained")
for line, (name, clf) in zip(axes, models.items(), strict=True):
    clf.fit(X_train, y_train)
    rows = X_test[(y_test == LOWER) & (clf.predict(X_test) == LOWER)][:25]
    for ax, generator in zip(line, ("nearest", "eccco"), strict=True):
        explanation = clf.explain(rows, UPPER, generator=generator)
        CounterfactualDisplay.from_explanation(
            explanation, estimator=clf, X=X_train, y=y_train, ax=ax
        )
        title = f"{name} training, {generator}, median cost {np.median(explanation.cost):.2f}"
        ax.set_title(title, fontsize=10)
plt.show()

# %%
# The default search stops where the probability is reached, and often changes one feature only,
# because the cost is the sum of the changes of both. ECCCo follows a gradient, which leads to
# points that cost slightly more.
#
# Settings of the search
# ----------------------
# A model predicts from the measurements of diabetes patients whether the disease progresses fast.
# The table compares counterfactuals of test patients for whom it does. *cost* is the median l1
# distance to the patient, in standard deviations, and *changes* is the mean number of changed
# features. *distance* is the median of the mean distance to the five nearest training patients
# whose disease progressed slowly.
X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
y = (progression > progression.median()).map({True: "fast", False: "slow"})
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
clf = CounterfactualTrainedClassifier(
    mutability={"age": "none", "sex": "none"}, max_epochs=50, random_state=0
).fit(X_train, y_train)
patients = X_test[clf.predict(X_test) == "fast"]
observed = clf.encoder_.encode(X_train[y_train == "slow"])

settings = {
    "nearest": {},
    "nearest, sparse": {"sparse": True},
    "nearest, at most two changes": {"max_changes": 2},
    "nearest, lambda_data=0.9": {"generator": NearestGenerator(lambda_data=0.9)},
    "ECCCo": {"generator": "eccco"},
    "ECCCo, sparse": {"generator": "eccco", "sparse": True},
}
table = {}
for name, parameters in settings.items():
    explanation = clf.explain(patients, target="slow", **parameters)
    found = explanation[explanation.mature]
    distances = nearest_neighbor_distance(found.counterfactual_encoded, observed)
    table[name] = {
        "found": f"{len(found)} of {len(patients)}",
        "cost": round(np.median(found.cost), 2),
        "changes": round(len(found.changes()) / len(found), 1),
        "distance": round(np.median(distances), 2),
    }
print(pd.DataFrame(table).T.to_string())

# %%
# The cheapest counterfactuals change few features. With ``sparse=True``, the number of changes
# counts first, and the cost second. With a limit on the changes, not every patient has a
# counterfactual. ``lambda_data`` is the price of the distance to typical patients: the
# counterfactuals lie closer to them, and cost more. ECCCo changes nearly all features.
#
# What to take away: choose by the question. The default is for people who ask what to do,
# ``sparse=True`` for those who ask for few changes, and ``lambda_data`` or ECCCo for rows that have
# to look like real ones.
