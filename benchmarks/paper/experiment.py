"""Command line, workers and tables that all questions of this folder share."""

import argparse
import importlib
import sys
import time
from itertools import product
from pathlib import Path

import kept
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from models import STEP_SIZE, settings_of_paper
from protocol import PROTOCOLS, SYNTHETIC, TABULAR, split
from rounds import N_ROUNDS
from scipy import stats

RESULTS = Path(__file__).parent / "results"
_SPREAD = ("sd", "from", "to")


def main(
    question,
    *,
    data=(*SYNTHETIC, *TABULAR),
    others=("mnist",),
    keys,
    quantities=None,
    parts=((),),
    n_seeds=5,
    n_jobs=2,
    version=1,
):
    """Run the command of a question.

    Parameters
    ----------
    question : str
        Name of its module. The function `outcome` of the module maps the name of a data set, a
        seed, the number of rounds, the search step and a part to a list of dicts, the outcomes.
        They are stored by the settings that the function `settings_of_outcome` of the module
        returns for the same arguments; without it, by those of the paper's two models.
    data, others : iterable of str
        Data sets that are used if the command names none, and other data sets that it may name.
    keys : list of str
        Columns that, together with data, seed, step and rounds, identify an outcome.
    quantities : list of str, default=None
        Columns that the final table averages over seeds. If None, the function `table` of the
        module makes the final table from a DataFrame of outcomes and a suffix for file names.
    parts : iterable of tuple
        Further arguments of `outcome`; each part is a separate task. The command can select parts
        by their first argument.
    n_seeds, n_jobs : int
        Numbers of seeds and jobs if the command does not set them.
    version : int, default=1
        Version of `outcome`. Raise it if `outcome` measures differently, so that the outcomes of
        this question alone are computed again; see also `kept.PROTOCOL`.
    """
    module = importlib.import_module(question)
    titles = list(dict.fromkeys(part[0] for part in parts if part))
    args = parse(module.__doc__, data, others, titles, n_seeds, n_jobs)
    if args.fresh:
        kept.MODELS.clear()
        kept.OUTCOMES.clear()
    parts = [part for part in parts if not part or part[0] in args.part]
    tasks = list(product(args.dataset, args.seed, parts))
    settings = getattr(module, "settings_of_outcome", settings_of_paper)
    by_seed = None
    for found in run(module.outcome, tasks, args, version=version, settings=settings):
        by_seed = keep(question, found, ["data", "seed", "step", "rounds", *keys])
    if by_seed is None:
        sys.exit("There is no outcome of these parts for these data sets.")
    suffix = "" if args.step_size == STEP_SIZE else f"_step_{args.step_size}"
    suffix += "" if args.rounds == N_ROUNDS else f"_rounds_{args.rounds}"
    same = (by_seed["step"] == args.step_size) & (by_seed["rounds"] == args.rounds)
    by_seed = by_seed[same]
    if quantities is None:
        final = module.table(by_seed, suffix)
    else:
        final = averages(by_seed, keys, quantities)
    final.to_csv(RESULTS / f"{question}{suffix}.csv", index=False, float_format="%.6g")
    show(final, by_seed, args, getattr(module, "rows_of", split))


