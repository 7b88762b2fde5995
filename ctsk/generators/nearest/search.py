"""The course of a nearest search: starts, descents, a rescue, grids, and the judge."""

import dataclasses
import math

import torch

from ctsk.generators.nearest.descent import descend, restore
from ctsk.generators.nearest.few_changes import (
    changed_numbers,
    count_changes,
    with_few_changes,
)
from ctsk.generators.nearest.grids import nearest_on_grid, round_to_grid
from ctsk.generators.nearest.moves import competitors, jump, prune, put_back, shrink, switch
from ctsk.generators.nearest.problem import Items
from ctsk.generators.nearest.progress import Progress
from ctsk.generators.nearest.single_changes import climb
from ctsk.generators.nearest.starts import (
    brought_inside,
    levers,
    nearest_prototypes,
    pools,
    random_points,
)
from ctsk.generators.result import LEAST_DISTANCE, SearchResult

# Amounts by which the logit of the probability has to exceed that of tau. The first covers the
# precision of the search. Rows that are not accepted are searched again with the next one.
_SLACKS = (9e-5, 1e-2, 0.1, 0.5, 2.0, 5.0)
# Candidates of a row after the first descent, and at the end.
_N_KEPT, _N_FINAL = 4, 2
# Rounds of each phase. They were chosen on models of seeds that no benchmark reports, where more
# rounds took longer and lowered the costs by less than one percent.
_N_CLIMBS, _N_RESTORED, _N_SWITCHED, _N_JUMPED = 8, 6, 2, 6
_N_DESCENDED = {"all starts": 5, "kept": 6, "final": 4}
# Rounds of the phases that only rows without a valid item go through.
_N_CLIMBS_OF_RESCUE, _N_RESTORED_OF_RESCUE = 12, 8
# Random starts of a row for which no other start becomes valid.
_N_RESCUES = 40
# Loss of margin that is no loss of probability worth a change.
_LEAST_LOSS = 1e-4


