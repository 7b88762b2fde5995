"""Do tables of every dtype, shape, index and container work, or are they rejected by name?

Every input of ``tests/hostile_frames`` is fitted, predicted and explained in a process of its own
kind, which is killed if it takes too long. An input that works has to have the probabilities and
the counterfactuals of the same table in plain dtypes, to the last bit; any difference, foreign
warning or unexpected acceptance is a silent error. An input that is rejected has to be rejected by
a ValueError or TypeError that names the column or the parameter, and the remedy; anything else is
an unclear error.
"""

import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from hostile_frames import SilentError, UnclearError, all_cases, attempt

# Seconds after which an input counts as hanging; most of them take less than one.
HANGS = 120


def _work(connection):
    """Try inputs by their position in the table, and return outcomes, until the pipe closes."""
    cases = all_cases()
    # The imports of the package and of torch's optimizers take seconds, which are no hang.
    attempt(cases[0])
    connection.send("ready")
    while (position := connection.recv()) is not None:
        try:
            outcome = attempt(cases[position]), ""
        except SilentError as error:
            outcome = "silent", str(error)
        except UnclearError as error:
            outcome = "unclear", str(error)
        except Exception as error:  # noqa: BLE001
            outcome = "unclear", f"{type(error).__name__}: {error}"
        connection.send(outcome)


def _started():
    """Return a new process, and the pipe to it."""
    # A spawned process shares no state with this one, in which unpicklers may be forbidden.
    context = multiprocessing.get_context("spawn")
    connection, other = context.Pipe()
    process = context.Process(target=_work, args=(other,), daemon=True)
    process.start()
    connection.recv()
    return process, connection


def try_inputs(n_inputs=None, n_seconds=HANGS):
    """Try the inputs of the table; return the number of outcomes, and print what is wrong.

    Parameters
    ----------
    n_inputs : int or None, default=None
        None tries all of them.
    n_seconds : float, default=120
        Time limit of an input.
    """
    outcomes = Counter()
    process, connection = _started()
    start = time.monotonic()
    for position, case in enumerate(all_cases()[:n_inputs]):
        connection.send(position)
        if connection.poll(n_seconds):
            outcome, problem = connection.recv()
        else:
            outcome, problem = "hang", f"no result after {n_seconds} s"
            process.kill()
            process, connection = _started()
        outcomes[outcome] += 1
        if problem:
            print(f"{case}: {outcome}: {problem[:500]}", flush=True)
    connection.send(None)
    process.join()
    outcomes["seconds"] = round(time.monotonic() - start)
    return outcomes


def report(outcomes):
    """Print the outcomes."""
    n_inputs = outcomes.total() - outcomes["seconds"]
    print(
        f"inputs tried {n_inputs:,} / hangs {outcomes['hang']} / silent errors {outcomes['silent']}"
    )
    print(
        f"of these, equal to their plain twins {outcomes['works']:,}, rejected by name "
        f"{outcomes['rejected']:,}, unclear errors {outcomes['unclear']}; "
        f"{outcomes['seconds']:,} s"
    )


def main():
    report(try_inputs())


if __name__ == "__main__":
    main()
