"""Modes, devices, copies and sources of chance of torch modules."""

import contextlib
import copy
import itertools

import numpy as np
import torch
from sklearn.utils import check_random_state

# Rows that pass through a module at once, which bounds the memory.
CHUNK = 4096


@contextlib.contextmanager
def evaluating(module):
    """Put a module in eval mode and restore its mode afterwards."""
    training = module.training
    module.eval()
    try:
        yield module
    finally:
        module.train(training)


def device_of(module):
    """Device of a module's first weight or constant."""
    return next(itertools.chain(module.parameters(), module.buffers())).device


def inference_copy(module, dtype):
    """Return a copy of a module to ask, not to train: eval mode, no gradients."""
    return copy.deepcopy(module).to(dtype).eval().requires_grad_(False)


@contextlib.contextmanager
def forked_random_state(generator, device):
    """Seed torch's global random state from a generator; restore it afterwards.

    For modules that are not ours: their initial weights and their dropout know
    no other source of chance. The global state is the process's, so this is not
    safe in threads.
    """
    seed = int(torch.randint(2**31, (), generator=generator))
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        for cuda in devices:
            with torch.cuda.device(cuda):
                torch.cuda.manual_seed(seed)
        yield


def make_generator(random_state):
    """Return a torch generator seeded by scikit-learn's `random_state`.

    None seeds from the operating system: NumPy's global state is left alone.
    """
    generator = torch.Generator()
    if random_state is None:
        generator.seed()
    else:
        generator.manual_seed(int(check_random_state(random_state).randint(2**31 - 1)))
    return generator


def make_rng(random_state):
    """Return a NumPy generator seeded like `make_generator`."""
    return np.random.default_rng(make_generator(random_state).initial_seed())
