"""From an estimator's parameters to a trained net."""

import contextlib
from numbers import Integral

import numpy as np
import torch
from sklearn.utils import compute_class_weight

from ctsk._columns import validation
from ctsk._torch.networks import MLP, check_layers
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import forked_random_state, make_generator
from ctsk._training.net import (
    CounterfactualNet,
    ProgressLine,
    restoring_on_failure,
    warn_of_training,
)
from ctsk._training.objective import Objective
from ctsk.generators import Reference
from ctsk.generators.shortcuts import are_alike, new_generator

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


def train(estimator, net, values, labels, *, epochs, burn_in):
    """Train a net by an estimator's parameters.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        With `classes_`, `encoder_`, `constraints_` and `feature_costs_`.
    net : CounterfactualNet or None
        The net to go on with; None builds a new one.
    values : ndarray of shape (n_rows, n_features)
        See `Schema.read`.
    labels : ndarray of shape (n_rows,)
        As positions in `classes_`.
    epochs : int
    burn_in : float
        Share of the epochs that train conventionally first.

    Returns
    -------
    net : CounterfactualNet
        If training fails, a net that was handed in is as it was before.
    """
    random = make_generator(estimator.random_state) if net is None else net.random
    device = validation.check_device(estimator.device) if net is None else net.device
    own = estimator.module is None
    encoder = estimator.encoder_
    rows = encoder.encode_values(values).astype(np.float32)
    generator = _generator(estimator, net, rows, labels, random, device)
    with contextlib.nullcontext() if own else forked_random_state(random, device):
        n_before = 0 if net is None else len(net.history)
        settings = {
            "objective": _objective(estimator, labels, device),
            "generator": generator,
            "constraints": encoder.encode_constraints(estimator.constraints_).to_tensors(
                dtype=torch.float32, device=device
            ),
            "costs": torch.as_tensor(
                encoder.relative_costs(estimator.feature_costs_), dtype=torch.float32, device=device
            ),
            "tau": estimator.tau,
            "T": estimator.T,
            "epsilon": estimator.epsilon,
            "n_counterfactuals": _n_counterfactuals(estimator.n_counterfactuals, len(values)),
            "n_conventional_epochs": n_before + round(burn_in * epochs),
            "batch_size": _batch_size(estimator.batch_size, len(values)),
            "max_epochs": epochs,
        }
        if net is None:
            net = _new_net(estimator, rows, random, device, settings)
        n_rows = max(settings["batch_size"], min(settings["n_counterfactuals"], len(rows)))
        with one_thread_if_small(net.module_, n_rows), restoring_on_failure(net):
            if n_before:
                net.set_params(**settings)
            if estimator.lr != net.lr:
                net.set_params(lr=estimator.lr)
            net.partial_fit(rows, labels, epochs=epochs)
            if "train_loss" not in net.history[-1]:
                # skorch ends quietly at Ctrl-C; an epoch cut short is no model.
                raise KeyboardInterrupt
            warn_of_training(net, len(net.history) - n_before, stacklevel=5)
    for epoch in net.history:
        epoch["batches"].clear()
    return net


def _new_net(estimator, rows, random, device, settings):
    n_classes = len(estimator.classes_)
    if estimator.module is None:
        module = MLP(
            rows.shape[1],
            n_classes,
            hidden_layer_sizes=check_layers(estimator.hidden_layer_sizes),
            activation=estimator.activation,
            generator=random,
        )
    else:
        module = validation.build_module(estimator.module, rows[:2], n_classes)
    named = isinstance(estimator.optimizer, str)
    progress = [ProgressLine()] if estimator.verbose else []
    return CounterfactualNet(
        module,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=OPTIMIZERS[estimator.optimizer] if named else estimator.optimizer,
        lr=estimator.lr,
        callbacks=[*(estimator.callbacks or []), *progress],
        train_split=None,
        device=device,
        verbose=0,
        random=random,
        classes=list(range(n_classes)),
        **({"optimizer__fused": True} if named else {}),
        **settings,
    ).initialize()


def _generator(estimator, net, rows, labels, random, device):
    """Return the generator to search by; it learns once, unless it was changed."""
    generator = new_generator(estimator.generator)
    if net is not None and are_alike(generator, net.generator):
        return net.generator
    if not generator.must_learn:
        return generator
    reference = Reference(
        rows=torch.as_tensor(rows, device=device),
        labels=torch.as_tensor(labels, device=device),
        n_classes=len(estimator.classes_),
        groups=estimator.encoder_.groups,
        # A stream of its own: the net's draws stay what they are.
        random=torch.Generator().manual_seed((random.initial_seed() + 1) % 2**63),
    )
    return generator.learn(reference)


def _objective(estimator, labels, device):
    weights = None
    if estimator.class_weight is not None:
        classes = estimator.classes_
        weights = compute_class_weight(estimator.class_weight, classes=classes, y=classes[labels])
        if (weights < 0).any():
            raise ValueError(f"class_weight={estimator.class_weight!r} holds a negative weight.")
        weights = torch.as_tensor(weights, dtype=torch.float32, device=device)
    return Objective(estimator.lambda_div, estimator.lambda_adv, estimator.lambda_reg, weights)


def _n_counterfactuals(wanted, n_rows):
    return wanted if isinstance(wanted, Integral) else max(1, round(wanted * n_rows))


def _batch_size(wanted, n_rows):
    return int(np.clip(n_rows // 100, 32, 1000)) if wanted == "auto" else wanted
