"""What every generator has to keep to, as a check that anyone can run on theirs."""

import pickle

import torch
from sklearn.base import clone

from ctsk._columns.constraints import Box
from ctsk._columns.one_hot import OneHotGroups
from ctsk._torch.energy import energy
from ctsk._torch.networks import MLP
from ctsk._torch.threads import one_thread_if_small
from ctsk.generators.base import BaseGenerator, Reference, Step

_GROUPS = OneHotGroups(n_numeric=4, sizes=(3, 2), missing=(False, False))
_N_ROWS, _N_CLASSES = 60, 3
_SEARCH = {"tau": 0.6, "T": 20, "epsilon": 0.3, "return_path": True}


def check_generator(generator):
    """Check that a generator keeps to the contract of :class:`BaseGenerator`.

    For your tests: searches a small model under random bounds, with numbers and
    categories, and looks at what comes back.

    Parameters
    ----------
    generator : BaseGenerator

    Raises
    ------
    AssertionError
        If it does not; the message says what is wrong.
    ValueError, RuntimeError
        By scikit-learn, if a parameter is out of range, or `__init__` does more than
        store its parameters.

    Examples
    --------
    >>> from ctsk.generators import GenericGenerator, check_generator
    >>> check_generator(GenericGenerator(lambda_cost=0.1))
    """
    _require(
        isinstance(generator, BaseGenerator),
        f"{generator!r} is no instance of a subclass of BaseGenerator.",
    )
    before = torch.get_rng_state()
    _check_parameters(generator)
    once, again = (_learnt(clone(generator)) for _ in range(2))
    _check_codes(once)
    _check_penalty(once)
    _check_chance(once, again)
    _check_search(once)
    _require(
        torch.equal(torch.get_rng_state(), before),
        "It draws from torch's global random state; take reference.random, in learn.",
    )


def _require(condition, message):
    if not condition:
        raise AssertionError(message)


def _check_parameters(generator):
    _require("step_size" in generator.get_params(), "It has no parameter step_size.")
    clone(generator)._validate_params()


def _learnt(generator):
    """Return the generator, having learnt what it has to."""
    if generator.must_learn:
        before = set(vars(generator))
        _require(generator.learn(_reference()) is generator, "learn does not return self.")
        new = [name for name in set(vars(generator)) - before if not name.endswith("_")]
        _require(not new, f"learn sets {new}; names of what was learnt end in an underscore.")
    return generator


def _check_codes(generator):
    rows = _reference().rows
    codes = generator.encode(rows)
    if codes is None:
        return
    _require(
        codes.ndim == 2 and len(codes) == len(rows),
        f"encode returns shape {tuple(codes.shape)} for {len(rows)} rows; one code for each.",
    )
    _require(
        torch.equal(codes, generator.encode(rows)), "encode answers differently when asked twice."
    )
    codes = codes.detach().requires_grad_()
    with torch.enable_grad():
        decoded = generator.decode(codes)
    _require(
        decoded.shape == rows.shape,
        f"decode returns shape {tuple(decoded.shape)} for rows of shape {tuple(rows.shape)}.",
    )
    _require(
        decoded.requires_grad and torch.autograd.grad(decoded.sum(), codes)[0].isfinite().all(),
        "No finite gradient flows through decode to the codes.",
    )


def _check_penalty(generator):
    model, factuals, targets, _ = _problem()
    # Every other one where its search starts.
    rows = factuals + 0.1 * (torch.arange(_N_ROWS) % 2)[:, None]
    rows.requires_grad_()
    with torch.enable_grad():
        energies = energy(model(rows), targets)
        costs = torch.ones(_GROUPS.n_columns)
        penalties = generator.penalty(Step(rows, factuals, targets, energies, costs, t=1, T=5))
    _require(
        isinstance(penalties, torch.Tensor) and penalties.shape == (_N_ROWS,),
        "penalty has to return a tensor with one number per row, of shape "
        f"{(_N_ROWS,)}; it returned a {type(penalties).__name__} of shape "
        f"{getattr(penalties, 'shape', None)}.",
    )
    _require(penalties.isfinite().all(), "penalty is not finite on ordinary rows.")
    if penalties.requires_grad:
        (gradients,) = torch.autograd.grad(penalties.sum(), rows)
        _require(
            gradients.isfinite().all(),
            "The gradient of penalty is not finite, at the factual itself perhaps: a square root "
            "of 0 has none; torch.linalg.vector_norm has.",
        )


