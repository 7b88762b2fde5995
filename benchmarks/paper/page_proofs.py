"""Parts of the results page that compare the paper's search with "nearest" and with proof."""

import pandas as pd
from cheapest import N_PROVEN
from experiment import over_seeds
from page_tables import folded, listed, number, spread

N_SEEDS = 5
# Validity that counts as low.
LOW = 0.95
# Models with another objective than the conventional one, in the order of the table.
TRAINED = ("CT", "AR", "CD", "PGD", "TRADES", "JEM", "augmented")


def summary(values, digits=2):
    """Return the mean over seeds as text, and its interval if there are five seeds."""
    if values.count() < N_SEEDS:
        return number(values.mean(), digits)
    return spread(over_seeds(values), digits)


def by_model(outcomes, columns, models, digits):
    """Return a table of means over seeds for each quantity, and one of the numbers of seeds.

    Parameters
    ----------
    outcomes : DataFrame
        Outcomes by data set, model and seed.
    columns : dict
        Columns of `outcomes` by the title of their table.
    models : iterable of str
        Models in the order of the columns; those without outcomes are left out.
    digits : int
        Number of digits.
    """
    groups = outcomes.groupby(["data", "model"], sort=False)
    columns_of_table = [model for model in models if (outcomes["model"] == model).any()]

    def table(cells):
        # Unstacking sorts the names of data sets and models.
        pivoted = cells.unstack().reindex(outcomes["data"].unique(), columns=columns_of_table)
        return pivoted.fillna("–").rename_axis(columns=None).reset_index()

    tables = {
        title: table(groups[column].apply(summary, digits=digits))
        for title, column in columns.items()
    }
    return folded({**tables, "Number of seeds": table(groups.size().astype(str))})


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
        "Valid: ECCCo": "ECCCo validity",
        "Valid: nearest, at 0.5": "decision validity",
        "Reached: ECCCo": "ECCCo",
        "Reached: nearest": "nearest",
        "Exists": "exists",
        "Impossible": "impossible",
        "Open": "open",
        "Optimum proven": "optimal",
        "Cost, ECCCo / nearest": "ECCCo / nearest",
    }
    return by_model(known, columns, ("BL", "CT", "BL protected", "CT protected", *TRAINED[1:]), 2)


def reached_by_nearest(cheapest, table_3):
    """Return for which models ECCCo's validity is low, and that of nearest, as text."""
    published = table_3.rename(columns={"validity": "ECCCo validity"})
    known = cheapest.merge(published[["data", "seed", "model", "ECCCo validity"]])
    means = known.groupby(["data", "model"], sort=False)[["ECCCo validity", "decision validity"]]
    means = means.mean()
    is_low = means < LOW
    lacking = means.loc[is_low["decision validity"], "decision validity"]
    names = [f"{model} on {data} ({share:.0%})" for (data, model), share in lacking.items()]
    return (
        f"Less than {LOW:.0%} of the explanations by ECCCo are valid for "
        f"{is_low['ECCCo validity'].sum()} of these {len(means)} models. Less than {LOW:.0%} of "
        f"the cheapest counterfactuals are valid for: {listed(names)}."
    )


def reductions(cheapest, figure_6, baselines):
    """Return the reductions of IP and IP* by each search, on the same seeds, as a DataFrame.

    Parameters
    ----------
    cheapest, figure_6, baselines : DataFrame
        Outcomes by seed of the three questions.
    """
    keys = ["data", "seed", "model"]
    parts = figure_6.pivot(index=keys, columns="measure", values="reduction")
    parts = parts.add_suffix(" reduction").reset_index()
    columns = ["IP reduction", "IP* 5.0 reduction"]
    # Both questions contain CT.
    by_eccco = pd.concat([parts, baselines])[[*keys, *columns]].drop_duplicates(keys)
    known = cheapest.merge(by_eccco, on=keys, suffixes=("", " by ECCCo"))
    conventional = cheapest[cheapest["model"] == "BL"].set_index(["data", "seed"])
    place = pd.MultiIndex.from_frame(known[["data", "seed"]])
    for measure in ("decision IP", "decision IP5"):
        before = conventional[measure].reindex(place).to_numpy()
        known[f"{measure} reduction"] = 100 * (1 - known[measure] / before)
    return known[known["model"].isin(TRAINED)]


