"""The section of the results page on models at equal cost."""

import pandas as pd
from page_tables import folded, listed, number, wide

# The higher one of the two costs, that of the conventional model at this probability.
TAU = 0.9
REFERENCE = "conventional"
# Titles and digits of the gains by measure.
MEASURES = {
    "IP5": ("reduction of the distance to the 5 nearest rows, %", 1),
    "IP": ("reduction of IP, %", 1),
    "transfer": ("accepted by trees, difference of shares", 2),
    "transfer to net": ("accepted by another net, difference of shares", 2),
    "MMD": ("MMD, difference", 3),
    "cost / optimum": ("cost divided by the proven optimum, difference", 2),
}


def gains(table):
    """Return the gains of all models by search and measure, at the cost for `TAU`."""
    table = table[(table["tau"] == TAU) & (table["model"] != REFERENCE)]
    table = table.rename(columns={"gain": "mean"})
    tables = {}
    for measure, (title, digits) in MEASURES.items():
        for search in dict.fromkeys(table["search"]):
            lines = table[(table["measure"] == measure) & (table["search"] == search)]
            # A search without any proof has no cells.
            if lines["mean"].notna().any():
                tables[f"By {search}: {title}"] = wide(lines, "model", "data", digits=digits)
    return folded(tables)


def accuracies(table):
    """Return the accuracies, the chosen strengths and the seconds of training by model."""
    # These columns are the same for all measures of a model.
    table = table.drop_duplicates(["data", "model"])
    titles = {"accuracy": ("Accuracy", 3), "strength": ("Strength", 3)}
    titles["seconds"] = ("Seconds of the processor for a fit", 0)

    def cell(line, digits):
        return number(line["mean"], digits)

    return folded(
        {
            title: wide(table.assign(mean=table[column]), "model", "data", digits=digits, cell=cell)
            for column, (title, digits) in titles.items()
        }
    )


def nearer(table):
    """Return, for each search, on which data sets each model is nearer to observed rows."""
    table = table[(table["tau"] == TAU) & (table["measure"] == "IP5")]
    table = table[table["model"] != REFERENCE]
    lines = []
    for (search, model), runs in table.groupby(["search", "model"], sort=False):
        known = runs[runs["from"].notna()]
        better = known.loc[known["from"] > 0, "data"]
        worse = known.loc[known["to"] < 0, "data"]
        n_undecided = len(known) - len(better) - len(worse)
        n_empty, n_runs = int(runs["empty"].sum()), int(runs["seeds"].sum())
        lines.append(
            f"- {model}, by {search}: nearer on {listed(better.tolist())}; farther on "
            f"{listed(worse.tolist())}; undecided on {n_undecided} of {len(runs)} sets. {n_empty} "
            f"of {n_runs} runs have no such cost."
        )
    return "\n".join(lines)


def seeds(table):
    """Return the data sets that were measured, with the number of seeds of each."""
    most = table.groupby("data", sort=False)["seeds"].max()
    return listed([f"{data} ({n})" for data, n in pd.Series(most).items()]) + "."
