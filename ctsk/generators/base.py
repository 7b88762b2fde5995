"""The search for counterfactuals: one loop, hooks to fill in."""

import copy
import itertools
import math
from abc import ABCMeta, abstractmethod
from dataclasses import dataclass
from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from torch.nn.functional import cross_entropy

from ctsk._columns.one_hot import OneHotGroups
from ctsk._torch.energy import energy
from ctsk.generators.penalties import nearness
from ctsk.generators.result import Record

NON_NEGATIVE = Interval(Real, 0, None, closed="left")


@dataclass(frozen=True)
class Reference:
    """What a generator may learn from: observed rows, in module units.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
    labels : LongTensor of shape (n_rows,)
        Classes, as columns of the logits.
    n_classes : int
    groups : OneHotGroups
        Which columns are a category each.
    random : torch.Generator
        The only source of chance; a CPU generator.
    """

    rows: torch.Tensor
    labels: torch.Tensor
    n_classes: int
    groups: OneHotGroups
    random: torch.Generator


@dataclass(frozen=True)
class Step:
    """What a penalty may look at: a step of a search, for the rows still searching.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
        The states; gradients are taken with respect to them. A category is a group
        of columns that sum to one.
    factuals : Tensor of shape (n_rows, n_columns)
    targets : LongTensor of shape (n_rows,)
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
    targets: torch.Tensor
    energies: torch.Tensor
    costs: torch.Tensor
    t: int
    T: int


class BaseGenerator(BaseEstimator, metaclass=ABCMeta):
    r"""Gradient search for counterfactuals, to subclass.

    A subclass fills in hooks; the loop stays. It stores a `step_size` among its
    parameters, and says by

    - `penalty` what a search pays besides the cross-entropy of the target (the
      only hook that it needs);
    - `learn` what it learns from observed rows before any search;
    - `encode` and `decode` in which space it searches, if not among the rows.

    :func:`~ctsk.generators.check_generator` tests a subclass against this contract.

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
    the batch, so that an easy batch is cheap. What pushes a row away from other ways
    out for the same factual, where several are asked for, is added to the penalty.

    With codes, what descends is the code :math:`z`, and
    :math:`x' = \Pi(\mathrm{decode}(z))` is what it decodes to, brought into the box as
    above; the model is asked of the factual itself before the first step. The
    gradient of :math:`x'` passes :math:`\Pi` unchanged, except where the box holds a
    feature back: a code is not driven by what the feature cannot follow, but a
    feature that was clamped may come back. So constraints hold in a latent search,
    too, and the code moves along the decoder by what is free to move.
    """

    _parameter_constraints = {"step_size": [Interval(Real, 0, None, closed="neither")]}

    @property
    def must_learn(self):
        """Whether `learn` has to see rows before a search: by default, if there is one."""
        return type(self).learn is not BaseGenerator.learn

    def learn(self, reference):
        """Learn from observed rows; called once, before any search.

        Parameters
        ----------
        reference : Reference

        Returns
        -------
        self : BaseGenerator
            With what it has learnt in attributes whose names end in ``_``, tensors and
            modules among them not inside containers: so they move with the device.
        """
        return self

    def encode(self, rows):
        """Return the codes in which the search goes on; None searches the rows themselves.

        Parameters
        ----------
        rows : Tensor of shape (n_rows, n_columns)
            The factuals.

        Returns
        -------
        codes : Tensor of shape (n_rows, n_codes) or None
            The same for the same rows: no draws here.
        """
        return None

    def decode(self, codes):
        """Return the rows of some codes; gradients are taken through it.

        Parameters
        ----------
        codes : Tensor of shape (n_rows, n_codes)

        Returns
        -------
        rows : Tensor of shape (n_rows, n_columns)
            They need not lie in any box.
        """
        raise NotImplementedError(f"{type(self).__name__} has encode, and needs decode.")

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

    def __getstate__(self):
        """Store what was learnt so that it can be loaded on any machine."""
        return _on("cpu", super().__getstate__())

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
        ways=None,
        push=0.0,
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
        ways : Tensor of shape (n_rows, n_ways, n_columns), default=None
            What was found before for the same factuals, to keep away from.
        push : float, default=0.0
            How much, besides the penalty, a row pays for being near to its `ways`.
        return_path : bool, default=False
            Whether to record every state.

        Returns
        -------
        result : SearchResult
        """
        self._validate_params()
        vars(self).update(_on(factuals.device, vars(self)))
        limit = -math.log(tau)
        record = Record(factuals, T, epsilon, return_path)
        searching = torch.arange(len(factuals), device=factuals.device)
        with torch.no_grad():
            codes = self.encode(factuals)
        states = factuals.detach().clone()
        batch = searching, codes, states, factuals, targets, box.lower, box.upper, ways

        for t in range(T + 1):
            searching, codes, states, factuals, targets, lower, upper, ways = batch
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
                step = Step(states, factuals, targets, energies, costs, t + 1, T)
                losses = cross_entropies + self._checked_penalty(step)
                if ways is not None:
                    losses = losses + push * nearness(states, ways, box.groups)
            (gradients,) = torch.autograd.grad(losses.sum(), states)
            bounds = lower, upper, box.groups
            codes, states = self._move(codes, states.detach(), gradients, *bounds)
            batch = searching, codes, states, factuals, targets, lower, upper, ways
            if some_done:
                batch = _select(batch, ~done)
            record.advance(batch[0], batch[2], batch[3], t + 1)
        return record.result()

    def _checked_penalty(self, step):
        penalties = self.penalty(step)
        if getattr(penalties, "shape", None) != step.energies.shape:
            shape = getattr(penalties, "shape", None)
            said = type(penalties).__name__ if shape is None else f"shape {tuple(shape)}"
            raise ValueError(
                f"penalty of {type(self).__name__} returned {said} for {len(step.rows)} rows; it "
                f"has to return one number per row, of shape {tuple(step.energies.shape)}."
            )
        return penalties

    def _move(self, codes, states, gradients, lower, upper, groups):
        """Take one gradient step, of the states or of their codes."""
        if codes is None:
            return None, descend(states, gradients, self.step_size, lower, upper, groups)
        gradients = groups.relative(gradients, states)
        free = gradients.masked_fill(held_back(states, gradients, lower, upper), 0)
        codes = codes.detach().requires_grad_()
        with torch.enable_grad():
            decoded = self.decode(codes)
        (slopes,) = torch.autograd.grad(decoded, codes, free)
        codes = _finite(codes.detach() - self.step_size * slopes, codes.detach())
        with torch.no_grad():
            decoded = self.decode(codes)
        return codes, _confined(_finite(decoded, states), lower, upper, groups)


