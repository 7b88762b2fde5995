"""
Gaps, codes, flags and dummies
==============================

Tables hold more than clean numbers and words: gaps, codes among amounts, whole numbers, flags,
dummy columns, and categories that appear only after the training. This example shows what
counterfactuals do with them. :ref:`columns` describes every kind of column.
"""

# %%
# A table of applicants
# ---------------------
# The table is made up. Three of ten incomes are not stated. The burden is the percentage of a loan
# that is still to be repaid, with two codes: -8 for applicants without a loan, and -9 for those
# without a credit record. The interest rate is a multiple of 0.25. The region was one-hot encoded
# beforehand.
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from ctsk import CounterfactualTrainedClassifier

rng = np.random.default_rng(0)
n_rows = 1500
has_gap = rng.random(n_rows) < 0.3
income = np.where(has_gap, np.nan, rng.lognormal(7.8, 0.4, n_rows).clip(600, 9000).round(-1))
percentage = rng.integers(0, 101, n_rows)
record = rng.choice(["loan", "no loan", "no record"], n_rows, p=[0.6, 0.3, 0.1])
has_code = [record == "no loan", record == "no record"]
X = pd.DataFrame(
    {
        "age": rng.integers(18, 76, n_rows),
        "income": income,
        "burden": np.select(has_code, [-8, -9], percentage),
        "rate": rng.choice(np.arange(1, 9, 0.25), n_rows),
        "owner": rng.integers(0, 2, n_rows),
        "job": rng.choice(["employed", "self-employed", "retired", None], n_rows),
    }
)
region = rng.choice(["north", "south", "west"], n_rows)
X = X.join(pd.get_dummies(region, prefix="region", dtype=int))

score = np.where(has_gap, -1.0, (income - 2500) / 1000) + X["owner"] + (5 - X["rate"]) / 4
score += np.select(has_code, [1.0, -2.0], (30 - percentage) / 25)
y = np.where(score + rng.logistic(0, 0.5, n_rows) > 0, "repaid", "defaulted")
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
print(X_train.head().to_string())

# %%
# What has to be declared
# -----------------------
# Gaps, whole numbers, multiples of 10, the flag and the words are recognized. The codes and the
# dummy columns have to be declared, and so has the step of the rate, because only 1, 2 or 5 times a
# power of ten are inferred.
clf = CounterfactualTrainedClassifier(
    special_values={"burden": [-9, -8]},
    one_hot_groups={"region": ["region_north", "region_south", "region_west"]},
    resolution={"rate": 0.25},
    mutability={"age": "none"},
    max_epochs=50,
    random_state=0,
).fit(X_train, y_train)
print(f"accuracy: {clf.score(X_test, y_test):.2f}")

rejected = X_test[clf.predict(X_test) == "defaulted"]
SEARCH = {"target": "repaid", "sparse": True}
explanation = clf.explain(rejected, **SEARCH)
print(explanation)
print(explanation.changes().head(12).to_string(index=False))

# %%
# All changes lead to values that the table could hold: incomes remain multiples of 10, rates remain
# multiples of 0.25, the flag remains 0 or 1, and each row is in exactly one region.
changed = explanation.counterfactual
print("incomes are multiples of 10:", (changed["income"].dropna() % 10 == 0).all())
print("rates are multiples of 0.25:", (changed["rate"] % 0.25 == 0).all())
print("the flag is 0 or 1:", changed["owner"].isin([0, 1]).all())
print("there is one region:", (changed.filter(like="region_").sum(axis=1) == 1).all())

# %%
# Gaps and codes may be left, but not reached
# -------------------------------------------
# A gap or a code is a state beside the amounts. A counterfactual keeps the state, or it replaces
# the state by an amount from the domain of the feature: the applicant states an income, or builds
# up a credit record. It never enters a state, because "lose your credit record" is no
# recommendation.
#
# For comparison, the same classifier is trained without a declaration of the codes. It takes them
# for amounts below zero.
undeclared = clone(clf).set_params(special_values=None).fit(X_train, y_train)
explanations = {
    "codes taken for amounts": undeclared.explain(rejected, **SEARCH),
    "codes declared as special values": explanation,
}
fig, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for ax, (title, of_model) in zip(axes, explanations.items(), strict=False):
    before = of_model.factual["burden"][of_model.valid]
    after = of_model.counterfactual["burden"][of_model.valid]
    has_moved = after != before
    ax.axhspan(-12, -0.5, color="tab:red", alpha=0.12, lw=0)
    for was_code, label, color in (
        (before >= 0, "was an amount", "tab:blue"),
        (before < 0, "was a code", "tab:orange"),
    ):
        moved, kept = was_code & has_moved, was_code & ~has_moved
        ax.scatter(before[moved], after[moved], s=18, c=color, label=label)
        ax.scatter(before[kept], after[kept], s=18, edgecolors=color, facecolors="none")
    n_entered = (has_moved & (after < 0)).sum()
    ax.set(
        title=f"{title}:\n{n_entered} rows moved below zero",
        xlabel="burden of the applicant (%)",
        ylim=(-12, 105),
    )
axes[0].set_ylabel("burden of the counterfactual (%)")

was_gap = explanation.factual["income"].isna() & explanation.valid
stated = explanation.counterfactual["income"][was_gap].dropna()
bins = np.arange(500, 9001, 250)
axes[2].hist(X_train["income"], bins, density=True, color="0.8", label="observed")
axes[2].hist(
    stated, bins, density=True, histtype="step", color="tab:orange", label="in place of a gap"
)
axes[2].set(
    title=f"missing incomes:\n{len(stated)} of {was_gap.sum()} gaps were left",
    xlabel="income of the counterfactual",
    yticks=[],
)
for ax in axes[[0, 2]]:
    ax.legend()

# %%
# Filled circles are burdens that changed, and open ones are burdens that did not. In the first
# panel, the filled circles in the shaded area are recommendations that nobody can follow: a burden
# of -3 percent, or the code of applicants without a credit record, which the model takes for the
# lowest burden of all. In the second panel, that area holds only applicants who keep their code.
# The incomes of the third panel replace gaps; they lie within the range of the observed incomes.
#
# To have no loan is something that people can achieve. A code that is listed in the domain of a
# feature, after the bounds of its amounts, may be reached.
without_loan = clf.explain(rejected, domain={"burden": [(0, 100), -8]}, **SEARCH)
burdens = without_loan.changes().query("feature == 'burden'")["to"]
print(f"rows that moved to -8: {(burdens == -8).sum()}, to -9: {(burdens == -9).sum()}")

# %%
# Recourse by a few features
# --------------------------
# The key ``"*"`` stands for all features that are not named. Here, only the income and the burden
# may change, in one direction each. A feature with a direction keeps its gap or its code, because
# neither is more or less than an amount.
recourse = clf.explain(
    rejected, mutability={"*": "none", "income": "increase", "burden": "decrease"}, **SEARCH
)
print(recourse)
print(recourse.changes().groupby("feature").size().to_string())

# %%
# A category that the training rows did not contain
# -------------------------------------------------
# An unknown category is treated as a missing one, because the training rows contain missing jobs.
# (If they did not, it would be treated as the average of the known ones.) A warning names it.
newcomers = rejected.head(5).assign(job="freelance")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    explanation = clf.explain(newcomers, **SEARCH)
print(f"{caught[0].category.__name__}: {caught[0].message}")
print(explanation.counterfactual["job"].to_list())
