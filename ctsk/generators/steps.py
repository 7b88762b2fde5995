"""Steps of a descent that stay within the box of each row."""

import math

import torch


def held_back(states, gradients, lower, upper):
    """Return a mask of the columns in which the box prevents a descent."""
    return ((gradients < 0) & (states >= upper)) | ((gradients > 0) & (states <= lower))


def free(gradients, states, lower, upper, groups):
    """Return the gradients with 0 where the box prevents a descent."""
    # Relative gradients are needed to tell which categories would grow, because the weights of a
    # category sum to one.
    gradients = groups.relative(gradients, states)
    return gradients.masked_fill(held_back(states, gradients, lower, upper), 0)


def shortened(moved, states, max_step):
    """Return states between the given ones, none of whose columns has moved by more than a cap."""
    # Several categories that lose weight to one another may move further than any pair of them.
    # Every point on the line between two rows keeps the sums of weights and the bounds.
    moves = moved - states
    shares = max_step / moves.abs().amax(dim=1, keepdim=True)
    return torch.where(shares < 1, states + shares * moves, moved)


def finite(moved, states):
    """Return moved states; a coordinate that overflows stays where it was."""
    # The sum of finite numbers is finite unless they are huge, so one reduction suffices in
    # the usual case.
    return moved if math.isfinite(moved.sum()) else torch.where(moved.isfinite(), moved, states)


def confine(rows, states, lower, upper, groups):
    """Bring rows, which may be overwritten, into their box: the simplex, and the bounds."""
    # From one state to the next, few categories gain or lose all of their weight.
    projected = groups.project(rows, upper, support=states)
    return torch.clamp(projected, lower, upper, out=projected)
