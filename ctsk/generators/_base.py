"""The search for counterfactuals: one loop, a penalty to fill in."""

import math
from abc import ABCMeta, abstractmethod
from dataclasses import dataclass
from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from torch.nn.functional import cross_entropy

from ctsk._energy import energy

NON_NEGATIVE = Interval(Real, 0, None, closed="left")


@dataclass(frozen=True)
class SearchResult:
    """What a search found, row by row, in module units.

    Parameters
    ----------
    counterfactuals : Tensor of shape (n_rows, n_columns)
        The state in which each search stopped.
    mature : BoolTensor of shape (n_rows,)
        Whether it stopped because the target reached ``tau``.
    n_iter : LongTensor of shape (n_rows,)
        The steps it took.
    nascent : Tensor of shape (n_rows, n_columns) or None
        The last state on each path that is less than ``epsilon`` away from the
        factual in every feature; None where no ``epsilon`` was given.
    refused : BoolTensor of shape (n_rows,)
        Whether the last state had reached ``tau``, but was turned down.
    path : Tensor of shape (n_rows, T + 1, n_columns) or None
        All states, the factual first; a finished search stays where it is.
        None unless it was asked for.
    """

    counterfactuals: torch.Tensor
    mature: torch.Tensor
    n_iter: torch.Tensor
    nascent: torch.Tensor | None
    refused: torch.Tensor
    path: torch.Tensor | None


@dataclass(frozen=True)
class Step:
    """What a penalty may look at: a step of a search, for the rows still searching.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
        The states; gradients are taken with respect to them. A category is a group
        of columns that sum to one.
    factuals : Tensor of shape (n_rows, n_columns)
    energies : Tensor of shape (n_rows,)
        Energy of each state with respect to its target.
    costs : Tensor of shape (n_columns,)
        What a unit of each column costs.
    t : int
        The step, from 1.
    T : int
        The largest number of steps.
    """

    rows: torch.Tensor
    factuals: torch.Tensor
    energies: torch.Tensor
    costs: torch.Tensor
    t: int
    T: int


class BaseGenerator(BaseEstimator, metaclass=ABCMeta):
    r"""Gradient search for counterfactuals, to subclass.

    A subclass says by its `penalty` what a search pays besides the
    cross-entropy of the target, and stores a `step_size`.

    Notes
    -----
    Each row descends
    :math:`\mathrm{CE}(M(x'), y^+) + \mathrm{penalty}(x')`
    by plain gradient steps, clamped to its box after every step. The columns of
    a category go to the nearest point of the simplex over those that may be
    reached; the step itself is projected, because a clamp before would hand weight
    to categories that the gradient does not favour. A row stops as soon as
    :math:`S(M(x'))_{y^+} \ge \tau`, asked of the state with every category
    hardened to its largest weight, and of the factual first; finished rows leave
    the batch, so that an easy batch is cheap.
    """

    _parameter_constraints = {"step_size": [Interval(Real, 0, None, closed="neither")]}

    @abstractmethod
    def penalty(self, step):
        """Return what each row pays at a step, besides the cross-entropy.

        Parameters
        ----------
        step : Step

        Returns
        -------
        penalties : Tensor of shape (n_rows,)
        """

    def generate(
        self,
        model,
        factuals,
        targets,
        box,
        *,
        costs,
        tau,
        T,
        epsilon=None,
        accept=None,
        return_path=False,
    ):
        """Search a counterfactual for every factual, as one batch.

        Parameters
        ----------
        model : callable
            From rows (n_rows, n_columns) to logits (n_rows, n_classes).
        factuals : Tensor of shape (n_rows, n_columns)
            In module units.
        targets : LongTensor of shape (n_rows,)
            The class to reach, as a column of the logits.
        box : Box
            Bounds of each row; the factuals lie inside.
        costs : Tensor of shape (n_columns,)
            What a unit of each column costs.
        tau : float
            Probability of the target at which a search stops.
        T : int
            The largest number of steps.
        epsilon : float, default=None
            Radius of the ball (maximum norm) in which nascent counterfactuals
            are recorded; None records none.
        accept : callable, default=None
            Second opinion on rows that have reached `tau`: called with their
            states and their positions in `factuals`, it returns a bool Tensor.
            A row that is turned down goes on searching.
        return_path : bool, default=False
            Whether to record every state.

        Returns
        -------
        result : SearchResult
        """
        self._validate_params()
        limit = -math.log(tau)
        record = _Record(factuals, T, epsilon, return_path)
        searching = torch.arange(len(factuals), device=factuals.device)
        batch = searching, factuals.detach().clone(), factuals, targets, box.lower, box.upper

        for t in range(T + 1):
            searching, states, factuals, targets, lower, upper = batch
            states.requires_grad_()
            with torch.enable_grad():
                logits = model(states)
                cross_entropies = cross_entropy(logits, targets, reduction="none")
            judged, judged_entropies = states.detach(), cross_entropies.detach()
            if len(box.groups):
                judged, judged_entropies = _hardened(model, judged, targets, box.groups)
            done = reached = judged_entropies <= limit
            some_done = bool(done.any())
            if some_done:
                if accept is not None:
                    done = reached.clone()
                    done[reached] = accept(judged[reached], searching[reached])
                record.mature(searching[done], judged[done], t)
            if t == T or done.all():
                record.stop(searching, judged, reached & ~done)
                break
            with torch.enable_grad():
                energies = energy(logits, targets)
                step = Step(states, factuals, energies, costs, t + 1, T)
                losses = cross_entropies + self.penalty(step)
            (gradients,) = torch.autograd.grad(losses.sum(), states)
            states = descend(states.detach(), gradients, self.step_size, lower, upper, box.groups)
            batch = searching, states, factuals, targets, lower, upper
            if some_done:
                batch = _select(batch, ~done)
            record.advance(batch[0], batch[1], batch[2], t + 1)
        return record.result()


