import importlib
import multiprocessing

import pytest
import torch
from torch import nn

from ctsk._torch import threads as _threads
from ctsk._torch.threads import one_thread_if_small

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
