"""
A generator of your own
=======================

The search for counterfactuals is one loop with hooks. A new generator fills in what it needs:
what a search pays (``penalty``), what it learns from observed rows (``learn``), in which space
it searches (``encode`` and ``decode``). Constraints, categories, batches and the rest are the
loop's business.
"""

# %%
# Less than twenty lines
# ----------------------
# This one draws a counterfactual to the nearest of some observed rows of its target class.
import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.spatial.distance import cdist
from sklearn.datasets import make_moons
from sklearn.model_selection import GridSearchCV, train_test_split

from ctsk import BaseGenerator, CounterfactualTrainedClassifier
from ctsk.generators import check_generator
from ctsk.metrics import neg_mmd_scorer


class NearestRowGenerator(BaseGenerator):
    """Pays for the l1 distance to the nearest observed row of the target class."""

    def __init__(self, *, step_size=0.1, lambda_near=0.5, n_rows=100):
        self.step_size = step_size
        self.lambda_near = lambda_near
        self.n_rows = n_rows

    def learn(self, reference):
        drawn = torch.randint(len(reference.rows), (self.n_rows,), generator=reference.random)
        self.rows_, self.labels_ = reference.rows[drawn], reference.labels[drawn]
        return self

    def penalty(self, step):
        distances = torch.cdist(step.rows, self.rows_, p=1)
        is_other = step.targets[:, None] != self.labels_
        return self.lambda_near * distances.masked_fill(is_other, torch.inf).amin(dim=1)


# %%
# Does it keep to the contract? The check belongs into your tests.
check_generator(NearestRowGenerator())

# %%
# Training with it
# ----------------
# It goes wherever a generator goes; its parameters are parameters of the classifier.
X, y = make_moons(600, noise=0.1, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
clf = CounterfactualTrainedClassifier(
    generator=NearestRowGenerator(), lambda_reg=0.25, max_epochs=50, random_state=0
)
search = GridSearchCV(
    clf, {"generator__lambda_near": [0.0, 0.3, 1.0]}, scoring=neg_mmd_scorer, cv=3
).fit(X_train, y_train)
print(search.best_params_)

# %%
# And it explains any model, too: here its own, and one that was trained conventionally and
# rows for it to learn from. In the titles, how far counterfactuals are from the nearest
# training row of their class.
conventional = CounterfactualTrainedClassifier(
    lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=50, random_state=0
).fit(X_train, y_train)
explained = {
    "trained with it": search.best_estimator_.explain(X_test, tau=0.9, T=60),
    "conventional": conventional.explain(X_test, tau=0.9, T=60),
    "conventional, explained by it": conventional.explain(
        X_test, generator=NearestRowGenerator(), X_reference=X_train, tau=0.9, T=60
    ),
}
fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharex=True, sharey=True)
for ax, (name, explanation) in zip(axes, explained.items(), strict=True):
    valid = explanation.valid & (explanation.target == 1)
    found, factual = explanation.counterfactual[valid], explanation.factual[valid]
    distance = cdist(found, X_train[y_train == 1], "cityblock").min(axis=1).mean()
    ax.scatter(*X_train.T, c=np.where(y_train == 1, "C1", "C0"), s=4, alpha=0.3)
    ax.quiver(*factual.T, *(found - factual).T, angles="xy", scale_units="xy", scale=1,
              width=0.003, alpha=0.4)  # fmt: skip
    ax.scatter(*found.T, c="k", s=8)
    ax.set_title(f"{name}\nnearest row at {distance:.2f}", fontsize=9)
fig.tight_layout()
