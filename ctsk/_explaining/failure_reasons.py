"""Reasons why searches ended before maturity."""

import enum

import numpy as np
import torch

from ctsk._closed_form.derivatives import derivatives_of
from ctsk._closed_form.softmax import log_softmax
from ctsk._columns.containers import listed
from ctsk.generators import GradientGenerator
from ctsk.generators.slopes import entropy_slopes
from ctsk.generators.steps import held_back

# A search is at a standstill if its next step is shorter than this, in module units or units
# of the latent code, and shorter than the step that it may take.
_STANDSTILL = 1e-4
# Number of further steps that distinguish an oscillating search from one that progresses.
_N_FURTHER_STEPS = 10
# A search makes progress if it gets further than this many times its longest single step.
# One that oscillates around a kink of the penalty returns after one or two steps, one that
# approaches a minimum of its loss has ever shorter steps.
_LEAST_PROGRESS = 2.0


class ReasonKind(enum.Enum):
    """Kinds of reasons; the values are the phrases that a summary counts."""

    TOO_FEW_STEPS = "not mature within T steps"
    BOXED_IN = "boxed in by the constraints"
    FLAT = "the model is flat"
    PENALTY = "held back by the penalty"
    NOT_FOUND = "not found within the constraints"
    FLIPPED_BACK = "flipped back by rounding"
    LOST = "not accepted by the pipeline"
    TOO_NEAR = "too near to an earlier alternative"
    TOO_MANY_CHANGES = "not found with so few changes"
    IMPOSSIBLE = "proven to be impossible"


class Reason(str):
    """A reason as a sentence for users, with its kind as an attribute.

    Parameters
    ----------
    kind : ReasonKind
    text : str
        The complete sentence.
    """

    def __new__(cls, kind, text):
        """Create the string; its value is the sentence."""
        reason = super().__new__(cls, text)
        reason.kind = kind
        return reason

    def __getnewargs__(self):
        """Return the arguments of `__new__`, for copies and pickles."""
        return self.kind, str(self)


FLIPPED_BACK = Reason(
    ReasonKind.FLIPPED_BACK,
    "flipped back by rounding: the search had reached tau before values were rounded",
)
LOST = Reason(
    ReasonKind.LOST,
    "not accepted by the pipeline: a step fails for the row to which the search has led",
)
TOO_NEAR = Reason(
    ReasonKind.TOO_NEAR,
    "too near to an earlier alternative: no other counterfactual was found",
)


def too_many_changes(at_most):
    """Return the reason of rows without a counterfactual of at most so many changes."""
    text = f"not found with so few changes: no counterfactual with max_changes={at_most} was found"
    return Reason(ReasonKind.TOO_MANY_CHANGES, text)


def reasons(generator, model, encoder, result, targets, shares_of, *, T):
    """Return the reason why the search of each row did not reach maturity.

    Parameters
    ----------
    generator : BaseGenerator
        The generator of the search.
    model : torch.nn.Module
        Maps module rows to logits.
    encoder : Encoder
    result : SearchResult
    targets : LongTensor of shape (n_rows,)
        The class that each row was to reach.
    shares_of : callable
        Maps positions of rows to the probabilities of their targets, as the judge computes them.
    T : int
        Maximum number of steps of the search.

    Returns
    -------
    reasons : ndarray of shape (n_rows,)
        `Reason` objects; None for mature rows.
    """
    found = np.full(len(result.mature), None, dtype=object)
    idx = (~result.mature).nonzero()[:, 0]
    if not len(idx):
        return found
    states, targets = result.counterfactuals[idx], targets[idx]
    with torch.no_grad():
        logits = model(states)
    is_refused = torch.zeros_like(result.mature)[idx]
    if result.refused is not None:
        # If tau is below one half, a target may reach it while another class is predicted.
        is_refused = result.refused[idx] & (logits.argmax(dim=1) == targets)
    # The steps of a gradient show what has stopped them; of other searches, nothing is known.
    if isinstance(generator, GradientGenerator):
        explained = _reasons_of_descent(generator, model, encoder, result.unfinished, T)
    else:
        explained = [_not_found(share) for share in shares_of(idx.cpu().numpy())]
    # Unfinished rows are in the order of the result.
    for row, refused, reason in zip(idx.tolist(), is_refused.tolist(), explained, strict=True):
        found[row] = FLIPPED_BACK if refused else reason
    return found


def _reasons_of_descent(generator, model, encoder, batch, T):
    """Return the reasons of the rows of a batch whose descent did not reach maturity."""
    groups = encoder.groups
    # A search is at a standstill if neither states nor codes would move any more. Whether it
    # is the penalty that stops it shows in a step along the cross-entropy alone.
    of_entropy, of_loss = _gradients(generator, model, batch, groups, T)
    stands = _is_near(generator.move(batch, of_loss, groups), batch, generator)
    stands_without_penalty = _is_near(generator.move(batch, of_entropy, groups), batch, generator)
    opposes = stands & ~stands_without_penalty
    if not stands.all():
        opposes[~stands] = _is_opposed(generator, model, batch.select(~stands), groups, T)
    pressure = _pressure(batch, of_entropy, groups).cpu().numpy()

    # Several reasons may apply; the most specific one is returned.
    explained = []
    for i, (is_opposed, is_standing) in enumerate(
        zip(opposes.tolist(), stands.tolist(), strict=True)
    ):
        if is_opposed:
            reason = _penalty(generator)
        elif is_standing:
            reason = _standstill(pressure[i], encoder)
        else:
            reason = Reason(ReasonKind.TOO_FEW_STEPS, f"not mature within T={T} steps")
        explained.append(reason)
    return explained


