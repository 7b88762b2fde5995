"""Figure 4: where do models of handwritten digits look?

The figure shows integrated gradients of the logit of each class on MNIST, as means over the test
rows of the class, for a conventional model (BL) and a model that was counterfactually trained with
the five top and bottom rows immutable (CT). The table contains the share of these rows::

    python benchmarks/paper/figure4.py

The command saves a figure next to its table. It does not use rounds.
"""

import numpy as np
from experiment import RESULTS, averages, main
from models import train
from protocol import PROTOCOLS, split

from ctsk.metrics import integrated_gradients

N_ROWS = 2_000


def maps(name, seed, model, step_size):
    """Return the mean attributions of each class, ndarray of shape (10, 784)."""
    clf = train(name, seed, model, protected=model == "CT", step_size=step_size)
    X, y = split(name, seed).test
    X, y = X[:N_ROWS], y[:N_ROWS]
    attributions = integrated_gradients(clf, X, y, baseline="uniform", random_state=seed)
    return np.array([attributions[y == label].mean(axis=0) for label in clf.classes_])


def outcome(name, seed, n_rounds, step_size):
    """Return the share of the protected rows by class and model."""
    records = []
    for model in ("BL", "CT"):
        sizes = np.abs(maps(name, seed, model, step_size))
        shares = sizes[:, PROTOCOLS[name].protected].sum(axis=1) / sizes.sum(axis=1)
        records += [
            {"model": model, "class": label, "share": share} for label, share in enumerate(shares)
        ]
    return records


def draw(seed, step_size):
    """Draw the maps, with the protected rows marked."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 10, figsize=(13, 3), layout="constrained")
    for line, model in zip(axes, ("BL", "CT"), strict=True):
        found = maps("mnist", seed, model, step_size)
        line[0].set_ylabel(model, rotation=0, ha="right", va="center")
        for label, (axis, image) in enumerate(zip(line, found, strict=True)):
            most = np.abs(image).max()
            axis.imshow(image.reshape(28, 28), cmap="seismic", vmin=-most, vmax=most)
            axis.set(xticks=[], yticks=[])
            for row in (4.5, 22.5):
                axis.axhline(row, color="k", lw=0.6, ls=":")
            if model == "BL":
                axis.set_title(label)
    return figure


def table(by_seed, suffix):
    """Average over seeds and draw the figure."""
    figure = draw(int(by_seed["seed"].min()), float(by_seed["step"].iloc[0]))
    figure.savefig(RESULTS / f"figure4{suffix}.png", dpi=90)
    return averages(by_seed, ["model", "class"], ["share"])


if __name__ == "__main__":
    main("figure4", data=["mnist"], others=(), keys=["model", "class"], n_seeds=3)
