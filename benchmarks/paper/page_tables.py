"""Tables of the results page, as text: data sets are rows, and models or settings are columns."""

import pandas as pd

# Measures that the paper reports, by our names; the authors' code uses the length scale 5.0.
AUTHORS = {"IP": "IP", "IP* 5.0": "IP*", "cost": "cost"}
# Titles and digits of the quantities that describe a model.
PORTRAIT = {
    "IP reduction": ("Reduction of IP, %", 1),
    "IP* 5.0 reduction": ("Reduction of IP*, %", 1),
    "accuracy": ("Accuracy", 3),
    "robust": ("Accuracy under attack", 3),
    "validity": ("Validity", 2),
}


def directive(frame):
    """Return a DataFrame as a table of reStructuredText."""
    lines = [", ".join(f'"{cell}"' for cell in line) for line in [frame.columns, *frame.to_numpy()]]
    head, *body = lines
    return "\n".join(
        [
            ".. csv-table::",
            "   :class: numbers",
            f"   :header: {head}",
            "",
            *(f"   {line}" for line in body),
        ]
    )


def folded(tables):
    """Return several tables under their titles, of which readers see the first one until they ask.

    Parameters
    ----------
    tables : dict
        A DataFrame for each title.
    """
    parts = []
    for title, table in tables.items():
        state = "" if parts else " open"
        # Sphinx has no directive for parts that fold; HTML has an element for them.
        parts += [
            f".. raw:: html\n\n   <details class=table{state}><summary>{title}</summary>",
            directive(table),
            ".. raw:: html\n\n   </details>",
        ]
    return "\n\n".join(parts)


def number(value, digits=2):
    """Return a number as text, or a dash if it is missing."""
    return "–" if pd.isna(value) else f"{value:.{digits}f}"


def spread(line, digits=1):
    """Return the mean over seeds and its 95% interval as text."""
    mean = number(line["mean"], digits)
    if pd.isna(line["from"]):
        return mean
    return f"{mean} [{number(line['from'], digits)}, {number(line['to'], digits)}]"


def mean_only(line, digits):
    """Return the mean over seeds as text."""
    return number(line["mean"], digits)


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


def by_quantity(frame, rows, columns, quantities, cell=spread):
    """Return a table for each quantity.

    Parameters
    ----------
    frame : DataFrame
    rows, columns : str
        Columns of `frame` whose values become rows and columns.
    quantities : dict
        Title and number of digits of each quantity.
    cell : callable, default=spread
        Function of a row of `frame` and the number of digits that returns the text of a cell.
    """
    return folded(
        {
            title: wide(frame, rows, columns, quantity, digits, cell)
            for quantity, (title, digits) in quantities.items()
        }
    )


def table_1(table):
    """Return Table I with published figures next to ours."""
    table = table[table["measure"].isin(AUTHORS)].fillna({"star": "", "stars": "", "sign": ""})
    figures, details = (pd.DataFrame({"data": table["data"].unique()}) for _ in range(2))
    for measure, name in AUTHORS.items():
        lines = table[table["measure"] == measure].set_index("data").reindex(figures["data"])
        figures[f"{name}: paper"] = [
            f"{line['published']:.2f} ± {line['+-']:.2f}{line['star']}"
            for _, line in lines.iterrows()
        ]
        figures[f"{name}: ours"] = [spread(line) for _, line in lines.iterrows()]
        details[f"{name}: ± rounds"] = [number(error, 1) for error in lines["error"]]
        details[f"{name}: stars"] = lines["stars"].to_numpy()
        details[f"{name}: sign"] = lines["sign"].to_numpy()
    return folded({"Reduction, %": figures, "Variation over rounds, stars and signs": details})


def table_2(table):
    """Return Table II with published figures next to ours."""
    difference = [
        f"{line['difference']:+.3f} [{line['from']:+.3f}, {line['to']:+.3f}]"
        for _, line in table.iterrows()
    ]
    shares, printed = (table[["data"]].copy() for _ in range(2))
    for model in ("BL", "CT"):
        shares[f"share {model}"] = table[f"share {model}"].map(number)
        for source in ("published", "printed"):
            printed[f"{source} {model}"] = table[f"{source} {model}"].map(number)
    shares["difference"] = difference
    shares["seeds with less"] = table["seeds with less"]
    return folded({"Share of the protected feature": shares, "The paper's measure": printed})


def attributions(table):
    """Return the parts from which the shares of Table II are computed."""
    models = {"BL": "BL", "mutable": "CT, all mutable", "CT": "CT, protected"}
    parts = {}
    for part in ("share", "attribution", "total"):
        columns = {title: table[f"{part} {model}"] for model, title in models.items()}
        numbers = pd.DataFrame(columns).map(number)
        parts[part.capitalize()] = pd.concat([table["data"], numbers], axis=1)
    return folded(parts)


def portraits(table):
    """Return accuracies and reductions by model."""
    return by_quantity(table, "data", "model", PORTRAIT, mean_only)


def masking(table):
    """Return costs and attributions by model and protected feature."""
    quantities = {
        "share": ("Share of the feature", 2),
        "attribution": ("Attribution", 2),
        "total": ("Total", 2),
        "cost": ("Cost", 2),
        "validity": ("Validity", 2),
        "accuracy": ("Accuracy", 2),
    }
    features = table["protected"].map({"paper's": "the paper's feature", "other": "another"})
    table = table.assign(column=table["model"] + ", " + features)
    return by_quantity(table, "data", "column", quantities)


def classes(table):
    """Return reductions by class."""
    quantities = {
        "IP reduction": ("Reduction of IP, %", 1),
        "IP* 5.0 reduction": ("Reduction of IP*, %", 1),
        "recall BL": ("Recall of BL", 3),
        "recall CT": ("Recall of CT", 3),
    }
    table = table.assign(column=[f"class {label}" for label in table["class"]])
    is_digit = table["data"] == "MNIST"
    two_classes = by_quantity(table[~is_digit], "data", "column", quantities)

    def cell(line, _):
        return spread(line, quantities[line["quantity"]][1])

    digits = wide(table[is_digit], "class", "quantity", cell=cell)
    return "\n\n".join([two_classes, folded({"Digits of MNIST": digits})])


def listed(names):
    """Return names or numbers as text."""
    return ", ".join(map(str, names)) if len(names) else "none"
