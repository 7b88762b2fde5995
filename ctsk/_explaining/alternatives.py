"""Search for several counterfactuals of each row that change different features."""

import numpy as np

from ctsk.generators import GradientGenerator

# The first attempt may hold the features whose change, summed over earlier alternatives, exceeds
# this share of the largest sum.
_HELD_SHARE = 0.5
# Weight of the push away from earlier alternatives. Within few steps, noticeably fewer rows
# find another counterfactual without it.
_PUSH = 2.0


def find_alternatives(chunk, first, n_alternatives):
    """Search for several counterfactuals of each row of a chunk.

    Parameters
    ----------
    chunk : ChunkSearch
    first : Found
        The first counterfactual of each row.
    n_alternatives : int

    Returns
    -------
    alternatives : list of Found
        The first one, and others that keep a distance from those before them, unless their
        reason states that they do not.
    """
    alternatives = [first]
    while len(alternatives) < n_alternatives:
        alternatives.append(_find_another(chunk, alternatives))
    return alternatives


def _find_another(chunk, alternatives):
    """Search for the cheapest counterfactual that leaves unchanged what those found changed."""
    encode = chunk.encoder.encode_values
    earlier = np.stack([encode(found.values) for found in alternatives], axis=1)
    first, *others = held_sets = _held_sets(chunk, earlier)
    another = chunk.find(np.arange(len(chunk.rows)), earlier, first)
    for number, held in enumerate(others, start=1):
        # Rows that hold the same features again would find the same.
        is_new = [(held != tried).any(axis=1) for tried in held_sets[:number]]
        idx = np.flatnonzero(np.all(is_new, axis=0))
        another = _with_better(chunk, another, earlier, idx, held=held)
    # With all features free, only rows are searched that have found nothing, first with a push
    # away from the earlier alternatives.
    is_gradient = isinstance(chunk.request.generator, GradientGenerator)
    for push in (_PUSH, 0.0) if is_gradient else (0.0,):
        idx = np.flatnonzero(another.reason != None)  # noqa: E711
        another = _with_better(chunk, another, earlier, idx, push=push)
    return another


def _held_sets(chunk, earlier):
    """Return sets of features to hold fixed, a list of arrays of shape (n_rows, n_features).

    A counterfactual that is more than an earlier one with further changes leaves at least
    one of the features unchanged that the earlier one changed. The sets are the features
    that the earlier ones changed most in total, the most changed feature of each, and the
    second most changed one.
    """
    moves = chunk.encoder.largest_by_feature(np.abs(earlier - chunk.encoded[:, None]))
    n_features = moves.shape[-1]
    total = moves.sum(axis=1)
    is_most = total > _HELD_SHARE * total.max(axis=1, keepdims=True)
    are_few = (total > 0).mean(axis=1, keepdims=True) <= 0.5
    held_sets = [np.where(are_few, total > 0, is_most)]
    order = np.argsort(-moves, axis=-1)
    n_moved = (moves > 0).sum(axis=-1, keepdims=True)
    for rank in (0, 1):
        # Where fewer features moved, the last one that did stands in.
        feature = np.take_along_axis(order, np.clip(n_moved - 1, 0, rank), axis=-1)
        held_sets.append((np.arange(n_features) == feature).any(axis=1))
    return held_sets


def _with_better(chunk, another, earlier, idx, *, held=None, push=0.0):
    """Search for some rows again, and return the better results of each row."""
    if not len(idx):
        return another
    found = chunk.find(idx, earlier[idx], None if held is None else held[idx], push)
    present = another.select(idx)
    # None is compared elementwise.
    is_found, was_found = found.reason == None, present.reason == None  # noqa: E711
    factuals = chunk.rows.values[idx]
    costs = [chunk.request.costs(part.values, factuals) for part in (found, present)]
    is_cheaper = np.less(*costs)
    # A valid alternative at a distance, though immature, is kept unless the new one is mature.
    was_valid = chunk.is_predicted(present.values, idx)
    was_valid &= chunk.is_apart(present.values, earlier[idx])
    is_better = np.where(was_found, is_found & is_cheaper, is_found | ~was_valid)
    return another.updated(idx[is_better], found.select(is_better))
