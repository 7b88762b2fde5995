import contextlib
import functools

import pytest
import torch

from ctsk import CounterfactualTrainedClassifier


@pytest.fixture
def largest_batch():
    """Context that records the largest number of rows that any linear layer receives at once."""

    @contextlib.contextmanager
    def recording():
        sizes = [0]
        hook = torch.nn.modules.module.register_module_forward_pre_hook(
            lambda module, args: sizes.append(len(args[0]))
        )
        try:
            yield lambda: max(sizes)
        finally:
            hook.remove()

    return recording


@pytest.fixture
def n_searches(monkeypatch):
    """Count calls of explain."""
    calls = []
    explain = CounterfactualTrainedClassifier.explain

    @functools.wraps(explain)
    def counting(self, *args, **kwargs):
        calls.append(kwargs)
        return explain(self, *args, **kwargs)

    monkeypatch.setattr(CounterfactualTrainedClassifier, "explain", counting)
    return lambda: len(calls)
