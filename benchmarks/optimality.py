"""How close to the cheapest counterfactual do the searches get, and what else do they find?

For each data set, model (conventional and counterfactual training) and tau, the cheapest
counterfactual of some test rows is proven by the program of ``exact.py``. The models have the
paper's settings and are trained on at most 10,000 rows. Their tables are printed block by block,
and written to ``results/optimality_<block>.csv``::

    python benchmarks/optimality.py [--data moons adult] [--rows 40] [--seeds 0 1] [--quick]
                                    [--block cost few whole sparse other images rivals]

Blocks:

- ``cost``: all searches, all numbers real;
- ``few``: one to four features, drawn for each row, may move;
- ``whole``: numbers keep their inferred resolution, and integers are integers;
- ``sparse``: ``sparse=True``, compared with the proven minimum of changed features;
- ``other``: modules that the program does not know, or not in time: a tanh MLP, two hidden layers,
  and a user's own module. Their costs are divided by those of the best of ten seeded runs of the
  default search with ten times the starts;
- ``images``: digits and MNIST, without optimum; see ``optimality_images.py``;
- ``rivals``: other packages on the same rows; see ``rival_explainers.py``.

Columns: ``rows`` have a counterfactual, as is proven; for ``open`` ones nothing is. ``found`` is
the share of the rows for which a search returns one with a probability of at least tau, and
``median``, ``p90`` and ``max`` are quantiles of its cost divided by the optimum. Of up to 1,000
test rows, on one thread, are: ``rows/s``; ``changes``, the mean number of changed features;
``5 nearest``, the mean l1 distance to the five nearest rows of the target class; ``MMD``, the
squared maximum mean discrepancy from this class; and ``transfer``, the share of valid rows that a
second model, trained with another seed, predicts as the target. The best optimum is found in the
limit of the default search's row, and stored in ``.cache/``.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from optimality_cases import DATA, MODELS, Case, searches
from sklearn.metrics import pairwise_distances

from ctsk.metrics import cost, maximum_mean_discrepancy

RESULTS = Path(__file__).parent / "results"
TAUS = (0.5, 0.75, 0.95)
# Rows that are timed and measured, and rows of the target class with which they are compared.
N_TIMED = 1_000
N_COMPARED = 1_000
# Seconds for the proof of a row.
TIME_LIMIT = 10.0
KEYS = ["data", "model", "tau", "setting", "search"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--block", nargs="+", choices=BLOCKS, default=list(BLOCKS))
    parser.add_argument("--rows", type=int, default=40, help="rows with a proven optimum")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--jobs", type=int, default=2, help="jobs that prove optima")
    parser.add_argument("--quick", action="store_true", help="few rows, one tau, no file")
    args = parser.parse_args()
    if args.quick:
        args.rows = min(args.rows, 8)
    for block in args.block:
        print(f"\n{block}: {BLOCKS[block].__doc__.splitlines()[0]}", flush=True)
        lines = pd.DataFrame(BLOCKS[block](args))
        if len(lines) and not args.quick:
            keep(block, lines, args)


def keep(block, lines, args):
    """Write lines to the file of a block, replacing those with the same keys."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"optimality_{block}.csv"
    lines.insert(0, "seeds", " ".join(map(str, args.seeds)))
    if path.exists():
        lines = pd.concat([pd.read_csv(path, dtype={"seeds": str}), lines])
    keys = [key for key in ["seeds", *KEYS] if key in lines]
    lines = lines.drop_duplicates(keys, keep="last")
    lines.to_csv(path, index=False, float_format="%.6g")


def taus(args, values=TAUS):
    """Return the probabilities of a block, or one of them in a quick run."""
    return (0.75,) if args.quick else values


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
    if column in ("found", "transfer", "valid", "fewest"):
        return f"{value:.1%}"
    if column in ("rows", "open", "rows/s"):
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


def is_found(explanation):
    """Return which rows are valid and mature, so that they reach tau."""
    return explanation.valid & explanation.mature


def ratios_to(optima, explanation):
    """Return the figures of a search that refer to the proven optima."""
    best = np.array([optimum.cost for optimum in optima])
    status = np.array([optimum.status for optimum in optima])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = explanation.cost / best
    return {
        "exists": status == "optimal",
        "is_open": status == "open",
        "is_found": is_found(explanation),
        "ratio": ratio,
    }


def quality(case, explanation, seconds):
    """Return the figures of a search that need no optimum."""
    valid = explanation[explanation.valid]
    encoded, weights = valid.counterfactual_encoded, valid.encoder.column_weights
    near, discrepancies = np.full(len(valid), np.nan), []
    for label in np.unique(valid.target):
        observed, idx = case.observed(label), np.flatnonzero(valid.target == label)
        near[idx] = nearest_neighbor_distance(encoded[idx], observed, weights=weights)
        if len(idx) > 1:
            compared = observed[:N_COMPARED]
            discrepancies.append(maximum_mean_discrepancy(encoded[idx], compared))
    transfers = np.zeros(0)
    if len(valid):
        transfers = case.second.predict(valid.counterfactual) == valid.target
    return {
        "rows/s": [len(explanation) / seconds],
        "changes": cost(valid, norm="n_changed"),
        "5 nearest": near,
        "MMD": [np.mean(discrepancies)] if discrepancies else [np.nan],
        "transfer": transfers,
    }


def nearest_neighbor_distance(X_counterfactual, X_target, *, n_neighbors=5, weights):
    """Return the mean l1 distance of each row to the nearest rows of its target class."""
    distances = pairwise_distances(X_counterfactual * weights, X_target * weights, metric="l1")
    return np.sort(distances, axis=1)[:, :n_neighbors].mean(axis=1)


