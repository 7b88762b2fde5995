"""Models that were trained on different rows of one table, in the units of the first of them."""

import copy
from dataclasses import replace

import numpy as np

from ctsk._explaining.calibrated_nets import Affine

# Numbers of a feature on which two encoders are compared, as shares of its range.
_PROBES = np.linspace(-0.5, 1.5, 9)
# Difference in module units up to which the rows of two encoders count as equal.
_TOLERANCE = 1e-6


def with_all_ranges(model, inner):
    """Return a model whose numbers may move within the domains of all inner models.

    Parameters
    ----------
    model : ExplainableModel
        A copy of the first inner model.
    inner : list of ExplainableModel

    Returns
    -------
    model : ExplainableModel
    """
    encoder, n_numeric = copy.copy(model.encoder), len(model.encoder.numeric)

    def widest(pairs):
        """Return the widest bounds of the numbers, and the first model's of categories."""
        pairs = list(pairs)
        low, high = pairs[0][0].copy(), pairs[0][1].copy()
        # A feature without any number in the training rows of one model has NaN.
        low[:n_numeric] = np.fmin.reduce([pair[0][:n_numeric] for pair in pairs])
        high[:n_numeric] = np.fmax.reduce([pair[1][:n_numeric] for pair in pairs])
        return low, high

    encoder.domain = widest(explainable.encoder.domain for explainable in inner)
    encoder.observed = widest(explainable.encoder.observed for explainable in inner)
    # Domains that the user has passed are the same in all models.
    constraints = [explainable.constraints for explainable in inner]
    low, high = widest((part.low, part.high) for part in constraints)
    return replace(model, encoder=encoder, constraints=replace(constraints[0], low=low, high=high))


def alignment(encoder, other):
    """Return a module that maps rows of one encoder to those of another.

    Parameters
    ----------
    encoder, other : Encoder
        They encode tables with the same columns.

    Returns
    -------
    affine : Affine

    Raises
    ------
    ValueError
        If no affine map does so.
    """
    values = _probes(encoder)
    rows = encoder.encode_values(values)
    expected = other.encode_values(_translated(values, encoder.schema, other.schema))
    # Both encoders are sums of functions of single features, so that a map that fits the probes,
    # among which each feature takes each of its categories, fits all rows.
    factors = np.hstack([rows, np.ones((len(rows), 1))])
    solution = np.linalg.lstsq(factors, expected, rcond=None)[0]
    differs = np.abs(factors @ solution - expected).max(axis=0) > _TOLERANCE
    if differs.any():
        feature = other.feature_of_column[np.flatnonzero(differs)[0]]
        raise _different(f"scale numbers of feature {other.names[feature]!r} by different curves")
    return Affine(solution[:-1], solution[-1])


def _probes(encoder):
    """Return values in which one feature after the other takes a number of its values."""
    schema = encoder.schema
    base = encoder.collapse(encoder.fill[None] + encoder.shares)[0]
    parts = [base[None]]

    def add(features, entries):
        part = np.tile(base, (len(entries), 1))
        part[:, features] = entries
        parts.append(part)

    ends = np.array(encoder.observed)
    for column, feature in enumerate(encoder.numeric.tolist()):
        low, high = ends[:, column]
        numbers = low + _PROBES * (high - low) if low < high else base[feature] + _PROBES
        add(feature, [*numbers, *schema.states.get(feature, ())])
    # Shares stand for an unknown category, and differ between models. A search only starts there,
    # or never leaves it, so that the map need not be exact.
    for feature, categories in schema.categories.items():
        add(feature, np.arange(len(categories.values)))
    for group in schema.dummies:
        add(list(group), np.eye(len(group)))
    return np.concatenate(parts)


def _translated(values, schema, other):
    """Return values by the schema of another model, which may number categories otherwise.

    Raises
    ------
    ValueError
        If a feature is a number in one schema and a category in the other, or of use in one only.
    """
    translated = values.copy()
    for feature, name in enumerate(schema.names):
        kinds = [(feature in part.categories, feature in part.unread) for part in (schema, other)]
        if kinds[0] != kinds[1]:
            raise _different(f"take feature {name!r} for different kinds of data")
        if feature in schema.categories:
            known = other.categories[feature].values
            codes = [
                known.index(value) if value in known else -1
                for value in schema.categories[feature].values
            ]
            # The last entry is for unknown categories, whose code is -1.
            translated[:, feature] = np.array([*codes, -1])[values[:, feature].astype(int)]
    return translated


def _different(how):
    return ValueError(
        f"The classifiers within model {how}, because each was trained on other rows, so that no "
        "search can follow all of them. Pass ensemble=False to CalibratedClassifierCV."
    )
