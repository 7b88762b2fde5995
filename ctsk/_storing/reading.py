"""What predicts and explains: from a document to plain values, with every part checked."""

import numpy as np

from ctsk._storing.checks import (
    check_choice,
    check_distinct,
    check_flag,
    check_flags,
    check_integer,
    check_list,
    check_number,
    check_numbers,
    check_record,
)
from ctsk._storing.encoders import ARRAYS, CONSTRAINTS, PAIRS, TABLE, encoder_of
from ctsk._storing.values import from_json, require

_MODEL = (
    "weights_sha256", "architecture", "classes", "encoder", "constraints", "feature_costs",
)  # fmt: skip
_ENCODER = (
    "features", "one_hot_groups", "is_named", "handle_unknown", *ARRAYS,
    *(f"{pair}_{end}" for pair in PAIRS for end in ("low", "high")),
)  # fmt: skip
_EVERY = ("name", "kind", "is_integer", "columns")
_KINDS = {
    "number": (*_EVERY, "special_values", "states", "grid", "curve"),
    "category": (*_EVERY, "categories", "observed", "is_ordered"),
    "dummy": _EVERY,
}
_DTYPES = ("float16", "float32", "float64")


def read_model(model):
    """Return what predicts and explains, from the part "model" of a document.

    Parameters
    ----------
    model : object
        What the module json returns.

    Returns
    -------
    attributes : dict
        Attributes of an estimator that are arrays and numbers.
    fitted : dict
        The state of its encoder and of its constraints.
    groups : OneHotGroups

    Raises
    ------
    ModelFileError
        If anything is not as a fitted estimator has it.
    """
    check_record(model, _MODEL, "model")
    encoder = _read_encoder(model["encoder"])
    n_features = len(encoder["features"])
    built = encoder_of(encoder)
    columns = [own.tolist() for own in built.feature_columns]
    stated = [feature["columns"] for feature in model["encoder"]["features"]]
    require(stated == columns, "the columns of the features are others")
    costs = check_numbers(model["feature_costs"], n_features, "feature_costs")
    require((costs >= 0).all(), "feature_costs are negative")
    names = [feature["name"] for feature in encoder["features"]]
    attributes = {
        "classes_": _read_classes(model["classes"]),
        "n_features_in_": n_features,
        "feature_costs_": costs,
    }
    # As in scikit-learn, only names that are texts are an attribute.
    if encoder["is_named"] and all(isinstance(name, str) for name in names):
        attributes["feature_names_in_"] = np.array(names, dtype=object)
    constraints = _read_constraints(model["constraints"], built.groups.n_columns)
    return attributes, {"encoder": encoder, "constraints": constraints}, built.groups


def _read_classes(encoded):
    classes = from_json(encoded)
    is_array = isinstance(classes, np.ndarray) and classes.ndim == 1 and len(classes) >= 2
    require(is_array, "classes are no list of labels")
    try:
        is_sorted = np.array_equal(np.unique(classes), classes)
    except TypeError:
        is_sorted = False
    require(is_sorted, "classes are not in ascending order")
    return classes


def _read_encoder(described):
    """Return the state of an encoder."""
    check_record(described, _ENCODER, "encoder")
    features = [_read_feature(part) for part in check_list(described["features"], "features")]
    require(len(features) > 0, "there are no features")
    check_distinct([feature["name"] for feature in features], "the names of the features")
    state = {
        "features": features,
        "one_hot_groups": _read_groups(described["one_hot_groups"], features),
        "is_named": check_flag(described["is_named"], "is_named"),
        "handle_unknown": check_choice(
            described["handle_unknown"], ("missing", "error"), "handle_unknown"
        ),
    }
    n_numeric = sum(feature["kind"] == "number" for feature in features)
    n_columns = _n_columns(features)
    for name in ARRAYS:
        state[name] = check_numbers(described[name], n_columns, name)
    require((state["scale"] != 0).all(), "a scale is zero")
    for end in ("low", "high"):
        # The domain of a feature without any number is empty, and its observed ends are missing.
        state[f"domain_{end}"] = check_numbers(
            described[f"domain_{end}"], n_columns, f"domain_{end}", is_finite=False
        )
        for pair in ("observed", "inner_ends"):
            name = f"{pair}_{end}"
            state[name] = check_numbers(described[name], n_numeric, name, allow_nan=True)
    return state