def measured_cases(args, values, *, case_settings=None, explained=None, **case_parameters):
    """Return the figures of all searches for one data set, model, tau and seed.

    Parameters
    ----------
    args : Namespace
    values : dict
        Data set, model, tau and seed.
    case_settings : callable, default=None
        Maps a case to further settings of `explain` that constrain the rows.
    explained : dict, default=None
        The searches; see `searches`.
    **case_parameters : dict
        See `Case.of`.
    """
    n_timed = args.rows if args.quick else max(N_TIMED, args.rows)
    case = Case.of(values["data"], values["seed"], values["model"], n_timed, **case_parameters)
    explained = searches() if explained is None else explained
    judged, tau = case.head(args.rows), values["tau"]
    settings = case_settings(case) if case_settings else {}
    found = {search: case.explain(how, tau=tau, **settings) for search, how in explained.items()}
    first = next(iter(found.values()))[0][: len(judged.X)]
    known = np.where(is_found(first), first.cost, np.inf)
    constraints = {name: part[: len(judged.X)] for name, part in settings.items()}
    optima = judged.optima(
        tau=tau, known=known, time_limit=TIME_LIMIT, n_jobs=args.jobs, **constraints
    )
    return {
        search: {
            **ratios_to(optima, explanation[: len(judged.X)]),
            "valid": explanation[: len(judged.X)].valid,
            **quality(case, explanation, seconds),
        }
        for search, (explanation, seconds) in found.items()
    }


def names_of(args, values=TAUS, **others):
    """Return the keys of all tables' parts of a block."""
    keys = {"data": args.data, "model": MODELS, "tau": taus(args, values), **others}
    return [dict(zip(keys, part, strict=True)) for part in itertools.product(*keys.values())]


def cost_block(args):
    """All searches, all numbers real."""

    def measured(**values):
        return measured_cases(args, values)

    return list(table(args, names_of(args), measured))


def few_block(args):
    """One to four features may move, drawn for each row; all numbers real."""
    explained = searches(with_lambdas=False)
    explained.pop("generic")

    def measured(setting, **values):
        n_movable = int(setting.split()[0])

        def constraints(case):
            return {"mutability": few_movable(case, n_movable, values["seed"])}

        return measured_cases(args, values, case_settings=constraints, explained=explained)

    settings = ["1 movable", "2 movable", "3 movable", "4 movable"]
    return list(table(args, names_of(args, setting=settings), measured))


def few_movable(case, n_movable, seed):
    """Return, for each row, a mutability under which a few features keep their own."""
    clf = case.clf
    may_move = clf.constraints_.may_rise | clf.constraints_.may_fall
    names = clf.encoder_.names
    mutability = {
        name: _mutability_of(clf.constraints_, columns)
        for name, columns in zip(names, clf.encoder_.feature_columns, strict=True)
        if may_move[columns].any()
    }
    rng = np.random.default_rng([seed, n_movable])
    movable = list(mutability)
    draws = [rng.permutation(len(movable))[:n_movable] for _ in range(len(case.X))]
    return [
        {"*": "none", **{movable[feature]: mutability[movable[feature]] for feature in draw}}
        for draw in draws
    ]


def _mutability_of(constraints, columns):
    """Return the mutability of a feature, as it is passed to `explain`."""
    may_rise, may_fall = constraints.may_rise[columns].any(), constraints.may_fall[columns].any()
    if may_rise and may_fall:
        return "both"
    return "increase" if may_rise else "decrease"


def whole_block(args):
    """Numbers keep their inferred resolution, and integers are integers."""
    explained = searches(with_lambdas=False)

    def measured(**values):
        return measured_cases(args, values, is_whole=True, explained=explained)

    real = [name for name in args.data if name not in ("moons", "circles")]
    args = argparse.Namespace(**{**vars(args), "data": real})
    return list(table(args, names_of(args), measured))


def sparse_block(args):
    """Fewest changed features first; "fewest" is the share of found rows at the proven minimum."""

    def measured(**values):
        case = Case.of(values["data"], values["seed"], values["model"], args.rows)
        explained = searches(with_lambdas=False)
        tau = values["tau"]
        found = {
            search: case.explain(how, tau=tau, sparse=True) for search, how in explained.items()
        }
        first = next(iter(found.values()))[0]
        known = np.where(is_found(first), cost(first, norm="n_changed"), np.inf)
        optima = case.optima(
            tau=tau, sparse=True, known=known, time_limit=TIME_LIMIT, n_jobs=args.jobs
        )
        return {
            search: {**fewest(optima, explanation), **quality(case, explanation, seconds)}
            for search, (explanation, seconds) in found.items()
        }

    return list(table(args, names_of(args, (0.5, 0.75)), measured))


def fewest(optima, explanation):
    """Return how the numbers of changes compare with the proven minimum."""
    n_changes = cost(explanation, norm="n_changed")
    minimum = np.array([np.nan if o.n_changes is None else o.n_changes for o in optima])
    is_least = n_changes <= minimum
    figures = ratios_to(optima, explanation)
    # Costs are compared where both have the fewest changes.
    figures["ratio"] = np.where(is_least, figures["ratio"], np.nan)
    counts = figures["exists"] & figures["is_found"]
    return {
        **figures,
        "fewest": np.where(counts, is_least, np.nan),
        "least": np.where(figures["exists"], minimum, np.nan),
    }


BLOCKS = {
    "cost": cost_block,
    "few": few_block,
    "whole": whole_block,
    "sparse": sparse_block,
}


if __name__ == "__main__":
    main()
