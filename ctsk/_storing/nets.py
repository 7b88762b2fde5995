"""Nets of skorch as plain values: architecture, weights, settings, history and chance."""

import copy

import numpy as np
import torch

from ctsk._storing.generators import array_of, tensor_of, weight_shapes
from ctsk._storing.values import require
from ctsk._torch.networks import ACTIVATIONS, MLP, Dropout, _Linear
from ctsk._training.callbacks import BestEpoch, ProgressLine, users_callbacks
from ctsk._training.fit import initialized_net
from ctsk._training.objective import Objective
from ctsk._training.optimizers import OPTIMIZERS, CosineSchedule

# Settings of a net that are numbers or None.
SETTINGS = (
    "tau",
    "T",
    "epsilon",
    "n_counterfactuals",
    "n_conventional_epochs",
    "batch_size",
    "max_epochs",
    "patience",
    "lr",
)
WEIGHTS = ("lambda_div", "lambda_adv", "lambda_reg", "label_smoothing")
_NAMES = {layer: name for name, layer in ACTIVATIONS.items()}
_DEFAULT = "relu"
# What the optimizers that are given by name keep of each weight.
_ENTRIES = {"adam": {"step", "exp_avg", "exp_avg_sq"}, "sgd": {"momentum_buffer"}}


def net_state(net):
    """Return a fitted net as plain values.

    Parameters
    ----------
    net : CounterfactualNet

    Returns
    -------
    state : dict
        ``"architecture"`` is None for a module of a user, and ``"optimizer"`` for an optimizer
        of a user. The entries of ``"resume"`` matter to further training only.
    """
    objective, schedule = net.objective, net.schedule
    class_weight = objective.class_weight
    return {
        "device": str(net.device),
        "architecture": architecture_of(net.module_),
        "weights": {name: array_of(tensor) for name, tensor in net.module_.state_dict().items()},
        "frozen": [name for name, w in net.module_.named_parameters() if not w.requires_grad],
        "optimizer": _optimizer_name(net),
        "weight_decay": _number(getattr(net, "optimizer__weight_decay", 0.0)),
        "settings": {name: _number(getattr(net, name)) for name in SETTINGS},
        "objective": {name: _number(getattr(objective, name)) for name in WEIGHTS},
        "class_weight": None if class_weight is None else array_of(class_weight),
        "schedule": None if schedule is None else (schedule.first_epoch, schedule.n_epochs),
        "shows_progress": any(type(callback) is ProgressLine for _, callback in net.callbacks_),
        # Records of minibatches are deleted after a fit.
        "history": [{k: v for k, v in epoch.items() if k != "batches"} for epoch in net.history],
        "resume": {
            "random": array_of(net.random.get_state()),
            "optimizer": mapped(net.optimizer_.state_dict(), torch.Tensor, array_of),
        },
    }


def users_parts(net):
    """Return the objects of a user that are parts of a net, by name.

    The module is a copy on the CPU. A later training of the net does not change it, and any
    machine loads it.
    """
    parts = {}
    if architecture_of(net.module_) is None:
        parts["module"] = copy.deepcopy(net.module_).cpu()
    if _optimizer_name(net) is None:
        parts["optimizer"] = net.optimizer
    callbacks = users_callbacks(net)
    if callbacks:
        parts["callbacks"] = callbacks
    return parts


def net_of(state, *, n_columns, n_classes, device, parts, constraints, costs, generator):
    """Return the net whose plain values are given by `net_state`.

    Parameters
    ----------
    state : dict
        Without a state of the optimizer, training starts with a new one.
    n_columns, n_classes : int
        Numbers of inputs and outputs of the module.
    device : torch.device
    parts : dict
        Objects of a user; see `users_parts`. The weights of a module are replaced, unless
        those of the state are None.
    constraints : Constraints
        In module units, on the device.
    costs : Tensor of shape (n_columns,)
    generator : BaseGenerator

    Returns
    -------
    net : CounterfactualNet
    """
    random = torch.Generator("cpu")
    module = _module_of(state, parts.get("module"), n_columns, n_classes, random)
    objective, schedule = state["objective"], state["schedule"]
    class_weight = state["class_weight"]
    net = initialized_net(
        module,
        optimizer=state["optimizer"] or parts["optimizer"],
        weight_decay=state["weight_decay"],
        callbacks=[
            *parts.get("new_callbacks", []),
            BestEpoch(),
            *([ProgressLine()] if state["shows_progress"] else []),
        ],
        n_classes=n_classes,
        device=device,
        random=random,
        objective=Objective(
            **objective,
            class_weight=None if class_weight is None else tensor_of(class_weight).to(device),
        ),
        schedule=None if schedule is None else CosineSchedule(*schedule),
        constraints=constraints,
        costs=costs,
        generator=generator,
        is_held_out=None,
        sample_weight=None,
        checkpoint=None,
        **state["settings"],
    )
    # Callbacks of a user are initialized already, which would delete what they have recorded.
    net.callbacks[:0] = net.callbacks_[:0] = parts.get("callbacks", [])
    restore_history(net, state["history"])
    # The initial weights were drawn from the same generator, so that its state comes last.
    random.set_state(tensor_of(state["resume"]["random"]))
    if state["resume"]["optimizer"] is not None:
        net.optimizer_.load_state_dict(mapped(state["resume"]["optimizer"], np.ndarray, tensor_of))
    net._set_training(False)
    return net


