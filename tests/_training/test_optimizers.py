import copy
import functools
import math

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from ctsk import CounterfactualTrainedClassifier


def plain_sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr=lr)


@pytest.mark.parametrize(
    "optimizer",
    [
        torch.optim.AdamW,
        torch.optim.RMSprop,
        functools.partial(torch.optim.AdamW, weight_decay=0.1),
        plain_sgd,
    ],
    ids=["AdamW", "RMSprop", "partial", "function"],
)
def test_optimizers_of_plain_steps_train(iris, optimizer):
    clf = CounterfactualTrainedClassifier(optimizer=optimizer, max_epochs=1, random_state=0)
    assert clf.fit(*iris).n_iter_ == 1


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (torch.optim.LBFGS, "optimizer=LBFGS .*closure.*torch.optim.AdamW"),
        (functools.partial(torch.optim.LBFGS, max_iter=3), "optimizer=LBFGS .*closure"),
        (torch.optim.SparseAdam, "optimizer=SparseAdam .*sparse gradients.*AdamW"),
        (lambda parameters: None, "optimizer=.* fails .*lr.*functools.partial"),
        (lambda parameters, lr: None, "optimizer must build .*not a NoneType"),
        (functools.partial(torch.optim.SGD, decay=0.1), "optimizer=.*decay.*functools.partial"),
    ],
    ids=["LBFGS", "partial LBFGS", "SparseAdam", "without lr", "None", "unknown argument"],
)
def test_optimizer_that_cannot_train_is_a_value_error_with_a_remedy(iris, optimizer, message):
    clf = CounterfactualTrainedClassifier(optimizer=optimizer, random_state=0)
    with pytest.raises(ValueError, match=message):
        clf.fit(*iris)
    assert not hasattr(clf, "net_")


class Rates(Callback):
    """Keeps the learning rate of each epoch."""

    def __init__(self):
        self.rates = []

    def on_epoch_end(self, net, **kwargs):
        self.rates.append(net.optimizer_.param_groups[0]["lr"])


@pytest.mark.parametrize("warm_start", [False, True], ids=["fresh", "warm start"])
def test_cosine_schedule_lowers_the_learning_rate_over_the_epochs_of_each_fit(iris, warm_start):
    rates = Rates()
    clf = CounterfactualTrainedClassifier(
        lr=0.01, lr_schedule="cosine", max_epochs=4, callbacks=[rates], random_state=0
    ).fit(*iris)
    expected = [0.01 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    if warm_start:
        clf.set_params(warm_start=True, max_epochs=2).fit(*iris)
        expected += [0.01, 0.005]
    np.testing.assert_allclose(rates.rates, expected, rtol=1e-12)


def test_constant_schedule_leaves_the_learning_rate_to_callbacks(iris):
    class Halving(Callback):
        def on_epoch_begin(self, net, **kwargs):
            for group in net.optimizer_.param_groups:
                group["lr"] /= 2

    rates = Rates()
    CounterfactualTrainedClassifier(
        lr=0.01, max_epochs=3, callbacks=[Halving(), rates], random_state=0
    ).fit(*iris)
    np.testing.assert_allclose(rates.rates, [0.005, 0.0025, 0.00125])


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_weight_decay_shrinks_the_weights_and_not_the_biases(iris, optimizer):
    """With one minibatch, the gradients of the first step do not depend on the decay."""
    parameters = {"optimizer": optimizer, "lr": 0.01, "max_epochs": 1, "batch_size": 150}
    clf = CounterfactualTrainedClassifier(
        **parameters, early_stopping=False, weight_decay=0, random_state=0
    )

    class Start(Callback):
        def on_train_begin(self, net, **kwargs):
            self.weights = copy.deepcopy(net.module_.state_dict())

    start = Start()
    plain = clf.set_params(callbacks=[start]).fit(*iris).net_.module_.state_dict()
    decayed = clf.set_params(weight_decay=0.5).fit(*iris).net_.module_.state_dict()
    for name, weights in plain.items():
        shrinkage = 0.01 * 0.5 * start.weights[name] if name.endswith("weight") else 0.0
        torch.testing.assert_close(decayed[name], weights - shrinkage, rtol=1e-5, atol=1e-6)
