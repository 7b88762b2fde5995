"""
Who has recourse, and at what cost?
===================================

People who are rejected need a way to be accepted. Does everybody have one, and does it cost some
groups more than others? This example audits two models of census data, which predict a high income.
All answers are proven, so that a difference between groups or models is not a weakness of the
search. The user guide describes what is proven in :ref:`proof`.
"""

# %%
# Two models
# ----------
# The data come with constraints that make sense for recourse. Sex, age and family, for example,
# cannot change, and education can only rise. Its rank, which is a column of its own, holds the same
# information, so that it must not change alone. Both models are trained on the same rows.
import matplotlib.pyplot as plt
import numpy as np

import ctsk
from ctsk.datasets import fetch_adult
from ctsk.metrics import recourse_summary
from ctsk.plotting import RecourseSummaryDisplay

adult = fetch_adult()
X, y = adult.data.drop(columns="education_num"), adult.target
constraints = {
    "mutability": {name: value for name, value in adult.mutability.items() if name in X},
    "domain": {name: value for name, value in adult.domain.items() if name in X},
}
print("\n".join(f"{name}: {value}" for name, value in constraints["mutability"].items()))

rows = np.random.default_rng(0).permutation(len(X))
training, test = rows[:3000], rows[3000:5000]
models = {
    "conventional training": ctsk.CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=40, random_state=0, **constraints
    ),
    "counterfactual training": ctsk.CounterfactualTrainedClassifier(
        max_epochs=40, random_state=0, **constraints
    ),
}

# %%
# The report
# ----------
# For each model, the audit takes 20 women and 20 men whom it rejects. ``found`` is the share for
# whom the row that is returned is accepted with a probability of at least one half, and
# ``impossible`` is the share for whom no such row exists within the constraints. ``cost`` is the
# median cost of the cheapest counterfactual, in standard deviations and changes of category, and
# ``n_changes`` is the mean number of features that it changes. The intervals of the figure are
# bootstrap intervals of 95%.
COLUMNS = ["n_rows", "found", "impossible", "open", "cost", "cost_low", "cost_high", "n_changes"]
_, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for name, clf in models.items():
    clf.fit(X.iloc[training], y[training])
    rejected = X.iloc[test][clf.predict(X.iloc[test]) != adult.favorable]
    sample = rejected.groupby("sex", observed=True).head(20)
    explanation = clf.explain(sample, adult.favorable, tau=0.5, prove=True)
    print(name, recourse_summary(explanation, groups="sex")[COLUMNS].round(2).to_string(), sep="\n")
    RecourseSummaryDisplay.from_explanation(explanation, "sex", name=name, ax=axes)
plt.show()

# %%
# All of these people have a counterfactual under both models. Under both, it costs women more than
# men: the intervals of women and men do not overlap. Those of the models do, so that this audit
# does not show which model requires less.
#
# None, or none found?
# --------------------
# If nobody can change the employer or the occupation, work more than 45 hours, or gain more than
# 5,000 dollars, some people have no counterfactual. Without a proof, their rows would only say that
# none was found. With a proof, ``reason`` states that none exists.
narrow = clf.explain(
    sample,
    adult.favorable,
    tau=0.5,
    mutability={"workclass": "none", "occupation": "none", "capital_loss": "none"},
    domain={"hours_per_week": (0, 45), "capital_gain": (0, 5000)},
    prove=True,
)
print(narrow, "\n")
for reason in narrow.reason[narrow.proof == "impossible"][:3]:
    print(reason)

# %%
# What could help this person?
# ----------------------------
# ``sufficient_changes`` asks for each single feature whether its change suffices. What cannot help
# is proven, too. The letter states both, to the person whose cost is the median.
person = sample.iloc[[int(np.argsort(explanation.cost)[len(sample) // 2])]]
singles = ctsk.sufficient_changes(clf, person, adult.favorable, tau=0.5, max_size=1)
print(singles[["features", "proof", "cost", "from", "to"]].round(2).to_string(index=False), "\n")
proven = clf.explain(person, adult.favorable, tau=0.5, prove=True)
labels = {key: label for key, label in adult.labels.items() if key != "education_num"}
print(proven.to_text(0, labels=labels, units=adult.units, sufficient=singles))

# %%
# What to take away: ask for a proof before you report who has no recourse, and read cost and shares
# by group next to their intervals, which tell how much of a difference could be chance. An audit
# proves what a model requires of people. Whether they can meet it, and whether their change would
# cause what the model expects, is for others to judge.
