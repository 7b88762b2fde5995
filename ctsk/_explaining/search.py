"""From a request to an Explanation: generate, decode and judge, a chunk of rows at a time."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from sklearn.utils import gen_batches

from ctsk._columns.constraints import Box
from ctsk._columns.containers import cells_of
from ctsk._columns.rows import Rows
from ctsk._explaining.alternatives import LEAST_DISTANCE, find_alternatives
from ctsk._explaining.explanation import Explanation
from ctsk._explaining.failure_reasons import FLIPPED_BACK, LOST, TOO_NEAR, reasons
from ctsk._explaining.sparsify import revert_features
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import CHUNK, device_of, inference_copy


@dataclass(frozen=True)
class Found:
    """What was found for some rows.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        The counterfactuals, or the states in which the search stopped, decoded.
    n_iter : ndarray of shape (n_rows,)
    reason : ndarray of shape (n_rows,)
        None where the search reached maturity.
    path : ndarray of shape (n_rows, T + 1, n_features), or (n_rows, 0) if not requested
    """

    values: np.ndarray
    n_iter: np.ndarray
    reason: np.ndarray
    path: np.ndarray

    def arrays(self):
        """Return the arrays in the order of the fields."""
        return [getattr(self, field.name) for field in fields(self)]

    def select(self, idx):
        """Return what was found for the rows at some positions."""
        return Found(*(array[idx] for array in self.arrays()))

    def updated(self, idx, found):
        """Return a copy in which other findings replace those at some positions."""
        copies = [array.copy() for array in self.arrays()]
        for array, other in zip(copies, found.arrays(), strict=True):
            array[idx] = other
        return Found(*copies)


def search(request):
    """Search counterfactuals, a bounded number of rows at once.

    Parameters
    ----------
    request : Request

    Returns
    -------
    explanation : Explanation
    """
    model, n_alternatives, n_rows = request.model, request.n_alternatives, len(request.rows)
    searcher = inference_copy(model.module, torch.float32)
    with one_thread_if_small(searcher, min(n_rows, CHUNK)):
        parts = [
            find_alternatives(ChunkSearch(request, searcher, chunk), n_alternatives)
            for chunk in gen_batches(n_rows, CHUNK)
        ]
    found = _interleaved(parts)
    # From here on, each alternative is a row of its own.
    idx = np.repeat(np.arange(n_rows), n_alternatives)
    factuals, targets = request.rows.repeat(n_alternatives), request.targets[idx]
    found, proba = _judged(model, factuals, found)
    predictions = proba.argmax(axis=1)
    valid = predictions == targets
    mature = proba[np.arange(len(idx)), targets] >= request.tau
    reason = found.reason.copy()
    # The search and the judge may differ in the last bit; the judge has the last word.
    is_reached = valid & mature
    reason[is_reached & (reason != TOO_NEAR)] = None
    reason[~is_reached & (reason == None)] = FLIPPED_BACK  # noqa: E711
    return Explanation(
        factual_rows=factuals,
        counterfactual_rows=factuals.with_values(found.values),
        target=model.classes[targets],
        prediction=model.classes[predictions],
        factual_prediction=model.classes[request.factual_predictions[idx]],
        proba=proba,
        valid=valid,
        mature=mature,
        n_iter=found.n_iter,
        cost=_costs(request, factuals, found.values),
        reason=reason,
        encoder=model.encoder,
        row=idx,
        alternative=np.tile(np.arange(n_alternatives), n_rows),
        n_alternatives=n_alternatives,
        path=_path_in_x_units(found.path, factuals) if request.return_path else None,
    )


def _interleaved(parts):
    """Join the alternatives of all chunks; those of one factual follow one another."""
    joined = []
    for field in fields(Found):
        chunks = [[getattr(found, field.name) for found in alternatives] for alternatives in parts]
        joined.append(np.concatenate([np.concatenate(np.stack(c, axis=1)) for c in chunks]))
    return Found(*joined)


def _judged(model, factuals, found):
    """Judge what was found; the factual itself replaces what the model rejects."""
    proba = model.predict_proba(factuals.with_values(found.values))
    rejected = np.flatnonzero(np.isnan(proba).any(axis=1))
    if not len(rejected):
        return found, proba
    originals = factuals.select(rejected)
    values, reason = found.values.copy(), found.reason.copy()
    values[rejected], reason[rejected] = originals.values, LOST
    proba[rejected] = model.predict_proba(originals)
    return Found(values, found.n_iter, reason, found.path), proba


def _costs(request, factuals, values):
    """Return the l1 distances between counterfactuals and factuals, weighted by the costs."""
    encoder = request.model.encoder
    costs = encoder.encode_costs(request.feature_costs)
    moves = (
        encoder.encode_values(values[chunk]) - encoder.encode_values(factuals.values[chunk])
        for chunk in gen_batches(len(values), CHUNK)
    )
    return np.concatenate([np.abs(move) @ costs for move in moves])


def _path_in_x_units(path, factuals):
    """Replace the positions of categories by the categories; numbers alone stay float64."""
    schema = factuals.schema
    if not (schema.categories or schema.unread):
        return path
    cells = path.astype(object)
    for feature in schema.categories:
        cells[..., feature] = schema.cells(feature, path[..., feature])
    for feature in schema.unread:
        cells[..., feature] = cells_of(factuals.original, feature)[:, None]
    return cells


class ChunkSearch:
    """A search for a chunk of rows.

    A row is mature only if the values that the user would be given are: they are
    decoded, clamped and rounded first, then judged in float64. A row that the judge
    rejects goes on searching.

    Parameters
    ----------
    request : Request
    searcher : torch.nn.Module
        Copy of the model's module, whose gradients are taken.
    chunk : slice
        Positions of the rows in the request.
    """

    def __init__(self, request, searcher, chunk):
        self.request = request
        self.searcher = searcher
        self.encoder = request.model.encoder
        self.rows, self.targets = request.rows.select(chunk), request.targets[chunk]
        self.columns = self.encoder.expand(self.rows.values)
        self.encoded = self.encoder.to_module_units(self.columns)
        self.constraints = request.constraints.select(chunk)
        self.box = self.constraints.box(self.columns)

    def find(self, idx, earlier=None, held=None, push=0.0):
        """Search one counterfactual for some rows.

        Parameters
        ----------
        idx : ndarray of shape (n_rows,)
            Positions in the chunk.
        earlier : ndarray of shape (n_rows, n_alternatives, n_columns), default=None
            Module rows from which to keep a distance.
        held : bool ndarray of shape (n_rows, n_features), default=None
            Features that must not move.
        push : float, default=0.0
            Weight of the push away from `earlier`.

        Returns
        -------
        found : Found
        """
        request, encoder, device = self.request, self.encoder, device_of(self.searcher)
        batch = _Batch(self, idx, earlier, held)
        targets = torch.as_tensor(self.targets[idx], dtype=torch.int64, device=device)
        module_box = encoder.encode_box(batch.box).to_tensors(dtype=torch.float32, device=device)
        costs = encoder.relative_costs(request.feature_costs, self.constraints.select(idx))
        result = request.generator.generate(
            self.searcher,
            torch.as_tensor(batch.encoded, device=device),
            targets,
            module_box,
            costs=torch.as_tensor(costs, dtype=torch.float32, device=device),
            tau=request.tau,
            T=request.T,
            accept=batch.accept,
            ways=torch.as_tensor(earlier, dtype=torch.float32, device=device) if push else None,
            push=push,
            return_path=request.return_path,
        )
        values = batch.decode(result.counterfactuals).values
        reason = reasons(request.generator, self.searcher, encoder, result, T=request.T)
        if request.sparse:
            values = self._sparse(values, idx)
        if earlier is not None:
            is_near = ~self.is_apart(values, earlier) & self.is_predicted(values, idx)
            reason[is_near] = TOO_NEAR
        n_iter = result.n_iter.cpu().numpy()
        path = np.empty((len(idx), 0))
        if request.return_path:
            path = batch.decode_path(result.path, n_iter, values)
        return Found(values, n_iter, reason, path)

    def box_of(self, idx, held):
        """Return the bounds of some rows in X's units; a held feature is a point."""
        box = self.box.select(idx)
        if held is None:
            return box
        held, columns = self.encoder.per_column(held), self.columns[idx]
        return Box(
            np.where(held, columns, box.lower), np.where(held, columns, box.upper), box.groups
        )

    def judge(self, rows, idx):
        """Return the probability of the target, and whether it is predicted."""
        proba = self.request.model.predict_proba(rows)
        targets = self.targets[idx]
        return proba[np.arange(len(idx)), targets], proba.argmax(axis=1) == targets

    def is_predicted(self, values, idx):
        """Whether values are predicted as their target."""
        return self.judge(self.rows.select(idx).with_values(values), idx)[1]

    def is_apart(self, values, earlier):
        """Whether values keep their distance from earlier alternatives."""
        moves = np.abs(self.encoder.encode_values(values)[:, None] - earlier)
        return (moves @ self.encoder.column_weights).min(axis=1) >= LEAST_DISTANCE

    def _sparse(self, values, idx):
        """Revert features where a row stays valid, and mature if it was.

        The distance from earlier alternatives is ignored: no feature is to change for
        the sake of being different.
        """
        rows = self.rows.select(idx)
        shares, is_predicted = self.judge(rows.with_values(values), idx)
        thresholds = np.where(shares >= self.request.tau, self.request.tau, 0.0)
        valid = np.flatnonzero(is_predicted)

        def score(trial_values, trial_idx):
            trial_idx = valid[trial_idx]
            trials = rows.select(trial_idx).with_values(trial_values)
            shares, is_predicted = self.judge(trials, idx[trial_idx])
            return np.where(is_predicted & (shares >= thresholds[trial_idx]), shares, -np.inf)

        sparse = values.copy()
        sparse[valid] = revert_features(values[valid], rows.values[valid], score)
        return sparse


