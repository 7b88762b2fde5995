"""
Who has recourse, and at what cost?
===================================

People who are rejected need a way to be accepted. This example audits two models of the Adult
census data, which predict a high income: for women and men, which share of the rejected has a
counterfactual, and what does the cheapest one cost? All answers are proven, so that a difference
between groups or models is not a weakness of the search. The page :ref:`proof` describes what is
proven.
"""

# %%
# Two models
# ----------
# The data come with constraints that make sense for recourse. Sex, age and family, for example,
# cannot change, and education can only rise. Its rank, which is a column of its own, holds the same
# information, so that it must not change alone. Both models are trained on the same rows.
import matplotlib.pyplot as plt
import numpy as np

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_adult
from ctsk.metrics import recourse_summary

adult = fetch_adult()
X, y = adult.data.drop(columns="education_num"), adult.target
mutability = {name: value for name, value in adult.mutability.items() if name in X}
domain = {name: value for name, value in adult.domain.items() if name in X}
print(mutability)

rows = np.random.default_rng(0).permutation(len(X))
training, test = rows[:3000], rows[3000:]
constraints = {"mutability": mutability, "domain": domain}
models = {
    "conventional training": CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, random_state=0, **constraints
    ),
    "counterfactual training": CounterfactualTrainedClassifier(random_state=0, **constraints),
}

# %%
# The report
# ----------
# Each model is asked about 40 women and 40 men that it rejects. ``found`` is the share for whom the
# row that is returned is accepted with a probability of at least one half; ``impossible`` is the
# share for whom no such row exists within the constraints. ``cost`` is the median cost of the
# cheapest counterfactual, in standard deviations and changes of category, and ``n_changes`` is the
# mean number of features that it changes. Each figure has a bootstrap interval of 95 %, of which
# the table shows that of the cost.
COLUMNS = ["n_rows", "found", "impossible", "open", "cost", "cost_low", "cost_high", "n_changes"]
reports = {}
for name, clf in models.items():
    clf.fit(X.iloc[training], y[training])
    rejected = X.iloc[test][clf.predict(X.iloc[test]) != adult.favorable]
    asked = rejected.groupby("sex", observed=True).head(40)
    explanation = clf.explain(asked, adult.favorable, tau=0.5, prove=True, n_jobs=2)
    reports[name] = recourse_summary(explanation, groups="sex")
    print(name)
    print(reports[name][COLUMNS].round(2).to_string(), "\n")

# %%
# Costs by group
# --------------
fig, ax = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
for shift, (name, report) in zip((-0.06, 0.06), reports.items(), strict=True):
    positions = np.arange(len(report)) + shift
    spans = [report["cost"] - report["cost_low"], report["cost_high"] - report["cost"]]
    ax.errorbar(positions, report["cost"], spans, fmt="o", capsize=3, label=name)
ax.set_xticks(np.arange(len(report)), report.index)
ax.set(xlim=(-0.5, 1.5), ylim=(0, None), ylabel="median cost of the\ncheapest counterfactual")
ax.legend(loc="lower left")

# %%
# An audit proves what a model requires of people. Whether they can meet it, and whether their
# change would cause what the model expects, is for others to judge.
