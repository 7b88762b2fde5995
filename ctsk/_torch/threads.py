"""Number of torch threads for computations of different sizes."""

import contextlib
import multiprocessing
import os

import torch

# Torch reads these variables when it is loaded. Their later values say nothing about it: a local
# cluster of dask, for example, sets them in the process that starts it, for those of its workers.
_IS_IN_ENVIRONMENT = any(name in os.environ for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"))
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


# Derived from the machine, not from torch's setting: the user may have changed the latter
# before ctsk was imported.
_DEFAULT_NUMBERS = _default_numbers()


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
    in_worker = multiprocessing.current_process().name.startswith("LokyProcess")
    in_environment = _IS_IN_ENVIRONMENT and not in_worker
    is_users_choice = in_environment or n_threads not in _DEFAULT_NUMBERS
    n_weights = sum(weights.numel() for weights in module.parameters())
    if is_users_choice or n_rows * n_weights > _SMALL:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
