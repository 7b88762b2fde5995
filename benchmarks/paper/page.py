"""The results page of the documentation, from the tables of ``results/``.

The documentation's build calls `write`; every figure of the page is read from a table or
computed from one::

    python benchmarks/paper/page.py doc
"""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import page_figures
import pandas as pd
from experiment import over_seeds
from models import STEP_SIZE
from rounds import N_ROUNDS

RESULTS = Path(__file__).parent / "results"
TEXT = Path(__file__).parent / "page.rst"
IMAGES = "results_images"
PENDING = "*Not computed yet.*"
# Which of our length scales the authors' code used.
AUTHORS = {"IP": "IP", "IP* 5.0": "IP*", "cost": "cost"}


def write(folder):
    """Write ``results.rst`` and its images into a folder.

    What has no table yet says so.
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
    """Return what a table was made of, at the usual search step and number of rounds."""
    told = read(f"{name}_by_seed")
    return told[(told["step"] == STEP_SIZE) & (told["rounds"] == N_ROUNDS)]


def directive(frame):
    """Return a DataFrame as a table of reStructuredText."""
    lines = [", ".join(f'"{cell}"' for cell in line) for line in [frame.columns, *frame.to_numpy()]]
    head, *body = lines
    return "\n".join(
        [".. csv-table::", f"   :header: {head}", "", *(f"   {line}" for line in body)]
    )


def number(value, digits=2):
    """Return a number as text; a dash where there is none."""
    return "–" if pd.isna(value) else f"{value:.{digits}f}"


def spread(line, digits=1):
    """Return mean and 95 % interval over seeds as text."""
    mean = number(line["mean"], digits)
    if pd.isna(line["from"]):
        return mean
    return f"{mean} [{number(line['from'], digits)}, {number(line['to'], digits)}]"


def wide(frame, rows, columns, quantity=None, digits=1, cell=spread):
    """Return a table with a column for each value of `columns`."""
    if quantity is not None:
        frame = frame[frame["quantity"] == quantity]
    rows = [rows] if isinstance(rows, str) else rows
    cells = frame.assign(cell=[cell(line, digits) for _, line in frame.iterrows()])
    order = list(dict.fromkeys(cells[columns]))
    index = cells[rows].drop_duplicates()
    pivoted = cells.set_index([*rows, columns])["cell"].unstack().reindex(columns=order)
    return index.merge(pivoted.reset_index(), on=rows).fillna("–")


def table_1(suffix=""):
    """Return Table I, published figures beside ours."""
    told = read(f"table1{suffix}")
    told["published"] = [
        f"{line['published']:.2f} ± {line['+-']:.2f}{line['star']}"
        for _, line in told.fillna({"star": ""}).iterrows()
    ]
    told["ours"] = [spread(line) for _, line in told.iterrows()]
    told["± rounds"] = told["error"].map(lambda value: number(value, 1))
    told = told[told["measure"].isin(AUTHORS)]
    columns = ["data", "measure", "published", "ours", "± rounds", "stars", "sign"]
    return directive(told[columns].fillna(""))


def length_scales():
    """Return IP* by length scale."""
    told = read("table1")
    told = told[told["measure"].str.startswith("IP*")]
    return directive(wide(told, "data", "measure"))


def signs(suffix=""):
    """Say on how many of the starred figures our mean has the published sign."""
    told = read(f"table1{suffix}")
    lines = []
    for measure, name in AUTHORS.items():
        starred = told[(told["measure"] == measure) & (told["star"] == "*")]
        agree = np.sign(starred["mean"]) == np.sign(starred["published"])
        against = [f"{line['data']} ({spread(line)})" for _, line in starred[~agree].iterrows()]
        lines.append(
            f"- {name}: the published sign on {agree.sum()} of the {len(starred)} starred sets"
            + (f"; not on {', '.join(against)}." if against else ".")
        )
    return "\n".join(lines)


def exceptions():
    """Say what seeds say where our mean has not the published sign."""
    told, usual = read("table1"), read_by_seed("table1")
    lines = []
    for _, line in told[told["measure"].isin(AUTHORS) & (told["star"] == "*")].iterrows():
        if np.sign(line["mean"]) == np.sign(line["published"]):
            continue
        mine = (usual["data"] == line["data"]) & (usual["measure"] == line["measure"])
        reduction = usual.loc[mine, "reduction"]
        agree = (np.sign(reduction) == np.sign(line["published"])).sum()
        holds = "holds" if line["from"] <= 0 <= line["to"] else "does not hold"
        lines.append(
            f"{AUTHORS[line['measure']]} on {line['data']}: {spread(line)}. The interval over "
            f"seeds {holds} zero; {agree} of {len(reduction)} seeds have the published sign."
        )
    return "\n\n".join(lines)


def proposition():
    """Say at which tau masking lowers the weight of the protected feature, and against what."""
    told = read("figure1")
    weights = told[told["quantity"] == "sensitivity"].pivot(
        index="tau", columns="way", values="mean"
    )
    short = told[told["quantity"] == "short"].set_index("tau")["mean"]
    lower = weights["masked"] < weights["conventional"]
    return (
        "With the masking, age counted less than without it at "
        f"{(weights['masked'] < weights['not masked']).sum()} of {len(weights)} values of tau "
        f"(means over seeds). It counted less than under conventional training at tau = "
        f"{listed(weights.index[lower])}, and more at {listed(weights.index[~lower])}; "
        f"counterfactuals stopped short at {listed(short.index[short > 0])}, and went beyond at "
        f"{listed(short.index[short <= 0])}."
    )


def table_2():
    """Return Table II, published figures beside ours."""
    told = read("table2")
    told["difference"] = [
        f"{line['difference']:+.3f} [{line['from']:+.3f}, {line['to']:+.3f}]"
        for _, line in told.iterrows()
    ]
    unneeded = told.columns.str.contains("attribution|total|mutable") | told.columns.isin(
        ["from", "to"]
    )
    told = told.loc[:, ~unneeded]
    floats = told.select_dtypes("number").columns
    return directive(told.assign(**{c: told[c].map(number) for c in floats}))


def attributions():
    """Return what Table II's shares are made of."""
    told = read("table2")
    parts = {
        part: [
            ", ".join(number(line[f"{part} {model}"]) for model in ("BL", "mutable", "CT"))
            for _, line in told.iterrows()
        ]
        for part in ("share", "attribution", "total")
    }
    return directive(pd.DataFrame({"data": told["data"], **parts}))


