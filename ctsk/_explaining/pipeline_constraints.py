"""Constraints and costs of a pipeline, as its classifier was trained with them."""

import numpy as np

from ctsk._columns.constraints import Constraints
from ctsk._explaining.pipeline_encoder import bounds_in_x_units, same_categories


def trained_constraints(paths, encoder, model, to_module, special):
    """Return the constraints of the training, in the pipeline's units.

    Parameters
    ----------
    paths : FeaturePaths
    encoder : PipelineEncoder
    model : ExplainableModel
        The last step.
    to_module : AffineMap
        From encoded rows to the module rows of the last step.
    special : dict of int to dict of float to float or None
        Special values in X's units, each with that of the last step.

    Returns
    -------
    constraints : Constraints
    """
    inner, trained = model.encoder, model.constraints
    n_numeric, n_columns = len(encoder.numeric), encoder.groups.n_columns
    may_rise, may_fall = np.ones(n_columns, dtype=bool), np.ones(n_columns, dtype=bool)
    is_inferred = np.ones(n_columns, dtype=bool)
    low, high = (bound.copy() for bound in encoder.domain)
    bounds = _users_bounds(paths, encoder, inner, trained)
    for feature, columns in enumerate(encoder.feature_columns):
        if feature in encoder.schema.unread:
            # What the model ignores never moves.
            may_rise[columns] = may_fall[columns] = False
            continue
        if feature not in paths.alone:
            # A code or a mixture has no bounds in units of the feature, but it has mutability.
            is_fixed = _is_fixed(trained, inner, to_module.weight[columns], paths.uses[feature])
            may_rise[columns] = may_fall[columns] = not is_fixed
            continue
        inner_columns = inner.feature_columns[paths.alone[feature]]
        first = inner_columns[0]
        is_number = columns[0] < n_numeric
        # If the number falls while the column rises, the directions are exchanged.
        step = -1 if is_number and encoder.falls[columns[0]] else 1
        directions = (trained.may_rise[first], trained.may_fall[first])[::step]
        may_rise[columns], may_fall[columns] = directions
        is_inferred[columns] = trained.is_inferred[first]
        # An inferred domain of a number is inferred again, from the same rows, in X's units.
        if is_number and not trained.is_inferred[first]:
            low[columns[0]], high[columns[0]] = bounds[:, columns[0]]
        if not is_number:
            low[columns] = trained.low[first]
        one_hot = columns[1:] if is_number else columns
        high[one_hot] = _reachable(paths, encoder, inner, trained, special, feature)
    return Constraints(low, high, may_rise, may_fall, encoder.groups, is_inferred, encoder.fill)


def _users_bounds(paths, encoder, inner, trained):
    """Return the bounds of numbers that the user of the classifier has set, in X's units."""
    # What was inferred is NaN, and stays so.
    ends = [np.where(trained.is_inferred, np.nan, end) for end in (trained.low, trained.high)]
    return bounds_in_x_units(paths, encoder, inner, *ends)


def _reachable(paths, encoder, inner, trained, special, feature):
    """Return 1 for each one-hot column of a feature that the classifier may reach, else 0."""
    inner_feature = paths.alone[feature]
    inner_columns = inner.feature_columns[inner_feature]
    if feature in paths.codings:
        # A category that the classifier does not know, such as a missing one, has no column
        # there, and cannot be reached.
        columns = same_categories(encoder.schema, inner, feature, inner_feature)
        return (columns >= 0) * trained.high[columns]
    states = encoder.schema.states.get(feature, ())
    if not states:
        # The column of a dummy; none of a number.
        is_dummy = feature not in encoder.numeric
        return trained.high[inner_columns] if is_dummy else np.empty(0)
    known = inner.schema.states.get(inner_feature, ())
    # To have a number is the first of the states.
    reachable = [trained.high[inner_columns[1]] if known else 1.0]
    for state in states:
        # A gap may come last among the classifier's states, too; it is never reached.
        inner_state = special.get(feature, {}).get(state)
        is_known = inner_state in known
        code = known.index(inner_state) if is_known else 0
        reachable.append(trained.high[inner_columns[2 + code]] if is_known else 0.0)
    return np.array(reachable)


def _is_fixed(trained, inner, weight, uses):
    """Whether a feature is immutable: all that it becomes is, or a copy of it is."""
    free = trained.may_rise | trained.may_fall
    moved = (weight != 0).any(dim=0).cpu().numpy()
    copies = [
        inner.feature_columns[inner_feature] for inner_feature in uses if inner_feature is not None
    ]
    is_copy_fixed = not all(free[columns].any() for columns in copies)
    return is_copy_fixed or (moved.any() and not free[moved].any())


def trained_costs(paths, encoder, model):
    """Return the classifier's costs, per unit of X; 1 per module unit where it has none."""
    inner = model.encoder
    # From costs per unit of the classifier's column over costs per module unit to costs per
    # unit of X.
    costs = np.ones(len(encoder.names))
    for feature, inner_feature in paths.alone.items():
        costs[feature] = model.feature_costs[inner_feature]
        if feature in paths.stages:
            costs[feature] *= inner.scale[inner.feature_columns[inner_feature][0]].item()
    costs[encoder.numeric] /= np.abs(encoder.scale[: len(encoder.numeric)])
    return costs
