"""Why a search ended before maturity, in words."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from ctsk.generators.base import descend, held_back

FLIPPED_BACK = "flipped back by rounding: the search had reached tau"
LOST = "no way on: the pipeline does not take the row that the search has led to"
TOO_NEAR = "no other way found: too near to an earlier alternative"
# In module units: a search whose next step is shorter leads nowhere.
_STANDSTILL = 1e-4
_MOST_NAMED = 5


def reasons(module, encoder, result, targets, box, *, step_size, T):
    """Say of each row why its search did not end at maturity; None where it did.

    Parameters
    ----------
    module : torch.nn.Module
        From module rows to logits.
    encoder : Encoder
    result : SearchResult
    targets : LongTensor of shape (n_rows,)
    box : Box
        In module units.
    step_size : float
        Of the search.
    T : int
        Of the search.

    Returns
    -------
    reasons : ndarray of shape (n_rows,)
    """
    said = np.full(len(targets), None, dtype=object)
    unreached = (~result.mature).nonzero()[:, 0]
    if not len(unreached):
        return said
    states = result.counterfactuals[unreached].requires_grad_()
    lower, upper = box.lower[unreached], box.upper[unreached]
    with torch.enable_grad():
        logits = module(states)
        loss = cross_entropy(logits, targets[unreached], reduction="sum")
    (gradients,) = torch.autograd.grad(loss, states)
    states = states.detach()
    moved = descend(states, gradients, step_size, lower, upper, encoder.groups)
    stands = ((moved - states).abs().amax(dim=1) < _STANDSTILL).cpu().numpy()
    pressure = _pressure(states, gradients, lower, upper, encoder.groups).cpu().numpy()
    # Below one half, a target may have reached tau and another class be predicted.
    is_predicted = logits.argmax(dim=1) == targets[unreached]
    refused = (result.refused[unreached] & is_predicted).cpu().numpy()
    for i, row in enumerate(unreached.tolist()):
        if refused[i]:
            said[row] = FLIPPED_BACK
        elif stands[i]:
            said[row] = _standstill(pressure[i], encoder)
        else:
            said[row] = f"not mature within T={T} steps"
    return said


def _standstill(pressure, encoder):
    """Name the features whose constraints hold a search back, the tightest first."""
    by_feature = [pressure[columns].max() for columns in encoder.feature_slices]
    order = np.argsort(by_feature)[::-1]
    binding = [repr(encoder.names[f]) for f in order if by_feature[f] > 0]
    if not binding:
        return "no way on: the model is flat around this row"
    more = ", ..." if len(binding) > _MOST_NAMED else ""
    return f"boxed in by the constraints on {', '.join(binding[:_MOST_NAMED])}{more}"


def _pressure(states, gradients, lower, upper, groups):
    """How much each column would gain by leaving the box; 0 where nothing holds it back."""
    pressure = gradients.abs() * held_back(states, gradients, lower, upper)
    for columns in groups.slices:
        here = (gradients[:, columns] * states[:, columns]).sum(dim=1, keepdim=True)
        gain = (here - gradients[:, columns]).clamp(min=0)
        pressure[:, columns] = gain * (upper[:, columns] == 0)
    return pressure