def attributed():
    """Say where the total falls, and where protection lowers a feature's own attribution."""
    told = read("table2").set_index("data")
    lower = told["attribution CT"] < told["attribution mutable"]
    return (
        "Counterfactual training lowers the total on "
        f"{listed(told.index[told['total CT'] < told['total BL']])}. Against the same training "
        f"with all features mutable, protection lowers the attribution of the protected feature "
        f"on {listed(told.index[lower])}, and raises it on {listed(told.index[~lower])}."
    )


def sensitivity():
    """Say where protection lowered the share of the protected feature."""
    told = read("table2")
    lower = told[told["to"] < 0]["data"].tolist()
    higher = told[told["from"] > 0]["data"].tolist()
    other = [data for data in told["data"] if data not in lower + higher]
    return (
        f"Its share is lower than under conventional training on {listed(lower)}; higher on "
        f"{listed(higher)}; the interval over seeds holds zero on {listed(other)}."
    )


def masking_brings():
    """Say where the masking of exemplars lowers and raises the protected feature's share."""
    sets = {"lower": [], "higher": [], "undecided": []}
    told = read_by_seed("masking").groupby(["data", "protected"], sort=False)
    for (data, protected), runs in told:
        shares = runs.pivot(index="seed", columns="model", values="share")
        gain = over_seeds(shares["CT"] - shares["unmasked"])
        answer = "lower" if gain["to"] < 0 else "higher" if gain["from"] > 0 else "undecided"
        sets[answer].append(f"{data} ({protected} feature)")
    return (
        "With the masking, the share of the protected feature is lower than without it on "
        f"{listed(sets['lower'])}; higher on {listed(sets['higher'])}; the interval over seeds "
        f"of the difference holds zero on {listed(sets['undecided'])}."
    )


def listed(names):
    """Return names or numbers as text."""
    return ", ".join(map(str, names)) if len(names) else "none"


def table_3():
    """Return Table III, published figures in parentheses."""
    told = read("table3")

    def cell(line, _):
        return f"{line['mean']:.2f} ({line['published']:.2f})"

    return directive(wide(told, "data", "model", cell=cell))


def attacked():
    """Say where counterfactual training withstands the strongest attack of Figure 5 better."""
    told = read("figure5")
    told = told[(told["attack"] == "pgd") & (told["epsilon"] == told["epsilon"].max())]
    means = told.set_index(["data", "model"])["mean"].unstack(sort=False)
    gains = [f"{data} ({gain:+.3f})" for data, gain in (means["CT"] - means["BL"]).items()]
    return f"Accuracy of CT less that of BL at the largest epsilon: {listed(gains)}."


def half_as_good(told, models):
    """Return on how many sets seeds say that CT gains; on which each model has half of that."""
    sure = told.loc[(told["model"] == "CT") & (told["from"] > 0), "data"]
    means = told.set_index(["data", "model"])["mean"].unstack(sort=False).loc[sure]
    reached = {model: means.index[means[model] >= means["CT"] / 2] for model in models}
    return len(means), {model: listed(names) for model, names in reached.items()}


def parts_of_the_gain():
    """Say which part of the objective is enough for half of the reduction of IP*."""
    told = read("figure6")
    n_sets, reached = half_as_good(told[told["measure"] == "IP* 5.0"], ("AR", "CD"))
    return (
        f"Of the {n_sets} sets on which CT surely reduces IP* (length scale 5.0; the interval over "
        f"seeds leaves out zero), the adversarial loss alone brings at least half of the "
        f"reduction on {reached['AR']}; the divergence with its ridge on {reached['CD']}."
    )


