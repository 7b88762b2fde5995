from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctsk._torch.networks import ACTIVATIONS, MLP
from ctsk._training.learners import AutogradLearner, ClosedFormLearner, learner_of
from ctsk._training.objective import TERMS, Objective
from ctsk._training.sampling import CounterfactualBatch, Minibatches, TrainingRows

N_FEATURES = 3


def rows_of(rng, n, n_classes, has_weights):
    weights = torch.tensor(rng.uniform(0.2, 3, size=n)) if has_weights else None
    return TrainingRows(
        torch.tensor(rng.normal(size=(n, N_FEATURES))),
        torch.tensor(rng.integers(0, n_classes, size=n)),
        n_classes,
        torch.Generator().manual_seed(0),
        weights,
    )


def tuples_of(rng, n, n_classes, has_weights):
    exemplars, counterfactuals, nascent = torch.tensor(rng.normal(size=(3, n, N_FEATURES)))
    targets, labels = torch.tensor(rng.integers(0, n_classes, size=(2, n)))
    weights = torch.tensor(rng.uniform(0.2, 3, size=n)) if has_weights else None
    return CounterfactualBatch(targets, exemplars, counterfactuals, nascent, labels, weights)


def net_of(objective, n_classes, sizes, activation):
    module = MLP(
        N_FEATURES,
        n_classes,
        hidden_layer_sizes=sizes,
        activation=activation,
        generator=torch.Generator().manual_seed(0),
    ).double()
    return SimpleNamespace(
        objective=objective,
        classes=range(n_classes),
        module_=module,
        optimizer_=torch.optim.SGD(module.parameters(), lr=0.1),
        batch_size=8,
    )


def course(Learner, net, rows, tuples):
    """Return the gradients and losses of all minibatches, the updates, and the weights after."""
    rows.generator.manual_seed(0)
    learner = Learner(net, Minibatches(rows, net.batch_size, shuffle=True), tuples)
    gradients, outcomes, is_updated = [], [], []
    for X, _ in learner.minibatches():
        learner.compute_gradients()
        gradients.append(torch.cat([p.grad.flatten() for p in net.module_.parameters()]))
        outcomes.append(learner.outcome(len(X)))
        is_updated.append(learner.update())
    weights = torch.cat([p.detach().flatten() for p in net.module_.parameters()])
    losses = torch.stack([outcome["loss"] for outcome in outcomes])
    logits = torch.cat([outcome["y_pred"].detach() for outcome in outcomes])
    return torch.stack(gradients), losses, logits, learner.updates(is_updated), weights


LAMBDA = st.sampled_from([0.0, 0.3, 2.0])


@given(
    seed=st.integers(0, 1000),
    n_rows=st.integers(2, 30),
    n_tuples=st.integers(0, 9),
    n_classes=st.integers(2, 4),
    sizes=st.lists(st.integers(1, 5), max_size=3),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    lambdas=st.tuples(LAMBDA, LAMBDA, LAMBDA),
    smoothing=st.sampled_from([0.0, 0.2]),
    has_class_weight=st.booleans(),
    has_weights=st.booleans(),
)
def test_epochs_in_closed_form_agree_with_autograd(
    seed, n_rows, n_tuples, n_classes, sizes, activation, lambdas, smoothing, has_class_weight,
    has_weights,
):  # fmt: skip
    rng = np.random.default_rng(seed)
    class_weight = torch.tensor(rng.uniform(0.5, 2, n_classes)) if has_class_weight else None
    objective = Objective(*lambdas, class_weight, smoothing)
    rows = rows_of(rng, n_rows, n_classes, has_weights)
    tuples = tuples_of(rng, n_tuples, n_classes, has_weights) if n_tuples else None
    if objective.is_conventional:
        tuples = None
    closed, auto = (
        course(Learner, net_of(objective, n_classes, sizes, activation), rows, tuples)
        for Learner in (ClosedFormLearner, AutogradLearner)
    )
    for ours, theirs in zip((*closed[:3], closed[4]), (*auto[:3], auto[4]), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    (ours, theirs) = closed[3], auto[3]
    assert (ours.n_rows, ours.n_tuples) == (theirs.n_rows, theirs.n_tuples)
    assert ours.terms.keys() == theirs.terms.keys()
    torch.testing.assert_close(ours.losses, theirs.losses, rtol=1e-12, atol=1e-12)
    for name in ours.terms:
        torch.testing.assert_close(ours.terms[name], theirs.terms[name], rtol=1e-12, atol=1e-12)


def test_terms_equal_the_formula_of_the_objective():
    rng = np.random.default_rng(0)
    objective = Objective(0.5, 0.25, 0.1)
    net, rows = net_of(objective, 2, (), "relu"), rows_of(rng, 8, 2, has_weights=False)
    tuples = tuples_of(rng, 8, 2, has_weights=False)
    W, b = (parameter.detach().numpy() for parameter in net.module_.parameters())
    updates = course(ClosedFormLearner, net, rows, tuples)[3]

    W, b = (p.detach().numpy() for p in net_of(objective, 2, (), "relu").module_.parameters())
    positions = np.arange(8)

    def logits(part):
        return part.numpy() @ W.T + b

    def entropy(part, labels):
        z = logits(part)
        return np.mean(np.log(np.exp(z).sum(axis=1)) - z[positions, labels.numpy()])

    plus, minus = (
        -logits(part)[positions, tuples.targets.numpy()]
        for part in (tuples.exemplars, tuples.counterfactuals)
    )
    expected = {
        "classification": entropy(rows.X, rows.y),
        "divergence": np.mean(plus - minus),
        "adversarial": entropy(tuples.nascent, tuples.labels),
        "ridge": np.mean(plus**2 + minus**2),
    }
    assert tuple(expected) == TERMS
    for name, value in expected.items():
        assert updates.terms[name].item() == pytest.approx(value, rel=1e-10)


def test_an_update_with_an_infinite_gradient_is_skipped_and_not_recorded():
    rng = np.random.default_rng(0)
    net, rows = net_of(Objective(0, 0, 0), 2, (3,), "relu"), rows_of(rng, 16, 2, False)
    rows.X[5] = torch.inf
    gradients, _, _, updates, weights = course(ClosedFormLearner, net, rows, None)
    is_finite = gradients.isfinite().all(dim=1)
    assert is_finite.sum() == 1 and updates.n_rows == [8]
    assert weights.isfinite().all() and updates.losses.isfinite().all()


def test_frozen_parameters_are_left_to_torch():
    net = net_of(Objective(0, 0, 0), 2, (3,), "relu")
    rows = rows_of(np.random.default_rng(0), 16, 2, False)
    minibatches = Minibatches(rows, 8, shuffle=True)
    assert isinstance(learner_of(net, minibatches, None), ClosedFormLearner)
    net.module_[0].weight.requires_grad_(False)
    assert isinstance(learner_of(net, minibatches, None), AutogradLearner)


@pytest.mark.parametrize("name", ["register_hook", "register_post_accumulate_grad_hook"])
def test_gradients_that_a_hook_changes_are_left_to_torch(name):
    net = net_of(Objective(0, 0, 0), 2, (3,), "relu")
    rows = rows_of(np.random.default_rng(0), 16, 2, False)
    getattr(net.module_[0].weight, name)(lambda gradient: None)
    assert isinstance(learner_of(net, Minibatches(rows, 8, shuffle=True), None), AutogradLearner)
