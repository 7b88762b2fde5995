"""Check of the contract of generators, for authors of subclasses."""

import pickle
from dataclasses import replace
from numbers import Integral

import torch
from sklearn.base import clone
from torch.nn.functional import one_hot

from ctsk._columns.constraints import Box
from ctsk._columns.one_hot import OneHotGroups
from ctsk._torch.energy import energy
from ctsk._torch.networks import MLP
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import default_torch_modes
from ctsk.generators.base import BaseGenerator
from ctsk.generators.gradient import GradientGenerator
from ctsk.generators.inputs import Reference, Step
from ctsk.generators.result import check_result

# Columns of every kind: numbers, and categories with more than two values and with two.
_GROUPS = OneHotGroups(n_numeric=4, sizes=(3, 2), missing=(False, False))
_N_ROWS, _N_CLASSES = 60, 3
# A low tau lets rows of any sound generator mature within a few steps.
_SEARCH = {"tau": 0.6, "T": 20, "epsilon": 0.3, "return_path": True}
# Largest difference that rounding in float32 explains.
_TOLERANCE = 1e-4


def check_generator(generator):
    """Check that a generator fulfills the contract of :class:`~ctsk.BaseGenerator`.

    Use it in the tests of a subclass. It searches for counterfactuals of a small model under
    random bounds, with numbers and categories, and verifies the results. The hooks of a
    :class:`~ctsk.GradientGenerator` are verified, too.

    Parameters
    ----------
    generator : BaseGenerator

    Raises
    ------
    AssertionError
        If `generator` violates the contract; the message names the violation.
    ValueError, RuntimeError
        By scikit-learn, if a parameter is out of range, or if `__init__` does more than
        store its parameters.

    See Also
    --------
    ctsk.BaseGenerator : Describes the contract.
    ctsk.GradientGenerator : Describes the hooks of a search by gradient descent.

    Examples
    --------
    >>> from ctsk.generators import GenericGenerator, check_generator
    >>> check_generator(GenericGenerator(lambda_cost=0.1))
    """
    _require(
        isinstance(generator, BaseGenerator),
        f"{generator!r} is not an instance of a subclass of BaseGenerator.",
    )
    # Draws from the global state would escape the estimator's random_state.
    state_before = torch.get_rng_state()
    with default_torch_modes():
        # The cheap checks come first, so that their messages name causes and not consequences.
        _check_parameters(generator)
        first, second = (_learn(clone(generator)) for _ in range(2))
        if isinstance(generator, GradientGenerator):
            _check_codes(first)
            _check_penalty(first)
        _check_determinism(first, second)
        _check_search(first)
        _check_records(first)
        _check_acceptance(first)
        _check_independence(first)
    _require(
        torch.equal(torch.get_rng_state(), state_before),
        "The generator draws from torch's global random state; use reference.random in learn.",
    )


def _require(condition, message):
    if not condition:
        raise AssertionError(message)


def _check_parameters(generator):
    if isinstance(generator, GradientGenerator):
        _require("step_size" in generator.get_params(), "The generator has no parameter step_size.")
    T = generator.default_T
    _require(isinstance(T, Integral) and T > 0, f"default_T is {T!r}; it must be a positive int.")
    # clone raises an error if __init__ changes a parameter.
    clone(generator)._validate_params()


def _learn(generator):
    """Return the generator after `learn`, if it learns."""
    if generator.learns:
        names_before = set(vars(generator))
        _require(generator.learn(_reference()) is generator, "learn does not return self.")
        new = [name for name in set(vars(generator)) - names_before if not name.endswith("_")]
        _require(
            not new, f"learn sets {new}; names of learned attributes must end with an underscore."
        )
    return generator


def _check_codes(generator):
    rows = _reference().rows
    codes = generator.encode(rows)
    if codes is None:
        return
    _require(
        codes.ndim == 2 and len(codes) == len(rows),
        f"encode returns shape {tuple(codes.shape)} for {len(rows)} rows; it must return one code "
        "per row.",
    )
    _require(
        torch.equal(codes, generator.encode(rows)),
        "encode returns different codes for the same rows.",
    )
    # The search differentiates decode, so a detached or rounded row would stop it.
    codes = codes.detach().requires_grad_()
    with torch.enable_grad():
        decoded = generator.decode(codes)
    _require(
        decoded.shape == rows.shape,
        f"decode returns shape {tuple(decoded.shape)} for rows of shape {tuple(rows.shape)}.",
    )
    _require(
        decoded.requires_grad and torch.autograd.grad(decoded.sum(), codes)[0].isfinite().all(),
        "decode has no finite gradient with respect to the codes.",
    )


