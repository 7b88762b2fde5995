"""The inputs of an ONNX model: their names, their types and their columns."""

from numbers import Integral, Real

import numpy as np

from ctsk._columns.containers import listed

# Names that columns cannot have, because the outputs have them.
OUTPUTS = ("label", "probabilities")
# The name of the input of a model that was fitted on an array.
_ARRAY = "X"


def input_names(schema):
    """Return the names of the inputs, or raise a ValueError if they are ambiguous."""
    if not schema.is_named:
        return [_ARRAY]
    names = [str(name) for name in schema.names]
    ambiguous = [name for name in names if names.count(name) > 1 or name in ("", *OUTPUTS)]
    if ambiguous:
        raise ValueError(
            f"Names of columns of X are ambiguous as inputs of an ONNX model: {listed(ambiguous)}. "
            "As text, they must differ from one another, from the outputs 'label' and "
            "'probabilities', and from the empty string. Rename them, for example by "
            "X.rename(columns=...), and refit."
        )
    return names


def typed(values, what, *, may_be_missing=False, as_double=False):
    """Return labels, or categories, as an array of a type of ONNX.

    Parameters
    ----------
    values : list
        Distinct labels, without a missing one.
    what : str
        What an error message calls the values.
    may_be_missing : bool, default=False
        Whether the type must have a missing value; text always has one.
    as_double : bool, default=False
        Whether the type is double in any case, as in an array.

    Returns
    -------
    values : ndarray of shape (n_values,)
        Of dtype bool, int64, float64, or object, which holds text.
    """
    is_number = all(isinstance(value, Real | np.bool_) for value in values) and bool(values)
    is_whole = all(isinstance(v, Integral) and -(2**63) <= v < 2**63 for v in values)
    if as_double or (is_number and may_be_missing):
        dtype = np.float64
    elif is_number and all(isinstance(value, bool | np.bool_) for value in values):
        dtype = np.bool_
    elif is_number:
        dtype = np.int64 if is_whole else np.float64
    else:
        dtype, values = object, [str(value) for value in values]
    typed = np.array(values, dtype=dtype)
    if len(set(typed.tolist())) < len(values):
        kind = "text" if dtype is object else "numbers of type double"
        raise ValueError(
            f"{what} cannot be exported, because as {kind}, some of them are equal. Convert the "
            "values to distinct text before the fit, and refit."
        )
    return typed


def value_info(name, dtype, shape):
    """Return the description of an input or an output."""
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), shape)


class Inputs:
    """The inputs of a graph: the columns of a DataFrame, or one array.

    Parameters
    ----------
    graph : Graph
    schema : Schema
    """

    def __init__(self, graph, schema):
        self.graph, self.is_named = graph, schema.is_named
        # The known categories of a feature, without the missing one, in the type of its input.
        self.categories = {
            feature: typed(
                [value for value in categories.values if value is not None],
                f"The categories of column {schema.names[feature]!r}",
                may_be_missing=categories.has_missing,
                as_double=not schema.is_named,
            )
            for feature, categories in schema.categories.items()
        }
        if not schema.is_named:
            shape = ["n_rows", len(schema.names)]
            self.infos = [value_info(_ARRAY, np.dtype(np.float64), shape)]
            return
        self._dtypes = [self._dtype(schema, feature) for feature in range(len(schema.names))]
        self.infos = [
            value_info(name, dtype, ["n_rows", 1])
            for name, dtype in zip(graph.inputs, self._dtypes, strict=True)
        ]

    def _dtype(self, schema, feature):
        """Return the type of a column of a DataFrame."""
        if feature in self.categories:
            return self.categories[feature].dtype
        # Only a double has a value for a gap.
        has_gaps = np.isnan(schema.states.get(feature, (0.0,))[-1])
        return np.dtype(np.int64 if schema.integral[feature] and not has_gaps else np.float64)

    def cells(self, feature):
        """Return one column as it is; of shape (n_rows, 1)."""
        return self.graph.inputs[feature] if self.is_named else self.numbers([feature])

    def numbers(self, features):
        """Return columns as doubles; of shape (n_rows, n_features)."""
        if not self.is_named:
            return self.graph.columns(_ARRAY, features)
        parts = [
            name if dtype == np.float64 else self.graph.cast(name)
            for name, dtype in ((self.graph.inputs[f], self._dtypes[f]) for f in features)
        ]
        return self.graph.concatenate(*parts)
