"""Searching counterfactuals for as many rows as are searched at once."""

from dataclasses import dataclass

import numpy as np
import torch

from ctsk._columns.constraints import Box
from ctsk._explaining.failure_reasons import TOO_NEAR, reasons
from ctsk._explaining.sparsify import revert_features
from ctsk._torch.utils import device_of

# In module units: the l1 distance that alternatives keep from each other at least.
_LEAST_APART = 0.1
# Features are held fixed that earlier ways changed by more than this share of what they
# changed the most.
_MUCH = 0.5
# Weight of the push away from earlier ways.
_PUSH = 2.0


@dataclass
class Found:
    """What was found for some rows.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        What the user is to be handed.
    n_iter : ndarray of shape (n_rows,)
    reason : ndarray of shape (n_rows,)
        None where the search ended at maturity.
    path : ndarray of shape (n_rows, T + 1, n_features), or (n_rows, 0) if not asked for
    """

    values: np.ndarray
    n_iter: np.ndarray
    reason: np.ndarray
    path: np.ndarray

    def select(self, rows):
        """Return what was found for some of the rows."""
        return Found(*(mine[rows] for mine in vars(self).values()))

    def replace(self, rows, found):
        """Take over what was found for some of the rows."""
        for mine, other in zip(vars(self).values(), vars(found).values(), strict=True):
            mine[rows] = other


