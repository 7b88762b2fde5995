"""Search for several counterfactuals of each row that change different features."""

import numpy as np

from ctsk.generators import GradientGenerator

# The first attempt may hold the features whose change, summed over earlier alternatives, exceeds
# this share of the largest sum.
_HELD_SHARE = 0.5
# Weight of the push away from earlier alternatives. Within few steps, noticeably fewer rows
# find another counterfactual without it.
_PUSH = 2.0


def find_alternatives(chunk, n_alternatives):
    """Search for several counterfactuals of each row of a chunk.

    Parameters
    ----------
    chunk : ChunkSearch
    n_alternatives : int

    Returns
    -------
    alternatives : list of Found
        The first is the one found without alternatives. Each of the others keeps a
        distance from those before it, unless its reason states that it does not.
    """
    alternatives = [chunk.find(np.arange(len(chunk.rows)))]
    while len(alternatives) < n_alternatives:
        alternatives.append(_find_another(chunk, alternatives))
    return alternatives


def _find_another(chunk, alternatives):
    """Search for a counterfactual that differs from those found, attempt by attempt."""
    encoder = chunk.encoder
    earlier = np.stack([encoder.encode_values(found.values) for found in alternatives], axis=1)
    idx, another = np.arange(len(chunk.rows)), None
    for held, push in _attempts(chunk, earlier):
        found = chunk.find(idx, earlier[idx], None if held is None else held[idx], push)
        if another is None:
            another = found
        else:
            # A valid alternative at a distance, though immature, is kept unless this
            # attempt reached maturity.
            values = another.values[idx]
            is_kept = chunk.is_predicted(values, idx) & chunk.is_apart(values, earlier[idx])
            is_kept &= found.reason != None  # noqa: E711
            replaced = np.flatnonzero(~is_kept)
            another = another.updated(idx[replaced], found.select(replaced))
        idx = np.flatnonzero(another.reason != None)  # noqa: E711
        if not len(idx):
            break
    return another


def _attempts(chunk, earlier):
    """Yield the features to hold fixed, (n_rows, n_features) or None, and the push.

    A counterfactual that is more than an earlier one with further changes leaves at least
    one of the features unchanged that the earlier one changed. The attempts hold the
    features that the earlier ones changed most in total, the most changed feature of
    each, and the second most changed one. Then all features are free, first with a push
    away from the earlier ones and finally without it.
    """
    slices = chunk.encoder.feature_columns
    moves = np.abs(earlier - chunk.encoded[:, None])
    moves = np.stack([moves[..., columns].max(axis=-1) for columns in slices], axis=-1)
    total = moves.sum(axis=1)
    is_most = total > _HELD_SHARE * total.max(axis=1, keepdims=True)
    are_few = (total > 0).mean(axis=1, keepdims=True) <= 0.5
    yield np.where(are_few, total > 0, is_most), 0.0
    order = np.argsort(-moves, axis=-1)
    n_moved = (moves > 0).sum(axis=-1, keepdims=True)
    for rank in (0, 1):
        # Where fewer features moved, the last one that did stands in.
        feature = np.take_along_axis(order, np.clip(n_moved - 1, 0, rank), axis=-1)
        yield (np.arange(len(slices)) == feature).any(axis=1), 0.0
    if isinstance(chunk.request.generator, GradientGenerator):
        yield None, _PUSH
    yield None, 0.0
