import importlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import warnings

import pytest
import torch
from torch import nn

from ctsk._torch import threads as _threads
from ctsk._torch.threads import ForkSafeLock, one_thread_if_small
from ctsk._torch.utils import default_torch_modes

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
SMALL, LARGE = nn.Linear(30, 32), nn.Linear(1000, 1000)


@pytest.fixture(autouse=True)
def two_threads_by_default(monkeypatch):
    """Start as on a machine of two cores where nobody chose a number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr(_threads, "_DEFAULT_NUMBERS", {2})
    monkeypatch.setattr(_threads, "_IS_IN_ENVIRONMENT", False)
    yield
    torch.set_num_threads(before)


def test_small_computation_runs_on_one_thread_and_restores_the_setting():
    with pytest.raises(RuntimeError), one_thread_if_small(SMALL, 1000):
        assert torch.get_num_threads() == 1
        raise RuntimeError
    assert torch.get_num_threads() == 2


def test_large_computation_keeps_all_threads():
    with one_thread_if_small(LARGE, 1000):
        assert torch.get_num_threads() == 2


def test_number_of_threads_that_the_user_set_is_left_alone():
    torch.set_num_threads(3)
    with one_thread_if_small(SMALL, 1000):
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 3


def test_environment_that_joblib_gives_its_workers_is_not(monkeypatch):
    monkeypatch.setattr(_threads, "_IS_IN_ENVIRONMENT", True)
    process = multiprocessing.Process(name="LokyProcess-1")
    monkeypatch.setattr(multiprocessing, "current_process", lambda: process)
    with one_thread_if_small(SMALL, 1000):
        assert torch.get_num_threads() == 1


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_environment_variable_is_the_users_word_if_it_was_set_before_the_import(monkeypatch, name):
    monkeypatch.setenv(name, "2")
    try:
        assert importlib.reload(_threads)._IS_IN_ENVIRONMENT
        with _threads.one_thread_if_small(SMALL, 1000):
            assert torch.get_num_threads() == 2
    finally:
        monkeypatch.undo()
        importlib.reload(_threads)


def test_variable_that_is_set_later_is_not(monkeypatch):
    """As by a local cluster of dask, which would make small fits in its process very slow."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with one_thread_if_small(SMALL, 1000):
        assert torch.get_num_threads() == 1


def test_default_numbers_depend_on_the_machine_alone(monkeypatch):
    """So a number that was set before ctsk was imported is the user's choice, too."""
    monkeypatch.setattr(_threads.os, "cpu_count", lambda: 16)
    monkeypatch.setattr(_threads.os, "sched_getaffinity", lambda pid: range(12), raising=False)
    torch.set_num_threads(3)
    assert _threads._default_numbers() == {16, 12, 8, 6}


def answer_of_a_fork(ask):
    """Return the byte that a function returns in a forked process; None if it does not end."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forks beside threads, which are the subject.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os.write(write, bytes([ask()]))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        is_answered = multiprocessing.connection.wait([pipe], timeout=20)
        answer = pipe.read(1)[0] if is_answered else None
    if answer is None:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return answer


@needs_fork
def test_a_forked_process_computes_on_one_thread_whatever_the_size():
    def n_threads():
        with default_torch_modes(), one_thread_if_small(LARGE, 1000):
            return torch.get_num_threads()

    def n_threads_afterward():
        n_threads()
        return torch.get_num_threads()

    assert answer_of_a_fork(n_threads) == 1
    assert answer_of_a_fork(n_threads_afterward) == 2
    assert n_threads() == 2


@needs_fork
def test_a_lock_that_another_thread_holds_is_free_after_a_fork():
    lock, is_held, ends = ForkSafeLock(), threading.Event(), threading.Event()

    def hold():
        with lock.held():
            is_held.set()
            ends.wait()

    def ask():
        with lock.held(), lock.held():
            return 7

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait()
    try:
        assert answer_of_a_fork(ask) == 7
    finally:
        ends.set()
        holder.join()
