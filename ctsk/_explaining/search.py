"""The search from a request to an Explanation: search and judge rows in chunks."""

from dataclasses import dataclass, fields

import numpy as np
import torch

from ctsk._columns.containers import cells_of
from ctsk._explaining.alternatives import find_alternatives
from ctsk._explaining.chunk_search import ChunkSearch, Found
from ctsk._explaining.explanation import Explanation
from ctsk._explaining.failure_reasons import FLIPPED_BACK, LOST, TOO_NEAR
from ctsk._explaining.proof.prover import Prover
from ctsk._explaining.sparsify import n_changed_units
from ctsk._torch.copies import kept_copy
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import chunk_size, chunks


def search(request):
    """Search for counterfactuals, for a bounded number of rows at once.

    Parameters
    ----------
    request : Request

    Returns
    -------
    explanation : Explanation
    """
    model, n_alternatives, n_rows = request.model, request.n_alternatives, len(request.rows)
    # Whether anything can be proven is known before anything is searched.
    prover = Prover(request) if request.prove else None
    parts, movable = _found_in_chunks(request, prover)
    found = _interleaved(parts)
    # The parts take as much memory as all that is found.
    del parts
    # From here on, each alternative is a row of its own.
    idx = np.repeat(np.arange(n_rows), n_alternatives)
    factuals, targets = request.rows.repeat(n_alternatives), request.targets[idx]
    judged = Judged.of(request, factuals, targets, found)
    if n_alternatives > 1:
        # The last bits of a probability depend on the position of its row, so that the rows are
        # judged again in the order in which they are returned.
        found = found.select(judged.order(idx))
        judged = Judged.of(request, factuals, targets, found)
    found, proof = judged.found, {}
    if prover is not None:
        proof = _proof(prover, idx, judged, factuals)
    counterfactuals = factuals.with_values(found.values)
    return Explanation(
        factual_rows=factuals,
        counterfactual_rows=counterfactuals,
        target=model.classes[targets],
        prediction=model.classes[model.predictions(judged.proba)],
        factual_prediction=model.classes[request.factual_predictions[idx]],
        proba=judged.proba,
        valid=judged.valid,
        mature=judged.mature,
        n_iter=found.n_iter,
        cost=judged.cost,
        reason=judged.reason,
        encoder=model.encoder,
        row=idx,
        alternative=np.tile(np.arange(n_alternatives), n_rows),
        factual_proba=request.factual_proba[idx],
        immutable=~movable[idx],
        feature_cost=request.costs_by_feature(found.values, factuals.values),
        classes=tuple(model.classes.tolist()),
        tau=request.tau,
        constraints=request.constraints.select(idx),
        n_alternatives=n_alternatives,
        max_changes=request.max_changes,
        sparse=request.sparse,
        path=_path_in_x_units(found.path, factuals) if request.return_path else None,
        agreement=_agreement(model, counterfactuals, targets),
        **proof,
    )


def _found_in_chunks(request, prover):
    """Return the alternatives of each chunk of rows, and which features can change in each row."""
    # The search needs gradients, but no digits beyond float32; the judge has float64.
    searcher = kept_copy(request.model.module, torch.float32)
    n_rows, parts, movable = len(request.rows), [], []
    # A path has the cells of each step.
    n_cells = request.model.encoder.groups.n_columns * (request.T + 1 if request.return_path else 1)
    n_at_once = chunk_size(n_cells)
    with one_thread_if_small(searcher, min(n_rows, n_at_once)):
        for rows in chunks(n_rows, n_at_once):
            chunk = ChunkSearch(request, searcher, rows)
            movable.append(chunk.movable())
            parts.append(_found(chunk, rows.start, prover))
    return parts, np.concatenate(movable)


def _agreement(model, counterfactuals, targets):
    """Return the share of heads that predict the target; None for a model without heads."""
    if model.head_predictions is None:
        return None
    return (model.head_predictions(counterfactuals) == targets[:, None]).mean(axis=1)


def _proof(prover, idx, judged, factuals):
    """Return the fields of an explanation that a proof adds, and enter the reasons it gives."""
    n_changes = n_changed_units(judged.found.values, factuals.values, factuals.schema.units)
    is_found = judged.valid & judged.mature
    proofs, lower_bounds = prover.proofs(idx, is_found, judged.cost, n_changes)
    is_impossible = proofs == "impossible"
    judged.reason[is_impossible] = prover.reason[idx[is_impossible]]
    return {"proof": proofs, "lower_bound": lower_bounds}


