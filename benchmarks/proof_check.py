"""Is a proof right? Against the enumeration of all admissible rows, on small random models.

A case is a model of 2 or 3 features of any kind, fitted or nearly so, with steep weights, and two
rows that are explained under random constraints; see `proof_cases`. All admissible rows are
enumerated, what they cost is computed from the documentation, and ``predict_proba`` judges them. It
is a violation if a row

- is "optimal" but costs over 0.1 % more than a row of the enumeration, or, under ``sparse``, has
  more changes than one;
- is "impossible" although the enumeration has a mature row of the target class;
- has a `lower_bound` above the cost of such a row;
- leaves its constraints, or is not what `valid`, `mature` and `cost` say of it.

One line per kind of column, model and request tells how many rows there were, what was proven of
them, and how many of the violations concern them::

    python benchmarks/proof_check.py [--cases 2000] [--first 0] [--jobs 1] [--open]
"""

import argparse
import time
from collections import Counter

import numpy as np
from joblib import Parallel, delayed
from proof_cases import N_ROWS, expected_warnings, explained, random_case

GAP, PRECISION = 1e-3, 1e-9
PROOFS = ("optimal", "impossible", "open")


def check(case, explanation):
    """Return descriptions of what is wrong with each row of an explanation.

    Parameters
    ----------
    case : Case
    explanation : Explanation

    Returns
    -------
    problems : list of list of str
        One list for each row.
    """
    with expected_warnings():
        return [list(_problems(case, explanation, i)) for i in range(len(case.rows))]


def _problems(case, explanation, position):
    """Yield what is wrong with one row."""
    cells = case.cells_of(explanation.counterfactual, position)
    yield from _problems_of_row(case, explanation, position, cells)
    rows, costs, n_changes = case.enumerate(position)
    reaches = _reaches(case, rows, explanation.target[position])
    if case.arguments["max_changes"] is not None:
        reaches &= n_changes <= case.arguments["max_changes"]
    costs, n_changes = costs[reaches], n_changes[reaches]
    fewest = n_changes.min(initial=len(case.features))
    is_complete, is_sparse = case.is_complete(position), case.arguments["sparse"]
    if is_sparse:
        # Fewer changes may reach the target between the rows of an incomplete enumeration.
        fewest = min(fewest, case.n_changes(position, cells)) if not is_complete else fewest
        costs = costs[n_changes == fewest]
    best = costs.min(initial=np.inf)
    proof, bound = explanation.proof[position], explanation.lower_bound[position]
    cost, is_found = explanation.cost[position], _is_found(explanation, position)
    if bound > best * (1 + PRECISION) + PRECISION:
        yield f"lower_bound {bound} is above {best}"
    if proof == "impossible" and (is_found or np.isfinite(best)):
        yield f"impossible, but a row costs {best}"
    if proof == "optimal":
        if not is_found or cost > bound * (1 + GAP) * (1 + PRECISION):
            yield f"optimal, but found is {is_found}, cost {cost}, lower_bound {bound}"
        if is_sparse and case.n_changes(position, cells) > fewest:
            yield f"optimal, but {fewest} changes suffice"
        if cost > best * (1 + GAP) + PRECISION:
            yield f"optimal at {cost}, but a row costs {best}"
    if is_complete and is_found and not is_sparse and cost < best * (1 - PRECISION) - PRECISION:
        yield f"found at {cost}, but the enumeration has no row below {best}"


def _problems_of_row(case, explanation, position, cells):
    """Yield what is wrong with a returned row, whatever is proven of it."""
    limit = case.arguments["max_changes"] or len(cells)
    if not case.admits(position, cells) or case.n_changes(position, cells) > limit:
        yield f"{cells} is not admissible"
    cost, expected = explanation.cost[position], case.cost(position, cells)
    if not np.isclose(cost, expected, rtol=PRECISION, atol=PRECISION):
        yield f"cost is {cost}, and not {expected}"
    row = explanation.counterfactual.iloc[[position]]
    if _reaches(case, row, explanation.target[position]).item() != _is_found(explanation, position):
        yield "valid or mature is not what predict_proba says"


def _is_found(explanation, position):
    return bool(explanation.valid[position] and explanation.mature[position])


def _reaches(case, rows, target):
    """Return which rows reach the target."""
    proba, classes = case.clf.predict_proba(rows), case.clf.classes_
    shares = proba[:, classes.tolist().index(target)]
    return (classes[proba.argmax(axis=1)] == target) & (shares >= case.arguments["tau"])


def checked(seed):
    """Return the kinds, the proof and the problems of each row of the case of a seed."""
    case, results = random_case(seed), []
    explanation = explained(case)
    for position, problems in enumerate(check(case, explanation)):
        kind = "complete enumeration" if case.is_complete(position) else "fine enumeration"
        results.append(((*case.kinds, kind), explanation.proof[position], problems))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--open", action="store_true", help="print the seeds of open rows")
    args = parser.parse_args()
    start, counts = time.perf_counter(), {}
    seeds = range(args.first, args.first + args.cases)
    results = Parallel(args.jobs, return_as="generator")(delayed(checked)(seed) for seed in seeds)
    for seed, rows in zip(seeds, results, strict=True):
        for position, (kinds, proof, problems) in enumerate(rows):
            for kind in kinds:
                counts.setdefault(kind, Counter()).update([proof, *["violations"] * bool(problems)])
            for problem in problems:
                print(
                    f"seed {seed}, row {position} ({', '.join(kinds[1:])}): {problem}", flush=True
                )
            if args.open and proof == "open":
                print(f"seed {seed}, row {position} ({', '.join(kinds[1:])}) is open", flush=True)
    print("{:24} {:>8} {:>8} {:>11} {:>6} {:>11}".format("kind", "rows", *PROOFS, "violations"))
    for kind, count in sorted(counts.items()):
        n_rows = sum(count[proof] for proof in PROOFS)
        numbers = [n_rows, *(count[proof] for proof in PROOFS), count["violations"]]
        print("{:24} {:8d} {:8d} {:11d} {:6d} {:11d}".format(kind, *numbers))
    total = counts["all"]
    print(
        f"{args.cases} cases, {args.cases * N_ROWS} rows, {time.perf_counter() - start:.0f} s: "
        f"{total['open']} open, {total['violations']} violations"
    )


if __name__ == "__main__":
    main()