class ChunkSearch:
    """A search for a chunk of rows.

    A row is mature only when the values that the user would be handed are: they
    are decoded, clamped and rounded first, then judged in float64. A row that
    this turns down goes on searching.

    Parameters
    ----------
    search : RowSearch
    searcher : torch.nn.Module
        The subject's module, to take gradients of.
    values : ndarray of shape (n_rows, n_features)
        Of all rows.
    targets : ndarray of shape (n_rows,)
        Of all rows.
    dtypes : list of numpy.dtype
        Of the columns; see `Schema.dtypes`.
    chunk : slice
        The rows to search for.
    """

    def __init__(self, search, searcher, values, targets, dtypes, chunk):
        self.search = search
        self.searcher = searcher
        self.dtypes = dtypes
        self.positions = np.arange(len(values))[chunk]
        self.values, self.targets = values[chunk], targets[chunk]
        self.encoder = search.subject.encoder
        self.columns = self.encoder.expand(self.values)
        self.box = search.subject.constraints.of_rows(self.positions).box(self.columns)

    def alternatives(self):
        """Search all alternatives of each row.

        Returns
        -------
        values, n_iter, reason, path : ndarray of shape (n_rows * n_alternatives, ...)
            See `Found`; the alternatives of a row are one behind the other.
        """
        founds = [self._find(np.arange(len(self.values)))]
        while len(founds) < self.search.n_alternatives:
            founds.append(self._find_another(founds))
        parts = zip(*(vars(found).values() for found in founds), strict=True)
        return tuple(np.concatenate(np.stack(part, axis=1)) for part in parts)

    def _find_another(self, founds):
        """Search a way unlike those that were found."""
        ways = np.stack([self.encoder.encode_values(found.values) for found in founds], axis=1)
        rows, other = np.arange(len(self.values)), None
        for held, push in self._attempts(ways):
            found = self._find(rows, ways[rows], None if held is None else held[rows], push)
            if other is None:
                other = found
            else:
                worse = self._is_another(other.values[rows], rows, ways)
                worse &= found.reason != None  # noqa: E711
                better = np.flatnonzero(~worse)
                other.replace(rows[better], found.select(better))
            rows = np.flatnonzero(other.reason != None)  # noqa: E711
            if not len(rows):
                break
        return other

    def _attempts(self, ways):
        """Yield how to look for another way: features to hold fixed, and how hard to push.

        A way that is no earlier one with something more leaves alone at least one feature
        of each: those that all have changed much, or the most changed of each, or
        the second.
        """
        moves = np.abs(ways - self.encoder.encode_values(self.values)[:, None])
        columns = self.encoder.feature_slices
        moves = np.stack([moves[..., own].max(axis=-1) for own in columns], axis=-1)
        use = moves.sum(axis=1)
        yield use > _MUCH * use.max(axis=1, keepdims=True), 0.0
        order = np.argsort(-moves, axis=-1)
        n_moved = (moves > 0).sum(axis=-1, keepdims=True)
        for rank in (0, 1):
            chosen = np.take_along_axis(order, np.clip(n_moved - 1, 0, rank), axis=-1)
            yield (np.arange(len(columns)) == chosen).any(axis=1), 0.0
        yield None, _PUSH
        yield None, 0.0

    def _find(self, rows, ways=None, held=None, push=0.0):
        """Search one counterfactual for some rows.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            Positions in the chunk.
        ways : ndarray of shape (n_rows, n_ways, n_columns), default=None
            Module rows to keep away from.
        held : bool ndarray of shape (n_rows, n_features), default=None
            Features that are not to move.
        push : float, default=0.0
            Weight of the push away from `ways`.

        Returns
        -------
        found : Found
        """
        search, encoder, device = self.search, self.encoder, device_of(self.searcher)
        values, box = self.values[rows], self._box(rows, held)
        constraints = search.subject.constraints.of_rows(self.positions[rows])
        factual_rows = encoder.encode_values(values).astype(np.float32)

        def tensor(array, dtype=torch.float32):
            return torch.as_tensor(array, dtype=dtype, device=device)

        def decode(states, some=slice(None), dtypes=self.dtypes):
            return encoder.decode(
                states, factual_rows[some], values[some], box.select(some), dtypes
            )

        def accept(states, some):
            some = some.cpu().numpy()
            handed = decode(states.cpu().numpy(), some)
            is_way = self._is_reached(handed, rows[some])
            is_way &= self._is_apart(handed, None if ways is None else ways[some])
            return tensor(is_way, torch.bool)

        targets = tensor(self.targets[rows], torch.int64)
        module_box = encoder.encode_box(box).to_tensors(tensor)
        result = search.generator.generate(
            self.searcher,
            tensor(factual_rows),
            targets,
            module_box,
            costs=tensor(encoder.relative_costs(search.subject.feature_costs, constraints)),
            tau=search.tau,
            T=search.T,
            accept=accept,
            ways=tensor(ways) if push else None,
            push=push,
            return_path=search.return_path,
        )
        found = decode(result.counterfactuals.cpu().numpy())
        reason = reasons(search.generator, self.searcher, encoder, result, T=search.T)
        if search.sparse:
            found = self._sparse(found, rows)
        if ways is not None:
            reason[~self._is_apart(found, ways) & self._judged(found, rows)[1]] = TOO_NEAR
        n_iter, path = result.n_iter.cpu().numpy(), np.empty((len(rows), 0))
        if search.return_path:
            states, steps = result.path.cpu().numpy(), np.arange(search.T + 1)
            path = np.stack([decode(states[:, t], dtypes=None) for t in steps], axis=1)
            path = np.where((steps >= n_iter[:, None])[:, :, None], found[:, None], path)
        return Found(found, n_iter, reason, path)

    def _box(self, rows, held):
        """Bounds of some rows, in X's units."""
        box = self.box.select(rows)
        if held is None:
            return box
        held, columns = self.encoder.per_column(held), self.columns[rows]
        return Box(
            np.where(held, columns, box.lower), np.where(held, columns, box.upper), box.groups
        )

    def _is_reached(self, values, rows):
        """Whether values would be mature if they were handed over."""
        shares, is_predicted = self._judged(values, rows)
        return is_predicted & (shares >= self.search.tau)

    def _judged(self, values, rows):
        """Probabilities of the target, and whether it is predicted."""
        proba = self.search.subject.predict_proba(values, self.positions[rows])
        targets = self.targets[rows]
        return proba[np.arange(len(rows)), targets], proba.argmax(axis=1) == targets

    def _is_another(self, values, rows, ways):
        """Whether values are predicted as their target, if without tau, and apart from others."""
        return self._judged(values, rows)[1] & self._is_apart(values, ways[rows])

    def _is_apart(self, values, ways):
        """Whether values keep their distance from other ways."""
        if ways is None:
            return True
        moves = np.abs(self.encoder.encode_values(values)[:, None] - ways)
        return (moves @ self.encoder.column_weights).min(axis=1) >= _LEAST_APART

    def _sparse(self, found, rows):
        """Put features back where a row stays valid, and mature if it was.

        Whether it stays apart from other ways is not asked: a feature is not to change
        for the sake of being different.
        """
        shares, is_predicted = self._judged(found, rows)
        levels = np.where(shares >= self.search.tau, self.search.tau, 0.0)
        open_rows = np.flatnonzero(is_predicted)

        def score(values, some):
            some = open_rows[some]
            shares, is_predicted = self._judged(values, rows[some])
            return np.where(is_predicted & (shares >= levels[some]), shares, -np.inf)

        sparse = found.copy()
        sparse[open_rows] = revert_features(found[open_rows], self.values[rows[open_rows]], score)
        return sparse
