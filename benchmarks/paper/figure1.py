"""Figure 1 and Proposition III.1: the effect of protection on a linear model.

Loans are granted by debt and age, which are Gaussian in each of two classes. The four panels of the
figure show a linear classifier that is trained conventionally (BL) and counterfactually (CT), with
all features mutable and with age immutable. The second figure shows, for increasing tau, the weight
of age relative to that of debt with masked exemplars, without masking, and under conventional
training, and how far before its exemplar's debt a counterfactual stops::

    python benchmarks/paper/figure1.py

The command saves two figures next to its table.
"""

import numpy as np
from experiment import RESULTS, averages, main
from models import train
from protocol import split

TAUS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
# The proposition only concerns the divergence.
WAYS = {
    "masked": ("CD", {"protected": True}),
    "not masked": ("unmasked", {"protected": True, "lambda_adv": 0}),
    "conventional": ("BL", {}),
}
PANELS = {
    "(a) BL, all mutable": ("BL", False),
    "(b) CT, all mutable": ("CT", False),
    "(c) BL, age immutable": ("BL", True),
    "(d) CT, age immutable": ("CT", True),
}
N_DRAWN = 150


def outcome(name, seed, n_rounds, step_size):
    """Return the relative sensitivity to age, by tau and training method."""
    records = []
    for tau in TAUS:
        for way, (variant, parameters) in WAYS.items():
            settings = {**parameters, **({} if variant == "BL" else {"tau": tau})}
            clf = train(name, seed, variant, step_size=step_size, **settings)
            values = {"sensitivity": relative_sensitivity(clf)}
            if way == "masked":
                values["short"] = shortfall(clf, *split(name, seed).train)
            records.append({"tau": tau, "way": way, **values})
    return records


def relative_sensitivity(clf):
    """Return the sensitivity of the logits to age relative to debt, in module units."""
    weights = clf.net_.module_[0].weight.detach().numpy()
    debt, age = np.abs(weights[1] - weights[0])
    return age / debt


def shortfall(clf, X, y):
    """Return how far before the mean debt of the target class counterfactuals stop.

    The result is in module units and negative if they move beyond the mean.
    """
    # The generator of the training takes whole steps; see `untrained`.
    explanation = clf.explain(X, generator=None, T=clf.T)
    rows = clf.encoder_.encode(X)[:, 0]
    means = np.array([rows[y == label].mean() for label in clf.classes_])
    found, targets = explanation.counterfactual_encoded[:, 0], explanation.target
    directions = np.sign(means[targets] - means[1 - targets])
    mature = explanation.mature
    return (directions * (means[targets] - found))[mature].mean()


def draw_panels(seed, step_size):
    """Draw the paper's four panels."""
    import matplotlib.pyplot as plt

    data = split("loan", seed)
    X, y = data.test
    figure, axes = plt.subplots(
        2, 2, figsize=(9, 7), sharex=True, sharey=True, layout="constrained"
    )
    for axis, (title, (variant, protected)) in zip(axes.flat, PANELS.items(), strict=True):
        clf = train(
            "loan", seed, variant, protected=protected and variant == "CT", step_size=step_size
        )
        for label, name, color in ((0, "rejected", "tab:red"), (1, "approved", "tab:blue")):
            axis.scatter(
                X["debt"][y == label], X["age"][y == label], s=5, alpha=0.25, c=color, label=name
            )
        rejected = X[clf.predict(X) == 0].head(N_DRAWN)
        found = clf.explain(
            rejected,
            1,
            generator=None,
            tau=0.75,
            T=100,
            mutability={"age": "none"} if protected else None,
        )
        factual = rejected[found.valid].to_numpy()
        counterfactual = found.counterfactual[found.valid].to_numpy()
        axis.scatter(
            *counterfactual.T, s=14, c="k", marker="x", lw=0.8, label="counterfactual", zorder=3
        )
        for start, end in zip(factual[:25], counterfactual[:25], strict=True):
            axis.annotate(
                "", end, start, arrowprops={"arrowstyle": "->", "color": "0.5", "lw": 0.6}
            )
        draw_boundary(axis, clf, X)
        axis.set_title(f"{title}: age / debt weight {relative_sensitivity(clf):.2f}", size=10)
    axes[0, 0].legend(loc="lower left", fontsize=8, markerscale=2)
    for axis in axes[1]:
        axis.set_xlabel("debt (thousands)")
    for axis in axes[:, 0]:
        axis.set_ylabel("age (years)")
    return figure


def draw_boundary(axis, clf, X):
    """Draw the decision boundary of a classifier."""
    debt, age = np.meshgrid(
        np.linspace(X["debt"].min(), X["debt"].max(), 50),
        np.linspace(X["age"].min(), X["age"].max(), 50),
    )
    rows = X.iloc[[0] * debt.size].assign(debt=debt.ravel(), age=age.ravel())
    scores = clf.decision_function(rows).reshape(debt.shape)
    axis.contour(debt, age, scores, levels=[0], colors="k", linewidths=1.5)


def draw_proposition(table):
    """Draw sensitivity and shortfall by tau."""
    import matplotlib.pyplot as plt

    figure, (top, bottom) = plt.subplots(2, 1, figsize=(7, 6), sharex=True, layout="constrained")
    sensitivity = table[table["quantity"] == "sensitivity"]
    for way, runs in sensitivity.groupby("way", sort=False):
        top.errorbar(runs["tau"], runs["mean"], yerr=runs["sd"], label=way, capsize=2)
    top.set_ylabel("weight of age\nrelative to that of debt")
    top.legend()
    short = table[(table["quantity"] == "short") & (table["way"] == "masked")]
    bottom.errorbar(short["tau"], short["mean"], yerr=short["sd"], color="k", capsize=2)
    bottom.axhline(0, color="0.6", lw=0.8)
    bottom.set(
        xlabel="tau", ylabel="distance by which counterfactuals\nstop before their exemplars"
    )
    return figure


def table(by_seed, suffix):
    """Average over seeds and draw the figures."""
    averaged = averages(by_seed, ["tau", "way"], ["sensitivity", "short"]).dropna(subset="mean")
    figure = draw_panels(int(by_seed["seed"].min()), float(by_seed["step"].iloc[0]))
    figure.savefig(RESULTS / f"figure1{suffix}.png", dpi=110)
    draw_proposition(averaged).savefig(RESULTS / f"proposition{suffix}.png", dpi=110)
    return averaged


if __name__ == "__main__":
    main("figure1", data=["loan"], others=(), keys=["tau", "way"])
