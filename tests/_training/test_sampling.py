import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from ctsk._training.sampling import CounterfactualBatch, Minibatches, TrainingRows


def rows_of(labels, n_classes=3, seed=0, weights=None):
    y = torch.tensor(labels)
    X = torch.arange(len(y), dtype=torch.float32)[:, None]
    return TrainingRows(X, y, n_classes, torch.Generator().manual_seed(seed), weights)


def test_factuals_are_drawn_without_replacement():
    rows = rows_of([0, 1, 2] * 20)
    drawn = rows.draw_factuals(30).tolist()
    assert len(set(drawn)) == 30
    assert sorted(rows.draw_factuals(1000).tolist()) == list(range(60))


def test_targets_are_uniform_over_the_other_classes():
    rows = rows_of([0, 1, 2])
    predictions = torch.tensor([0, 1, 2] * 2000)
    positions, targets = rows.draw_targets(predictions)
    assert positions.tolist() == list(range(6000))
    assert not (targets == predictions).any()
    for label in range(3):
        counts = np.bincount(targets[predictions == label], minlength=3)
        assert chisquare(np.delete(counts, label)).pvalue > 1e-3


def test_class_without_training_rows_is_never_a_target():
    positions, targets = rows_of([0, 2, 2]).draw_targets(torch.tensor([0, 1, 2]))
    assert positions.tolist() == [0, 1, 2]
    assert 1 not in targets.tolist()


def test_rows_of_one_class_leave_predictions_of_it_without_target():
    positions, targets = rows_of([1, 1]).draw_targets(torch.tensor([1, 0, 1, 2]))
    assert positions.tolist() == [1, 3]
    assert targets.tolist() == [1, 1]
    assert [len(drawn) for drawn in rows_of([1]).draw_targets(torch.tensor([1]))] == [0, 0]


def test_exemplars_are_uniform_over_the_rows_of_the_target():
    labels = [2, 0, 1, 0, 2, 0]
    rows = rows_of(labels)
    targets = torch.tensor([0, 2] * 3000)
    drawn = rows.draw_exemplars(targets)[:, 0].long()
    assert torch.equal(torch.tensor(labels)[drawn], targets)
    for label, members in ((0, [1, 3, 5]), (2, [0, 4])):
        counts = np.bincount(drawn[targets == label], minlength=6)[members]
        assert chisquare(counts).pvalue > 1e-3


def test_exemplars_are_drawn_by_weight_within_the_target():
    labels, weights = [2, 0, 1, 0, 2, 0], torch.tensor([3.0, 1.0, 9.0, 2.0, 1.0, 5.0])
    rows = rows_of(labels, weights=weights)
    targets = torch.tensor([0, 2] * 3000)
    drawn = rows.draw_exemplars(targets)[:, 0].long()
    assert torch.equal(torch.tensor(labels)[drawn], targets)
    for label, members in ((0, [1, 3, 5]), (2, [0, 4])):
        counts = np.bincount(drawn[targets == label], minlength=6)[members]
        expected = weights.numpy()[members] / weights.numpy()[members].sum() * 3000
        assert chisquare(counts, expected).pvalue > 1e-3


def test_shuffling_keeps_rows_labels_and_weights_together():
    rows = rows_of(list(range(3)) * 10, weights=torch.arange(30.0) + 1)
    X, y, weights = rows.shuffled()
    assert sorted(X[:, 0].tolist()) == list(range(30))
    assert torch.equal(X[:, 0].long() % 3, y)
    assert torch.equal(X[:, 0] + 1, weights)


@pytest.mark.parametrize("shuffle", [False, True])
def test_minibatches_pair_rows_with_their_weights(shuffle):
    rows = rows_of([0, 1] * 5, n_classes=2, weights=torch.arange(10.0) + 1)
    batches = list(Minibatches(rows, 4, shuffle).weighted())
    assert [len(weights) for _, weights in batches] == [4, 4, 2]
    assert all(torch.equal(X[:, 0] + 1, weights) for (X, _), weights in batches)


@pytest.mark.parametrize(("n_tuples", "n_parts"), [(10, 4), (3, 5), (6, 3)])
def test_tuples_are_split_evenly_and_completely(n_tuples, n_parts):
    column = torch.arange(n_tuples)
    parts = CounterfactualBatch(column, column, column, None, column).split(n_parts)
    sizes = [0 if part is None else len(part.targets) for part in parts]
    assert len(parts) == n_parts
    assert all(part is None or len(part.targets) > 0 for part in parts)
    assert sum(sizes) == n_tuples
    assert max(sizes) - min(sizes) <= 1
    seen = torch.cat([part.labels for part in parts if part is not None])
    assert torch.equal(seen, column)
    assert all(part.nascent is None for part in parts if part is not None)


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "sizes"),
    [
        (6, 3, [3, 3]),
        (8, 3, [3, 3, 2]),
        (7, 3, [3, 4]),
        (1, 3, [1]),
        (3, 1, [1, 1, 1]),
        (4, 3, [4]),
        (2, 9, [2]),
    ],
)
def test_last_minibatch_of_one_row_joins_the_one_before(n_rows, batch_size, sizes):
    batches = Minibatches(rows_of([0] * n_rows), batch_size, shuffle=False)
    assert [len(X) for X, _ in batches] == sizes
    assert len(batches) == len(sizes)
    assert torch.cat([X for X, _ in batches])[:, 0].tolist() == list(range(n_rows))
