"""Generate the results page of the documentation from the tables in ``results/``.

The build of the documentation calls `write`. Each figure of the page is read from a table or
computed from one::

    python benchmarks/paper/page.py doc
"""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import page_fair
import page_figures
import page_proofs
import page_summary
import page_tables
import pandas as pd
from experiment import over_seeds
from page_tables import AUTHORS, by_quantity, directive, listed, spread, wide

RESULTS = Path(__file__).parent / "results"
TEXT = Path(__file__).parent / "page.rst"
IMAGES = "results_images"
PENDING = "*Not computed yet.*"


def write(folder):
    """Write ``results.rst`` and its images into a folder.

    Parts whose table does not exist yet are replaced by a note.
    """
    images = Path(folder) / IMAGES
    images.mkdir(exist_ok=True)
    for image in RESULTS.glob("*.png"):
        shutil.copy(image, images)
    page_figures.draw_all(RESULTS, images)
    text = re.sub(r"^\|(.+)\|$", lambda place: part(place[1]), TEXT.read_text(), flags=re.M)
    text = re.sub(
        rf"^\.\. image:: {IMAGES}/(.+)\n(   .*\n)+",
        lambda image: image[0] if (images / image[1]).exists() else f"{PENDING}\n",
        text,
        flags=re.M,
    )
    (Path(folder) / "results.rst").write_text(text)


def part(name):
    """Return a part of the page."""
    try:
        return PARTS[name]()
    except FileNotFoundError:
        return PENDING


def read(name):
    """Return a table."""
    return pd.read_csv(RESULTS / f"{name}.csv")


def read_by_seed(name):
    """Return a table by seed, for the default search step and number of rounds."""
    return page_figures.usual(read(f"{name}_by_seed"))


def length_scales():
    """Return IP* by length scale."""
    table = read("table1")
    table = table[table["measure"].str.startswith("IP*")]
    return directive(wide(table, "data", "measure"))


def signs(suffix=""):
    """Return the number of starred figures whose sign agrees with our mean, as text."""
    table = read(f"table1{suffix}")
    lines = []
    for measure, name in AUTHORS.items():
        starred = table[(table["measure"] == measure) & (table["star"] == "*")]
        agree = np.sign(starred["mean"]) == np.sign(starred["published"])
        against = [f"{line['data']} ({spread(line)})" for _, line in starred[~agree].iterrows()]
        lines.append(
            f"- {name}: our mean has the published sign on {agree.sum()} of the {len(starred)} "
            "starred sets" + (f", but not on {', '.join(against)}." if against else ".")
        )
    return "\n".join(lines)


def exceptions():
    """Return the results by seed of figures whose sign disagrees with our mean, as text."""
    table, usual = read("table1"), read_by_seed("table1")
    lines = []
    for _, line in table[table["measure"].isin(AUTHORS) & (table["star"] == "*")].iterrows():
        if np.sign(line["mean"]) == np.sign(line["published"]):
            continue
        mine = (usual["data"] == line["data"]) & (usual["measure"] == line["measure"])
        reduction = usual.loc[mine, "reduction"]
        agree = (np.sign(reduction) == np.sign(line["published"])).sum()
        contains = "contains" if line["from"] <= 0 <= line["to"] else "does not contain"
        lines.append(
            f"{AUTHORS[line['measure']]} on {line['data']}: {spread(line)}. The interval over "
            f"seeds {contains} zero; {agree} of {len(reduction)} seeds have the published sign."
        )
    return "\n\n".join(lines)


def proposition():
    """Return the values of tau at which masking lowers the weight of the feature, as text."""
    table = read("figure1")
    weights = table[table["quantity"] == "sensitivity"].pivot(
        index="tau", columns="way", values="mean"
    )
    short = table[table["quantity"] == "short"].set_index("tau")["mean"]
    lower = weights["masked"] < weights["conventional"]
    return (
        "With masking, age matters less than without it at "
        f"{(weights['masked'] < weights['not masked']).sum()} of {len(weights)} values of tau "
        f"(means over seeds). It matters less than under conventional training at tau = "
        f"{listed(weights.index[lower])} and more at {listed(weights.index[~lower])}. "
        "Counterfactuals stop before the exemplars at tau = "
        f"{listed(short.index[short > 0])} and move beyond them at "
        f"{listed(short.index[short <= 0])}."
    )


def attributed():
    """Return where the total falls and where protection lowers an attribution, as text."""
    table = read("table2").set_index("data")
    lower = table["attribution CT"] < table["attribution mutable"]
    return (
        "Counterfactual training lowers the total on "
        f"{listed(table.index[table['total CT'] < table['total BL']])}. Against the same training "
        f"with all features mutable, protection lowers the attribution of the protected feature "
        f"on {listed(table.index[lower])} and raises it on {listed(table.index[~lower])}."
    )


def sensitivity():
    """Return where protection lowers the share of the protected feature, as text."""
    table = read("table2")
    lower = table[table["to"] < 0]["data"].tolist()
    higher = table[table["from"] > 0]["data"].tolist()
    other = [data for data in table["data"] if data not in lower + higher]
    return (
        f"The share is lower than under conventional training on {listed(lower)}, and higher on "
        f"{listed(higher)}. The interval over seeds contains zero on {listed(other)}."
    )


