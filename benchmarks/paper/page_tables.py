"""Tables of the results page, as text."""

import pandas as pd


def directive(frame):
    """Return a DataFrame as a table of reStructuredText."""
    lines = [", ".join(f'"{cell}"' for cell in line) for line in [frame.columns, *frame.to_numpy()]]
    head, *body = lines
    return "\n".join(
        [".. csv-table::", f"   :header: {head}", "", *(f"   {line}" for line in body)]
    )


def number(value, digits=2):
    """Return a number as text, or a dash if it is missing."""
    return "–" if pd.isna(value) else f"{value:.{digits}f}"


def spread(line, digits=1):
    """Return the mean over seeds and its 95 % interval as text."""
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


def listed(names):
    """Return names or numbers as text."""
    return ", ".join(map(str, names)) if len(names) else "none"
