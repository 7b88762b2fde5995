"""Figure 3: what do explanations of handwritten digits look like?

The figure shows counterfactuals of a conventional (BL) and a counterfactually trained model (CT) of
MNIST, with all pixels mutable, with the five top and bottom rows immutable, and with pixels that
may only become brighter (an earlier idea of the authors). Each CT model is trained with its
constraint. The table contains, by constraint and model, the validity and IP of 500 test rows with
random targets::

    python benchmarks/paper/figure3.py

The command saves a figure next to its table. It does not use rounds.
"""

import numpy as np
from experiment import RESULTS, averages, main
from models import protection, train
from protocol import split
from rounds import TAU, Observed, T

from ctsk import ECCCoGenerator

N_EXPLAINED = 500
CONSTRAINTS = {
    "all mutable": None,
    "outer rows immutable": protection("mnist", True),
    "only brighter": dict.fromkeys(range(784), "increase"),
}
# The digits that the figure shows, and their targets.
SHOWN = ((4, 9), (7, 1), (3, 8), (1, 7), (9, 4), (0, 6))


def model_of(seed, model, constraint, step_size):
    """Return the model for a constraint; conventional training ignores constraints."""
    settings = {"step_size": step_size}
    if model == "CT" and constraint == "only brighter":
        settings["mutability"] = CONSTRAINTS[constraint]
    elif model == "CT":
        settings["protected"] = constraint == "outer rows immutable"
    return train("mnist", seed, model, **settings)


def explained(clf, X, targets, constraint, step_size):
    """Explain rows under a constraint."""
    return clf.explain(
        X,
        targets,
        generator=ECCCoGenerator(step_size=step_size, max_step=None, lambda_cost=0),
        T=T,
        tau=TAU,
        mutability=CONSTRAINTS[constraint],
    )


def outcome(name, seed, n_rounds, step_size):
    """Measure both models under each constraint."""
    X, y = split(name, seed).test
    rng = np.random.default_rng([seed, 5])
    idx = rng.permutation(len(X))[:N_EXPLAINED]
    targets = (y[idx] + rng.integers(1, 10, size=len(idx))) % 10
    observed = Observed(X, y, seed)
    records = []
    for constraint in CONSTRAINTS:
        for model in ("BL", "CT"):
            clf = model_of(seed, model, constraint, step_size)
            found = explained(clf, X[idx], targets, constraint, step_size)
            records.append(
                {
                    "constraint": constraint,
                    "model": model,
                    "IP": np.nanmean(observed.measure(found).distances),
                    "validity": found.valid.mean(),
                    "accuracy": clf.score(X, y),
                }
            )
    return records


def draw(seed, step_size):
    """Draw digits and their counterfactuals by constraint and model."""
    import matplotlib.pyplot as plt

    X, y = split("mnist", seed).test
    rows = X[[np.flatnonzero(y == digit)[1] for digit, _ in SHOWN]]
    targets = np.array([target for _, target in SHOWN])
    lines, valid = {"factual": rows}, {}
    for constraint in CONSTRAINTS:
        for model in ("BL", "CT"):
            clf = model_of(seed, model, constraint, step_size)
            found = explained(clf, rows, targets, constraint, step_size)
            lines[f"{model}\n{constraint}"] = found.counterfactual
            valid[f"{model}\n{constraint}"] = found.valid
    figure, axes = plt.subplots(
        len(lines),
        len(SHOWN),
        figsize=(1.2 * len(SHOWN) + 1.5, 1.25 * len(lines)),
        layout="constrained",
    )
    for line, (title, images) in zip(axes, lines.items(), strict=True):
        line[0].set_ylabel(title, rotation=0, ha="right", va="center", size=9)
        for place, (axis, image) in enumerate(zip(line, images, strict=True)):
            axis.imshow(image.reshape(28, 28), cmap="gray", vmin=-1, vmax=1)
            axis.set(xticks=[], yticks=[])
            if title in valid and not valid[title][place]:
                axis.set_xlabel("not valid", size=7, color="tab:red", labelpad=1)
    for axis, (digit, target) in zip(axes[0], SHOWN, strict=True):
        axis.set_title(f"{digit} to {target}", size=10)
    return figure


def table(by_seed, suffix):
    """Average over seeds and draw the figure."""
    figure = draw(int(by_seed["seed"].min()), float(by_seed["step"].iloc[0]))
    figure.savefig(RESULTS / f"figure3{suffix}.png", dpi=90)
    return averages(by_seed, ["constraint", "model"], ["IP", "validity", "accuracy"])


if __name__ == "__main__":
    main("figure3", data=["mnist"], others=(), keys=["constraint", "model"], n_seeds=3)