def _check_penalty(generator):
    model, factuals, targets, _ = _problem()
    # Every other row stays at the factual, where some distances have no gradient.
    rows = factuals + 0.1 * (torch.arange(_N_ROWS) % 2).to(factuals)[:, None]
    rows.requires_grad_()
    costs = torch.ones(_GROUPS.n_columns, dtype=torch.float32)
    with torch.enable_grad():
        energies = energy(model(rows), targets)
        step = Step(rows, factuals, targets, energies, costs, t=1, T=5)
        penalties = generator.penalty(step)
    _require(
        isinstance(penalties, torch.Tensor) and penalties.shape == (_N_ROWS,),
        "penalty must return a tensor with one number per row, of shape "
        f"{(_N_ROWS,)}; it returned a {type(penalties).__name__} of shape "
        f"{getattr(penalties, 'shape', None)}.",
    )
    _require(penalties.isfinite().all(), "penalty is not finite for ordinary rows.")
    # A constant penalty is permitted: the cross-entropy still drives the search.
    if penalties.requires_grad:
        (gradients,) = torch.autograd.grad(penalties.sum(), rows, retain_graph=True)
        _require(
            gradients.isfinite().all(),
            "The gradient of penalty is not finite, possibly at the factual itself: a square root "
            "has no gradient at 0, but torch.linalg.vector_norm has.",
        )
    _check_costs_of_rows(generator, step, penalties)


def _check_costs_of_rows(generator, step, penalties):
    # The same costs by row, as they arrive if the mutability differs between rows.
    costs = step.costs.expand(_N_ROWS, -1)
    try:
        by_row = generator.penalty(replace(step, costs=costs))
    except RuntimeError as error:
        raise AssertionError(
            f"penalty fails if step.costs has one row for each state ({error}); let the costs "
            "broadcast, as in ((step.rows - step.factuals).abs() * step.costs).sum(dim=1)."
        ) from error
    _require(
        by_row.shape == penalties.shape and torch.allclose(by_row, penalties, atol=1e-5),
        "penalty returns different numbers if step.costs has one row for each state; let the "
        "costs broadcast.",
    )


def _check_determinism(first, second):
    counterfactuals, repetition = (_search(each).counterfactuals for each in (first, second))
    _require(
        torch.equal(counterfactuals, repetition),
        "The generator finds different counterfactuals for the same rows and the same seed. Draw "
        "random numbers in learn only, from reference.random.",
    )
    # What was learned must survive storage, wherever the generator keeps it.
    stored = pickle.loads(pickle.dumps(first))
    _require(
        torch.equal(_search(stored).counterfactuals, counterfactuals),
        "The generator finds different counterfactuals after it is pickled and loaded.",
    )


def _check_search(generator):
    problem = model, factuals, targets, box = _problem()
    # A hook that trains the model, or calls backward, would corrupt counterfactual training.
    weights = [parameter.clone() for parameter in model.parameters()]
    result = _search(generator, problem=problem)
    _require(
        all(map(torch.equal, model.parameters(), weights))
        and not any(parameter.grad is not None for parameter in model.parameters()),
        "The search changes the model or leaves gradients on its parameters.",
    )
    found = result.counterfactuals
    _require(
        ((found >= box.lower) & (found <= box.upper)).all(), "Counterfactuals leave their box."
    )
    fixed = box.lower == box.upper
    _require(torch.equal(found[fixed], factuals[fixed]), "Immutable columns change.")
    # Counterfactuals have exactly one category, unlike the relaxed states before them.
    for columns in _GROUPS.slices:
        hard = (found[:, columns] == 1).sum(dim=1) + (found[:, columns] == 0).sum(dim=1)
        is_hard = (hard == found[:, columns].shape[1]) & (found[:, columns].sum(dim=1) == 1)
        _require(is_hard.all(), "A counterfactual has no category or several categories.")
    _require((found != factuals).any(), "The search moves no row.")
    _require(result.mature.any(), "The search matures no row of an easy model.")
    with torch.no_grad():
        shares = model(found).softmax(dim=1).gather(1, targets[:, None])[:, 0]
    _require(
        (shares[result.mature] >= _SEARCH["tau"] - _TOLERANCE).all(),
        "The search calls rows mature whose target has not reached tau.",
    )


