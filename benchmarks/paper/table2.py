"""Table II: how sensitive is a model to protected features?

The table contains integrated gradients of the logit of the predicted class, from a baseline drawn
from U(-1, 1), as the mean over 2,500 test rows that each round draws with replacement. The models
are CT trained with the protected features immutable, CT with all features mutable, and BL.
"printed" is the measure of the paper: |g_d| / (max g - min g) for two features and (g_d - min g) /
(max g - min g) for more, so that 0 is the feature with the most negative attribution rather than
one without influence. "share" is |g_d| / sum |g|. For several protected features (the pixels of
MNIST), the first is their mean and the second their sum. "attribution" is the mean over test rows
of |g_d|, where the absolute value is taken before averaging, and "total" is the sum over all
features. A share also rises if the total falls::

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
    """Return the measurements of each model as means over the rounds."""
    records = []
    for model, (variant, protected) in MODELS.items():
        clf = train(name, seed, variant, protected=protected, step_size=step_size)
        measured = sensitivity(name, seed, clf, PROTOCOLS[name].protected, n_rounds)
        records.append({"model": model, **measured})
    return records


def sensitivity(name, seed, clf, protected, n_rounds):
    """Return the sensitivity of a model to protected features."""
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
    """Return the means over seeds next to the published figures."""
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