def parse(text, data, others, titles, n_seeds, n_jobs):
    """Return the options of a command, which `text` describes; see `main`."""
    parser = argparse.ArgumentParser(
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names, seeds = [*data, *others], list(range(n_seeds))
    shown = "(default: %(default)s)"
    add = parser.add_argument
    add("--dataset", nargs="+", choices=names, default=list(data), help=f"data sets {shown}")
    add(
        "--seed",
        "--seeds",
        dest="seed",
        nargs="+",
        type=int,
        default=seeds,
        help=f"seeds {shown}",
    )
    add("--rounds", type=int, default=N_ROUNDS, help=f"number of evaluation rounds {shown}")
    add("--step-size", type=float, default=STEP_SIZE, help=f"step of the search {shown}")
    add("--jobs", type=int, default=n_jobs, help=f"number of parallel jobs {shown}")
    add("--fresh", action="store_true", help="discard stored models and rounds")
    if titles:
        add("--part", nargs="+", choices=titles, default=titles, help=f"parts {shown}")
    return parser.parse_args()


def show(final, by_seed, args, rows_of=split):
    """Print the requested rows of a table, with the splits and seeds behind them.

    The table contains all seeds on file, including those of earlier commands. `rows_of` maps a
    data set and a seed to a `Split`.
    """
    titles = {PROTOCOLS[name].title: name for name in args.dataset}
    for title, name in titles.items():
        seeds = sorted(by_seed.loc[by_seed["data"] == title, "seed"].unique().tolist())
        print(f"{title}: seeds {seeds}, {rows_of(name, args.seed[0])} rows")
    print(f"{args.rounds} rounds, search step {args.step_size}")
    selected = final[final["data"].isin(titles)]
    print(selected.to_string(index=False, float_format="{:.2f}".format))


def run(outcome, tasks, args, **versions):
    """Yield the outcomes of each task and report progress; for `versions`, see `Store.cache`."""
    start = time.monotonic()
    outcome = kept.OUTCOMES.cache(outcome, **versions)
    waiting = Parallel(args.jobs, return_as="generator_unordered")(
        delayed(_timed)(outcome, name, seed, (args.rounds, args.step_size, *part))
        for name, seed, part in tasks
    )
    for n_done, (name, seed, records, seconds) in enumerate(waiting, 1):
        left = (time.monotonic() - start) / n_done * (len(tasks) - n_done)
        print(
            f"[{n_done}/{len(tasks)}] {name}, seed {seed}: {seconds:.0f} s; "
            f"about {left:.0f} s left",
            file=sys.stderr,
        )
        known = {"data": PROTOCOLS[name].title, "seed": seed}
        known |= {"step": args.step_size, "rounds": args.rounds}
        # A part need not have an outcome for every data set.
        if records:
            yield [{**known, **record} for record in records]
    print(f"{time.monotonic() - start:.0f} s in all", file=sys.stderr)


def _timed(outcome, name, seed, settings):
    start = time.monotonic()
    return name, seed, outcome(name, seed, *settings), time.monotonic() - start


def keep(question, found, keys):
    """Write outcomes to the file of the question, replacing those with the same keys."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{question}_by_seed.csv"
    known = pd.DataFrame(found)
    if path.exists():
        known = pd.concat([pd.read_csv(path), known])
    known = known.drop_duplicates(keys, keep="last")
    order = {protocol.title: place for place, protocol in enumerate(PROTOCOLS.values())}
    known = known.sort_values(
        ["step", "rounds", "data", "seed"],
        key=lambda column: column.map(order) if column.name == "data" else column,
        kind="stable",
    )
    known.to_csv(path, index=False, float_format="%.6g")
    return known


def over_seeds(values):
    """Return the mean, standard deviation and 95 % t interval over seeds as a dict."""
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return {"mean": values.mean() if len(values) else np.nan, **dict.fromkeys(_SPREAD, np.nan)}
    mean, spread = values.mean(), values.std(ddof=1)
    reach = stats.t.ppf(0.975, len(values) - 1) * spread / np.sqrt(len(values))
    return {"mean": mean, **dict(zip(_SPREAD, (spread, mean - reach, mean + reach), strict=True))}


def averages(by_seed, keys, quantities):
    """Return the mean and spread over seeds of each quantity, by data set and `keys`."""
    keys = ["data", *keys]
    return pd.DataFrame(
        {**dict(zip(keys, key, strict=True)), "quantity": quantity, **over_seeds(runs[quantity])}
        for key, runs in by_seed.groupby(keys, sort=False)
        for quantity in quantities
    )


def sign(published, ours):
    """Return whether our mean has the sign of a published figure, and whether this is decided."""
    if np.isnan(ours["mean"]):
        return ""
    agrees = "agrees" if np.sign(ours["mean"]) == np.sign(published) else "opposite"
    undecided = not (ours["from"] > 0 or ours["to"] < 0)
    return f"{agrees}, undecided" if undecided else agrees
