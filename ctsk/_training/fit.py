"""From the parameters of an estimator to a trained net."""

import contextlib
from functools import partial
from numbers import Integral

import numpy as np
import torch
from sklearn.utils import compute_class_weight

from ctsk._torch.networks import MLP, check_layers
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import (
    check_device,
    default_torch_modes,
    forked_random_state,
    make_generator,
)
from ctsk._training.callbacks import (
    BestEpoch,
    ProgressLine,
    check_callbacks,
    monitors_held_out_rows,
)
from ctsk._training.held_out import held_out_rows
from ctsk._training.module import build_module
from ctsk._training.net import CounterfactualNet
from ctsk._training.objective import Objective
from ctsk._training.optimizers import OPTIMIZERS, WITHOUT_DECAY, CosineSchedule
from ctsk._training.safeguards import (
    restoring_on_failure,
    warn_of_interruption,
    warn_of_training,
)
from ctsk.generators import NearestGenerator, Reference
from ctsk.generators.result import rows_at_once
from ctsk.generators.shortcuts import learn_alike, new_generator

# The fewest training rows on which early_stopping="auto" holds rows out.
LEAST_ROWS_TO_STOP = 100


def train(estimator, net, values, labels, weights, *, epochs=None, checkpoint=None):
    """Train a net with the parameters of an estimator.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Must have `classes_`, `encoder_`, `constraints_` and `feature_costs_`.
    net : CounterfactualNet or None
        The net whose training continues; None builds a new one.
    values : ndarray of shape (n_rows, n_features)
        See `Schema.read`.
    labels : ndarray of shape (n_rows,)
        As positions in `classes_`.
    weights : ndarray of shape (n_rows,) or None
        Positive weights of the rows, with a mean of 1.
    epochs : int or None, default=None
        Number of epochs of a call of `partial_fit`, which has neither a burn-in nor early
        stopping nor a schedule of the learning rate. None trains as the estimator states.
    checkpoint : FitCheckpoint or None, default=None
        Where the state is stored after each epoch, and from which the training goes on.

    Returns
    -------
    net : CounterfactualNet
        If training fails, a net that was passed in is left as it was.
    explainer : NearestGenerator
        The generator that searches by default in ``explain``, which has learned. It is that
        of the estimator if the training continues.

    Raises
    ------
    ValueError
        If a parameter is invalid.
    NonFiniteLossError
        If training diverges.
    """
    with default_torch_modes(), contextlib.ExitStack() as random_state:
        # A net that is continued keeps its device and its source of random numbers.
        random = make_generator(estimator.random_state) if net is None else net.random
        device = check_device(estimator.device) if net is None else net.device
        encoded = estimator.encoder_.encode_values(values).astype(np.float32)
        stops = epochs is None and _stops_early(estimator, len(labels))
        is_held_out = _held_out(estimator, labels, random, stops)
        labels = torch.as_tensor(labels, device=device)
        # Each generator draws from a stream of its own, which starts anew. What is held out is
        # hidden from generators, too.
        trained = slice(None) if is_held_out is None else ~is_held_out
        reference = partial(
            _reference,
            estimator,
            torch.as_tensor(encoded[trained], device=device),
            labels[trained],
            random,
        )
        generator = _generator(estimator, net, reference)
        explainer = _explainer(estimator, net, reference)

        # Initial weights and dropout of a user's module draw from the global random state;
        # ours do not, so that fits without a user's module run at once in several threads.
        if estimator.module is not None:
            random_state.enter_context(forked_random_state(random, device))
        n_before = 0 if net is None else len(net.history)
        settings = _settings(estimator, labels, len(labels[trained]), device)
        if weights is not None:
            weights = torch.as_tensor(weights, dtype=torch.float32, device=device)
        settings |= {
            "generator": generator,
            "is_held_out": is_held_out,
            "sample_weight": weights,
            "checkpoint": checkpoint,
            # Held-out rows that only a callback of the user monitors do not stop the training.
            "patience": estimator.n_iter_no_change if stops else None,
            **_course(estimator, n_before, epochs),
        }
        if net is None:
            net = _new_net(estimator, encoded, random, device, settings)

        # The largest batch that passes through the module decides the number of threads.
        at_once = rows_at_once(estimator.encoder_.groups, torch.device(device))
        n_searched = min(settings["n_counterfactuals"], len(labels[trained]), at_once)
        n_rows = max(settings["batch_size"], n_searched)
        with one_thread_if_small(net.module_, n_rows), restoring_on_failure(net):
            if n_before:
                net.set_params(**settings)
            if estimator.lr != net.lr:
                # Unlike the other settings, it must reach the optimizer, which is slow.
                net.set_params(lr=estimator.lr)
            net.partial_fit(encoded, labels, epochs=settings["max_epochs"])
            # skorch ends silently on Ctrl-C.
            if net.is_interrupted_:
                _drop_unfinished_epoch(net, n_before)
            elif checkpoint is not None:
                checkpoint.finish(net)
            # This stacklevel points the warning to the user's call of fit or partial_fit.
            warn_of_training(net, len(net.history) - n_before, stacklevel=5)
            net.is_held_out = net.sample_weight = net.checkpoint = None

    # Records of single minibatches would dominate the memory of long trainings.
    for epoch in net.history:
        epoch["batches"].clear()
    return net, explainer


