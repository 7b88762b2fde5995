"""Recourse-aware training."""

import torch
from torch.nn.functional import cross_entropy

from rivals.base import RivalClassifier


class RecourseAwareClassifier(RivalClassifier):
    r"""Recourse-aware training (Ross, Lakkaraju and Bastani, NeurIPS 2021).

    Every row should have an action within a budget that leads to the favorable class. The budget
    and the weight are those of the authors' code, which also compares smaller weights. The authors
    let an action leave the domain and weight the classes by their inverse frequencies; here, an
    action remains within the box of the row, categories stay on their simplex, and all rows have
    the same weight.

    Parameters
    ----------
    favorable : label, default=None
        Class to which recourse leads. None is the last class.
    weight : float, default=1.0
        Weight of the loss of the rows after their actions.
    budget : float, default=0.75
        Largest change of each feature, in module units.
    **parameters : dict
        Parameters of the base class.

    Notes
    -----
    The loss is :math:`\mathrm{CE}(M(x), y) + \lambda \overline{\mathrm{CE}(M(x + \delta), y^+)}`
    with the favorable class :math:`y^+` and
    :math:`\delta = -\Delta \, \mathrm{sign} \nabla_x \mathrm{CE}(M(x), y^+)` on mutable features,
    which minimizes the linear approximation of the second term within the budget :math:`\Delta`.
    Actions are constants of the loss.
    """

    def __init__(self, *, favorable=None, weight=1.0, budget=0.75, **parameters):
        super().__init__(**parameters)
        self.favorable, self.weight, self.budget = favorable, weight, budget

    def loss(self, module, rows, labels, idx):
        """Return the cross-entropy, and that of the favorable class after each row's action."""
        classes = self.classes_.tolist()
        position = classes.index(classes[-1] if self.favorable is None else self.favorable)
        favorable = torch.full_like(labels, position)
        moved = self.actions(module, rows, favorable)
        return cross_entropy(module(rows), labels) + self.weight * cross_entropy(
            module(moved), favorable
        )

    def actions(self, module, rows, favorable):
        """Return each row after the action that the linear approximation of its loss recommends."""
        start = rows.detach().requires_grad_()
        losses = cross_entropy(module(start), favorable, reduction="sum")
        (slopes,) = torch.autograd.grad(losses, start)
        # The sign solves the linear program, because the budget of each feature is its own.
        moved = rows - self.budget * slopes.sign()
        box = self.net_.constraints.box(rows)
        # Only reachable categories share the weight of a group.
        moved = self.encoder_.groups.project(moved, box.upper)
        numbers = slice(self.encoder_.groups.n_numeric)
        moved[:, numbers] = moved[:, numbers].clamp(box.lower[:, numbers], box.upper[:, numbers])
        return moved
