"""The problem of a nearest search: its states, and how the model and the prices rate them."""

import copy
import math
from dataclasses import dataclass, fields

import torch

from ctsk._closed_form.layers import Chain, split

# Least cost of a unit of a column in a ratio, so that a feature without a cost has one.
LEAST_COST = 1e-6
# Rounding errors of a margin, which is computed in several ways. Descents keep so much, and what
# they leave is valid with so much less; the slack of a search covers both.
ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class Items:
    """States of a search, several for each factual, and what belongs to each of them.

    Parameters
    ----------
    rows : LongTensor of shape (n_items,)
        Positions of the factuals among those of the search.
    states, factuals : Tensor of shape (n_items, n_columns)
        Each group of a state holds one category, or the factual's own shares.
    targets : LongTensor of shape (n_items,)
    low, high : Tensor of shape (n_items, n_columns)
        Bounds of every value that moves; the upper bound of a category that may be reached is
        positive.
    costs : Tensor of shape (n_columns,) or (n_items, n_columns)
    prototypes : Tensor of shape (n_items, n_columns) or None
        The prototype of each item, if the distance to it has a price.
    """

    rows: torch.Tensor
    states: torch.Tensor
    factuals: torch.Tensor
    targets: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    costs: torch.Tensor
    prototypes: torch.Tensor | None = None

    @classmethod
    def of_factuals(cls, factuals, targets, low, high, costs):
        """Return one item for each factual, at the factual itself."""
        rows = torch.arange(len(factuals), device=factuals.device)
        return cls(rows, factuals, factuals, targets, low, high, costs)

    def __len__(self):
        """Return the number of items."""
        return len(self.rows)

    @property
    def n_rows(self):
        """Number of rows, the items of each of which are next to each other."""
        return int(self.rows.unique_consecutive().numel())

    def select(self, idx):
        """Return the items at some positions."""

        def selected(values):
            # One dimension of costs means that all items share them.
            is_shared = values is None or (values is self.costs and values.ndim == 1)
            return values if is_shared else values.index_select(0, idx)

        return Items(*(selected(getattr(self, field.name)) for field in fields(self)))

    def repeat(self, n_times):
        """Return each item several times, next to each other."""
        idx = torch.arange(len(self), device=self.rows.device)
        return self.select(idx.repeat_interleave(n_times))

    def at(self, states):
        """Return the same items at other states."""
        # dataclasses.replace is slower, and this runs in every round.
        return Items(
            self.rows,
            states,
            self.factuals,
            self.targets,
            self.low,
            self.high,
            self.costs,
            self.prototypes,
        )

    def where(self, mask, states):
        """Return the items, at other states where a mask is true."""
        return self.at(torch.where(mask[:, None], states, self.states))

    def put(self, idx, states):
        """Return the items, at other states for those at some positions."""
        return self.at(self.states.index_copy(0, idx, states))

    def put_numbers(self, idx, numbers):
        """Return the items, at other numbers for those at some positions."""
        states = self.states.clone()
        states[idx, : numbers.shape[1]] = numbers
        return self.at(states)

    @staticmethod
    def interleaved(parts):
        """Return the items of several parts, those of each row next to each other.

        Each part has the same number of items for every row.
        """
        n_rows, merged = parts[0].n_rows, {}
        for field in fields(Items):
            values = [getattr(part, field.name) for part in parts]
            if values[0] is None or (field.name == "costs" and values[0].ndim == 1):
                merged[field.name] = values[0]
                continue
            by_row = [value.reshape(n_rows, -1, *value.shape[1:]) for value in values]
            merged[field.name] = torch.cat(by_row, dim=1).flatten(0, 1)
        return Items(**merged)


