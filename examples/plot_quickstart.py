"""
A rejected applicant
====================

An applicant is rejected by a model. What would have to change, in plain words? This example trains
a model on credit applicants, explains one decision, and shows what counterfactual training is for.
"""

# %%
# A model of credit applicants
# ----------------------------
# The data are 1,000 applicants for credit at a German bank (in the 1970s, in German marks). The
# data set comes with constraints: age and nationality cannot change, for example. Words and numbers
# need neither encoding nor scaling.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_german_credit
from ctsk.plotting import RobustnessDisplay

german = fetch_german_credit()
X_train, X_test, y_train, y_test = train_test_split(
    german.data, german.target, stratify=german.target, random_state=0
)
clf = CounterfactualTrainedClassifier(
    mutability=german.mutability, domain=german.domain, max_epochs=50, random_state=0
).fit(X_train, y_train)
print(f"accuracy: {clf.score(X_test, y_test):.2f}")

# %%
# Three alternatives
# ------------------
# ``explain`` searches for the cheapest change after which the applicant is accepted. It returns
# rows like those of the data, and the list of the changes. With ``n_alternatives=3``, an applicant
# can choose. Constraints can be added for a single call, so that nobody is advised to borrow more,
# to sell a house, or to take up another job.
rejected = X_test[clf.predict(X_test) != german.favorable]
explanation = clf.explain(
    rejected.head(20),
    german.favorable,
    tau=0.5,
    n_alternatives=3,
    sparse=True,
    mutability={
        "credit_amount": "decrease",
        "number_credits": "decrease",
        "other_installment_plans": "none",
        "property": "none",
        "housing": "none",
        "job": "none",
    },
)
print(explanation)

# %%
# One of the twenty applicants, whose cheapest change is neither among the small nor among the large
# ones:
applicant = int(np.argsort(explanation.cost[::3])[10])
of_applicant = explanation[3 * applicant : 3 * applicant + 3]
print(of_applicant.changes().round(2).to_string(index=False))

# %%
# The letter
# ----------
# The same in words. The data set has readable names of its columns and codes; for data of your own,
# ``labels`` is a dict.
print(explanation.to_text(applicant, labels=german.labels, units=german.units))

# %%
# The same as a picture:
_, ax = plt.subplots(figsize=(9, 4), layout="constrained")
explanation.plot(applicant, labels=german.labels, units=german.units, ax=ax)
plt.show()

# %%
# Why train counterfactually?
# ---------------------------
# Any model can be explained in this way. Counterfactual training changes the model itself. What
# this brings depends on the data and on the search, as the page :ref:`results` shows for the nine
# data sets of the paper:
#
# - Counterfactuals that are found by the search of the training (ECCCo) come closer to real rows on
#   eight of the data sets. The cheapest counterfactuals, which are the default of ``explain``,
#   hardly do.
# - On all five real data sets, the model is more accurate under attack. On three of them, this
#   costs two to seven percentage points of accuracy without an attack. If robustness is all that
#   matters, adversarial training is the better choice.
#
# The second effect does not depend on a search, and it is visible in small models, too: the same
# network is trained in both ways on images of digits, and an attacker may change each pixel, which
# lies between -1 and 1, by epsilon.
images, digits = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    images / 8 - 1, digits, stratify=digits, random_state=0
)
settings = {"standardize": False, "domain": {"*": (-1, 1)}, "max_epochs": 40, "random_state": 0}
conventional = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
_, ax = plt.subplots(layout="constrained")
for name, weights in {"conventional": conventional, "counterfactual": {}}.items():
    clf = CounterfactualTrainedClassifier(**weights, **settings).fit(X_train, y_train)
    RobustnessDisplay.from_estimator(clf, X_test, y_test, name=f"{name} training", ax=ax)
plt.show()

# %%
# What to take away: ``explain`` tells people what to change, for any model, and in words; train
# counterfactually if explanations by ECCCo have to look like real rows, or if the model has to
# withstand small changes of its input, and measure both on your data, as in
# :ref:`sphx_glr_auto_examples_plot_comparison.py`.
