"""Between X in the user's units and the rows that the module sees."""

import numpy as np
from sklearn.preprocessing import StandardScaler

from ctsk._constraints import Constraints


class FeatureSpace:
    """The map between numeric columns and module rows: standardise and back.

    Parameters
    ----------
    names : list of str
        One per feature of X.
    center, scale : ndarray of shape (n_features,)
        ``module units = (X - center) / scale``.
    domain : tuple of two ndarrays of shape (n_features,)
        Lower and upper bounds of the inferred domain, in X's units.
    """

    def __init__(self, names, *, center, scale, domain):
        self.names = names
        self.center = center
        self.scale = scale
        self.domain = domain

    @classmethod
    def fit(cls, X, names, *, standardize):
        r"""Learn centre, scale and domain from training rows.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
        names : list of str
        standardize : bool
            False keeps X's own units. A constant column has scale 1.

        Returns
        -------
        space : FeatureSpace

        Notes
        -----
        The inferred domain of a feature is
        :math:`[\min(\mu - 3\sigma, \min x), \max(\mu + 3\sigma, \max x)]`.
        """
        scaler = StandardScaler().fit(X)
        spread = 3 * np.sqrt(scaler.var_)
        low = np.minimum(scaler.mean_ - spread, X.min(axis=0))
        high = np.maximum(scaler.mean_ + spread, X.max(axis=0))
        return cls(
            names,
            center=scaler.mean_ if standardize else np.zeros(X.shape[1]),
            scale=scaler.scale_ if standardize else np.ones(X.shape[1]),
            domain=(low, high),
        )

    def encode(self, X):
        """Map rows in X's units to module units.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Anything that NumPy makes a numeric array of: a DataFrame too.

        Returns
        -------
        rows : ndarray of shape (n_rows, n_features)
        """
        # One memory layout for all containers, so that equal rows get equal bits.
        return (np.ascontiguousarray(X, dtype=np.float64) - self.center) / self.scale

    def encode_constraints(self, constraints):
        """Map constraints in X's units to module units."""
        return Constraints(
            low=self.encode(constraints.low),
            high=self.encode(constraints.high),
            may_rise=constraints.may_rise,
            may_fall=constraints.may_fall,
        )

    def decode(self, rows):
        """Map rows in module units to X's units."""
        return np.asarray(rows, dtype=np.float64) * self.scale + self.center

    def hand_over(self, rows, factual_rows, X, box, dtypes):
        """Map found rows to the values that the user is handed.

        A value that did not move is the factual's own; one that did is clamped
        to the box in X's units and brought to its column's dtype without
        leaving the box: integers are rounded, inwards at a bound.

        Parameters
        ----------
        rows, factual_rows : ndarray of shape (n_rows, n_features)
            What was found and what it was found for, in module units.
        X : ndarray of shape (n_rows, n_features)
            The factuals in X's units.
        box : tuple of two ndarrays of shape (n_rows, n_features)
            Bounds in X's units; see `Constraints.box`.
        dtypes : list of numpy.dtype
            Of X's columns; see `column_dtypes`.

        Returns
        -------
        values : ndarray of shape (n_rows, n_features)
            float64, each representable in its column's dtype.
        """
        lower, upper = box
        moved = (rows != factual_rows) & np.isfinite(rows)
        values = np.clip(np.where(moved, self.decode(rows), X), lower, upper)
        for column, dtype in enumerate(dtypes):
            if dtype != np.float64:
                bounds = lower[:, column], upper[:, column]
                values[:, column] = _representable(values[:, column], *bounds, dtype)
        return values


def _representable(values, lower, upper, dtype):
    """Round `values` to numbers that `dtype` holds and that lie within the bounds."""
    if dtype.kind == "f":
        rounded = values.astype(dtype)
        inwards = np.where(rounded > upper, -np.inf, np.inf).astype(dtype)
        outside = (rounded > upper) | (rounded < lower)
        return np.where(outside, np.nextafter(rounded, inwards), rounded)
    smallest, largest = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.clip(
        np.rint(values),
        np.ceil(np.maximum(lower, smallest)),
        np.floor(np.minimum(upper, largest)),
    )


def is_frame(X):
    """Whether X is a pandas DataFrame (without importing pandas)."""
    return hasattr(X, "iloc") and hasattr(X, "columns")


def numpy_dtype(dtype):
    """Return NumPy's dtype of a column of a DataFrame; object where it has none."""
    dtype = getattr(dtype, "numpy_dtype", dtype)
    return dtype if isinstance(dtype, np.dtype) else np.dtype(object)


def column_dtypes(X):
    """NumPy dtype of every column of X.

    Parameters
    ----------
    X : DataFrame, ndarray or array-like of shape (n_rows, n_features)
        Lists, which have no dtype, and arrays of objects count as float64.

    Returns
    -------
    dtypes : list of numpy.dtype
    """
    if is_frame(X):
        return [numpy_dtype(dtype) for dtype in X.dtypes]
    return [_array_dtype(X)] * np.shape(X)[1]


def _array_dtype(X):
    numeric = isinstance(X, np.ndarray) and X.dtype.kind in "biuf"
    return X.dtype if numeric else np.dtype(np.float64)


def like(X, values):
    """Return a copy of X that holds `values`, with X's container, index and dtypes.

    Cells whose value did not change keep X's own bits.
    """
    if not is_frame(X):
        copy = np.array(X, dtype=_array_dtype(X))
        np.copyto(copy, values.astype(copy.dtype, copy=False), where=values != copy)
        return copy
    copy = X.copy()
    for position, dtype in enumerate(column_dtypes(X)):
        column = X.iloc[:, position].copy()
        moved = values[:, position] != column.to_numpy(dtype=np.float64)
        column[moved] = values[moved, position].astype(dtype)
        copy.isetitem(position, column)
    return copy
