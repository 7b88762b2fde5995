"""Networks of linear layers and ReLUs in a program, against the networks themselves."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from ctsk._columns.constraints import Box
from ctsk._columns.one_hot import OneHotGroups
from ctsk._explaining.foreign_models import Logits
from ctsk._explaining.proof.levers import Levers
from ctsk._explaining.proof.network import (
    UnsupportedLayerError,
    add_network,
    layers_of,
    logits_of,
    rounding_error,
)
from ctsk._explaining.proof.program import Program

ROWS = np.random.default_rng(0).normal(size=(50, 2))


def random_layers(seed, sizes, scale=1.0):
    rng = np.random.default_rng(seed)
    return [
        (scale * rng.normal(size=(n_outputs, n_inputs)), rng.normal(size=n_outputs))
        for n_inputs, n_outputs in itertools.pairwise(sizes)
    ]


def outputs(module, rows):
    with torch.no_grad():
        return module.double()(torch.as_tensor(rows)).numpy()


def test_linear_layers_without_a_relu_between_them_are_one_and_shared_relus_count_twice():
    relu = nn.ReLU()
    layers = [nn.Linear(2, 4), nn.Linear(4, 3), relu, nn.Linear(3, 3, bias=False), relu]
    module = nn.Sequential(*layers, nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 2))).eval()
    chain = layers_of(module.double())
    assert [len(bias) for _, bias in chain] == [3, 3, 2]
    assert np.allclose(logits_of(chain, ROWS), outputs(module, ROWS))


def test_a_relu_after_a_relu_changes_nothing():
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.ReLU(), nn.Linear(4, 2)).double()
    assert np.allclose(logits_of(layers_of(module), ROWS), outputs(module, ROWS))


def test_a_single_logit_is_that_of_class_1_against_0():
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)).double()
    logits = logits_of(layers_of(Logits(module, are_probabilities=False)), ROWS)
    assert np.allclose(logits[:, 1] - logits[:, 0], outputs(module, ROWS)[:, 0])


class Doubled(nn.Linear):
    def forward(self, rows):
        return 2 * super().forward(rows)


@pytest.mark.parametrize(
    "module, layer",
    [
        (nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)), "Tanh"),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "ReLU as its last layer"),
        (nn.Sequential(nn.ReLU(), nn.Linear(2, 2)), "ReLU before any linear layer"),
        (nn.Sequential(nn.Identity()), "no linear layer"),
        (nn.Sequential(Doubled(2, 2)), "Doubled"),
        (Logits(nn.Linear(2, 2), are_probabilities=True), "softmax"),
    ],
)
def test_what_the_program_cannot_represent_is_named(module, layer):
    with pytest.raises(UnsupportedLayerError) as error:
        layers_of(module)
    assert error.value.layer == layer


@pytest.mark.parametrize("sizes", [(2, 2), (2, 5, 2), (2, 4, 3, 2), (2, 5, 3), (2, 4, 3, 3)])
@pytest.mark.parametrize("target", [0, 1])
def test_the_program_computes_the_differences_of_the_logits(sizes, target):
    layers, groups = random_layers(sum(sizes), sizes), OneHotGroups(2)
    factual, costs = np.array([0.2, -0.4]), np.ones(2)
    box = Box(np.full((1, 2), -3.0), np.full((1, 2), 3.0), groups)
    levers = Levers.of(factual, box, costs, grids=(np.zeros(2), np.zeros(2)))
    for row in ROWS[:5].clip(-2, 2):
        program = Program(levers.upper, levers.is_integer)
        limits = np.inf, None
        constants, slopes = add_network(program, layers, levers, factual, target, limits)
        # The levers are fixed by rows, the hidden units follow.
        levels = np.maximum(levers.moves.T @ (row - factual), 0)
        sides = np.vstack([np.eye(len(levels)), -np.eye(len(levels))])
        # A unit without a binary is only bounded from the side that the target gains by.
        objective = slopes.sum(axis=0)
        result = program.minimize(objective, 5.0, rows=(sides, np.append(levels, -levels)))
        logits = logits_of(layers, row)
        expected = np.delete(logits - logits[target], target)
        found = constants + slopes @ result.x[: slopes.shape[1]]
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_the_rounding_error_of_float32_is_within_its_bound(seed):
    layers = random_layers(seed, (2, 30, 20, 3), scale=5.0)
    rows = 100 * ROWS
    single = [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]
    exact = [(w.astype(float), b.astype(float)) for w, b in single]
    rows = rows.astype(np.float32)
    errors = np.abs(logits_of(single, rows) - logits_of(exact, rows.astype(float))).max()
    size = np.abs(rows).max(axis=0).astype(float)
    assert 0 < errors <= rounding_error(exact, size, np.finfo(np.float32).eps)
