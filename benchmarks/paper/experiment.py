"""What every question of this folder shares: its command line, its workers, its tables."""

import argparse
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from models import MEMORY, STEP_SIZE
from protocol import PROTOCOLS, split
from rounds import N_ROUNDS
from scipy import stats

RESULTS = Path(__file__).parent / "results"


def main(question, description, outcome, table, *, data, keys, parts=((),), n_seeds=5, n_jobs=2):
    """Run a question's command.

    Parameters
    ----------
    question : str
        The name of its files.
    description : str
        The docstring of its module.
    outcome : callable
        From a data set's name, a seed, the number of rounds, the search step and a part to a
        list of dicts: what was found, by `keys`.
    table : callable
        From what was found for all data sets and seeds, a DataFrame, to the final table.
    data : iterable of str
        Data sets if the command names none.
    keys : list of str
        Columns that, with data, seed and step, tell the outcomes apart.
    parts : iterable of tuple
        Further arguments of `outcome`; a task for each.
    n_seeds, n_jobs : int
        Seeds and jobs if the command names none.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", nargs="+", choices=list(PROTOCOLS), default=list(data))
    parser.add_argument("--seed", nargs="+", type=int, default=list(range(n_seeds)))
    parser.add_argument("--rounds", type=int, default=N_ROUNDS)
    parser.add_argument("--step-size", type=float, default=STEP_SIZE)
    parser.add_argument("--jobs", type=int, default=n_jobs)
    parser.add_argument("--fresh", action="store_true", help="forget what was computed before")
    args = parser.parse_args()
    if args.fresh:
        MEMORY.clear(warn=False)
    tasks = list(product(args.dataset, args.seed, parts))
    for name in args.dataset:
        print(f"{PROTOCOLS[name].title}: {split(name, args.seed[0])} rows", file=sys.stderr)
    found = run(outcome, tasks, args)
    by_seed = keep(question, found, ["data", "seed", "step", *keys])
    final = table(by_seed[by_seed["step"] == args.step_size])
    final.to_csv(RESULTS / f"{question}{suffix(args.step_size)}.csv", index=False)
    told = final[final["data"].isin([PROTOCOLS[name].title for name in args.dataset])]
    print(f"seeds {args.seed}, {args.rounds} rounds, search step {args.step_size}")
    print(told.to_string(index=False, float_format="{:.2f}".format))


def suffix(step_size):
    """Return what the files of another search step than the usual have in their name."""
    return "" if step_size == STEP_SIZE else f"_step_{step_size}"


def run(outcome, tasks, args):
    """Find the outcomes of all tasks, and tell how far it is."""
    start = time.monotonic()
    waiting = Parallel(args.jobs, return_as="generator_unordered")(
        delayed(_timed)(outcome, name, seed, (args.rounds, args.step_size, *part))
        for name, seed, part in tasks
    )
    found = []
    for n_done, (name, seed, records, seconds) in enumerate(waiting, 1):
        left = (time.monotonic() - start) / n_done * (len(tasks) - n_done)
        print(
            f"[{n_done}/{len(tasks)}] {name}, seed {seed}: {seconds:.0f} s; "
            f"about {left:.0f} s left",
            file=sys.stderr,
        )
        known = {"data": PROTOCOLS[name].title, "seed": seed, "step": args.step_size}
        found += [{**known, **record} for record in records]
    print(f"{time.monotonic() - start:.0f} s in all", file=sys.stderr)
    return found


def _timed(outcome, name, seed, settings):
    start = time.monotonic()
    return name, seed, outcome(name, seed, *settings), time.monotonic() - start


def keep(question, found, keys):
    """Put outcomes into the question's file, in the place of those of the same keys."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{question}_by_seed.csv"
    known = pd.DataFrame(found)
    if path.exists():
        known = pd.concat([pd.read_csv(path), known])
    known = known.drop_duplicates(keys, keep="last")
    order = {protocol.title: place for place, protocol in enumerate(PROTOCOLS.values())}
    known = known.sort_values(
        ["step", "data", "seed"],
        key=lambda c: c.map(order) if c.name == "data" else c,
        kind="stable",
    )
    known.to_csv(path, index=False, float_format="%.6g")
    return known


def compare(conventional, counterfactual, measure):
    """Compare what the rounds of two models measure.

    Returns
    -------
    comparison : dict
        "BL" and "CT", means over rounds; "reduction", of CT's against BL's in per cent; "error",
        the standard deviation over rounds of the ratio, in per cent; "low" and "high", the 99 %
        interval over rounds of the difference CT - BL; "star", whether it leaves out zero.
    """
    bl, ct = conventional[measure].to_numpy(), counterfactual[measure].to_numpy()
    both = ~np.isnan(bl) & ~np.isnan(ct)
    if not both.any():
        return {"measure": measure}
    bl, ct = bl[both], ct[both]
    low, high = np.quantile(ct - bl, [0.005, 0.995])
    return {
        "measure": measure,
        "BL": bl.mean(),
        "CT": ct.mean(),
        "reduction": 100 * (1 - ct.mean() / bl.mean()) if bl.any() else np.nan,
        "error": 100 * (ct[bl > 0] / bl[bl > 0]).std(),
        "low": low,
        "high": high,
        "star": not low <= 0 <= high,
    }


def over_seeds(values):
    """Return mean, standard deviation and 95 % t interval over the seeds, as a dict."""
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    mean, spread = values.mean(), values.std(ddof=1) if len(values) > 1 else np.nan
    reach = stats.t.ppf(0.975, len(values) - 1) * spread / np.sqrt(len(values))
    return {"mean": mean, "sd": spread, "from": mean - reach, "to": mean + reach}


def averages(by_seed, keys, quantities):
    """Return mean and spread over seeds of each quantity, by data set and `keys`."""
    keys = ["data", *keys]
    return pd.DataFrame(
        {**dict(zip(keys, key, strict=True)), "quantity": quantity, **over_seeds(runs[quantity])}
        for key, runs in by_seed.groupby(keys, sort=False)
        for quantity in quantities
    )


def sign(published, ours):
    """Say whether our interval over seeds agrees with the sign of a published figure."""
    if ours["from"] <= 0 <= ours["to"]:
        agrees = "undecided"
    else:
        agrees = "opposite"
    if np.sign(ours["mean"]) == np.sign(published):
        agrees = "agrees" if agrees == "opposite" else "agrees, undecided"
    return agrees