def _on(device, attributes):
    """Return attributes of which the tensors and modules that were learnt are on a device."""
    moved = dict(attributes)
    for name, value in attributes.items():
        if isinstance(value, torch.Tensor) and name.endswith("_"):
            moved[name] = value.to(device)
        elif isinstance(value, torch.nn.Module) and name.endswith("_"):
            held = itertools.chain(value.parameters(), value.buffers())
            if any(tensor.device != torch.device(device) for tensor in held):
                moved[name] = copy.deepcopy(value).to(device)
    return moved


def _hardened(model, states, targets, groups):
    """States with one category each, as they would be handed over, and their cross-entropies."""
    states = groups.harden(states)
    with torch.no_grad():
        return states, cross_entropy(model(states), targets, reduction="none")


def _select(tensors, rows):
    positions = rows.nonzero()[:, 0]
    return tuple(
        None if tensor is None else tensor.index_select(0, positions) for tensor in tensors
    )


def descend(states, gradients, step_size, lower, upper, groups):
    """Take one gradient step inside the box; a coordinate that overflows stays."""
    return _confined(_finite(states - step_size * gradients, states), lower, upper, groups)


def held_back(states, gradients, lower, upper):
    """Where the box keeps a descent from going further."""
    return ((gradients < 0) & (states >= upper)) | ((gradients > 0) & (states <= lower))


def _finite(moved, states):
    return moved if moved.sum().isfinite() else torch.where(moved.isfinite(), moved, states)


def _confined(rows, lower, upper, groups):
    """Bring rows into their box: the simplex over what may be reached, and the bounds."""
    return torch.clamp(groups.project(rows, upper), lower, upper)
