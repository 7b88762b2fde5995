from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from ctsk._training.objective import Objective
from ctsk._training.sampling import CounterfactualBatch

LAMBDAS = {"lambda_div": 0.5, "lambda_adv": 0.25, "lambda_reg": 0.1}


@pytest.fixture
def minibatch():
    rng = np.random.default_rng(0)
    X, exemplars, found, nascent = rng.normal(size=(4, 6, 3))
    y, targets, labels = rng.integers(0, 2, size=(3, 6))
    return X, y, exemplars, found, nascent, targets, labels


def tensors(minibatch):
    X, y, *rest = map(torch.tensor, minibatch)
    exemplars, found, nascent, targets, labels = rest
    return X, y, CounterfactualBatch(targets, exemplars, found, nascent, labels)


def cross_entropy_by_hand(W, b, X, y, weights=(1.0, 1.0)):
    """Mean weighted cross-entropy of a linear model, and its gradient in W and b."""
    logits = X @ W.T + b
    shifted = logits - logits.max(axis=1, keepdims=True)
    proba = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    weight = np.asarray(weights)[y]
    value = np.mean(-weight * np.log(proba[np.arange(len(y)), y]))
    residual = weight[:, None] * (proba - np.eye(2)[y]) / len(y)
    return value, residual.T @ X, residual.sum(axis=0)


def energy_by_hand(W, b, X, classes):
    """Energies of a linear model, and the gradient of each in W and b."""
    chosen = np.eye(2)[classes]
    energies = -((X @ W.T + b) * chosen).sum(axis=1)
    return energies, -chosen[:, :, None] * X[:, None, :], -chosen


def by_hand(linear, minibatch, weights=(1.0, 1.0)):
    """Value and gradient of every term."""
    W, b = linear.weight.detach().numpy(), linear.bias.detach().numpy()
    X, y, exemplars, found, nascent, targets, labels = minibatch
    plus, plus_W, plus_b = energy_by_hand(W, b, exemplars, targets)
    minus, minus_W, minus_b = energy_by_hand(W, b, found, targets)
    ridge_W = 2 * plus[:, None, None] * plus_W + 2 * minus[:, None, None] * minus_W
    ridge_b = 2 * plus[:, None] * plus_b + 2 * minus[:, None] * minus_b
    return {
        "classification": cross_entropy_by_hand(W, b, X, y, weights),
        "divergence": (
            (plus - minus).mean(),
            (plus_W - minus_W).mean(0),
            (plus_b - minus_b).mean(0),
        ),
        "adversarial": cross_entropy_by_hand(W, b, nascent, labels, weights),
        "ridge": ((plus**2 + minus**2).mean(), ridge_W.mean(0), ridge_b.mean(0)),
    }