def _course(estimator, n_before, epochs):
    """Return the settings of a net that depend on the number of epochs.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
    n_before : int
        Number of epochs that the net has trained.
    epochs : int or None
        See `train`.
    """
    is_fit = epochs is None
    # The net reads the number of epochs from a parameter of its method, but callbacks read this.
    max_epochs = estimator.max_epochs if is_fit else epochs
    is_scheduled = is_fit and estimator.lr_schedule == "cosine"
    n_burned_in = round(estimator.burn_in * max_epochs) if is_fit else 0
    return {
        "max_epochs": max_epochs,
        "n_conventional_epochs": n_before + n_burned_in,
        "schedule": CosineSchedule(n_before, max_epochs) if is_scheduled else None,
    }


def _stops_early(estimator, n_rows):
    """Return whether a fit holds out rows and stops when their loss does not improve."""
    if estimator.early_stopping == "auto":
        return n_rows >= LEAST_ROWS_TO_STOP
    return estimator.early_stopping


def _held_out(estimator, labels, random, stops):
    """Return the mask of the rows to hold out, or None."""
    if not (stops or monitors_held_out_rows(check_callbacks(estimator.callbacks))):
        return None
    # The seed depends on the net's first seed alone, so that a warm start on the same rows holds
    # out the same ones.
    is_held_out = held_out_rows(
        labels, estimator.validation_fraction, np.random.default_rng(random.initial_seed())
    )
    if not is_held_out.any():
        raise ValueError(
            f"No row can be held out for validation: validation_fraction="
            f"{estimator.validation_fraction} of each class is less than one row, or a class has "
            "only one. Pass more rows, raise validation_fraction, or set early_stopping=False and "
            "let no callback monitor held-out rows."
        )
    return is_held_out


def _drop_unfinished_epoch(net, n_before):
    """Keep the last finished epoch of an interrupted training."""
    n_finished = net.n_finished_ - n_before
    if not n_finished:
        # Nothing is finished, so that the estimator is left as it was.
        raise KeyboardInterrupt
    del net.history[net.n_finished_ :]
    warn_of_interruption(n_finished, net.max_epochs, stacklevel=6)


