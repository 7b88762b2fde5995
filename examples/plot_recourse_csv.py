"""
Recourse with constraints, from a CSV file
==========================================

A bank has a table of past applicants in a CSV file. What should a rejected applicant change, if
some things cannot change, others only slowly, and some numbers of the table are no amounts at all?
This example goes from the file to a letter.
"""

# %%
# The file
# --------
# The data are applicants for home equity lines of credit (HELOC) of FICO's Explainable Machine
# Learning Challenge. They are written to a file here, as a bank would have them.
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_heloc

heloc = fetch_heloc(keep_codes=True)
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "applicants.csv"
heloc.frame.assign(target=heloc.target.map({0: "rejected", 1: "granted"})).to_csv(path, index=False)

applicants = pd.read_csv(path)
folder.cleanup()
decision = applicants.pop("target")
print(applicants.iloc[:5, 8:13].to_string())
CODES = [-9, -8, -7]
has_code = applicants.select_dtypes("number").isin(CODES).sum()
print("\ncodes among the amounts:", has_code[has_code > 0].to_string(), sep="\n")

# %%
# What has to be declared
# -----------------------
# Words, whole numbers and percentages are recognized. What the file does not state has to be
# declared, by column name. The negative numbers are codes, such as -7 for applicants to whom an
# event has never happened. The risk estimate of a bureau and the record of past accounts cannot
# change, times can only increase, and nobody is advised to raise balances or to ask for more
# credit.
codes = {name: sorted(set(CODES) & set(applicants[name])) for name in has_code[has_code > 0].index}
FIXED = [
    "external_risk_estimate",
    "num_satisfactory_trades",
    "num_trades_60_ever_2_derog_pub_rec",
    "num_trades_90_ever_2_derog_pub_rec",
    "max_delq_2_public_rec_last_12m",
    "max_delq_ever",
    "num_total_trades",
]
GROWING = [name for name in applicants if name.startswith(("m_since", "average_m"))]
FALLING = [name for name in applicants if name.startswith(("net_fraction", "num_inq", "num_bank"))]
clf = CounterfactualTrainedClassifier(
    special_values=codes,
    mutability={
        **dict.fromkeys(FIXED, "none"),
        **dict.fromkeys(GROWING, "increase"),
        **dict.fromkeys(FALLING, "decrease"),
    },
    max_epochs=30,
    random_state=0,
)
X_train, X_test, y_train, y_test = train_test_split(
    applicants, decision, train_size=3000, stratify=decision, random_state=0
)
clf.fit(X_train, y_train)
print(f"accuracy: {clf.score(X_test, y_test):.3f}")

# %%
# Explanations
# ------------
# The summary counts the applicants for whom a counterfactual was found. For the others, ``reason``
# states what stands in the way.
rejected = X_test[clf.predict(X_test) == "rejected"].head(200)
explanation = clf.explain(rejected, target="granted", tau=0.5, sparse=True)
print(explanation)

# %%
# If an applicant may only lower the burden of revolving credit, no counterfactual is found for most
# applicants.
narrow = clf.explain(
    rejected,
    target="granted",
    tau=0.5,
    mutability={"*": "none", "net_fraction_revolving_burden": "decrease"},
)
print(narrow, "\n")
for reason in narrow.reason[~narrow.valid][:3]:
    print(reason)

# %%
# One letter
# ----------
# ``labels`` and ``units`` put names and codes into words. Those of the data set are used here; for
# a table of your own, they are dicts such as ``{"num_inq_last_6m": "inquiries in 6 months"}``.
classes = {("target", 0), ("target", 1)}
labels = {name: label for name, label in heloc.labels.items() if name not in classes}
position = int(np.flatnonzero(explanation.valid)[0])
print(explanation.to_text(position, labels=labels, units=heloc.units))

# %%
# Why the codes have to be declared
# ---------------------------------
# For comparison, the same classifier is trained without a declaration of the codes, and takes them
# for amounts below zero. A warning points at some of them. The table counts the values that were
# changed to a number below zero, which is a code and no amount.
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    undeclared = clone(clf).set_params(special_values=None).fit(X_train, y_train)
print(caught[0].message)
results = {
    "codes taken for amounts": undeclared.explain(rejected, target="granted", tau=0.5, sparse=True),
    "codes declared": explanation,
}


def moved_below_zero(result):
    """Return the number of values of each feature that changed to a negative number."""
    after = result.counterfactual.select_dtypes("number")
    return ((after != result.factual[after.columns]) & (after < 0)).sum()


counts = pd.DataFrame({title: moved_below_zero(result) for title, result in results.items()})
print(counts[counts.any(axis=1)].to_string())

# %%
# The figure shows the feature that has the most of these changes: the revolving balance, in percent
# of the limit. If the codes are declared, no balance is moved to one of them.
feature = counts["codes taken for amounts"].idxmax()
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharex=True, sharey=True, layout="constrained")
for ax, (title, result) in zip(axes, results.items(), strict=True):
    before, after = result.factual[feature], result.counterfactual[feature]
    changed = before != after
    ax.axhspan(-12, -0.5, color="tab:orange", alpha=0.2, lw=0, label="codes")
    ax.scatter(
        before[~changed], after[~changed], s=18, facecolors="none", edgecolors="0.5",
        label="unchanged",
    )  # fmt: skip
    ax.scatter(before[changed], after[changed], s=18, color="tab:blue", label="changed")
    ax.set(title=title, xlabel="revolving balance before (% of the limit)")
axes[0].set_ylabel("revolving balance after (% of the limit)")
axes[0].legend(loc="upper left")
plt.show()

# %%
# What to take away: declare codes, what cannot change, and what changes in one direction only, once
# and by column name. All explanations keep to it, and ``reason`` states where no counterfactual was
# found.
