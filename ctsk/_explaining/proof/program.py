"""Mixed-integer linear programs, which HiGHS solves."""

import contextlib
import os
import threading

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

# Relative distance to the lower bound at which the solver stops; below that of a proof, so that
# the precision of the solver fits between them.
_SOLVER_GAP = 2e-4


class Program:
    """A mixed-integer linear program, to which variables and rows are added.

    Parameters
    ----------
    upper : ndarray of shape (n_variables,)
        Upper bounds of the first variables; the lower bounds are 0.
    is_integer : bool ndarray of shape (n_variables,)
    """

    def __init__(self, upper, is_integer):
        self.upper = np.asarray(upper, dtype=float)
        self.is_integer = np.asarray(is_integer, dtype=bool)
        self._blocks, self._most = [], []

    def __len__(self):
        """Return the number of variables."""
        return len(self.upper)

    def add_variables(self, upper, *, is_integer=False):
        """Add variables between 0 and some upper bounds, and return their positions."""
        first = len(self)
        self.upper = np.append(self.upper, upper)
        self.is_integer = np.append(self.is_integer, np.full(len(upper), is_integer))
        return np.arange(first, len(self))

    def add_rows(self, coefficients, most):
        """Add ``coefficients @ variables <= most``.

        Variables beyond the width of the coefficients have the coefficient 0.
        """
        self._blocks.append(csr_array(coefficients))
        self._most.append(np.broadcast_to(most, len(coefficients)).astype(float))

    @property
    def is_stepped(self):
        """Which variables are integers with more values than 0 and 1."""
        return self.is_integer & (self.upper > 1)

    def minimize(self, objective, time_limit, *, rows, fixed=None, steps="integer"):
        """Return the solver's result, in which the status tells what is proven.

        Parameters
        ----------
        objective : ndarray of shape (at most n_variables,)
        time_limit : float
            Seconds.
        rows : pair of ndarrays
            Coefficients and bounds of further rows, as in `add_rows`.
        fixed : ndarray of shape (n_variables,), default=None
            Values at which the binary variables are fixed.
        steps : {"integer", "continuous", "fixed"}, default="integer"
            Whether integers with more values are integers, continuous, or fixed as well.
        """
        # The solver rejects a program without variables, as that of a row that cannot move.
        width = max(len(self), 1)
        blocks = [*self._blocks, csr_array(rows[0])]
        for block in blocks:
            block.resize((block.shape[0], width))
        most = np.concatenate([*self._most, rows[1]])
        lower, upper = np.zeros(width), padded(self.upper, width)
        is_integer, is_stepped = padded(self.is_integer, width), padded(self.is_stepped, width)
        if fixed is not None:
            is_fixed = is_integer if steps == "fixed" else is_integer & ~is_stepped
            integers = np.round(np.clip(padded(fixed, width), 0, upper))
            lower, upper = (np.where(is_fixed, integers, end) for end in (lower, upper))
            is_integer = is_integer & ~is_fixed
        if steps == "continuous":
            is_integer = is_integer & ~is_stepped
        with _silence:
            return milp(
                padded(objective, width),
                constraints=LinearConstraint(vstack(blocks, format="csr"), -np.inf, most),
                integrality=is_integer if is_integer.any() else None,
                bounds=Bounds(lower, upper),
                options={"time_limit": time_limit, "mip_rel_gap": _SOLVER_GAP},
            )


def is_infeasible(result):
    """Return whether the solver has proven that a program has no solution."""
    # A program with an infinite coefficient has the same status, but another message.
    return result.status == 2 and "infeasible" in result.message.lower()


def bound_of(result):
    """Return the solver's lower bound of an objective that is not negative."""
    # Only the optimum and the time limit end a search regularly.
    if result.status not in (0, 1):
        return 0.0
    bound = result.mip_dual_bound
    # A program without integers has no such bound: its solution is exact.
    if bound is None and result.status == 0:
        bound = result.fun
    return bound if bound is not None and np.isfinite(bound) else 0.0


def padded(array, n_columns):
    """Return an array with columns of zeros at its end."""
    widths = [(0, 0)] * (array.ndim - 1) + [(0, n_columns - array.shape[-1])]
    return np.pad(array, widths)


class _Silence:
    """Suppresses what HiGHS now and then writes to the standard output of the process.

    Threads that solve at the same time share one redirection, because the second one would
    otherwise restore the output of the first.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._n_users, self._kept = 0, None

    def __enter__(self):
        with self._lock:
            if not self._n_users:
                # A process without a standard output has nothing to suppress.
                with contextlib.suppress(OSError):
                    self._kept = os.dup(1)
                    nothing = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(nothing, 1)
                    os.close(nothing)
            self._n_users += 1

    def __exit__(self, *_):
        with self._lock:
            self._n_users -= 1
            if not self._n_users and self._kept is not None:
                os.dup2(self._kept, 1)
                os.close(self._kept)
                self._kept = None


_silence = _Silence()
