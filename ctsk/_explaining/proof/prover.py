"""Proofs of the counterfactuals of a request, row by row, in parallel."""

import time
from dataclasses import replace

import joblib
import numpy as np

from ctsk._columns.containers import listed
from ctsk._columns.rounding import grid_of
from ctsk._explaining.failure_reasons import Reason, ReasonKind
from ctsk._explaining.proof.network import UnsupportedLayerError, layers_of
from ctsk._explaining.proof.optimum import GAP, RowProblem, cheapest
from ctsk._explaining.proof.relaxation import fewest_to_relax
from ctsk._explaining.sparsify import n_changed_units
from ctsk.generators import NearestGenerator

# Relative to the scale of a column, the spacing of a grid below which rounding costs nothing.
_FINEST = 1e-5
# Seconds in which to look for the constraints to relax, of those that the proof has left.
_MOST_SECONDS_TO_RELAX = 1.0
# Seconds between two progress lines.
_LINE_INTERVAL = 0.5


class Prover:
    """Proves what the counterfactuals of a request cost at least, and improves them.

    Parameters
    ----------
    request : Request

    Attributes
    ----------
    lower_bound : ndarray of shape (n_rows,)
        No counterfactual of a row costs less; infinite if there is none. Under `sparse`, none
        with `fewest` changes costs less.
    fewest : int ndarray of shape (n_rows,)
        No counterfactual has fewer changes.
    reason : ndarray of shape (n_rows,)
        `Reason` objects of rows without any counterfactual; None for the others.

    Raises
    ------
    ValueError
        If the model is not piecewise linear, or the generator does not search for the cheapest
        counterfactual.
    """

    def __init__(self, request):
        self.request = request
        self.layers = provable_layers(request.model)
        _check_generator(request.generator)
        n_rows = len(request.rows)
        self.lower_bound = np.zeros(n_rows)
        self.fewest = np.zeros(n_rows, dtype=int)
        self.reason = np.full(n_rows, None, dtype=object)
        self._progress = ProgressLine(n_rows, request.verbose)
        self._is_interrupted = False

    def improve(self, chunk, found, first):
        """Prove the results for a chunk of rows, and replace those that can be improved.

        Parameters
        ----------
        chunk : ChunkSearch
        found : Found
        first : int
            Position of the first row of the chunk among all rows.

        Returns
        -------
        found : Found
        """
        factuals = chunk.rows.values
        costs = self.request.costs(found.values, factuals)
        n_changes = n_changed_units(found.values, factuals, chunk.rows.schema.units)
        # None is compared elementwise.
        is_known = found.reason == None  # noqa: E711
        costs = np.where(is_known, costs, np.inf)
        # Nothing is cheaper than what costs nothing, and a factual that is its own counterfactual
        # has no change either.
        is_open = (costs > 0) | (n_changes > 0) if self.request.sparse else costs > 0
        idx = np.flatnonzero(is_open)
        self._progress.advance(len(costs) - len(idx))
        rows, candidates = [], []
        for row, optimum, relaxed in self._results(chunk, idx, costs, n_changes):
            self._progress.advance(1)
            self.lower_bound[first + row] = optimum.lower_bound
            self.fewest[first + row] = optimum.fewest
            if optimum.is_impossible:
                limit = self.request.max_changes
                self.reason[first + row] = _impossible(chunk.encoder, relaxed, limit)
            rows += [row] * len(optimum.rows)
            candidates += optimum.rows
        if not rows:
            return found
        rows = np.array(rows)
        rows, values = best_accepted(chunk, np.stack(candidates), rows, rows)
        # The judge may reject all of them.
        if not len(rows):
            return found
        costs = costs[rows], self.request.costs(values, factuals[rows])
        units = chunk.rows.schema.units
        n_changes = n_changes[rows], n_changed_units(values, factuals[rows], units)
        is_better = costs[1] < costs[0]
        if self.request.sparse:
            has_fewer = np.isinf(costs[0]) | (n_changes[1] < n_changes[0])
            is_better = has_fewer | (is_better & (n_changes[1] == n_changes[0]))
        return found.with_values(rows[is_better], values[is_better])

    def _results(self, chunk, idx, costs, n_changes):
        """Yield positions of rows, and their optimum and relaxation; fewer if interrupted."""
        if self._is_interrupted:
            return
        request, free_box_of = self.request, _free(chunk)
        problem_of = problems(chunk, self.layers, np.arange(len(chunk.rows)))
        tasks = (
            joblib.delayed(_prove)(
                row,
                problem_of(row),
                (costs[row], n_changes[row]) if np.isfinite(costs[row]) else None,
                free_box_of(row),
                request.time_limit,
            )
            for row in idx.tolist()
        )
        try:
            yield from joblib.Parallel(request.n_jobs, return_as="generator_unordered")(tasks)
        except KeyboardInterrupt:
            # What is proven so far is worth returning.
            self._is_interrupted = True

    def proofs(self, idx, is_found, costs, n_changes):
        """Return what is proven of rows that are returned, and the lower bounds of their costs.

        Parameters
        ----------
        idx : int ndarray of shape (n_returned,)
            Positions of their factuals.
        is_found : bool ndarray of shape (n_returned,)
        costs : ndarray of shape (n_returned,)
        n_changes : int ndarray of shape (n_returned,)

        Returns
        -------
        proofs : ndarray of shape (n_returned,)
            "optimal", "impossible" or "open".
        lower_bounds : ndarray of shape (n_returned,)
        """
        self._progress.end(self._is_interrupted)
        # The row that is returned is the better evidence.
        self.lower_bound[idx[is_found & np.isinf(self.lower_bound[idx])]] = 0.0
        lower_bounds = self.lower_bound[idx]
        proofs = words(is_found, costs, lower_bounds)
        if self.request.sparse:
            proofs[(proofs == "optimal") & (n_changes > self.fewest[idx])] = "open"
        return proofs, lower_bounds