class NearestSearch:
    """A nearest search for the counterfactuals of some rows.

    Parameters
    ----------
    generator : NearestGenerator
    problem : Problem
    rows : Items
        The factuals.
    progress : Progress
    accept : callable or None
    earlier : Tensor of shape (n_rows, n_earlier, n_columns) or None
    sparse : bool
    max_changes : int or None
        See `BaseGenerator.search`.
    """

    def __init__(self, generator, problem, rows, progress, *, accept, earlier, sparse, max_changes):
        self.generator = generator
        self.problem = problem
        self.rows = rows
        self.progress = progress
        self.accept = accept
        self.earlier = earlier
        self.sparse = sparse
        self.max_changes = max_changes
        # The results, which are entered row by row.
        self.states = rows.factuals.clone()
        self.mature = torch.zeros(len(rows), dtype=torch.bool, device=rows.rows.device)
        self.refused = torch.zeros_like(self.mature)

    @torch.no_grad()
    def run(self):
        """Search all rows, until they are accepted or all slacks have been tried.

        Returns
        -------
        result : SearchResult
            Without nascent counterfactuals.
        """
        self._judge(self.rows, self._are_valid(self.rows))
        can_move = self._can_move()
        self._search((~self.mature & can_move).nonzero()[:, 0], _SLACKS)
        self._fall_back((~self.mature & can_move).nonzero()[:, 0])
        refused = self.refused & ~self.mature
        progress = self.progress
        return SearchResult(
            self.states, self.mature, progress.n_iter, refused=refused, path=progress.path
        )

    def _can_move(self):
        """Return which rows have a column that can hold another value than their own."""
        rows, n_numeric = self.rows, self.problem.n_numeric
        can_move = rows.low < rows.high
        # A number may have to leave its place for the only one that its domain holds.
        can_move[:, :n_numeric] |= (rows.low != rows.factuals)[:, :n_numeric]
        return can_move.any(dim=1)

    def _fall_back(self, idx):
        """Replace states that are not predicted as their target by the cheapest that are.

        A search for a probability that no row reaches may end far from where the decision
        changes.
        """
        if not len(idx):
            return
        rows = self.rows.select(idx)
        # The class that is predicted has a probability of at least one over the number of classes,
        # so that a tau of no more asks for the decision alone.
        n_classes = self.problem.model(rows.states[:1]).shape[1]
        if self.problem.threshold <= -math.log(n_classes - 1):
            return
        problem = self.problem.at_decision()
        # What has not reached tau is not rounded yet.
        states = nearest_on_grid(problem, self.states[idx])
        is_predicted = problem.margins(rows.at(states)) >= 0
        idx, rows = idx[~is_predicted], _where(~is_predicted, rows)
        if not len(idx):
            return
        search = NearestSearch(
            self.generator,
            problem,
            dataclasses.replace(rows, rows=torch.arange(len(idx), device=idx.device)),
            Progress(rows.factuals, self.progress.T, return_path=False),
            accept=None,
            earlier=None if self.earlier is None else self.earlier[idx],
            sparse=self.sparse,
            max_changes=self.max_changes,
        )
        result = search.run()
        self.states[idx[result.mature]] = result.counterfactuals[result.mature]

    def _search(self, idx, slacks):
        """Search rows with the first slack, and those that are then rejected with the others."""
        if not len(idx) or not slacks:
            return
        problem, progress = self.problem, self.progress
        problem.slack = slacks[0]
        progress.restart(idx)
        rows, pool_of = self._with_prototypes(self.rows.select(idx))
        items = restore(problem, self._starts(rows, pool_of), _N_RESTORED, progress)
        items, is_valid = self._improved(items)
        is_lost = ~is_valid.view(len(rows), -1).any(dim=1)
        of_lost = is_lost.repeat_interleave(len(items) // len(rows))
        n_spent = progress.n_spent
        self._conclude(_where(~of_lost, items), is_valid[~of_lost], slacks[1:])
        if is_lost.any():
            # Each row has spent its own rounds only, whatever the others have needed since.
            problem.slack, progress.n_spent = slacks[0], n_spent
            rescued = self._rescued(_where(is_lost, rows), _where(of_lost, items))
            self._conclude(*rescued, slacks[1:])

    def _conclude(self, items, is_valid, slacks):
        """Enter the best items of some rows into the results; search on for what is rejected.

        The items of a row are next to each other, as many for each row, the best one first.
        """
        if not len(items):
            return
        n_each = len(items) // items.n_rows
        idx = items.rows[::n_each]
        # An invalid item replaces what an earlier search has found with less slack only if that
        # has found nothing.
        replaces = (is_valid[::n_each] | ~self.refused[idx]).nonzero()[:, 0]
        self.states[idx[replaces]] = items.states[replaces * n_each]
        self.refused[idx] |= is_valid[::n_each]
        for rank in range(n_each):
            ranked = torch.arange(rank, len(items), n_each, device=idx.device)
            self._judge(items.select(ranked), is_valid[ranked] & ~self.mature[idx])
        self.progress.finish(idx, self.states[idx], self.mature[idx])
        # Only what the judge rejected profits from more slack.
        self._search(idx[is_valid[::n_each] & ~self.mature[idx]], slacks)

    def _judge(self, items, is_valid):
        """Enter the items that are valid and accepted into the results."""
        items = _where(is_valid, items)
        if len(items) and self.accept is not None:
            items = _where(self.accept(items.states, items.rows), items)
        self.states[items.rows] = items.states
        self.mature[items.rows] = True

    def _with_prototypes(self, rows):
        """Return rows with the prototypes that have a price, and the pools of prototypes."""
        problem = self.problem
        pool_of = pools(problem, rows, self.generator.prototypes_of(rows.states))
        if problem.lambda_data and pool_of:
            nearest = nearest_prototypes(problem, rows, pool_of, 1)[:, 0]
            rows = dataclasses.replace(rows, prototypes=nearest)
        return rows, pool_of

    def _starts(self, rows, pool_of):
        """Return the starts of each row; see `NearestGenerator`."""
        problem, n_starts = self.problem, self.generator.n_starts
        n_levers = min(n_starts // 3, problem.n_numeric + len(problem.slices))
        climbed = climb(problem, rows, _N_CLIMBS, self.progress)
        parts = [rows, climbed, levers(problem, rows, n_levers)]
        if pool_of:
            n_prototypes = n_starts // 4
            repeated = rows.repeat(n_prototypes)
            nearest = nearest_prototypes(problem, rows, pool_of, n_prototypes).flatten(0, 1)
            parts.append(repeated.at(brought_inside(problem, repeated, nearest)))
        n_random = n_starts - sum(len(part) // len(rows) for part in parts)
        parts.append(random_points(problem, rows, n_random, self._random()))
        return Items.interleaved(parts)

    def _random(self):
        """Return a fresh source of random numbers, so that no row depends on other batches."""
        return torch.Generator("cpu").manual_seed(self.generator.random_state)

    def _improved(self, items):
        """Return the best items of each row after all moves, and their validity."""
        problem, progress = self.problem, self.progress
        is_valid = problem.margins(items) >= 0
        items = shrink(problem, items, is_valid)
        items = put_back(problem, items, is_valid)
        rounds = _N_DESCENDED
        may_win = competitors(problem, items, is_valid, _N_KEPT)
        items = descend(problem, items, may_win, rounds["all starts"], progress=progress)
        items, is_valid = prune(problem, items, is_valid, _N_KEPT)
        items = descend(problem, items, is_valid, rounds["kept"], progress=progress)
        items = switch(problem, items, is_valid, _N_SWITCHED, progress)
        items = jump(problem, items, is_valid, _N_JUMPED, progress)
        free = None
        if self.sparse or self.max_changes is not None:
            items, is_valid = with_few_changes(
                problem, items, is_valid, at_most=self.max_changes, fewest=self.sparse
            )
            free = changed_numbers(problem, items)
        else:
            # Rounding changes which item is the cheapest, so that more of them are rounded.
            n_kept = _N_FINAL if problem.spacing is None else _N_KEPT
            items, is_valid = prune(problem, items, is_valid, n_kept)
            items = descend(problem, items, is_valid, rounds["final"], progress=progress)
        if problem.spacing is not None:
            items, is_valid = round_to_grid(problem, items, is_valid, free)
        items, is_valid = self._pruned(items, is_valid & self._are_allowed(items))
        # Without a valid item, the best one keeps its probability at the least cost.
        by_row = is_valid.view(items.n_rows, -1)
        is_lost = ~by_row.any(dim=1, keepdim=True).expand_as(by_row).flatten()
        floors = problem.margins(items) - _LEAST_LOSS
        items = put_back(problem, items, is_lost, floors)
        progress.conclude(items, is_valid, problem.prices(items))
        return items, is_valid

    def _pruned(self, items, is_valid):
        """Return the final items of each row, those of the fewest changes first if asked for."""
        n_changes = count_changes(self.problem, items) if self.sparse else None
        return prune(self.problem, items, is_valid, _N_FINAL, n_changes)

    def _rescued(self, rows, lost):
        """Return the best items of rows of which none is valid, also from more random points."""
        problem, progress = self.problem, self.progress
        points = random_points(problem, rows, _N_RESCUES, self._random())
        items = climb(problem, Items.interleaved([rows, points]), _N_CLIMBS_OF_RESCUE, progress)
        items = restore(problem, items, _N_RESTORED_OF_RESCUE, progress)
        items, is_valid = self._improved(items)
        # If this finds nothing, either, the lost items may have a higher probability.
        is_valid = is_valid.view(len(rows), -1)
        is_lost = is_valid.new_zeros(len(rows), len(lost) // len(rows))
        is_valid = torch.cat([is_valid, is_lost], dim=1).flatten()
        return self._pruned(Items.interleaved([items, lost]), is_valid)

    def _are_valid(self, items):
        """Return which items reach tau in a way that is allowed."""
        return (self.problem.margins(items) >= 0) & self._are_allowed(items)

    def _are_allowed(self, items):
        """Return which items change few features, and are apart from earlier counterfactuals."""
        are_allowed = torch.ones_like(items.rows, dtype=torch.bool)
        if self.max_changes is not None:
            are_allowed = count_changes(self.problem, items) <= self.max_changes
        if self.earlier is not None:
            weights = torch.as_tensor(self.problem.groups.column_weights).to(items.states)
            distances = (items.states[:, None] - self.earlier[items.rows]).abs() @ weights
            are_allowed &= distances.amin(dim=1) >= LEAST_DISTANCE
        return are_allowed


def _where(mask, items):
    """Return the items for which a mask is true."""
    return items.select(mask.nonzero()[:, 0])
