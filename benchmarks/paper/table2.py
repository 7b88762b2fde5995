"""Table II: how sensitive is a model to the features that it was to be protected from?

Integrated gradients of the predicted class's logit from a baseline drawn from U(-1, 1), the
mean over 2,500 test rows drawn with replacement in each round: of CT, trained with the
protected features immutable, of the same with all features mutable, and of BL. "printed" is
the paper's measure: with two features |g_d| / (max g - min g), with more (g_d - min g) /
(max g - min g), so that 0 is the most negative feature, not one without influence. "share" is
|g_d| / sum |g|. Of several protected features (MNIST's pixels) the first is their mean, the
second their sum. "attribution" is the mean over test rows of |g_d|, before it is averaged over
rows, and "total" the sum of all features': a share rises, too, where the total falls::

    python benchmarks/paper/table2.py
    python benchmarks/paper/table2.py --dataset mnist --seed 0 1 2
"""

import numpy as np
import pandas as pd
import published
from experiment import main, over_seeds
from models import train
from protocol import PROTOCOLS, split
from rounds import take

from ctsk.metrics import feature_sensitivity, integrated_gradients

N_ROWS = 2_500
# The variant of training, and whether features are protected in it.
MODELS = {"CT": ("CT", True), "mutable": ("CT", False), "BL": ("BL", False)}
QUANTITIES = ("share", "attribution", "total")


def outcome(name, seed, n_rounds, step_size):
    """Return what is measured of each model, means over the rounds."""
    records = []
    for model, (variant, protected) in MODELS.items():
        clf = train(name, seed, variant, protected=protected, step_size=step_size)
        told = sensitivity(name, seed, clf, PROTOCOLS[name].protected, n_rounds)
        records.append({"model": model, **told})
    return records


def sensitivity(name, seed, clf, protected, n_rounds):
    """Return how sensitive a model is to protected features."""
    X, _ = split(name, seed).test
    rng = np.random.default_rng([seed, 3])
    names = clf.encoder_.names
    features = [f if isinstance(f, int) else names.index(f) for f in protected]
    printed, shares = [], []
    for _ in range(n_rounds):
        rows, chance = take(X, rng.integers(len(X), size=N_ROWS)), int(rng.integers(2**31))
        heights, parts = (
            feature_sensitivity(clf, rows, scale=scale, n_rounds=1, random_state=chance)
            for scale in ("range", "share")
        )
        printed.append(heights[features].mean())
        shares.append(parts[features].sum())
    sizes = np.abs(integrated_gradients(clf, X, baseline="uniform", random_state=seed)).mean(axis=0)
    return {
        "printed": np.mean(printed),
        "share": np.mean(shares),
        "attribution": sizes[features].sum(),
        "total": sizes.sum(),
    }


def table(by_seed, suffix):
    """Put means over seeds beside the published figures."""
    lines = []
    for data, runs in by_seed.groupby("data", sort=False):
        seeds = runs.set_index(["model", "seed"])
        means = seeds.groupby("model").mean(numeric_only=True)
        ct, bl = seeds.loc["CT", "share"], seeds.loc["BL", "share"]
        published_ct, published_bl = published.TABLE_2[published.DATA.index(data)]
        difference = over_seeds(ct - bl)
        lines.append(
            {
                "data": data,
                "published CT": published_ct,
                "published BL": published_bl,
                **{f"printed {model}": means.loc[model, "printed"] for model in ("CT", "BL")},
                **{
                    f"{quantity} {model}": means.loc[model, quantity]
                    for quantity in QUANTITIES
                    for model in MODELS
                },
                "difference": difference["mean"],
                "from": difference["from"],
                "to": difference["to"],
                "seeds with less": f"{(ct < bl).sum()} of {len(ct)}",
            }
        )
    return pd.DataFrame(lines)


if __name__ == "__main__":
    main("table2", keys=["model"])
