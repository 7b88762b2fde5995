"""One update for all parameters of a module at once, on flat buffers."""

import math

import torch

# Bytes to which tensors are aligned by torch. Products of matrices are rounded in an order that
# depends on the alignment; in a buffer without it, a fit that is resumed would not have equal bits.
_ALIGNMENT = 64


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
        self.gradients, self._views = _flat([torch.zeros_like(part) for part in self.parameters])
        for parameter, view in zip(self.parameters, self._views, strict=True):
            parameter.grad = view

    @classmethod
    def of(cls, optimizer):
        """Return the update of an optimizer, the faster one if the optimizer permits it."""
        return (FlatAdamW if FlatAdamW.accepts(optimizer) else FlatUpdate)(optimizer)

    def collect(self):
        """Copy gradients that are no longer views of the buffer, such as those of a callback."""
        for parameter, view in zip(self.parameters, self._views, strict=True):
            if parameter.grad is not view:
                view.copy_(parameter.grad)
                parameter.grad = view

    def clip(self, max_norm):
        """Shorten the gradients as a whole if their Euclidean norm exceeds a number."""
        norm = torch.linalg.vector_norm(self.gradients)
        # The quotient is infinite without a gradient, and NaN stays NaN.
        self.gradients.mul_((max_norm / norm).clamp(max=1))

    def is_finite(self):
        """Return whether all gradients are finite."""
        return math.isfinite(self.gradients.sum().item())

    def step(self):
        """Update the parameters."""
        self.optimizer.step()

    def finish(self):
        """Write back what the optimizer keeps apart from the buffers."""


class FlatAdamW(FlatUpdate):
    r"""The update of AdamW for all parameters at once.

    The parameters and their moments become views of flat buffers, too.

    Parameters
    ----------
    optimizer : torch.optim.AdamW

    Notes
    -----
    With the gradient :math:`g`, the update number :math:`t` is [1]_

    .. math::

        m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \qquad
        \theta \leftarrow (1 - \eta \lambda) \theta
        - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    The decay :math:`\lambda` does not enter the moments, so that groups of parameters can differ
    in it.

    References
    ----------
    .. [1] Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    def __init__(self, optimizer):
        super().__init__(optimizer)
        self._values, views = _flat([parameter.detach() for parameter in self.parameters])
        for parameter, view in zip(self.parameters, views, strict=True):
            parameter.data = view
        self._states = [self._state(parameter) for parameter in self.parameters]
        self._means = self._moments("exp_avg")
        self._squares = self._moments("exp_avg_sq")
        self._scales = torch.empty_like(self._squares)
        self._n_steps = int(self._states[0]["step"])
        # The buffer is ordered by group.
        groups = optimizer.param_groups
        sizes = [sum(map(_padded, group["params"])) for group in groups]
        self._groups = list(zip(groups, self._values.split(sizes), strict=True))

    @staticmethod
    def accepts(optimizer):
        """Return whether one call can update all parameters of an optimizer."""
        # A schedule of torch wraps `step` to count its calls, and a callback may register hooks.
        hooks = (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks)
        is_watched = "step" in vars(optimizer) or any(hooks)
        if type(optimizer) is not torch.optim.AdamW or is_watched:
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
        """Update the parameters."""
        for group, values in self._groups:
            if group["weight_decay"]:
                values.mul_(1 - group["lr"] * group["weight_decay"])
        group = self._groups[0][0]
        beta1, beta2 = group["betas"]
        self._n_steps += 1
        self._means.lerp_(self.gradients, 1 - beta1)
        self._squares.mul_(beta2).addcmul_(self.gradients, self.gradients, value=1 - beta2)
        # Numerator and denominator are multiplied by the correction of the second moment.
        correction = math.sqrt(1 - beta2**self._n_steps)
        torch.sqrt(self._squares, out=self._scales).add_(correction * group["eps"])
        rate = correction * group["lr"] / (1 - beta1**self._n_steps)
        # torch rejects finite numbers that are infinite in the precision of the weights.
        rate = rate if rate < torch.finfo(self._values.dtype).max else math.inf
        self._values.addcdiv_(self._means, self._scales, value=-rate)

    def finish(self):
        """Write the number of steps into the state of the optimizer."""
        for state in self._states:
            state["step"].fill_(self._n_steps)

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


def _padded(tensor):
    """Return the number of elements of a buffer that a tensor takes."""
    n_aligned = _ALIGNMENT // tensor.element_size()
    return -(-tensor.numel() // n_aligned) * n_aligned


def _flat(tensors):
    """Return the values of tensors in one buffer, with gaps of zeros, and views of these values."""
    sizes = [_padded(tensor) for tensor in tensors]
    flat = tensors[0].new_zeros(sum(sizes))
    views = [
        part[: tensor.numel()].view(tensor.shape)
        for part, tensor in zip(flat.split(sizes), tensors, strict=True)
    ]
    for view, tensor in zip(views, tensors, strict=True):
        view.copy_(tensor)
    return flat, views