def _module_of(state, module, n_columns, n_classes, random):
    """Return the module of a user, or a new perceptron, with the weights of a state."""
    if module is None:
        module = MLP(n_columns, n_classes, generator=random, **state["architecture"])
    if state["weights"] is not None:
        module.load_state_dict({name: tensor_of(w) for name, w in state["weights"].items()})
    for name, weights in module.named_parameters():
        weights.requires_grad_(name not in state["frozen"])
    return module


def other_weights(module, weights):
    """Return the names of weights that differ from those of a module in name, shape or dtype."""
    built = {name: (tuple(t.shape), array_of(t).dtype) for name, t in module.state_dict().items()}
    stored = {name: (values.shape, values.dtype) for name, values in weights.items()}
    names = built.keys() | stored.keys()
    return sorted(name for name in names if built.get(name) != stored.get(name))


def restore_history(net, epochs):
    """Replace the history of a net by records of epochs."""
    net.history[:] = [{"batches": [], **epoch} for epoch in epochs]


def resume_optimizer(net, state):
    """Load the state of an optimizer that comes from a file.

    Parameters
    ----------
    net : CounterfactualNet
        Has a new optimizer.
    state : dict
        As the optimizer's `state_dict` returns it, with arrays in place of tensors.

    Raises
    ------
    ModelFileError
        If it is not the state of such an optimizer.
    """
    groups = net.optimizer_.state_dict()["param_groups"]
    require(len(groups) == len(state["param_groups"]), "the groups of the optimizer are others")
    merged = []
    for group, stored in zip(groups, state["param_groups"], strict=True):
        is_known = isinstance(stored, dict) and stored.keys() <= group.keys()
        require(is_known and stored.get("params") == group["params"], "the optimizer is another")
        for name, value in stored.items():
            is_alike = type(value) is type(group[name])
            # Switches of the algorithm are no numbers that training changes.
            is_equal = not isinstance(value, bool | str | None) or value == group[name]
            require(is_alike and is_equal, f"{name} of the optimizer is invalid")
        # Other versions of torch may know further settings.
        merged.append({**group, **stored})
    weights = [w for group in net.optimizer_.param_groups for w in group["params"]]
    positions = [position for group in groups for position in group["params"]]
    shapes = {p: tuple(w.shape) for p, w in zip(positions, weights, strict=True)}
    known = _ENTRIES.get(_optimizer_name(net))
    for position, entries in state["state"].items():
        require(position in shapes, "the optimizer has other weights")
        require(
            known is None or entries.keys() == known, "the state of the optimizer is incomplete"
        )
        for name, value in entries.items():
            # Except for the number of steps, arrays are shaped like the weight. Other optimizers
            # keep one number for some or all axes, too.
            expected = () if name == "step" else shapes[position]
            is_alike = not isinstance(value, np.ndarray) or (
                (value.shape == expected or (known is None and _fits(value.shape, expected)))
                and value.dtype == np.float32
            )
            is_array = known is None or isinstance(value, np.ndarray)
            require(is_alike and is_array, f"{name} of the optimizer has another shape")
    state = {"state": mapped(state["state"], np.ndarray, tensor_of), "param_groups": merged}
    net.optimizer_.load_state_dict(state)


def _fits(shape, target):
    """Return whether a shape is that of an array that broadcasts to a target."""
    # Missing axes come first.
    padded = (1,) * (len(target) - len(shape)) + shape
    return len(padded) == len(target) and all(
        n in (1, size) for n, size in zip(padded, target, strict=True)
    )


def architecture_of(module):
    """Return the settings that build a multilayer perceptron; None for any other module.

    A perceptron that a user has changed, for example by pruning it, is another module.
    """
    if type(module) is not MLP:
        return None
    linear = [layer for layer in module if type(layer) is _Linear]
    others = [layer for layer in module if type(layer) is not _Linear]
    names = {_NAMES.get(type(layer)) for layer in others if type(layer) is not Dropout}
    dropouts = {layer.p for layer in others if type(layer) is Dropout}
    if None in names or len(names) > 1 or len(dropouts) > 1:
        return None
    architecture = {
        "hidden_layer_sizes": tuple(layer.out_features for layer in linear[:-1]),
        # A linear model has no layer that would show its activation function.
        "activation": next(iter(names), _DEFAULT),
        "dropout": next(iter(dropouts), 0.0),
    }
    sizes = [linear[0].in_features, *architecture["hidden_layer_sizes"], linear[-1].out_features]
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    return architecture if shapes == weight_shapes(sizes, architecture["dropout"]) else None


def _optimizer_name(net):
    """Return the name of the optimizer of a net; None for that of a user."""
    # Only an optimizer that was given by name is fused by us: a user may pass the same class.
    if not hasattr(net, "optimizer__fused"):
        return None
    return next(name for name, optimizer in OPTIMIZERS.items() if optimizer is net.optimizer)


def _number(value):
    """Return a number of NumPy, as a search over settings passes it, as one of Python."""
    return value.item() if isinstance(value, np.generic) else value


def mapped(value, kind, function):
    """Return nested dicts, lists and tuples in which all objects of a kind are replaced."""
    if isinstance(value, kind):
        return function(value)
    if isinstance(value, dict):
        return {key: mapped(part, kind, function) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(mapped(part, kind, function) for part in value)
    return value
