"""How many torch threads a computation of a given size deserves."""

import contextlib
import multiprocessing
import os

import torch

_TORCH_DEFAULT = torch.get_num_threads()
_ENVIRONMENT = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
# Multiply-adds of one minibatch under which a second thread costs more than it brings.
_SMALL = 100_000_000


@contextlib.contextmanager
def one_thread_if_small(module, n_rows):
    """Run small computations on one torch thread; restore the user's setting.

    At the sizes of tabular data a second thread is never faster, and several
    times slower when the cores are busy (as in a parallel grid search). A
    setting that the user made is left alone: a number of threads that was set by
    ``torch.set_num_threads`` after ctsk was imported, or ``OMP_NUM_THREADS`` or
    ``MKL_NUM_THREADS`` (but not those that joblib gives its workers).

    Parameters
    ----------
    module : torch.nn.Module
    n_rows : int
        Rows that pass through the module at once.
    """
    n_threads = torch.get_num_threads()
    in_worker = multiprocessing.current_process().name.startswith("LokyProcess")
    in_environment = not in_worker and any(name in os.environ for name in _ENVIRONMENT)
    chosen = in_environment or n_threads != _TORCH_DEFAULT
    n_weights = sum(weights.numel() for weights in module.parameters())
    if chosen or n_rows * n_weights > _SMALL:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