def masking_brings():
    """Return where masking the exemplars lowers and raises the share of a feature, as text."""
    sets = {"lower": [], "higher": [], "undecided": []}
    table = read_by_seed("masking").groupby(["data", "protected"], sort=False)
    for (data, protected), runs in table:
        shares = runs.pivot(index="seed", columns="model", values="share")
        gain = over_seeds(shares["CT"] - shares["unmasked"])
        answer = "lower" if gain["to"] < 0 else "higher" if gain["from"] > 0 else "undecided"
        sets[answer].append(f"{data} ({protected} feature)")
    return (
        "With masking, the share of the protected feature is lower than without it on "
        f"{listed(sets['lower'])}, and higher on {listed(sets['higher'])}. The interval over seeds "
        f"of the difference contains zero on {listed(sets['undecided'])}."
    )


def table_3():
    """Return Table III with published figures in parentheses."""
    table = read("table3")

    def cell(line, _):
        return f"{line['mean']:.2f} ({line['published']:.2f})"

    return directive(wide(table, "data", "model", cell=cell))


def attacked():
    """Return the gains in accuracy under the strongest attack of Figure 5, as text."""
    table = read("figure5")
    table = table[(table["attack"] == "pgd") & (table["epsilon"] == table["epsilon"].max())]
    means = table.set_index(["data", "model"])["mean"].unstack(sort=False)
    gains = [f"{data} ({gain:+.3f})" for data, gain in (means["CT"] - means["BL"]).items()]
    return f"Accuracy of CT minus that of BL at the largest epsilon: {listed(gains)}."


def half_as_good(table, models):
    """Return the number of sets on which CT gains, and where each model gains half as much.

    CT gains on a set if the interval over seeds lies above zero.
    """
    sure = table.loc[(table["model"] == "CT") & (table["from"] > 0), "data"]
    means = table.set_index(["data", "model"])["mean"].unstack(sort=False).loc[sure]
    reached = {model: means.index[means[model] >= means["CT"] / 2] for model in models}
    return len(means), {model: listed(names) for model, names in reached.items()}


def parts_of_the_gain():
    """Return which part of the objective achieves half of the reduction of IP*, as text."""
    table = read("figure6")
    n_sets, reached = half_as_good(table[table["measure"] == "IP* 5.0"], ("AR", "CD"))
    return (
        f"CT reduces IP* with length scale 5.0 on {n_sets} sets, in the sense that the interval "
        f"over seeds excludes zero. At least half of the reduction is achieved by the adversarial "
        f"loss alone on {reached['AR']}, and by the divergence with its ridge on {reached['CD']}."
    )


def ridge_and_divergence():
    """Return where ridge and divergence alone achieve half of the gain of CT, as text."""
    table = read("ridge")
    lines = []
    for quantity, title in (("IP reduction", "IP"), ("IP* 5.0 reduction", "IP*")):
        of_quantity = table[table["quantity"] == quantity]
        n_sets, reached = half_as_good(of_quantity, ("ridge", "divergence", "CD"))
        lines.append(
            f"- CT reduces {title} on {n_sets} sets (the interval over seeds excludes zero). At "
            f"least half of the reduction is achieved by the ridge alone on {reached['ridge']}; by "
            f"the divergence alone on {reached['divergence']}; and by both, without the "
            f"adversarial loss, on {reached['CD']}."
        )
    return "\n".join(lines)


def rivals_as_good():
    """Return the data sets on which the mean of a baseline is at least that of CT, as text."""
    table = read("baselines")
    quantities = {
        "IP reduction": "Reduction of IP",
        "IP* 5.0 reduction": "Reduction of IP*",
        "robust": "Accuracy under attack",
    }
    lines = []
    for quantity, title in quantities.items():
        means = table[table["quantity"] == quantity]
        means = means.set_index(["data", "model"])["mean"].unstack(sort=False)
        parts = [
            f"{model} on {listed(means.index[means[model] >= means['CT']])}"
            for model in ("PGD", "TRADES", "JEM", "augmented")
        ]
        lines.append(f"- {title}: {'; '.join(parts)}.")
    return "\n".join(lines)


def stronger():
    """Return by how much stronger attacks reduce the accuracies of Figure 5, as text."""
    plain, strong = read("figure5"), read("attacks")
    plain = plain[(plain["attack"] == "pgd") & (plain["epsilon"] == plain["epsilon"].max())]
    strong = strong[strong["quantity"] == "worst"]
    both = plain.merge(strong, on=["data", "model"], suffixes=("", " strong"))
    largest = (both["mean"] - both["mean strong"]).max()
    return (
        "Compared with the single run of PGD in Figure 5, the worst of all attacks reduces the "
        f"accuracy by at most {largest:.3f}."
    )


def without_recourse():
    """Return the shares of rejected women and men for whom ECCCo finds nothing, as text."""
    table = read("burden")
    table = table[table["quantity"] == "without recourse"].set_index(["model", "group"])["mean"]
    lines = [
        f"{table[model, 'Female']:.0%} of the rejected women and {table[model, 'Male']:.0%} of the "
        f"rejected men under {model}"
        for model in ("BL", "CT")
    ]
    return f"As means over seeds, ECCCo finds no counterfactual for {', and for '.join(lines)}."


