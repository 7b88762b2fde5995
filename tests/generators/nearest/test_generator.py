import pickle
import warnings

import numpy as np
import pytest
import torch
from nearest_problems import GROUPS, box_within, opposite_targets, random_factuals, relu_net

from ctsk import CounterfactualTrainedClassifier, NearestGenerator
from ctsk.generators import check_generator
from ctsk.generators.inputs import Reference

COSTS = torch.tensor([1, 1, 0.5, 0.5, 0.5])


def search(generator, factuals=None, **settings):
    net = relu_net(5)
    factuals = random_factuals(GROUPS, 40) if factuals is None else factuals
    targets = opposite_targets(net, factuals)
    settings = {"costs": COSTS, "tau": 0.6, "T": 100} | settings
    return generator.search(net, factuals, targets, box_within(factuals, GROUPS), **settings)


@pytest.mark.parametrize(
    "generator",
    [NearestGenerator(), NearestGenerator(lambda_data=1.0), NearestGenerator(n_starts=4)],
    ids=repr,
)
def test_generator_fulfills_the_contract(generator):
    check_generator(generator)


@pytest.mark.parametrize(
    "parameters", [{"lambda_data": -1}, {"n_starts": 3}, {"random_state": None}], ids=repr
)
def test_invalid_parameters_are_errors_that_name_them(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        search(NearestGenerator(**parameters))


def test_nascent_counterfactuals_are_the_last_points_within_epsilon_on_the_line():
    factuals = random_factuals(GROUPS, 40)
    result = search(NearestGenerator(), factuals, epsilon=0.3)
    moves = result.counterfactuals - factuals
    lengths = moves.abs().amax(dim=1, keepdim=True)
    expected = factuals + moves * (0.3 / lengths).clamp(max=1)
    torch.testing.assert_close(result.nascent, expected, atol=1e-5, rtol=0)
    assert ((result.nascent - factuals).abs() < 0.3).all()
    assert search(NearestGenerator(), factuals).nascent is None


def test_search_is_silent_and_deterministic_and_leaves_inputs_and_global_state_alone():
    factuals = random_factuals(GROUPS, 40)
    copies, state = factuals.clone(), (torch.get_rng_state(), np.random.get_state()[1].copy())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = (search(NearestGenerator(), factuals) for _ in range(2))
    assert torch.equal(first.counterfactuals, second.counterfactuals)
    assert torch.equal(factuals, copies)
    assert torch.equal(torch.get_rng_state(), state[0])
    assert np.array_equal(np.random.get_state()[1], state[1])


def holds_a_row(pickled, rows):
    """Return whether a pickle holds the bytes of any row, in single or double precision."""
    rows = np.asarray(rows)
    return any(
        np.ascontiguousarray(row, dtype=dtype).tobytes() in pickled
        for row in rows
        for dtype in (np.float32, np.float64)
    )


def test_pickled_generator_holds_no_training_row():
    rows, labels = torch.randn(300, 5, generator=torch.Generator().manual_seed(0)), None
    labels = torch.arange(300) % 2
    reference = Reference(rows, labels, 2, GROUPS, torch.Generator().manual_seed(0))
    generator = NearestGenerator().learn(reference)
    assert len(generator.prototypes_) > 2
    assert holds_a_row(pickle.dumps(generator), generator.prototypes_)
    assert not holds_a_row(pickle.dumps(generator), rows)
    labels[:] = torch.arange(300) % 20
    reference = Reference(rows, labels, 20, GROUPS, torch.Generator().manual_seed(0))
    assert NearestGenerator().learn(reference).prototypes_.shape == (0, 5)


@pytest.mark.parametrize("generator", ["eccco", "nearest"])
def test_pickled_classifier_holds_no_training_row(generator):
    X = np.random.default_rng(0).normal(size=(200, 4))
    settings = {"max_epochs": 2, "generator": generator, "random_state": 0}
    clf = CounterfactualTrainedClassifier(**settings).fit(X, X[:, 0] > 0)
    clf.explain(X[:3])
    pickled = pickle.dumps(clf)
    assert not holds_a_row(pickled, X)
    assert not holds_a_row(pickled, clf.encoder_.encode(X))
