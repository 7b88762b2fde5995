"""Parts of the results page that compare the paper's search with "nearest" and with proof."""

import pandas as pd
from experiment import over_seeds
from page_tables import directive, listed, number, spread

N_SEEDS = 5
# Models with another objective than the conventional one, in the order of the table.
TRAINED = ("CT", "AR", "CD", "PGD", "TRADES", "JEM", "augmented")
TABLE_3 = ("BL", "CT", "BL protected", "CT protected")


def summary(values, digits=2):
    """Return the mean over seeds as text, and its interval if there are five seeds."""
    if values.count() < N_SEEDS:
        return number(values.mean(), digits)
    return spread(over_seeds(values), digits)


def validity(cheapest, table_3):
    """Return the shares of rows that each search reaches and that can be reached.

    Parameters
    ----------
    cheapest, table_3 : DataFrame
        Outcomes by seed of the two questions.
    """
    published = table_3.rename(columns={"validity": "ECCCo validity"})
    known = cheapest.merge(published[["data", "seed", "model", "ECCCo validity"]])
    columns = {
        "valid: ECCCo": "ECCCo validity",
        "valid: nearest": "validity",
        "reached: ECCCo": "ECCCo",
        "reached: nearest": "nearest",
        "exists": "exists",
        "impossible": "impossible",
        "open": "open",
        "optimum proven": "optimal",
        "cost, ECCCo / nearest": "ECCCo / nearest",
    }
    lines = [
        {
            "data": data,
            "model": model,
            "seeds": len(runs),
            **{title: summary(runs[column]) for title, column in columns.items()},
        }
        for (data, model), runs in known.groupby(["data", "model"], sort=False)
    ]
    return directive(pd.DataFrame(lines))


def reductions(cheapest, figure_6, baselines):
    """Return the reductions of IP and IP* by each search, on the same seeds, as a DataFrame.

    Parameters
    ----------
    cheapest, figure_6, baselines : DataFrame
        Outcomes by seed of the three questions.
    """
    keys = ["data", "seed", "model"]
    parts = figure_6[figure_6["model"] != "CT"]
    parts = parts.pivot(index=keys, columns="measure", values="reduction").add_suffix(" reduction")
    by_eccco = pd.concat([baselines, parts.reset_index()])
    columns = ["IP reduction", "IP* 5.0 reduction"]
    known = cheapest.merge(by_eccco[[*keys, *columns]], on=keys, suffixes=("", " by ECCCo"))
    return known[known["model"].isin(TRAINED)]


def plausibility(cheapest, figure_6, baselines):
    """Return the table of reductions by each search, and of local plausibility."""
    known = reductions(cheapest, figure_6, baselines)
    conventional = cheapest[cheapest["model"] == "BL"]
    known = pd.concat([known, conventional.drop(columns=["IP reduction", "IP* 5.0 reduction"])])
    order = {model: place for place, model in enumerate(("BL", *TRAINED))}
    columns = {
        "IP: ECCCo": ("IP reduction by ECCCo", 1),
        "IP: nearest": ("IP reduction", 1),
        "IP*: ECCCo": ("IP* 5.0 reduction by ECCCo", 1),
        "IP*: nearest": ("IP* 5.0 reduction", 1),
        "5 nearest rows: ECCCo": ("ECCCo IP5", 2),
        "5 nearest rows: nearest": ("nearest IP5", 2),
    }
    lines = []
    for data in dict.fromkeys(cheapest["data"]):
        runs = known[known["data"] == data]
        for model in sorted(set(runs["model"]), key=order.get):
            mine = runs[runs["model"] == model]
            cells = {title: summary(mine[name], n) for title, (name, n) in columns.items()}
            lines.append({"data": data, "model": model, "seeds": len(mine), **cells})
    return directive(pd.DataFrame(lines))


def kept_gains(cheapest, figure_6, baselines):
    """Return on which data sets the sign of a model's reduction depends on the search, as text."""
    known = reductions(cheapest, figure_6, baselines)
    lines = []
    for measure, title in (("IP reduction", "IP"), ("IP* 5.0 reduction", "IP*")):
        means = known.groupby(["data", "model"], sort=False)[
            [measure, f"{measure} by ECCCo"]
        ].mean()
        gains = means[f"{measure} by ECCCo"] > 0
        lost = gains & (means[measure] <= 0)
        names = [f"{model} on {data}" for data, model in means.index[lost]]
        of_ct = means.xs("CT", level="model")
        n_smaller = (of_ct[measure] < of_ct[f"{measure} by ECCCo"]).sum()
        lines.append(
            f"- {title}: of {gains.sum()} reductions by ECCCo, {lost.sum()} are increases under "
            f"the cheapest counterfactuals ({listed(names)}). For CT, the cheapest counterfactuals "
            f"have the smaller reduction on {n_smaller} of {len(of_ct)} sets."
        )
    return "\n".join(lines)


def existence(cheapest):
    """Return what is proven of all sampled rows together, as text."""
    rows = 50 * len(cheapest)
    means = cheapest[["ECCCo", "nearest", "exists", "impossible", "open", "optimal"]].mean()
    n_none = round(50 * cheapest["impossible at 0.5"].sum())
    return (
        f"Over all {rows:,} rows of this sample, a counterfactual that reaches the probability is "
        f"known for {means['exists']:.1%}, proven not to exist for {means['impossible']:.1%}, and "
        f"neither for {means['open']:.1%}. ECCCo finds one for {means['ECCCo']:.1%} of the rows, "
        f"and the nearest search for {means['nearest']:.1%}. For {n_none} rows, it is proven that "
        f"no change within the domains makes the model predict the target at all. The cost of the "
        f"nearest search's rows divided by the proven optimum has a median of "
        f"{cheapest['nearest / cheapest'].median():.3f} (over the medians of all models), and the "
        f"optimum is proven for {means['optimal']:.1%} of the rows."
    )


def recourse(table):
    """Return what is proven of the burden of recourse, by model and group."""
    titles = {
        "ECCCo finds none": 2,
        "nearest finds none": 2,
        "rows proven": 0,
        "exists": 2,
        "impossible": 2,
        "open": 2,
        "optimal": 2,
        "nearest cost": 2,
        "cheapest cost": 2,
        "cheapest changes": 1,
        "ECCCo / nearest": 2,
    }
    means = table.pivot(index=["model", "group"], columns="quantity", values="mean")
    groups = table[["model", "group"]].drop_duplicates().itertuples(index=False, name=None)
    lines = [
        {
            "model": model,
            "group": group,
            **{title: number(means.loc[(model, group), title], n) for title, n in titles.items()},
        }
        for model, group in groups
    ]
    return directive(pd.DataFrame(lines))


def has_recourse(table):
    """Return who has recourse, and what it costs women and men, as text."""
    of = table.set_index(["model", "group", "quantity"])
    answers = table[table["group"].isin(["Female", "Male"])]
    means = answers.groupby(["model", "quantity"])["mean"].mean()
    lines = []
    for model in ("BL", "CT"):
        costs = ", ".join(
            f"{spread(of.loc[(model, group, 'cheapest cost')], 2)} for {people}"
            for group, people in (("Female", "women"), ("Male", "men"))
        )
        lines.append(
            f"- {model}: {means[model, 'exists']:.1%} of the proven rows have recourse, "
            f"{means[model, 'impossible']:.1%} have none, and {means[model, 'open']:.1%} are open. "
            f"The median cost of the cheapest recourse is {costs}."
        )
    return "\n".join(lines)