class Problem:
    """A model, constraints and prices, which rate the items of a search.

    Parameters
    ----------
    model : callable
        Maps rows (n_rows, n_columns) to logits (n_rows, n_classes).
    box : Box
        Bounds in module units.
    tau : float
        Probability that the target has to reach.
    lambda_data : float
        Price of the distance to a prototype, relative to that of the distance to the factual.
    slack : float, default=0.0
        Amount by which the logit of the probability has to exceed that of `tau`.
    """

    def __init__(self, model, box, *, tau, lambda_data, slack=0.0):
        self.model = model
        self.groups = box.groups
        self.n_numeric = box.groups.n_numeric
        # These are computed anew by each access to the groups, and every round needs them.
        self.slices = box.groups.slices
        self.of_numbers = box.groups.of_numbers
        self.units = box.groups.units.to(box.lower.device)
        self.fill = box.fill
        self.spacing, self.origin = box.spacing, box.origin
        self.threshold = math.log(tau / (1 - tau))
        self.slack = slack
        self.lambda_data = lambda_data
        # Bounds of what moves may leave out the factual if it lies outside its domain or off
        # its grid.
        self.has_gaps = box.low is not None or box.spacing is not None
        self.first_layer, self.other_layers = split(model)
        self._is_split = isinstance(self.first_layer, torch.nn.Linear)
        self._chain = Chain.of(self.other_layers) if self._is_split else None

    def at_decision(self):
        """Return the same problem, in which the target only has to be predicted."""
        problem = copy.copy(self)
        problem.threshold, problem.slack = -math.inf, 0.0
        return problem

    def margins(self, items, states=None):
        """Return by how much the logit of each probability exceeds what it has to reach."""
        states = items.states if states is None else states
        # A model of a user may not know what to do without rows.
        if not len(states):
            return states.new_zeros(0)
        return self.margins_of(self.model(states), items.targets)

    def margins_of(self, logits, targets):
        """Return the margins that logits imply, one or several for each target."""
        if len(logits) > len(targets):
            targets = targets.repeat_interleave(len(logits) // len(targets))
        targets = targets[:, None]
        if logits.shape[1] == 2:
            # A difference is several times faster than the general case.
            margins = (logits[:, 1] - logits[:, 0]) * (2 * targets[:, 0] - 1)
            return margins - max(self.threshold, 0.0) - self.slack
        target_logits = logits.gather(1, targets)[:, 0]
        others = logits.scatter(1, targets, -torch.inf)
        margins = target_logits - others.logsumexp(dim=1) - self.threshold
        if self.threshold < 0:
            # Below a tau of one half, the target must be predicted as well.
            margins = torch.minimum(margins, target_logits - others.amax(dim=1))
        return margins - self.slack

    def slopes(self, items):
        """Return the margins of items, and their gradients with respect to the first layer."""
        return self.slopes_at(self.first_layer(items.states), items.targets)

    def margins_at(self, outputs, targets):
        """Return the margins that outputs of the first layer imply."""
        if not len(outputs):
            return outputs.new_zeros(0)
        return self.margins_of(self.other_layers(outputs), targets)

    def slopes_at(self, outputs, targets):
        """Return the margins, and their gradients with respect to outputs of the first layer."""
        if not len(outputs):
            return outputs.new_zeros(0), outputs
        if self._chain is None:
            margins, slopes = _differentiated(
                lambda outputs: self.margins_at(outputs, targets), outputs
            )
        else:
            logits, trace = self._chain.forward(outputs.t())
            margins, slopes = self._slopes_of(logits.t(), targets)
            slopes = self._chain.backward(slopes.t(), trace).t()
        # A gradient that does not exist, as that of a square root at 0, moves nothing.
        return margins, slopes.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)

    def _slopes_of(self, logits, targets):
        """Return the margins, and their gradients with respect to the logits."""
        if logits.shape[1] == 2:
            signs = (2 * targets - 1).to(logits)
            return self.margins_of(logits, targets), torch.stack([-signs, signs], dim=1)
        return _differentiated(lambda logits: self.margins_of(logits, targets), logits)

    def weights_of(self, columns, outputs):
        """Return the weights of the first layer for some columns, (n_columns, n_outputs)."""
        if self._is_split:
            return self.first_layer.weight.detach().T[columns]
        return torch.eye(outputs.shape[1], dtype=outputs.dtype, device=outputs.device)[columns]

    def slopes_of(self, columns, slopes):
        """Return gradients with respect to some columns from those with respect to outputs."""
        if self._is_split:
            return slopes @ self.first_layer.weight[:, columns]
        return slopes[:, columns]

    def outputs_without_numbers(self, states):
        """Return the outputs of the first layer where all numbers are zero."""
        held = states.clone()
        held[:, : self.n_numeric] = 0
        return self.first_layer(held)

    def outputs_of_numbers(self, numbers, offsets):
        """Return the outputs of the first layer at numbers, (n_items, n_numeric).

        `offsets` are the outputs where all numbers are zero.
        """
        if self._is_split:
            weights = self.first_layer.weight[:, : self.n_numeric]
            return torch.addmm(offsets, numbers, weights.T)
        return torch.cat([numbers, offsets[:, self.n_numeric :]], dim=1)

    def prices(self, items, states=None):
        """Return the price of each item: its cost, and that of the distance to its prototype."""
        return self.prices_of_columns(items, slice(None), states)

    def prices_of_categories(self, items):
        """Return the share of the categories in the price of each item.

        Whatever the numbers are, no item with these categories has a lower price.
        """
        return self.prices_of_columns(items, slice(self.n_numeric, None))

    def prices_of_numbers(self, items):
        """Return the share of the numbers in the price of each item."""
        return self.prices_of_columns(items, slice(self.n_numeric))

    def prices_of_columns(self, items, columns, values=None):
        """Return the share of some columns, at the states or at other values, in the prices."""
        return self.prices_of(
            items.states[:, columns] if values is None else values,
            items.factuals[:, columns],
            None if items.prototypes is None else items.prototypes[:, columns],
            items.costs[..., columns],
        )

    def prices_of(self, values, factuals, prototypes, costs):
        """Return the price of the values of some columns."""
        prices = self._weighted((values - factuals).abs(), costs)
        if prototypes is not None:
            distances = self._weighted((values - prototypes).abs(), costs)
            prices = prices + self.lambda_data * distances
        return prices

    @staticmethod
    def _weighted(moves, costs):
        return moves @ costs if costs.ndim == 1 else (moves * costs).sum(dim=1)

    def prices_of_units(self, items, states):
        """Return by how much the price of each unit exceeds that of the factual's value."""
        moves = (states - items.factuals).abs()
        if items.prototypes is not None:
            approach = (states - items.prototypes).abs() - (items.factuals - items.prototypes).abs()
            moves = moves + self.lambda_data * approach
        return self.per_unit(moves * items.costs)

    def per_unit(self, values):
        """Return the sums of values of columns, (n_items, n_columns), over each unit."""
        sums = values.new_zeros(len(values), self.n_numeric + len(self.slices))
        return sums.index_add_(1, self.units, values)

    def bounds(self, items, *, enters=False):
        """Return the bounds of the numbers of each item, (n_items, n_numeric) each.

        A number outside its domain does not move, because a linear model of the margin does not
        reach across the gap, unless it `enters` its domain at once.
        """
        numbers = slice(self.n_numeric)
        states, factuals = items.states[:, numbers], items.factuals[:, numbers]
        low, high = items.low[:, numbers], items.high[:, numbers]
        if self.has_gaps and not enters:
            stays = (states == factuals) & ((factuals < low) | (factuals > high))
            low, high = torch.where(stays, factuals, low), torch.where(stays, factuals, high)
        if self.of_numbers:
            low, high = low.clone(), high.clone()
        for number, columns in self.of_numbers:
            # A gap or a special value has no number that could move.
            is_number = items.states[:, columns.start] > 0.5
            low[:, number] = torch.where(is_number, low[:, number], states[:, number])
            high[:, number] = torch.where(is_number, high[:, number], states[:, number])
        return low, high

    def settle(self, items, states):
        """Set, in place, each number to what the state of its feature implies; return `states`."""
        for number, columns in self.of_numbers:
            is_number = states[:, columns.start] > 0.5
            was_number = items.factuals[:, columns.start] > 0.5
            numbers, factuals = states[:, number], items.factuals[:, number]
            # The number of a state that is left may lie outside its bounds.
            inside = numbers.clamp(items.low[:, number], items.high[:, number])
            replaced = torch.where(was_number, factuals, inside)
            numbers = torch.where(numbers == inside, numbers, replaced)
            states[:, number] = torch.where(is_number, numbers, self.fill[number])
        return states

    def reachable(self, items, columns):
        """Return which categories of a group each item can reach from its present one."""
        # An unknown category is coded by shares, of which none is 1: it reaches all of them.
        return (items.high[:, columns] > 0) & (items.states[:, columns] < 1)


def _differentiated(function, inputs):
    """Return the values of a function of each row, and their gradients."""
    inputs = inputs.detach().requires_grad_()
    with torch.enable_grad():
        values = function(inputs)
        (slopes,) = torch.autograd.grad(values.sum(), inputs)
    return values.detach(), slopes


def one_hot(categories, columns, like):
    """Return the one-hot rows of categories of a group."""
    rows = like.new_zeros(len(categories), columns.stop - columns.start)
    return rows.scatter_(1, categories[:, None], 1.0)


def cheapest_of_each(numbers, prices):
    """Return the position of the lowest price for each number, the first one among equals."""
    order = prices.argsort(stable=True)
    # A stable sort keeps the order of the prices within each number.
    order = order[numbers[order].argsort(stable=True)]
    numbers = numbers[order]
    is_first = torch.ones_like(numbers, dtype=torch.bool)
    is_first[1:] = numbers[1:] != numbers[:-1]
    return order[is_first]
