"""Search by gradient descent: one loop with hooks for subclasses."""

import copy
import math
from abc import abstractmethod
from numbers import Real
from typing import ClassVar

import torch

from ctsk._closed_form.derivatives import derivatives_of
from ctsk._closed_form.softmax import log_softmax
from ctsk._columns.validation import Interval, StrOptions
from ctsk._torch.energy import energy
from ctsk.generators.base import BaseGenerator
from ctsk.generators.inputs import Step
from ctsk.generators.result import Batch, Record, rows_at_once
from ctsk.generators.slopes import (
    differentiated_penalty,
    entropies_of,
    entropy_slopes,
    push_slopes,
)
from ctsk.generators.steps import confine, finite, free, shortened

# Largest change of a column in one step of an explanation, in standard deviations. It is small
# relative to the width of a class, and the default of 300 steps can still cover 15 of them.
_STEP_OF_EXPLANATIONS = 0.05


class GradientGenerator(BaseGenerator):
    r"""Base class of generators that search for counterfactuals by gradient descent.

    A subclass stores a `step_size` among its parameters and implements hooks; the loop is
    the same for all subclasses. It may also have the parameter `max_step`, which is
    ``"auto"`` otherwise. The hooks are

    - `penalty`, which is added to the cross-entropy of the target (the only hook that is
      required);
    - `learn`, which learns from observed rows before any search;
    - `encode` and `decode`, which map rows to the space of the search and back, if the
      search does not take place among the rows themselves.

    :func:`~ctsk.generators.check_generator` tests a subclass against this contract.

    See Also
    --------
    BaseGenerator : Base class of searches of any kind.
    ctsk.generators.Step : The input of `penalty`.
    ctsk.generators.check_generator : Tests a subclass.

    Notes
    -----
    Each row descends
    :math:`\mathrm{CE}(M(x'), y^+) + \mathrm{penalty}(x')`
    by plain gradient steps and is clamped to its box after every step. A step of which a
    column would change by more than `max_step` is shortened as a whole, which keeps its
    direction; columns that the box holds back do not count. Without such a cap, a fixed step
    size times the slope of a steep model leaps past the decision boundary, and past the data
    of the target class, too. The columns of a category are projected on the simplex over the
    categories that can be reached. The step itself is projected without a clamp before it,
    because a clamp would give weight to categories that the gradient does not favor. The
    search of a row ends as soon as :math:`S(M(x'))_{y^+} \ge \tau`, evaluated with every
    category hardened to the one of largest weight, and with no number between its factual and
    its domain; the factual is evaluated first. Finished rows leave the batch, so that an easy
    batch is cheap. If several counterfactuals are requested for a factual, a term that pushes
    the row away from the earlier ones is added to the penalty.

    In a search among codes, the code :math:`z` descends, and
    :math:`x' = \Pi(\mathrm{decode}(z))` is the decoded row, brought into the box as above.
    Before the first step the model is evaluated at the factual itself. The gradient with
    respect to :math:`x'` passes :math:`\Pi` unchanged, except where the box holds a feature
    back: such a feature does not drive the code, but a clamped feature may still move back
    into the box. Therefore the constraints hold in a latent search as well, and the code
    follows the features that are free to move.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier, GradientGenerator
    >>> class Squared(GradientGenerator):
    ...     def __init__(self, step_size=0.25):
    ...         self.step_size = step_size
    ...
    ...     def penalty(self, step):
    ...         return 0.01 * (step.rows - step.factuals).square().sum(dim=1)
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> clf.explain(X[:3], target=1, generator=Squared()).valid
    array([ True,  True,  True])
    """

    _parameter_constraints: ClassVar[dict] = {
        "step_size": [Interval(Real, 0, None, closed="neither")],
        "max_step": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither"), None],
    }

    # Can be overridden by users, as a parameter or an attribute of the class.
    max_step = "auto"

    # Can be overridden by users, together with decode.
    def encode(self, rows):
        """Return the codes at which the search starts; None searches the rows themselves.

        Parameters
        ----------
        rows : Tensor of shape (n_rows, n_columns)
            The factuals.

        Returns
        -------
        codes : Tensor of shape (n_rows, n_codes) or None
            Equal rows must get equal codes; random numbers are not permitted.
        """
        return None

    # Can be overridden by users, together with encode.
    def decode(self, codes):
        """Return the rows of the given codes; must be differentiable.

        Parameters
        ----------
        codes : Tensor of shape (n_rows, n_codes)

        Returns
        -------
        rows : Tensor of shape (n_rows, n_columns)
            They may lie outside of their box.
        """
        raise NotImplementedError(
            f"{type(self).__name__} overrides encode, so it must override decode, too."
        )

    # Must be overridden by users.
    @abstractmethod
    def penalty(self, step):
        """Return the penalty of each row at a step, which is added to the cross-entropy.

        Parameters
        ----------
        step : Step

        Returns
        -------
        penalties : Tensor of shape (n_rows,)
        """

    def __init_subclass__(cls, **kwargs):
        """Let torch differentiate the penalty of a subclass."""
        super().__init_subclass__(**kwargs)
        # A class that overrides the penalty must not inherit the slopes of another penalty.
        if "penalty" in vars(cls) and "_penalty_slopes" not in vars(cls):
            cls._penalty_slopes = GradientGenerator._penalty_slopes

    def _penalty_slopes(self, step):
        """Return the slopes of the penalty with respect to the rows and to their energies.

        Classes of ctsk write them out.
        """
        return differentiated_penalty(self, step)

    def _validate_params(self):
        """Check the parameters, of which a subclass may have forgotten `step_size`."""
        if not hasattr(self, "step_size"):
            name = type(self).__name__
            raise TypeError(
                f"{name} has no step_size, the length of its steps. Store it among the parameters "
                f"of {name}: def __init__(self, step_size=0.25): self.step_size = step_size."
            )
        super()._validate_params()

    def search(
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
        earlier=None,
        push=0.0,
        sparse=False,
        max_changes=None,
        return_path=False,
    ):
        """Search for a counterfactual of each factual; see `BaseGenerator.search`."""
        self._validate_params()
        # The cross-entropy of a target is at most -log(tau) if its probability is at least tau.
        limit = -math.log(tau)
        record = Record(factuals, T, epsilon, return_path)
        first = self._first_batch(factuals, targets, box, costs, earlier if push else None)
        # Rows are searched independently, so they may be searched in parts.
        parts = first.parts(rows_at_once(box.groups, factuals.device), T)
        unfinished = Batch.concatenate(
            [
                self._descend(model, part, box, record, limit=limit, T=n, accept=accept, push=push)
                for part, n in parts
            ]
        )
        return record.result(unfinished.at_positions(unfinished.idx.argsort()))

    @torch.no_grad()
    def _descend(self, model, batch, box, record, *, limit, T, accept, push):
        """Search for the counterfactuals of a batch; record them, and return the immature rows."""
        derivatives = derivatives_of(model)
        # The model is evaluated once more than steps are taken: before the first one, too.
        for t in range(T + 1):
            # Evaluate the model at the states; the trace serves the gradient below.
            logits, trace = derivatives.forward(batch.states)
            log_proba = log_softmax(logits)
            entropies = entropies_of(log_proba, batch.targets)

            # Rows that have reached tau, and are accepted, are done.
            judged, has_reached, is_done = _judge(derivatives, batch, entropies, limit, accept)
            some_done = bool(is_done.any())
            if some_done:
                done = is_done.nonzero()[:, 0]
                record.mature(batch.idx.index_select(0, done), judged.index_select(0, done), t)
            if t == T or (some_done and len(done) == len(is_done)):
                record.stop(batch.idx, judged, has_reached & ~is_done, t)
                break

            # Move all rows, then drop those that are done: one selection costs less than a
            # second evaluation of the model for the others.
            slopes = self.slopes(batch, logits, log_proba, t + 1, T, box.groups, push)
            batch = self.move(batch, derivatives.row_gradients(trace, *slopes), box.groups)
            if some_done:
                batch = batch.select(~is_done)
            record.advance(batch, t + 1)
        # Unlike the recorded states, these keep relaxed categories, where gradients are taken.
        return batch.select(~is_done)

    def slopes(self, batch, logits, log_proba, t, T, groups, push=0.0):
        """Return the slopes of the loss: cross-entropy, penalty, and push.

        Parameters
        ----------
        batch : Batch
        logits, log_proba : Tensor of shape (n_rows, n_classes)
            Output of the module for the states of the batch, and its log-softmax.
        t, T : int
            Number of the step, starting at 1, and the maximum number of steps.
        groups : OneHotGroups
        push : float, default=0.0
            See `search`.

        Returns
        -------
        of_logits : Tensor of shape (n_rows, n_classes)
            The slopes with respect to the logits.
        of_rows : Tensor of shape (n_rows, n_columns)
            The slopes with respect to the states, at the same logits.
        """
        energies = energy(logits, batch.targets)
        step = Step(batch.states, batch.factuals, batch.targets, energies, batch.costs, t, T)
        of_rows, of_energies = self._penalty_slopes(step)
        if batch.earlier is not None:
            of_rows = of_rows + push * push_slopes(batch.states, batch.earlier, groups)
        return entropy_slopes(log_proba, batch.targets, of_energies), of_rows

    def move(self, batch, gradients, groups):
        """Take one gradient step, of the states or of their codes.

        Parameters
        ----------
        batch : Batch
        gradients : Tensor of shape (n_rows, n_columns)
            Gradients of the losses with respect to the states.
        groups : OneHotGroups

        Returns
        -------
        moved : Batch
        """
        states, bounds = batch.states.detach(), (batch.box.lower, batch.box.upper)
        # In a search among rows, the step itself is projected; see Notes for the reason.
        if batch.codes is None:
            moved = self._stepped(gradients, states, *bounds, groups)
            moved = confine(finite(moved, states), states, *bounds, groups)
            if self.is_capped and len(groups):
                moved = torch.clamp(shortened(moved, states, self.max_step), *bounds)
            return batch.at(moved, None)
        # Features that the box holds back must not drive the code.
        free_gradients = free(gradients, states, *bounds, groups)
        codes = batch.codes.detach().requires_grad_()
        with torch.enable_grad():
            decoded = self.decode(codes)
        # A product of a vector and a Jacobian, which is never formed.
        (slopes,) = torch.autograd.grad(decoded, codes, free_gradients)
        codes = finite(codes.detach() - self._rates(slopes) * slopes, codes.detach())
        with torch.no_grad():
            decoded = self.decode(codes)
        # Codes may be rows themselves, which must not be overwritten.
        decoded = finite(decoded, states).clone()
        return batch.at(confine(decoded, states, *bounds, groups), codes)

    def with_step_of_explanations(self):
        """Return the generator that `explain` uses, in which ``max_step="auto"`` is a cap."""
        if self.max_step != "auto":
            return self
        # The parameters of the fitted generator stay as the user has set them.
        generator = copy.copy(self)
        generator.max_step = _STEP_OF_EXPLANATIONS
        return generator

    @property
    def is_capped(self):
        """Whether `max_step` limits the steps of a search."""
        return self.max_step is not None and self.max_step != "auto"

    def _stepped(self, gradients, states, lower, upper, groups):
        """Return the states after a step, shortened by `max_step` if that is a number."""
        if not self.is_capped:
            return (gradients * -self.step_size).add_(states)
        movable = free(gradients, states, lower, upper, groups)
        # On the simplex, each of two categories moves by half of the difference of their steps.
        movable[:, groups.n_numeric :] *= 0.5
        return torch.addcmul(states, gradients, self._rates(movable), value=-1)

    def _rates(self, gradients):
        """Return the step size, shortened for each row whose step would exceed `max_step`."""
        if not self.is_capped:
            return self.step_size
        # Coordinates that overflow stay where they are, so they do not shorten the step.
        sizes = gradients.abs().nan_to_num(nan=0.0, posinf=0.0)
        # The quotient of a row without a gradient is infinite, so its step size stays.
        return (self.max_step / sizes.amax(dim=1, keepdim=True)).clamp(max=self.step_size)

    def _first_batch(self, factuals, targets, box, costs, earlier):
        """Return the batch of all rows before the first step."""
        with torch.no_grad():
            codes = self.encode(factuals)
        return Batch(
            idx=torch.arange(len(factuals), device=factuals.device),
            codes=codes,
            states=factuals.detach().clone(),
            factuals=factuals,
            targets=targets,
            box=box,
            costs=costs,
            earlier=earlier,
        )


def _judge(derivatives, batch, entropies, limit, accept):
    """Judge the states of a batch as they are returned; see `Box.harden`.

    Returns
    -------
    states : Tensor of shape (n_rows, n_columns)
    has_reached : BoolTensor of shape (n_rows,)
        Whether the target has reached tau.
    is_done : BoolTensor of shape (n_rows,)
        Whether the state is accepted, too.
    """
    states = batch.states.detach()
    # States that need no hardening have the given entropies, which saves an evaluation.
    if batch.box.hardens:
        states = batch.box.harden(states, batch.factuals)
        entropies = entropies_of(log_softmax(derivatives.logits(states)), batch.targets)
    has_reached = entropies <= limit
    if accept is None or not has_reached.any():
        return states, has_reached, has_reached
    is_done = has_reached.clone()
    # The second check is slow (it decodes rows), so only mature states undergo it.
    is_done[has_reached] = accept(states[has_reached], batch.idx[has_reached])
    return states, has_reached, is_done
