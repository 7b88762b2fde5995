"""Table III: how many explanations are valid?

The table contains the share of valid counterfactuals of CT and BL, with all features mutable and
with the protected features immutable (in training for CT, and at test time for both)::

    python benchmarks/paper/table3.py
    python benchmarks/paper/table3.py --dataset mnist --seed 0 1 2
"""

import pandas as pd
import published
from experiment import main, over_seeds
from rounds import judge

WAYS = {
    "CT": ("CT", False),
    "BL": ("BL", False),
    "CT protected": ("CT", True),
    "BL protected": ("BL", True),
}


def outcome(name, seed, n_rounds, step_size):
    """Return the share of valid counterfactuals by model."""
    settings = {"n_rounds": n_rounds, "step_size": step_size}
    return [
        {
            "model": title,
            "validity": judge(name, seed, variant, protected=protected, **settings)[
                "validity"
            ].mean(),
        }
        for title, (variant, protected) in WAYS.items()
    ]


def table(by_seed, suffix):
    """Return the means over seeds next to the published figures."""
    lines = []
    for data, runs in by_seed.groupby("data", sort=False):
        for title, figure in zip(WAYS, published.TABLE_3[published.DATA.index(data)], strict=True):
            ours = over_seeds(runs.loc[runs["model"] == title, "validity"])
            lines.append({"data": data, "model": title, "published": figure, **ours})
    return pd.DataFrame(lines)


if __name__ == "__main__":
    main("table3", keys=["model"])
