"""Encoders and constraints as plain values: names, numbers and arrays."""

from dataclasses import fields

import numpy as np

from ctsk._columns.categories import Categories
from ctsk._columns.constraints import Constraints
from ctsk._columns.curves import Curve
from ctsk._columns.encoder import Encoder
from ctsk._columns.grid import Grid
from ctsk._columns.schema import Schema

# Attributes of an encoder that are arrays, and those that are pairs of arrays.
ARRAYS = ("center", "scale", "fill", "shares")
PAIRS = ("domain", "observed", "inner_ends")
# Attributes of a curve: its table.
TABLE = ("points", "heights")
# Fields of constraints; their groups are those of the encoder.
CONSTRAINTS = tuple(field.name for field in fields(Constraints) if field.name != "groups")


def encoder_state(encoder):
    """Return an encoder as plain values.

    Parameters
    ----------
    encoder : Encoder
        The encoder of a fitted estimator, which reads all columns.

    Returns
    -------
    state : dict
        ``"features"`` is a list with one dict for each feature. The other entries are arrays,
        or describe the table as a whole.
    """
    schema = encoder.schema
    state = {
        "features": [
            _feature_state(encoder, *feature) for feature in enumerate(encoder.feature_columns)
        ],
        "one_hot_groups": schema.dummies,
        "is_named": schema.is_named,
        "handle_unknown": schema.handle_unknown,
    }
    state |= {name: getattr(encoder, name) for name in ARRAYS}
    for name in PAIRS:
        state[f"{name}_low"], state[f"{name}_high"] = getattr(encoder, name)
    return state


def encoder_of(state):
    """Return the encoder whose plain values are given by `encoder_state`."""
    features = list(enumerate(state["features"]))
    categories = {
        position: Categories(
            tuple(feature["categories"]), np.asarray(feature["observed"]), feature["is_ordered"]
        )
        for position, feature in features
        if feature["kind"] == "category"
    }
    numbers = [(position, feature) for position, feature in features if feature["kind"] == "number"]
    schema = Schema(
        [feature["name"] for _, feature in features],
        categories,
        np.array([feature["is_integer"] for _, feature in features], dtype=bool),
        is_named=state["is_named"],
        # Features without special values, or without states, are not listed.
        special_values={p: f["special_values"] for p, f in numbers if f["special_values"]},
        states={p: f["states"] for p, f in numbers if f["states"]},
        dummies=state["one_hot_groups"],
        handle_unknown=state["handle_unknown"],
    )
    return Encoder(
        schema,
        grids={p: _grid_of(f["grid"]) for p, f in numbers if f["grid"] is not None},
        # The columns of numbers come first, in the order of the features.
        curves={c: _curve_of(f["curve"]) for c, (_, f) in enumerate(numbers) if f["curve"]},
        **{name: state[name] for name in ARRAYS},
        **{name: (state[f"{name}_low"], state[f"{name}_high"]) for name in PAIRS},
    )


def _feature_state(encoder, position, columns):
    """Return the name and the kind of a feature, and what is known of a feature of this kind."""
    schema = encoder.schema
    state = {"name": schema.names[position], "is_integer": bool(schema.integral[position])}
    if position in schema.categories:
        known = schema.categories[position]
        return state | {
            "kind": "category",
            "categories": known.values,
            "observed": known.observed,
            "is_ordered": known.ordered,
        }
    if any(position in group for group in schema.dummies):
        return state | {"kind": "dummy"}
    return state | {
        "kind": "number",
        "special_values": schema.special_values.get(position, ()),
        "states": schema.states.get(position, ()),
        "grid": _grid_state(encoder.grids.get(position)),
        "curve": _curve_state(encoder.curves.get(columns[0])),
    }


def _grid_state(grid):
    if grid is None:
        return None
    return {"step": grid.step, "values": grid.values, "dtype": np.dtype(grid.dtype).name}


def _grid_of(state):
    return Grid(state["step"], state["values"], np.dtype(state["dtype"]))


def _curve_state(stages):
    if stages is None:
        return None
    # In the encoder of an estimator, a curve is a table, without a function that was measured.
    (curve,) = stages
    return {name: getattr(curve, name) for name in TABLE}


def _curve_of(state):
    return (Curve(**state, function=None),)


def constraints_state(constraints):
    """Return constraints in X's units as plain values."""
    return {name: getattr(constraints, name) for name in CONSTRAINTS}


def constraints_of(state, encoder):
    """Return the constraints whose plain values are given by `constraints_state`."""
    return Constraints(groups=encoder.groups, **state)
