"""One update for all parameters of a module at once, on flat buffers."""

import math

import torch
from torch.optim.adamw import adamw


class FlatUpdate:
    """The update of an optimizer, with the gradients of all parameters in one buffer.

    Each gradient is a view of the buffer, so that one sum tells whether all of them are finite.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    """

    def __init__(self, optimizer):
        self.optimizer = optimizer
        self.parameters = [
            parameter for group in optimizer.param_groups for parameter in group["params"]
        ]
        self.gradients, views = _flat([torch.zeros_like(part) for part in self.parameters])
        for parameter, view in zip(self.parameters, views, strict=True):
            parameter.grad = view

    @classmethod
    def of(cls, optimizer):
        """Return the update of an optimizer, the faster one if the optimizer permits it."""
        return (FlatAdamW if FlatAdamW.accepts(optimizer) else FlatUpdate)(optimizer)

    def is_finite(self):
        """Return whether all gradients are finite."""
        return math.isfinite(self.gradients.sum().item())

    def step(self):
        """Update the parameters."""
        self.optimizer.step()

    def finish(self):
        """Write back what the optimizer keeps apart from the buffers."""


class FlatAdamW(FlatUpdate):
    """The update of AdamW by one call for all parameters.

    The parameters and their moments become views of flat buffers, too. The decay of AdamW is apart
    from its moments, so that groups of parameters may differ in it.

    Parameters
    ----------
    optimizer : torch.optim.AdamW
    """

    def __init__(self, optimizer):
        super().__init__(optimizer)
        self._values, views = _flat([parameter.detach() for parameter in self.parameters])
        for parameter, view in zip(self.parameters, views, strict=True):
            parameter.data = view
        self._states = [self._state(parameter) for parameter in self.parameters]
        self._means = self._moments("exp_avg")
        self._squares = self._moments("exp_avg_sq")
        self._n_steps = self._states[0]["step"].clone()
        # The buffer is ordered by group.
        groups = optimizer.param_groups
        sizes = [sum(part.numel() for part in group["params"]) for group in groups]
        self._groups = list(zip(groups, self._values.split(sizes), strict=True))

    @staticmethod
    def accepts(optimizer):
        """Return whether one call can update all parameters of an optimizer."""
        if type(optimizer) is not torch.optim.AdamW:
            return False
        first, *others = optimizer.param_groups
        is_plain = not any(first[name] for name in ("amsgrad", "maximize", "differentiable"))
        shared = ("lr", "betas", "eps", "fused", "amsgrad", "maximize", "differentiable")
        return (
            first["fused"]
            and is_plain
            and all(group[name] == first[name] for group in others for name in shared)
            and len({float(state["step"]) for state in optimizer.state.values()}) <= 1
        )

    def step(self):
        """Update the parameters, as `optimizer` would do, up to rounding."""
        for group, values in self._groups:
            if group["weight_decay"]:
                values.mul_(1 - group["lr"] * group["weight_decay"])
        group = self._groups[0][0]
        beta1, beta2 = group["betas"]
        adamw(
            [self._values],
            [self.gradients],
            [self._means],
            [self._squares],
            [],
            [self._n_steps],
            fused=True,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=0.0,
            eps=group["eps"],
            maximize=False,
        )

    def finish(self):
        """Write the number of steps into the state of the optimizer."""
        for state in self._states:
            state["step"].copy_(self._n_steps)

    def _state(self, parameter):
        """Return the state of a parameter, which is that before the first step if there is none."""
        state = self.optimizer.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        return state

    def _moments(self, name):
        """Return the buffer of a moment, of which those of the parameters become views."""
        moments, views = _flat([state[name] for state in self._states])
        for state, view in zip(self._states, views, strict=True):
            state[name] = view
        return moments


def _flat(tensors):
    """Return the values of tensors in one buffer, and views of it that have their shapes."""
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    parts = flat.split([tensor.numel() for tensor in tensors])
    return flat, [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
