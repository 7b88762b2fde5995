"""Small problems for the tests of the nearest search, which brute force can solve."""

import itertools

import numpy as np
import torch

from ctsk._columns.constraints import Box, Constraints
from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators.nearest.grids import on_grid
from ctsk.generators.nearest.problem import Items, Problem


class Residual(torch.nn.Module):
    """A module that is no Sequential."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, rows):
        return self.net(rows) + rows[:, :1].tanh()


def relu_net(n_columns, n_classes=2, *, n_hidden=8, seed=0, activation=torch.nn.ReLU):
    """Return a net whose decision boundary crosses the numbers between -2 and 2 often."""
    random = torch.Generator().manual_seed(seed)
    sizes = (n_columns, n_hidden), (n_hidden, n_classes)
    # Torch's own initialization would draw from the global random state.
    layers = [torch.nn.utils.skip_init(torch.nn.Linear, *size) for size in sizes]
    net = torch.nn.Sequential(layers[0], activation(), layers[1])
    with torch.no_grad():
        for layer, scale in zip(layers, (1.5, 2.0), strict=True):
            layer.weight.copy_(scale * torch.randn(layer.weight.shape, generator=random))
            layer.bias.copy_(torch.randn(layer.bias.shape, generator=random))
    return net.requires_grad_(False)


def random_factuals(groups, n_rows, seed=0):
    """Return rows of numbers between -2 and 2, and of categories."""
    random = torch.Generator().manual_seed(seed)
    numbers = 4 * torch.rand(n_rows, groups.n_numeric, generator=random) - 2
    categories = [
        torch.eye(size)[torch.randint(size, (n_rows,), generator=random)] for size in groups.sizes
    ]
    return torch.cat([numbers, *categories], dim=1)


def box_within(factuals, groups, low=-2.0, high=2.0, **fields):
    """Return the box of rows whose numbers may move between two bounds."""
    lows, highs = torch.zeros(factuals.shape[1]), torch.ones(factuals.shape[1])
    lows[: groups.n_numeric] = torch.as_tensor(low, dtype=torch.float32)
    highs[: groups.n_numeric] = torch.as_tensor(high, dtype=torch.float32)
    free = torch.ones(factuals.shape[1], dtype=torch.bool)
    box = Constraints(lows, highs, free, free, groups).box(factuals)
    return Box(**{**vars(box), **fields})


def problem_of(model, factuals, targets, box, *, costs=None, tau=0.75, lambda_data=0.0):
    """Return the problem of some factuals, and their items."""
    problem = Problem(model, box, tau=tau, lambda_data=lambda_data)
    costs = torch.as_tensor(box.groups.column_weights).float() if costs is None else costs
    return problem, Items.of_factuals(factuals, targets, *on_grid(box, factuals), costs)


def opposite_targets(model, factuals):
    """Return for each row the class after the one that the model predicts."""
    logits = model(factuals)
    return (logits.argmax(dim=1) + 1) % logits.shape[1]


def margins_of(model, rows, target, tau):
    """Return the margins of one target in float64: logits of probabilities, less that of tau."""
    logits = model(torch.as_tensor(rows, dtype=torch.float32)).double().numpy()
    others = np.delete(logits, target, axis=1)
    margins = logits[:, target] - np.logaddexp.reduce(others, axis=1) - np.log(tau / (1 - tau))
    return np.minimum(margins, logits[:, target] - others.max(axis=1))


def all_rows(groups, axes):
    """Return all rows of the numbers on some axes and all categories."""
    # An empty product has one row, of no numbers.
    numbers = np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1) if axes else [[]]
    numbers = np.asarray(numbers, dtype=np.float64)
    categories = [np.eye(size) for size in groups.sizes]
    combinations = [np.concatenate([[], *rows]) for rows in itertools.product(*categories)]
    blocks = [np.hstack([numbers, np.tile(c, (len(numbers), 1))]) for c in combinations]
    return np.concatenate(blocks)


def least_costs(model, factuals, targets, candidates, costs, tau):
    """Return the cost of the cheapest valid candidate for each row, inf if none is valid."""
    least = np.full(len(factuals), np.inf)
    costs = np.broadcast_to(np.asarray(costs, dtype=np.float64), factuals.shape)
    for target in np.unique(targets.numpy()):
        valid = candidates[margins_of(model, candidates, target, tau) >= 0]
        for row in np.flatnonzero(targets.numpy() == target):
            if len(valid):
                least[row] = (np.abs(valid - factuals[row].numpy()) @ costs[row]).min()
    return least


def costs_of(factuals, counterfactuals, costs):
    """Return the weighted distances between rows, in float64."""
    moves = np.abs(counterfactuals.double().numpy() - factuals.double().numpy())
    return (moves * np.asarray(costs, dtype=np.float64)).sum(axis=1)


GROUPS = OneHotGroups(n_numeric=2, sizes=(3,))