def _settings(estimator, labels, n_rows, device):
    """Return the parameters of a net that may differ between calls of `train`.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
    labels : LongTensor
        Of all rows.
    n_rows : int
        Number of rows that are not held out.
    device : str or torch.device
    """
    encoder = estimator.encoder_
    costs = encoder.relative_costs(estimator.feature_costs_, estimator.constraints_)
    n_counterfactuals = estimator.n_counterfactuals
    if not isinstance(n_counterfactuals, Integral):
        n_counterfactuals = max(1, round(n_counterfactuals * n_rows))
    # A hundred updates per epoch, unless the batches become too small or too large for that.
    batch_size = estimator.batch_size
    if batch_size == "auto":
        batch_size = int(np.clip(n_rows // 100, 32, 1000))
    return {
        "objective": Objective(
            estimator.lambda_div,
            estimator.lambda_adv,
            estimator.lambda_reg,
            _class_weight(estimator, labels, device),
            estimator.label_smoothing,
        ),
        "constraints": encoder.encode_constraints(estimator.constraints_).to_tensors(
            dtype=torch.float32, device=device
        ),
        "costs": torch.as_tensor(costs, dtype=torch.float32, device=device),
        "tau": estimator.tau,
        "T": estimator.T,
        "epsilon": estimator.epsilon,
        "n_counterfactuals": n_counterfactuals,
        "batch_size": batch_size,
    }


def _new_net(estimator, encoded, random, device, settings):
    """Return an initialized net."""
    n_classes = len(estimator.classes_)
    callbacks = [*check_callbacks(estimator.callbacks), BestEpoch()]
    if estimator.verbose:
        callbacks.append(ProgressLine())
    if estimator.module is None:
        module = MLP(
            encoded.shape[1],
            n_classes,
            hidden_layer_sizes=check_layers(estimator.hidden_layer_sizes),
            activation=estimator.activation,
            generator=random,
            dropout=estimator.dropout,
        )
    else:
        n_numeric = estimator.encoder_.groups.n_numeric
        module = build_module(estimator.module, encoded, n_classes, n_numeric)
    return initialized_net(
        module,
        optimizer=estimator.optimizer,
        weight_decay=estimator.weight_decay,
        callbacks=callbacks,
        n_classes=n_classes,
        device=device,
        random=random,
        lr=estimator.lr,
        **settings,
    )


def initialized_net(
    module, *, optimizer, weight_decay, callbacks, n_classes, device, random, **settings
):
    """Return an initialized net.

    Parameters
    ----------
    module : torch.nn.Module
    optimizer : {"adam", "sgd"} or callable
    weight_decay : float
        Decay of the weights, for an optimizer that is given by name.
    callbacks : list
    n_classes : int
    device : torch.device
    random : torch.Generator
        A CPU generator.
    **settings : dict
        The other parameters of `CounterfactualNet`.
    """
    arguments = {"optimizer": optimizer}
    if isinstance(optimizer, str):
        arguments = {
            "optimizer": OPTIMIZERS[optimizer],
            "optimizer__weight_decay": weight_decay,
            "optimizer__param_groups": WITHOUT_DECAY,
            # A fused step is faster, but users' optimizers may not know the parameter.
            "optimizer__fused": True,
        }
    return CounterfactualNet(
        module,
        # Only the objective is trained, but skorch applies softmax in predict_proba for this one.
        criterion=torch.nn.CrossEntropyLoss,
        callbacks=callbacks,
        train_split=None,
        device=device,
        verbose=0,
        random=random,
        classes=list(range(n_classes)),
        **arguments,
        **settings,
    ).initialize()


def _generator(estimator, net, reference):
    """Return the generator of a net; it learns again only if it would learn something else."""
    generator = new_generator(estimator.generator)
    if not generator.learns:
        return generator
    if net is not None and learn_alike(generator, net.generator):
        return generator.with_learned(net.generator)
    return generator._learned(reference())


def _explainer(estimator, net, reference):
    """Return the generator of explanations, which learns in the first fit only."""
    return NearestGenerator().learn(reference()) if net is None else estimator.explainer_


def _reference(estimator, encoded, labels, random):
    """Return the training rows from which generators learn."""
    return Reference(
        rows=encoded,
        labels=labels,
        n_classes=len(estimator.classes_),
        groups=estimator.encoder_.groups,
        # A separate stream of random numbers, so that the draws of the net do not depend on
        # how many numbers a generator draws.
        random=torch.Generator("cpu").manual_seed((random.initial_seed() + 1) % 2**63),
    )


def _class_weight(estimator, labels, device):
    """Return the weights of the classes as a tensor, or None."""
    class_weight, classes = estimator.class_weight, estimator.classes_
    if class_weight is None:
        return None
    try:
        weights = compute_class_weight(
            class_weight, classes=classes, y=classes[labels.cpu().numpy()]
        )
    except (ValueError, TypeError) as error:
        raise ValueError(
            "class_weight must be 'balanced', None, or a dict with a number for each class: "
            f"{error}"
        ) from error
    # Larger weights would be infinite in float32.
    is_valid = (weights >= 0) & (weights <= np.finfo(np.float32).max)
    if not is_valid.all():
        position = int(np.argmin(is_valid))
        raise ValueError(
            f"class_weight must hold finite, nonnegative numbers, but it is {weights[position]} "
            f"for class {classes.tolist()[position]!r}."
        )
    if not weights.any():
        raise ValueError("class_weight must be positive for at least one class; it is 0 for all.")
    return torch.as_tensor(weights, dtype=torch.float32, device=device)
