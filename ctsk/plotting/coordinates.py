"""Coordinates of rows in a plane: two features, or two principal components."""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from ctsk._columns.containers import listed
from ctsk._columns.user_entries import feature_position

# Maximum number of categories whose names are legible along an axis.
_MOST_CATEGORIES = 30
# Powers of the inverse of the plastic ratio, the root of x**3 = x + 1. Their multiples, modulo 1,
# fill a square evenly for any number of points.
_RATIOS = (0.7548776662466927, 0.5698402909980532)
# Points of one category are spread over this part of its place on the axis.
_BAND = 0.6


@dataclass(frozen=True, eq=False)
class FeaturePair:
    """Two features as the axes of a plane.

    Parameters
    ----------
    schema : Schema
    idx : int ndarray of shape (2,)
        Positions of the features.
    """

    schema: object
    idx: np.ndarray

    @classmethod
    def of(cls, features, schema):
        """Return the pair that a user has named, or raise a ValueError."""
        names = schema.names
        if features is None and len(names) != 2:
            raise ValueError(
                f"features is None, but the explanation has {len(names)} features. Pass the names "
                "of two of them, or 'pca'."
            )
        pair = (0, 1) if features is None else features
        if isinstance(pair, str) or not hasattr(pair, "__len__") or len(pair) != 2:
            raise ValueError(
                f"features is {features!r:.200}; it must be 'pca' or the names of two features "
                f"({listed(names)})."
            )
        if features is not None:
            pair = [feature_position(feature, names, "features") for feature in features]
        if pair[0] == pair[1]:
            raise ValueError(f"features names {names[pair[0]]!r} twice; pass two features.")
        for feature in pair:
            if feature in schema.unread:
                raise ValueError(
                    f"features names {names[feature]!r}, which the model ignores. Pass a feature "
                    "that the model uses, or 'pca'."
                )
            n_categories = len(schema.categories.get(feature, ()))
            if n_categories > _MOST_CATEGORIES:
                raise ValueError(
                    f"features names {names[feature]!r}, which has {n_categories} categories; at "
                    f"most {_MOST_CATEGORIES} can be plotted along an axis. Pass another feature, "
                    "or 'pca'."
                )
        return cls(schema, np.array(pair))

    @property
    def are_complete(self):
        """Whether rows have no other features, so that predictions are a function of these."""
        return len(self.schema.names) == 2

    @property
    def labels(self):
        """Labels of the axes."""
        return tuple(str(self.schema.names[feature]) for feature in self.idx)

    @property
    def categories(self):
        """Names of the categories along each axis, or None for a number."""
        return tuple(
            [
                "missing" if value is None else str(value)
                for value in self.schema.categories[feature].values
            ]
            if feature in self.schema.categories
            else None
            for feature in self.idx
        )

    def coordinates(self, rows):
        """Return the coordinates of rows; NaN for values that are no number or no category."""
        values = rows.values
        coordinates = values[:, self.idx].copy()
        # Missing and special numbers have no place among the others.
        coordinates[self.schema.is_state(values)[:, self.idx]] = np.nan
        for axis, feature in enumerate(self.idx):
            if feature in self.schema.categories:
                # The code of an unknown category is -1.
                coordinates[coordinates[:, axis] < 0, axis] = np.nan
        return coordinates

    def spread(self, n_rows):
        """Return offsets that keep rows of the same category apart; shape (n_rows, 2)."""
        steps = np.arange(1, n_rows + 1)
        offsets = np.zeros((n_rows, 2))
        for axis, ratio in enumerate(_RATIOS):
            if self.categories[axis] is not None:
                offsets[:, axis] = _BAND * ((steps * ratio) % 1 - 0.5)
        return offsets


class PrincipalComponents:
    """The first two principal components of encoded rows as the axes of a plane.

    Parameters
    ----------
    encoder : Encoder
    encoded : ndarray of shape (n_rows, n_columns)
        Rows that determine the components, in module units.
    """

    categories = (None, None)
    are_complete = False

    def __init__(self, encoder, encoded):
        # Without variance, there are no components.
        if min(encoded.shape) < 2 or not np.ptp(encoded, axis=0).any():
            raise ValueError(
                "features='pca' needs at least two columns, and rows that differ; the rows have "
                f"shape {encoded.shape} in module units. Pass two features, or more rows as X."
            )
        self.encoder = encoder
        # The full solver draws no random numbers.
        self.pca = PCA(2, svd_solver="full").fit(encoded)

    @property
    def labels(self):
        """Labels of the axes, with the share of the variance that each explains."""
        return tuple(
            f"principal component {number} ({share:.0%} of variance)"
            for number, share in enumerate(self.pca.explained_variance_ratio_, start=1)
        )

    def coordinates(self, rows):
        """Return the coordinates of rows."""
        return self.pca.transform(self.encoder.encode_values(rows.values))

    def spread(self, n_rows):
        """Return no offsets: the components are numbers."""
        return np.zeros((n_rows, 2))
