"""Do the tests notice if a line of the package is wrong?

The script changes one operator, number, condition, loop, decorator or exception of the package at a
time, runs the tests of the changed module, and counts the changes ("mutants") that make them fail.
The modules are those that read columns, train, search, explain, measure and store. The mutations
are those of cosmic-ray. Places in the code are drawn uniformly, and then one of the mutations that
are possible at the place, so that neither long lists of operators nor short files weigh more.

Only mirrored tests run, such as ``tests/metrics/test_groups.py`` for ``ctsk/metrics/groups.py``;
see `mirrored_tests` for modules without such a file. A mutant is killed if a test fails, or if the
tests do not end within a limit although they pass within half of it otherwise. The limit is one of
processor time, because the machine may be busy. Tests that fail or are too slow without any
mutation decide nothing, and their mutants count as not killed.

Four kinds of mutants are never drawn: those that are no valid Python; ``==`` in place of ``is`` and
the reverse, because they differ for few objects, if at all; other signs in place of the star before
parameters that must be named. Docstrings, messages and annotations are not mutated. Other mutants
that change nothing, such as a tolerance of 2e-9 in place of 1e-9, are drawn, and survive.

The table ``results/mutation.csv`` has a line for each mutant. Its last column gives the reason why
a mutant that survives is acceptable. The reason is written by hand, and is kept if the same mutant
survives again. Tests were written for those mutants of seed 0 that had survived before, so that
other seeds tell more about the tests::

    python benchmarks/mutation.py [--seed 0] [--mutants 60] [--limit 60] [--survivors]

``--survivors`` repeats only those mutants of the seed that are not killed in the table.
"""

import argparse
import ast
import csv
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "benchmarks/results/mutation.csv"
COLUMNS = ("seed", "file", "line", "operator", "before", "after", "outcome", "test", "reason")

SUBJECTS = (
    "_columns/**/*.py",
    "_training/objective.py",
    "generators/**/*.py",
    "_explaining/**/*.py",
    "metrics/**/*.py",
    "_persistence.py",
    "_storing/**/*.py",
)
# Equality and identity differ for few objects, if at all.
SKIPPED = re.compile(r"core/ReplaceComparisonOperator_(Eq_Is|Is_Eq|NotEq_IsNot|IsNot_NotEq)$")
# A line of pytest's summary.
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.M)
KILLED = ("killed", "timed out")
# Tests that wait rather than compute end after this multiple of the limit.
MOST_WAITING = 4
# A mutant may build a huge array. torch alone reserves some GiB of addresses.
MEMORY = 16 * 2**30


def modules_of(patterns):
    """Return the modules that match, relative to the repository, without ``__init__.py``."""
    paths = {path for pattern in patterns for path in (ROOT / "ctsk").glob(pattern)}
    return sorted(path.relative_to(ROOT) for path in paths if path.name != "__init__.py")


@cache
def imported_by(module):
    """Return the modules of the package that import `module`."""
    name = ".".join(module.with_suffix("").parts)
    return [
        other
        for other in modules_of(["**/*.py"])
        if re.search(rf"^\s*(from|import) {re.escape(name)}\b", (ROOT / other).read_text(), re.M)
    ]


def mirrored_tests(module):
    """Return the test files of a module.

    A module without a mirrored file is a part of others. Its tests are the mirrored files of the
    modules that import it: of its own folder if there are any, and via modules that have no
    mirrored file either. The parts of stored models are tested by saving and loading models.
    """
    if module.parts[1] == "_storing" and not mirrored_file(module):
        return ("tests/test_persistence.py",)
    level, seen = [module], {module}
    while level:
        files = {mirrored_file(each) for each in level} - {None}
        if files:
            return tuple(sorted(files))
        importers = {other for each in level for other in imported_by(each)} - seen
        neighbors = {other for other in importers if other.parent == module.parent}
        level = sorted(neighbors or importers)
        seen |= importers
    raise SystemExit(f"No tests of {module} are known.")


def mirrored_file(module):
    folder = Path("tests", *module.parts[1:-1])
    file = folder / f"test_{module.name.removeprefix('_')}"
    return str(file) if (ROOT / file).exists() else None


def places_of(module):
    """Return the mutations of a module as a dict from places to (operator, occurrence)."""
    operators = {
        name: get_operator(name)()
        for name in operator_names()
        if not get_operator(name).arguments() and not SKIPPED.match(name)
    }
    places, occurrences = {}, dict.fromkeys(operators, 0)
    for node in ast_nodes(get_ast((ROOT / module).read_text())):
        # Most nodes are names, texts and ends of lines, at which no operator applies.
        if node.type in ("name", "string", "newline", "endmarker"):
            continue
        # The star before parameters that must be named is no multiplication.
        is_star = node.type == "operator" and node.parent.type in ("parameters", "lambdef")
        for name, operator in operators.items():
            for place in operator.mutation_positions(node):
                if not is_star:
                    places.setdefault(place, []).append((name, occurrences[name]))
                occurrences[name] += 1
    return places


