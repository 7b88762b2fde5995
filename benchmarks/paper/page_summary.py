"""The first figure of the results page: what counterfactual training changes, and the paper's."""

import numpy as np
import pandas as pd
from experiment import over_seeds
from page_tables import AUTHORS, listed

OURS, PAPER = "tab:blue", "tab:orange"


def changes(table_1, table_3, figure_5):
    """Return what counterfactual training changes, by data set, measure and seed.

    Parameters
    ----------
    table_1, table_3, figure_5 : DataFrame
        Outcomes by seed of the three questions.

    Returns
    -------
    changes : DataFrame
        Columns `title`, `data`, `seed` and `change`. Changes of IP, IP* and the cost are
        reductions in percent; those of validity and accuracies are percentage points. A positive
        change is better.
    """
    parts = []
    for measure, name in AUTHORS.items():
        lines = table_1[table_1["measure"] == measure]
        parts.append(lines.assign(title=name, change=lines["reduction"]))
    pgd = figure_5[figure_5["attack"] == "pgd"]
    attacked = pgd[pgd["epsilon"] == pgd["epsilon"].max()]
    unattacked = pgd[pgd["epsilon"] == 0]
    parts += [
        gains(table_3, "validity", "validity"),
        gains(unattacked, "accuracy", "accuracy"),
        gains(attacked, "accuracy", "accuracy under attack"),
    ]
    return pd.concat([part[["title", "data", "seed", "change"]] for part in parts])


def gains(outcomes, column, title):
    """Return by how many percentage points a quantity is larger under CT than under BL."""
    values = outcomes.set_index(["data", "seed", "model"])[column].unstack(sort=False)
    change = 100 * (values["CT"] - values["BL"])
    return change.rename("change").reset_index().assign(title=title)


def published(table_1, table_3):
    """Return the changes that the paper reports, by title and data set.

    Parameters
    ----------
    table_1, table_3 : DataFrame
        Final tables of the two questions.
    """
    parts = {
        name: table_1[table_1["measure"] == measure].set_index("data")["published"]
        for measure, name in AUTHORS.items()
    }
    validity = table_3.set_index(["data", "model"])["published"].unstack()
    parts["validity"] = 100 * (validity["CT"] - validity["BL"])
    return parts


def draw(results):
    """Return the figure.

    Parameters
    ----------
    results : dict
        Tables "table1" and "table3", and outcomes by seed of "table1", "table3" and "figure5", by
        the names of their files.
    """
    import matplotlib.pyplot as plt

    found = changes(*(results[f"{name}_by_seed"] for name in ("table1", "table3", "figure5")))
    papers = published(results["table1"], results["table3"])
    titles = list(dict.fromkeys(found["title"]))
    names = list(dict.fromkeys(found["data"]))
    figure, axes = plt.subplots(
        3, 2, figsize=(7, 9), sharex="col", sharey=True, layout="constrained", squeeze=False
    )
    # Reductions in percent stand on the left, differences in points on the right.
    for axis, title in zip(axes.T.flat, titles, strict=True):
        lines = found[found["title"] == title]
        for place, name in enumerate(names):
            draw_seeds(axis, place, lines.loc[lines["data"] == name, "change"].to_numpy())
        if title in papers:
            figures = papers[title].reindex(names)
            axis.plot(figures, range(len(names)), "D", ms=5, mfc="none", mec=PAPER, mew=1.5)
        axis.axvline(0, color="0.3", lw=0.8)
        axis.set_title(f"{title}, reduced by" if title in AUTHORS.values() else title, size=11)
        axis.tick_params(labelbottom=True)
        axis.grid(axis="x", lw=0.4)
    axes[-1, 0].set_xlabel("%")
    axes[-1, 1].set_xlabel("change, percentage points")
    first = axes[0, 0]
    first.set_yticks(range(len(names)), names)
    first.invert_yaxis()
    handles = [
        plt.Line2D([], [], marker="o", color=OURS, label="ours: mean, 95% interval over seeds"),
        plt.Line2D([], [], marker=".", color=OURS, alpha=0.5, lw=0, label="ours: one seed"),
        plt.Line2D([], [], marker="D", mfc="none", mec=PAPER, mew=1.5, lw=0, label="the paper"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=9)
    return figure


def draw_seeds(axis, place, values):
    """Draw the seeds of one data set, their mean and its interval, in one line of a panel."""
    mean = over_seeds(values)
    axis.plot([mean["from"], mean["to"]], [place, place], color=OURS, lw=2)
    axis.plot(mean["mean"], place, "o", color=OURS, ms=6)
    axis.plot(values, np.full(len(values), place + 0.25), ".", color=OURS, alpha=0.5, ms=5)


def text(table_1, table_3, figure_5):
    """Return on which data sets CT changes what, as text.

    Parameters
    ----------
    table_1, table_3, figure_5 : DataFrame
        Outcomes by seed of the three questions.
    """
    found = changes(table_1, table_3, figure_5)
    lines = []
    for title, runs in found.groupby("title", sort=False):
        sets = {"better": [], "worse": [], "undecided": []}
        for name, values in runs.groupby("data", sort=False)["change"]:
            interval = over_seeds(values)
            is_better, is_worse = interval["from"] > 0, interval["to"] < 0
            sets["better" if is_better else "worse" if is_worse else "undecided"].append(name)
        lines.append(
            f"- {title}: better on {listed(sets['better'])}; worse on {listed(sets['worse'])}; "
            f"undecided on {listed(sets['undecided'])}."
        )
    return "\n".join(lines)