def best_accepted(chunk, states, idx, owners):
    """Return the best state of each owner that the judge accepts.

    Parameters
    ----------
    chunk : ChunkSearch
    states : ndarray of shape (n_states, n_columns)
    idx : int ndarray of shape (n_states,)
        Positions of their factuals in the chunk.
    owners : int ndarray of shape (n_states,)
        States with the same number compete.

    Returns
    -------
    owners : int ndarray of shape (n_found,)
        Those of which any state is accepted, in increasing order.
    values : ndarray of shape (n_found, n_features)
    """
    request, factuals = chunk.request, chunk.rows.values[idx]
    values, is_accepted = chunk.accepted(states, idx)
    costs = request.costs(values, factuals)
    n_changes = n_changed_units(values, factuals, chunk.rows.schema.units)
    if request.max_changes is not None:
        is_accepted &= n_changes <= request.max_changes
    # The last key sorts first.
    order = np.lexsort((costs, n_changes, owners) if request.sparse else (costs, owners))
    order = order[is_accepted[order]]
    owners, first = np.unique(owners[order], return_index=True)
    return owners, values[order[first]]


def words(is_found, costs, lower_bounds):
    """Return "optimal", "impossible" or "open" for each row."""
    proofs = np.full(len(costs), "open", dtype=object)
    # The second factor covers the rounding of the first one.
    proofs[is_found & (costs <= lower_bounds * (1 + GAP) * (1 + 1e-9))] = "optimal"
    proofs[np.isinf(lower_bounds)] = "impossible"
    return proofs


def provable_layers(model):
    """Return the layers of a model of which something can be proven; see `layers_of`.

    Raises
    ------
    ValueError
        If the model is not piecewise linear.
    """
    if model.curved:
        raise ValueError(
            "A proof needs steps that are affine for each feature, but the pipeline maps "
            f"{listed(model.curved)} by a curve. Apply the curve to X before the pipeline, or "
            "explain without a proof."
        )
    try:
        return layers_of(model.module)
    except UnsupportedLayerError as error:
        raise ValueError(
            "A proof needs a network of linear layers and ReLUs (activation='relu' or 'identity'), "
            f"but this one has: {error.layer}. Train such a network, or explain without a proof."
        ) from error


def _check_generator(generator):
    """Raise a ValueError if a generator does not search for the cheapest counterfactual."""
    if not isinstance(generator, NearestGenerator) or generator.lambda_data:
        raise ValueError(
            f"prove=True proves that a counterfactual is the cheapest, which {generator!r} does "
            "not search for. Use generator='nearest'."
        )


def problems(chunk, layers, idx, held=None):
    """Return a function from the position of a row to its `RowProblem`.

    Parameters
    ----------
    chunk : ChunkSearch
    layers : list of pairs of ndarrays
    idx : int ndarray of shape (n_rows,)
        Rows of the chunk.
    held : bool ndarray of shape (n_rows, n_features), default=None
        Features that must not change.
    """
    request, encoder = chunk.request, chunk.encoder
    box = chunk.box_of(idx, held)
    box = encoder.encode_box(_between_flags(box, encoder, chunk.rows.dtypes))
    problem = RowProblem(
        layers,
        factual=None,
        box=None,
        costs=encoder.encode_costs(request.feature_costs),
        target=None,
        tau=request.search_tau,
        grids=encoder.encode_grids(chunk.rows.dtypes, finest=_FINEST),
        excluded=_special_columns(encoder),
        sparse=request.sparse,
        max_changes=request.max_changes,
        precision=request.model.precision,
    )

    def problem_of(row):
        return replace(
            problem,
            factual=chunk.encoded[idx[row]],
            box=box.select([row]),
            target=int(chunk.targets[idx[row]]),
        )

    return problem_of