def _hardened(model, states, targets, groups):
    """States with one category each, as they would be handed over, and their cross-entropies."""
    states = groups.harden(states)
    with torch.no_grad():
        return states, cross_entropy(model(states), targets, reduction="none")


def _select(tensors, rows):
    positions = rows.nonzero()[:, 0]
    return tuple(tensor.index_select(0, positions) for tensor in tensors)


def descend(states, gradients, step_size, lower, upper, groups):
    """Take one gradient step inside the box; a coordinate that overflows stays."""
    moved = states - step_size * gradients
    if not moved.sum().isfinite():
        moved = torch.where(moved.isfinite(), moved, states)
    return torch.clamp(groups.project(moved, upper), lower, upper)


class _Record:
    """What is written down about every row while its search goes on."""

    def __init__(self, factuals, T, epsilon, return_path):
        self.found = factuals.clone()
        self.is_mature = torch.zeros(len(factuals), dtype=torch.bool, device=factuals.device)
        self.refused = torch.zeros_like(self.is_mature)
        self.n_iter = torch.full(self.is_mature.shape, T, device=factuals.device)
        self.epsilon = epsilon
        self.nascent = None if epsilon is None else factuals.clone()
        self.path = factuals[:, None].repeat(1, T + 1, 1) if return_path else None

    def advance(self, rows, states, factuals, t):
        """Write down the states of `rows` after `t` steps."""
        if self.nascent is not None:
            outside = (states - factuals).abs_() >= self.epsilon
            # A sum of floats is several times faster than any() or amax() along rows.
            inside = (outside.to(states.dtype).sum(dim=1) == 0).nonzero()[:, 0]
            self.nascent[rows.index_select(0, inside)] = states.index_select(0, inside)
        if self.path is not None:
            self.path[rows, t:] = states[:, None]

    def mature(self, rows, states, t):
        """Write down where the searches of `rows` ended at maturity, after `t` steps."""
        self.found[rows] = states
        self.is_mature[rows] = True
        self.n_iter[rows] = t

    def stop(self, rows, states, refused):
        """Write down where the searches of `rows` ended for good."""
        self.found[rows] = states
        self.refused[rows] = refused

    def result(self):
        """Return the record as a value."""
        return SearchResult(
            self.found, self.is_mature, self.n_iter, self.nascent, self.refused, self.path
        )
