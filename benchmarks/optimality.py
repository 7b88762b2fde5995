"""How close to the cheapest counterfactual do the searches get, and what else do they find?

For each data set, model (conventional and counterfactual training) and tau, the cheapest
counterfactual of some test rows is proven by ``explain(..., prove=True)``. The models have the
paper's settings and are trained on at most 10,000 rows. Their tables are printed block by block,
and written to ``results/optimality_<block>.csv``::

    python benchmarks/optimality.py [--data moons adult] [--rows 40] [--seeds 0 1] [--quick]
                                    [--block cost few whole sparse other images rivals]

Blocks:

- ``cost``: all searches, all numbers real;
- ``few``: one to four features, drawn for each row, may move;
- ``whole``: numbers keep their inferred resolution, and integers are integers;
- ``sparse``: ``sparse=True``, compared with the proven minimum of changed features;
- ``other``: modules that are not proven, or not in time: a tanh MLP, two hidden layers,
  and a user's own module. Their costs are divided by those of the best of ten seeded runs of the
  default search with ten times the starts;
- ``images``: digits and MNIST, without optimum, and the picture ``results/nearest_on_images.png``;
- ``rivals``: other packages on the same rows; see ``rival_explainers.py``.

Columns: ``rows`` have a counterfactual, as is proven; for ``open`` ones nothing is. ``found`` is
the share of the rows for which a search returns one with a probability of at least tau, and
``median``, ``p90`` and ``max`` are quantiles of its cost divided by the optimum. Of up to 1,000
test rows, on one thread, are: ``rows/s``; ``changes``, the mean number of changed features;
``5 nearest``, the mean l1 distance to the five nearest rows of the target class; ``MMD``, the
squared maximum mean discrepancy from this class; and ``transfer``, the share of valid rows that a
second model, trained with another seed, predicts as the target.
"""

import argparse

import machine
import numpy as np
import optimality_modules
import pandas as pd
import rival_explainers
from optimality_cases import DATA, MODELS, Case, searches
from optimality_figures import fewest, quality, ratios_of_costs, ratios_to
from optimality_tables import keep, names_of, table

# Rows that are timed and measured.
N_TIMED = 1_000
# Data sets of two features without integers.
PLANAR = ("moons", "circles")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--block", nargs="+", choices=BLOCKS, default=list(BLOCKS))
    parser.add_argument("--rows", type=int, default=40, help="rows with a proven optimum")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--jobs", type=int, default=2, help="jobs that prove optima")
    parser.add_argument("--seconds", type=float, default=60, help="of another package, per case")
    parser.add_argument("--quick", action="store_true", help="few rows, one tau, no file")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.seconds = min(args.rows, 8), 5
    print(machine.describe())
    for block in args.block:
        print(f"\n{block}: {BLOCKS[block].__doc__.splitlines()[0]}", flush=True)
        lines = pd.DataFrame(BLOCKS[block](args))
        if len(lines) and not args.quick:
            keep(f"optimality_{block}", lines, args)


def measured_cases(
    args, values, *, case_settings=None, explained=None, n_timed=N_TIMED, **case_parameters
):
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
    n_timed : int, default=1_000
        Number of rows that are explained; the first of them are proven.
    **case_parameters : dict
        See `Case.of`.
    """
    n_timed = args.rows if args.quick else max(n_timed, args.rows)
    case = Case.of(values["data"], values["seed"], values["model"], n_timed, **case_parameters)
    explained = searches() if explained is None else explained
    judged, tau = case.head(args.rows), values["tau"]
    settings = case_settings(case) if case_settings else {}
    found = {search: case.explain(how, tau=tau, **settings) for search, how in explained.items()}
    constraints = {name: part[: len(judged.X)] for name, part in settings.items()}
    proven = judged.proven(args.jobs, tau=tau, **constraints)
    return {
        search: {
            **ratios_to(proven, explanation[: len(judged.X)]),
            "valid": explanation[: len(judged.X)].valid,
            **quality(case, explanation, seconds),
        }
        for search, (explanation, seconds) in found.items()
    }


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

        return measured_cases(
            args, values, case_settings=constraints, explained=explained, n_timed=0
        )

    settings = [f"{n_movable} movable" for n_movable in (1, 2, 3, 4)]
    names = names_of(args, setting=settings)
    # Synthetic rows have two features.
    names = [name for name in names if name["data"] not in PLANAR or name["setting"] < "3"]
    return list(table(args, names, measured))


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

    real = [name for name in args.data if name not in PLANAR]
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
        proven = case.proven(args.jobs, tau=tau, sparse=True)
        return {
            search: {**fewest(proven, explanation), **quality(case, explanation, seconds)}
            for search, (explanation, seconds) in found.items()
        }

    return list(table(args, names_of(args, (0.5, 0.75)), measured))


def rivals_block(args):
    """Other packages, as many rows as they explain in a minute; ours on the same rows and more."""
    explainers = rival_explainers.available()
    ours = searches(with_lambdas=False)

    def measured(**values):
        tau = values["tau"]
        n_timed = args.rows if args.quick else N_TIMED
        timed = Case.of(values["data"], values["seed"], values["model"], n_timed)
        case = timed.head(args.rows)
        proven = case.proven(args.jobs, tau=tau)
        found = {}
        for search, settings in ours.items():
            explanation, seconds = timed.explain(settings, tau=tau)
            figures = ratios_to(proven, explanation[: len(case.X)])
            found[search] = {**figures, "rows/s": [len(explanation) / seconds]}
        for search, explainer in explainers.items():
            figures = rival_explainers.attempts(explainer, case, tau=tau, seconds=args.seconds)
            reached = proven[: len(figures["is_found"])]
            found[search] = {
                **ratios_of_costs(reached, figures["is_found"], figures["cost"]),
                "rows/s": figures["rows/s"],
            }
        return found

    return list(table(args, names_of(args, (0.5, 0.75)), measured))


def other_block(args):
    """Modules without a proof, relative to the best of ten runs with ten times the starts."""

    def measured(**values):
        return optimality_modules.against_many_starts(**values, n_rows=args.rows)

    modules = list(optimality_modules.MODULES)
    return list(table(args, names_of(args, (0.5, 0.75), setting=modules), measured))


def images_block(args):
    """Images, whose optimum is not proven; writes ``results/nearest_on_images.png``."""
    n_rows = args.rows if args.quick else optimality_modules.N_IMAGES

    def measured(**values):
        return optimality_modules.of_images(**values, n_rows=n_rows)

    lines = list(table(args, optimality_modules.image_names(MODELS), measured))
    optimality_modules.draw("mnist", args.seeds[0])
    return lines


BLOCKS = {
    "cost": cost_block,
    "few": few_block,
    "whole": whole_block,
    "sparse": sparse_block,
    "other": other_block,
    "images": images_block,
    "rivals": rivals_block,
}


if __name__ == "__main__":
    main()
