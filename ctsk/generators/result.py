"""Records of a search: its batch of rows, its log, and its result."""

import math
import operator
from dataclasses import dataclass, fields, replace

import torch
from torch.nn.functional import hardshrink

from ctsk._columns.constraints import Box

# Least l1 distance between the counterfactuals of a row, in module units; a change of category
# counts 1.
LEAST_DISTANCE = 0.1
# Number of entries of the states up to which the tensors of a step stay in the caches of a CPU.
# In many smaller parts, the overhead of the operations outweighs what the caches save.
_CACHED = 1_000_000


def rows_at_once(groups, device):
    """Return the number of rows that are searched at once, inf for all of them.

    Most operations on one-hot columns only move memory, so a CPU searches wide tables in parts
    that stay in its caches.
    """
    if len(groups) and device.type == "cpu":
        return max(1, _CACHED // groups.n_columns)
    return math.inf


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows that are still searching, and everything that belongs to them.

    Parameters
    ----------
    idx : LongTensor of shape (n_rows,)
        Positions of the rows among all factuals of the search.
    codes : Tensor of shape (n_rows, n_codes) or None
        The codes of the states, if the search takes place among codes.
    states, factuals : Tensor of shape (n_rows, n_columns)
    targets : LongTensor of shape (n_rows,)
    box : Box
        The bounds of each row.
    costs : Tensor of shape (n_columns,) or (n_rows, n_columns)
        Cost of a unit of each column.
    earlier : Tensor of shape (n_rows, n_earlier, n_columns) or None
        Earlier counterfactuals of the same factuals, from which the search keeps away.
    """

    idx: torch.Tensor
    codes: torch.Tensor | None
    states: torch.Tensor
    factuals: torch.Tensor
    targets: torch.Tensor
    box: Box
    costs: torch.Tensor
    earlier: torch.Tensor | None

    def select(self, mask):
        """Return the batch of the rows for which a boolean mask is true."""
        # A mask as an index would be searched again for each of these tensors.
        return self.at_positions(mask.nonzero()[:, 0])

    def at_positions(self, positions):
        """Return the batch of the rows at some positions, in their order."""
        return self._of_each(lambda values: values.index_select(0, positions))

    def parts(self, n_rows, T):
        """Return batches of at most `n_rows` rows, each with its number of steps.

        It is `T`, or 0 for rows whose box is a point: they are judged, but cannot move.
        """
        can_move = (self.box.lower < self.box.upper).any(dim=1)
        kinds = [(self, T)]
        if not can_move.all():
            kinds = [(self.select(can_move), T), (self.select(~can_move), 0)]
            # Not every module can evaluate no rows.
            kinds = [(batch, n_steps) for batch, n_steps in kinds if len(batch.idx)]
        return [(part, n_steps) for batch, n_steps in kinds for part in batch.split(n_rows)]

    def split(self, n_rows):
        """Return consecutive batches of `n_rows` rows each; the last one may be smaller."""
        # A batch that is small enough, or has no rows, is its own only part.
        if len(self.idx) <= n_rows:
            return [self]
        slices = [slice(start, start + n_rows) for start in range(0, len(self.idx), n_rows)]
        return [self._of_each(operator.itemgetter(part)) for part in slices]

    @staticmethod
    def concatenate(batches):
        """Return the batch of the rows of several batches."""
        if len(batches) == 1:
            return batches[0]
        merged = {}
        for field in fields(Batch):
            values = [getattr(batch, field.name) for batch in batches]
            if field.name == "box":
                merged["box"] = Box.concatenate(values)
                continue
            is_shared = values[0] is None or (field.name == "costs" and values[0].ndim == 1)
            merged[field.name] = values[0] if is_shared else torch.cat(values)
        return Batch(**merged)

    def _of_each(self, pick):
        """Return the batch of the rows that a function picks from each tensor."""

        def picked(values):
            return None if values is None else pick(values)

        return Batch(
            idx=pick(self.idx),
            codes=picked(self.codes),
            states=pick(self.states),
            factuals=pick(self.factuals),
            targets=pick(self.targets),
            box=self.box.of_each(pick),
            # One dimension means that all rows share the same costs.
            costs=self.costs if self.costs.ndim == 1 else pick(self.costs),
            earlier=picked(self.earlier),
        )

    def at(self, states, codes):
        """Return the same rows at other states and codes."""
        # dataclasses.replace is slower, and this runs in every step.
        return Batch(
            self.idx,
            codes,
            states,
            self.factuals,
            self.targets,
            self.box,
            self.costs,
            self.earlier,
        )


def _end_of_line(factuals, counterfactuals, epsilon):
    """Return the last point on the line to each counterfactual that is nearer than epsilon."""
    moves = counterfactuals - factuals
    distances = moves.abs().amax(dim=1, keepdim=True)
    # The margins exceed the rounding errors of the product and of the sum below, so that the
    # rounded point lies strictly inside the ball.
    precision = torch.finfo(factuals.dtype).eps
    margins = precision * (8 * epsilon + 2 * factuals.abs().amax(dim=1, keepdim=True))
    shares = (epsilon - margins).clamp(min=0) / distances
    # A counterfactual inside the ball is returned as it is, without rounding.
    return torch.where(distances < epsilon, counterfactuals, factuals + shares * moves)


@dataclass(frozen=True)
class SearchResult:
    """Result of a search, row by row, in module units.

    Parameters
    ----------
    counterfactuals : Tensor of shape (n_rows, n_columns)
        The state in which each search ended, with hardened categories.
    mature : BoolTensor of shape (n_rows,)
        Whether the search ended because the target reached ``tau``.
    n_iter : LongTensor of shape (n_rows,)
        Number of steps taken.
    nascent : Tensor of shape (n_rows, n_columns) or None, default=None
        The last state on each path that differs from the factual by less than ``epsilon``
        in every column; None if ``epsilon`` is None.
    refused : BoolTensor of shape (n_rows,) or None, default=None
        Whether the last state had reached ``tau`` but was rejected by ``accept``. None
        stands for False in every row.
    path : Tensor of shape (n_rows, T + 1, n_columns) or None, default=None
        All states, starting with the factual; a finished search repeats its last state.
        None unless ``return_path=True``.
    unfinished : Batch or None, default=None
        The rows that are not mature, after their last step, with relaxed categories; None
        if the search does not descend a gradient.

    See Also
    --------
    ctsk.BaseGenerator : Its method `search` returns a result.

    Examples
    --------
    >>> import torch
    >>> from ctsk.generators import SearchResult
    >>> factuals = torch.zeros(2, 3)
    >>> result = SearchResult(
    ...     counterfactuals=factuals + 1,
    ...     mature=torch.tensor([True, False]),
    ...     n_iter=torch.tensor([1, 5]),
    ... )
    >>> result.mature
    tensor([ True, False])
    """

    counterfactuals: torch.Tensor
    mature: torch.Tensor
    n_iter: torch.Tensor
    nascent: torch.Tensor | None = None
    refused: torch.Tensor | None = None
    path: torch.Tensor | None = None
    unfinished: Batch | None = None

    @classmethod
    def of_jumps(
        cls, factuals, counterfactuals, mature, *, T, n_iter=None, epsilon=None, return_path=False
    ):
        """Return the result of a search that goes from each factual to its counterfactual at once.

        Parameters
        ----------
        factuals, counterfactuals : Tensor of shape (n_rows, n_columns)
        mature : BoolTensor of shape (n_rows,)
        T : int
        n_iter : LongTensor of shape (n_rows,), default=None
            Number of steps; None stands for 1 in every row that changed, and 0 otherwise.
        epsilon : float, default=None
        return_path : bool, default=False
            See `BaseGenerator.search`.

        Returns
        -------
        result : SearchResult
            Its path jumps from the factual to the counterfactual in the last step. The
            nascent counterfactual is the last point within `epsilon` on the line between
            them.
        """
        if n_iter is None:
            n_iter = (counterfactuals != factuals).any(dim=1).long()
        path = None
        if return_path:
            is_before = torch.arange(T + 1, device=n_iter.device) < n_iter[:, None]
            path = torch.where(is_before[..., None], factuals[:, None], counterfactuals[:, None])
        result = cls(counterfactuals, mature, n_iter, path=path)
        return result.with_nascent(factuals, epsilon)

    def with_nascent(self, factuals, epsilon):
        """Return the result with nascent counterfactuals on lines from the factuals.

        They are the last points within `epsilon` (maximum norm) on the line from each factual
        to its counterfactual; None leaves them out.
        """
        if epsilon is None:
            return self
        nascent = _end_of_line(factuals, self.counterfactuals, epsilon)
        return replace(self, nascent=nascent)

    @staticmethod
    def concatenate(results):
        """Return the result of all rows of several results, none of which has a batch."""
        merged = {}
        for field in fields(SearchResult):
            values = [getattr(result, field.name) for result in results]
            merged[field.name] = None if values[0] is None else torch.cat(values)
        return SearchResult(**merged)


class Record:
    """Log of a running search; local to one call of `BaseGenerator.search`.

    Parameters
    ----------
    factuals : Tensor of shape (n_rows, n_columns)
    T : int
    epsilon : float or None
    return_path : bool
        See `BaseGenerator.search`.
    """

    def __init__(self, factuals, T, epsilon, return_path):
        # Every row is overwritten when its search ends: by `mature`, or by `stop` at the latest.
        self.counterfactuals = factuals.clone()
        self.is_mature = torch.zeros(len(factuals), dtype=torch.bool, device=factuals.device)
        self.refused = torch.zeros_like(self.is_mature)
        self.n_iter = torch.zeros_like(self.is_mature, dtype=torch.int64)
        # The factual itself is nascent, in case the first step already leaves the ball.
        self.nascent = None if epsilon is None else factuals.clone()
        if epsilon is not None:
            # The largest distance that is less than epsilon.
            radius = factuals.new_tensor(epsilon)
            self._radius = torch.nextafter(radius, torch.zeros_like(radius)).item()
            self._ones = factuals.new_ones(factuals.shape[1])
        self.path = factuals[:, None].repeat(1, T + 1, 1) if return_path else None

    def advance(self, batch, t):
        """Record the states of a batch after `t` steps."""
        if self.nascent is not None:
            # Moves within the radius become 0, so that the sum of the sizes is 0 only inside the
            # ball. A product with ones is several times faster than a maximum over the columns.
            far = hardshrink(batch.states - batch.factuals, self._radius).abs_()
            inside = (far.mv(self._ones) == 0).nonzero()[:, 0]
            idx = batch.idx.index_select(0, inside)
            self.nascent.index_copy_(0, idx, batch.states.index_select(0, inside))
        if self.path is not None:
            # Later states overwrite this one; if the search ends here, it stays.
            self.path[batch.idx, t:] = batch.states[:, None]

    def mature(self, idx, states, t):
        """Record the states of the rows that became mature after `t` steps."""
        self.counterfactuals.index_copy_(0, idx, states)
        self.is_mature.index_fill_(0, idx, True)
        self.n_iter.index_fill_(0, idx, t)

    def stop(self, idx, states, refused, t):
        """Record the last states, after `t` steps, of all rows that were still searching."""
        self.counterfactuals.index_copy_(0, idx, states)
        self.n_iter[idx] = t
        self.refused[idx] = refused

    def result(self, unfinished):
        """Return the record as an immutable value."""
        return SearchResult(
            counterfactuals=self.counterfactuals,
            mature=self.is_mature,
            n_iter=self.n_iter,
            nascent=self.nascent,
            refused=self.refused,
            path=self.path,
            unfinished=unfinished,
        )


def check_result(result, generator, factuals):
    """Raise an error unless a search has returned a result for each factual.

    Parameters
    ----------
    result : object
        What `generator.search` returned.
    generator : BaseGenerator
    factuals : Tensor of shape (n_rows, n_columns)

    Raises
    ------
    TypeError
        If `result` is another object, such as a tensor of counterfactuals.
    ValueError
        If it has another number of rows or columns than `factuals`.
    """
    if not isinstance(result, SearchResult):
        raise TypeError(
            f"search of {type(generator).__name__} returned a {type(result).__name__}; it must "
            "return a ctsk.generators.SearchResult, for example by SearchResult.of_jumps(factuals, "
            "counterfactuals, mature, T=T)."
        )
    n_rows, n_columns = factuals.shape
    shapes = {"counterfactuals": (n_rows, n_columns), "mature": (n_rows,), "n_iter": (n_rows,)}
    for name, shape in shapes.items():
        returned = tuple(getattr(result, name).shape)
        if returned != shape:
            raise ValueError(
                f"search of {type(generator).__name__} returned {name} of shape {returned} for "
                f"factuals of shape {(n_rows, n_columns)}; the shape must be {shape}."
            )