@pytest.mark.parametrize("weights", [None, (0.5, 2.0)], ids=["unweighted", "class weights"])
@pytest.mark.parametrize("name", ["classification", "divergence", "adversarial", "ridge"])
def test_terms_and_gradients_equal_the_formula(linear, minibatch, name, weights):
    class_weight = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    terms, _ = Objective(**LAMBDAS, class_weight=class_weight).terms(linear, *tensors(minibatch))
    terms[name].backward()
    value, gradient_W, gradient_b = by_hand(linear, minibatch, weights or (1.0, 1.0))[name]
    assert terms[name].item() == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(linear.weight.grad, gradient_W, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(linear.bias.grad, gradient_b, rtol=1e-10, atol=1e-14)


def test_total_is_the_weighted_sum(linear, minibatch):
    objective = Objective(**LAMBDAS)
    terms, _ = objective.terms(linear, *tensors(minibatch))
    hand = {name: term[0] for name, term in by_hand(linear, minibatch).items()}
    expected = (
        hand["classification"]
        + 0.5 * hand["divergence"]
        + 0.25 * hand["adversarial"]
        + 0.1 * hand["ridge"]
    )
    assert objective.total(terms).item() == pytest.approx(expected, rel=1e-12)


def test_logits_are_those_of_the_data_alone(linear, minibatch):
    X, y, tuples = tensors(minibatch)
    _, logits = Objective(**LAMBDAS).terms(linear, X, y, tuples)
    torch.testing.assert_close(logits, linear(X))


def test_minibatch_without_tuples_has_the_classification_term_alone(linear, minibatch):
    X, y, _ = tensors(minibatch)
    terms, _ = Objective(**LAMBDAS).terms(linear, X, y, None)
    assert list(terms) == ["classification"]


@pytest.mark.parametrize(
    ("off", "left"),
    [
        (("lambda_div", "lambda_reg"), {"classification", "adversarial"}),
        (("lambda_adv",), {"classification", "divergence", "ridge"}),
        (("lambda_div", "lambda_adv", "lambda_reg"), {"classification"}),
        (("lambda_div", "lambda_adv"), {"classification", "ridge"}),
        (("lambda_reg", "lambda_adv"), {"classification", "divergence"}),
        (("lambda_div",), {"classification", "adversarial", "ridge"}),
        (("lambda_reg",), {"classification", "adversarial", "divergence"}),
    ],
    ids=["AR", "CD", "BL", "ridge", "divergence", "without divergence", "without ridge"],
)
def test_term_of_weight_zero_is_not_computed(linear, minibatch, off, left):
    objective = Objective(**{name: 0.0 if name in off else w for name, w in LAMBDAS.items()})
    terms, _ = objective.terms(linear, *tensors(minibatch))
    assert set(terms) == left
    for name, value in terms.items():
        assert value.item() == pytest.approx(by_hand(linear, minibatch)[name][0], rel=1e-12)


def test_label_smoothing_spreads_a_share_of_each_label_over_all_classes(minibatch):
    X, y, tuples = tensors(minibatch)
    linear = torch.nn.Linear(3, 2, dtype=torch.float64)
    logits = linear(X).detach().numpy()
    log_proba = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    labels = 0.9 * np.eye(2)[minibatch[1]] + 0.1 / 2
    terms, _ = Objective(**LAMBDAS, label_smoothing=0.1).terms(linear, X, y, tuples)
    plain, _ = Objective(**LAMBDAS).terms(linear, X, y, tuples)
    expected = -(labels * log_proba).sum(axis=1).mean()
    assert terms["classification"].item() == pytest.approx(expected, rel=1e-12)
    assert terms["adversarial"] == plain["adversarial"]


def test_weights_of_rows_multiply_their_losses_and_the_terms_of_their_counterfactuals(minibatch):
    """A weight of 2 on one row equals its repetition, up to the number in the mean."""
    X, y, tuples = tensors(minibatch)
    linear = torch.nn.Linear(3, 2, dtype=torch.float64)
    weights = torch.tensor([2.0, 1, 1, 1, 1, 1], dtype=torch.float64)
    weighted, _ = Objective(**LAMBDAS).terms(
        linear, X, y, replace(tuples, weights=weights), weights
    )
    repeated = {
        field.name: torch.cat([values, values[:1]])
        for field in fields(tuples)
        if (values := getattr(tuples, field.name)) is not None
    }
    expected, _ = Objective(**LAMBDAS).terms(
        linear, torch.cat([X, X[:1]]), torch.cat([y, y[:1]]), CounterfactualBatch(**repeated)
    )
    assert weighted.keys() == expected.keys()
    for name, term in weighted.items():
        assert term.item() == pytest.approx(expected[name].item() * 7 / 6, rel=1e-12)


class Pair(torch.nn.Module):
    """An ensemble of two linear models, which predicts by a third of one's logits."""

    def __init__(self):
        super().__init__()
        members = [torch.nn.Linear(3, 2, dtype=torch.float64) for _ in range(2)]
        self.members = torch.nn.ModuleList(members)

    def heads(self, X):
        return torch.stack([member(X) for member in self.members], dim=1)

    def forward(self, X):
        return self.members[0](X) / 3


def test_each_head_of_an_ensemble_is_trained_to_classify(minibatch):
    """The energies are those of the module itself."""
    pair = Pair()
    terms, _ = Objective(**LAMBDAS).terms(pair, *tensors(minibatch))
    heads = [by_hand(member, minibatch) for member in pair.members]
    for name in ("classification", "adversarial"):
        expected = np.mean([head[name][0] for head in heads])
        assert terms[name].item() == pytest.approx(expected, rel=1e-12)
    third = torch.nn.Linear(3, 2, dtype=torch.float64)
    third.load_state_dict({name: w / 3 for name, w in pair.members[0].state_dict().items()})
    for name in ("divergence", "ridge"):
        assert terms[name].item() == pytest.approx(by_hand(third, minibatch)[name][0], rel=1e-12)


@pytest.mark.parametrize("is_conventional", [False, True], ids=["CT", "BL"])
def test_weights_of_rows_and_classes_multiply_the_losses_of_all_heads(minibatch, is_conventional):
    X, y, tuples = tensors(minibatch)
    pair, weights = Pair(), torch.tensor([0.5, 2.0, 1, 0, 1, 3], dtype=torch.float64)
    objective = Objective(**LAMBDAS, class_weight=torch.tensor([1.0, 4.0], dtype=torch.float64))
    if is_conventional:
        objective = replace(objective, lambda_div=0.0, lambda_adv=0.0, lambda_reg=0.0)
    terms, logits = objective.terms(pair, X, y, tuples, weights)
    outputs = [member(X).log_softmax(dim=1).detach().numpy() for member in pair.members]
    losses = [-log_proba[np.arange(6), minibatch[1]] for log_proba in outputs]
    factors = weights.numpy() * np.array([1.0, 4.0])[minibatch[1]]
    expected = np.mean([factors * loss for loss in losses])
    assert terms["classification"].item() == pytest.approx(expected, rel=1e-12)
    assert logits.shape == (6, 2)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_held_out_row_counts_at_most_the_logarithm_of_a_thousand(is_weighted):
    logits = torch.tensor([[300.0, 0.0], [0.2, 0.7], [-1.0, 4.0]], dtype=torch.float64)
    y = torch.tensor([1, 0, 1])
    class_weight = torch.tensor([0.5, 2.0], dtype=torch.float64) if is_weighted else None
    weights = torch.tensor([0.3, 1.7, 1.0], dtype=torch.float64) if is_weighted else None
    shares = logits.numpy() - np.log(np.exp(logits.numpy()).sum(axis=1, keepdims=True))
    losses = np.minimum(-shares[[0, 1, 2], y.numpy()], np.log(1000))
    if is_weighted:
        losses = losses * class_weight.numpy()[y.numpy()] * weights.numpy()
    objective = Objective(0, 0, 0, class_weight, label_smoothing=0.3)
    found = objective.held_out_loss(logits, y, weights).item()
    assert found == pytest.approx(losses.mean(), rel=1e-12)
    assert losses[0] == pytest.approx(np.log(1000) * (0.6 if is_weighted else 1))
