"""Tables of ``optimality.py``: pooled over seeds, printed, and written to files."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from optimality_cases import MODELS

RESULTS = Path(__file__).parent / "results"
TAUS = (0.5, 0.75, 0.95)
# Columns that identify a line, beside the seeds.
KEYS = ["data", "model", "tau", "setting", "search"]


def keep(name, lines, args):
    """Write lines to the file of a table, replacing those with the same keys."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    lines.insert(0, "seeds", " ".join(map(str, args.seeds)))
    if path.exists():
        lines = pd.concat([pd.read_csv(path, dtype={"seeds": str}), lines])
    keys = [key for key in ["seeds", *KEYS] if key in lines]
    lines = lines.drop_duplicates(keys, keep="last")
    lines.to_csv(path, index=False, float_format="%.6g")


def taus(args, values=TAUS):
    """Return the probabilities of a block, or one of them in a quick run."""
    return (0.75,) if args.quick else values


def names_of(args, values=TAUS, **others):
    """Return the keys of all tables' parts of a block."""
    keys = {"data": args.data, "model": MODELS, "tau": taus(args, values), **others}
    return [dict(zip(keys, part, strict=True)) for part in itertools.product(*keys.values())]


def table(args, names, measured):
    """Yield and print the lines of a block.

    Parameters
    ----------
    args : Namespace
    names : iterable of dict
        Columns that identify a table's part, such as its data set and model.
    measured : callable
        Maps these columns and a seed to the figures of each search; see `figures`.
    """
    is_first = True
    for name in names:
        by_search = {}
        for seed in args.seeds:
            for search, values in measured(**name, seed=seed).items():
                by_search.setdefault(search, []).append(values)
        lines = [
            {**name, "search": search, **summary(pooled(parts))}
            for search, parts in by_search.items()
        ]
        if lines:
            show(lines, header=is_first)
            is_first = False
        yield from lines


def show(lines, *, header):
    """Print lines in columns of fixed width."""
    frame = pd.DataFrame(lines)
    widths = {column: max(9, len(column) + 1) for column in frame}
    widths |= {column: 16 for column in ("data", "setting", "search") if column in frame}
    if header:
        print("".join(f"{column:>{width}}" for column, width in widths.items()))
    for line in lines:
        cells = (_text(column, line[column]).rjust(width) for column, width in widths.items())
        print("".join(cells), flush=True)


def _text(column, value):
    """Return a cell of a printed table."""
    if isinstance(value, str):
        return value
    if column in ("found", "transfer", "valid", "fewest", "within 5 s"):
        return f"{value:.1%}"
    if column in ("rows", "optimal", "impossible", "open") or (column == "rows/s" and value >= 10):
        return f"{value:,.0f}"
    return f"{value:.3g}" if column == "tau" else f"{value:.3f}"


def pooled(parts):
    """Return the figures of several seeds as one dict of arrays."""
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def summary(figures):
    """Return the line of one search from its figures of all rows."""
    line = {}
    if "exists" in figures:
        exists, found = figures["exists"], figures["is_found"]
        ratios = figures["ratio"][exists & found]
        ratios = ratios[~np.isnan(ratios)]
        line["rows"], line["open"] = exists.sum(), figures["is_open"].sum()
        line["found"] = _mean(found[exists])
        line |= {
            "median": np.median(ratios) if len(ratios) else np.nan,
            "p90": np.quantile(ratios, 0.9) if len(ratios) else np.nan,
            "max": ratios.max(initial=-np.inf) if len(ratios) else np.nan,
        }
    others = [key for key in figures if key not in ("exists", "is_found", "is_open", "ratio")]
    return line | {key: _mean(figures[key]) for key in others}


def _mean(values):
    """Return the mean of the values that are not NaN."""
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    return values.mean() if len(values) else np.nan