def mutant(module, line, name, occurrence):
    """Return a row of the table and the mutated text, or None if it is no valid Python."""
    text = (ROOT / module).read_text()
    mutated = mutate_code(text, get_operator(name)(), occurrence)
    try:
        ast.parse(mutated)
    except SyntaxError:
        return None
    before, after = (code.splitlines()[line - 1].strip() for code in (text, mutated))
    row = {
        "file": module.as_posix(),
        "line": str(line),
        "operator": name.removeprefix("core/"),
        "before": before,
        "after": "" if name.endswith("RemoveDecorator") else after,
    }
    return row, mutated


def sample(seed, n_mutants):
    """Draw mutants: a place in the code first, and then one of its mutations."""
    chance = random.Random(seed)
    places = [
        (module, place[0][0], mutations)
        for module in modules_of(SUBJECTS)
        for place, mutations in places_of(module).items()
    ]
    chance.shuffle(places)
    mutants = []
    for module, line, mutations in places:
        chance.shuffle(mutations)
        candidates = (mutant(module, line, *mutation) for mutation in mutations)
        valid = next(filter(None, candidates), None)
        if valid:
            mutants.append(valid)
        if len(mutants) == n_mutants:
            break
    return len(places), mutants


def copy_repository(folder):
    """Copy all files that Git knows or does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in listed.split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def pytest_command(folder, *arguments):
    return {
        "args": [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        "cwd": folder,
        "env": {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
    }


def limit_resources(seconds):
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def run_tests(files, folder, limit):
    """Run tests until one fails; return "passed", "failed" or "timed out", and the one that fails.

    All processes that the tests have started end with them.
    """
    process = subprocess.Popen(
        **pytest_command(folder, "-x", *files),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: limit_resources(limit),
    )
    try:
        output, _ = process.communicate(timeout=MOST_WAITING * limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "timed out", ""
    if process.returncode in (0, -signal.SIGXCPU):
        return ("passed" if process.returncode == 0 else "timed out"), ""
    failed = FAILED.search(output)
    return "failed", failed[1] if failed else f"exit status {process.returncode}"


def judge(row, mutated, folder, limit):
    """Run the tests of a mutant; return its outcome and the test that fails."""
    files = mirrored_tests(Path(row["file"]))
    path = folder / row["file"]
    text = path.read_text()
    replace_module(path, mutated)
    result, test = run_tests(files, folder, limit)
    replace_module(path, text)
    # The tests may be slow without the mutation, too.
    if result == "timed out" and run_tests(files, folder, limit // 2)[0] != "passed":
        return "tests too slow", ""
    return {"passed": "survived", "failed": "killed"}.get(result, result), test


def replace_module(path, text):
    path.write_text(text)
    # Python recognizes a changed file by its size and second only.
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)


def failing_tests(rows, folder):
    """Return those of the tests that killed a mutant which fail without a mutation as well."""
    # A file that cannot be imported, or a crash, is not the fault of one test.
    tests = sorted({row["test"] for row in rows if "::" in row["test"]})
    if not tests:
        return set()
    done = subprocess.run(**pytest_command(folder, *tests), capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"The tests that killed mutants cannot be run again.\n{done.stdout}")
    return set(FAILED.findall(done.stdout))


def key(row):
    return tuple(row[name] for name in ("seed", "file", "operator", "before", "after"))


def place_of(row):
    return f"{row['file']}:{row['line']}"


def read_table():
    if not TABLE.exists():
        return []
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


def write_table(rows):
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: int(row["seed"])))


def report(rows):
    n_killed = sum(row["outcome"] in KILLED for row in rows)
    print(f"killed {n_killed} of {len(rows)}: {n_killed / len(rows):.0%}")
    for row in rows:
        if row["outcome"] not in KILLED:
            print(f"{place_of(row)} {row['outcome']}\n    - {row['before']}\n    + {row['after']}")
            print(f"    {row['reason'] or 'no reason is given'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mutants", type=int, default=60)
    parser.add_argument("--limit", type=int, default=60, help="seconds of the tests of a mutant")
    parser.add_argument("--survivors", action="store_true", help="repeat those not killed so far")
    options = parser.parse_args()
    n_places, mutants = sample(options.seed, options.mutants)
    print(f"{options.mutants} mutants at {n_places:,} places, seed {options.seed}", flush=True)
    stored = {key(row): row for row in read_table()}
    seed = str(options.seed)
    rows = []
    others = [row for row in stored.values() if row["seed"] != seed]
    with tempfile.TemporaryDirectory() as name:
        copy_repository(Path(name))
        for row, mutated in mutants:
            row["seed"] = seed
            known = stored.get(key(row), {})
            if options.survivors and known.get("outcome") in KILLED:
                row = known
            else:
                outcome, test = judge(row, mutated, Path(name), options.limit)
                reason = "" if outcome in KILLED else known.get("reason", "")
                row.update(outcome=outcome, test=test, reason=reason)
                print(f"{place_of(row)} {row['operator']}: {outcome} {test}", flush=True)
            rows.append(row)
            # What is done is kept if the command is interrupted.
            stored[key(row)] = row
            write_table(stored.values())
        for test in failing_tests(rows, Path(name)):
            for row in rows:
                if row["test"] == test:
                    row["outcome"] = "test fails without a mutation"
    write_table([*others, *rows])
    report(rows)


if __name__ == "__main__":
    main()