def _found(chunk, start, prover):
    """Return the alternatives of the rows of a chunk, the first of which is proven if asked for.

    Parameters
    ----------
    chunk : ChunkSearch
    start : int
        Position of the first row of the chunk.
    prover : Prover or None
    """
    first = chunk.find(np.arange(len(chunk.rows)))
    if prover is not None:
        # The others keep a distance from the row that is returned in the end.
        first = prover.improve(chunk, first, start)
    return find_alternatives(chunk, first, chunk.request.n_alternatives)


@dataclass(frozen=True)
class Judged:
    """What the model says of the rows that are returned, whatever the search has reached.

    Parameters
    ----------
    found : Found
        The results, in which the factual replaces a row that the model rejects.
    proba : ndarray of shape (n_rows, n_classes)
    valid, mature : bool ndarray of shape (n_rows,)
    reason : ndarray of shape (n_rows,)
        `Reason` objects; None for rows that are valid and mature.
    cost : ndarray of shape (n_rows,)
    """

    found: Found
    proba: np.ndarray
    valid: np.ndarray
    mature: np.ndarray
    reason: np.ndarray
    cost: np.ndarray

    @classmethod
    def of(cls, request, factuals, targets, found):
        """Judge the results of a search."""
        found, proba = _accepted(request.model, factuals, found)
        reason = found.reason.copy()
        # A copy of an earlier alternative is no counterfactual of its own, whatever the model
        # predicts.
        valid = (request.model.predictions(proba) == targets) & (reason != TOO_NEAR)
        mature = proba[np.arange(len(targets)), targets] >= request.tau
        # The search and the judge may differ in the last bit, in which case the judge decides.
        # None is compared elementwise.
        is_reached = valid & mature
        reason[is_reached] = None
        reason[~is_reached & (reason == None)] = FLIPPED_BACK  # noqa: E711
        costs = request.costs(found.values, factuals.values)
        return cls(found, proba, valid, mature, reason, costs)

    def order(self, idx):
        """Return positions that sort the alternatives of each factual.

        Those that are found come first, then those that are only valid; the cheapest of each
        kind is the first.
        """
        return np.lexsort((self.cost, ~self.valid, ~(self.valid & self.mature), idx))


def _interleaved(parts):
    """Join the alternatives of all chunks, so that those of one factual are adjacent."""
    joined = []
    for field in fields(Found):
        # Stacking puts the alternatives on a second axis; joining the rows of the stack then
        # interleaves them.
        chunks = [[getattr(found, field.name) for found in alternatives] for alternatives in parts]
        joined.append(np.concatenate([np.concatenate(np.stack(c, axis=1)) for c in chunks]))
    return Found(*joined)


def _accepted(model, factuals, found):
    """Return results, with factuals in place of rows that the model rejects, and probabilities."""
    proba = model.predict_proba(factuals.with_values(found.values))
    rejected = np.flatnonzero(np.isnan(proba).any(axis=1))
    if not len(rejected):
        return found, proba
    # The copy protects the arrays of `found`, which the caller still holds.
    originals = factuals.select(rejected)
    values, reason, path = found.values.copy(), found.reason.copy(), found.path.copy()
    values[rejected], reason[rejected] = originals.values, LOST
    if path.shape[1]:
        path[rejected, -1] = originals.values
    proba[rejected] = model.predict_proba(originals)
    return Found(values, found.n_iter, reason, path), proba


def _path_in_x_units(path, factuals):
    """Return a path with categories in place of their positions; pure numbers stay float64."""
    schema = factuals.schema
    if not (schema.categories or schema.unread):
        return path
    cells = path.astype(object)
    for feature in schema.categories:
        codes = path[..., feature]
        # An unknown category has no code, or that of a missing one: it is the factual's cell.
        is_own = codes == factuals.values[:, [feature]]
        factual_cells = cells_of(factuals.original, feature)[:, None]
        cells[..., feature] = np.where(is_own, factual_cells, schema.cells(feature, codes))
    # Features that the model ignores were read as 0; each step repeats the factual's cell.
    for feature in schema.unread:
        cells[..., feature] = cells_of(factuals.original, feature)[:, None]
    return cells