def proofs(make):
    """Return a function that makes a part from outcomes by seed of ``cheapest.py`` and others."""
    others = {
        page_proofs.existence: (),
        page_proofs.costs: (),
        page_proofs.validity: ("table3",),
        page_proofs.reached_by_nearest: ("table3",),
        page_proofs.plausibility: ("figure6", "baselines"),
        page_proofs.kept_gains: ("figure6", "baselines"),
    }
    return lambda: make(*(read_by_seed(name) for name in ("cheapest", *others[make])))


def made(make, name):
    """Return a function that makes a part from a table."""
    return lambda: make(read(name))


def quantities(name, rows, columns, titles):
    """Return a function that makes a table for each quantity of a question."""
    return lambda: by_quantity(read(name), rows, columns, titles)


def explainers():
    """Return the reductions by explainer, a table for each measure."""
    table = read("explainers")
    table = table[table["quantity"] == "reduction"].assign(quantity=table["measure"])
    titles = {"IP": ("Reduction of IP, %", 1), "IP* 5.0": ("Reduction of IP*, %", 1)}
    titles["IP* median"] = ("Reduction of IP* with the median distance, %", 1)
    titles["IP* 0.5"] = ("Reduction of IP* with length scale 0.5, %", 1)
    return by_quantity(table, "data", "explainer", titles)


PARTS = {
    "fair seeds": made(page_fair.seeds, "fair"),
    "fair gains": made(page_fair.gains, "fair"),
    "fair accuracies": made(page_fair.accuracies, "fair"),
    "nearer at equal cost": made(page_fair.nearer, "fair"),
    "summary": lambda: page_summary.text(*map(read_by_seed, ("table1", "table3", "figure5"))),
    "signs": signs,
    "exceptions": exceptions,
    "proposition": proposition,
    "attacked": attacked,
    "parts of the gain": parts_of_the_gain,
    "ridge": made(page_tables.portraits, "ridge"),
    "ridge and divergence": ridge_and_divergence,
    "rivals as good": rivals_as_good,
    "masking brings": masking_brings,
    "stronger": stronger,
    "without recourse": without_recourse,
    "validity proven": proofs(page_proofs.validity),
    "reached by nearest": proofs(page_proofs.reached_by_nearest),
    "existence": proofs(page_proofs.existence),
    "costs of the cheapest": proofs(page_proofs.costs),
    "plausibility of the cheapest": proofs(page_proofs.plausibility),
    "gains by search": proofs(page_proofs.kept_gains),
    "recourse proven": made(page_proofs.recourse, "recourse_proven"),
    "has recourse": made(page_proofs.has_recourse, "recourse_proven"),
    "table 1": made(page_tables.table_1, "table1"),
    "length scales": length_scales,
    "signs printed step": lambda: signs("_step_0.25"),
    "table 1 printed step": made(page_tables.table_1, "table1_step_0.25"),
    "table 2": made(page_tables.table_2, "table2"),
    "attributions": made(page_tables.attributions, "table2"),
    "attributed": attributed,
    "sensitivity": sensitivity,
    "table 3": table_3,
    "figure 3": lambda: directive(
        wide(read("figure3"), ["constraint", "model"], "quantity", digits=2)
    ),
    "overhead": lambda: directive(wide(read("overhead"), "data", "model")),
    "baselines": made(page_tables.portraits, "baselines"),
    "schedule": made(page_tables.portraits, "schedule"),
    "attacks": quantities(
        "attacks",
        "data",
        "model",
        {
            "worst": ("Accuracy under the worst attack", 3),
            "pgd": ("Accuracy under PGD on the cross-entropy", 3),
            "margin": ("Accuracy under PGD on the margin", 3),
            "distance": ("Distance to an error", 3),
            "accuracy": ("Accuracy without an attack", 3),
        },
    ),
    "stability": quantities(
        "stability",
        "data",
        "model",
        {"stability": ("Share", 2), "cost": ("Cost", 2), "validity": ("Validity", 2)},
    ),
    "explainers": explainers,
    "generators": quantities(
        "generators",
        "data",
        "model",
        {
            "IP reduction": ("Reduction of IP, %", 2),
            "IP less ECCCo's": ("IP less that with ECCCo", 2),
            "IP* 5.0 reduction": ("Reduction of IP*, %", 2),
            "cost": ("Cost", 2),
            "mature": ("Share of mature counterfactuals", 2),
        },
    ),
    "masking": made(page_tables.masking, "masking"),
    "classes": made(page_tables.classes, "classes"),
    "burden": quantities(
        "burden",
        "group",
        "model",
        {
            "without recourse": ("Share without recourse", 2),
            "median cost": ("Median cost", 2),
            "median changes": ("Median number of changes", 2),
            "refused": ("Share of rejected rows", 2),
            "rows": ("Rows", 0),
        },
    ),
}


if __name__ == "__main__":
    write(sys.argv[1])
