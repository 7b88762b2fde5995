"""CounterNet, against its formulas."""

import numpy as np
import pytest
import rivals
import torch


@pytest.fixture(scope="module")
def fitted(table):
    settings = {"max_epochs": 3, "batch_size": 30, "random_state": 0}
    return rivals.CounterNetClassifier(weights=(0.9, 0.5, 0.3), **settings).fit(*table)


@pytest.fixture(scope="module")
def batch(fitted, table):
    X, y = table
    return torch.as_tensor(fitted.encoder_.encode(X), dtype=torch.float32), torch.as_tensor(y)


def test_losses_are_squared_errors_of_labels_opposite_labels_and_rows(fitted, batch, probabilities):
    rows, labels = batch
    module = fitted.net_.module_
    with torch.no_grad():
        shares, generated = module(rows).numpy(), module.generate(rows)
        generated_shares = module(generated).numpy()
    shares, generated_shares = probabilities(shares), probabilities(generated_shares)
    first = 0.9 * ((shares - np.eye(2)[labels]) ** 2).mean()
    opposite = 1 - shares.argmax(axis=1)
    second = 0.5 * ((generated_shares - np.eye(2)[opposite]) ** 2).mean()
    second += 0.3 * ((generated.numpy() - rows.numpy()) ** 2).mean()
    assert fitted.prediction_loss(module, *batch).item() == pytest.approx(first, rel=1e-5)
    assert fitted.generation_loss(module, *batch).item() == pytest.approx(second, rel=1e-5)


def test_each_step_changes_its_own_part_alone(fitted, batch):
    module = fitted.net_.module_
    generator = list(module.generator.parameters())
    of_generator = {id(weights) for weights in generator}
    predictor = [weights for weights in module.parameters() if id(weights) not in of_generator]
    first, second = fitted.optimizer_of(module)
    for optimizer, loss, changed, kept in (
        (first, fitted.prediction_loss, predictor, generator),
        (second, fitted.generation_loss, generator, predictor),
    ):
        before = [[weights.detach().clone() for weights in part] for part in (changed, kept)]
        module.zero_grad()
        loss(module, *batch).backward()
        optimizer.step()
        assert not all(map(torch.equal, changed, before[0]))
        assert all(map(torch.equal, kept, before[1]))


def test_generated_rows_hold_one_category_and_reach_the_other_class(table):
    X, y = table
    settings = {"max_epochs": 100, "batch_size": 30, "random_state": 0}
    clf = rivals.CounterNetClassifier(**settings).fit(X, y)
    generated = clf.generate(X)
    assert generated.shape == clf.encoder_.encode(X).shape
    assert (np.sort(generated[:, 2:], axis=1) == [0, 1]).all()
    with torch.no_grad():
        predictions = clf.net_.module_(torch.as_tensor(generated)).argmax(dim=1).numpy()
    assert (predictions != clf.predict(X)).mean() > 0.8
