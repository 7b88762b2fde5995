"""Figures of the results page that are drawn from tables."""

import math

import page_summary
import pandas as pd
from models import STEP_SIZE
from rounds import N_ROUNDS

COLORS = {
    "BL": "0.4",
    "CT": "tab:blue",
    "AR": "tab:orange",
    "CD": "tab:green",
}
# Smallest range of an axis of accuracies, so that small differences look small.
LEAST_HEIGHT = 0.1
# Tables of the first figure.
SUMMARY = ("table1", "table3", "table1_by_seed", "table3_by_seed", "figure5_by_seed")
LINES = {"fgsm": "--", "pgd": "-"}


def draw_all(results, images):
    """Draw the figures whose tables exist in one folder into another folder."""
    for name, draw in DRAWN.items():
        table = results / f"{name}.csv"
        if table.exists():
            save(draw(pd.read_csv(table)), images / f"{name}.png")
    files = [results / f"{name}.csv" for name in SUMMARY]
    if all(file.exists() for file in files):
        tables = {file.stem: pd.read_csv(file) for file in files}
        by_seed = {name: usual(table) for name, table in tables.items() if "step" in table}
        save(page_summary.draw({**tables, **by_seed}), images / "summary.png")


def usual(table):
    """Return the outcomes for the default search step and number of rounds."""
    return table[(table["step"] == STEP_SIZE) & (table["rounds"] == N_ROUNDS)]


def save(figure, file):
    """Write a figure to a file and forget it."""
    import matplotlib.pyplot as plt

    figure.savefig(file, dpi=120)
    plt.close(figure)


def panels(names, n_columns, height):
    """Return a figure with a panel for each name, and the panels."""
    import matplotlib.pyplot as plt

    n_rows = math.ceil(len(names) / n_columns)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(10, height * n_rows), layout="constrained", squeeze=False
    )
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis, name in zip(axes.flat, names, strict=False):
        axis.set_title(name, size=10)
    return figure, dict(zip(names, axes.flat, strict=False))


def accuracy_under_attack(table):
    """Draw Figure 5."""
    figure, axes = panels(list(dict.fromkeys(table["data"])), 3, 2.4)
    for (data, attack, model), runs in table.groupby(["data", "attack", "model"], sort=False):
        label = model if attack == "pgd" else None
        axes[data].plot(
            runs["epsilon"], runs["mean"], LINES[attack], color=COLORS[model], label=label
        )
    first, *_ = axes.values()
    first.legend(fontsize=8)
    for axis in axes.values():
        axis.set_xlabel("epsilon")
        axis.set_ylabel("accuracy")
        bottom, top = axis.get_ylim()
        axis.set_ylim(min(bottom, top - LEAST_HEIGHT), top)
    return figure


def ablation(table):
    """Draw Figure 6."""
    measures = [measure for measure in dict.fromkeys(table["measure"]) if measure != "IP* 0.5"]
    figure, axes = panels(measures, 1, 2.4)
    order = list(dict.fromkeys(table["data"]))
    for place, model in enumerate(("AR", "CD", "CT")):
        for measure in measures:
            runs = table[(table["model"] == model) & (table["measure"] == measure)]
            where = [order.index(data) + 0.27 * (place - 1) for data in runs["data"]]
            axes[measure].bar(
                where, runs["mean"], 0.25, yerr=runs["sd"], color=COLORS[model], label=model
            )
    for axis in axes.values():
        axis.axhline(0, color="k", lw=0.6)
        axis.set_xticks(range(len(order)), order, size=8)
        axis.set_ylabel("reduction, %")
        axis.set_ylim(-60, 105)
    axes[measures[0]].legend(fontsize=8, ncols=3)
    return figure


def maturity(table):
    """Draw the share of mature counterfactuals by epoch."""
    table = table[table["quantity"] == "mature"]
    figure, axes = panels(list(dict.fromkeys(table["data"])), 4, 2.2)
    for (data, model), runs in table.groupby(["data", "model"], sort=False):
        axes[data].plot(runs["epoch"], runs["mean"], color=COLORS[model], label=model)
        axes[data].fill_between(
            runs["epoch"],
            runs["mean"] - runs["sd"],
            runs["mean"] + runs["sd"],
            color=COLORS[model],
            alpha=0.2,
        )
        axes[data].set_ylim(-0.03, 1.03)
    first, *_ = axes.values()
    first.legend(fontsize=8)
    return figure


def grids(table):
    """Draw the reduction of IP by setting and data set, for each generator."""
    import matplotlib.pyplot as plt

    settings, names = (list(dict.fromkeys(table[column])) for column in ("setting", "data"))
    figure, axes = plt.subplots(
        len(settings),
        len(names),
        figsize=(10, 1.5 * len(settings)),
        sharey="col",
        layout="constrained",
        squeeze=False,
    )
    colors = {"eccco": "tab:blue", "generic": "tab:orange", "revise": "tab:green"}
    for (data, setting, generator), runs in table.groupby(
        ["data", "setting", "generator"], sort=False
    ):
        axis = axes[settings.index(setting), names.index(data)]
        values = [f"{value:g}" for value in runs["value"]]
        axis.plot(values, runs["reduction"], "o-", ms=4, color=colors[generator], label=generator)
        axis.axhline(0, color="k", lw=0.6)
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(name, size=10)
    for axis, setting in zip(axes[:, 0], settings, strict=True):
        axis.set_ylabel(setting, size=9)
    lines = axes[0, 0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside upper center", ncols=3, fontsize=8)
    return figure


DRAWN = {
    "figure5": accuracy_under_attack,
    "figure6": ablation,
    "maturity": maturity,
    "grids": grids,
}
