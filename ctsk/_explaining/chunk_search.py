"""The search for the counterfactuals of a chunk of rows: generate, decode, accept, limit."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from ctsk._columns.decoding import Decoder
from ctsk._columns.rounding import grid_of
from ctsk._columns.rows import Rows
from ctsk._columns.schema import differ
from ctsk._explaining.failure_reasons import TOO_NEAR, reasons, too_many_changes
from ctsk._explaining.sparsify import most_by_unit, revert_features
from ctsk._torch.utils import device_of
from ctsk.generators.result import LEAST_DISTANCE, check_result


@dataclass(frozen=True)
class Found:
    """The results of a search for some rows.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        The counterfactuals, or the states in which the search stopped, decoded.
    n_iter : ndarray of shape (n_rows,)
        Number of steps.
    reason : ndarray of shape (n_rows,)
        `Reason` objects; None where the search reached maturity.
    path : ndarray of shape (n_rows, T + 1, n_features), or (n_rows, 0) if not requested
    """

    values: np.ndarray
    n_iter: np.ndarray
    reason: np.ndarray
    path: np.ndarray

    def with_values(self, idx, values):
        """Return a copy in which other values, which are mature, replace those at some positions.

        A path jumps to them in its last step.
        """
        found = self.select(idx)
        path = found.path
        if path.shape[1]:
            is_end = np.arange(path.shape[1]) >= found.n_iter[:, None]
            path = np.where(is_end[:, :, None], values[:, None], path)
        reason = np.full(len(values), None, dtype=object)
        return self.updated(idx, Found(values, found.n_iter, reason, path))

    def arrays(self):
        """Return the arrays in the order of the fields."""
        return [getattr(self, field.name) for field in fields(self)]

    def select(self, idx):
        """Return the results of the rows at some positions."""
        return Found(*(array[idx] for array in self.arrays()))

    def updated(self, idx, found):
        """Return a copy in which other results replace those at some positions."""
        copies = [array.copy() for array in self.arrays()]
        for array, other in zip(copies, found.arrays(), strict=True):
            array[idx] = other
        return Found(*copies)


class ChunkSearch:
    """A search for a chunk of rows.

    A row is mature only if the values that the user would receive are: they are decoded,
    clamped and rounded first, then judged in float64. The search of a row that the judge
    rejects continues.

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
        # The box is computed in X's units, so that a bound is exactly the number that the user
        # passed; it is converted to module units for the search only.
        self.columns = self.encoder.expand(self.rows.values)
        self.encoded = self.encoder.to_module_units(self.columns)
        self.constraints = request.constraints.select(chunk)
        self.box = self.constraints.box(self.columns)
        self.box = self._held_where_there_is_no_direction(self.box)

    def find(self, idx, earlier=None, held=None, push=0.0):
        """Search for one counterfactual of some rows.

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
        costs = encoder.relative_costs(request.feature_costs, self.constraints.select(idx))
        result = request.generator.search(
            self.searcher,
            batch.factuals,
            targets,
            batch.module_box,
            costs=torch.as_tensor(costs, dtype=torch.float32, device=device),
            tau=request.search_tau,
            T=request.T,
            accept=batch.accept,
            earlier=None
            if earlier is None
            else torch.as_tensor(earlier, dtype=torch.float32, device=device),
            push=push,
            sparse=request.sparse,
            max_changes=request.max_changes,
            return_path=request.return_path,
        )
        check_result(result, request.generator, batch.factuals)

        # The reasons refer to the search, so they are determined before features are reverted;
        # the distance is checked afterward, because reverting may bring rows close together.
        values = batch.final_values(result)
        reason = reasons(
            request.generator,
            self.searcher,
            encoder,
            result,
            targets,
            lambda positions: self.shares(values[positions], idx[positions]),
            T=request.T,
        )
        if request.sparse or request.max_changes is not None:
            values = self._sparse(values, idx)
        if earlier is not None:
            is_near = ~self.is_apart(values, earlier) & self.is_predicted(values, idx)
            reason[is_near] = TOO_NEAR
        n_iter = result.n_iter.cpu().numpy()
        # Without a path, an array of width 0 can be selected and joined like one.
        path = np.empty((len(idx), 0))
        if request.return_path:
            path = batch.decode_path(result.path, n_iter, values)
        found = Found(values, n_iter, reason, path)
        return self._limited(found, idx, earlier, held)

    def _limited(self, found, idx, earlier, held):
        """Return results in which no row has more than `max_changes` changed features.

        Rows with more changes are searched again, among the features that have moved most.
        """
        at_most = self.request.max_changes
        if at_most is None:
            return found
        units = self.rows.schema.units
        moves = np.abs(self.encoder.encode_values(found.values) - self.encoded[idx])
        moves = self.encoder.largest_by_feature(moves)
        changed = differ(found.values, self.rows.values[idx])
        # A gap may become the number by which it is coded, which is a change without a move.
        moves = np.where(changed, moves.clip(np.finfo(moves.dtype).tiny), 0)
        by_unit = most_by_unit(moves, units)
        has_more = np.flatnonzero((by_unit > 0).sum(axis=1) > at_most)
        if not len(has_more):
            return found
        # The rank of each unit by its move: an argsort of an argsort inverts the permutation.
        ranks = np.argsort(np.argsort(-by_unit[has_more], axis=1), axis=1)
        is_held = (ranks >= at_most)[:, units]
        if held is not None:
            is_held |= held[has_more]
        again = self.find(idx[has_more], None if earlier is None else earlier[has_more], is_held)
        # A copy keeps its reason, which says that the row is not valid. None is compared
        # elementwise.
        is_short = (again.reason != None) & (again.reason != TOO_NEAR)  # noqa: E711
        again.reason[is_short] = too_many_changes(at_most)
        return found.updated(has_more, again)

    def movable(self):
        """Return which features can change in each row; bool ndarray (n_rows, n_features)."""
        box = self.box
        low, high = (box.lower, box.upper) if box.low is None else (box.low, box.high)
        is_free = box.lower < box.upper
        for column, feature in enumerate(self.encoder.numeric.tolist()):
            grid = grid_of(self.rows.dtypes[feature], self.encoder.grids.get(feature))
            if grid is None:
                continue
            # Bounds that differ may hold no other number of the grid than the row's own. A gap or
            # a special value is left through its one-hot columns, which are judged by themselves.
            first, last = grid.ceil(low[:, column]), grid.floor(high[:, column])
            is_own = (first == last) & (first == self.columns[:, column])
            is_free[:, column] &= (first <= last) & ~is_own
        return self.encoder.largest_by_feature(is_free)

    def box_of(self, idx, held):
        """Return the bounds of some rows in X's units; a held feature is a point."""
        box = self.box.select(idx)
        if held is None:
            return box
        # A group of dummies is held as a whole, because its columns change together.
        held = held.copy()
        for group in self.rows.schema.dummies:
            held[:, group] = held[:, group].any(axis=1, keepdims=True)
        return self._hold(box, self.encoder.per_column(held), idx)

    def _hold(self, box, held, idx=slice(None)):
        """Return bounds in which some columns are a point, at the row's own value."""
        columns = self.columns[idx]
        lower, upper = np.where(held, columns, box.lower), np.where(held, columns, box.upper)
        if box.low is None:
            return replace(box, lower=lower, upper=upper)
        # The shares that code an unknown category are no category that may be reached.
        is_share = (columns < 1) & (np.arange(columns.shape[1]) >= box.groups.n_numeric)
        reachable = np.where(is_share, 0.0, columns)
        low, high = np.where(held, reachable, box.low), np.where(held, reachable, box.high)
        return replace(box, lower=lower, upper=upper, low=low, high=high)

    def _held_where_there_is_no_direction(self, box):
        """Return bounds in which a value without a place stays if it may move one way only.

        This concerns gaps, special values and ordered categories that training did not have.
        They have no one-hot column, by which the box would recognize them.
        """
        values, schema = self.rows.values, self.rows.schema
        may_rise, may_fall = self.constraints.may_rise, self.constraints.may_fall
        is_held = schema.is_state(values)
        for feature, categories in schema.categories.items():
            is_held[:, feature] = categories.ordered & (values[:, feature] < 0)
        return self._hold(box, self.encoder.per_column(is_held) & ~(may_rise & may_fall))

    def judge(self, rows, idx):
        """Return the probability of the target, and whether it is predicted."""
        # Both are needed: with a tau below one half, or a threshold of a wrapped model, another
        # class may be predicted.
        proba = self.request.model.predict_proba(rows)
        targets = self.targets[idx]
        shares = proba[np.arange(len(idx)), targets]
        # The NaN of a rejected row would pass for a prediction of the first class.
        is_predicted = self.request.model.predictions(proba) == targets
        return shares, is_predicted & ~np.isnan(shares)

    def shares(self, values, idx):
        """Return the probabilities of the targets of values."""
        return self.judge(self.rows.select(idx).with_values(values), idx)[0]

    def accepted(self, states, idx):
        """Return the values of states in float64, and whether they are mature.

        Parameters
        ----------
        states : ndarray of shape (n_states, n_columns)
            Hardened states in module units.
        idx : int ndarray of shape (n_states,)
            Positions of their factuals in the chunk.
        """
        batch = _Batch(self, idx, None, None, dtype=np.float64)
        is_accepted = batch.accept(torch.as_tensor(states), torch.arange(len(idx)))
        return batch.accepted, is_accepted.numpy()

    def is_predicted(self, values, idx):
        """Return whether values are predicted as their target."""
        return self.judge(self.rows.select(idx).with_values(values), idx)[1]

    def is_apart(self, values, earlier):
        """Return whether values keep their distance from earlier alternatives."""
        moves = np.abs(self.encoder.encode_values(values)[:, None] - earlier)
        return (moves @ self.encoder.column_weights).min(axis=1) >= LEAST_DISTANCE

    def _sparse(self, values, idx):
        """Revert features where a row stays valid, and mature if it was.

        The distance from earlier alternatives is ignored, because no feature should change
        only to make a difference.
        """
        rows = self.rows.select(idx)
        shares, is_predicted = self.judge(rows.with_values(values), idx)
        # A mature row must remain so; one that is only valid may lose probability.
        thresholds = np.where(shares >= self.request.tau, self.request.tau, 0.0)
        valid = np.flatnonzero(is_predicted)

        def score(trial_values, trial_idx):
            trial_idx = valid[trial_idx]
            trials = rows.select(trial_idx).with_values(trial_values)
            shares, is_predicted = self.judge(trials, idx[trial_idx])
            return np.where(is_predicted & (shares >= thresholds[trial_idx]), shares, -np.inf)

        sparse = values.copy()
        sparse[valid] = revert_features(
            values[valid], rows.values[valid], score, self.rows.schema.units
        )
        return sparse


