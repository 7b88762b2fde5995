import math

import numpy as np
import pytest
import torch
from skorch.history import History

from ctsk._training.records import Updates, record_means

LOSSES = torch.tensor([1.0, 3.0])
CLASSIFICATION, RIDGE = torch.tensor([0.5, 0.7]), torch.tensor([0.2, 0.4])


def recorded(updates):
    history = History()
    history.new_epoch()
    record_means(history, "train", updates)
    return history[-1]


def test_terms_of_an_epoch_are_means_over_rows_and_over_tuples():
    terms = {"classification": CLASSIFICATION, "ridge": RIDGE}
    epoch = recorded(Updates(LOSSES, terms, n_rows=[140, 10], n_tuples=[2, 1]))
    assert epoch["train_loss"] == pytest.approx(np.average([1, 3], weights=[140, 10]))
    assert epoch["classification"] == pytest.approx(np.average([0.5, 0.7], weights=[140, 10]))
    assert epoch["ridge"] == pytest.approx(np.average([0.2, 0.4], weights=[2, 1]))
    assert math.isnan(epoch["divergence"])


def test_minibatches_without_tuples_do_not_enter_the_means_of_their_terms():
    steps = [
        (LOSSES[0], {"classification": CLASSIFICATION[0], "ridge": RIDGE[0]}, 140, 2),
        (LOSSES[1], {"classification": CLASSIFICATION[1]}, 10, 0),
    ]
    epoch = recorded(Updates.of_steps(steps))
    assert epoch["ridge"] == pytest.approx(0.2)
    assert epoch["classification"] == pytest.approx(np.average([0.5, 0.7], weights=[140, 10]))
