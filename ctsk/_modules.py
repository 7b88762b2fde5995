"""The torch modules that ctsk builds itself, and how a module is asked."""

import contextlib
import copy
import itertools
import math

import torch
from torch import nn

ACTIVATIONS = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
}


class _Linear(nn.Linear):
    """A linear layer whose weights are drawn from a generator of our own."""

    def reset_parameters(self):
        """Leave the weights to `initialize`: torch would use its global generator."""

    def initialize(self, generator):
        """Draw weights and biases from U(-k, k), k = 1 / sqrt(fan_in), torch's default."""
        bound = 1 / math.sqrt(self.in_features)
        nn.init.uniform_(self.weight, -bound, bound, generator=generator)
        nn.init.uniform_(self.bias, -bound, bound, generator=generator)


class MLP(nn.Sequential):
    """A multilayer perceptron that returns logits.

    Parameters
    ----------
    n_features : int
    n_classes : int
    hidden_layer_sizes : sequence of int
        Empty for a linear model.
    activation : {"identity", "logistic", "tanh", "relu"}
    generator : torch.Generator
        Where the initial weights come from; a CPU generator.
    """

    def __init__(self, n_features, n_classes, *, hidden_layer_sizes, activation, generator):
        super().__init__()
        sizes = [n_features, *hidden_layer_sizes, n_classes]
        for depth, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
            if depth:
                self.append(ACTIVATIONS[activation]())
            layer = _Linear(n_in, n_out)
            layer.initialize(generator)
            self.append(layer)


@contextlib.contextmanager
def evaluating(module):
    """Put a module in eval mode and restore its mode afterwards."""
    training = module.training
    module.eval()
    try:
        yield module
    finally:
        module.train(training)


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