def _not_found(share):
    """Return the reason that names the probability of the target in the row that is returned."""
    return Reason(
        ReasonKind.NOT_FOUND,
        "no counterfactual was found within the constraints: in the row that is returned, the "
        f"target has a probability of {share:.2g}",
    )


@torch.no_grad()
def _gradients(generator, model, batch, groups, T):
    """Return the gradients of the cross-entropies and of the losses."""
    derivatives = derivatives_of(model)
    states, targets = batch.states, batch.targets
    logits, trace = derivatives.forward(states)
    log_proba = log_softmax(logits)
    # The penalty may change during a search; it is taken at step T of T, where the search ended.
    slopes = generator.slopes(batch, logits, log_proba, T, T, groups)
    of_loss = derivatives.row_gradients(trace, *slopes)
    # A trace serves one backward pass only.
    _, trace = derivatives.forward(states)
    slopes = entropy_slopes(log_proba, targets, torch.zeros_like(states[:, 0]))
    return derivatives.row_gradients(trace, slopes, torch.zeros_like(states)), of_loss


def _is_near(moved, batch, generator):
    """Return whether a step is so short that the search is at a standstill."""
    # A search among latent codes moves the codes; states only follow from them.
    before, after = batch.codes, moved.codes
    if before is None:
        before, after = batch.states, moved.states
    # A step that a small max_step has shortened does not show a standstill.
    least = _STANDSTILL
    if generator.is_capped:
        least = min(least, generator.max_step / 2)
    return (after - before).abs().amax(dim=1) < least


def _is_opposed(generator, model, batch, groups, T):
    """Return whether further steps make no progress because of the penalty.

    A search that oscillates does move, but over several steps it gets nowhere in the
    direction in which the cross-entropy decreases. The penalty is the cause if its gradient
    cancels the one of the cross-entropy at some step; if it never does, the step size is too
    large.
    """
    start, direction = batch.states, None
    longest = start.new_zeros(len(start))
    cancels = torch.zeros_like(longest, dtype=torch.bool)
    for _ in range(_N_FURTHER_STEPS):
        of_entropy, of_loss = _gradients(generator, model, batch, groups, T)
        held = held_back(batch.states, of_entropy, batch.box.lower, batch.box.upper)
        free = groups.relative(of_entropy, batch.states).masked_fill(held, 0)
        # Along the free gradient, the penalty cancels the cross-entropy if its component is
        # opposite and at least as long. Columns at a bound are left out of both.
        of_penalty = groups.relative(of_loss - of_entropy, batch.states)
        cancels |= (free * of_penalty).sum(dim=1) <= -free.square().sum(dim=1)
        # Progress is measured along the first descent direction; a new one in each step would
        # count an oscillation as progress.
        direction = -free if direction is None else direction
        moved = generator.move(batch, of_loss, groups)
        advances = ((moved.states - batch.states) * direction).sum(dim=1)
        longest = torch.maximum(longest, advances.abs())
        batch = moved
    distances = ((batch.states - start) * direction).sum(dim=1)
    return (distances <= _LEAST_PROGRESS * longest) & cancels


def _penalty(generator):
    """Return the reason that names the weights of the penalty."""
    # By convention, the weights are the parameters named lambda_*; those that are 0 cannot be
    # the cause.
    weights = [
        f"{name} (now {value})"
        for name, value in generator.get_params(deep=False).items()
        if name.startswith("lambda_") and value
    ]
    remedy = f"lower {' or '.join(weights)}" if weights else "lower its weights"
    return Reason(
        ReasonKind.PENALTY,
        f"held back by the penalty of {type(generator).__name__}, so that more steps hardly help: "
        f"{remedy}",
    )


def _standstill(pressure, encoder):
    """Return the reason that names the features whose constraints bind, the tightest first."""
    by_feature = [pressure[columns].max() for columns in encoder.feature_columns]
    order = np.argsort(by_feature)[::-1]
    binding = [encoder.names[f] for f in order if by_feature[f] > 0]
    if not binding:
        text = "the model is flat around this row: no gradient leads to the target"
        return Reason(ReasonKind.FLAT, text)
    return Reason(ReasonKind.BOXED_IN, f"boxed in by the constraints on {listed(binding)}")


def _pressure(batch, gradients, groups):
    """Return how much each column would gain outside the box; 0 where no bound is active."""
    states = batch.states
    pressure = gradients.abs() * held_back(states, gradients, batch.box.lower, batch.box.upper)
    for columns in groups.slices:
        # A category gains the difference to the mean gradient over the present categories.
        slopes = gradients[:, columns]
        mean = (slopes * states[:, columns]).sum(dim=1, keepdim=True)
        is_unreachable = batch.box.upper[:, columns] == 0
        pressure[:, columns] = (mean - slopes).clamp(min=0) * is_unreachable
    return pressure