class _Batch:
    """Rows that are searched together: how their states are decoded and accepted."""

    def __init__(self, chunk, idx, earlier, held):
        self.chunk = chunk
        self.idx = idx
        self.earlier = earlier
        self.rows: Rows = chunk.rows.select(idx)
        self.encoded = chunk.encoded[idx].astype(np.float32)
        self.box = chunk.box_of(idx, held)

    def decode(self, states, idx=slice(None), *, rounded=True):
        """Map states (Tensor of module rows) at some positions to `Rows`."""
        return self.chunk.encoder.decode(
            states.cpu().numpy(),
            self.encoded[idx],
            self.rows.select(idx),
            self.box.select(idx),
            rounded=rounded,
        )

    def accept(self, states, idx):
        """Whether states, decoded, are mature and apart from earlier alternatives."""
        positions = idx.cpu().numpy()
        rows = self.decode(states, positions)
        shares, is_accepted = self.chunk.judge(rows, self.idx[positions])
        is_accepted &= shares >= self.chunk.request.tau
        if self.earlier is not None:
            is_accepted &= self.chunk.is_apart(rows.values, self.earlier[positions])
        return torch.as_tensor(is_accepted, device=states.device)

    def decode_path(self, path, n_iter, values):
        """Return the decoded states of every step; a finished search stays where it is."""
        steps = np.arange(path.shape[1])
        decoded = [self.decode(path[:, t], rounded=False).values for t in steps]
        is_finished = (steps >= n_iter[:, None])[:, :, None]
        return np.where(is_finished, values[:, None], np.stack(decoded, axis=1))
