"""Inputs of a generator's hooks: observed rows to learn from, and steps of a search."""

from dataclasses import dataclass

import torch

from ctsk._columns.one_hot import OneHotGroups


@dataclass(frozen=True)
class Reference:
    """Observed rows from which a generator may learn, in module units.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
    labels : LongTensor of shape (n_rows,)
        Classes, as columns of the logits.
    n_classes : int
    groups : OneHotGroups
        The one-hot columns of each categorical feature.
    random : torch.Generator
        The only permitted source of random numbers; a CPU generator.

    See Also
    --------
    Step : The input of a penalty.
    ctsk.BaseGenerator : Its method `learn` takes a reference.

    Examples
    --------
    >>> import torch
    >>> from ctsk import GradientGenerator
    >>> class Central(GradientGenerator):
    ...     def __init__(self, step_size=0.25):
    ...         self.step_size = step_size
    ...
    ...     def learn(self, reference):
    ...         classes = range(reference.n_classes)
    ...         means = [reference.rows[reference.labels == k].mean(dim=0) for k in classes]
    ...         self.centers_ = torch.stack(means)
    ...         return self
    ...
    ...     def penalty(self, step):
    ...         return 0.1 * (step.rows - self.centers_[step.targets]).abs().sum(dim=1)
    >>> Central().learns
    True
    """

    rows: torch.Tensor
    labels: torch.Tensor
    n_classes: int
    groups: OneHotGroups
    random: torch.Generator


@dataclass(frozen=True)
class Step:
    """One step of a search, for the rows that are still searching: the input of a penalty.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
        The states, with respect to which gradients are computed. A category is a group of
        columns that sum to one.
    factuals : Tensor of shape (n_rows, n_columns)
    targets : LongTensor of shape (n_rows,)
    energies : Tensor of shape (n_rows,)
        Energy of each state with respect to its target.
    costs : Tensor of shape (n_columns,) or (n_rows, n_columns)
        Cost of a unit of each column. It has one row for each state if the mutability of
        features differs between rows, so let it broadcast.
    t : int
        Number of the step, starting at 1.
    T : int
        Maximum number of steps.

    See Also
    --------
    Reference : Observed rows to learn from.
    ctsk.GradientGenerator : Its method `penalty` takes a step.

    Examples
    --------
    >>> import torch
    >>> from ctsk import GradientGenerator
    >>> from ctsk.generators import Step
    >>> class Cheap(GradientGenerator):
    ...     def __init__(self, step_size=0.25):
    ...         self.step_size = step_size
    ...
    ...     def penalty(self, step):
    ...         return 0.5 * ((step.rows - step.factuals).abs() * step.costs).sum(dim=1)
    >>> step = Step(
    ...     rows=torch.tensor([[1.0, 0.0]]),
    ...     factuals=torch.zeros(1, 2),
    ...     targets=torch.tensor([1]),
    ...     energies=torch.zeros(1),
    ...     costs=torch.tensor([3.0, 1.0]),
    ...     t=1,
    ...     T=30,
    ... )
    >>> Cheap().penalty(step)
    tensor([1.5000])
    """

    rows: torch.Tensor
    factuals: torch.Tensor
    targets: torch.Tensor
    energies: torch.Tensor
    costs: torch.Tensor
    t: int
    T: int