def ridge_and_divergence():
    """Say where the ridge alone, or the divergence without it, has half of CT's gain."""
    told = read("ridge")
    lines = []
    for quantity, title in (("IP reduction", "IP"), ("IP* 5.0 reduction", "IP*")):
        of_quantity = told[told["quantity"] == quantity]
        n_sets, reached = half_as_good(of_quantity, ("ridge", "divergence", "CD"))
        lines.append(
            f"- {title}, which CT surely reduces on {n_sets} sets: at least half of that with the "
            f"ridge alone on {reached['ridge']}; with the divergence alone on "
            f"{reached['divergence']}; with both, but without the adversarial loss, on "
            f"{reached['CD']}."
        )
    return "\n".join(lines)


def rivals_as_good():
    """Say on which data sets other ways to train have at least CT's mean of a quantity."""
    told = read("baselines")
    quantities = {
        "IP reduction": "Reduction of IP",
        "IP* 5.0 reduction": "Reduction of IP*",
        "robust": "Accuracy under attack",
    }
    lines = []
    for quantity, title in quantities.items():
        means = told[told["quantity"] == quantity]
        means = means.set_index(["data", "model"])["mean"].unstack(sort=False)
        parts = [
            f"{model} on {listed(means.index[means[model] >= means['CT']])}"
            for model in ("PGD", "TRADES", "JEM", "augmented")
        ]
        lines.append(f"- {title}: {'; '.join(parts)}.")
    return "\n".join(lines)


def stronger():
    """Say how much of Figure 5's accuracies stronger attacks take."""
    plain, strong = read("figure5"), read("attacks")
    plain = plain[(plain["attack"] == "pgd") & (plain["epsilon"] == plain["epsilon"].max())]
    strong = strong[strong["quantity"] == "worst"]
    both = plain.merge(strong, on=["data", "model"], suffixes=("", " strong"))
    most = (both["mean"] - both["mean strong"]).max()
    return (
        f"Against Figure 5's single run of PGD, the worst of all attacks takes {most:.3f} of the "
        "accuracy at most."
    )


def without_recourse():
    """Say how many of the refused women and men have no recourse."""
    told = read("burden")
    told = told[told["quantity"] == "without recourse"].set_index(["model", "group"])["mean"]
    lines = [
        f"{model}: {told[model, 'Female']:.0%} of the refused women and "
        f"{told[model, 'Male']:.0%} of the refused men"
        for model in ("BL", "CT")
    ]
    return f"Without recourse, means over seeds: {'; '.join(lines)}."


def portraits(name):
    """Return a table of accuracy and reductions by model."""
    told = read(name)
    kept = {
        "accuracy": 3,
        "robust": 3,
        "validity": 2,
        "IP reduction": 1,
        "IP* 5.0 reduction": 1,
    }
    told = told[told["quantity"].isin(kept)]

    def cell(line, _):
        return number(line["mean"], kept[line["quantity"]])

    return directive(wide(told, ["data", "model"], "quantity", cell=cell))


def simple(name, rows, columns, quantity=None, digits=1):
    """Return what makes a table of one quantity."""
    return lambda: directive(wide(read(name), rows, columns, quantity, digits))


PARTS = {
    "signs": signs,
    "exceptions": exceptions,
    "proposition": proposition,
    "attacked": attacked,
    "parts of the gain": parts_of_the_gain,
    "ridge": lambda: portraits("ridge"),
    "ridge and divergence": ridge_and_divergence,
    "rivals as good": rivals_as_good,
    "masking brings": masking_brings,
    "stronger": stronger,
    "without recourse": without_recourse,
    "table 1": table_1,
    "length scales": length_scales,
    "signs printed step": lambda: signs("_step_0.25"),
    "table 1 printed step": lambda: table_1("_step_0.25"),
    "table 2": table_2,
    "attributions": attributions,
    "attributed": attributed,
    "sensitivity": sensitivity,
    "table 3": table_3,
    "figure 3": simple("figure3", ["constraint", "model"], "quantity", digits=2),
    "overhead": simple("overhead", "data", "model"),
    "baselines": lambda: portraits("baselines"),
    "schedule": lambda: portraits("schedule"),
    "attacks": simple("attacks", ["data", "model"], "quantity", digits=3),
    "stability": simple("stability", ["data", "model"], "quantity", digits=2),
    "explainers": simple("explainers", ["data", "explainer"], "measure", "reduction"),
    "generators": simple("generators", ["data", "model"], "quantity", digits=2),
    "masking": simple("masking", ["data", "protected", "model"], "quantity", digits=2),
    "classes": simple("classes", ["data", "class"], "quantity"),
    "burden": simple("burden", ["model", "group"], "quantity", digits=2),
}


if __name__ == "__main__":
    write(sys.argv[1])
