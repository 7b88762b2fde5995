import numpy as np
import torch

from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators.inputs import Reference
from ctsk.generators.nearest.prototypes import LEAST_ROWS, learn_prototypes


def prototypes_of(rows, labels, seed=0):
    rows = torch.as_tensor(rows, dtype=torch.float32)
    labels = torch.as_tensor(labels)
    groups, random = OneHotGroups(rows.shape[1]), torch.Generator().manual_seed(seed)
    return learn_prototypes(Reference(rows, labels, 1 + int(labels.max()), groups, random))


def test_prototypes_are_means_of_at_least_twenty_rows_of_a_class():
    # Each row is a column of its own, so that a mean shows whose mean it is.
    n_rows = 200
    labels = np.arange(n_rows) % 2
    prototypes = prototypes_of(np.eye(n_rows), labels).numpy()
    assert len(prototypes) > 0
    for prototype in prototypes:
        members = np.flatnonzero(prototype)
        assert len(members) >= 20
        np.testing.assert_allclose(prototype[members], 1 / len(members), rtol=1e-6)
        assert len(set(labels[members])) == 1


def test_classes_of_fewer_rows_have_no_prototypes():
    rows = np.random.default_rng(0).normal(size=(119, 2))
    labels = np.repeat([0, 1], [100, 19])
    rows[labels == 1] += 100
    prototypes = prototypes_of(rows, labels)
    assert len(prototypes) > 0 and (prototypes < 50).all()
    assert prototypes_of(rows[labels == 1], labels[labels == 1] - 1).shape == (0, 2)


def test_no_prototype_equals_a_row_that_occurs_fewer_than_twenty_times():
    # The mean of these is a row that occurs once.
    rows = np.repeat([[-1.0], [1.0], [0.0]], [12, 12, 1], axis=0)
    assert len(prototypes_of(rows, np.zeros(25, dtype=int))) == 0
    frequent = np.repeat([[0.0, 3.0]], LEAST_ROWS, axis=0)
    prototypes = prototypes_of(frequent, np.zeros(LEAST_ROWS, dtype=int))
    assert prototypes.tolist() == [[0.0, 3.0]]


def test_prototypes_of_few_distinct_values_never_equal_a_rare_row():
    random = np.random.default_rng(0)
    for _ in range(20):
        rows = random.integers(0, 3, size=(300, 2)) ** random.integers(1, 4)
        labels = random.integers(0, 2, 300)
        for prototype in prototypes_of(rows, labels).numpy():
            assert (rows == prototype).all(axis=1).sum() not in range(1, 20)


def test_prototypes_depend_on_the_seed_only():
    rows, labels = np.random.default_rng(0).normal(size=(3_000, 3)), np.arange(3_000) % 2
    state = np.random.get_state()[1].copy(), torch.get_rng_state()
    first = prototypes_of(rows, labels)
    assert torch.equal(first, prototypes_of(rows, labels))
    assert not torch.equal(first, prototypes_of(rows, labels, seed=1))
    assert len(first) > 32
    assert np.array_equal(np.random.get_state()[1], state[0])
    assert torch.equal(torch.get_rng_state(), state[1])