def _n_columns(features):
    """Return the number of columns of the module rows; see `Encoder`."""
    sizes = {
        "number": lambda feature: 1 + (1 + len(feature["states"]) if feature["states"] else 0),
        "category": lambda feature: len(feature["categories"]),
        "dummy": lambda feature: 1,
    }
    return sum(sizes[feature["kind"]](feature) for feature in features)


def _read_feature(described):
    """Return the state of a feature."""
    require(isinstance(described, dict), "a feature is no object")
    kind = check_choice(described.get("kind"), _KINDS, "the kind of a feature")
    require(kind is not None, "a feature has no kind")
    check_record(described, _KINDS[kind], "a feature")
    feature = {
        "name": from_json(described["name"]),
        "kind": kind,
        "is_integer": check_flag(described["is_integer"], "is_integer"),
    }
    title = f"feature {feature['name']!r:.60}"
    if kind == "category":
        values = tuple(from_json(check_list(described["categories"], f"categories of {title}")))
        check_distinct(values, f"categories of {title}")
        require(len(values) > 0 and None not in values[:-1], f"categories of {title} are invalid")
        feature["categories"] = values
        feature["observed"] = check_flags(
            described["observed"], len(values), f"observed of {title}"
        )
        feature["is_ordered"] = check_flag(described["is_ordered"], f"is_ordered of {title}")
    if kind == "number":
        special = check_numbers(described["special_values"], None, f"special_values of {title}")
        states = check_list(described["states"], f"states of {title}")
        # A missing number comes last, and all others are special.
        n_special = len(states) - (states[-1:] == [None])
        listed = check_numbers(states[:n_special], None, f"states of {title}")
        require(np.isin(listed, special).all(), f"a state of {title} is not special")
        states = np.append(listed, [np.nan] * (len(states) - n_special))
        feature["special_values"] = check_distinct(
            tuple(special.tolist()), f"special_values of {title}"
        )
        feature["states"] = check_distinct(tuple(states.tolist()), f"states of {title}")
        feature["grid"] = _read_grid(described["grid"], title)
        feature["curve"] = _read_curve(described["curve"], title)
    return feature


def _read_grid(described, title):
    if described is None:
        return None
    title = f"the grid of {title}"
    check_record(described, ("step", "values", "dtype"), title)
    require(described["dtype"] in _DTYPES, f"{title} has another dtype")
    step, values = described["step"], described["values"]
    require((step is None) != (values is None), f"{title} has both a step and values, or none")
    if values is not None:
        values = tuple(check_numbers(values, 2, title).tolist())
        require(values[0] < values[1], f"{title} is not in ascending order")
    else:
        require(check_number(step, title) > 0, f"{title} has an invalid step")
        step = float(step)
    return {"step": step, "values": values, "dtype": described["dtype"]}


def _read_curve(described, title):
    if described is None:
        return None
    title = f"the curve of {title}"
    check_record(described, TABLE, title)
    points = check_numbers(described["points"], None, f"points of {title}")
    heights = check_numbers(described["heights"], len(points), f"heights of {title}")
    require(len(points) >= 2, f"{title} has fewer than two points")
    require((points[1:] > points[:-1]).all(), f"points of {title} are not in ascending order")
    # Heights of neighbors are equal where the digits of large numbers do not tell them apart.
    require((heights[1:] >= heights[:-1]).all(), f"heights of {title} are not in ascending order")
    return {"points": points, "heights": heights}


def _read_groups(described, features):
    """Return the groups of dummies, which together are the features of this kind."""
    groups = check_list(described, "one_hot_groups")
    for group in groups:
        require(len(check_list(group, "a one-hot group")) > 0, "a one-hot group is empty")
        for position in group:
            check_integer(position, "a one-hot group", high=len(features) - 1)
    grouped = sorted(position for group in groups for position in group)
    dummies = [p for p, feature in enumerate(features) if feature["kind"] == "dummy"]
    require(grouped == dummies, "one_hot_groups are not the features of this kind")
    return tuple(map(tuple, groups))


def _read_constraints(described, n_columns):
    check_record(described, CONSTRAINTS, "constraints")
    state = {
        name: check_numbers(described[name], n_columns, name, is_finite=False)
        for name in ("low", "high")
    }
    for name in ("may_rise", "may_fall", "is_inferred"):
        state[name] = check_flags(described[name], n_columns, name)
    return state | {"fill": check_numbers(described["fill"], n_columns, "fill")}