def _check_chance(once, again):
    found, same = (_search(each).counterfactuals for each in (once, again))
    _require(
        torch.equal(found, same),
        "From the same rows and the same seed it finds something else. Draw in learn, and from "
        "reference.random only.",
    )
    stored = pickle.loads(pickle.dumps(once))
    _require(
        torch.equal(_search(stored).counterfactuals, found),
        "Stored by pickle and loaded, it finds something else.",
    )


def _check_search(generator):
    model, factuals, targets, box = _problem()
    weights = [parameter.clone() for parameter in model.parameters()]
    result = _search(generator)
    _require(
        all(map(torch.equal, model.parameters(), weights))
        and not any(parameter.grad is not None for parameter in model.parameters()),
        "The search changes the model, or leaves gradients on it.",
    )
    path, found = result.path, result.counterfactuals
    inside = (path >= box.lower[:, None]) & (path <= box.upper[:, None])
    _require(inside.all(), "States leave their box.")
    fixed = box.lower == box.upper
    _require(torch.equal(found[fixed], factuals[fixed]), "What may not move is not left as it is.")
    for columns in _GROUPS.slices:
        hard = (found[:, columns] == 1).sum(dim=1) + (found[:, columns] == 0).sum(dim=1)
        is_hard = (hard == found[:, columns].shape[1]) & (found[:, columns].sum(dim=1) == 1)
        _require(is_hard.all(), "A counterfactual has no category, or several.")
    _require((found != factuals).any(), "It moves no row at all.")
    _require(result.mature.any(), "It matures no row of an easy model.")
    some = torch.arange(0, _N_ROWS, 7)
    alone = _search(generator, some).path
    # Batches of another size may round otherwise.
    _require(
        torch.allclose(alone[:, :3], path[some, :3], atol=1e-4),
        "Rows influence each other: a row's path depends on the others in its batch. Penalties "
        "are one number per row, of that row.",
    )


def _reference():
    random = torch.Generator().manual_seed(0)
    numbers = torch.randn(_N_ROWS, _GROUPS.n_numeric, generator=random)
    words = [
        torch.eye(size)[torch.randint(size, (_N_ROWS,), generator=random)] for size in _GROUPS.sizes
    ]
    labels = torch.arange(_N_ROWS) % _N_CLASSES
    return Reference(torch.cat([numbers, *words], dim=1), labels, _N_CLASSES, _GROUPS, random)


def _problem():
    """Return a model, rows, their targets, and bounds of every kind around them."""
    reference, random = _reference(), torch.Generator().manual_seed(1)
    model = MLP(
        _GROUPS.n_columns, _N_CLASSES, hidden_layer_sizes=(), activation="relu", generator=random
    )
    with torch.no_grad():
        model[0].weight.mul_(5)
    rows = reference.rows
    down, up = torch.randint(3, (2, *rows.shape), generator=random)
    lower, upper = rows - down * 1.0, rows + up * 1.0
    for columns in _GROUPS.slices:
        own = rows[:, columns]
        upper[:, columns] = torch.maximum(own, (up[:, columns] > 0).float())
        lower[:, columns] = own * (upper[:, columns].sum(dim=1, keepdim=True) == 1)
    return model, rows, (reference.labels + 1) % _N_CLASSES, Box(lower, upper, _GROUPS)


def _search(generator, some=slice(None)):
    model, rows, targets, box = _problem()
    costs = torch.ones(_GROUPS.n_columns)
    with one_thread_if_small(model, _N_ROWS):
        return generator.generate(
            model, rows[some], targets[some], box.select(some), costs=costs, **_SEARCH
        )
