"""Nearest: a search for the cheapest counterfactual."""

import operator
from numbers import Integral
from typing import ClassVar

from ctsk._columns.validation import Interval
from ctsk.generators.base import NON_NEGATIVE, BaseGenerator
from ctsk.generators.nearest.grids import on_grid
from ctsk.generators.nearest.problem import Items, Problem
from ctsk.generators.nearest.progress import Progress
from ctsk.generators.nearest.prototypes import learn_prototypes
from ctsk.generators.nearest.search import NearestSearch
from ctsk.generators.result import SearchResult

# Entries of the states of all starts that are searched at once. Larger parts leave the caches of
# a CPU; in smaller ones, the overhead of the operations outweighs that.
_AT_ONCE = 2_000_000


class NearestGenerator(BaseGenerator):
    r"""Search for the cheapest row that the model predicts as its target.

    This is the default of ``explain``. It finds counterfactuals at nearly the least possible
    cost, also under constraints that leave few features free. They lie close to the decision
    boundary, where rows need not be typical of their class: `lambda_data` trades cost for
    plausibility.

    Parameters
    ----------
    lambda_data : float, default=0.0
        Price of the distance to a prototype of the target class, relative to the cost, which
        is the distance to the factual. A higher price leads to counterfactuals that are more
        like rows of their class, and cost more. Prices above 1 draw all numbers that may move
        to the prototype. Without prototypes it has no effect.
    n_starts : int, default=18
        Number of states from which the search of each row starts: the factual; the end of a
        greedy climb from it; a third changes of single features, at most one for each feature;
        a quarter prototypes; and random points of its box.
    random_state : int, default=0
        Seed of the random points.

    Attributes
    ----------
    prototypes_ : Tensor of shape (n_prototypes, n_columns)
        Means of at least 20 rows each, in module units; set by `learn`.

    See Also
    --------
    ECCCoGenerator : Search by gradient for rows that are plausible to the model.

    Notes
    -----
    The search minimizes, over the rows :math:`x'` within the constraints that the model
    predicts as the target with a probability of at least :math:`\tau`,

    .. math::

        \sum_d c_d |x'_d - x_d| + \lambda_{data} \sum_d c_d |x'_d - p_d|

    for costs :math:`c_d` of the columns and the prototype :math:`p` that the factual reaches at
    the least cost, among those that the model predicts as the target. A linear model of the
    logits turns this into a fractional knapsack, which is solved in closed form, again and again,
    within a radius that adapts. Features are put back, categories exchanged, and single numbers
    moved far, whenever this pays in the end. Numbers on a grid are rounded one after another, the
    coarsest first, while the others still adapt. Rows for which none of this finds a
    counterfactual are searched from more random points of their box. All rows and starts are
    searched as one batch.

    `T` bounds the number of rounds, each of which evaluates the model a bounded number of times
    for every start. Each phase of the search has a fixed number of them. A path holds the
    cheapest valid state after each round.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier, NearestGenerator
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> cheapest = clf.explain(X, generator="nearest", tau=0.6)
    >>> descended = clf.explain(X, generator="generic", tau=0.6)
    >>> bool(cheapest.mature.mean() >= descended.mature.mean())
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "lambda_data": [NON_NEGATIVE],
        "n_starts": [Interval(Integral, 4, None, closed="left")],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both")],
    }

    default_T = 100
    must_learn = False

    def __init__(self, *, lambda_data=0.0, n_starts=18, random_state=0):
        self.lambda_data = lambda_data
        self.n_starts = n_starts
        self.random_state = random_state

    @property
    def learning_parameters(self):
        """No parameter: the prototypes are the same for all searches."""
        return ()

    def learn(self, reference):
        """Learn the prototypes; see `BaseGenerator.learn`."""
        self.prototypes_ = learn_prototypes(reference)
        return self

    def search(
        self,
        model,
        factuals,
        targets,
        box,
        *,
        costs,
        tau,
        T,
        epsilon=None,
        accept=None,
        earlier=None,
        push=0.0,
        sparse=False,
        max_changes=None,
        return_path=False,
    ):
        """Search for the cheapest counterfactuals; see `BaseGenerator.search`.

        `push` has no effect, because a search does not leave the cheapest row gradually.
        """
        self._validate_params()
        generator = self._on_device(factuals.device)
        n_at_once = max(1, _AT_ONCE // (self.n_starts * max(factuals.shape[1], 1)))
        results = []
        for start in range(0, max(len(factuals), 1), n_at_once):
            part = slice(start, start + n_at_once)
            box_of_part = box.of_each(operator.itemgetter(part))
            rows = _items_of(factuals[part], targets[part], box_of_part, costs, part)
            search = NearestSearch(
                generator,
                Problem(model, box_of_part, tau=tau, lambda_data=self.lambda_data),
                rows,
                Progress(rows.factuals, T, return_path),
                accept=None if accept is None else _of_part(accept, start),
                earlier=None if earlier is None else earlier[part],
                sparse=sparse,
                max_changes=max_changes,
            )
            results.append(search.run())
        return SearchResult.concatenate(results).with_nascent(factuals, epsilon)

    def prototypes_of(self, like):
        """Return the prototypes with the dtype of other rows; none if nothing was learned."""
        prototypes = getattr(self, "prototypes_", None)
        return like[:0] if prototypes is None else prototypes.to(like)


def _items_of(factuals, targets, box, costs, part):
    """Return the items of the factuals of a part; costs are those of all parts."""
    costs = costs if costs.ndim == 1 else costs[part]
    return Items.of_factuals(factuals, targets, *on_grid(box, factuals), costs)


def _of_part(accept, start):
    """Return a check that takes the positions of rows in a part that starts at `start`."""

    def accept_part(states, idx):
        return accept(states, idx + start)

    return accept_part
