"""Asking a trained module: logits and counterfactuals for rows in the user's units."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import softmax
from sklearn.utils import gen_batches

from ctsk._constraints import Constraints
from ctsk._feature_space import FeatureSpace
from ctsk._modules import inference_copy
from ctsk._threads import one_thread_if_small
from ctsk.generators import BaseGenerator

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


@dataclass(frozen=True)
class RowSearch:
    """A search for rows in the user's units, with all that it needs.

    A row is mature only when the values that the user would be handed are: they
    are decoded, clamped and rounded first, then judged in float64. A row that
    this turns down goes on searching.

    Parameters
    ----------
    module : torch.nn.Module
    generator : BaseGenerator
    space : FeatureSpace
    constraints : Constraints
        In the user's units.
    dtypes : list of numpy.dtype
        Of the user's columns.
    tau, T, return_path : float, int, bool
        See `BaseGenerator.generate`.
    """

    module: torch.nn.Module
    generator: BaseGenerator
    space: FeatureSpace
    constraints: Constraints
    dtypes: list
    tau: float
    T: int
    return_path: bool

    def __call__(self, X, targets):
        """Search a counterfactual for each row, a bounded number of rows at once.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
            float64, in the user's units.
        targets : ndarray of shape (n_rows,)
            As columns of the logits.

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
        searcher = inference_copy(self.module, torch.float32)
        judge = inference_copy(self.module, torch.float64)
        values, parts = np.empty_like(X), []
        with one_thread_if_small(self.module, min(len(X), _CHUNK)):
            for chunk in gen_batches(len(X), _CHUNK):
                values[chunk], *rest = self._search(X[chunk], targets[chunk], searcher, judge)
                parts.append(rest)
        n_iter, cost, path = zip(*parts, strict=True)
        path = np.concatenate(path) if self.return_path else None
        return values, np.concatenate(n_iter), np.concatenate(cost), path

    def _search(self, X, targets, searcher, judge):
        lower, upper = self.constraints.box(X)
        device = next(judge.parameters()).device
        factual_rows = self.space.encode(X).astype(np.float32)

        def tensor(array, dtype=torch.float32):
            return torch.as_tensor(array, dtype=dtype, device=device)

        def hand_over(states, rows=slice(None), dtypes=self.dtypes):
            box = lower[rows], upper[rows]
            return self.space.hand_over(states, factual_rows[rows], X[rows], box, dtypes)

        def accept(states, rows):
            rows = rows.cpu().numpy()
            values = hand_over(states.cpu().numpy(), rows)
            logits = judge(tensor(self.space.encode(values), torch.float64)).cpu().numpy()
            proba, wanted = softmax(logits, axis=1), targets[rows]
            reached = proba[np.arange(len(rows)), wanted] >= self.tau
            return tensor(reached & (logits.argmax(axis=1) == wanted), torch.bool)

        result = self.generator.generate(
            searcher,
            tensor(factual_rows),
            tensor(targets, torch.int64),
            (tensor(self.space.encode(lower)), tensor(self.space.encode(upper))),
            tau=self.tau,
            T=self.T,
            accept=accept,
            return_path=self.return_path,
        )
        values = hand_over(result.counterfactuals.cpu().numpy())
        n_iter = result.n_iter.cpu().numpy()
        cost = np.abs(self.space.encode(values) - self.space.encode(X)).sum(axis=1)
        path = None
        if self.return_path:
            unrounded = [np.dtype(np.float64)] * X.shape[1]
            states = result.path.cpu().numpy()
            path = np.stack(
                [hand_over(states[:, t], dtypes=unrounded) for t in range(self.T + 1)], axis=1
            )
            ended = np.arange(self.T + 1) >= n_iter[:, None]
            path = np.where(ended[:, :, None], values[:, None], path)
        return values, n_iter, cost, path
