"""Modes, devices, copies and random generators of torch modules."""

import contextlib
import copy
import itertools

import numpy as np
import torch
from sklearn.utils import check_random_state

from ctsk._torch.threads import ForkSafeLock, one_thread_if_forked

_RANDOM_STATE = ForkSafeLock()
# Maximum numbers of rows, and of their cells, that pass through a module at once. The second one
# bounds the memory of wide tables.
_MOST_ROWS = 4096
_MOST_CELLS = 1_000_000


def chunk_size(n_cells):
    """Return the number of rows of so many cells each that are computed at once."""
    return min(_MOST_ROWS, max(1, _MOST_CELLS // max(1, n_cells)))


def chunks(n_rows, n_at_once):
    """Yield slices of consecutive rows, of so many rows each but for the last one."""
    # The generator of scikit-learn validates its parameters for longer than a row is predicted.
    for start in range(0, n_rows, n_at_once):
        yield slice(start, min(start + n_at_once, n_rows))


@contextlib.contextmanager
def default_torch_modes():
    """Suspend the modes of torch that the caller has set.

    Web handlers often run under ``torch.inference_mode`` or ``torch.no_grad``, and
    scripts call ``torch.set_default_device`` or ``torch.autocast``. Inside the block,
    gradients are enabled, tensors without an explicit device are created on the CPU,
    and no operation is cast. All of these modes belong to the current thread, so other
    threads are not affected. The default dtype belongs to the process and is left alone:
    ctsk passes every dtype explicitly. In a forked process, torch computes on one thread.

    The context manager also works as a decorator.
    """
    with contextlib.ExitStack() as modes:
        # enable_grad alone would not help: tensors of inference mode never enter a graph.
        modes.enter_context(torch.inference_mode(False))
        modes.enter_context(torch.enable_grad())
        modes.enter_context(one_thread_if_forked())
        # Both of the following slow down every operation, so they are entered only if needed.
        if torch.get_default_device() != torch.device("cpu"):
            modes.enter_context(torch.device("cpu"))
        for device_type in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device_type):
                modes.enter_context(torch.autocast(device_type, enabled=False))
        yield


@contextlib.contextmanager
def evaluating(module):
    """Put a module into eval mode and restore its mode, and those of its parts, afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield module
    finally:
        # A module may have a `train` of its own. A part can stay in eval mode in training, such
        # as a normalization by fixed statistics.
        module.train(modes[0][1])
        for part, training in modes:
            part.training = training


def check_device(device):
    """Check that a device can compute in float64.

    Parameters
    ----------
    device : str or torch.device

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If torch does not know the device, if the device is not available, if it holds
        no data ("meta"), or if it does not support float64 (MPS).
    """
    try:
        ones = torch.ones(2, dtype=torch.float64, device=device)
        # Tensors on the meta device can be created, but their values cannot be read.
        ones.sum().item()
    except (RuntimeError, AssertionError, TypeError, ValueError, ImportError) as error:
        # Some messages of torch list all of its backends on further lines.
        cause = str(error).splitlines()[0]
        raise ValueError(
            f"device={str(device)!r} cannot be used ({cause}). Use 'cpu', or a device that this "
            "build of torch supports and that computes in float64, such as 'cuda'."
        ) from error
    return ones.device


def device_of(module):
    """Return the device of a module's first parameter or buffer."""
    return next(itertools.chain(module.parameters(), module.buffers())).device


def heads_of(module):
    """Return the method `heads` of a module that is an ensemble; None for other modules.

    It maps rows to the logits of each head, of shape (n_rows, n_heads, n_classes).
    """
    # Only a method counts: modules may have a number of attention heads, or a list of layers, as
    # an attribute of the same name.
    return module.heads if callable(getattr(type(module), "heads", None)) else None


def inference_copy(module, dtype):
    """Return a copy of a module for inference: in eval mode and without gradients."""
    return copy.deepcopy(module).to(dtype).eval().requires_grad_(False)


@contextlib.contextmanager
def forked_random_state(generator, device):
    """Seed torch's global random state from a generator; restore it afterwards.

    Modules of users need this: their initial weights and their dropout draw from the
    global random state only. Because that state belongs to the process, the block runs in
    one thread at a time.

    Parameters
    ----------
    generator : torch.Generator
        A CPU generator; the seed is drawn from it.
    device : torch.device
        The device whose random state is forked in addition to the CPU's.
    """
    seed = int(torch.randint(2**31, (), generator=generator))
    # Without a list of devices, fork_rng would copy the states of all GPUs.
    devices = [device] if device.type == "cuda" else []
    with _RANDOM_STATE.held(), torch.random.fork_rng(devices):
        # torch.manual_seed would seed all GPUs, including those that are not restored.
        torch.default_generator.manual_seed(seed)
        for cuda in devices:
            with torch.cuda.device(cuda):
                torch.cuda.manual_seed(seed)
        yield


def make_generator(random_state):
    """Return a CPU generator of torch, seeded by scikit-learn's `random_state`.

    Under None, the seed comes from the operating system, so that NumPy's global random
    state is left alone.
    """
    generator = torch.Generator("cpu")
    if random_state is None:
        generator.seed()
    else:
        generator.manual_seed(int(check_random_state(random_state).randint(2**31 - 1)))
    return generator


def make_rng(random_state):
    """Return a NumPy generator with the same seed as `make_generator`."""
    return np.random.default_rng(make_generator(random_state).initial_seed())