def _check_records(generator):
    """Check the steps, the nascent counterfactuals and the path of a search."""
    _, factuals, _, box = _problem()
    result, T = _search(generator), _SEARCH["T"]
    is_possible = (result.n_iter >= 0) & (result.n_iter <= T)
    _require(is_possible.all(), f"n_iter is not between 0 and T={T}.")
    nascent, path = result.nascent, result.path
    _require(
        nascent is not None and nascent.shape == factuals.shape,
        "The search returns no nascent counterfactuals, although epsilon is not None.",
    )
    is_near = (nascent - factuals).abs() < _SEARCH["epsilon"]
    _require(is_near.all(), "Nascent counterfactuals are not within epsilon of their factuals.")
    _require(
        path is not None and path.shape == (len(factuals), T + 1, factuals.shape[1]),
        "The search returns no path of T + 1 states for each row.",
    )
    _require(torch.equal(path[:, 0], factuals), "Paths do not start at the factuals.")
    # The constraints hold for every state of the path, for numbers and relaxed categories.
    is_inside = (path >= box.lower[:, None]) & (path <= box.upper[:, None])
    _require(is_inside.all(), "States leave their box.")


def _check_acceptance(generator):
    """Check that rows are not mature unless `accept` returns True for their states."""
    accepted = {}

    def accept(states, idx):
        # Every other row is rejected, whatever its state.
        passes = idx % 2 == 0
        accepted.update(zip(idx[passes].tolist(), states[passes], strict=True))
        return passes

    result = _search(generator, accept=accept)
    _require(
        not result.mature[1::2].any(), "The search calls rows mature that `accept` has rejected."
    )
    for row in result.mature.nonzero()[:, 0].tolist():
        _require(
            row in accepted and torch.equal(accepted[row], result.counterfactuals[row]),
            "The search returns mature rows that `accept` has not seen.",
        )


def _check_independence(generator):
    """Check that every seventh row alone has the same counterfactual."""
    idx = torch.arange(0, _N_ROWS, 7)
    # Few steps are taken, within which differences of rounding do not grow.
    smaller_batch, batch = _search(generator, idx, T=2), _search(generator, T=2)
    _require(
        torch.allclose(smaller_batch.counterfactuals, batch.counterfactuals[idx], atol=_TOLERANCE),
        "Rows influence each other: the counterfactual of a row depends on the other rows in its "
        "batch. A penalty of a row, for example, must depend on that row only.",
    )


def _reference():
    """Return rows of random numbers and categories."""
    random = torch.Generator("cpu").manual_seed(0)
    shape = _N_ROWS, _GROUPS.n_numeric
    numbers = torch.randn(shape, dtype=torch.float32, generator=random)
    categories = [
        one_hot(torch.randint(size, (_N_ROWS,), generator=random), size).float()
        for size in _GROUPS.sizes
    ]
    labels = torch.arange(_N_ROWS) % _N_CLASSES
    rows = torch.cat([numbers, *categories], dim=1)
    return Reference(rows, labels, _N_CLASSES, _GROUPS, random)


def _problem():
    """Return a model, rows, their targets, and bounds of every kind around them."""
    reference, random = _reference(), torch.Generator("cpu").manual_seed(1)
    model = MLP(
        _GROUPS.n_columns, _N_CLASSES, hidden_layer_sizes=(), activation="relu", generator=random
    )
    # Steep logits let an ordinary search reach tau within a few steps.
    with torch.no_grad():
        model[0].weight.mul_(5)
    rows = reference.rows
    # Each bound is 0, 1 or 2 units away from the row.
    margin_below, margin_above = torch.randint(3, (2, *rows.shape), generator=random).to(rows)
    lower, upper = rows - margin_below, rows + margin_above
    # A category that the row does not have can be reached where its margin is positive.
    for columns in _GROUPS.slices:
        membership = rows[:, columns]
        upper[:, columns] = torch.maximum(membership, (margin_above[:, columns] > 0).float())
        # If no other category can be reached, the row's own one is fixed at 1.
        is_only = upper[:, columns].sum(dim=1, keepdim=True) == 1
        lower[:, columns] = membership * is_only
    return model, rows, (reference.labels + 1) % _N_CLASSES, Box(lower, upper, _GROUPS)


def _search(generator, idx=slice(None), problem=None, **settings):
    """Search counterfactuals of some rows of a problem, by default of a fresh one."""
    model, rows, targets, box = problem or _problem()
    costs = torch.ones(_GROUPS.n_columns, dtype=torch.float32)
    settings = {**_SEARCH, **settings}
    with one_thread_if_small(model, _N_ROWS):
        result = generator.search(
            model, rows[idx], targets[idx], box.select(idx), costs=costs, **settings
        )
    check_result(result, generator, rows[idx])
    return result
