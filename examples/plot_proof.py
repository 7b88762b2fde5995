"""
The cheapest counterfactual, with proof
=======================================

With ``prove=True``, ``explain`` proves for each row that its counterfactual is the cheapest, or
that there is none. This example uses the proof to compare searches, to tell patients for whom
nothing helps from those for whom nothing was found, and to list what could help a single patient.
The page :ref:`proof` describes what is proven.
"""

# %%
# How far from the cheapest is a search?
# --------------------------------------
# A model predicts from the measurements of diabetes patients whether the disease progresses fast.
# Test patients for whom it does ask for a change after which the model predicts a slow progression,
# with a probability of at least 0.75.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import ctsk

X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
y = (progression > progression.median()).map({True: "fast", False: "slow"})
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
constraints = {"age": "none", "sex": "none"}
models = {
    "conventional training": ctsk.CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, mutability=constraints, random_state=0
    ),
    "counterfactual training": ctsk.CounterfactualTrainedClassifier(
        mutability=constraints, random_state=0
    ),
}
searches = {"nearest (the default)": "nearest", "ECCCo": "eccco", "generic": "generic"}

fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, (name, clf) in zip(axes, models.items(), strict=True):
    clf.fit(X_train, y_train)
    patients = X_test[clf.predict(X_test) == "fast"].head(15)
    proven = clf.explain(patients, target="slow", prove=True)
    for search, generator in searches.items():
        explanation = clf.explain(patients, target="slow", generator=generator)
        # A row without a counterfactual counts as infinitely expensive, so that its curve ends
        # below 100 %.
        costs = np.where(explanation.mature, explanation.cost, np.inf)
        ratios = np.sort(costs / proven.cost)
        ax.step(
            ratios, 100 * np.arange(1, len(ratios) + 1) / len(ratios), where="post", label=search
        )
    counts = {word: int((proven.proof == word).sum()) for word in ("optimal", "impossible", "open")}
    ax.set(
        title=f"{name}\n" + ", ".join(f"{n} {word}" for word, n in counts.items()),
        xlabel="cost divided by the proven minimum",
        xscale="log",
        xlim=(0.95, 6),
        xticks=[1, 2, 3, 5],
        xticklabels=["1", "2", "3", "5"],
    )
    ax.minorticks_off()
axes[0].set(ylabel="patients with a counterfactual\nof at most this cost (%)", ylim=(0, 103))
axes[1].legend(loc="lower right")

# %%
# The curve of the default search rises at 1: nearly all of its counterfactuals are the cheapest.
# The titles count what is proven of the patients.
#
# None, or none found?
# --------------------
# If only three features may change, some patients have no counterfactual. Without a proof, their
# rows only say that none was found. With a proof, ``reason`` states that none exists, and the
# fewest constraints without which there would be one.
clf = models["counterfactual training"]
patients = X_test[clf.predict(X_test) == "fast"].head(15)
narrow = {"*": "none", "bmi": "decrease", "bp": "decrease", "s6": "decrease"}
explanation = clf.explain(patients, target="slow", mutability=narrow, prove=True)
print(explanation)
print()
for reason in explanation.reason[explanation.proof == "impossible"][:3]:
    print(reason)

# %%
# What could help this patient?
# -----------------------------
# ``sufficient_changes`` asks for each single feature whether its change suffices, and then for
# pairs of features that do not suffice alone. What cannot help is proven, too.
patient = patients.iloc[[int(np.argmin(explanation.lower_bound))]]
sets = ctsk.sufficient_changes(clf, patient, target="slow", mutability=constraints)
suffices = sets["proof"] == "optimal"
print(sets[suffices].drop(columns=["row", "lower_bound"]).head(8).round(2).to_string(index=False))
singles = sets[sets["features"].map(len) == 1]
useless = singles[singles["proof"] == "impossible"]["features"]
print("\nalone, none of these can help:", ", ".join(name for (name,) in useless))
