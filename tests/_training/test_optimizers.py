import functools

import pytest
import torch

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
