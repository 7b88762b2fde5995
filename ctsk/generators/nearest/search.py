"""The course of a nearest search: starts, descents, a rescue, grids, and the judge."""

import dataclasses

import torch

from ctsk.generators.nearest.descent import descend, restore
from ctsk.generators.nearest.few_changes import with_few_changes
from ctsk.generators.nearest.grids import round_to_grid
from ctsk.generators.nearest.moves import jump, prune, put_back, shrink, switch
from ctsk.generators.nearest.problem import Items
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
_SLACKS = (1e-4, 1e-2, 0.3)
# Candidates of a row after the first descent, and at the end.
_N_KEPT, _N_FINAL = 4, 2
# Rounds of the greedy climb from each factual.
_N_CLIMBS = 8
# Random starts of a row for which no other start becomes valid.
_N_RESCUES = 10
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

    @torch.no_grad()
    def run(self):
        """Search all rows, until they are accepted or all slacks have been tried.

        Returns
        -------
        result : SearchResult
            Without nascent counterfactuals.
        """
        rows, progress = self.rows, self.progress
        states = rows.factuals.clone()
        mature = torch.zeros(len(rows), dtype=torch.bool, device=states.device)
        refused = torch.zeros_like(mature)
        is_valid = self.problem.margins(rows) >= 0
        self._judge(rows, is_valid, states, mature)
        pending = (~mature).nonzero()[:, 0]
        for slack in _SLACKS:
            if not len(pending):
                break
            self.problem.slack = slack
            candidates, is_valid = self._candidates(rows.select(pending))
            n_each = len(candidates) // len(pending)
            for rank in range(n_each):
                ranked = torch.arange(rank, len(candidates), n_each, device=states.device)
                if rank == 0:
                    # What no candidate replaces: the best state that is known.
                    states[pending] = candidates.states[ranked]
                    refused[pending] = is_valid[ranked]
                open_ = ranked[~mature[pending]]
                self._judge(candidates.select(open_), is_valid[open_], states, mature)
            # Only what the judge rejected profits from more slack.
            pending = pending[refused[pending] & ~mature[pending]]
        progress.finish(states, mature)
        return SearchResult(
            states, mature, progress.n_iter, refused=refused & ~mature, path=progress.path
        )

    def _judge(self, items, is_valid, states, mature):
        """Enter the items that are valid and accepted into the results, in place."""
        items = items.select(is_valid.nonzero()[:, 0])
        if not len(items):
            return
        if self.accept is not None:
            is_accepted = self.accept(items.states, items.rows)
            items = items.select(is_accepted.nonzero()[:, 0])
        states[items.rows] = items.states
        mature[items.rows] = True

    def _candidates(self, rows):
        """Return the best items of each row, as many for each, and their validity."""
        problem, progress = self.problem, self.progress
        items = restore(problem, self._starts(rows), 6, progress)
        items, is_valid = self._improved(items)
        n_each = len(items) // len(rows)
        is_lost = ~is_valid.view(len(rows), n_each).any(dim=1)
        if is_lost.any():
            lost = is_lost.nonzero()[:, 0]
            rescued, rescued_valid = self._rescued(rows.select(lost))
            idx = (lost[:, None] * n_each + torch.arange(n_each, device=lost.device)).flatten()
            items, is_valid = items.put(idx, rescued.states), is_valid.clone()
            is_valid[idx] = rescued_valid
        return items, is_valid

    def _starts(self, rows):
        """Return the starts of each row; see `NearestGenerator`."""
        problem, prototypes = self.problem, self.generator.prototypes_of(rows.states)
        n_starts = self.generator.n_starts
        n_levers = min(n_starts // 3, problem.n_numeric + len(problem.slices))
        climbed = climb(problem, rows, _N_CLIMBS, self.progress)
        parts = [rows, climbed, levers(problem, rows, n_levers)]
        pool_of = pools(problem, rows, prototypes)
        if pool_of:
            n_prototypes = n_starts // 4
            repeated = rows.repeat(n_prototypes)
            nearest = nearest_prototypes(problem, rows, pool_of, n_prototypes).flatten(0, 1)
            parts.append(repeated.at(brought_inside(problem, repeated, nearest)))
        n_random = n_starts - sum(len(part) // len(rows) for part in parts)
        parts.append(random_points(problem, rows, n_random, self._random()))
        items = Items.interleaved(parts)
        if problem.lambda_data and pool_of:
            nearest = nearest_prototypes(problem, items, pool_of, 1)[:, 0]
            items = dataclasses.replace(items, prototypes=nearest)
        return items

    def _random(self):
        """Return a fresh source of random numbers, so that no row depends on other batches."""
        return torch.Generator("cpu").manual_seed(self.generator.random_state)

    def _improved(self, items):
        """Return the best items of each row after all moves, and their validity."""
        problem, progress = self.problem, self.progress
        is_valid = problem.margins(items) >= 0
        items = shrink(problem, items, is_valid)
        items = put_back(problem, items, is_valid)
        items = descend(problem, items, is_valid, 5, progress=progress)
        items, is_valid = prune(problem, items, is_valid, _N_KEPT)
        items = descend(problem, items, is_valid, 6, progress=progress)
        items = switch(problem, items, is_valid, 2, progress)
        items = jump(problem, items, is_valid, 6, progress)
        penalties = 0.0
        if self.sparse or self.max_changes is not None:
            items, is_valid, penalties = with_few_changes(
                problem, items, is_valid, at_most=self.max_changes, fewest=self.sparse
            )
        else:
            items, is_valid = prune(problem, items, is_valid, _N_FINAL)
            items = descend(problem, items, is_valid, 4, progress=progress)
        if problem.spacing is not None:
            items, is_valid = round_to_grid(problem, items, is_valid)
        if self.earlier is not None:
            is_valid = is_valid & self._is_apart(items)
        items, is_valid = prune(problem, items, is_valid, _N_FINAL, penalties)
        # An item that is not valid keeps its probability at the least cost.
        floors = problem.margins(items) - _LEAST_LOSS
        return put_back(problem, items, ~is_valid, floors), is_valid

    def _rescued(self, rows):
        """Return the best items of rows from random points of their boxes."""
        problem, progress = self.problem, self.progress
        points = random_points(problem, rows, _N_RESCUES, self._random())
        items = climb(problem, Items.interleaved([rows, points]), 12, progress)
        return self._improved(restore(problem, items, 8, progress))

    def _is_apart(self, items):
        """Return whether items keep their distance from earlier counterfactuals."""
        weights = torch.as_tensor(self.problem.groups.column_weights).to(items.states)
        distances = (items.states[:, None] - self.earlier[items.rows]).abs() @ weights
        return distances.amin(dim=1) >= LEAST_DISTANCE
