"""
A generator of your own
=======================

What if no search finds the counterfactuals that you want? Write one. Generators that descend a
gradient share one search loop with hooks. A new one implements the hooks that it needs: the penalty
of the search (``penalty``), what it learns from observed rows (``learn``), and the space in which
it searches (``encode`` and ``decode``). The loop handles constraints, categories and batches. Any
other generator implements ``search``.
"""

# %%
# Fewer than twenty lines
# -----------------------
# This generator pulls a counterfactual toward the nearest observed row of its target class.
import matplotlib.pyplot as plt
import torch
from scipy.spatial.distance import cdist
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

from ctsk import BaseGenerator, CounterfactualTrainedClassifier, GradientGenerator
from ctsk.generators import SearchResult, check_generator
from ctsk.plotting import CounterfactualDisplay


class NearestRowGenerator(GradientGenerator):
    """Penalize the l1 distance to the nearest observed row of the target class."""

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
# :func:`~ctsk.generators.check_generator` verifies that the generator keeps the contract. Call it
# in your tests.
check_generator(NearestRowGenerator())

# %%
# Training with the generator
# ---------------------------
# An instance can be passed wherever a generator is accepted. Its parameters can be tuned like those
# of the classifier, under names such as ``generator__lambda_near``.
X, y = make_moons(600, noise=0.1, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
clf = CounterfactualTrainedClassifier(
    generator=NearestRowGenerator(), lambda_reg=0.25, max_epochs=50, random_state=0
).fit(X_train, y_train)
print(f"accuracy: {clf.score(X_test, y_test):.3f}")

# %%
# Explaining with the generator
# -----------------------------
# In ``explain``, ``generator=None`` stands for the generator of the training. The generator can
# also explain models that were trained without it, if it is given rows to learn from. The titles
# show the mean l1 distance of the counterfactuals of class 1 to the nearest training row of that
# class.
conventional = CounterfactualTrainedClassifier(
    lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=50, random_state=0
).fit(X_train, y_train)
explanations = {
    "trained and explained with it": clf.explain(X_test, generator=None, tau=0.9),
    "conventional, explained by ECCCo": conventional.explain(X_test, generator="eccco", tau=0.9),
    "conventional, explained with it": conventional.explain(
        X_test, generator=NearestRowGenerator(), X_reference=X_train, tau=0.9
    ),
}
_, axes = plt.subplots(1, 3, figsize=(11, 4.2), sharex=True, sharey=True, layout="constrained")
for ax, (name, explanation) in zip(axes, explanations.items(), strict=True):
    shown = explanation[explanation.valid & (explanation.target == 1)]
    distance = cdist(shown.counterfactual, X_train[y_train == 1], "cityblock").min(axis=1).mean()
    CounterfactualDisplay.from_explanation(shown, X=X_train, y=y_train, max_rows=25, ax=ax)
    ax.set_title(f"{name}\ndistance to the nearest row: {distance:.2f}", fontsize=10)
plt.show()

# %%
# The model that was trained with the generator has the counterfactuals that are closest to rows of
# their class.
#
# A search without a gradient
# ---------------------------
# A generator can also search in a way of its own. This one moves all numbers toward the mean row of
# the target class, within the bounds of each row, until the target reaches ``tau``. A row that is
# not accepted, because its values were rounded, for example, moves on.


class TowardMeanGenerator(BaseGenerator):
    """Move toward the mean observed row of the target class."""

    default_T = 20

    def learn(self, reference):
        is_of_class = torch.nn.functional.one_hot(reference.labels, reference.n_classes).float()
        self.means_ = is_of_class.T @ reference.rows / is_of_class.sum(dim=0)[:, None]
        self.means_[:, reference.groups.n_numeric :] = torch.nan
        return self

    def search(self, model, factuals, targets, box, *, tau, T, accept=None, **settings):
        found, mature = factuals.clone(), torch.zeros_like(targets, dtype=torch.bool)
        # Categories, of which means say nothing, do not move.
        moves = (self.means_[targets] - factuals).nan_to_num(nan=0.0)
        for t in range(T + 1):
            states = torch.clamp(factuals + t / T * moves, box.lower, box.upper)
            shares = model(states).detach().softmax(dim=1)[torch.arange(len(targets)), targets]
            idx = ((shares >= tau) & ~mature).nonzero()[:, 0]
            if accept is not None:
                idx = idx[accept(states[idx], idx)]
            found[idx], mature[idx] = states[idx], True
        found[~mature] = states[~mature]
        kept = {name: settings.get(name) for name in ("epsilon", "return_path")}
        return SearchResult.of_jumps(factuals, found, mature, T=T, **kept)


check_generator(TowardMeanGenerator())
explanation = conventional.explain(X_test, generator=TowardMeanGenerator(), X_reference=X_train)
print(explanation)

# %%
# What to take away: a penalty is enough for most ideas, ``check_generator`` tells whether it keeps
# the contract, and the generator then serves training, tuning and explanations alike.
