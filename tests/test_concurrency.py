"""One estimator in many threads and processes answers with the bits of a single thread."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from simultaneous import answers, answers_in_processes, large_model, small_models

import ctsk

# Seconds after which a process counts as hanging.
HANGS = 120


@pytest.fixture(scope="module")
def models():
    return (*small_models(), *large_model())


@pytest.fixture(scope="module")
def serial(models):
    return answers(models)


def test_threads_give_the_answers_of_one(models, serial):
    with ThreadPoolExecutor(4) as pool:
        assert all(found == serial for found in pool.map(answers, [models] * 4))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_give_the_answers_of_one_thread(models, serial, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"This system has no {method}.")
    n_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        # Threads of OpenMP exist before the fork, which they do not survive.
        models[3].predict_proba(models[4])
        assert answers_in_processes(models, method, 1, HANGS) == [serial]
    finally:
        torch.set_num_threads(n_threads)


@pytest.mark.parametrize("ending", ["", ".zip"])
def test_threads_that_store_a_model_at_one_path_leave_a_whole_model(models, tmp_path, ending):
    clf, path, together = models[0], tmp_path / f"model{ending}", threading.Barrier(8)

    def store(_):
        together.wait()
        for _ in range(5):
            ctsk.save(clf, path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store, range(8)))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    ctsk.save(ctsk.load(path), tmp_path / f"again{ending}")
    for name in [""] if ending else [entry.name for entry in path.iterdir()]:
        assert (path / name).read_bytes() == (tmp_path / f"again{ending}" / name).read_bytes()