def plausibility(cheapest, figure_6, baselines):
    """Return the table of reductions by each search."""
    known = reductions(cheapest, figure_6, baselines)
    columns = {
        "Reduction of IP, %: ECCCo": "IP reduction by ECCCo",
        "Reduction of IP, %: nearest": "IP reduction",
        "Reduction of IP, %: nearest, at 0.5": "decision IP reduction",
        "Reduction of IP*, %: ECCCo": "IP* 5.0 reduction by ECCCo",
        "Reduction of IP*, %: nearest": "IP* 5.0 reduction",
        "Reduction of the distance to the 5 nearest rows, %: nearest, at 0.5": (
            "decision IP5 reduction"
        ),
    }
    return by_model(known, columns, TRAINED, 1)


def kept_gains(cheapest, figure_6, baselines):
    """Return which reductions by ECCCo are reductions by the other searches, too, as text."""
    known = reductions(cheapest, figure_6, baselines)
    columns = {
        "IP, by nearest": ("IP reduction by ECCCo", "IP reduction"),
        "IP, by nearest up to the decision": ("IP reduction by ECCCo", "decision IP reduction"),
        "IP*, by nearest": ("IP* 5.0 reduction by ECCCo", "IP* 5.0 reduction"),
    }
    lines = []
    for title, (by_eccco, by_nearest) in columns.items():
        means = known.groupby(["data", "model"], sort=False)[[by_eccco, by_nearest]].mean()
        is_gain = means[by_eccco] > 0
        of_ct = means.xs("CT", level="model")
        kept = of_ct.index[(of_ct[by_eccco] > 0) & (of_ct[by_nearest] > 0)]
        lost = of_ct.index[(of_ct[by_eccco] > 0) & (of_ct[by_nearest] <= 0)]
        n_kept = (is_gain & (means[by_nearest] > 0)).sum()
        lines.append(
            f"- {title}: {n_kept} of the {is_gain.sum()} reductions by ECCCo are reductions. For "
            f"CT, they remain on {listed(kept)} and do not on {listed(lost)}."
        )
    return "\n".join(lines)


def costs(cheapest):
    """Return how much CT changes the cost of the cheapest counterfactuals, as text."""
    lines = []
    for column, title in (("decision cost", "the decision (median cost)"), ("cost", "0.95 (mean)")):
        table = cheapest.pivot(index=["data", "seed"], columns="model", values=column)
        ratios = (table["CT"] / table["BL"]).dropna().groupby("data").mean()
        ratios = ratios.reindex(dict.fromkeys(cheapest["data"])).dropna()
        by_data = [f"{number(ratio)} on {data}" for data, ratio in ratios.items()]
        lines.append(f"- up to {title}: {listed(by_data)}.")
    return "\n".join(lines)


def existence(cheapest):
    """Return what is proven of all sampled rows together, as text."""
    n_rows = 2 * N_PROVEN
    means = cheapest[["ECCCo", "nearest", "exists", "impossible", "open", "optimal"]].mean()
    n_none = round(n_rows * cheapest["impossible at 0.5"].sum())
    none = f"For {n_none} rows it is" if n_none else "For no row is it"
    return (
        f"Over all {n_rows * len(cheapest):,} rows of these samples, a counterfactual that reaches "
        f"the probability is known for {means['exists']:.1%}, proven not to exist for "
        f"{means['impossible']:.1%}, and neither for {means['open']:.1%}. ECCCo finds one for "
        f"{means['ECCCo']:.1%} of the rows, and the nearest search for {means['nearest']:.1%}. "
        f"{none} proven that the model does not predict the target anywhere within the "
        f"constraints. The optimum is proven for {means['optimal']:.1%} of the rows, and the "
        f"median cost of the nearest search is at most {cheapest['nearest / cheapest'].max():.3f} "
        "times the optimum, whatever the model."
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
    tables = {}
    for model, answers in table.groupby("model", sort=False):
        means = answers.pivot(index="group", columns="quantity", values="mean")
        means = means.loc[answers["group"].unique()]
        cells = {title: [number(v, n) for v in means[title]] for title, n in titles.items()}
        tables[model] = pd.DataFrame({"group": means.index, **cells})
    return folded(tables)


def has_recourse(table):
    """Return who has recourse, and what it costs women and men, as text."""
    of = table.set_index(["model", "group", "quantity"])
    answers = table[table["group"].isin(["Female", "Male"])]
    means = answers.groupby(["model", "quantity"])["mean"].mean()
    most = table.loc[table["quantity"] == "nearest finds none", "mean"].max()
    lines = [
        f"Under either model, the search for the cheapest counterfactuals finds none for at most "
        f"{most:.1%} of all rejected rows of a group. What is proven of the sample by sex:\n"
    ]
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
