"""Slopes of the loss of a search: of the cross-entropy, the penalty and the push.

The loss of a row is a function of its logits and of the row itself. Its slopes with respect to both
are all that a search needs, apart from the derivatives of the model, to descend.
"""

from dataclasses import replace

import torch

from ctsk.generators.penalties import nearness


def entropies_of(log_proba, targets):
    """Return the cross-entropy of each target, of shape (n_rows,)."""
    return -log_proba.gather(1, targets[:, None])[:, 0]


def entropy_slopes(log_proba, targets, factors):
    r"""Slopes of the cross-entropy of each target, and of its energy, with respect to the logits.

    Parameters
    ----------
    log_proba : Tensor of shape (n_rows, n_classes)
        Log-softmax of the logits.
    targets : LongTensor of shape (n_rows,)
    factors : Tensor of shape (n_rows,)
        Slopes of the penalty with respect to the energy of the target, which are added.

    Returns
    -------
    slopes : Tensor of shape (n_rows, n_classes)
        They are :math:`\mathrm{softmax}(z) - (1 + f) \, e_{y^+}`.
    """
    # The energy of a target is minus its logit.
    return log_proba.exp().scatter_add_(1, targets[:, None], (-1 - factors)[:, None])


def differentiated_penalty(generator, step):
    """Slopes of a penalty with respect to the rows and to their energies, by autograd.

    Parameters
    ----------
    generator : GradientGenerator
    step : Step

    Returns
    -------
    of_rows : Tensor of shape (n_rows, n_columns)
    of_energies : Tensor of shape (n_rows,)
    """
    rows, energies = step.rows.detach().requires_grad_(), step.energies.detach().requires_grad_()
    with torch.enable_grad():
        # Rows do not depend on each other, so the gradient of the sum is that of each row.
        total = _penalties(generator, replace(step, rows=rows, energies=energies)).sum()
    zeros = torch.zeros_like(rows), torch.zeros_like(energies)
    # A penalty need not depend on the rows, nor on the energies.
    if not total.requires_grad:
        return zeros
    slopes = torch.autograd.grad(total, (rows, energies), allow_unused=True)
    return tuple(zero if part is None else part for part, zero in zip(slopes, zeros, strict=True))


def push_slopes(rows, earlier, groups):
    """Slopes of the nearness of rows to earlier counterfactuals, by automatic differentiation.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
    earlier : Tensor of shape (n_rows, n_earlier, n_columns)
    groups : OneHotGroups

    Returns
    -------
    slopes : Tensor of shape (n_rows, n_columns)
    """
    rows = rows.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(nearness(rows, earlier, groups).sum(), rows)[0]


def _penalties(generator, step):
    """Return the penalty of each row; a ValueError if it is not one number per row."""
    penalties = generator.penalty(step)
    # A scalar or a column would broadcast silently, and rows would influence each other.
    shape = getattr(penalties, "shape", None)
    if shape != step.energies.shape:
        returned = type(penalties).__name__ if shape is None else f"shape {tuple(shape)}"
        raise ValueError(
            f"penalty of {type(generator).__name__} returned {returned} for {len(step.rows)} rows; "
            f"it must return one number per row, of shape {tuple(step.energies.shape)}."
        )
    return penalties
