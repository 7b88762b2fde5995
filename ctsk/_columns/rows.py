"""Rows of X, in the user's container and as numbers."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ctsk._columns.containers import repeat_rows, rows_of
from ctsk._columns.other_frames import from_pandas, is_other_frame
from ctsk._columns.schema import Schema


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that are read once as numbers and written to the user's container on demand.

    Selecting rows, or replacing their values, leaves the user's container alone until
    `container` is asked for.

    Parameters
    ----------
    schema : Schema
        Names and kinds of the columns.
    values : ndarray of shape (n_rows, n_features)
        The rows as numbers; see `Schema.read`.
    table : DataFrame or ndarray of shape (n_table_rows, n_features)
        The user's table. The container has its type, index and dtypes, and the bits of
        each cell whose value is unchanged.
    table_values : ndarray of shape (n_table_rows, n_features)
        The values that `Schema.read` returns for `table`.
    idx : int ndarray of shape (n_rows,)
        The position of each row in `table`.
    dtypes : list of numpy.dtype
        The dtypes that numbers are rounded to; see `Schema.dtypes`.
    like : DataFrame or None, default=None
        A DataFrame of a library other than pandas, if the user's table was one; `table`
        is then its conversion to pandas.
    """

    schema: Schema
    values: np.ndarray
    table: Any
    table_values: np.ndarray
    idx: np.ndarray
    dtypes: list
    like: Any = None

    @classmethod
    def read(cls, X, schema, like=None, *, warn=True):
        """Read a table that has the columns of a schema.

        Parameters
        ----------
        X : pandas.DataFrame or ndarray of shape (n_rows, n_features)
        schema : Schema
        like : object, default=None
            The object that the user passed; a DataFrame of another library lends its
            container.
        warn : bool, default=True
            See `Schema.read`.

        Returns
        -------
        rows : Rows

        Raises
        ------
        ValueError
            As in `Schema.read`.
        """
        # One array is both the current and the original values: it is replaced, but never
        # written to.
        values = schema.read(X, warn=warn)
        like = like if is_other_frame(like) else None
        return cls(schema, values, X, values, np.arange(len(values)), schema.dtypes(X), like)

    def __len__(self):
        """Return the number of rows."""
        return len(self.values)

    @property
    def original(self):
        """The rows of the user's table, as pandas or NumPy has them."""
        return rows_of(self.table, self.idx)

    @cached_property
    def frame(self):
        """The rows with their current values: a pandas DataFrame or an ndarray."""
        return self.schema.write(self.original, self.table_values[self.idx], self.values)

    @property
    def container(self):
        """The rows with their current values, in the container and dtypes of the user's."""
        return self.frame if self.like is None else from_pandas(self.frame, self.like)

    def select(self, idx):
        """Return the rows at some positions: a slice, a mask or integers."""
        # The table stays whole and is shared; a search selects rows in every step, and few of
        # these selections are ever written to a container.
        return replace(self, values=self.values[idx], idx=self.idx[idx])

    def with_values(self, values):
        """Return rows with other values in the same container."""
        return replace(self, values=values)

    def repeat(self, n_times):
        """Return each row several times, one copy after the other.

        The index of a DataFrame tells the copies apart; see `repeat_rows`.
        """
        # The copies need labels of their own, so that the table is repeated, too.
        return replace(
            self,
            values=np.repeat(self.values, n_times, axis=0),
            table=repeat_rows(self.original, n_times),
            table_values=np.repeat(self.table_values[self.idx], n_times, axis=0),
            idx=np.arange(len(self) * n_times),
        )
