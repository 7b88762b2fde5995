"""Number of torch threads for computations of different sizes, and a lock of threads."""

import contextlib
import multiprocessing
import os
import threading

import torch

# Torch reads these variables when it is loaded. Their later values say nothing about it: a local
# cluster of dask, for example, sets them in the process that starts it, for those of its workers.
_IS_IN_ENVIRONMENT = any(name in os.environ for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"))
# Whether this process was forked from one that had imported ctsk. The threads of OpenMP do not
# survive a fork, so that a computation on several threads may wait for them forever.
_is_forked = False
# Number of multiply-adds of one minibatch below which a second thread costs more time
# than it saves.
_SMALL = 100_000_000


def _default_numbers():
    """Return the numbers of threads that torch may choose by itself on this machine.

    Torch uses one thread per core. Which cores it counts depends on the build: all
    logical ones, or only the physical ones, which are half as many under hyperthreading.
    """
    logical = {os.cpu_count() or 1}
    if hasattr(os, "sched_getaffinity"):
        logical.add(len(os.sched_getaffinity(0)))
    return logical | {n // 2 for n in logical}


def _note_fork():
    global _is_forked
    _is_forked = True


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)

# Derived from the machine, not from torch's setting: the user may have changed the latter
# before ctsk was imported.
_DEFAULT_NUMBERS = _default_numbers()


class ForkSafeLock:
    """A reentrant lock that is free in a process that is forked while another thread holds it.

    The thread that holds a plain lock does not exist in the child, which would wait forever.
    """

    def __init__(self):
        self._renew()
        # Windows has no fork.
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self):
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def held(self):
        """Hold the lock."""
        # The statement releases the lock that it has acquired, also after a fork in its block.
        with self._lock:
            yield


@contextlib.contextmanager
def one_thread_if_forked():
    """Run all computations on one torch thread in a forked process; restore the setting."""
    if not _is_forked:
        yield
        return
    with _one_thread():
        yield


@contextlib.contextmanager
def one_thread_if_small(module, n_rows):
    """Run small computations on one torch thread; restore the setting afterwards.

    At the sizes of tabular data, a second thread is never faster, and it is several times
    slower if the cores are busy (as in a parallel grid search). A setting that the user
    has made is left alone: a number of threads passed to ``torch.set_num_threads``, as
    far as it differs from the number of cores, or the environment variables
    ``OMP_NUM_THREADS`` and ``MKL_NUM_THREADS``, if they were set when ctsk was imported
    (except those that joblib sets for its workers).

    Parameters
    ----------
    module : torch.nn.Module
    n_rows : int
        Number of rows that pass through the module at once.
    """
    n_threads = torch.get_num_threads()
    # There is nothing to set, and the numbers below take as long to get as a few rows.
    if n_threads == 1:
        yield
        return
    in_worker = multiprocessing.current_process().name.startswith("LokyProcess")
    in_environment = _IS_IN_ENVIRONMENT and not in_worker
    is_users_choice = in_environment or n_threads not in _DEFAULT_NUMBERS
    n_weights = sum(weights.numel() for weights in module.parameters())
    if is_users_choice or n_rows * n_weights > _SMALL:
        yield
        return
    with _one_thread():
        yield


@contextlib.contextmanager
def _one_thread():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