def _between_flags(box, encoder, dtypes):
    """Return bounds, in X's units, in which a number with two values does not move beyond them."""
    low, high = (box.lower, box.upper) if box.low is None else (box.low, box.high)
    low, high = low.copy(), high.copy()
    for column, feature in enumerate(encoder.numeric.tolist()):
        grid = grid_of(dtypes[feature], encoder.grids.get(feature))
        if grid is not None and grid.values:
            low[:, column] = np.maximum(low[:, column], grid.values[0])
            high[:, column] = np.minimum(high[:, column], grid.values[1])
    return replace(box, low=low, high=high)


def _special_columns(encoder):
    """Return the special values of numeric columns in module units, as a dict by column."""
    values = encoder.schema.special_values
    return {
        column: encoder.column_to_module_units(np.array(values[feature]), column)
        for column, feature in enumerate(encoder.numeric.tolist())
        if len(values.get(feature, ()))
    }


def _free(chunk):
    """Return a function from the position of a row to its bounds without any constraints.

    All features move in both directions within the larger one of the domains of the request and
    of the model.
    """
    constraints, model = chunk.constraints, chunk.request.model
    free = replace(
        constraints,
        low=np.minimum(constraints.low, model.constraints.low),
        high=np.maximum(constraints.high, model.constraints.high),
        may_rise=np.ones_like(constraints.may_rise),
        may_fall=np.ones_like(constraints.may_fall),
    )
    encoder = chunk.encoder
    free_box = _between_flags(free.box(chunk.columns), encoder, chunk.rows.dtypes)
    box = encoder.encode_box(free_box)
    return lambda row: box.select([row])


def _prove(row, problem, known, free_box, time_limit):
    """Return the position of a row, its optimum, and the units to relax if there is none."""
    start = time.monotonic()
    optimum, relaxed = cheapest(problem, known=known, time_limit=time_limit), None
    if optimum.is_impossible:
        seconds = start + time_limit - time.monotonic()
        seconds = min(seconds, _MOST_SECONDS_TO_RELAX)
        relaxed = fewest_to_relax(problem, free_box, time_limit=seconds)
    return row, optimum, relaxed


def _impossible(encoder, relaxed, max_changes):
    """Return the reason of a row that has no counterfactual.

    Parameters
    ----------
    encoder : Encoder
    relaxed : list of int or None
        See `fewest_to_relax`.
    max_changes : int or None
    """
    text = "no counterfactual exists within these constraints (proven)"
    if relaxed:
        units = encoder.groups.units.numpy()
        columns = np.flatnonzero(np.isin(units, relaxed))
        features = np.unique(encoder.feature_of_column[columns])
        names = listed([encoder.names[feature] for feature in features])
        text += f"; one would if {names} could change freely"
    elif relaxed is not None:
        limit = "" if max_changes is None else f", but at most {max_changes} at once"
        text += f", nor does one if all features could change freely{limit}"
    return Reason(ReasonKind.IMPOSSIBLE, text)


class ProgressLine:
    """A line on the standard output that tells how many proofs are done.

    Parameters
    ----------
    n_rows : int
        Number of proofs.
    verbose : int
        0 for no line.
    noun : str, default="rows"
        What each proof is about.
    """

    def __init__(self, n_rows, verbose, noun="rows"):
        self.n_rows = n_rows
        self.verbose = verbose
        self.noun = noun
        self._n_done = 0
        self._start = self._last = time.monotonic()

    def advance(self, n_rows):
        """Count some rows as done, and rewrite the line from time to time."""
        self._n_done += n_rows
        now = time.monotonic()
        if self.verbose and now - self._last >= _LINE_INTERVAL:
            self._last = now
            left = (now - self._start) * (self.n_rows / max(self._n_done, 1) - 1)
            self._write(f"about {left:,.0f} s left", end="\r")

    def end(self, is_interrupted):
        """Write the last line."""
        if self.verbose:
            seconds = time.monotonic() - self._start
            note = "; interrupted, the other rows are open" if is_interrupted else ""
            self._write(f"{seconds:,.0f} s{note}", end="\n")

    def _write(self, note, end):
        line = f"proof: {self._n_done:,} of {self.n_rows:,} {self.noun}, {note}"
        # A shorter line than the last one must not leave its end on the screen.
        print(f"{line:<60}", end=end, flush=True)