class _Batch:
    """Rows that are searched together, with the decoding and acceptance of their states."""

    def __init__(self, chunk, idx, earlier, held, *, dtype=np.float32):
        self.chunk = chunk
        self.idx = idx
        self.earlier = earlier
        self.rows: Rows = chunk.rows.select(idx)
        # In the precision of the states, so that an unchanged state is equal to its factual.
        self.encoded = chunk.encoded[idx].astype(dtype)
        self.box = chunk.box_of(idx, held)
        device = device_of(chunk.searcher)
        module_box = chunk.encoder.encode_box(self.box)
        origin, spacing = chunk.encoder.encode_grids(self.rows.dtypes)
        if spacing.any():
            module_box = replace(module_box, origin=origin, spacing=spacing)
        self.module_box = module_box.to_tensors(dtype=torch.float32, device=device)
        self.factuals = torch.as_tensor(self.encoded, device=device)
        # Values that were accepted, each with the rounding that was.
        self.accepted = self.rows.values.copy()
        self.decoder = Decoder(chunk.encoder, self.encoded, self.rows, self.box)
        # Numbers are rounded toward the factual first, because that costs the least.
        self.roundings = ("toward", "nearest", "away") if self.decoder.rounds else (None,)

    def decode(self, states, idx=slice(None), *, rounding="nearest"):
        """Map hardened states (Tensor of module rows) at some positions to `Rows`."""
        return self.decoder.decode(states.cpu().numpy(), idx, rounding=rounding)

    def accept(self, states, idx):
        """Return whether decoded states are mature and apart from earlier alternatives."""
        positions = idx.cpu().numpy()
        is_accepted = np.zeros(len(positions), dtype=bool)
        remaining = np.arange(len(positions))
        for rounding in self.roundings:
            # A generator may also ask about no rows at all.
            if not len(remaining):
                break
            rows = self.decode(states[remaining], positions[remaining], rounding=rounding)
            passes = self._are_accepted(rows, positions[remaining])
            found = remaining[passes]
            self.accepted[positions[found]] = rows.values[passes]
            is_accepted[found] = True
            remaining = remaining[~passes]
        return torch.as_tensor(is_accepted, device=states.device)

    def _are_accepted(self, rows, positions):
        """Return whether rows are mature and apart from earlier alternatives."""
        shares, is_accepted = self.chunk.judge(rows, self.idx[positions])
        is_accepted &= shares >= self.chunk.request.tau
        if self.earlier is not None:
            is_accepted &= self.chunk.is_apart(rows.values, self.earlier[positions])
        return is_accepted

    def final_values(self, result):
        """Return the accepted values, and the decoded last states of all other rows."""
        is_mature = result.mature.cpu().numpy()
        if is_mature.all():
            return self.accepted
        decoded = self.decode(result.counterfactuals).values
        return np.where(is_mature[:, None], self.accepted, decoded)

    def decode_path(self, path, n_iter, values):
        """Return the decoded states of every step; a finished search keeps its last state."""
        # `values` may differ from the last decoded state, because they are rounded and sparse.
        steps = np.arange(path.shape[1])
        hardened = [self.module_box.harden(path[:, t], self.factuals) for t in steps]
        decoded = [self.decode(states, rounding=None).values for states in hardened]
        is_finished = (steps >= n_iter[:, None])[:, :, None]
        return np.where(is_finished, values[:, None], np.stack(decoded, axis=1))
