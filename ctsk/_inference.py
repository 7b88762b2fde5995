"""Asking a trained module: logits and counterfactuals for rows in the user's units."""

import numpy as np
import torch
from scipy.special import softmax
from sklearn.utils import gen_batches

from ctsk._modules import inference_copy
from ctsk._threads import one_thread_if_small

# Rows that pass through the module at once: what bounds the memory.
_CHUNK = 4096


def logits_of(module, space, X):
    """Logits of a float64 copy of a module.

    Parameters
    ----------
    module : torch.nn.Module
    space : FeatureSpace
    X : ndarray of shape (n_rows, n_features)
        float64, in the user's units.

    Returns
    -------
    logits : ndarray of shape (n_rows, n_classes)
    """
    module = inference_copy(module, torch.float64)
    device = next(module.parameters()).device
    with one_thread_if_small(module, min(len(X), _CHUNK)):
        logits = [
            module(torch.as_tensor(space.encode(X[chunk]), device=device)).cpu().numpy()
            for chunk in gen_batches(len(X), _CHUNK)
        ]
    return np.concatenate(logits)


def search_rows(X, targets, *, module, **settings):
    """Search counterfactuals for rows in the user's units, a bounded number at once.

    A row is mature only when the values that the user would be handed are: they
    are decoded, clamped and rounded first, then judged in float64. A row that
    this turns down goes on searching.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        float64, in the user's units.
    targets : ndarray of shape (n_rows,)
        As columns of the logits.
    module : torch.nn.Module
    **settings : dict
        ``space`` : FeatureSpace; ``constraints`` : Constraints in the user's
        units; ``dtypes`` : list of numpy.dtype, of the user's columns;
        ``generator`` : BaseGenerator; and ``tau``, ``T`` and ``return_path`` of
        `BaseGenerator.generate`.

    Returns
    -------
    values : ndarray of shape (n_rows, n_features)
        float64, each representable in its column's dtype.
    n_iter : ndarray of shape (n_rows,)
    cost : ndarray of shape (n_rows,)
        l1 distance to the factual, in module units.
    path : ndarray of shape (n_rows, T + 1, n_features) or None
        In the user's units.
    """
    searcher = inference_copy(module, torch.float32)
    judge = inference_copy(module, torch.float64)
    values, parts = np.empty_like(X), []
    with one_thread_if_small(module, min(len(X), _CHUNK)):
        for chunk in gen_batches(len(X), _CHUNK):
            values[chunk], *rest = _search_chunk(
                X[chunk], targets[chunk], searcher=searcher, judge=judge, **settings
            )
            parts.append(rest)
    n_iter, cost, path = zip(*parts, strict=True)
    path = np.concatenate(path) if settings["return_path"] else None
    return values, np.concatenate(n_iter), np.concatenate(cost), path


def _search_chunk(
    X, targets, *, searcher, judge, space, constraints, dtypes, generator, **settings
):
    device = next(judge.parameters()).device
    lower, upper = constraints.box(X)

    def encode(values, dtype):
        return torch.as_tensor(space.encode(values), dtype=dtype, device=device)

    factuals = encode(X, torch.float32)
    factual_rows = factuals.cpu().numpy()

    def hand_over(states, rows):
        box = lower[rows], upper[rows]
        return space.hand_over(states.cpu().numpy(), factual_rows[rows], X[rows], box, dtypes)

    def accept(states, rows):
        rows = rows.cpu().numpy()
        logits = judge(encode(hand_over(states, rows), torch.float64)).cpu().numpy()
        proba = softmax(logits, axis=1)
        wanted = targets[rows]
        reached = proba[np.arange(len(rows)), wanted] >= settings["tau"]
        return torch.as_tensor(reached & (logits.argmax(axis=1) == wanted), device=device)

    result = generator.generate(
        searcher,
        factuals,
        torch.as_tensor(targets, device=device),
        (encode(lower, torch.float32), encode(upper, torch.float32)),
        accept=accept,
        **settings,
    )
    path = None if result.path is None else space.decode(result.path.cpu().numpy())
    values = hand_over(result.counterfactuals, slice(None))
    cost = np.abs(space.encode(values) - space.encode(X)).sum(axis=1)
    return values, result.n_iter.cpu().numpy(), cost, path
